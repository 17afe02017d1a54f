/*
 * fm_tree.c - the ordered indexes: three AVL trees over two slots of links.
 *
 * Holds: order, balance, aggregates, searches.  May touch: root[], and of nodes best, kid, height
 * (fm_tree_resize also off, len, mark).  Never allocates, never looks at totals.
 *
 * Why AVL: the worst case is bounded (no deep tree for any sequence of calls), so a path fits in a
 * fixed array, nothing recurses over the data and nothing is random.  Why no parent links: the path
 * is found by descending with the node's own key, and the saved bytes keep a node in one line.
 *
 * Invariants, checked by fm_check.c:
 *   - an in-order walk of tree t is strictly ascending in its key;
 *   - height = 1 + the greater of the kids'; the kids' heights differ by at most 1;
 *   - best is what fm_tree_best computes from the node and its kids.
 */
#include "fm_int.h"

/* The way from a root down: at[0] is the root, at[k+1] = at[k]'s kid dir[k]. */
typedef struct {
    uint32_t at[FM_DEPTH];
    uint8_t dir[FM_DEPTH];
    uint32_t n;
} path;

static inline bool before(int t, const fm_node *a, const fm_node *b)
{
    if (t == FM_SIZE && a->len != b->len) return a->len < b->len;
    if (t == FM_STAMP && a->mark != b->mark) return a->mark < b->mark;
    return a->off < b->off;
}

uint64_t fm_tree_best(const fm *h, int slot, const fm_node *x)
{
    const fm_node *l = fm_at(h, x->kid[slot][0]);
    const fm_node *r = fm_at(h, x->kid[slot][1]);
    if (slot == 0) {
        uint64_t own = x->kind == FM_FREE ? x->len : 0;
        return fm_max(own, fm_max(l->best[0], r->best[0]));
    }
    return fm_min(x->off, fm_min(l->best[1], r->best[1]));
}

/* Recompute x from its kids. */
static inline void pull(const fm *h, int slot, fm_node *x)
{
    uint8_t l = fm_at(h, x->kid[slot][0])->height[slot];
    uint8_t r = fm_at(h, x->kid[slot][1])->height[slot];
    x->height[slot] = (uint8_t)(1 + (l > r ? l : r));
    x->best[slot] = fm_tree_best(h, slot, x);
}

/* Lift i's kid on side d into its place; returns the kid. */
static uint32_t rotate(const fm *h, int slot, uint32_t i, int d)
{
    fm_node *x = fm_at(h, i);
    uint32_t k = x->kid[slot][d];
    fm_node *y = fm_at(h, k);
    x->kid[slot][d] = y->kid[slot][!d];
    y->kid[slot][!d] = i;
    pull(h, slot, x);
    pull(h, slot, y);
    return k;
}

/* Restore i, whose kids are right and differ by at most 2 in height; returns the top in its place. */
static uint32_t settle(const fm *h, int slot, uint32_t i)
{
    fm_node *x = fm_at(h, i);
    int l = fm_at(h, x->kid[slot][0])->height[slot];
    int r = fm_at(h, x->kid[slot][1])->height[slot];
    if (l - r <= 1 && r - l <= 1) {
        pull(h, slot, x);
        return i;
    }
    int d = r > l;
    fm_node *y = fm_at(h, x->kid[slot][d]);
    /* The inner grandkid is the higher one: lift it first. */
    if (fm_at(h, y->kid[slot][!d])->height[slot] > fm_at(h, y->kid[slot][d])->height[slot])
        x->kid[slot][d] = rotate(h, slot, x->kid[slot][d], !d);
    return rotate(h, slot, i, d);
}

/* Put `top` where at[k] of the path was. */
static inline void relink(fm *h, int t, const path *p, uint32_t k, uint32_t top)
{
    if (k == 0)
        h->root[t] = top;
    else
        fm_at(h, p->at[k - 1])->kid[FM_SLOT(t)][p->dir[k - 1]] = top;
}

/* Restore the path from its end upwards, at least up to at[must]; stop where nothing changes. */
static void climb(fm *h, int t, const path *p, uint32_t must)
{
    int slot = FM_SLOT(t);
    for (uint32_t k = p->n; k-- > 0;) {
        const fm_node *x = fm_at(h, p->at[k]);
        uint8_t height = x->height[slot];
        uint64_t best = x->best[slot];
        uint32_t top = settle(h, slot, p->at[k]);
        if (top != p->at[k]) relink(h, t, p, k, top);
        const fm_node *y = fm_at(h, top);
        if (k <= must && y->height[slot] == height && y->best[slot] == best) return;
    }
}

