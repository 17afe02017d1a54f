/*
 * fm_alloc.c - which gap, and where in it.
 *
 * Holds: fm_alloc, fm_claim, fm_extend: everything that takes free space away.  May touch: gaps, their
 * trees and totals.
 *
 * Invariant: a node that may be needed is taken before anything is changed, so that a refusal leaves
 * the heap as it was.
 */
#include "fm_int.h"

static inline bool power_of_two(uint64_t x)
{
    return x != 0 && (x & (x - 1)) == 0;
}

static inline uint64_t add_sat(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/* The first multiple of the power of two `align` at or after x <= 2^63; UINT64_MAX if none. */
static inline uint64_t round_up(uint64_t x, uint64_t align)
{
    uint64_t sum = add_sat(x, align - 1);
    return sum == UINT64_MAX ? UINT64_MAX : sum & ~(align - 1);
}

/* Does [off, off+len), len <= boundary, contain a multiple of boundary other than off? */
static inline bool crosses(uint64_t off, uint64_t len, uint64_t boundary)
{
    return (off ^ (off + len - 1)) >= boundary;
}

/*
 * Hand out [off, off+len) of gap i, which contains it; *zeroed = its fresh bytes (at the end).  A rest
 * in front keeps the node, or else the rest behind does; two rests need one more node.
 */
static int take(fm *h, uint32_t i, uint64_t off, uint64_t len, uint64_t *zeroed)
{
    fm_node *x = fm_at(h, i);
    uint64_t begin = x->off, end = fm_end(x), mark = x->mark;
    uint64_t stop = off + len;
    uint64_t fresh = fm_max(mark, off);
    if (begin < off && stop < end) {
        uint32_t j = fm_node_new(h);
        if (j == 0) return -FM_ENOMEM;
        fm_node *y = fm_at(h, j);
        y->off = stop;
        y->len = end - stop;
        y->mark = fm_max(mark, stop);
        y->kind = FM_FREE;
        fm_tree_resize(h, i, begin, off - begin, fm_min(mark, off));
        fm_tree_insert(h, FM_ADDR, j);
        fm_tree_insert(h, FM_SIZE, j);
        h->gaps++;
    } else if (begin < off) {
        fm_tree_resize(h, i, begin, off - begin, fm_min(mark, off));
    } else if (stop < end) {
        fm_tree_resize(h, i, stop, end - stop, fm_max(mark, stop));
    } else {
        fm_tree_remove(h, FM_ADDR, i);
        fm_tree_remove(h, FM_SIZE, i);
        fm_node_drop(h, i);
        h->gaps--;
    }
    h->free_bytes -= len;
    if (zeroed != NULL) *zeroed = stop > fresh ? stop - fresh : 0;
    return 0;
}

/* A request with its defaults filled in. */
typedef struct {
    uint64_t len, align;
    uint64_t boundary; /* 0: none that matters */
    uint64_t limit;    /* the end must not be greater */
    bool lowest;
} wish;

/* Where in gap x: the lowest place, and the lowest that respects the boundary; UINT64_MAX = none. */
static void places(const fm_node *x, const wish *w, uint64_t *any, uint64_t *nice)
{
    uint64_t end = fm_min(fm_end(x), w->limit);
    uint64_t last = end >= w->len ? end - w->len : 0; /* last offset that leaves room */
    uint64_t at = round_up(x->off, w->align);
    *any = *nice = UINT64_MAX;
    if (end < w->len || at > last) return;
    *any = at;
    if (w->boundary != 0 && crosses(at, w->len, w->boundary)) {
        at =
            round_up(at, w->boundary); /* a multiple of align too: align > boundary never crosses */
        if (at > last) return;
    }
    *nice = at;
}

/* The first gap in the order of the policy, at or after the one keyed (len, off), with `need` bytes. */
static inline uint32_t candidate(const fm *h, const wish *w, uint64_t need, uint64_t len,
                                 uint64_t off)
{
    if (need > w->limit) return 0;
    uint64_t off_max = w->limit - need;
    if (!w->lowest) return fm_tree_smallest(h, fm_max(len, need), len < need ? 0 : off, off_max);
    uint32_t i = fm_tree_lowest(h, off, need);
    return i != 0 && fm_at(h, i)->off <= off_max ? i : 0;
}

/*
 * The search promised in fm.h.  A gap of need_any bytes has an aligned place wherever it begins: at
 * most align - FM_UNIT bytes are lost in front.  If that place crosses a multiple m of the boundary,
 * m lies at most len - FM_UNIT after it, and m is aligned: hence need_nice.
 */
static uint32_t find(const fm *h, const wish *w, uint64_t *at)
{
    uint64_t need_any = add_sat(w->len, w->align - FM_UNIT);
    uint64_t need_nice = w->boundary == 0 ? need_any : add_sat(need_any, w->len - FM_UNIT);
    uint64_t len = 0, off = 0, any, nice;
    uint32_t second = 0; /* the first gap with a place that is not nice */
    uint64_t second_at = 0;
    for (int probe = 0; probe < FM_PROBES; probe++) {
        uint32_t i = candidate(h, w, w->len, len, off);
        if (i == 0) goto exhausted; /* every gap of the length was tried */
        const fm_node *x = fm_at(h, i);
        places(x, w, &any, &nice);
        *at = nice;
        if (nice != UINT64_MAX) return i;
        if (any != UINT64_MAX && second == 0) {
            second = i;
            second_at = any;
        }
        len = x->len;
        off = x->off + FM_UNIT;
    }
    uint32_t i = candidate(h, w, need_nice, 0, 0);
    if (i != 0) {
        places(fm_at(h, i), w, &any, at);
        return i;
    }
    if (second == 0 && (i = candidate(h, w, need_any, 0, 0)) != 0) {
        places(fm_at(h, i), w, at, &nice);
        return i;
    }
exhausted:
    *at = second_at;
    return second;
}

int fm_alloc(fm *h, const fm_req *req, fm_extent *out, uint64_t *zeroed)
{
    if (h->state != FM_READY) return fm_refusal(h);
    wish w;
    w.len = req->len;
    w.align = req->align == 0 ? FM_UNIT : req->align;
    w.boundary = req->boundary;
    w.limit = req->below == 0 ? h->hi : fm_min(req->below, h->hi);
    w.lowest = req->flags == FM_LOWEST;
    if (w.len == 0 || !fm_aligned(w.len | req->below)) return -FM_EINVAL;
    if (!power_of_two(w.align) || w.align < FM_UNIT) return -FM_EINVAL;
    if (w.boundary != 0 && (!power_of_two(w.boundary) || w.boundary < FM_UNIT)) return -FM_EINVAL;
    if (req->flags > FM_LOWEST || req->pad != 0) return -FM_EINVAL;
    if (w.len > w.limit) return -FM_ENOSPC;
    if (w.len > w.boundary) w.boundary = 0; /* would cross wherever it lies */

    uint64_t at;
    uint32_t i = find(h, &w, &at);
    if (i == 0) return -FM_ENOSPC;
    int error = take(h, i, at, w.len, zeroed);
    if (error != 0) return error;
    out->off = at;
    out->len = w.len;
    return 0;
}

int fm_claim(fm *h, fm_extent want)
{
    if (h->state != FM_READY) return fm_refusal(h);
    if (!fm_inside(h, want)) return -FM_EINVAL;
    uint32_t i, after;
    fm_tree_around(h, want.off, &i, &after);
    if (i == 0) return -FM_ENOSPC;
    const fm_node *x = fm_at(h, i);
    if (x->kind != FM_FREE || fm_end(x) < want.off + want.len) return -FM_ENOSPC;
    return take(h, i, want.off, want.len, NULL);
}

int fm_extend(fm *h, fm_extent *extent, uint64_t len, uint64_t *zeroed)
{
    if (h->state != FM_READY) return fm_refusal(h);
    fm_extent e = *extent;
    if (!fm_inside(h, e) || len < e.len || !fm_aligned(len)) return -FM_EINVAL;
    uint64_t end = e.off + e.len, more = len - e.len;
    uint32_t i, after;
    fm_tree_around(h, e.off, &i, &after);
    if (i != 0 && fm_end(fm_at(h, i)) > e.off) return -FM_EINVAL; /* not used at its start */
    if (after != 0 && fm_at(h, after)->off < end) return -FM_EINVAL;
    if (more == 0) {
        if (zeroed != NULL) *zeroed = 0;
        return 0;
    }
    if (after == 0) return -FM_ENOSPC;
    const fm_node *x = fm_at(h, after);
    if (x->kind != FM_FREE || x->off != end || x->len < more) return -FM_ENOSPC;
    int error = take(h, after, end, more, zeroed); /* from the front: no node needed */
    if (error == 0) extent->len = len;
    return error;
}
