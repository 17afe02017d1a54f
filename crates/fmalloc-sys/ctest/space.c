/* space.c - the space itself: its limits, huge numbers, an index that was trampled. */
#include "test.h"
#include "fm_int.h" /* to trample it */

#include <string.h>

#define U ((uint64_t)FM_UNIT)
#define TOP ((uint64_t)1 << 63)

static void impossible_spaces_are_refused(void)
{
    t_mem m = {0};
    fm_mem mem = t_mem_callbacks(&m);
    fm *h = (fm *)&m;
    SAME(fm_open(&h, &mem, 64, 0), -FM_EINVAL);
    CHECK(h == NULL);
    SAME(fm_open(&h, &mem, 1, 64), -FM_EINVAL);
    SAME(fm_open(&h, &mem, 0, 65), -FM_EINVAL);
    SAME(fm_open(&h, &mem, 0, TOP + 64), -FM_EINVAL);
    mem.put = NULL;
    SAME(fm_open(&h, &mem, 0, 64), -FM_EINVAL);
    SAME(m.calls, 0);
    fm_close(NULL);
}

static void an_empty_space_lives(void)
{
    t_mem m;
    fm *h = t_heap(&m, 4096, 4096);
    fm_extent e;
    uint32_t kind;
    uint64_t hi = 0;
    SAME(t_alloc(h, U, FM_BEST), UINT64_MAX);
    SAME(fm_next(h, 0, &e, &kind), -FM_ENOSPC);
    SAME(fm_trim(h, &hi), 0);
    SAME(hi, 4096);
    SAME(fm_grow(h, 4096), 0);
    SAME(fm_grow(h, 4160), 0);
    SAME(t_alloc(h, U, FM_BEST), 4096);
    t_close(&m, h);
}

static void the_space_neither_shrinks_by_growing_nor_grows_by_trimming(void)
{
    t_mem m;
    fm *h = t_heap(&m, 0, 16 * U);
    SAME(fm_grow(h, 8 * U), -FM_EINVAL);
    SAME(fm_grow(h, 16 * U + 1), -FM_EINVAL);
    uint64_t hi = 32 * U;
    SAME(fm_trim(h, &hi), 0);
    SAME(hi, 16 * U);
    hi = 65;
    SAME(fm_trim(h, &hi), -FM_EINVAL);
    SAME(fm_claim(h, t_ext(15 * U, U)), 0);
    hi = 0;
    SAME(fm_trim(h, &hi), 0); /* the last unit is used */
    SAME(hi, 16 * U);
    fm_retire(h, t_ext(15 * U, U), 1);
    hi = 0;
    SAME(fm_trim(h, &hi), 0); /* retired is not free */
    SAME(hi, 16 * U);
    SAME(fm_reclaim(h, 1), U);
    hi = 0;
    SAME(fm_trim(h, &hi), 0);
    SAME(hi, 0);
    t_close(&m, h);
}

static void numbers_near_2_63_do_not_overflow(void)
{
    t_mem m;
    fm *h = t_heap(&m, 0, TOP);
    fm_extent e;
    uint64_t zeroed, hi = 0;
    fm_req r = {.len = TOP};
    SAME(fm_grow(h, TOP + U), -FM_EINVAL);
    SAME(fm_alloc(h, &r, &e, &zeroed), 0);
    SAME(e.off, 0);
    fm_free(h, e);
    r = (fm_req){.len = TOP, .align = TOP, .boundary = TOP};
    SAME(fm_alloc(h, &r, &e, &zeroed), 0);
    fm_free(h, e);
    SAME(fm_claim(h, t_ext(0, U)), 0);
    SAME(fm_alloc(h, &r, &e, &zeroed), -FM_ENOSPC);
    r = (fm_req){.len = U, .align = TOP, .flags = FM_LOWEST};
    SAME(fm_alloc(h, &r, &e, &zeroed), -FM_ENOSPC);
    r = (fm_req){.len = TOP / 2, .align = TOP / 2, .boundary = TOP / 2};
    SAME(fm_alloc(h, &r, &e, &zeroed), 0);
    SAME(e.off, TOP / 2);
    r = (fm_req){.len = TOP / 2 - U, .align = U, .boundary = TOP};
    SAME(fm_alloc(h, &r, &e, &zeroed), 0);
    SAME(e.off, U);
    SAME(t_alloc(h, U, FM_BEST), UINT64_MAX);
    fm_retire(h, t_ext(0, TOP), UINT64_MAX);
    SAME(fm_trim(h, &hi), 0);
    SAME(hi, TOP);
    SAME(fm_reclaim(h, UINT64_MAX), TOP);
    hi = 0;
    SAME(fm_trim(h, &hi), 0);
    SAME(hi, 0);
    SAME(fm_grow(h, TOP), 0);
    r = (fm_req){.len = TOP};
    SAME(fm_alloc(h, &r, &e, &zeroed), 0);
    SAME(zeroed, TOP);
    t_close(&m, h);
}