/* The path to node i, which is in the tree; its last element is i. */
static void trace(const fm *h, int t, uint32_t i, path *p)
{
    const fm_node *x = fm_at(h, i);
    uint32_t k = h->root[t];
    p->n = 0;
    while (k != i) {
        const fm_node *y = fm_at(h, k);
        uint8_t d = before(t, y, x);
        p->at[p->n] = k;
        p->dir[p->n++] = d;
        k = y->kid[FM_SLOT(t)][d];
    }
    p->at[p->n++] = i;
}

void fm_tree_insert(fm *h, int t, uint32_t i)
{
    int slot = FM_SLOT(t);
    fm_node *x = fm_at(h, i);
    path p;
    p.n = 0;
    for (uint32_t k = h->root[t]; k != 0;) {
        const fm_node *y = fm_at(h, k);
        uint8_t d = before(t, y, x);
        p.at[p.n] = k;
        p.dir[p.n++] = d;
        k = y->kid[slot][d];
    }
    x->kid[slot][0] = x->kid[slot][1] = 0;
    pull(h, slot, x);
    relink(h, t, &p, p.n, i);
    climb(h, t, &p, p.n == 0 ? 0 : p.n - 1);
}

/* Take the last node of the path out of the tree. */
static void cut(fm *h, int t, path *p)
{
    int slot = FM_SLOT(t);
    uint32_t spot = p->n - 1;
    fm_node *x = fm_at(h, p->at[spot]);
    if (x->kid[slot][0] == 0 || x->kid[slot][1] == 0) {
        relink(h, t, p, spot, x->kid[slot][x->kid[slot][0] == 0]);
        p->n = spot;
        climb(h, t, p, spot == 0 ? 0 : spot - 1);
        return;
    }
    /* Two kids: the next node in order, which has no kid before it, takes the place. */
    p->dir[spot] = 1;
    uint32_t j = x->kid[slot][1];
    for (fm_node *y = fm_at(h, j); y->kid[slot][0] != 0; y = fm_at(h, j)) {
        p->at[p->n] = j;
        p->dir[p->n++] = 0;
        j = y->kid[slot][0];
    }
    fm_node *y = fm_at(h, j);
    relink(h, t, p, p->n, y->kid[slot][1]);
    y->kid[slot][0] = x->kid[slot][0];
    y->kid[slot][1] = x->kid[slot][1];
    y->height[slot] = x->height[slot]; /* as before, so that climb sees whether they change */
    y->best[slot] = x->best[slot];
    p->at[spot] = j;
    relink(h, t, p, spot, j);
    climb(h, t, p, spot);
}

void fm_tree_remove(fm *h, int t, uint32_t i)
{
    path p;
    trace(h, t, i, &p);
    cut(h, t, &p);
}

/* Would the gap at the end of p, a path in FM_SIZE, keep its place with the new key? */
static bool stays(const fm *h, const path *p, uint64_t off, uint64_t len)
{
    const fm_node *x = fm_at(h, p->at[p->n - 1]);
    int up = len != x->len ? len > x->len : off > x->off;
    /* The neighbour on the side it moves to: the nearest in the subtree there, else the last ancestor
       that was left towards the other side. */
    uint32_t j = x->kid[1][up];
    if (j != 0) {
        for (uint32_t k = fm_at(h, j)->kid[1][!up]; k != 0; k = fm_at(h, k)->kid[1][!up])
            j = k;
    } else {
        uint32_t k = p->n - 1;
        while (k > 0 && p->dir[k - 1] == up)
            k--;
        if (k == 0) return true;
        j = p->at[k - 1];
    }
    const fm_node *y = fm_at(h, j);
    bool less = len != y->len ? len < y->len : off < y->off;
    return less == (up != 0);
}

/*
 * Change a gap in both its trees.  Its place in FM_ADDR must not change (gaps never pass each other);
 * its place in FM_SIZE mostly does not when one big gap serves small requests, and then no tree is
 * restructured: this is the hot path.
 */
void fm_tree_resize(fm *h, uint32_t i, uint64_t off, uint64_t len, uint64_t mark)
{
    fm_node *x = fm_at(h, i);
    path by_addr, by_size;
    trace(h, FM_ADDR, i, &by_addr);
    trace(h, FM_SIZE, i, &by_size);
    bool keeps = stays(h, &by_size, off, len);
    if (!keeps) cut(h, FM_SIZE, &by_size);
    x->off = off;
    x->len = len;
    x->mark = mark;
    climb(h, FM_ADDR, &by_addr, by_addr.n - 1);
    if (keeps)
        climb(h, FM_SIZE, &by_size, by_size.n - 1);
    else
        fm_tree_insert(h, FM_SIZE, i);
}

