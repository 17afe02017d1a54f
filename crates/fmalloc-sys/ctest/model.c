/* model.c - see model.h. */
#include "model.h"

#include <stdlib.h>
#include <string.h>

#define U ((uint64_t)FM_UNIT)
#define PROBES 32 /* as promised in fm.h */

unsigned draw(source *s, unsigned n)
{
    if (s->data == NULL) return (unsigned)t_below(&s->rng, n);
    unsigned x = 0;
    for (unsigned range = 1; range < n && s->n > 0; range *= 256) {
        x = x * 256 + *s->data++;
        s->n--;
    }
    return x % n;
}

bool dry(const source *s)
{
    return s->data != NULL && s->n == 0;
}

static uint64_t addr(const twin *t, unsigned i)
{
    return t->lo + i * U;
}

static unsigned run(const twin *t, unsigned i)
{
    unsigned n = 1;
    while (i + n < t->units && t->at[i + n].kind == t->at[i].kind)
        n++;
    return n;
}

/* ---- what the model thinks an operation does -------------------------------------------------- */

/* Cells [i, i+n) are handed out; returns the promised zeroed bytes. */
static uint64_t mark_used(twin *t, unsigned i, unsigned n)
{
    unsigned fresh = 0;
    while (fresh < n && t->at[i + n - 1 - fresh].fresh)
        fresh++;
    for (unsigned k = 0; k < fresh; k++)
        CHECK(t->at[i + n - 1 - k].virgin);
    for (unsigned k = i; k < i + n; k++)
        t->at[k] = (cell){.kind = FM_USED};
    return fresh * U;
}

/* Cells [i, i+n) become free; fresh cells before them in the same gap are forgotten. */
static void mark_free(twin *t, unsigned i, unsigned n)
{
    for (unsigned k = i; k < i + n; k++)
        t->at[k] = (cell){.kind = FM_FREE};
    for (unsigned k = i; k > 0 && t->at[k - 1].kind == FM_FREE; k--)
        t->at[k - 1].fresh = false;
}

typedef struct {
    unsigned i, n;
} gap;

static bool lowest_first;

static int by_policy(const void *x, const void *y)
{
    const gap *a = x, *b = y;
    if (!lowest_first && a->n != b->n) return a->n < b->n ? -1 : 1;
    return a->i < b->i ? -1 : a->i > b->i;
}

/* The lowest place in gap g, unit by unit; nice: and crossing no boundary.  UINT64_MAX = none. */
static uint64_t place(const twin *t, gap g, const fm_req *r, uint64_t align, bool nice)
{
    for (unsigned k = 0; k < g.n; k++) {
        uint64_t off = addr(t, g.i + k), end = off + r->len;
        if (r->len > (g.n - k) * U || (r->below != 0 && end > r->below)) return UINT64_MAX;
        if (off % align != 0) continue;
        if (!nice || r->boundary == 0 || off / r->boundary == (end - 1) / r->boundary) return off;
    }
    return UINT64_MAX;
}

/* The place promised by fm.h; UINT64_MAX = none. */
static uint64_t choose(const twin *t, const fm_req *r)
{
    static gap gaps[CELLS];
    unsigned n = 0;
    for (unsigned i = 0; i < t->units; i += run(t, i)) {
        gap g = {i, run(t, i)};
        bool low = r->below == 0 || addr(t, i) + r->len <= r->below;
        if (t->at[i].kind == FM_FREE && g.n * U >= r->len && low) gaps[n++] = g;
    }
    lowest_first = r->flags == FM_LOWEST;
    qsort(gaps, n, sizeof(gap), by_policy);

    uint64_t align = r->align == 0 ? U : r->align;
    fm_req want = *r;
    if (r->len > r->boundary) want.boundary = 0;
    unsigned tried = n < PROBES ? n : PROBES;
    uint64_t second = UINT64_MAX;
    for (unsigned k = 0; k < tried; k++) {
        uint64_t off = place(t, gaps[k], &want, align, true);
        if (off != UINT64_MAX) return off;
        if (second == UINT64_MAX) second = place(t, gaps[k], &want, align, false);
    }
    if (n < PROBES) return second;
    uint64_t need_any = r->len + align - U;
    uint64_t need_nice = want.boundary == 0 ? need_any : need_any + r->len - U;
    for (unsigned k = 0; k < n; k++) {
        bool low = r->below == 0 || addr(t, gaps[k].i) + need_nice <= r->below;
        if (gaps[k].n * U >= need_nice && low) return place(t, gaps[k], &want, align, true);
    }
    for (unsigned k = 0; k < n && second == UINT64_MAX; k++) {
        bool low = r->below == 0 || addr(t, gaps[k].i) + need_any <= r->below;
        if (gaps[k].n * U >= need_any && low) second = place(t, gaps[k], &want, align, false);
    }
    return second;
}

