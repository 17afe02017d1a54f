/*
 * fm_free.c - giving space back: at once, or after its death is durable.
 *
 * Holds: fm_free, fm_retire, fm_reclaim, and fm_give, through which every range becomes free.  May
 * touch: all nodes, all trees, the totals, the state.
 *
 * Why nothing here fails: an object's death is decided by the caller, often when there is nobody left
 * to tell.  What cannot be recorded makes the heap stale (used space counted as used is a leak until
 * the next derivation, never damage); what contradicts the picture makes it corrupt.
 */
#include "fm_int.h"

/*
 * Make e free.  No byte of it is in the index.  Its fresh suffix begins at mark (e's end: none).  Fresh
 * bytes of a gap before e survive only if e is wholly fresh, because a gap knows one suffix.
 */
bool fm_give(fm *h, fm_extent e, uint64_t mark)
{
    uint64_t end = e.off + e.len;
    uint32_t i, j;
    fm_tree_around(h, e.off, &i, &j);
    fm_node *prev = fm_at(h, i), *next = fm_at(h, j);
    bool joins_prev = i != 0 && prev->kind == FM_FREE && fm_end(prev) == e.off;
    bool joins_next = j != 0 && next->kind == FM_FREE && next->off == end;

    uint64_t off = e.off;
    if (joins_next) {
        /* If next is fresh from its start, e's suffix (perhaps empty) joins; else only next's counts. */
        if (next->mark != end) mark = next->mark;
        end = fm_end(next);
    }
    if (joins_prev) {
        off = prev->off;
        if (mark == e.off) mark = prev->mark; /* fresh from e's start on: prev's suffix joins */
    }
    if (joins_prev && joins_next) {
        fm_tree_remove(h, FM_ADDR, j);
        fm_tree_remove(h, FM_SIZE, j);
        fm_node_drop(h, j);
        h->gaps--;
        fm_tree_resize(h, i, off, end - off, mark);
    } else if (joins_prev) {
        fm_tree_resize(h, i, off, end - off, mark);
    } else if (joins_next) {
        fm_tree_resize(h, j, off, end - off, mark);
    } else {
        uint32_t k = fm_node_new(h);
        if (k == 0) return false;
        fm_node *x = fm_at(h, k);
        x->off = off;
        x->len = end - off;
        x->mark = mark;
        x->kind = FM_FREE;
        fm_tree_insert(h, FM_ADDR, k);
        fm_tree_insert(h, FM_SIZE, k);
        h->gaps++;
    }
    h->free_bytes += e.len;
    return true;
}

/* Is e a valid, wholly used range?  If not, the heap is corrupt from now on. */
static bool credible(fm *h, fm_extent e)
{
    fm_extent met = {h->lo, h->hi - h->lo};
    if (fm_inside(h, e)) {
        uint32_t i, j;
        fm_tree_around(h, e.off, &i, &j);
        if (i == 0 || fm_end(fm_at(h, i)) <= e.off) {
            if (j == 0 || fm_at(h, j)->off >= e.off + e.len) return true;
            i = j;
        }
        met = (fm_extent){fm_at(h, i)->off, fm_at(h, i)->len};
    }
    h->state = FM_CORRUPT;
    h->bad = e;
    h->bad_met = met;
    return false;
}

void fm_free(fm *h, fm_extent extent)
{
    if (h->state != FM_READY || !credible(h, extent)) return;
    if (!fm_give(h, extent, extent.off + extent.len)) h->state = FM_STALE;
}

void fm_retire(fm *h, fm_extent extent, uint64_t stamp)
{
    if (h->state != FM_READY || !credible(h, extent)) return;
    uint32_t i = fm_node_new(h);
    if (i == 0) {
        h->state = FM_STALE;
        return;
    }
    fm_node *x = fm_at(h, i);
    x->off = extent.off;
    x->len = extent.len;
    x->mark = stamp;
    x->kind = FM_RETIRED;
    fm_tree_insert(h, FM_ADDR, i);
    fm_tree_insert(h, FM_STAMP, i);
    h->retired++;
    h->retired_bytes += extent.len;
}

uint64_t fm_reclaim(fm *h, uint64_t durable)
{
    uint64_t total = 0;
    if (h->state != FM_READY) return 0;
    for (;;) {
        uint32_t i = fm_tree_first(h, FM_STAMP);
        fm_node *x = fm_at(h, i);
        if (i == 0 || x->mark > durable) return total;
        fm_extent e = {x->off, x->len};
        fm_tree_remove(h, FM_ADDR, i);
        fm_tree_remove(h, FM_STAMP, i);
        fm_node_drop(h, i);
        h->retired--;
        h->retired_bytes -= e.len;
        (void)fm_give(h, e, e.off + e.len); /* the node just dropped is at hand: cannot fail */
        total += e.len;
    }
}