/* The last piece that begins at or before off, and the first that begins after it; 0 = none. */
void fm_tree_around(const fm *h, uint64_t off, uint32_t *at_or_before, uint32_t *after)
{
    *at_or_before = *after = 0;
    for (uint32_t k = h->root[FM_ADDR]; k != 0;) {
        const fm_node *x = fm_at(h, k);
        bool d = x->off <= off;
        *(d ? at_or_before : after) = k;
        k = x->kid[0][d];
    }
}

/*
 * Both searches: the first node in the order of the slot's tree that is not before (key, off) and is
 * good.  Down: collect the nodes at or after the key.  Up again: the first good one, or the first good
 * one behind it, which `best` tells apart without looking.
 */
static inline bool good(int slot, const fm_node *x, uint64_t limit)
{
    return slot == 0 ? x->kind == FM_FREE && x->len >= limit : x->off <= limit;
}

static inline bool any_good(int slot, const fm_node *x, uint64_t limit)
{
    return slot == 0 ? x->best[0] >= limit : x->best[1] <= limit;
}

static inline uint32_t search(const fm *h, int slot, uint64_t len, uint64_t off, uint64_t limit)
{
    uint32_t later[FM_DEPTH];
    uint32_t n = 0;
    for (uint32_t k = h->root[slot]; k != 0;) {
        const fm_node *x = fm_at(h, k);
        bool early = slot != 0 && x->len != len ? x->len < len : x->off < off;
        if (!early) later[n++] = k;
        k = x->kid[slot][early];
    }
    while (n > 0) {
        uint32_t k = later[--n];
        const fm_node *x = fm_at(h, k);
        if (good(slot, x, limit)) return k;
        k = x->kid[slot][1];
        if (k == 0 || !any_good(slot, fm_at(h, k), limit)) continue;
        for (;;) {
            x = fm_at(h, k);
            uint32_t l = x->kid[slot][0];
            if (l != 0 && any_good(slot, fm_at(h, l), limit))
                k = l;
            else if (good(slot, x, limit))
                return k;
            else
                k = x->kid[slot][1];
        }
    }
    return 0;
}

/* The lowest gap that begins at or after `from` and has at least len > 0 bytes; 0 = none. */
uint32_t fm_tree_lowest(const fm *h, uint64_t from, uint64_t len)
{
    return search(h, 0, 0, from, len);
}

/* The first gap by (len, off), from the given pair on, that begins at or below off_max; 0 = none. */
uint32_t fm_tree_smallest(const fm *h, uint64_t len, uint64_t off, uint64_t off_max)
{
    return search(h, 1, len, off, off_max);
}

/* The first node of tree t in its order; 0 = empty. */
uint32_t fm_tree_first(const fm *h, int t)
{
    uint32_t i = 0;
    for (uint32_t k = h->root[t]; k != 0; k = fm_at(h, k)->kid[FM_SLOT(t)][0])
        i = k;
    return i;
}

/* Nodes to be planted: number i in the order is order[i], or first + i if order is NULL. */
typedef struct {
    fm *h;
    int slot;
    const uint32_t *order;
    uint32_t first, n;
} seed;

#define AHEAD 24 /* nodes: in size order each is a cache miss, unless asked for in time */

static inline uint32_t seed_at(const seed *s, uint32_t i)
{
    return s->order == NULL ? s->first + i : s->order[i];
}

/* A balanced tree of the n > 0 nodes from number `from` on.  Recurses log2(n) deep. */
static uint32_t plant(const seed *s, uint32_t from, uint32_t n)
{
    uint32_t half = n / 2, middle = from + half;
    uint32_t before_it = half == 0 ? 0 : plant(s, from, half);
#ifdef __GNUC__
    if (s->order != NULL && middle + AHEAD < s->n)
        __builtin_prefetch(fm_at(s->h, s->order[middle + AHEAD]), 1);
#endif
    uint32_t after_it = n - half == 1 ? 0 : plant(s, middle + 1, n - half - 1);
    uint32_t i = seed_at(s, middle);
    fm_node *x = fm_at(s->h, i);
    x->kid[s->slot][0] = before_it;
    x->kid[s->slot][1] = after_it;
    pull(s->h, s->slot, x);
    return i;
}

/* Make tree t, which is empty, of n nodes that are given in its order. */
void fm_tree_build(fm *h, int t, const uint32_t *order, uint32_t first, uint32_t n)
{
    seed s = {h, FM_SLOT(t), order, first, n};
    h->root[t] = n == 0 ? 0 : plant(&s, 0, n);
}
