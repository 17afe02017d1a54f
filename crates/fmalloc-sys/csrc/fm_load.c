/*
 * fm_load.c - from the extents that live to the gaps between them.
 *
 * Holds: fm_load, fm_ready.  May touch: the load, the state, and, on the way to ready, the whole index.
 *
 * Why a refused load makes the heap stale: a caller that overlooks one error code must not get a heap
 * in which live space counts as free.  So every failure here is final until fm_reset.
 *
 * Memory: 24 bytes per extent, returned in every case before fm_ready returns.  The array has room for
 * one entry more than it holds, since n extents leave up to n + 1 gaps, and the gaps are ordered by
 * length inside it, 24 bytes each (fm_sort_lengths).
 */
#include "fm_int.h"

#include <string.h>

static void drop_load(fm *h)
{
    fm_put(h, h->load, h->load_cap * sizeof(*h->load));
    h->load = NULL;
    h->load_n = h->load_cap = 0;
    h->load_sorted = true;
}

static int refuse(fm *h, int error)
{
    drop_load(h);
    h->state = FM_STALE;
    return -error;
}

/* Room for n more entries and one: exact the first time, then growing by half. */
static bool make_room(fm *h, size_t n)
{
    size_t most = SIZE_MAX / sizeof(*h->load) / 2;
    if (n >= most - h->load_n) return false;
    size_t need = h->load_n + n + 1;
    if (need <= h->load_cap) return true;
    size_t cap = h->load_cap + h->load_cap / 2;
    if (cap < need) cap = need;
    fm_entry *to = fm_get(h, cap * sizeof(*to));
    if (to == NULL) return false;
    if (h->load_n != 0) memcpy(to, h->load, h->load_n * sizeof(*to));
    fm_put(h, h->load, h->load_cap * sizeof(*to));
    h->load = to;
    h->load_cap = cap;
    return true;
}

/* The end of an extent that may be nonsense: no offset is at or after one that wraps around. */
static uint64_t end_of(uint64_t off, uint64_t len)
{
    return len > UINT64_MAX - off ? UINT64_MAX : off + len;
}

int fm_load(fm *h, const fm_extent *extents, const uint64_t *ids, size_t n)
{
    if (h->state == FM_READY) return -FM_EINVAL;
    if (h->state != FM_UNREADY) return fm_refusal(h);
    if (n == 0) return 0;
    if (!make_room(h, n)) return refuse(h, FM_ENOMEM);
    fm_entry *e = h->load + h->load_n;
    bool sorted = h->load_sorted;
    uint64_t end = h->load_n == 0 ? 0 : end_of(e[-1].off, e[-1].len);
    for (size_t i = 0; i < n; i++) {
        uint64_t off = extents[i].off, len = extents[i].len;
        if (len == 0 || !fm_aligned(off | len)) return refuse(h, FM_EINVAL);
        e[i].off = off;
        e[i].len = len;
        e[i].id = ids[i];
        sorted = sorted && off >= end;
        end = end_of(off, len);
    }
    h->load_sorted = sorted;
    h->load_n += n;
    return 0;
}

/* The first conflict in address order, or the number of gaps. */
static int inspect(const fm *h, uint64_t *gaps, fm_conflict *out)
{
    uint64_t end = h->lo; /* where the last extent ended: all before are disjoint and inside */
    *gaps = 0;
    for (size_t i = 0; i < h->load_n; i++) {
        const fm_entry *e = &h->load[i];
        fm_extent x = {e->off, e->len};
        if (!fm_inside(h, x)) {
            if (out != NULL) *out = (fm_conflict){x, {h->lo, h->hi - h->lo}, e->id, UINT64_MAX};
            return -FM_ECONFLICT;
        }
        if (e->off < end) { /* i > 0, since inside means off >= lo */
            const fm_entry *d = e - 1;
            if (out != NULL) *out = (fm_conflict){{d->off, d->len}, x, d->id, e->id};
            return -FM_ECONFLICT;
        }
        *gaps += e->off > end;
        end = e->off + e->len;
    }
    *gaps += h->hi > end;
    return 0;
}

/* One node for [from, to), if it is not empty. */
static void add_gap(fm *h, uint64_t from, uint64_t to)
{
    if (from == to) return;
    fm_node *x = fm_at(h, fm_node_new(h)); /* reserved: never 0, and numbers ascend */
    x->off = from;
    x->len = to - from;
    x->mark = to; /* nothing loaded is fresh */
    x->kind = FM_FREE;
    h->free_bytes += to - from;
    h->gaps++;
}

int fm_ready(fm *h, fm_conflict *out)
{
    if (h->state == FM_READY) return -FM_EINVAL;
    if (h->state != FM_UNREADY) return fm_refusal(h);
    if (!h->load_sorted) fm_sort_entries(h->load, h->load_n);

    uint64_t gaps;
    int error = inspect(h, &gaps, out);
    if (error != 0) return refuse(h, -error);
    if (!fm_pool_reserve(h, gaps)) return refuse(h, FM_ENOMEM);

    uint32_t first = (uint32_t)h->virgin;
    uint64_t end = h->lo;
    for (size_t i = 0; i < h->load_n; i++) {
        add_gap(h, end, h->load[i].off);
        end = h->load[i].off + h->load[i].len;
    }
    add_gap(h, end, h->hi);

    uint32_t n = (uint32_t)gaps;
    const uint32_t *order = n > 1 ? fm_sort_lengths(h->load, h, first, n) : NULL;
    fm_tree_build(h, FM_ADDR, NULL, first, n);
    fm_tree_build(h, FM_SIZE, order, first, n);
    drop_load(h);
    h->state = FM_READY;
    return 0;
}
