/* load.c - deriving the gaps: order, scale, conflicts, nonsense. */
#include "test.h"

#include <stdlib.h>

#define U ((uint64_t)FM_UNIT)

/* Open over [lo, hi), load all, make ready; returns the code of fm_ready. */
static int derive(t_mem *m, fm **h, uint64_t lo, uint64_t hi, const fm_extent *e,
                  const uint64_t *ids, size_t n, fm_conflict *out)
{
    *m = (t_mem){0};
    fm_mem mem = t_mem_callbacks(m);
    SAME(fm_open(h, &mem, lo, hi), 0);
    SAME(fm_load(*h, e, ids, n), 0);
    int error = fm_ready(*h, out);
    if (error != 0) { /* nothing of the load is kept, and nothing is handed out */
        fm_req r = {.len = U};
        fm_extent x;
        SAME(fm_alloc(*h, &r, &x, NULL), -FM_ESTALE);
        SAME(fm_ready(*h, NULL), -FM_ESTALE);
        SAME(fm_load(*h, e, ids, n), -FM_ESTALE);
        SAME(fm_check(*h, NULL), -FM_ESTALE);
    }
    return error;
}

static void expect_conflict(const fm_extent *e, size_t n, fm_conflict want)
{
    static const uint64_t ids[] = {100, 101, 102, 103, 104, 105, 106, 107};
    t_mem m;
    fm *h;
    fm_conflict got = {{0, 0}, {0, 0}, 0, 0};
    SAME(derive(&m, &h, 4096, 65536, e, ids, n, &got), -FM_ECONFLICT);
    SAME(got.a.off, want.a.off);
    SAME(got.a.len, want.a.len);
    SAME(got.b.off, want.b.off);
    SAME(got.b.len, want.b.len);
    SAME(got.id_a, want.id_a);
    SAME(got.id_b, want.id_b);
    fm_reset(h);
    SAME(fm_ready(h, NULL), 0);
    t_close(&m, h);
}

static void overlapping_loads_name_both_ids(void)
{
    fm_extent e[] = {{8192, 128}, {4096, 64}, {8256, 64}, {16384, 64}};
    expect_conflict(e, 4, (fm_conflict){e[0], e[2], 100, 102});
}

static void an_extent_inside_another_is_found(void)
{
    fm_extent e[] = {{8256, 64}, {8192, 1024}};
    expect_conflict(e, 2, (fm_conflict){e[1], e[0], 101, 100});
}

static void the_same_extent_twice_is_found(void)
{
    fm_extent e[] = {{8192, 64}, {8192, 64}};
    expect_conflict(e, 2, (fm_conflict){e[0], e[1], 100, 101});
}

static void the_first_conflict_in_address_order_is_named(void)
{
    fm_extent e[] = {{16384, 128}, {16448, 64}, {8192, 128}, {8256, 64}};
    expect_conflict(e, 4, (fm_conflict){e[2], e[3], 102, 103});
}

static void an_extent_outside_the_space_is_named(void)
{
    fm_extent space = {4096, 65536 - 4096};
    fm_extent e[][1] = {{{65536, 64}},   {{65472, 128}},          {{0, 64}},
                        {{4032, 128}},   {{UINT64_MAX - 63, 64}}, {{8192, UINT64_MAX - 63}},
                        {{1u << 20, 64}}};
    for (size_t k = 0; k < sizeof(e) / sizeof(*e); k++)
        expect_conflict(e[k], 1, (fm_conflict){e[k][0], space, 100, UINT64_MAX});
}

static void an_extent_that_wraps_around_hides_no_other(void)
{
    fm_extent space = {4096, 65536 - 4096};
    fm_extent e[] = {{8192, UINT64_MAX - 8191}, {8192, 64}}; /* ends at 2^64 */
    expect_conflict(e, 2, (fm_conflict){e[0], space, 100, UINT64_MAX});
    fm_extent f[] = {{1u << 20, UINT64_MAX - 63}, {8192, 64}};
    expect_conflict(f, 2, (fm_conflict){f[0], space, 100, UINT64_MAX});
}

