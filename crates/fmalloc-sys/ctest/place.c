/* place.c - which place a request gets: policies, alignment, boundary, limits, zeros. */
#include "test.h"

#define U ((uint64_t)FM_UNIT)

/* A heap over [0, units) whose free units are those marked '.' in the picture; the rest is used. */
static fm *paint(t_mem *m, const char *picture)
{
    uint64_t units = 0;
    while (picture[units] != 0)
        units++;
    fm *h = t_heap(m, 0, units * U);
    for (uint64_t i = 0; i < units; i++) {
        if (picture[i] != '.') SAME(fm_claim(h, t_ext(i * U, U)), 0);
    }
    return h;
}

/* The unit a request gets; -1 for FM_ENOSPC. */
static long place(fm *h, fm_req r)
{
    fm_extent out;
    r.len *= U;
    r.align *= U;
    r.boundary *= U;
    r.below *= U;
    int error = fm_alloc(h, &r, &out, NULL);
    if (error == -FM_ENOSPC) return -1;
    SAME(error, 0);
    return (long)(out.off / U);
}

static void best_takes_the_smallest_then_the_lowest(void)
{
    t_mem m;
    fm *h = paint(&m, "#....#..#...#..#......");
    SAME(place(h, (fm_req){.len = 2}), 6);
    SAME(place(h, (fm_req){.len = 2, .flags = FM_BEST}), 13);
    SAME(place(h, (fm_req){.len = 2}), 9);
    SAME(place(h, (fm_req){.len = 5}), 16);
    t_close(&m, h);
}

static void lowest_takes_the_lowest(void)
{
    t_mem m;
    fm *h = paint(&m, "#.#....#..#...");
    SAME(place(h, (fm_req){.len = 2, .flags = FM_LOWEST}), 3);
    SAME(place(h, (fm_req){.len = 3, .flags = FM_LOWEST}), 11);
    SAME(place(h, (fm_req){.len = 1, .flags = FM_LOWEST}), 1);
    t_close(&m, h);
}

static void below_is_never_exceeded(void)
{
    t_mem m;
    fm *h = paint(&m, "##....#..........");
    SAME(place(h, (fm_req){.len = 4, .below = 5}), -1);
    SAME(place(h, (fm_req){.len = 5, .below = 11}), -1);
    SAME(place(h, (fm_req){.len = 5, .below = 12}), 7);
    SAME(place(h, (fm_req){.len = 4, .below = 6, .flags = FM_LOWEST}), 2);
    SAME(place(h, (fm_req){.len = 1, .below = 1}), -1);
    t_close(&m, h);
}

static void aligned_requests_are_aligned_and_waste_nothing(void)
{
    t_mem m;
    fm *h = paint(&m, "#......................");
    SAME(place(h, (fm_req){.len = 3, .align = 8}), 8);
    SAME(place(h, (fm_req){.len = 7}), 1); /* what the alignment left in front */
    SAME(place(h, (fm_req){.len = 4, .align = 16}), 16);
    SAME(place(h, (fm_req){.len = 4, .align = 16}), -1);
    t_close(&m, h);
}

static void a_boundary_is_avoided_if_it_can_be(void)
{
    t_mem m;
    fm *h = paint(&m, "######....####........");
    SAME(place(h, (fm_req){.len = 4, .boundary = 8}), 16); /* unit 6..10 would cross 8 */
    SAME(place(h, (fm_req){.len = 2, .boundary = 8}), 14);
    t_close(&m, h);
}

static void a_boundary_never_makes_an_allocation_fail(void)
{
    t_mem m;
    fm *h = paint(&m, "######....######");
    SAME(place(h, (fm_req){.len = 4, .boundary = 8}), 6);
    t_close(&m, h);
    h = paint(&m, "#...............");
    SAME(place(h, (fm_req){.len = 10, .boundary = 8}), 1); /* longer than the boundary */
    t_close(&m, h);
}

