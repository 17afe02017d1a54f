/* Objects as they are found, held and let go: names and refs, pins, stores that close, scratch stores, walks. */
#include "contract.h"

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
void names_and_refs(void)
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
void pins(void)
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
void closed_stores(void)
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

/* Scratch stores show what they have as others do, and lose it at the end. */
void scratch(void)
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

void walks(void)
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
