/*
 * fuzz_load.c - what a hostile catalog can tell the heap: extents anywhere, of any length, in any order,
 * calls out of order, memory refused.  There is no model of the outcome; what must hold is the manual:
 * a refused load stays refused until fm_reset; a conflict names two extents that are in conflict; a
 * ready heap is whole, hands out nothing that was loaded as live, and gives all memory back.
 * LLVMFuzzerTestOneInput is libFuzzer's entry; with -DFM_DRIVER a main of our own feeds it.
 */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MOST 512 /* extents of one input */

typedef struct {
    const uint8_t *at;
    size_t n;
} bytes;

static unsigned byte(bytes *b)
{
    if (b->n == 0) return 0;
    b->n--;
    return *b->at++;
}

static uint64_t word(bytes *b)
{
    uint64_t w = 0;
    for (int i = 0; i < 8; i++)
        w = w << 8 | byte(b);
    return w;
}

/* A number worth trying: limits, neighbours of what was said before, or anything. */
static uint64_t number(bytes *b, uint64_t lo, uint64_t hi, uint64_t last)
{
    static const uint64_t odd[] = {
        0, 64, 128, UINT64_MAX - 63, (uint64_t)1 << 63, (uint64_t)1 << 47, UINT64_MAX, 1};
    unsigned how = byte(b);
    switch (how & 7) {
    case 0: return odd[how >> 5];
    case 1: return lo + 64 * (uint64_t)(how >> 3);
    case 2: return hi - 64 * (uint64_t)(how >> 3);
    case 3: return last + 64 * (uint64_t)(how >> 3);
    case 4: return last - 64 * (uint64_t)(how >> 3);
    case 5: return (uint64_t)byte(b) * 64;
    case 6: return word(b) & ~(uint64_t)63;
    default: return word(b);
    }
}

static bool inside(fm_extent e, uint64_t lo, uint64_t hi)
{
    return e.off >= lo && e.off <= hi && e.len <= hi - e.off;
}

static bool touch(fm_extent a, fm_extent b)
{
    return a.off < b.off + b.len && b.off < a.off + a.len;
}

static void conflict_is_true(const fm_conflict *c, const fm_extent *e, size_t n, uint64_t lo,
                             uint64_t hi)
{
    CHECK(c->id_a < n && memcmp(&c->a, &e[c->id_a], sizeof(c->a)) == 0);
    if (c->id_b == UINT64_MAX) {
        CHECK(!inside(c->a, lo, hi));
    } else {
        CHECK(c->id_b < n && c->id_a != c->id_b && memcmp(&c->b, &e[c->id_b], sizeof(c->b)) == 0);
        CHECK(touch(c->a, c->b));
    }
}

/* Whether the loaded extents are inside and disjoint: by looking at every pair. */
static bool agreeable(const fm_extent *e, size_t n, uint64_t lo, uint64_t hi)
{
    for (size_t i = 0; i < n; i++) {
        if (!inside(e[i], lo, hi)) return false;
        for (size_t j = 0; j < i; j++)
            if (touch(e[i], e[j])) return false;
    }
    return true;
}

/* Walks the pieces: they cover the space once, and the totals are theirs. */
static void covers(const fm *h, uint64_t lo, uint64_t hi)
{
    uint64_t at = lo, sum[4] = {0};
    fm_extent e;
    uint32_t kind;
    while (at < hi) {
        SAME(fm_next(h, at, &e, &kind), 0);
        CHECK(e.off == at && e.len > 0 && e.len <= hi - at && kind >= FM_USED &&
              kind <= FM_RETIRED);
        sum[kind] += e.len;
        at += e.len;
    }
    fm_stat s;
    fm_stats(h, &s);
    SAME(s.used, sum[FM_USED]);
    SAME(s.free, sum[FM_FREE]);
    SAME(s.retired, sum[FM_RETIRED]);
}

