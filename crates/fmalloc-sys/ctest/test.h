/*
 * test.h - a tiny harness: cases, checks, a counting allocator, random numbers.
 *
 * A case is a function; a failed CHECK prints where, and abandons the case.  In a program without a
 * case running (the fuzzer) it aborts, which is how a fuzzer learns of it.
 */
#ifndef TEST_H
#define TEST_H

#include "fm.h"

#include <stdbool.h>

typedef struct {
    const char *name; /* the danger, as a sentence */
    void (*run)(void);
} t_case;

#define CASE(f)                                                                                    \
    {                                                                                              \
#f, f                                                                                      \
    }

/* Cases by file; each list ends with a NULL name. */
extern const t_case load_cases[], place_cases[], free_cases[], space_cases[], memory_cases[],
    random_cases[];

/* Divides the number of random steps; 1 in the full run, more under mutants. */
extern unsigned t_hurry;

_Noreturn void t_fail(const char *file, int line, const char *what, unsigned long long a,
                      unsigned long long b);

#define CHECK(cond)                                                                                \
    do {                                                                                           \
        if (!(cond)) t_fail(__FILE__, __LINE__, #cond, 0, 0);                                      \
    } while (0)

/* Two numbers must be the same; error codes print as negative 64-bit numbers. */
#define SAME(a, b)                                                                                 \
    do {                                                                                           \
        unsigned long long a_ = (unsigned long long)(a), b_ = (unsigned long long)(b);             \
        if (a_ != b_) t_fail(__FILE__, __LINE__, #a " == " #b, a_, b_);                            \
    } while (0)

/* An allocator that counts, verifies sizes, and refuses on demand. */
typedef struct {
    size_t held;     /* bytes out */
    size_t calls;    /* of get, so far */
    size_t fail_at;  /* the call to refuse; 0 = none */
    bool fail_after; /* refuse all later ones too */
    size_t refused;
} t_mem;

fm_mem t_mem_callbacks(t_mem *m);

/* xorshift64*: the same numbers everywhere. */
typedef struct {
    uint64_t state;
} t_rng;

uint64_t t_next(t_rng *r);
uint64_t t_below(t_rng *r, uint64_t n); /* 0..n-1 */

/* A ready heap over [lo, hi) with nothing in it, from an allocator that never refuses. */
fm *t_heap(t_mem *m, uint64_t lo, uint64_t hi);
/* Check the heap, close it, check that nothing leaked. */
void t_close(t_mem *m, fm *h);

static inline fm_extent t_ext(uint64_t off, uint64_t len)
{
    return (fm_extent){off, len};
}

/* Allocate with a policy and nothing else; UINT64_MAX if that fails with FM_ENOSPC. */
uint64_t t_alloc(fm *h, uint64_t len, uint32_t flags);

#endif