static void a_malformed_extent_refuses_the_whole_load(void)
{
    fm_extent bad[] = {{8192, 0}, {8193, 64}, {8192, 65}, {8192, 1}};
    uint64_t id = 1;
    for (size_t k = 0; k < sizeof(bad) / sizeof(*bad); k++) {
        t_mem m = {0};
        fm_mem mem = t_mem_callbacks(&m);
        fm *h;
        fm_extent good = {4096, 64};
        SAME(fm_open(&h, &mem, 4096, 65536), 0);
        SAME(fm_load(h, &good, &id, 1), 0);
        SAME(fm_load(h, &bad[k], &id, 1), -FM_EINVAL);
        SAME(fm_ready(h, NULL), -FM_ESTALE);
        fm_reset(h);
        SAME(fm_load(h, &good, &id, 1), 0);
        SAME(fm_ready(h, NULL), 0);
        SAME(t_alloc(h, 64, FM_BEST), 4160);
        t_close(&m, h);
    }
}

static void calls_out_of_order_are_refused(void)
{
    t_mem m;
    fm *h = t_heap(&m, 0, 4096);
    fm_extent e = {0, 64};
    uint64_t id = 1;
    SAME(fm_load(h, &e, &id, 1), -FM_EINVAL);
    SAME(fm_ready(h, NULL), -FM_EINVAL);
    SAME(fm_check(h, NULL), 0); /* and it is ready still */
    fm_reset(h);
    uint64_t hi = 0;
    uint32_t kind;
    SAME(fm_trim(h, &hi), -FM_ESTALE);
    SAME(fm_claim(h, e), -FM_ESTALE);
    SAME(fm_extend(h, &e, 128, NULL), -FM_ESTALE);
    SAME(fm_next(h, 0, &e, &kind), -FM_ESTALE);
    SAME(fm_reclaim(h, UINT64_MAX), 0);
    fm_free(h, e); /* no picture yet: nothing to contradict */
    fm_retire(h, e, 1);
    SAME(fm_grow(h, 8192), 0);
    SAME(fm_ready(h, NULL), 0);
    SAME(t_alloc(h, 8192, FM_BEST), 0);
    t_close(&m, h);
}

static void a_full_space_has_no_gap(void)
{
    fm_extent e[] = {{8192, 65536 - 8192}, {4096, 4096}};
    uint64_t ids[] = {1, 2};
    t_mem m;
    fm *h;
    SAME(derive(&m, &h, 4096, 65536, e, ids, 2, NULL), 0);
    SAME(t_alloc(h, 64, FM_LOWEST), UINT64_MAX);
    fm_stat s;
    fm_stats(h, &s);
    SAME(s.used, 65536 - 4096);
    SAME(s.nodes, 0);
    t_close(&m, h);
}

/* ---- scale ------------------------------------------------------------------------------------ */

enum order { ASCENDING, DESCENDING, SHUFFLED, NEARLY };

static fm_extent *extents;
static uint64_t *names;

/* n disjoint extents with steps and lengths drawn by `spread`; returns the end of the last. */
static uint64_t lay_out(t_rng *r, size_t n, enum order order, unsigned spread)
{
    uint64_t at = 0;
    extents = realloc(extents, n * sizeof(*extents));
    names = realloc(names, n * sizeof(*names));
    CHECK(extents != NULL && names != NULL);
    for (size_t i = 0; i < n; i++) {
        if (t_below(r, 4) != 0) at += U * t_below(r, (uint64_t)1 << t_below(r, spread));
        extents[i] = t_ext(at, U * (1 + t_below(r, (uint64_t)1 << t_below(r, spread))));
        at += extents[i].len;
    }
    for (size_t i = 0; i < n; i++) {
        size_t j = i;
        if (order == DESCENDING && i < n / 2) j = n - 1 - i;
        if (order == SHUFFLED) j = t_below(r, i + 1);
        if (order == NEARLY && i > 8 && i % 1000 == 0) j = i - 7;
        fm_extent x = extents[i];
        extents[i] = extents[j];
        extents[j] = x;
    }
    for (size_t i = 0; i < n; i++)
        names[i] = extents[i].off; /* whoever is named, it shows */
    return at;
}

static int by_off(const void *x, const void *y)
{
    const fm_extent *a = x, *b = y;
    return a->off < b->off ? -1 : a->off > b->off;
}

