/*
 * fm_int.h - what the sources of fmalloc share.  Not for callers.
 *
 * One node describes one gap or one retired extent.  It hangs in two trees at once:
 *
 *   tree      members               order          slot   best[slot] of a subtree
 *   FM_ADDR   gaps and retired      off            0      greatest length of a gap in it; 0 if none
 *   FM_SIZE   gaps                  len, off       1      least offset in it
 *   FM_STAMP  retired               mark, off      1      least offset in it (nobody asks)
 *
 * A node is in FM_SIZE or in FM_STAMP, never in both, so two slots of links serve three trees.  The
 * two `best` columns make both policies searches in one descent: "lowest gap of at least len" walks
 * FM_ADDR by greatest length, "smallest gap of at least len that starts at or below x" walks FM_SIZE by
 * least offset.
 *
 * Nodes are named by 32-bit numbers, not pointers: four links then take 16 bytes instead of 32, which
 * is what lets a node with both aggregates fit in one cache line.  The limit of 2^32 - 1 nodes is
 * 256 GiB of RAM; beyond it nodes are refused as if memory were.
 */
#ifndef FM_INT_H
#define FM_INT_H

#include "fm.h"

#include <stdbool.h>

enum { FM_ADDR = 0, FM_SIZE = 1, FM_STAMP = 2, FM_TREES = 3 };

/* Slot of the links of tree t. */
#define FM_SLOT(t) ((t) != FM_ADDR)

/* An AVL tree of 2^32 nodes is at most 1.4405 * 32 + 1 high. */
#define FM_DEPTH 48

/* Nodes per chunk: 256 nodes of 64 bytes are 16 KiB.  Tests shrink it to be refused more often. */
#ifndef FM_CHUNK_BITS
#define FM_CHUNK_BITS 8
#endif
#define FM_CHUNK (1u << FM_CHUNK_BITS)

/* Largest end of a space: file offsets are signed 64-bit numbers. */
#define FM_HI_MAX ((uint64_t)1 << 63)

/* Gaps tried in order before only those long enough for certain; see fm_alloc in fm.h. */
#define FM_PROBES 32

typedef struct {
    uint64_t off;     /* bytes */
    uint64_t len;     /* bytes, > 0 */
    uint64_t mark;    /* gap: where its fresh suffix begins, off..off+len; retired: the stamp */
    uint64_t best[2]; /* see the table above */
    uint32_t kid[2]
                [2]; /* [slot][0 = before, 1 = after]; 0 = none.  A spare node: kid[0][0] = next */
    uint8_t height[2]; /* [slot]; a leaf is 1 */
    uint8_t kind;      /* FM_FREE, FM_RETIRED, or 0 for a spare node */
    uint8_t pad[5];
} fm_node;

_Static_assert(sizeof(fm_node) == 64, "a node is one cache line");

/* One loaded extent. */
typedef struct {
    uint64_t off, len, id;
} fm_entry;

typedef enum {
    FM_UNREADY, /* index empty, load growing */
    FM_READY,   /* index complete, load empty */
    FM_STALE,   /* index not to be trusted, load empty */
    FM_CORRUPT  /* index complete but contradicted; bad, bad_met tell by what */
} fm_state;

struct fm {
    fm_mem mem;
    uint64_t lo, hi; /* bytes: the space */
    fm_state state;

    /* Totals over FM_ADDR. */
    uint64_t free_bytes, retired_bytes;
    uint64_t gaps, retired; /* numbers of nodes */

    uint32_t root[FM_TREES]; /* 0 = empty */

    /* The pool.  Node 0 is the sentinel: height 0, best {0, UINT64_MAX}, never written again, so that
       reading a missing kid needs no branch. */
    fm_node **dir; /* chunks; room for dir_cap pointers */
    uint32_t dir_cap;
    uint32_t chunks; /* in use: dir[0..chunks) */
    uint32_t spare;  /* list of nodes given back, through kid[0][0]; 0 = empty */
    uint64_t virgin; /* nodes with this number or a higher one were never used */

    uint64_t bytes; /* RAM held through mem, this structure included */

    /* The load: only while FM_UNREADY. */
    fm_entry *load; /* room for load_cap; load_n < load_cap once there is one (see fm_load.c) */
    size_t load_n, load_cap;
    bool load_sorted; /* ascending and disjoint so far */

    fm_extent bad, bad_met; /* while FM_CORRUPT */
};

static inline fm_node *fm_at(const fm *h, uint32_t i)
{
    return &h->dir[i >> FM_CHUNK_BITS][i & (FM_CHUNK - 1)];
}

static inline uint64_t fm_end(const fm_node *x)
{
    return x->off + x->len;
}

static inline uint64_t fm_min(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static inline uint64_t fm_max(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static inline bool fm_aligned(uint64_t x)
{
    return x % FM_UNIT == 0;
}

/* Is e a non-empty, aligned part of the space?  Free of overflow for any numbers. */
static inline bool fm_inside(const fm *h, fm_extent e)
{
    return e.len != 0 && fm_aligned(e.off | e.len) && e.off >= h->lo && e.off <= h->hi &&
           e.len <= h->hi - e.off;
}

/* 0 if ready, else why not. */
static inline int fm_refusal(const fm *h)
{
    switch (h->state) {
    case FM_READY: return 0;
    case FM_CORRUPT: return -FM_ECORRUPT;
    default: return -FM_ESTALE;
    }
}

/* fm_pool.c: memory.  get/put count h->bytes; nodes are zeroed when handed out. */
void *fm_get(fm *h, size_t n);
void fm_put(fm *h, void *p, size_t n);
bool fm_pool_open(fm *h);  /* first chunk and sentinel */
void fm_pool_reset(fm *h); /* every node spare, all chunks but the first returned */
void fm_pool_close(fm *h);
bool fm_pool_reserve(fm *h, uint64_t n); /* make n virgin nodes available at once */
uint32_t fm_node_new(fm *h);             /* 0 if memory is refused */
void fm_node_drop(fm *h, uint32_t i);    /* i must be in no tree */

/* fm_tree.c: the indexes.  None of these allocates; none touches the totals. */
void fm_tree_insert(fm *h, int t, uint32_t i);
void fm_tree_remove(fm *h, int t, uint32_t i);
void fm_tree_resize(fm *h, uint32_t i, uint64_t off, uint64_t len, uint64_t mark);
void fm_tree_around(const fm *h, uint64_t off, uint32_t *at_or_before, uint32_t *after);
uint32_t fm_tree_lowest(const fm *h, uint64_t from, uint64_t len);
uint32_t fm_tree_smallest(const fm *h, uint64_t len, uint64_t off, uint64_t off_max);
uint32_t fm_tree_first(const fm *h, int t);
void fm_tree_build(fm *h, int t, const uint32_t *order, uint32_t first, uint32_t n);
uint64_t fm_tree_best(const fm *h, int slot, const fm_node *x);

/* fm_sort.c: no allocation, stack bounded. */
void fm_sort_entries(fm_entry *e, size_t n);
const uint32_t *fm_sort_lengths(void *room, const fm *h, uint32_t first, uint32_t n);

/* fm_free.c: make [off, off+len) free, merging; false if a node was refused (nothing changed). */
bool fm_give(fm *h, fm_extent e, uint64_t mark);

#endif
