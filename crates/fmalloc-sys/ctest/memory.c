/* memory.c - memory refused at every single call: an error or a stale heap, never a leak. */
#include "model.h"

#define U ((uint64_t)FM_UNIT)

static twin t;

/* A workload beside the model, with call n of the callback refused (and all later ones for a while). */
static size_t workload(size_t n, bool after, unsigned steps)
{
    source s = {.rng = {4242}};
    t.mem = (t_mem){.fail_at = n, .fail_after = after};
    if (after) { /* open and load in peace */
        t.mem.fail_at = 0;
        twin_open(&t, &s, 4096, 300, CELLS, 6);
        for (unsigned k = 0; k < steps / 2; k++)
            twin_step(&t, &s);
        t.mem.fail_at = t.mem.calls + n;
        fm_extent out;
        fm_req r = {.len = U, .align = 2 * U, .flags = FM_LOWEST};
        /* Splinter the space until memory is refused: by an allocation, then by a free. */
        int error;
        do
            error = fm_alloc(t.h, &r, &out, NULL);
        while (error == 0);
        CHECK(error == -FM_ENOMEM || error == -FM_ENOSPC);
        fm_stat stat;
        fm_stats(t.h, &stat);
        for (uint64_t off = 4096; fm_check(t.h, NULL) == 0 && off < 4096 + t.units * U;) {
            uint32_t kind;
            fm_extent piece;
            SAME(fm_next(t.h, off, &piece, &kind), 0);
            if (kind == FM_USED) fm_retire(t.h, t_ext(piece.off, U), 1);
            off = piece.off + (kind == FM_USED ? U : piece.len);
        }
        SAME(fm_check(t.h, NULL), -FM_ESTALE);
        SAME(fm_grow(t.h, 4096 + (t.units + 1) * U), 0);
        fm_reset(t.h);
        SAME(fm_ready(t.h, NULL), 0); /* one gap: the first chunk is enough */
        t_close(&t.mem, t.h);
        return 0;
    }
    twin_open(&t, &s, 4096, 500, CELLS, 6);
    for (unsigned k = 0; k < steps; k++) {
        twin_step(&t, &s);
        if (k % 8 == 0) SAME(fm_check(t.h, NULL), 0);
    }
    twin_close(&t);
    return t.mem.calls;
}

static void memory_refused_at_every_call_of_a_workload(void)
{
    unsigned steps = 2500;
    size_t calls = workload(0, false, steps);
    CHECK(calls > 60);
    for (size_t n = 1; n <= calls; n += t_hurry) {
        (void)workload(n, false, steps);
        CHECK(t.mem.refused == 1 || t.mem.calls < n);
    }
}

static void memory_that_stays_refused_leaves_a_stale_heap(void)
{
    for (size_t n = 1; n < 40; n++)
        (void)workload(n, true, 400);
}

static void a_refused_free_or_retirement_makes_the_heap_stale(void)
{
    for (int retire = 0; retire < 2; retire++) {
        t_mem m;
        fm *h = t_heap(&m, 0, 4096 * U);
        SAME(t_alloc(h, 4096 * U, FM_BEST), 0);
        m.fail_at = m.calls + 1;
        uint64_t off = 0;
        for (; m.refused == 0 && off < 4096 * U; off += 2 * U) {
            SAME(fm_check(h, NULL), 0);
            if (retire)
                fm_retire(h, t_ext(off, U), 1);
            else
                fm_free(h, t_ext(off, U));
        }
        SAME(m.refused, 1);
        SAME(fm_check(h, NULL), -FM_ESTALE);
        fm_req r = {.len = U};
        fm_extent e = t_ext(U, U);
        uint32_t kind;
        SAME(fm_alloc(h, &r, &e, NULL), -FM_ESTALE);
        SAME(fm_claim(h, t_ext(0, U)), -FM_ESTALE);
        SAME(fm_next(h, 0, &e, &kind), -FM_ESTALE);
        fm_free(h, t_ext(0, U)); /* even a wrong one: there is no picture to contradict */
        SAME(fm_check(h, NULL), -FM_ESTALE);
        fm_reset(h);
        SAME(fm_ready(h, NULL), 0);
        t_close(&m, h);
    }
}