/* 40 gaps of one unit, none at a multiple of 8; well-placed ones only behind them. */
static void ill_placed_gaps_bound_the_search(void)
{
    t_mem m;
    fm *h = t_heap(&m, 0, 1024 * U);
    SAME(fm_claim(h, t_ext(0, 1024 * U)), 0);
    for (uint64_t i = 0; i < 40; i++)
        fm_free(h, t_ext((8 * i + 1) * U, U));
    fm_free(h, t_ext(800 * U, U)); /* well placed, but behind 40 that are not: missed */
    SAME(place(h, (fm_req){.len = 1, .align = 8}), -1);
    fm_free(h, t_ext(903 * U, 8 * U)); /* long enough wherever it lies: found */
    SAME(place(h, (fm_req){.len = 1, .align = 8}), 904);
    SAME(place(h, (fm_req){.len = 1}), 1);
    for (uint64_t i = 1; i < 9; i++)
        SAME(fm_claim(h, t_ext((8 * i + 1) * U, U)), 0);
    SAME(place(h, (fm_req){.len = 1, .align = 8}), 800); /* now among the first 32 */
    t_close(&m, h);
}

/* As above, and the only gap long enough for certain has a place that crosses the boundary. */
static void ill_placed_gaps_do_not_make_the_boundary_a_must(void)
{
    t_mem m;
    fm *h = t_heap(&m, 0, 1024 * U);
    SAME(fm_claim(h, t_ext(0, 1024 * U)), 0);
    for (uint64_t i = 0; i < 40; i++)
        fm_free(h, t_ext((8 * i + 1) * U, 4 * U));
    SAME(place(h, (fm_req){.len = 4, .align = 2, .boundary = 4}), -1);
    fm_free(h, t_ext(805 * U, 5 * U));
    SAME(place(h, (fm_req){.len = 4, .align = 2, .boundary = 4}), 806); /* crosses 808 */
    fm_free(h, t_ext(901 * U, 8 * U));
    SAME(place(h, (fm_req){.len = 4, .align = 2, .boundary = 4}), 904);
    t_close(&m, h);
}

static void malformed_requests_are_refused(void)
{
    static const fm_req bad[] = {
        {.len = 0},
        {.len = 1},
        {.len = 65},
        {.len = UINT64_MAX},
        {.len = 64, .align = 32},
        {.len = 64, .align = 192},
        {.len = 64, .align = UINT64_MAX},
        {.len = 64, .boundary = 1},
        {.len = 64, .boundary = 96},
        {.len = 64, .below = 100},
        {.len = 64, .flags = FM_BEST | FM_LOWEST},
        {.len = 64, .flags = 4},
        {.len = 64, .pad = 1},
    };
    t_mem m;
    fm *h = t_heap(&m, 0, 65536);
    fm_extent out = {1, 1};
    for (size_t k = 0; k < sizeof(bad) / sizeof(*bad); k++)
        SAME(fm_alloc(h, &bad[k], &out, NULL), -FM_EINVAL);
    SAME(out.off, 1);
    SAME(t_alloc(h, 65536, FM_BEST), 0);
    t_close(&m, h);
}

