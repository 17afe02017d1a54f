/*
 * fm.h - fmalloc: an allocator of file space.
 *
 * What it is.  fmalloc decides which bytes of one linear space (a file, or the part of it behind the
 * headers) are free now.  It never touches those bytes: it knows offsets and lengths only.  It does no
 * I/O, keeps no global state, never exits and never asserts on input.  Memory for its own index comes
 * from two callbacks.  Nothing is stored in the file: the picture is derived from the extents the
 * caller says are live (fm_load, fm_ready), and lives in RAM until fm_close.
 *
 * Words.
 *   extent    a byte range [off, off+len) of the space.
 *   unit      FM_UNIT bytes.  Every offset and length is a multiple of it, and every length is > 0.
 *   used      handed out (or loaded) and neither freed nor retired.  Costs no RAM.
 *   gap       a maximal free range: two gaps never touch.  Costs one 64-byte node.
 *   retired   given back, but not reusable before fm_reclaim() is told that its death is durable.
 *             Costs one 64-byte node.
 *   stamp     a number the caller orders deaths by; reclaim frees every stamp <= durable.
 *   fresh     bytes that came with fm_grow() in this process and were never handed out since, hence
 *             known to read as zero.  A gap remembers a fresh suffix, nothing more: space freed behind
 *             fresh space in the same gap hides it.  Loaded space and the gaps between are never fresh.
 *   unready   between fm_open/fm_reset and a successful fm_ready: nothing is known yet.
 *   stale     the picture is incomplete, because memory for a node or for the load was refused, or a
 *             load was refused or in conflict.  Only fm_reset leads out.
 *   corrupt   the caller contradicted the picture (double free, foreign free).  The index itself is
 *             whole, yet one of the two is wrong, so nothing more is handed out.  Only fm_reset leads
 *             out.
 *
 * Errors.  Functions returning int give 0 or a negative FM_E* code.  After an error nothing changed,
 * unless said otherwise.  Functions returning void cannot fail: what they cannot do turns the heap
 * stale or corrupt, never wrong.
 *
 * Ownership.  An fm belongs to the caller of fm_open until fm_close.  Structures passed in are copied;
 * no pointer is kept, save fm_mem.ctx.  Pointer arguments must not be NULL unless said otherwise.
 *
 * Threads.  The caller serialises calls on one fm; different heaps are independent.
 *
 * Cost.  With n = gaps + retired extents, every operation is O(log n) (AVL trees: worst case, not
 * average), except where said.  Same calls, same results: there is no randomness anywhere.
 */
#ifndef FM_H
#define FM_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Granularity in bytes of offsets, lengths and alignments: one cache line. */
#define FM_UNIT 64u

/* Error codes; functions return them negated. */
enum fm_error {
    FM_ENOMEM = 1,    /* fm_mem.get returned NULL */
    FM_EINVAL = 2,    /* unaligned, zero, outside the space, unknown flag, call out of order */
    FM_ENOSPC = 3,    /* no free range of that size (or there); for fm_next: the end */
    FM_ECONFLICT = 4, /* loaded extents overlap or lie outside the space */
    FM_ESTALE = 5,    /* unready or stale: fm_reset (if stale), fm_load, fm_ready */
    FM_ECORRUPT = 6   /* contradicted by the caller, or a broken invariant; see fm_check */
};

/* Placement policies, fm_req.flags.  0 means FM_BEST; both together are refused. */
enum fm_flag {
    FM_BEST = 1,  /* the smallest gap that fits; among equals the lowest: least fragmentation */
    FM_LOWEST = 2 /* the lowest address that fits: for compaction; leaves more splinters */
};

/* What fm_next met. */
enum fm_kind { FM_USED = 1, FM_FREE = 2, FM_RETIRED = 3 };

/* A heap: opaque. */
typedef struct fm fm;

/* A byte range; both in bytes, multiples of FM_UNIT. */
typedef struct {
    uint64_t off; /* from the start of the file */
    uint64_t len;
} fm_extent;

