/* free.c - giving back: merging, waiting, and callers that are wrong. */
#include "test.h"

#define U ((uint64_t)FM_UNIT)

static void freed_neighbours_merge(void)
{
    static const int orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                     {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    for (int k = 0; k < 6; k++) {
        t_mem m;
        fm *h = t_heap(&m, 0, 3 * U);
        SAME(t_alloc(h, 3 * U, FM_BEST), 0);
        for (int i = 0; i < 3; i++) {
            fm_free(h, t_ext((uint64_t)orders[k][i] * U, U));
            SAME(fm_check(h, NULL), 0);
        }
        SAME(t_alloc(h, 3 * U, FM_BEST), 0);
        t_close(&m, h);
    }
}

static void retired_space_is_not_reused_before_its_death_is_durable(void)
{
    t_mem m;
    fm *h = t_heap(&m, 0, 8 * U);
    SAME(t_alloc(h, 8 * U, FM_BEST), 0);
    fm_retire(h, t_ext(0, 2 * U), 7);
    fm_retire(h, t_ext(4 * U, 2 * U), 5);
    fm_retire(h, t_ext(2 * U, 2 * U), 6);
    fm_retire(h, t_ext(6 * U, U), UINT64_MAX);
    SAME(t_alloc(h, U, FM_LOWEST), UINT64_MAX);
    SAME(fm_reclaim(h, 4), 0);
    SAME(fm_reclaim(h, 6), 4 * U);
    SAME(t_alloc(h, 4 * U, FM_LOWEST), 2 * U);
    SAME(fm_reclaim(h, 6), 0);
    SAME(fm_reclaim(h, UINT64_MAX - 1), 2 * U);
    SAME(fm_reclaim(h, UINT64_MAX), U);
    t_close(&m, h);
}

/* Give `e` back to a heap where that is wrong: it must be noticed, named, and stop everything. */
static void expect_corrupt(bool retire, fm_extent e, fm_extent met)
{
    t_mem m;
    fm *h = t_heap(&m, U, 17 * U);
    SAME(t_alloc(h, 16 * U, FM_BEST), U);
    fm_free(h, t_ext(4 * U, 2 * U));
    fm_retire(h, t_ext(8 * U, 2 * U), 1);
    if (retire)
        fm_retire(h, e, 2);
    else
        fm_free(h, e);
    fm_conflict c;
    SAME(fm_check(h, &c), -FM_ECORRUPT);
    SAME(c.a.off, e.off);
    SAME(c.a.len, e.len);
    SAME(c.b.off, met.off);
    SAME(c.b.len, met.len);
    SAME(c.id_a & c.id_b, UINT64_MAX);

    fm_req r = {.len = U};
    fm_extent x = t_ext(U, U), piece;
    uint64_t hi = U, id = 1;
    uint32_t kind;
    SAME(fm_alloc(h, &r, &piece, NULL), -FM_ECORRUPT);
    SAME(fm_claim(h, t_ext(4 * U, U)), -FM_ECORRUPT);
    SAME(fm_extend(h, &x, 2 * U, NULL), -FM_ECORRUPT);
    SAME(fm_grow(h, 32 * U), -FM_ECORRUPT);
    SAME(fm_trim(h, &hi), -FM_ECORRUPT);
    SAME(fm_load(h, &x, &id, 1), -FM_ECORRUPT);
    SAME(fm_ready(h, NULL), -FM_ECORRUPT);
    SAME(fm_reclaim(h, 9), 0);
    SAME(fm_next(h, 4 * U, &piece, &kind), 0); /* looking is allowed */
    SAME(kind, FM_FREE);
    fm_free(h, t_ext(U, U)); /* and does not hide the first fault */
    SAME(fm_check(h, &c), -FM_ECORRUPT);
    SAME(c.a.off, e.off);
    fm_reset(h);
    SAME(fm_ready(h, NULL), 0);
    t_close(&m, h);
}

static void freeing_twice_is_noticed(void)
{
    fm_extent gap = {4 * U, 2 * U};
    for (int retire = 0; retire < 2; retire++) {
        expect_corrupt(retire, gap, gap);
        expect_corrupt(retire, t_ext(4 * U, U), gap);
        expect_corrupt(retire, t_ext(5 * U, U), gap);
        expect_corrupt(retire, t_ext(3 * U, 2 * U), gap); /* begins in used space */
        expect_corrupt(retire, t_ext(5 * U, 2 * U), gap); /* ends in used space */
        expect_corrupt(retire, t_ext(3 * U, 4 * U), gap); /* encloses it */
    }
}

static void freeing_what_is_retired_is_noticed(void)
{
    fm_extent dead = {8 * U, 2 * U};
    for (int retire = 0; retire < 2; retire++) {
        expect_corrupt(retire, dead, dead);
        expect_corrupt(retire, t_ext(9 * U, U), dead);
        expect_corrupt(retire, t_ext(7 * U, 2 * U), dead);
    }
}

static void freeing_what_was_never_there_is_noticed(void)
{
    fm_extent space = {U, 16 * U};
    for (int retire = 0; retire < 2; retire++) {
        expect_corrupt(retire, t_ext(0, U), space);
        expect_corrupt(retire, t_ext(0, 2 * U), space);
        expect_corrupt(retire, t_ext(16 * U, 2 * U), space);
        expect_corrupt(retire, t_ext(17 * U, U), space);
        expect_corrupt(retire, t_ext(U, 0), space);
        expect_corrupt(retire, t_ext(U + 1, U), space);
        expect_corrupt(retire, t_ext(U, U + 8), space);
        expect_corrupt(retire, t_ext(2 * U, UINT64_MAX - 63), space);
        expect_corrupt(retire, t_ext(UINT64_MAX - 63, 64), space);
    }
}

const t_case free_cases[] = {CASE(freed_neighbours_merge),
                             CASE(retired_space_is_not_reused_before_its_death_is_durable),
                             CASE(freeing_twice_is_noticed),
                             CASE(freeing_what_is_retired_is_noticed),
                             CASE(freeing_what_was_never_there_is_noticed),
                             {0}};
