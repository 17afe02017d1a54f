/*
 * Two threads fill a column in place; then it gets its name, and the store is read as anybody would.
 *
 *     cargo build --release -p rfmalloc-capi
 *     cc -std=c11 -pthread -Iinclude examples/c/columns.c \
 *         -Ltarget/release -lrfmalloc -Wl,-rpath,$PWD/target/release -o columns
 *     ./columns cohort.fm
 */
#include <rfmalloc.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define ROWS 100000u

static const rfm_api *fm;

/* Ends the program with what the library says. */
static void must(int code, const rfm_error *err, const char *doing)
{
    if (code == RFM_OK) return;
    fprintf(stderr, "%s: %s: %s\n", doing, fm->code_name(code), err->message);
    exit(1);
}

/* What one thread does: every second element, beginning with `first`. */
struct half {
    rfm_object *column;
    uint64_t first;
    rfm_error err;
    int code;
};

static void *fill_half(void *argument)
{
    struct half *half = argument;
    rfm_pin *pin;
    half->code = fm->pin(half->column, 0, ROWS, &pin, &half->err);
    if (half->code != RFM_OK) return NULL;
    double *x = pin->data;
    for (uint64_t i = half->first; i < ROWS; i += 2)
        x[i] = i % 1000 == 0 ? rfm_na_real() : (double)i / 2;
    fm->pin_release(pin);
    return NULL;
}

static int show(void *context, const rfm_entry *entry)
{
    static const char *const types[] = {"damaged", "logical", "integer",   "numeric",
                                        "complex", "raw",     "character", "list"};
    uint64_t *seen = context;
    *seen += 1;
    printf("%-8s %-9s %llu\n", entry->name.data ? entry->name.data : "-", types[entry->type],
           (unsigned long long)entry->len);
    return 0;
}

int main(int argc, char **argv)
{
    rfm_error err;
    rfm_store *store;
    fm = rfm_get_api(RFM_API_VERSION);
    if (argc != 2 || fm == NULL) {
        fprintf(stderr, "usage: columns FILE\n");
        return 2;
    }
    must(fm->open(argv[1], NULL, &store, &err), &err, "open");

    /* What an earlier run left: first the list, so that replacing what it holds ends that, too. */
    rfm_object *old;
    int found = fm->find(store, "study", &old, &err);
    if (found == RFM_OK) {
        must(fm->destroy(old, &err), &err, "destroy");
        fm->release(old);
    } else if (found != RFM_E_NOT_FOUND) {
        must(found, &err, "find");
    }

    /* A temporary first: until it is committed nobody finds it, and a crash leaves nothing of it. */
    rfm_new what = rfm_new_vector(RFM_NUMERIC, ROWS, NULL);
    what.flags = RFM_TEMPORARY;
    rfm_object *weight;
    must(fm->create(store, &what, &weight, &err), &err, "create");
    struct half halves[2];
    pthread_t threads[2];
    for (uint64_t k = 0; k < 2; k++) {
        halves[k].column = weight;
        halves[k].first = k;
        if (pthread_create(&threads[k], NULL, fill_half, &halves[k]) != 0) return 1;
    }
    for (int k = 0; k < 2; k++) {
        pthread_join(threads[k], NULL);
        must(halves[k].code, &halves[k].err, "fill");
    }
    must(fm->commit(weight, "weight", RFM_REPLACE, &err), &err, "commit");

    /* Text, a matrix with names along its columns, and a list that holds all three. */
    const rfm_text places[3] = {rfm_text_of("Oslo"), rfm_text_of(NULL),
                                rfm_text_of("São João da Madeira")};
    rfm_new text = rfm_new_vector(RFM_CHARACTER, 3, "place");
    text.text = places;
    text.flags = RFM_REPLACE;
    rfm_object *place;
    must(fm->create(store, &text, &place, &err), &err, "create place");

    const uint64_t extents[2] = {2, 3};
    const int32_t cells[6] = {1, 2, 3, RFM_NA_INTEGER, 5, 6};
    const rfm_text columns[3] = {rfm_text_of("a"), rfm_text_of("b"), rfm_text_of("c")};
    rfm_new grid = rfm_new_matrix(RFM_INTEGER, extents, "grid");
    grid.data = cells;
    grid.flags = RFM_REPLACE;
    rfm_object *matrix;
    must(fm->create(store, &grid, &matrix, &err), &err, "create grid");
    must(fm->set_names(matrix, 1, columns, 3, &err), &err, "name the columns");

    rfm_object *const items[3] = {weight, place, matrix};
    rfm_object *study;
    must(fm->create_list(store, items, 3, "study", RFM_REPLACE, &study, &err), &err,
         "create study");

    must(fm->sync(store, &err), &err, "sync");

    /* Read back. */
    rfm_pin *pin;
    must(fm->pin(weight, 0, ROWS, &pin, &err), &err, "pin");
    const double *x = pin->data;
    double sum = 0;
    uint64_t missing = 0;
    for (uint64_t i = 0; i < pin->len; i++) {
        if (rfm_is_na(x[i]))
            missing++;
        else
            sum += x[i];
    }
    must(fm->check(weight, 0, ROWS, 0, &err), &err, "check");
    printf("weight: %llu missing, the others sum to %.1f\n", (unsigned long long)missing, sum);
    fm->pin_release(pin);

    rfm_strings *strings;
    must(fm->strings_read(place, 0, 3, &strings, &err), &err, "read place");
    for (uint64_t i = 0; i < strings->len; i++) {
        printf("place %llu: %s\n", (unsigned long long)i,
               strings->items[i].data ? strings->items[i].data : "NA");
    }
    fm->strings_free(strings);

    uint64_t seen = 0;
    must(fm->walk(store, show, &seen, &err), &err, "walk");
    printf("%llu objects\n", (unsigned long long)seen);

    fm->release(study);
    fm->release(matrix);
    fm->release(place);
    fm->release(weight);
    must(fm->close(store, &err), &err, "close");
    return 0;
}