static void every_power_of_two_is_a_valid_wish(void)
{
    t_mem m;
    fm *h = t_heap(&m, (uint64_t)1 << 46, TOP);
    for (unsigned a = 6; a < 64; a++) {
        for (unsigned b = 6; b < 64; b++) {
            for (unsigned l = 6; l < 63; l += 7) {
                fm_req r = {.len = (uint64_t)1 << l,
                            .align = (uint64_t)1 << a,
                            .boundary = (uint64_t)1 << b,
                            .below = (a + b) % 3 == 0 ? (uint64_t)1 << 60 : 0,
                            .flags = 1 + (b & 1)};
                fm_extent e;
                int error = fm_alloc(h, &r, &e, NULL);
                uint64_t limit = r.below == 0 ? TOP : r.below;
                uint64_t first = ((((uint64_t)1 << 46) - 1) / r.align + 1) * r.align;
                if (first >= limit || r.len > limit - first) {
                    SAME(error, -FM_ENOSPC);
                    continue;
                }
                SAME(error, 0);
                SAME(e.off % r.align, 0);
                CHECK(e.off >= first && e.off <= limit - r.len);
                /* 2^46 is a multiple of every boundary up to it: nothing need be crossed. */
                if (l <= b && b <= 46) SAME(e.off / r.boundary, (e.off + r.len - 1) / r.boundary);
                fm_free(h, e);
            }
        }
    }
    t_close(&m, h);
}

static void a_walk_may_begin_anywhere(void)
{
    t_mem m;
    fm *h = t_heap(&m, 4096, 8192);
    fm_extent e;
    uint32_t kind;
    SAME(fm_claim(h, t_ext(4096, 1024)), 0);
    SAME(fm_next(h, 0, &e, &kind), 0);
    SAME(e.off, 4096);
    SAME(fm_next(h, 5119, &e, &kind), 0); /* inside, unaligned: the whole piece */
    SAME(e.off, 4096);
    SAME(e.len, 1024);
    SAME(kind, FM_USED);
    SAME(fm_next(h, 5121, &e, &kind), 0);
    SAME(e.off, 5120);
    SAME(kind, FM_FREE);
    SAME(fm_next(h, UINT64_MAX, &e, &kind), -FM_ENOSPC);
    t_close(&m, h);
}

static void a_trampled_index_is_reported_and_harmless(void)
{
    t_mem m;
    fm *h = t_heap(&m, 0, 4096 * U);
    t_rng r = {5};
    for (uint64_t i = 0; i < 200; i++)
        SAME(fm_claim(h, t_ext((i * 20 + 3) * U, 4 * U)), 0);
    for (uint64_t i = 0; i < 50; i++)
        fm_retire(h, t_ext((i * 40 + 4) * U, 2 * U), i);
    unsigned reported = 0, trials = 20000 / t_hurry;
    for (unsigned k = 0; k < trials; k++) {
        fm_node *x = fm_at(h, (uint32_t)t_below(&r, h->virgin));
        fm_node saved = *x;
        uint8_t *byte = (uint8_t *)x + t_below(&r, offsetof(fm_node, pad));
        *byte ^= (uint8_t)(1u << t_below(&r, 8));
        fm_conflict c;
        reported += fm_check(h, &c) == -FM_ECORRUPT;
        *x = saved;
    }
    for (int tree = 0; tree < FM_TREES; tree++) { /* a whole tree lost */
        uint32_t root = h->root[tree];
        h->root[tree] = 0;
        SAME(fm_check(h, NULL), -FM_ECORRUPT);
        h->root[tree] = root;
    }
    /* What may pass: a mark or a stamp that is as good as the old one, links of spare nodes. */
    CHECK(reported > trials / 10 * 8);
    t_close(&m, h);
}

const t_case space_cases[] = {CASE(impossible_spaces_are_refused),
                              CASE(an_empty_space_lives),
                              CASE(the_space_neither_shrinks_by_growing_nor_grows_by_trimming),
                              CASE(numbers_near_2_63_do_not_overflow),
                              CASE(every_power_of_two_is_a_valid_wish),
                              CASE(a_walk_may_begin_anywhere),
                              CASE(a_trampled_index_is_reported_and_harmless),
                              {0}};