/* Walk the heap beside the extents sorted by qsort(). */
static void verify(const fm *h, size_t n, uint64_t hi)
{
    qsort(extents, n, sizeof(*extents), by_off);
    uint64_t at = 0;
    for (size_t i = 0; at < hi;) {
        uint64_t begin = i < n ? extents[i].off : hi;
        uint32_t want = begin > at ? FM_FREE : FM_USED, kind;
        while (want == FM_USED && i < n && extents[i].off == begin)
            begin += extents[i++].len;
        fm_extent got;
        SAME(fm_next(h, at, &got, &kind), 0);
        SAME(kind, want);
        SAME(got.off, at);
        SAME(got.len, begin - at);
        at = begin;
    }
}

static void large_loads_in(enum order order)
{
    t_rng r = {77 + (unsigned)order};
    for (unsigned k = 0; k < 24; k++) {
        size_t n = 1 + t_below(&r, k % 6 == 5 ? 60000 / t_hurry + 1000 : 1500);
        uint64_t end = lay_out(&r, n, order, 1 + k * 40 / 24);
        uint64_t hi = end + U * t_below(&r, 3);
        t_mem m = {0};
        fm_mem mem = t_mem_callbacks(&m);
        fm *h;
        SAME(fm_open(&h, &mem, 0, hi), 0);
        for (size_t done = 0; done < n;) {
            size_t batch = k % 2 == 0 ? n : 1 + t_below(&r, n - done);
            SAME(fm_load(h, extents + done, names + done, batch), 0);
            done += batch;
        }
        SAME(fm_ready(h, NULL), 0);
        verify(h, n, hi);
        t_close(&m, h);
        /* One extent of the many told twice. */
        fm_extent again = extents[t_below(&r, n)];
        uint64_t id = 99;
        fm_conflict c;
        SAME(fm_open(&h, &mem, 0, hi), 0);
        SAME(fm_load(h, extents, names, n), 0);
        SAME(fm_load(h, &again, &id, 1), 0);
        SAME(fm_ready(h, &c), -FM_ECONFLICT);
        SAME(c.a.off, again.off);
        SAME(c.b.off, again.off);
        CHECK(c.id_a == id || c.id_b == id);
        fm_close(h);
        SAME(m.held, 0);
    }
    free(extents);
    free(names);
    extents = NULL;
    names = NULL;
}

static void large_ascending_loads(void)
{
    large_loads_in(ASCENDING);
}

static void large_descending_loads(void)
{
    large_loads_in(DESCENDING);
}

static void large_shuffled_loads(void)
{
    large_loads_in(SHUFFLED);
}

static void large_nearly_ascending_loads(void)
{
    large_loads_in(NEARLY);
}

static void a_hostile_load_of_equal_offsets_takes_no_quadratic_time(void)
{
    size_t n = 300000; /* quadratic: minutes */
    fm_extent *e = malloc(n * sizeof(*e));
    uint64_t *ids = malloc(n * sizeof(*ids));
    CHECK(e != NULL && ids != NULL);
    for (size_t i = 0; i < n; i++) {
        e[i] = t_ext(4096, U * (2 + n - i));
        ids[i] = i;
    }
    t_mem m;
    fm *h;
    fm_conflict c;
    SAME(derive(&m, &h, 0, (uint64_t)1 << 40, e, ids, n, &c), -FM_ECONFLICT);
    SAME(c.id_a, n - 1);
    SAME(c.id_b, n - 2);
    fm_close(h);
    SAME(m.held, 0);
    free(e);
    free(ids);
}

const t_case load_cases[] = {CASE(overlapping_loads_name_both_ids),
                             CASE(an_extent_inside_another_is_found),
                             CASE(the_same_extent_twice_is_found),
                             CASE(the_first_conflict_in_address_order_is_named),
                             CASE(an_extent_outside_the_space_is_named),
                             CASE(an_extent_that_wraps_around_hides_no_other),
                             CASE(a_malformed_extent_refuses_the_whole_load),
                             CASE(calls_out_of_order_are_refused),
                             CASE(a_full_space_has_no_gap),
                             CASE(large_ascending_loads),
                             CASE(large_descending_loads),
                             CASE(large_shuffled_loads),
                             CASE(large_nearly_ascending_loads),
                             CASE(a_hostile_load_of_equal_offsets_takes_no_quadratic_time),
                             {0}};