static void claims_and_extensions_never_take_what_is_not_free(void)
{
    t_mem m;
    fm *h = paint(&m, "#....#..");
    SAME(fm_claim(h, t_ext(4 * U, 2 * U)), -FM_ENOSPC);
    SAME(fm_claim(h, t_ext(0, 2 * U)), -FM_ENOSPC);
    SAME(fm_claim(h, t_ext(6 * U, 4 * U)), -FM_EINVAL);
    SAME(fm_claim(h, t_ext(64 * U, UINT64_MAX - 63)), -FM_EINVAL);
    SAME(fm_claim(h, t_ext(65, 64)), -FM_EINVAL);
    SAME(fm_claim(h, t_ext(U, 0)), -FM_EINVAL);
    SAME(fm_claim(h, t_ext(2 * U, 2 * U)), 0);
    fm_extent e = t_ext(2 * U, 2 * U);
    SAME(fm_extend(h, &e, 4 * U, NULL), -FM_ENOSPC);
    SAME(fm_extend(h, &e, U, NULL), -FM_EINVAL);
    SAME(fm_extend(h, &e, 3 * U + 1, NULL), -FM_EINVAL);
    SAME(fm_extend(h, &e, UINT64_MAX - 63, NULL), -FM_ENOSPC);
    SAME(e.len, 2 * U);
    SAME(fm_extend(h, &e, 3 * U, NULL), 0);
    SAME(e.len, 3 * U);
    fm_extent gap = t_ext(6 * U, U), half = t_ext(5 * U, 2 * U);
    SAME(fm_extend(h, &gap, 2 * U, NULL), -FM_EINVAL);
    SAME(fm_extend(h, &half, 3 * U, NULL), -FM_EINVAL);
    fm_retire(h, t_ext(5 * U, U), 1);
    SAME(fm_extend(h, &e, 4 * U, NULL), -FM_ENOSPC); /* retired is not free */
    SAME(fm_claim(h, t_ext(5 * U, U)), -FM_ENOSPC);
    t_close(&m, h);
}

static void recycled_bytes_are_never_called_zero(void)
{
    t_mem m;
    fm *h = t_heap(&m, 0, 4 * U);
    fm_req r = {.len = 4 * U};
    fm_extent e;
    uint64_t zeroed = 1;
    SAME(fm_alloc(h, &r, &e, &zeroed), 0);
    SAME(zeroed, 0); /* there before the heap was: unknown */
    SAME(fm_grow(h, 10 * U), 0);
    SAME(fm_alloc(h, &r, &e, &zeroed), 0);
    SAME(zeroed, 4 * U);
    SAME(fm_extend(h, &e, 5 * U, &zeroed), 0);
    SAME(zeroed, U);
    fm_free(h, e);
    r.len = 6 * U; /* 5 used before, 1 fresh behind */
    SAME(fm_alloc(h, &r, &e, &zeroed), 0);
    SAME(zeroed, U);
    fm_free(h, e);
    SAME(fm_alloc(h, &r, &e, &zeroed), 0);
    SAME(zeroed, 0);
    fm_retire(h, e, 1);
    SAME(fm_reclaim(h, 1), 6 * U);
    SAME(fm_grow(h, 11 * U), 0);
    r.len = 7 * U;
    SAME(fm_alloc(h, &r, &e, &zeroed), 0);
    SAME(zeroed, U);
    t_close(&m, h);
}

static void a_trimmed_tail_that_grows_again_is_zero(void)
{
    t_mem m;
    fm *h = t_heap(&m, 0, 0);
    fm_req r = {.len = 8 * U};
    fm_extent e;
    uint64_t zeroed, hi = 2 * U;
    SAME(fm_grow(h, 8 * U), 0);
    SAME(fm_alloc(h, &r, &e, &zeroed), 0);
    fm_free(h, e);
    SAME(fm_trim(h, &hi), 0);
    SAME(hi, 2 * U);
    SAME(fm_grow(h, 8 * U), 0);
    SAME(fm_alloc(h, &r, &e, &zeroed), 0);
    SAME(zeroed, 6 * U);
    t_close(&m, h);
}

const t_case place_cases[] = {CASE(best_takes_the_smallest_then_the_lowest),
                              CASE(lowest_takes_the_lowest),
                              CASE(below_is_never_exceeded),
                              CASE(aligned_requests_are_aligned_and_waste_nothing),
                              CASE(a_boundary_is_avoided_if_it_can_be),
                              CASE(a_boundary_never_makes_an_allocation_fail),
                              CASE(ill_placed_gaps_bound_the_search),
                              CASE(ill_placed_gaps_do_not_make_the_boundary_a_must),
                              CASE(malformed_requests_are_refused),
                              CASE(claims_and_extensions_never_take_what_is_not_free),
                              CASE(recycled_bytes_are_never_called_zero),
                              CASE(a_trimmed_tail_that_grows_again_is_zero),
                              {0}};