/* What to allocate; bytes throughout. */
typedef struct {
    uint64_t len;   /* multiple of FM_UNIT, > 0 */
    uint64_t align; /* of the offset: power of two >= FM_UNIT; 0 means FM_UNIT */
    uint64_t
        boundary;   /* power of two >= FM_UNIT, or 0.  A preference: when len <= boundary, a place
                          that crosses no multiple of it is taken if one is found; else any place */
    uint64_t below; /* multiple of FM_UNIT: the extent must end at or below it; 0: no limit */
    uint32_t flags; /* FM_BEST or FM_LOWEST */
    uint32_t pad;   /* must be 0 */
} fm_req;

/* Two extents that cannot both be right, and whose they are. */
typedef struct {
    fm_extent a, b;
    uint64_t id_a, id_b; /* UINT64_MAX: not an extent of the caller's */
} fm_conflict;

/* Totals.  Bytes of the space: used, free, retired, largest.  Bytes of RAM: bytes. */
typedef struct {
    uint64_t used;    /* handed out or loaded; used + free + retired = hi - lo when ready */
    uint64_t free;    /* in gaps */
    uint64_t retired; /* waiting for fm_reclaim */
    uint64_t gaps;    /* number of gaps */
    uint64_t largest; /* length of the largest gap; 0 if none */
    uint64_t nodes;   /* gaps + retired extents */
    uint64_t bytes;   /* held through fm_mem; it follows the peak: fm_reset and fm_close return it,
                         merging gaps does not */
} fm_stat;

/*
 * Where RAM comes from.  get(ctx, n) returns n bytes aligned for any object, or NULL; put(ctx, p, n)
 * takes back what get returned, with the same n.  Neither may call into the heap.
 */
typedef struct {
    void *(*get)(void *ctx, size_t n);
    void (*put)(void *ctx, void *p, size_t n);
    void *ctx;
} fm_mem;

/*
 * Make an unready heap for the space [lo, hi), bytes, multiples of FM_UNIT, lo <= hi <= 2^63.
 * *out is the caller's until fm_close; set to NULL on failure.
 * Errors: FM_EINVAL (range, or a callback is NULL), FM_ENOMEM.
 */
int fm_open(fm **out, const fm_mem *mem, uint64_t lo, uint64_t hi);

/* Return all memory.  The heap is gone.  NULL is allowed. */
void fm_close(fm *h);

/*
 * Forget everything but [lo, hi): the heap is unready again, as after fm_open, also when it was stale
 * or corrupt.  Returns all memory but the first 256 nodes and their directory (8 bytes per 256 nodes of
 * the peak).
 */
void fm_reset(fm *h);

/*
 * Announce n live extents and their ids, in any order; repeat until all are told.  Both arrays are
 * copied (24 bytes per extent until fm_ready; when told in many calls, for moments 2.5 times that).
 * Overlaps and extents outside the space are found by fm_ready.  n = 0 is allowed, with any pointers.
 * Errors, all of which leave the heap stale, since a load with a hole would hand out live space:
 *   FM_EINVAL   an offset or length is no multiple of FM_UNIT or a length is 0; or the heap is ready
 *               (then it stays so)
 *   FM_ENOMEM
 *   FM_ESTALE   stale or corrupt already
 */
int fm_load(fm *h, const fm_extent *extents, const uint64_t *ids, size_t n);

/*
 * Sort what was loaded, check it, derive the gaps: after 0 the heap is ready.  O(n) for input in
 * ascending order, else a radix sort in place.  The memory of the load is returned in every case.
 * Errors, all of which leave the heap stale:
 *   FM_ECONFLICT  *out tells the first conflict in address order: two extents that share bytes, a
 *                 before b (by offset, length, id), with their ids; or a = an extent not wholly inside
 *                 [lo, hi), b = {lo, hi - lo}, id_b = UINT64_MAX
 *   FM_ENOMEM
 *   FM_ESTALE     stale or corrupt already
 *   FM_EINVAL     ready already (it stays so)
 * out may be NULL.
 */
int fm_ready(fm *h, fm_conflict *out);

/*
 * Hand out one extent.  *out gets it; *zeroed (may be NULL) the number of bytes at its END that are
 * fresh, 0..len: the caller clears the others if it needs zeros.
 *
 * Search.  With no alignment above FM_UNIT and no boundary the answer is exact, in one descent.
 * Otherwise the first 32 gaps of sufficient length are tried in the order of the policy; after these
 * only gaps so long that they fit wherever they lie (len + align - FM_UNIT; to avoid a boundary
 * 2*len + align - 2*FM_UNIT).  So at most 34 descents, O(log n) each; the price: beyond 32 ill-placed
 * gaps a well-placed one of less than that length may be missed, and FM_ENOSPC means "grow", not "the
 * space is full".  A place that respects the boundary is preferred to one that does not.
 * Errors: FM_EINVAL, FM_ENOSPC, FM_ENOMEM (a gap had to be split), FM_ESTALE, FM_ECORRUPT.
 */