/* ---- the operations --------------------------------------------------------------------------- */

/* Was the result a refusal of memory that the test itself caused?  Then nothing may have changed. */
static bool refused(const twin *t, int error, size_t before)
{
    if (t->mem.refused == before) return false;
    return error == -FM_ENOMEM;
}

/* Zeroed bytes must be virgin whatever the rule says. */
static void check_zeroed(const twin *t, uint64_t end, uint64_t zeroed)
{
    for (uint64_t off = end - zeroed; off < end; off += U)
        CHECK(t->at[(off - t->lo) / U].virgin);
}

static void step_alloc(twin *t, source *s)
{
    fm_req r = {0};
    unsigned size = draw(s, 16);
    r.len = U * (1 + draw(s, size < 12 ? 8 : size < 15 ? 40 : t->units + 2));
    unsigned shape = draw(s, 16);
    if (shape & 1) r.align = U << draw(s, 6);
    if (shape == 3) r.align = U << draw(s, 57);
    if (shape & 2) r.boundary = U << draw(s, 9);
    if (shape == 2) r.boundary = U << draw(s, 57);
    if ((shape & 12) == 12) {
        r.below = addr(t, draw(s, t->units + 3));
        if (t->lo > U && shape == 12 && draw(s, 8) == 0) r.below = t->lo - U;
    }
    r.flags = draw(s, 3);
    uint64_t want = choose(t, &r), zeroed = 12345;
    fm_extent out;
    size_t before = t->mem.refused;
    int error = fm_alloc(t->h, &r, &out, &zeroed);
    if (refused(t, error, before)) return;
    if (want == UINT64_MAX) {
        SAME(error, -FM_ENOSPC);
        return;
    }
    SAME(error, 0);
    SAME(out.off, want);
    SAME(out.len, r.len);
    check_zeroed(t, out.off + out.len, zeroed);
    SAME(zeroed, mark_used(t, (unsigned)((want - t->lo) / U), (unsigned)(r.len / U)));
}

/* A random part of the run of used cells at or after a random place; false if there is none. */
static bool pick_used(const twin *t, source *s, unsigned *i, unsigned *n)
{
    unsigned from = draw(s, t->units);
    for (unsigned k = 0; k < t->units; k++) {
        *i = (from + k) % t->units;
        if (t->at[*i].kind != FM_USED) continue;
        unsigned most = run(t, *i);
        *n = 1 + draw(s, most < 16 ? most : 16);
        if (draw(s, 16) == 0) *n = most;
        return true;
    }
    return false;
}

static void step_free(twin *t, source *s, bool retire)
{
    unsigned i, n;
    if (t->units == 0 || !pick_used(t, s, &i, &n)) return;
    size_t before = t->mem.refused;
    if (retire) {
        t->clock += draw(s, 3);
        fm_retire(t->h, t_ext(addr(t, i), n * U), t->clock);
        for (unsigned k = i; k < i + n; k++)
            t->at[k] = (cell){.kind = FM_RETIRED, .stamp = t->clock, .head = k == i};
    } else {
        fm_free(t->h, t_ext(addr(t, i), n * U));
        mark_free(t, i, n);
    }
    if (t->mem.refused == before || fm_check(t->h, NULL) != -FM_ESTALE) return;
    /* Stale: nothing more is handed out until the space is derived again. */
    fm_req r = {.len = U};
    fm_extent out;
    SAME(fm_alloc(t->h, &r, &out, NULL), -FM_ESTALE);
    twin_reload(t, s);
}

