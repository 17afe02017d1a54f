/*
 * fm_check.c - every invariant of the index, in one walk.
 *
 * Holds: fm_check.  Touches nothing.  Callable in release builds, on any heap, at any time; it trusts
 * no link: numbers are range-checked, stacks and walks are bounded, so that even a trampled index
 * yields an error and not a crash.
 *
 * What is checked:
 *   1. each tree: links in range, height, balance, aggregate, strict order, the right kinds;
 *   2. FM_ADDR: pieces inside the space, aligned, disjoint; no two gaps touch; marks inside their gap;
 *   3. FM_SIZE holds exactly the gaps of FM_ADDR, FM_STAMP exactly its retired extents;
 *   4. the totals; 5. every node is in FM_ADDR or on the spare list.
 */
#include "fm_int.h"

/* A walk in order over one tree. */
typedef struct {
    uint32_t up[FM_DEPTH]; /* ancestors still to visit */
    uint32_t n;
    uint32_t next; /* root of the subtree to visit first, or 0 */
    uint64_t seen;
} walk;

static bool in_range(const fm *h, uint32_t i)
{
    return i < h->virgin && i >> FM_CHUNK_BITS < h->chunks;
}

/* Step to the next node in *out, 0 at the end; false if the links are impossible. */
static bool step(const fm *h, int slot, walk *w, uint32_t *out)
{
    while (w->next != 0) {
        if (w->n == FM_DEPTH || !in_range(h, w->next)) return false;
        w->up[w->n++] = w->next;
        w->next = fm_at(h, w->next)->kid[slot][0];
    }
    *out = w->n == 0 ? 0 : w->up[--w->n];
    if (*out == 0) return true;
    w->next = fm_at(h, *out)->kid[slot][1];
    return ++w->seen < h->virgin; /* a circle would visit more nodes than there are */
}

/* Are height, balance and aggregate of x what its kids imply? */
static bool sound(const fm *h, int slot, const fm_node *x)
{
    if (!in_range(h, x->kid[slot][0]) || !in_range(h, x->kid[slot][1])) return false;
    int l = fm_at(h, x->kid[slot][0])->height[slot];
    int r = fm_at(h, x->kid[slot][1])->height[slot];
    return l - r <= 1 && r - l <= 1 && x->height[slot] == 1 + (l > r ? l : r) &&
           x->best[slot] == fm_tree_best(h, slot, x);
}

static int fault(fm_conflict *out, const fm_node *a, const fm_node *b)
{
    if (out != NULL)
        *out = (fm_conflict){{a->off, a->len}, {b->off, b->len}, UINT64_MAX, UINT64_MAX};
    return -FM_ECORRUPT;
}

static int check_addr(const fm *h, fm_conflict *out)
{
    const fm_node *none = fm_at(h, 0), *prev = none;
    walk w = {.next = h->root[FM_ADDR]};
    uint64_t free_bytes = 0, retired_bytes = 0, gaps = 0;
    for (uint32_t i;;) {
        if (!step(h, 0, &w, &i)) return fault(out, prev, none);
        if (i == 0) break;
        const fm_node *x = fm_at(h, i);
        if (!fm_inside(h, (fm_extent){x->off, x->len}) || !sound(h, 0, x))
            return fault(out, x, prev);
        if (x->kind == FM_FREE) {
            if (x->mark < x->off || x->mark > fm_end(x) || !fm_aligned(x->mark))
                return fault(out, x, prev);
            free_bytes += x->len;
            gaps++;
        } else if (x->kind == FM_RETIRED) {
            retired_bytes += x->len;
        } else {
            return fault(out, x, prev);
        }
        if (prev != none) {
            bool merge = prev->kind == FM_FREE && x->kind == FM_FREE;
            if (fm_end(prev) > x->off || (merge && fm_end(prev) == x->off))
                return fault(out, prev, x);
        }
        prev = x;
    }
    if (free_bytes != h->free_bytes || retired_bytes != h->retired_bytes || gaps != h->gaps ||
        w.seen - gaps != h->retired)
        return fault(out, none, none);
    return 0;
}

/* FM_SIZE or FM_STAMP: its order, and that its nodes are the `count` nodes of this kind in FM_ADDR. */
static int check_other(const fm *h, int t, uint8_t kind, uint64_t count, fm_conflict *out)
{
    const fm_node *none = fm_at(h, 0), *prev = none;
    walk w = {.next = h->root[t]};
    for (uint32_t i;;) {
        if (!step(h, 1, &w, &i)) return fault(out, prev, none);
        if (i == 0) break;
        const fm_node *x = fm_at(h, i);
        uint32_t same, after;
        fm_tree_around(h, x->off, &same, &after);
        if (same != i || x->kind != kind || !sound(h, 1, x)) return fault(out, x, prev);
        if (prev != none) {
            uint64_t a = t == FM_SIZE ? prev->len : prev->mark;
            uint64_t b = t == FM_SIZE ? x->len : x->mark;
            if (a > b || (a == b && prev->off >= x->off)) return fault(out, prev, x);
        }
        prev = x;
    }
    return w.seen == count ? 0 : fault(out, none, none);
}

static int check_pool(const fm *h, fm_conflict *out)
{
    const fm_node *none = fm_at(h, 0);
    uint64_t used = 1 + h->gaps + h->retired; /* the sentinel, and what check_addr counted */
    for (uint32_t i = h->spare; i != 0; i = fm_at(h, i)->kid[0][0]) {
        if (!in_range(h, i) || fm_at(h, i)->kind != 0 || ++used > h->virgin)
            return fault(out, none, none);
    }
    bool blank = none->height[0] == 0 && none->height[1] == 0 && none->best[0] == 0 &&
                 none->best[1] == UINT64_MAX && none->kind == 0;
    return used == h->virgin && blank ? 0 : fault(out, none, none);
}

int fm_check(const fm *h, fm_conflict *out)
{
    if (h->state == FM_CORRUPT) {
        if (out != NULL) *out = (fm_conflict){h->bad, h->bad_met, UINT64_MAX, UINT64_MAX};
        return -FM_ECORRUPT;
    }
    if (h->state != FM_READY) return -FM_ESTALE;
    int error = check_addr(h, out);
    if (error == 0) error = check_other(h, FM_SIZE, FM_FREE, h->gaps, out);
    if (error == 0) error = check_other(h, FM_STAMP, FM_RETIRED, h->retired, out);
    if (error == 0) error = check_pool(h, out);
    return error;
}
