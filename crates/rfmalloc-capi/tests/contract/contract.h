/* What the parts of the contract share: the table, verdicts on calls, and the objects that most of them begin with. */
#ifndef CONTRACT_H
#define CONTRACT_H

#include <rfmalloc.h>

#include <stdio.h>
#include <stdlib.h>

extern const rfm_api *fm;
extern rfm_error err;
extern char folder[1000];

/* Counts, and prints what failed and where. */
void verdict(int good, const char *what, const char *file, int line);

#define TRUE(condition) verdict(!!(condition), #condition, __FILE__, __LINE__)
/* The call returns this code, and its error says the same. */
#define CODE(wanted, call)                                                                         \
    do {                                                                                           \
        int got_ = (call);                                                                         \
        verdict(got_ == (wanted) && err.code == (wanted) &&                                        \
                    (err.message[0] != 0) == ((wanted) != RFM_OK),                                 \
                #call, __FILE__, __LINE__);                                                        \
    } while (0)
#define OK(call) CODE(RFM_OK, call)

/* A path in the folder; until the next call. */
const char *path_of(const char *name);
/* A store of this name in the folder, and a vector of numbers; without them the program ends. */
rfm_store *open_new(const char *name);
rfm_object *numbers(rfm_store *store, const char *name, const double *x, uint64_t n);
uint32_t state_of(rfm_object *object);
/* For walk: adds one to the uint64_t at context, and ends the walk at 9000. */
int count(void *context, const rfm_entry *entry);

void null_pointers(void);
void other_releases(void);
void names_and_refs(void);
void pins(void);
void closed_stores(void);
void text(void);
void shapes(void);
void lists(void);
void frames(void);
void scratch(void);
void walks(void);
void two_threads(void);
void crossing_lists(void);
void processes(void);

#endif