static void step_reclaim(twin *t, source *s)
{
    uint64_t durable = t->clock - (t->clock < 4 ? 0 : draw(s, 4));
    uint64_t bytes = 0;
    for (unsigned i = 0; i < t->units; i++) {
        if (t->at[i].kind != FM_RETIRED || t->at[i].stamp > durable) continue;
        mark_free(t, i, 1);
        bytes += U;
    }
    SAME(fm_reclaim(t->h, durable), bytes);
}

static void step_claim(twin *t, source *s)
{
    unsigned i = draw(s, t->units + 1), n = 1 + draw(s, 12);
    int want = i + n <= t->units ? 0 : -FM_EINVAL;
    for (unsigned k = i; want == 0 && k < i + n; k++) {
        if (t->at[k].kind != FM_FREE) want = -FM_ENOSPC;
    }
    size_t before = t->mem.refused;
    int error = fm_claim(t->h, t_ext(addr(t, i), n * U));
    if (refused(t, error, before)) return;
    SAME(error, want);
    if (want == 0) (void)mark_used(t, i, n);
}

static void step_extend(twin *t, source *s)
{
    unsigned i, n;
    if (t->units == 0 || !pick_used(t, s, &i, &n)) return;
    unsigned more = draw(s, 24);
    int want = 0;
    for (unsigned k = i + n; want == 0 && k < i + n + more; k++) {
        if (k >= t->units || t->at[k].kind != FM_FREE) want = -FM_ENOSPC;
    }
    fm_extent e = t_ext(addr(t, i), n * U);
    uint64_t zeroed = 12345;
    SAME(fm_extend(t->h, &e, e.len + more * U, &zeroed), want);
    SAME(e.len, (n + (want == 0 ? more : 0)) * U);
    if (want != 0) return;
    check_zeroed(t, e.off + e.len, zeroed);
    SAME(zeroed, mark_used(t, i + n, more));
}

static void step_grow(twin *t, source *s)
{
    unsigned more = draw(s, 4) == 0 ? draw(s, 64) : draw(s, 8);
    if (t->units + more > t->most) return;
    uint64_t room = ((uint64_t)1 << 63) - addr(t, t->units);
    size_t before = t->mem.refused;
    int error = fm_grow(t->h, addr(t, t->units + more));
    if (refused(t, error, before)) return;
    SAME(error, more * U <= room ? 0 : -FM_EINVAL);
    if (error != 0) return;
    for (unsigned k = 0; k < more; k++)
        t->at[t->units++] = (cell){.kind = FM_FREE, .virgin = true, .fresh = true};
}

static void step_trim(twin *t, source *s)
{
    unsigned lowest = draw(s, t->units + 4);
    if (t->units > 100 && draw(s, 4) != 0) lowest = t->units - draw(s, 8);
    uint64_t hi = addr(t, lowest);
    while (t->units > lowest && t->at[t->units - 1].kind == FM_FREE)
        t->units--;
    SAME(fm_trim(t->h, &hi), 0);
    SAME(hi, addr(t, t->units));
}

