/* test.c - the harness of test.h, without main (see main.c, fuzz_fm.c). */
#include "test.h"
#include "main.h"

#include <stdio.h>
#include <stdlib.h>

jmp_buf t_abandon;
bool t_running;
unsigned t_hurry = 1;

_Noreturn void t_fail(const char *file, int line, const char *what, unsigned long long a,
                      unsigned long long b)
{
    printf("%s:%d: %s", file, line, what);
    if (a != b) printf("   (%llx, %llx)", a, b);
    printf("\n");
    fflush(stdout);
    if (!t_running) abort();
    longjmp(t_abandon, 1);
}

/* Every block carries its size in front, so that put can verify the size it is told. */
#define HEAD 16

static void *get(void *ctx, size_t n)
{
    t_mem *m = ctx;
    m->calls++;
    if (m->fail_at != 0 && (m->calls == m->fail_at || (m->fail_after && m->calls > m->fail_at))) {
        m->refused++;
        return NULL;
    }
    char *p = malloc(n + HEAD);
    if (p == NULL) abort();
    *(size_t *)(void *)p = n;
    m->held += n;
    return p + HEAD;
}

static void put(void *ctx, void *p, size_t n)
{
    t_mem *m = ctx;
    char *block = (char *)p - HEAD;
    SAME(*(size_t *)(void *)block, n);
    m->held -= n;
    free(block);
}

fm_mem t_mem_callbacks(t_mem *m)
{
    return (fm_mem){get, put, m};
}

uint64_t t_next(t_rng *r)
{
    r->state ^= r->state >> 12;
    r->state ^= r->state << 25;
    r->state ^= r->state >> 27;
    return r->state * 0x2545F4914F6CDD1Du;
}

uint64_t t_below(t_rng *r, uint64_t n)
{
    return (t_next(r) >> 11) % n;
}

fm *t_heap(t_mem *m, uint64_t lo, uint64_t hi)
{
    *m = (t_mem){0};
    fm_mem mem = t_mem_callbacks(m);
    fm *h;
    SAME(fm_open(&h, &mem, lo, hi), 0);
    SAME(fm_ready(h, NULL), 0);
    return h;
}

void t_close(t_mem *m, fm *h)
{
    SAME(fm_check(h, NULL), 0);
    fm_stat s;
    fm_stats(h, &s);
    SAME(s.bytes, m->held);
    fm_close(h);
    SAME(m->held, 0);
}

uint64_t t_alloc(fm *h, uint64_t len, uint32_t flags)
{
    fm_req req = {.len = len, .flags = flags};
    fm_extent out;
    int error = fm_alloc(h, &req, &out, NULL);
    if (error == -FM_ENOSPC) return UINT64_MAX;
    SAME(error, 0);
    SAME(out.len, len);
    return out.off;
}