int fm_alloc(fm *h, const fm_req *req, fm_extent *out, uint64_t *zeroed);

/*
 * Take exactly this range out of a gap.
 * Errors: FM_EINVAL, FM_ENOSPC (not wholly free), FM_ENOMEM, FM_ESTALE, FM_ECORRUPT.
 */
int fm_claim(fm *h, fm_extent want);

/*
 * Lengthen *extent, which must be used, to len bytes in place.  extent->len is updated; *zeroed (may
 * be NULL) gets the number of fresh bytes at its end, 0..(growth).  len equal to the length is no
 * error and changes nothing.  To shorten, fm_free the tail.
 * Errors: FM_EINVAL (also: shorter, or not wholly used), FM_ENOSPC (what follows is not free for that
 * far), FM_ESTALE, FM_ECORRUPT.
 */
int fm_extend(fm *h, fm_extent *extent, uint64_t len, uint64_t *zeroed);

/*
 * Give a used range back: part of what was handed out, or several neighbours, is fine.  Merges with
 * the gaps beside it.  Never fails: if a node is needed and refused the heap turns stale; if the range
 * is no valid extent, or any of it is free or retired already, the heap turns corrupt.  On a heap that
 * is not ready it does nothing (the next load is expected not to name the range).
 */
void fm_free(fm *h, fm_extent extent);

/*
 * As fm_free, but the range becomes reusable only by fm_reclaim(durable >= stamp).  Needs a node
 * always.  On a heap that is not ready it does nothing: the caller loads the range as live, and
 * retires it after fm_ready.
 */
void fm_retire(fm *h, fm_extent extent, uint64_t stamp);

/*
 * Turn every retired extent with stamp <= durable into free space; returns their bytes.  Needs no
 * memory.  O(log n) per extent reclaimed.  0 on a heap that is not ready.
 */
uint64_t fm_reclaim(fm *h, uint64_t durable);

/*
 * Move the end of the space up to hi (bytes, multiple of FM_UNIT, <= 2^63).  The caller vouches that
 * the new tail reads as zero.  On a ready heap it is free and fresh.  On an unready or stale one only
 * the end moves, and fm_ready will derive the rest (not fresh).
 * Errors: FM_EINVAL (also: below the present end), FM_ENOMEM, FM_ECORRUPT.
 */
int fm_grow(fm *h, uint64_t hi);

/*
 * Drop the free tail.  *hi in: the lowest end allowed, multiple of FM_UNIT; out: the end now, which is
 * the old one if the last unit is used or retired.  The caller then shortens the file, so that a later
 * fm_grow tells the truth about zeros.
 * Errors: FM_EINVAL, FM_ESTALE, FM_ECORRUPT.
 */
int fm_trim(fm *h, uint64_t *hi);

/*
 * Tell the piece that holds byte `from` (any number; below lo counts as lo): its whole extent and its
 * kind.  Adjacent used extents come as one, retired ones singly.  To walk: start at lo and go on at
 * out->off + out->len.  Works on a corrupt heap too.
 * Errors: FM_ENOSPC (from >= hi: the end), FM_ESTALE.
 */
int fm_next(const fm *h, uint64_t from, fm_extent *out, uint32_t *kind);

/* Totals; never fails.  On a heap that is not ready all are 0 but `bytes`. */
void fm_stats(const fm *h, fm_stat *out);

/*
 * Walk every invariant of the index.  O(n log n), changes nothing, allocates nothing.
 * Errors: FM_ESTALE (not ready: nothing to check); FM_ECORRUPT: *out (may be NULL) tells in a the
 * range concerned (for a heap the caller contradicted: the range given to fm_free or fm_retire), in b
 * what it met (the gap or retired extent, or {lo, hi - lo} if it was no valid extent); the ids are
 * UINT64_MAX.
 */
int fm_check(const fm *h, fm_conflict *out);

#ifdef __cplusplus
}
#endif

#endif
