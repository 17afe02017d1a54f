/*
 * What the header promises, asked from C: every function of the table with what it gives, what it
 * refuses, and what becomes of what it gave when objects and stores end.  `contract FOLDER`; prints
 * "N passed, M failed".  Built and run by programs.rs.
 */
#include <rfmalloc.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static const rfm_api *fm;
static rfm_error err;
static int passed, failed;
static char folder[1000];

static void verdict(int good, const char *what, int line)
{
    if (good) {
        passed++;
        return;
    }
    failed++;
    printf("line %d: %s; last error %d %s %s\n", line, what, err.code, err.message, err.details);
}

#define TRUE(condition) verdict(!!(condition), #condition, __LINE__)
/* The call returns this code, and its error says the same. */
#define CODE(wanted, call)                                                                         \
    do {                                                                                           \
        int got_ = (call);                                                                         \
        verdict(got_ == (wanted) && err.code == (wanted) &&                                        \
                    (err.message[0] != 0) == ((wanted) != RFM_OK),                                 \
                #call, __LINE__);                                                                  \
    } while (0)
#define OK(call) CODE(RFM_OK, call)

static const char *path_of(const char *name)
{
    static char path[1200];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static rfm_store *open_new(const char *name)
{
    rfm_store *store = NULL;
    OK(fm->open(path_of(name), NULL, &store, &err));
    if (store == NULL) exit(1);
    return store;
}

static rfm_object *numbers(rfm_store *store, const char *name, const double *x, uint64_t n)
{
    rfm_new what = rfm_new_vector(RFM_NUMERIC, n, name);
    rfm_object *v = NULL;
    what.data = x;
    OK(fm->create(store, &what, &v, &err));
    if (v == NULL) exit(1);
    return v;
}

static uint32_t state_of(rfm_object *object)
{
    rfm_info info = rfm_info_init();
    OK(fm->info(object, &info, &err));
    return info.state;
}

/* A NULL where a pointer belongs is a code, and never a crash. */
static void null_pointers(void)
{
    rfm_store *store = open_new("null.fm"), *s;
    const double x[2] = {1, 2};
    rfm_object *v = numbers(store, "v", x, 2), *o;
    rfm_new what = rfm_new_vector(RFM_NUMERIC, 2, NULL);
    rfm_ref ref;
    rfm_pin *pin;
    rfm_strings *strings;
    rfm_info info = rfm_info_init();
    rfm_store_info store_info = rfm_store_info_init();
    uint64_t rank;
    memset(&ref, 0, sizeof ref);

    CODE(RFM_E_ARGUMENT, fm->open(NULL, NULL, &s, &err));
    CODE(RFM_E_ARGUMENT, fm->open(path_of("x.fm"), NULL, NULL, &err));
    CODE(RFM_E_ARGUMENT, fm->open_uuid(NULL, &s, &err));
    CODE(RFM_E_ARGUMENT, fm->open_uuid("0", NULL, &err));
    CODE(RFM_E_ARGUMENT, fm->close(NULL, &err));
    CODE(RFM_E_ARGUMENT, fm->sync(NULL, &err));
    CODE(RFM_E_ARGUMENT, fm->store_info(NULL, &store_info, &err));
    CODE(RFM_E_ARGUMENT, fm->store_info(store, NULL, &err));
    CODE(RFM_E_ARGUMENT, fm->store_path(NULL, &strings, &err));
    CODE(RFM_E_ARGUMENT, fm->store_path(store, NULL, &err));
    CODE(RFM_E_ARGUMENT, fm->walk(NULL, NULL, NULL, &err));
    CODE(RFM_E_ARGUMENT, fm->walk(store, NULL, NULL, &err));
    CODE(RFM_E_ARGUMENT, fm->create(NULL, &what, &o, &err));
    CODE(RFM_E_ARGUMENT, fm->create(store, NULL, &o, &err));
    CODE(RFM_E_ARGUMENT, fm->create(store, &what, NULL, &err));
    CODE(RFM_E_ARGUMENT, fm->create_list(NULL, NULL, 1, NULL, 0, &o, &err));
    CODE(RFM_E_ARGUMENT, fm->create_list(store, NULL, 1, NULL, 0, NULL, &err));
    CODE(RFM_E_ARGUMENT, fm->find(NULL, "v", &o, &err));
    CODE(RFM_E_ARGUMENT, fm->find(store, NULL, &o, &err));
    CODE(RFM_E_ARGUMENT, fm->find(store, "v", NULL, &err));
    CODE(RFM_E_ARGUMENT, fm->find_ref(NULL, 0, 1, &o, &err));
    CODE(RFM_E_ARGUMENT, fm->find_ref(store, 0, 1, NULL, &err));
    CODE(RFM_E_ARGUMENT, fm->open_ref(NULL, NULL, NULL, &s, &o, &err));
    CODE(RFM_E_ARGUMENT, fm->open_ref(&ref, NULL, NULL, NULL, &o, &err));
    CODE(RFM_E_ARGUMENT, fm->open_ref(&ref, NULL, NULL, &s, NULL, &err));
    CODE(RFM_E_ARGUMENT, fm->commit(NULL, "v", 0, &err));
    CODE(RFM_E_ARGUMENT, fm->rename(NULL, "v", 0, &err));
    CODE(RFM_E_ARGUMENT, fm->destroy(NULL, &err));
    CODE(RFM_E_ARGUMENT, fm->info(NULL, &info, &err));
    CODE(RFM_E_ARGUMENT, fm->info(v, NULL, &err));
    CODE(RFM_E_ARGUMENT, fm->dim(NULL, NULL, 0, &rank, &err));
    CODE(RFM_E_ARGUMENT, fm->dim(v, NULL, 0, NULL, &err));
    CODE(RFM_E_ARGUMENT, fm->dim(v, NULL, 1, &rank, &err));
    CODE(RFM_E_ARGUMENT, fm->name(NULL, &strings, &err));
    CODE(RFM_E_ARGUMENT, fm->name(v, NULL, &err));
    CODE(RFM_E_ARGUMENT, fm->names(NULL, RFM_NAMES, &strings, &err));
    CODE(RFM_E_ARGUMENT, fm->names(v, RFM_NAMES, NULL, &err));
    CODE(RFM_E_ARGUMENT, fm->set_names(NULL, RFM_NAMES, NULL, 0, &err));
    CODE(RFM_E_ARGUMENT, fm->set_names(v, RFM_NAMES, NULL, 2, &err));
    CODE(RFM_E_ARGUMENT, fm->pin(NULL, 0, 1, &pin, &err));
    CODE(RFM_E_ARGUMENT, fm->pin(v, 0, 1, NULL, &err));
    CODE(RFM_E_ARGUMENT, fm->check(NULL, 0, 1, 0, &err));
    CODE(RFM_E_ARGUMENT, fm->strings_read(NULL, 0, 0, &strings, &err));
    CODE(RFM_E_ARGUMENT, fm->strings_read(v, 0, 0, NULL, &err));
    CODE(RFM_E_ARGUMENT, fm->strings_write(NULL, 0, NULL, 0, &err));
    CODE(RFM_E_ARGUMENT, fm->strings_write(v, 0, NULL, 1, &err));
    CODE(RFM_E_ARGUMENT, fm->list_get(NULL, 0, &o, &err));
    CODE(RFM_E_ARGUMENT, fm->list_get(v, 0, NULL, &err));
    CODE(RFM_E_ARGUMENT, fm->list_set(NULL, 0, NULL, &err));
    TRUE(fm->pin_retain(NULL) == NULL);
    fm->release(NULL);
    fm->pin_release(NULL);
    fm->strings_free(NULL);
    /* Nobody wants the text: the code is there all the same. */
    TRUE(fm->find(store, "nobody", &o, NULL) == RFM_E_NOT_FOUND);
    fm->release(v);
    OK(fm->close(store, &err));
}

/* Structures of another release: members that are not known must be zero, sizes that cannot be are refused. */
static void other_releases(void)
{
    struct {
        rfm_open_options o;
        uint64_t later;
    } options;
    struct {
        rfm_info i;
        uint64_t later;
    } info;
    rfm_store *store;
    const double x[1] = {1};
    rfm_object *v;
    rfm_new what = rfm_new_init();

    memset(&options, 0, sizeof options);
    options.o.size = sizeof options;
    OK(fm->open(path_of("later.fm"), &options.o, &store, &err));
    options.later = 1;
    CODE(RFM_E_UNSUPPORTED, fm->open(path_of("later.fm"), &options.o, &store, &err));
    options.later = 0;
    options.o.flags = 1u << 30;
    CODE(RFM_E_UNSUPPORTED, fm->open(path_of("later.fm"), &options.o, &store, &err));
    options.o.flags = 0;
    options.o.size = 8;
    CODE(RFM_E_ARGUMENT, fm->open(path_of("later.fm"), &options.o, &store, &err));
    options.o.size = 1u << 31;
    CODE(RFM_E_ARGUMENT, fm->open(path_of("later.fm"), &options.o, &store, &err));

    v = numbers(store, "v", x, 1);
    memset(&info, 0xff, sizeof info);
    info.i.size = sizeof info;
    OK(fm->info(v, &info.i, &err));
    TRUE(info.i.size == sizeof info && info.later == 0 && info.i.len == 1);
    info.i.size = 0;
    CODE(RFM_E_ARGUMENT, fm->info(v, &info.i, &err));

    CODE(RFM_E_TYPE, fm->create(store, &what, &v, &err));
    what.type = RFM_LIST;
    CODE(RFM_E_TYPE, fm->create(store, &what, &v, &err));
    what.type = 9;
    CODE(RFM_E_UNSUPPORTED, fm->create(store, &what, &v, &err));
    what.type = 1000;
    CODE(RFM_E_TYPE, fm->create(store, &what, &v, &err));
    what.type = RFM_RAW;
    what.kind = RFM_KIND_LIST;
    CODE(RFM_E_ARGUMENT, fm->create(store, &what, &v, &err));
    what.kind = RFM_KIND_VECTOR;
    what.flags = 4;
    CODE(RFM_E_UNSUPPORTED, fm->create(store, &what, &v, &err));
    what.flags = 0;
    what.len = UINT64_MAX;
    CODE(RFM_E_ARGUMENT, fm->create(store, &what, &v, &err));
    what.data = x;
    CODE(RFM_E_ARGUMENT, fm->create(store, &what, &v, &err));
    what.len = 1;
    what.data = NULL;
    what.text = (const rfm_text *)x;
    CODE(RFM_E_ARGUMENT, fm->create(store, &what, &v, &err));
    what.text = NULL;
    what.name = "\xff";
    CODE(RFM_E_ENCODING, fm->create(store, &what, &v, &err));
    what.name = "";
    CODE(RFM_E_ARGUMENT, fm->create(store, &what, &v, &err));
    what.name = "t";
    what.flags = RFM_TEMPORARY;
    CODE(RFM_E_ARGUMENT, fm->create(store, &what, &v, &err));
    TRUE(rfm_get_api(RFM_API_VERSION + 1) == NULL && rfm_get_api(0) == NULL);
    TRUE(fm->version == RFM_API_VERSION && fm->size == sizeof *fm && RFM_HAS(fm, list_set));
    TRUE(strcmp(fm->code_name(RFM_E_NO_SPACE), "ERR_FMALLOC_NO_SPACE") == 0);
    TRUE(strcmp(fm->code_name(0), "OK") == 0 && strcmp(fm->code_name(12345), "?") == 0);
    TRUE(strlen(fm->release_name()) >= 5);
    fm->release(v);
    OK(fm->close(store, &err));
}

static int remember(void *context, const rfm_entry *entry)
{
    char *seen = context;
    TRUE(entry->size == sizeof *entry);
    snprintf(seen + strlen(seen), 1000 - strlen(seen), "%s:%u:%llu ",
             entry->name.data ? entry->name.data : "-", entry->kind,
             (unsigned long long)entry->len);
    return strstr(entry->name.data ? entry->name.data : "", "last") != NULL;
}

/* Names, refs, replacement, other openers: one object is found by each way. */
static void names_and_refs(void)
{
    rfm_store *store = open_new("names.fm"), *other, *third;
    const double x[3] = {1, 2, 3};
    rfm_object *v = numbers(store, "v", x, 3), *w, *u;
    rfm_info info = rfm_info_init(), again = rfm_info_init();
    rfm_store_info about = rfm_store_info_init();
    rfm_strings *text;
    rfm_open_options must = rfm_open_options_init();
    rfm_new what = rfm_new_vector(RFM_NUMERIC, 3, "v");
    char seen[1000] = "";

    OK(fm->info(v, &info, &err));
    TRUE(info.type == RFM_NUMERIC && info.kind == RFM_KIND_VECTOR && info.len == 3 &&
         info.nbytes == 24);
    TRUE(info.state == RFM_STATE_COMMITTED && info.flags == 0 && info.rank == 0);
    CODE(RFM_E_EXISTS, fm->create(store, &what, &w, &err));
    TRUE(strstr(err.details, "{") != NULL);

    OK(fm->store_info(store, &about, &err));
    TRUE(about.named == 1 && about.flags == 0 && strcmp(about.uuid, info.ref.uuid) == 0 &&
         strlen(about.uuid) == 32);
    OK(fm->store_path(store, &text, &err));
    TRUE(text->len == 1 && strstr(text->items[0].data, "names.fm") != NULL);
    TRUE(strlen(text->items[0].data) == text->items[0].nbytes);
    fm->strings_free(text);

    OK(fm->find(store, "v", &w, &err));
    OK(fm->find_ref(store, info.ref.id, info.ref.generation, &u, &err));
    OK(fm->info(u, &again, &err));
    TRUE(memcmp(&info, &again, sizeof info) == 0);
    fm->release(u);
    CODE(RFM_E_STALE_REF, fm->find_ref(store, info.ref.id, info.ref.generation + 1, &u, &err));
    CODE(RFM_E_NOT_FOUND, fm->find(store, "w", &u, &err));

    OK(fm->open_uuid(info.ref.uuid, &other, &err));
    OK(fm->open_ref(&info.ref, NULL, NULL, &third, &u, &err));
    OK(fm->rename(u, "renamed", 0, &err));
    OK(fm->name(v, &text, &err));
    TRUE(strcmp(text->items[0].data, "renamed") == 0);
    fm->strings_free(text);
    OK(fm->rename(u, NULL, 0, &err));
    OK(fm->name(v, &text, &err));
    TRUE(text->len == 1 && text->items[0].data == NULL);
    fm->strings_free(text);
    OK(fm->commit(u, "v", 0, &err));
    CODE(RFM_E_UNSUPPORTED, fm->commit(u, "v", 4, &err));
    fm->release(u);
    OK(fm->close(third, &err));
    OK(fm->close(other, &err));

    /* Another thing under the name: every hold on the first one is told. */
    what.flags = RFM_REPLACE;
    OK(fm->create(store, &what, &u, &err));
    TRUE(state_of(v) == RFM_STATE_DESTROYED && state_of(w) == RFM_STATE_DESTROYED);
    CODE(RFM_E_DESTROYED, fm->destroy(v, &err));
    fm->release(w);
    fm->release(v);
    OK(fm->walk(store, remember, seen, &err));
    TRUE(strcmp(seen, "v:0:3 ") == 0);
    v = numbers(store, "last", x, 1);
    fm->release(v);
    fm->release(u);

    OK(fm->close(store, &err));
    CODE(RFM_E_NOT_FOUND, fm->open_uuid(info.ref.uuid, &store, &err));
    CODE(RFM_E_NOT_FOUND, fm->open_ref(&info.ref, NULL, NULL, &store, &u, &err));
    CODE(RFM_E_STALE_REF, fm->open_ref(&info.ref, path_of("names.fm"), NULL, &store, &u, &err));
    must.flags = RFM_MUST_EXIST;
    CODE(RFM_E_NOT_FOUND, fm->open(path_of("nowhere.fm"), &must, &store, &err));
    CODE(RFM_E_NOT_FOUND, fm->open_ref(&info.ref, path_of("nowhere.fm"), NULL, &store, &u, &err));
    strcpy(info.ref.uuid, "00000000000000000000000000000000");
    CODE(RFM_E_OTHER_STORE, fm->open_ref(&info.ref, path_of("names.fm"), NULL, &store, &u, &err));
    memset(info.ref.uuid, 'a', sizeof info.ref.uuid);
    CODE(RFM_E_ARGUMENT, fm->open_ref(&info.ref, NULL, NULL, &store, &u, &err));
}

/* A pin is a view: bytes stay at their place, and nobody else gets them, as long as it is held. */
static void pins(void)
{
    rfm_store *store = open_new("pins.fm");
    const double x[1000] = {1, 2, 3};
    rfm_object *v = numbers(store, "v", x, 1000), *w;
    rfm_pin *pin, *part, *none;
    double *at;
    int i;

    OK(fm->pin(v, 0, 1000, &pin, &err));
    OK(fm->pin(v, 2, 1, &part, &err));
    OK(fm->pin(v, 1000, 0, &none, &err));
    TRUE(none->data == NULL && none->nbytes == 0 && none->len == 0);
    fm->pin_release(none);
    TRUE(pin->nbytes == 8000 && pin->len == 1000 &&
         (double *)part->data == (double *)pin->data + 2);
    TRUE(((uintptr_t)pin->data & 63) == 0);
    CODE(RFM_E_OUT_OF_BOUNDS, fm->pin(v, 0, 1001, &none, &err));
    CODE(RFM_E_OUT_OF_BOUNDS, fm->pin(v, UINT64_MAX, 2, &none, &err));
    CODE(RFM_E_OUT_OF_BOUNDS, fm->pin(v, UINT64_MAX / 8, 2, &none, &err));
    TRUE(fm->pin_retain(pin) == pin);
    fm->pin_release(pin);
    at = pin->data;
    at[0] = 10;
    OK(fm->check(v, 0, 1000, 1, &err));
    CODE(RFM_E_OUT_OF_BOUNDS, fm->check(v, 999, 2, 0, &err));

    OK(fm->destroy(v, &err));
    CODE(RFM_E_DESTROYED, fm->pin(v, 0, 1, &none, &err));
    CODE(RFM_E_DESTROYED, fm->check(v, 0, 1, 0, &err));
    fm->release(v);
    /* Many vectors of the same size, each synced away: none of them gets the pinned bytes. */
    for (i = 0; i < 20; i++) {
        static const double ones[1000] = {7, 7, 7};
        w = numbers(store, NULL, ones, 1000);
        OK(fm->sync(store, &err));
        OK(fm->pin(w, 0, 1000, &none, &err));
        TRUE(none->data != pin->data && ((double *)none->data)[1] == 7);
        fm->pin_release(none);
        OK(fm->destroy(w, &err));
        fm->release(w);
    }
    TRUE(at[0] == 10 && at[1] == 2 && at[2] == 3 && *(double *)part->data == 3);
    /* The end of the store is not the end of the address. */
    OK(fm->close(store, &err));
    TRUE(at[0] == 0 && at[999] == 0);
    at[0] = 5;
    fm->pin_release(pin);
    TRUE(*(double *)part->data == 0);
    fm->pin_release(part);
}

/* Holds outlive their store and say that it is closed. */
static void closed_stores(void)
{
    rfm_store *store = open_new("closed.fm"), *reader;
    const double x[2] = {1.5, 2.5};
    rfm_object *v = numbers(store, "v", x, 2), *w, *list;
    rfm_open_options read_only = rfm_open_options_init();
    rfm_info info = rfm_info_init();
    rfm_pin *pin;
    rfm_strings *text;
    rfm_object *items[2];

    items[0] = v;
    items[1] = NULL;
    OK(fm->create_list(store, items, 2, "list", 0, &list, &err));
    OK(fm->close(store, &err));
    TRUE(state_of(v) == RFM_STATE_CLOSED);
    CODE(RFM_E_CLOSED, fm->pin(v, 0, 1, &pin, &err));
    CODE(RFM_E_CLOSED, fm->destroy(v, &err));
    CODE(RFM_E_CLOSED, fm->commit(v, "w", 0, &err));
    CODE(RFM_E_CLOSED, fm->name(v, &text, &err));
    CODE(RFM_E_CLOSED, fm->names(v, RFM_NAMES, &text, &err));
    CODE(RFM_E_CLOSED, fm->list_get(list, 0, &w, &err));
    fm->release(list);
    fm->release(v);

    read_only.flags = RFM_READ_ONLY;
    OK(fm->open(path_of("closed.fm"), &read_only, &reader, &err));
    CODE(RFM_E_MODE, fm->open(path_of("closed.fm"), NULL, &store, &err));
    OK(fm->find(reader, "v", &v, &err));
    OK(fm->info(v, &info, &err));
    TRUE(info.flags == RFM_IS_READ_ONLY);
    OK(fm->pin(v, 0, 2, &pin, &err));
    TRUE(((double *)pin->data)[1] == 2.5);
    ((double *)pin->data)[1] = 9;
    fm->pin_release(pin);
    CODE(RFM_E_READ_ONLY, fm->check(v, 0, 1, 1, &err));
    CODE(RFM_E_READ_ONLY, fm->rename(v, "w", 0, &err));
    OK(fm->find(reader, "list", &list, &err));
    CODE(RFM_E_READ_ONLY, fm->destroy(list, &err));
    fm->release(list);
    CODE(RFM_E_READ_ONLY, fm->create_list(reader, NULL, 1, NULL, 0, &w, &err));
    fm->release(v);
    OK(fm->close(reader, &err));
    store = open_new("closed.fm");
    OK(fm->find(store, "v", &v, &err));
    OK(fm->pin(v, 0, 2, &pin, &err));
    TRUE(((double *)pin->data)[1] == 2.5);
    fm->pin_release(pin);
    fm->release(v);
    OK(fm->close(store, &err));
}

/* Text: NA, the empty string, NUL inside, long and short, and bytes that are none. */
static void text(void)
{
    rfm_store *store = open_new("text.fm");
    rfm_text given[5], bad = rfm_text_of("\xc3\x28"), nul;
    rfm_new what = rfm_new_vector(RFM_CHARACTER, 5, "text");
    rfm_object *v, *n;
    rfm_strings *read;
    rfm_pin *pin;
    const double x[1] = {1};
    int i;

    given[0] = rfm_text_of("");
    given[1] = rfm_text_of(NULL);
    given[2].data = "a\0b";
    given[2].nbytes = 3;
    given[3] = rfm_text_of("longer than twelve bytes, and so not in the view");
    given[4].data = "w\xc3\xb6rtlich";
    given[4].nbytes = RFM_NUL_TERMINATED;
    what.text = given;
    OK(fm->create(store, &what, &v, &err));
    for (i = 0; i < 2; i++) {
        OK(fm->strings_read(v, 0, 5, &read, &err));
        TRUE(read->len == 5 && read->items[0].data != NULL && read->items[0].nbytes == 0 &&
             read->items[0].data[0] == 0);
        TRUE(read->items[1].data == NULL);
        TRUE(read->items[2].nbytes == 3 && memcmp(read->items[2].data, "a\0b", 4) == 0);
        TRUE(strcmp(read->items[3].data, given[3].data) == 0 && strlen(read->items[4].data) == 9);
        fm->strings_free(read);
        OK(fm->strings_write(v, 0, given, 5, &err));
    }
    OK(fm->strings_read(v, 5, 0, &read, &err));
    TRUE(read->len == 0);
    fm->strings_free(read);
    CODE(RFM_E_ENCODING, fm->strings_write(v, 0, &bad, 1, &err));
    TRUE(strstr(err.details, "\"index\":0") != NULL);
    CODE(RFM_E_OUT_OF_BOUNDS, fm->strings_write(v, 5, given, 1, &err));
    CODE(RFM_E_OUT_OF_BOUNDS, fm->strings_read(v, 1, 5, &read, &err));
    CODE(RFM_E_TYPE, fm->pin(v, 0, 1, &pin, &err));
    n = numbers(store, "n", x, 1);
    CODE(RFM_E_TYPE, fm->strings_read(n, 0, 1, &read, &err));
    CODE(RFM_E_TYPE, fm->strings_write(n, 0, given, 1, &err));
    what.name = "bad";
    nul = bad;
    what.text = &nul;
    what.len = 1;
    {
        rfm_object *none;
        CODE(RFM_E_ENCODING, fm->create(store, &what, &none, &err));
        CODE(RFM_E_NOT_FOUND, fm->find(store, "bad", &none, &err));
    }
    fm->release(n);
    fm->release(v);
    OK(fm->close(store, &err));
}

/* Shapes and names. */
static void shapes(void)
{
    rfm_store *store = open_new("shapes.fm");
    const uint64_t two[2] = {2, 3}, three[3] = {2, 3, 4},
                   huge[2] = {UINT64_C(1) << 40, UINT64_C(1) << 40};
    const int32_t cells[6] = {1, 2, 3, 4, 5, RFM_NA_INTEGER};
    rfm_new what = rfm_new_matrix(RFM_INTEGER, two, "m");
    rfm_object *m, *a, *v;
    rfm_info info = rfm_info_init();
    rfm_text names[3];
    rfm_strings *read;
    uint64_t extents[3] = {0, 0, 0}, rank;
    rfm_pin *pin;

    what.data = cells;
    OK(fm->create(store, &what, &m, &err));
    OK(fm->info(m, &info, &err));
    TRUE(info.kind == RFM_KIND_MATRIX && info.rank == 2 && info.len == 6 && info.flags == 0);
    OK(fm->dim(m, extents, 3, &rank, &err));
    TRUE(rank == 2 && extents[0] == 2 && extents[1] == 3 && extents[2] == 0);
    OK(fm->dim(m, NULL, 0, &rank, &err));
    OK(fm->pin(m, 0, 6, &pin, &err));
    TRUE(memcmp(pin->data, cells, sizeof cells) == 0);
    fm->pin_release(pin);

    names[0] = rfm_text_of("a");
    names[1] = rfm_text_of("b");
    names[2] = rfm_text_of("c");
    OK(fm->names(m, 1, &read, &err));
    TRUE(read == NULL);
    OK(fm->set_names(m, 1, names, 3, &err));
    CODE(RFM_E_DIM, fm->set_names(m, 0, names, 3, &err));
    CODE(RFM_E_ARGUMENT, fm->set_names(m, 2, names, 3, &err));
    CODE(RFM_E_ARGUMENT, fm->names(m, -3, &read, &err));
    OK(fm->info(m, &info, &err));
    TRUE(info.flags == RFM_HAS_DIMNAMES);
    OK(fm->names(m, 1, &read, &err));
    TRUE(read->len == 3 && strcmp(read->items[2].data, "c") == 0);
    fm->strings_free(read);
    OK(fm->set_names(m, 1, NULL, 0, &err));
    OK(fm->info(m, &info, &err));
    TRUE(info.flags == 0);

    what = rfm_new_matrix(RFM_RAW, two, NULL);
    what.dim = three;
    what.rank = 3;
    CODE(RFM_E_DIM, fm->create(store, &what, &a, &err));
    what.kind = RFM_KIND_ARRAY;
    OK(fm->create(store, &what, &a, &err));
    OK(fm->dim(a, extents, 3, &rank, &err));
    TRUE(rank == 3 && extents[2] == 4);
    fm->release(a);
    what.len = 23;
    CODE(RFM_E_DIM, fm->create(store, &what, &a, &err));
    what.len = 0;
    what.dim = huge;
    what.rank = 2;
    CODE(RFM_E_DIM, fm->create(store, &what, &a, &err));
    what.kind = RFM_KIND_VECTOR;
    CODE(RFM_E_ARGUMENT, fm->create(store, &what, &a, &err));

    what = rfm_new_vector(RFM_COMPLEX, 3, "v");
    OK(fm->create(store, &what, &v, &err));
    OK(fm->set_names(v, RFM_NAMES, names, 3, &err));
    CODE(RFM_E_LENGTH, fm->set_names(v, RFM_NAMES, names, 2, &err));
    CODE(RFM_E_ARGUMENT, fm->set_names(v, RFM_ROW_NAMES, names, 3, &err));
    OK(fm->names(v, RFM_NAMES, &read, &err));
    TRUE(read->len == 3 && strcmp(read->items[0].data, "a") == 0);
    fm->strings_free(read);
    OK(fm->info(v, &info, &err));
    TRUE(info.flags == RFM_HAS_NAMES && info.nbytes == 48);
    fm->release(v);
    fm->release(m);
    OK(fm->close(store, &err));
}

/* Lists hold objects, each as often as one likes, and none of themselves. */
static void lists(void)
{
    rfm_store *store = open_new("lists.fm"), *elsewhere = open_new("elsewhere.fm");
    const double x[2] = {1, 2};
    rfm_object *v = numbers(store, NULL, x, 2), *foreign = numbers(elsewhere, NULL, x, 2);
    rfm_object *items[3], *list, *outer, *got, *temporary;
    rfm_new what = rfm_new_vector(RFM_NUMERIC, 2, NULL);
    rfm_info info = rfm_info_init();

    items[0] = v;
    items[1] = NULL;
    items[2] = v;
    OK(fm->create_list(store, items, 3, "list", 0, &list, &err));
    OK(fm->info(list, &info, &err));
    TRUE(info.type == RFM_LIST && info.kind == RFM_KIND_LIST && info.len == 3);
    CODE(RFM_E_BUSY, fm->destroy(v, &err));
    OK(fm->list_get(list, 1, &got, &err));
    TRUE(got == NULL);
    OK(fm->list_get(list, 2, &got, &err));
    OK(fm->info(got, &info, &err));
    TRUE(info.len == 2);
    fm->release(got);
    CODE(RFM_E_OUT_OF_BOUNDS, fm->list_get(list, 3, &got, &err));
    CODE(RFM_E_TYPE, fm->list_get(v, 0, &got, &err));
    CODE(RFM_E_CYCLE, fm->list_set(list, 0, list, &err));
    CODE(RFM_E_OTHER_STORE, fm->list_set(list, 0, foreign, &err));
    OK(fm->create_list(store, &list, 1, NULL, 0, &outer, &err));
    CODE(RFM_E_CYCLE, fm->list_set(list, 0, outer, &err));
    items[1] = foreign;
    CODE(RFM_E_OTHER_STORE, fm->create_list(store, items, 3, NULL, 0, &got, &err));
    CODE(RFM_E_EXISTS, fm->create_list(store, NULL, 1, "list", 0, &got, &err));
    CODE(RFM_E_ARGUMENT, fm->create_list(store, NULL, UINT64_MAX, NULL, 0, &got, &err));
    CODE(RFM_E_ARGUMENT, fm->create_list(store, items, UINT64_MAX, NULL, 0, &got, &err));

    what.flags = RFM_TEMPORARY;
    OK(fm->create(store, &what, &temporary, &err));
    TRUE(state_of(temporary) == RFM_STATE_TEMPORARY);
    OK(fm->list_set(list, 1, temporary, &err));
    TRUE(state_of(temporary) == RFM_STATE_COMMITTED);
    OK(fm->list_set(list, 1, NULL, &err));
    fm->release(temporary);
    fm->release(outer);
    fm->release(list);
    fm->release(foreign);
    fm->release(v);
    OK(fm->close(elsewhere, &err));
    OK(fm->close(store, &err));
}

/* Data frames hold their columns, as lists do, and know names of columns and rows. */
static void frames(void)
{
    rfm_store *store = open_new("frames.fm");
    const double x[2] = {1, 2}, y[3] = {1, 2, 3};
    rfm_object *columns[2], *frame, *other, *got, *longer = numbers(store, NULL, y, 3);
    rfm_text names[2], rows[2];
    rfm_new_frame what = rfm_new_frame_init();
    rfm_info info = rfm_info_init();
    rfm_strings *read;
    uint64_t rank = 9;

    columns[0] = numbers(store, NULL, x, 2);
    columns[1] = numbers(store, "named", x, 2);
    names[0] = rfm_text_of("a");
    names[1] = rfm_text_of("b");
    rows[0] = rfm_text_of("first");
    rows[1] = rfm_text_of("second");
    what.columns = columns;
    what.names = names;
    what.len = 2;
    what.name = "frame";
    CODE(RFM_E_ARGUMENT, fm->create_frame(NULL, &what, &frame, &err));
    CODE(RFM_E_ARGUMENT, fm->create_frame(store, NULL, &frame, &err));
    CODE(RFM_E_ARGUMENT, fm->create_frame(store, &what, NULL, &err));
    OK(fm->create_frame(store, &what, &frame, &err));
    OK(fm->info(frame, &info, &err));
    TRUE(info.kind == RFM_KIND_FRAME && info.type == RFM_LIST && info.len == 2 && info.rows == 2);
    TRUE(info.flags == RFM_HAS_NAMES && info.rank == 0);
    OK(fm->dim(frame, NULL, 0, &rank, &err));
    TRUE(rank == 0);
    OK(fm->names(frame, RFM_NAMES, &read, &err));
    TRUE(read->len == 2 && strcmp(read->items[1].data, "b") == 0);
    fm->strings_free(read);
    OK(fm->names(frame, RFM_ROW_NAMES, &read, &err));
    TRUE(read == NULL);
    OK(fm->set_names(frame, RFM_ROW_NAMES, rows, 2, &err));
    OK(fm->names(frame, RFM_ROW_NAMES, &read, &err));
    TRUE(read->len == 2 && strcmp(read->items[0].data, "first") == 0);
    fm->strings_free(read);
    OK(fm->list_get(frame, 1, &got, &err));
    OK(fm->name(got, &read, &err));
    TRUE(strcmp(read->items[0].data, "named") == 0);
    fm->strings_free(read);
    fm->release(got);
    CODE(RFM_E_ARGUMENT, fm->list_set(frame, 0, longer, &err));
    CODE(RFM_E_EXISTS, fm->create_frame(store, &what, &other, &err));

    what.name = NULL;
    what.row_names = rows;
    what.rows = 1;
    CODE(RFM_E_LENGTH, fm->create_frame(store, &what, &other, &err));
    what.rows = 2;
    names[1] = names[0];
    CODE(RFM_E_ARGUMENT, fm->create_frame(store, &what, &other, &err));
    names[1] = rfm_text_of(NULL);
    CODE(RFM_E_ARGUMENT, fm->create_frame(store, &what, &other, &err));
    names[1] = rfm_text_of("b");
    got = columns[0];
    columns[0] = longer;
    CODE(RFM_E_LENGTH, fm->create_frame(store, &what, &other, &err));
    columns[0] = NULL;
    CODE(RFM_E_ARGUMENT, fm->create_frame(store, &what, &other, &err));
    columns[0] = frame;
    CODE(RFM_E_TYPE, fm->create_frame(store, &what, &other, &err));
    columns[0] = got;
    what.flags = RFM_TEMPORARY;
    OK(fm->create_frame(store, &what, &other, &err));
    TRUE(state_of(other) == RFM_STATE_TEMPORARY);
    fm->release(other);

    /* With the frame ends the column that nothing else knows; the one with a name stays. */
    CODE(RFM_E_BUSY, fm->destroy(columns[0], &err));
    OK(fm->destroy(frame, &err));
    TRUE(state_of(columns[0]) == RFM_STATE_DESTROYED &&
         state_of(columns[1]) == RFM_STATE_COMMITTED);
    fm->release(frame);
    fm->release(longer);
    fm->release(columns[0]);
    fm->release(columns[1]);
    OK(fm->close(store, &err));
}

/* Scratch stores show what they have as others do, and lose it at the end. */
static void scratch(void)
{
    rfm_open_options options = rfm_open_options_init();
    rfm_store *store;
    rfm_store_info about = rfm_store_info_init();
    const double x[2] = {1, 2};
    rfm_object *v, *got;
    char seen[1000] = "";

    options.flags = RFM_SCRATCH;
    OK(fm->open(path_of("scratch.fm"), &options, &store, &err));
    v = numbers(store, "v", x, 2);
    OK(fm->store_info(store, &about, &err));
    TRUE(about.flags == RFM_IS_SCRATCH && about.named == 1);
    OK(fm->walk(store, remember, seen, &err));
    TRUE(strcmp(seen, "v:0:2 ") == 0);
    fm->release(v);
    OK(fm->find(store, "v", &got, &err));
    fm->release(got);
    OK(fm->close(store, &err));
    CODE(RFM_E_MODE, fm->open(path_of("scratch.fm"), NULL, &store, &err));
    OK(fm->open(path_of("scratch.fm"), &options, &store, &err));
    CODE(RFM_E_NOT_FOUND, fm->find(store, "v", &got, &err));
    OK(fm->close(store, &err));
}

/* More objects than one batch of the walk; and the visitor may use the store, or end the walk. */
static int destroy_seen(void *context, const rfm_entry *entry)
{
    rfm_object *object;
    rfm_error mine;
    if (entry->id % 2 == 0) return 0;
    if (fm->find_ref(context, entry->id, entry->generation, &object, &mine) != RFM_OK) return 1;
    if (fm->destroy(object, &mine) != RFM_OK) return 1;
    fm->release(object);
    return 0;
}

static int count(void *context, const rfm_entry *entry)
{
    (void)entry;
    return ++*(uint64_t *)context == 9000;
}

static void walks(void)
{
    rfm_store *store = open_new("walk.fm");
    uint64_t n = 0;
    int i;
    for (i = 0; i < 10000; i++) {
        double x = i;
        fm->release(numbers(store, NULL, &x, 1));
    }
    OK(fm->walk(store, count, &n, &err));
    TRUE(n == 9000);
    OK(fm->walk(store, destroy_seen, store, &err));
    n = 0;
    OK(fm->walk(store, count, &n, &err));
    TRUE(n == 5000);
    OK(fm->close(store, &err));
}

/* Two threads with one store and one object: every function at once, and nobody sees half of anything. */
#define ROUNDS 300

struct both {
    rfm_store *store;
    rfm_object *text;
    int number;
    int wrong;
};

static void *work(void *argument)
{
    struct both *b = argument;
    rfm_error mine;
    char name[20];
    int i;
    for (i = 0; i < ROUNDS; i++) {
        double x[64];
        rfm_new what;
        rfm_object *v, *again;
        rfm_pin *pin;
        rfm_strings *read;
        rfm_text t =
            rfm_text_of(i % 2 ? "one of two texts that are long" : "the other one of them, longer");
        rfm_info info = rfm_info_init();
        int k;
        for (k = 0; k < 64; k++)
            x[k] = b->number * 1000 + i;
        snprintf(name, sizeof name, "t%d", b->number);
        what = rfm_new_vector(RFM_NUMERIC, 64, name);
        what.data = x;
        what.flags = RFM_REPLACE;
        if (fm->create(b->store, &what, &v, &mine) != RFM_OK) b->wrong++;
        if (fm->find(b->store, name, &again, &mine) != RFM_OK) b->wrong++;
        if (fm->pin(again, 0, 64, &pin, &mine) != RFM_OK) b->wrong++;
        if (memcmp(pin->data, x, sizeof x) != 0) b->wrong++;
        fm->pin_release(pin);
        fm->release(again);
        fm->release(v);
        if (fm->strings_write(b->text, (uint64_t)b->number, &t, 1, &mine) != RFM_OK) b->wrong++;
        if (fm->strings_read(b->text, 0, 2, &read, &mine) != RFM_OK) b->wrong++;
        if (strcmp(read->items[b->number].data, t.data) != 0) b->wrong++;
        fm->strings_free(read);
        if (fm->info(b->text, &info, &mine) != RFM_OK || info.len != 2) b->wrong++;
        if (i % 50 == 0 && fm->sync(b->store, &mine) != RFM_OK) b->wrong++;
    }
    return NULL;
}

static void two_threads(void)
{
    rfm_store *store = open_new("threads.fm");
    rfm_new what = rfm_new_vector(RFM_CHARACTER, 2, "text");
    rfm_object *text;
    struct both both[2];
    pthread_t threads[2];
    uint64_t n = 0;
    int k;
    OK(fm->create(store, &what, &text, &err));
    for (k = 0; k < 2; k++) {
        both[k].store = store;
        both[k].text = text;
        both[k].number = k;
        both[k].wrong = 0;
        TRUE(pthread_create(&threads[k], NULL, work, &both[k]) == 0);
    }
    for (k = 0; k < 2; k++) {
        pthread_join(threads[k], NULL);
        TRUE(both[k].wrong == 0);
    }
    OK(fm->walk(store, count, &n, &err));
    TRUE(n == 3);
    fm->release(text);
    OK(fm->close(store, &err));
}

/*
 * Two lists, each put into a cell of the other by a thread of its own, while two more threads ask what they
 * are: a hold's lock was taken for the list, then for the item, so two threads took them in opposite orders,
 * and with a writer waiting at each all four stood still for ever.
 */
struct crossing {
    rfm_object *list, *item;
    int wrong;
};

static void *cross(void *argument)
{
    struct crossing *c = argument;
    rfm_error mine;
    int i;
    for (i = 0; i < 20000; i++) {
        int code = fm->list_set(c->list, 0, c->item, &mine);
        if (code != RFM_OK && code != RFM_E_CYCLE) c->wrong++;
        if (code == RFM_OK && fm->list_set(c->list, 0, NULL, &mine) != RFM_OK) c->wrong++;
    }
    return NULL;
}

static void *ask(void *argument)
{
    struct crossing *c = argument;
    rfm_info info = rfm_info_init();
    int i;
    for (i = 0; i < 20000; i++) {
        if (fm->info(c->list, &info, NULL) != RFM_OK) c->wrong++;
    }
    return NULL;
}

static void crossing_lists(void)
{
    rfm_open_options options = rfm_open_options_init();
    rfm_store *store;
    rfm_object *lists[2];
    struct crossing c[4];
    pthread_t threads[4];
    int k;
    options.flags = RFM_SCRATCH;
    OK(fm->open(path_of("crossing.fm"), &options, &store, &err));
    for (k = 0; k < 2; k++)
        OK(fm->create_list(store, NULL, 1, NULL, 0, &lists[k], &err));
    for (k = 0; k < 4; k++) {
        c[k].list = lists[k % 2];
        c[k].item = lists[1 - k % 2];
        c[k].wrong = 0;
        TRUE(pthread_create(&threads[k], NULL, k < 2 ? cross : ask, &c[k]) == 0);
    }
    for (k = 0; k < 4; k++) {
        pthread_join(threads[k], NULL);
        TRUE(c[k].wrong == 0);
    }
    for (k = 0; k < 2; k++)
        fm->release(lists[k]);
    OK(fm->close(store, &err));
}

/* Another process has no part in what this one has open: it is told so. */
static void processes(void)
{
    rfm_store *store = open_new("processes.fm"), *again;
    const double x[1] = {1};
    rfm_object *v = numbers(store, "v", x, 1), *got;
    int status = -1;
    pid_t child = fork();
    if (child == 0) {
        int good = fm->find(store, "v", &got, &err) == RFM_E_UNSUPPORTED;
        good = good && fm->open(path_of("processes.fm"), NULL, &again, &err) == RFM_E_LOCKED;
        good = good && strstr(err.details, "\"path\":") != NULL;
        _exit(good ? 0 : 1);
    }
    TRUE(waitpid(child, &status, 0) == child && status == 0);
    OK(fm->find(store, "v", &got, &err));
    fm->release(got);
    fm->release(v);
    OK(fm->close(store, &err));
}

int main(int argc, char **argv)
{
    fm = rfm_get_api(RFM_API_VERSION);
    if (argc != 2 || fm == NULL) return 2;
    snprintf(folder, sizeof folder, "%s", argv[1]);
    memset(&err, 0xff, sizeof err);
    null_pointers();
    other_releases();
    names_and_refs();
    pins();
    closed_stores();
    text();
    shapes();
    lists();
    frames();
    scratch();
    walks();
    two_threads();
    crossing_lists();
    processes();
    printf("%d passed, %d failed\n", passed, failed);
    return failed == 0 ? 0 : 1;
}