static void a_refused_split_or_growth_changes_nothing(void)
{
    t_mem m;
    fm *h = t_heap(&m, 0, 4096 * U);
    SAME(fm_claim(h, t_ext(4095 * U, U)), 0);
    m.fail_at = m.calls + 1;
    m.fail_after = true;
    uint64_t off = U;
    int error = 0;
    for (; off < 4094 * U; off += 2 * U) {
        if ((error = fm_claim(h, t_ext(off, U))) != 0) break;
    }
    SAME(error, -FM_ENOMEM);
    SAME(fm_check(h, NULL), 0);
    fm_req r = {.len = 2 * U, .align = 1024 * U};
    fm_extent e = t_ext(7, 7);
    uint64_t zeroed = 7;
    SAME(fm_alloc(h, &r, &e, &zeroed), -FM_ENOMEM); /* would split the tail */
    SAME(e.off, 7);
    SAME(zeroed, 7);
    SAME(fm_grow(h, 4100 * U), -FM_ENOMEM); /* would need a gap behind the last unit */
    fm_stat s;
    fm_stats(h, &s);
    SAME(s.used + s.free, 4096 * U);
    SAME(t_alloc(h, 4095 * U - off + U, FM_BEST), off - U); /* needs no node */
    SAME(fm_grow(h, 4100 * U), 0);                          /* the node of the gap just filled */
    t_close(&m, h);
}

static void a_refused_open_leaks_nothing(void)
{
    for (size_t n = 1; n <= 3; n++) {
        t_mem m = {.fail_at = n};
        fm_mem mem = t_mem_callbacks(&m);
        fm *h = (fm *)&m;
        SAME(fm_open(&h, &mem, 0, 4096), -FM_ENOMEM);
        CHECK(h == NULL);
        SAME(m.held, 0);
    }
}

static void a_refused_load_is_not_a_shorter_load(void)
{
    enum { N = 2000 };
    static fm_extent e[N];
    static uint64_t ids[N];
    for (uint64_t i = 0; i < N; i++) {
        e[i] = t_ext((i * 7919 % N) * 4 * U, U);
        ids[i] = i;
    }
    size_t calls = 1;
    for (size_t n = 4; n <= calls || n == 4; n++) {
        t_mem m = {.fail_at = n};
        fm_mem mem = t_mem_callbacks(&m);
        fm *h;
        SAME(fm_open(&h, &mem, 0, N * 4 * U), 0);
        int error = 0;
        for (size_t i = 0; i < N; i += 100) {
            int now = fm_load(h, e + i, ids + i, 100); /* a caller deaf to errors */
            if (error == 0) error = now;
        }
        int ready = fm_ready(h, NULL);
        CHECK(m.refused == 0 || ready != 0);
        SAME(error != 0 ? ready : -FM_ESTALE, -FM_ESTALE);
        if (ready == 0) {
            calls = m.calls;
        } else {
            SAME(fm_check(h, NULL), -FM_ESTALE);
            fm_reset(h);
            SAME(fm_load(h, e, ids, N), 0);
            SAME(fm_ready(h, NULL), 0);
            calls = n + 1;
        }
        t_close(&m, h);
    }
    CHECK(calls > 20);
}

static void a_reset_returns_the_memory(void)
{
    t_mem m;
    fm *h = t_heap(&m, 0, 65536 * U);
    size_t before = m.held;
    for (uint64_t i = 0; i < 5000; i++)
        SAME(fm_claim(h, t_ext((2 * i + 1) * U, U)), 0);
    CHECK(m.held > before + 5000 * 64);
    CHECK(m.held <
          before + 5000 * 64 + 5000 * 64 / 3 + 4096); /* 64 bytes per gap, and little else */
    fm_reset(h);
    CHECK(m.held <= before + 5000 * 8 * 2);
    SAME(fm_ready(h, NULL), 0);
    t_close(&m, h);
}

const t_case memory_cases[] = {CASE(memory_refused_at_every_call_of_a_workload),
                               CASE(memory_that_stays_refused_leaves_a_stale_heap),
                               CASE(a_refused_free_or_retirement_makes_the_heap_stale),
                               CASE(a_refused_split_or_growth_changes_nothing),
                               CASE(a_refused_open_leaks_nothing),
                               CASE(a_refused_load_is_not_a_shorter_load),
                               CASE(a_reset_returns_the_memory),
                               {0}};