static void work(fm *h, bytes *b, const fm_extent *e, size_t n, uint64_t lo, uint64_t *hi)
{
    bool honest = true; /* nothing that was loaded has been freed */
    uint64_t last = lo;
    while (b->n > 0) {
        fm_extent x = {number(b, lo, *hi, last), number(b, lo, *hi, 64)};
        uint64_t zeroed;
        int error = 0;
        switch (byte(b) % 8) {
        case 0:
        case 1: {
            fm_req req = {.len = x.len,
                          .align = byte(b) & 1 ? (uint64_t)64 << byte(b) % 40 : 0,
                          .boundary = byte(b) & 1 ? (uint64_t)64 << byte(b) % 40 : 0,
                          .flags = byte(b) % 4};
            error = fm_alloc(h, &req, &x, &zeroed);
            if (error == 0) {
                CHECK(inside(x, lo, *hi) && x.len == req.len && zeroed <= x.len);
                for (size_t i = 0; honest && i < n; i++)
                    CHECK(!touch(x, e[i]));
            }
            break;
        }
        case 2:
            error = fm_claim(h, x);
            for (size_t i = 0; error == 0 && honest && i < n; i++)
                CHECK(!touch(x, e[i]));
            break;
        case 3:
            fm_free(h, x);
            honest = false;
            break;
        case 4:
            fm_retire(h, x, word(b));
            honest = false;
            break;
        case 5: (void)fm_reclaim(h, word(b)); break;
        case 6:
            if (fm_grow(h, x.off) == 0) *hi = x.off;
            break;
        default: {
            uint64_t end = x.off;
            if (fm_trim(h, &end) == 0) {
                CHECK(end <= *hi);
                *hi = end;
            }
        }
        }
        last = x.off;
        int whole = fm_check(h, NULL);
        CHECK(whole == 0 || whole == -FM_ECORRUPT || whole == -FM_ESTALE);
        if (whole != 0) return;
    }
    covers(h, lo, *hi);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static fm_extent e[MOST];
    static uint64_t ids[MOST];
    bytes b = {data, size};
    t_mem mem = {.fail_at = byte(&b) % 32};
    fm_mem callbacks = t_mem_callbacks(&mem);
    static const uint64_t bases[] = {65536, 0, (uint64_t)1 << 46, ((uint64_t)1 << 63) - 65536};
    unsigned range = byte(&b);
    uint64_t lo = bases[range % 4], hi = lo + 64 * (uint64_t)byte(&b);
    if (range >= 240) {
        lo = number(&b, lo, hi, 0);
        hi = number(&b, lo, hi, lo);
    }
    fm *h;
    if (fm_open(&h, &callbacks, lo, hi) != 0) {
        CHECK(h == NULL && mem.held == 0);
        return 0;
    }
    size_t n = byte(&b) + (size_t)(byte(&b) & 1) * 256, told = 0;
    uint64_t last = lo;
    bool refused = false;
    for (size_t i = 0; i < n; i++) {
        e[i] = (fm_extent){number(&b, lo, hi, last), number(&b, lo, hi, 64)};
        ids[i] = i;
        last = e[i].off + e[i].len;
        if (byte(&b) % 8 == 0 || i + 1 == n) {
            int error = fm_load(h, e + told, ids + told, i + 1 - told);
            CHECK(!refused || error != 0);
            refused = error != 0;
            told = i + 1;
        }
    }
    fm_conflict c;
    int error = fm_ready(h, &c);
    if (refused) {
        CHECK(error != 0);
    } else if (error == -FM_ECONFLICT) {
        conflict_is_true(&c, e, n, lo, hi);
        CHECK(!agreeable(e, n, lo, hi));
    } else if (error == 0) {
        CHECK(agreeable(e, n, lo, hi));
        covers(h, lo, hi);
        work(h, &b, e, n, lo, &hi);
    }
    if (error != 0) {
        fm_extent x;
        fm_req req = {.len = 64};
        CHECK(fm_alloc(h, &req, &x, NULL) != 0);
        fm_reset(h);
        mem.fail_at = 0;
        SAME(fm_ready(h, NULL), 0);
    }
    fm_close(h);
    SAME(mem.held, 0);
    return 0;
}

#ifdef FM_DRIVER
int main(int argc, char **argv)
{
    unsigned inputs = argc > 1 ? (unsigned)atoi(argv[1]) : 20000;
    static uint8_t data[4096];
    t_rng r = {20260102};
    for (unsigned k = 0; k < inputs; k++) {
        size_t n = t_below(&r, k % 8 == 0 ? sizeof(data) : 400);
        unsigned range = k % 3 == 0 ? 2 + (unsigned)t_below(&r, 40) : 256;
        for (size_t i = 0; i < n; i++)
            data[i] = (uint8_t)t_below(&r, range);
        (void)LLVMFuzzerTestOneInput(data, n);
    }
    printf("%u inputs\n", inputs);
    return 0;
}
#endif
