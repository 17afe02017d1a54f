/*
 * fm_space.c - the space as a whole: its birth and end, its size, what it looks like.
 *
 * Holds: fm_open, fm_close, fm_reset, fm_grow, fm_trim, fm_next, fm_stats.  May touch: everything.
 */
#include "fm_int.h"

#include <string.h>

int fm_open(fm **out, const fm_mem *mem, uint64_t lo, uint64_t hi)
{
    *out = NULL;
    if (mem->get == NULL || mem->put == NULL) return -FM_EINVAL;
    if (!fm_aligned(lo | hi) || lo > hi || hi > FM_HI_MAX) return -FM_EINVAL;
    fm *h = mem->get(mem->ctx, sizeof(*h));
    if (h == NULL) return -FM_ENOMEM;
    memset(h, 0, sizeof(*h));
    h->mem = *mem;
    h->bytes = sizeof(*h);
    h->lo = lo;
    h->hi = hi;
    h->state = FM_UNREADY;
    h->load_sorted = true;
    if (!fm_pool_open(h)) {
        fm_close(h);
        return -FM_ENOMEM;
    }
    *out = h;
    return 0;
}

void fm_close(fm *h)
{
    if (h == NULL) return;
    fm_put(h, h->load, h->load_cap * sizeof(*h->load));
    fm_pool_close(h);
    fm_mem mem = h->mem;
    mem.put(mem.ctx, h, sizeof(*h));
}

void fm_reset(fm *h)
{
    fm_put(h, h->load, h->load_cap * sizeof(*h->load));
    h->load = NULL;
    h->load_n = h->load_cap = 0;
    h->load_sorted = true;
    fm_pool_reset(h);
    for (int t = 0; t < FM_TREES; t++)
        h->root[t] = 0;
    h->free_bytes = h->retired_bytes = 0;
    h->gaps = h->retired = 0;
    h->state = FM_UNREADY;
}

int fm_grow(fm *h, uint64_t hi)
{
    if (h->state == FM_CORRUPT) return -FM_ECORRUPT;
    if (!fm_aligned(hi) || hi < h->hi || hi > FM_HI_MAX) return -FM_EINVAL;
    fm_extent tail = {h->hi, hi - h->hi};
    if (h->state == FM_READY && tail.len != 0 && !fm_give(h, tail, tail.off)) return -FM_ENOMEM;
    h->hi = hi;
    return 0;
}

int fm_trim(fm *h, uint64_t *hi)
{
    if (h->state != FM_READY) return fm_refusal(h);
    if (!fm_aligned(*hi)) return -FM_EINVAL;
    uint64_t lowest = fm_max(*hi, h->lo);
    uint32_t i, after;
    fm_tree_around(h, h->hi, &i, &after);
    fm_node *x = fm_at(h, i);
    if (i != 0 && x->kind == FM_FREE && fm_end(x) == h->hi && lowest < h->hi) {
        uint64_t end = fm_max(lowest, x->off);
        h->free_bytes -= h->hi - end;
        h->hi = end;
        if (end > x->off) {
            fm_tree_resize(h, i, x->off, end - x->off, fm_min(x->mark, end));
        } else {
            fm_tree_remove(h, FM_ADDR, i);
            fm_tree_remove(h, FM_SIZE, i);
            fm_node_drop(h, i);
            h->gaps--;
        }
    }
    *hi = h->hi;
    return 0;
}

int fm_next(const fm *h, uint64_t from, fm_extent *out, uint32_t *kind)
{
    if (h->state != FM_READY && h->state != FM_CORRUPT) return -FM_ESTALE;
    if (from < h->lo) from = h->lo;
    if (from >= h->hi) return -FM_ENOSPC;
    uint32_t i, j;
    fm_tree_around(h, from, &i, &j);
    const fm_node *x = fm_at(h, i);
    if (i != 0 && fm_end(x) > from) {
        *out = (fm_extent){x->off, x->len};
        *kind = x->kind;
        return 0;
    }
    uint64_t begin = i != 0 ? fm_end(x) : h->lo;
    uint64_t end = j != 0 ? fm_at(h, j)->off : h->hi;
    *out = (fm_extent){begin, end - begin};
    *kind = FM_USED;
    return 0;
}

void fm_stats(const fm *h, fm_stat *out)
{
    memset(out, 0, sizeof(*out));
    out->bytes = h->bytes;
    if (h->state != FM_READY && h->state != FM_CORRUPT) return;
    out->used = h->hi - h->lo - h->free_bytes - h->retired_bytes;
    out->free = h->free_bytes;
    out->retired = h->retired_bytes;
    out->gaps = h->gaps;
    out->largest = fm_at(h, h->root[FM_ADDR])->best[0];
    out->nodes = h->gaps + h->retired;
}