void twin_reload(twin *t, source *s)
{
    static fm_extent e[CELLS];
    static uint64_t ids[CELLS];
    size_t n = 0;
    for (unsigned i = 0; i < t->units;) {
        unsigned len = run(t, i);
        if (t->at[i].kind != FM_FREE) {
            len = 1 + draw(s, len);
            e[n++] = t_ext(addr(t, i), len * U);
        }
        i += len;
    }
    for (size_t k = n; k > 1; k--) { /* shuffle, mostly */
        size_t j = draw(s, (unsigned)k);
        fm_extent x = e[k - 1];
        e[k - 1] = e[j];
        e[j] = x;
    }
    for (size_t k = 0; k < n; k++)
        ids[k] = k;
    t->reloads++;
    for (;;) { /* refused memory: start over, as the owner of a store would */
        size_t done = 0;
        int error = 0;
        fm_reset(t->h);
        while (done < n && error == 0) {
            size_t batch = 1 + draw(s, (unsigned)(n - done));
            error = fm_load(t->h, e + done, ids + done, batch);
            done += batch;
        }
        if (error == 0) error = fm_ready(t->h, NULL);
        if (error == 0) {
            bool all = true;
            for (unsigned i = 0; all && i < t->units; i++) {
                if (t->at[i].kind != FM_RETIRED || !t->at[i].head) continue;
                unsigned len = 1;
                while (i + len < t->units && t->at[i + len].kind == FM_RETIRED &&
                       !t->at[i + len].head)
                    len++;
                fm_retire(t->h, t_ext(addr(t, i), len * U), t->at[i].stamp);
                all = fm_check(t->h, NULL) == 0;
            }
            if (all) break;
            error = -FM_ENOMEM;
        }
        SAME(error, -FM_ENOMEM);
        CHECK(t->mem.refused > 0);
        SAME(fm_check(t->h, NULL), -FM_ESTALE);
    }
    for (unsigned i = 0; i < t->units; i++)
        t->at[i].virgin = t->at[i].fresh = false;
}

/* ---- comparison ------------------------------------------------------------------------------- */

void twin_compare(const twin *t)
{
    fm_stat want = {0}, got;
    uint64_t from = 0;
    for (unsigned i = 0; i < t->units;) {
        unsigned len = run(t, i);
        if (t->at[i].kind == FM_RETIRED) {
            len = 1;
            while (i + len < t->units && t->at[i + len].kind == FM_RETIRED && !t->at[i + len].head)
                len++;
        }
        fm_extent piece = {0, 0};
        uint32_t kind = 0;
        SAME(fm_next(t->h, from, &piece, &kind), 0);
        SAME(piece.off, addr(t, i));
        SAME(piece.len, len * U);
        SAME(kind, t->at[i].kind);
        from = piece.off + piece.len;
        if (kind == FM_USED) want.used += piece.len;
        if (kind == FM_RETIRED) want.retired += piece.len;
        if (kind == FM_FREE) {
            want.free += piece.len;
            want.gaps++;
            if (piece.len > want.largest) want.largest = piece.len;
        }
        want.nodes += kind != FM_USED;
        i += len;
    }
    fm_extent piece;
    uint32_t kind;
    SAME(fm_next(t->h, addr(t, t->units), &piece, &kind), -FM_ENOSPC);
    fm_stats(t->h, &got);
    want.bytes = t->mem.held;
    CHECK(memcmp(&want, &got, sizeof(want)) == 0);
}

/* ---- the twin --------------------------------------------------------------------------------- */

void twin_open(twin *t, source *s, uint64_t lo, unsigned units, unsigned most, unsigned density)
{
    fm_mem mem = t_mem_callbacks(&t->mem);
    t->lo = lo;
    t->units = units;
    t->most = most;
    t->clock = t->reloads = 0;
    for (unsigned i = 0; i < units; i++)
        t->at[i] = (cell){.kind = draw(s, 16) < density ? FM_USED : FM_FREE};
    int error;
    do
        error = fm_open(&t->h, &mem, lo, addr(t, units));
    while (error == -FM_ENOMEM && t->mem.refused > 0);
    SAME(error, 0);
    twin_reload(t, s);
}

void twin_step(twin *t, source *s)
{
    unsigned op = draw(s, 32);
    if (op < 12)
        step_alloc(t, s);
    else if (op < 20)
        step_free(t, s, false);
    else if (op < 23)
        step_free(t, s, true);
    else if (op < 25)
        step_reclaim(t, s);
    else if (op < 27)
        step_claim(t, s);
    else if (op < 29)
        step_extend(t, s);
    else if (op == 29)
        step_grow(t, s);
    else if (op == 30)
        step_trim(t, s);
    else if (draw(s, 8) == 0)
        twin_reload(t, s);
    else
        twin_compare(t);
}

void twin_close(twin *t)
{
    twin_compare(t);
    t_close(&t->mem, t->h);
}
