/*
 * model.h - a heap and a naive picture of the same space, kept in step.
 *
 * The model has one cell per unit and finds everything by looking at all cells.  It shares no idea with
 * the allocator but the promises of fm.h.  twin_step() decodes bytes into one operation, does it on
 * both, and compares; the bytes come from a random generator or from a fuzzer.
 */
#ifndef MODEL_H
#define MODEL_H

#include "test.h"

#define CELLS 2048 /* most units a model's space can grow to */

typedef struct {
    uint8_t kind;   /* FM_USED, FM_FREE, FM_RETIRED */
    bool head;      /* first unit of a retired extent */
    bool virgin;    /* came by grow, never handed out since */
    bool fresh;     /* virgin, and promised to be known as such (see the glossary of fm.h) */
    uint64_t stamp; /* retired */
} cell;

typedef struct {
    fm *h;
    t_mem mem;
    uint64_t lo;    /* bytes */
    unsigned units; /* now: the space is [lo, lo + 64 * units) */
    unsigned most;  /* never more than this, <= CELLS */
    uint64_t clock; /* stamps given so far */
    unsigned reloads;
    cell at[CELLS];
} twin;

/* Where decisions come from. */
typedef struct {
    const uint8_t *data; /* if not NULL: these bytes, then the end */
    size_t n;
    t_rng rng; /* else */
} source;

unsigned draw(source *s, unsigned n); /* 0..n-1; 0 after the end of data */
bool dry(const source *s);            /* data used up */

/* Open a twin over `units` units from lo, some of them loaded as live: density of 8 means half. */
void twin_open(twin *t, source *s, uint64_t lo, unsigned units, unsigned most, unsigned density);
void twin_step(twin *t, source *s);
void twin_compare(const twin *t); /* walk and totals against every cell */
void twin_close(twin *t);
/* Forget and derive again from what is used or retired, told in random pieces and order. */
void twin_reload(twin *t, source *s);

#endif
