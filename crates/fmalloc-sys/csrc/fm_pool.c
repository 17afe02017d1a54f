/*
 * fm_pool.c - the nodes, and the RAM they live in.
 *
 * Holds: every call to the caller's callbacks, the count of bytes held, chunks of nodes, the list of
 * spare nodes.  May touch: dir, dir_cap, chunks, spare, virgin, bytes.  Knows nothing of trees.
 *
 * Why chunks: nodes never move, growth never copies them, and one number names a node for life.  Only
 * the directory (8 bytes per 16 KiB) is copied when it doubles.  Why memory is kept when nodes become
 * spare: a freed chunk would have to be wholly spare, which needs a second book; the heap follows its
 * peak instead, and fm_reset returns everything.
 */
#include "fm_int.h"

#include <string.h>

void *fm_get(fm *h, size_t n)
{
    void *p = h->mem.get(h->mem.ctx, n);
    if (p != NULL) h->bytes += n;
    return p;
}

void fm_put(fm *h, void *p, size_t n)
{
    if (p == NULL) return;
    h->bytes -= n;
    h->mem.put(h->mem.ctx, p, n);
}

/* Room for at least n chunk pointers. */
static bool widen(fm *h, uint64_t n)
{
    if (n <= h->dir_cap) return true;
    if (n > ((uint64_t)1 << (32 - FM_CHUNK_BITS))) return false; /* node numbers have 32 bits */
    uint32_t cap = h->dir_cap == 0 ? 8 : h->dir_cap;
    while (cap < n)
        cap *= 2;
    fm_node **dir = fm_get(h, cap * sizeof(*dir));
    if (dir == NULL) return false;
    if (h->chunks != 0) memcpy(dir, h->dir, h->chunks * sizeof(*dir));
    fm_put(h, h->dir, h->dir_cap * sizeof(*dir));
    h->dir = dir;
    h->dir_cap = cap;
    return true;
}

/*
 * Chunks begin at a multiple of 64, so that a node is one cache line, whatever alignment get() has: the
 * block is one line longer than the nodes, and the pointer get() returned lies in front of them.
 */
#define LINE sizeof(fm_node)
#define BLOCK (FM_CHUNK * sizeof(fm_node) + LINE)

/* One more chunk. */
static bool deepen(fm *h)
{
    if (!widen(h, (uint64_t)h->chunks + 1)) return false;
    char *block = fm_get(h, BLOCK);
    if (block == NULL) return false;
    char *nodes = block + (LINE - (uintptr_t)block % LINE); /* 8 to 64 bytes further */
    memcpy(nodes - sizeof(block), &block, sizeof(block));
    h->dir[h->chunks++] = (fm_node *)(void *)nodes;
    return true;
}

/* The last chunk back. */
static void flatten(fm *h)
{
    char *nodes = (char *)h->dir[--h->chunks], *block;
    memcpy(&block, nodes - sizeof(block), sizeof(block));
    fm_put(h, block, BLOCK);
}

bool fm_pool_open(fm *h)
{
    if (!deepen(h)) return false;
    fm_node *none = fm_at(h, 0);
    memset(none, 0, sizeof(*none));
    none->best[1] = UINT64_MAX;
    h->virgin = 1;
    return true;
}

void fm_pool_reset(fm *h)
{
    while (h->chunks > 1)
        flatten(h);
    h->spare = 0;
    h->virgin = 1;
}

void fm_pool_close(fm *h)
{
    while (h->chunks > 0)
        flatten(h);
    fm_put(h, h->dir, h->dir_cap * sizeof(*h->dir));
    h->dir = NULL;
    h->dir_cap = 0;
}

bool fm_pool_reserve(fm *h, uint64_t n)
{
    if (n > UINT32_MAX - h->virgin) return false;
    uint64_t chunks = (h->virgin + n + FM_CHUNK - 1) >> FM_CHUNK_BITS;
    if (!widen(h, chunks)) return false;
    while (h->chunks < chunks) {
        if (!deepen(h)) return false;
    }
    return true;
}

uint32_t fm_node_new(fm *h)
{
    uint32_t i = h->spare;
    if (i != 0) {
        h->spare = fm_at(h, i)->kid[0][0];
    } else {
        if (h->virgin >> FM_CHUNK_BITS >= h->chunks && !fm_pool_reserve(h, 1)) return 0;
        i = (uint32_t)h->virgin++;
    }
    memset(fm_at(h, i), 0, sizeof(fm_node));
    return i;
}

void fm_node_drop(fm *h, uint32_t i)
{
    fm_node *x = fm_at(h, i);
    memset(x, 0, sizeof(*x));
    x->kid[0][0] = h->spare;
    h->spare = i;
}
