/*
 * fm_sort.c - the two sorts of a load.
 *
 * Holds: a radix sort of extents by offset, in place, and a radix sort of gaps by length.  Touches
 * nothing of the heap but the nodes it reads.  No allocation; stack at most 40 KiB.
 *
 * Why two: extents are many-byte records with nearly unique keys, so most significant digit first and
 * in place (no second buffer); gaps are many equal lengths that must stay in address order, so least
 * significant digit first and stable, over 12 bytes per gap and buffer, which fits twice into the 24
 * bytes per extent that the load has left behind.  Why not qsort(): 4 times slower, and its worst case
 * and memory are the C library's business.
 */
#include "fm_int.h"

#define DIGIT_BITS 8
#define DIGITS (1u << DIGIT_BITS)
#define SMALL 24 /* at most this many: insertion sort */

static inline bool entry_before(const fm_entry *a, const fm_entry *b)
{
    if (a->off != b->off) return a->off < b->off;
    if (a->len != b->len) return a->len < b->len;
    return a->id < b->id;
}

static inline void swap(fm_entry *a, fm_entry *b)
{
    fm_entry t = *a;
    *a = *b;
    *b = t;
}

static void insertion(fm_entry *e, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        fm_entry x = e[i];
        size_t j = i;
        for (; j > 0 && entry_before(&x, &e[j - 1]); j--)
            e[j] = e[j - 1];
        e[j] = x;
    }
}

/*
 * All of e have one offset, so they are in conflict, and fm_ready will look at the first two only.
 * Ordering the others could take quadratic time on a hostile file.
 */
static void least_two(fm_entry *e, size_t n)
{
    for (size_t k = 0; k < 2; k++) {
        for (size_t i = k + 1; i < n; i++) {
            if (entry_before(&e[i], &e[k])) swap(&e[i], &e[k]);
        }
    }
}

/* Index of the highest bit set in x > 0. */
static unsigned highest_bit(uint64_t x)
{
    unsigned n = 0;
    for (unsigned step = 32; step > 0; step /= 2) {
        if (x >> step != 0) {
            x >>= step;
            n += step;
        }
    }
    return n;
}

/*
 * Sort e[0..n) by (off, len, id); of extents with the same offset only the first two are certain to be
 * in order.  Each level takes the 8 highest bits in which offsets differ at all, and recurses into the
 * digits with fewer bits left: at most 8 deep, 4 KiB each.
 */
void fm_sort_entries(fm_entry *e, size_t n)
{
    if (n <= SMALL) {
        insertion(e, n);
        return;
    }
    uint64_t differ = 0;
    for (size_t i = 1; i < n; i++)
        differ |= e[i].off ^ e[0].off;
    if (differ == 0) {
        least_two(e, n);
        return;
    }
    unsigned high = highest_bit(differ);
    unsigned shift = high < DIGIT_BITS ? 0 : high - DIGIT_BITS + 1;

    size_t next[DIGITS]; /* where the next entry of a digit goes */
    size_t end[DIGITS];  /* where its last goes, exclusive */
    for (unsigned d = 0; d < DIGITS; d++)
        end[d] = 0;
    for (size_t i = 0; i < n; i++)
        end[(e[i].off >> shift) % DIGITS]++;
    size_t sum = 0;
    for (unsigned d = 0; d < DIGITS; d++) {
        next[d] = sum;
        sum += end[d];
        end[d] = sum;
    }
    /* Every swap puts at least one entry where it belongs. */
    for (unsigned d = 0; d < DIGITS; d++) {
        while (next[d] < end[d]) {
            fm_entry x = e[next[d]];
            for (;;) {
                unsigned to = (unsigned)((x.off >> shift) % DIGITS);
                if (to == d) break;
                swap(&x, &e[next[to]++]);
            }
            e[next[d]++] = x;
        }
    }
    size_t begin = 0;
    for (unsigned d = 0; d < DIGITS; d++) {
        if (end[d] - begin > 1) fm_sort_entries(e + begin, end[d] - begin);
        begin = end[d];
    }
}

#define LEN_BITS 11
#define LEN_DIGITS (1u << LEN_BITS)

/* One stable pass by the digit at shift. */
static void pass(const uint64_t *len, const uint32_t *idx, uint64_t *len_to, uint32_t *idx_to,
                 uint32_t n, unsigned shift)
{
    uint32_t at[LEN_DIGITS];
    for (unsigned d = 0; d < LEN_DIGITS; d++)
        at[d] = 0;
    for (uint32_t i = 0; i < n; i++)
        at[(len[i] >> shift) % LEN_DIGITS]++;
    uint32_t sum = 0;
    for (unsigned d = 0; d < LEN_DIGITS; d++) {
        uint32_t count = at[d];
        at[d] = sum;
        sum += count;
    }
    for (uint32_t i = 0; i < n; i++) {
        uint32_t to = at[(len[i] >> shift) % LEN_DIGITS]++;
        len_to[to] = len[i];
        idx_to[to] = idx[i];
    }
}

/*
 * The numbers of the nodes first..first+n, which are in address order, in order of (len, off).  room
 * has 24 bytes per node, aligned for uint64_t; the result lies in it.
 */
const uint32_t *fm_sort_lengths(void *room, const fm *h, uint32_t first, uint32_t n)
{
    uint64_t *len[2] = {room, (uint64_t *)room + n};
    uint32_t *idx[2] = {(uint32_t *)(len[1] + n), (uint32_t *)(len[1] + n) + n};
    uint64_t differ = 0;
    for (uint32_t i = 0; i < n; i++) {
        len[0][i] = fm_at(h, first + i)->len;
        idx[0][i] = first + i;
        differ |= len[0][i] ^ len[0][0];
    }
    int from = 0;
    for (unsigned shift = 6; shift < 64; shift += LEN_BITS) { /* lengths are multiples of 64 */
        if ((differ >> shift) % LEN_DIGITS == 0) continue;
        pass(len[from], idx[from], len[!from], idx[!from], n, shift);
        from = !from;
    }
    return idx[from];
}
