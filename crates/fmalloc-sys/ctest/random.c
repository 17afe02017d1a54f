/* random.c - long random walks beside the naive model, at several places of the address space. */
#include "model.h"

static twin t;

/* `steps` steps in all over `rounds` spaces; every `every`-th step the invariants are walked. */
static void walk(uint64_t lo, unsigned units, unsigned most, unsigned rounds, unsigned steps,
                 unsigned every)
{
    steps /= t_hurry;
    for (unsigned r = 0; r < rounds; r++) {
        source s = {.rng = {0x9E3779B97F4A7C15u * (r + 1) + lo + units}};
        t.mem = (t_mem){0};
        twin_open(&t, &s, lo, units, most, r % 12);
        for (unsigned k = 0; k < steps / rounds; k++) {
            twin_step(&t, &s);
            if (k % every == 0) SAME(fm_check(t.h, NULL), 0);
        }
        twin_close(&t);
    }
}

static void a_tiny_space_follows_the_model(void)
{
    walk(0, 24, 40, 100, 200000, 1);
}

static void a_small_space_follows_the_model(void)
{
    walk(4096, 100, 256, 60, 500000, 1);
}

static void a_space_at_2_46_follows_the_model(void)
{
    walk((uint64_t)1 << 46, 200, 400, 20, 120000, 4);
}

static void a_space_that_ends_at_2_63_follows_the_model(void)
{
    walk(((uint64_t)1 << 63) - 160 * FM_UNIT, 100, 400, 20, 150000, 2);
}

static void a_wide_space_with_many_gaps_follows_the_model(void)
{
    walk(65536, 1500, CELLS, 10, 60000, 32);
}

const t_case random_cases[] = {CASE(a_tiny_space_follows_the_model),
                               CASE(a_small_space_follows_the_model),
                               CASE(a_space_at_2_46_follows_the_model),
                               CASE(a_space_that_ends_at_2_63_follows_the_model),
                               CASE(a_wide_space_with_many_gaps_follows_the_model),
                               {0}};
