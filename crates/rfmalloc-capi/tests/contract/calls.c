/* What a call refuses before it looks at a store: NULL where a pointer belongs, and structures of other
 * releases. */
#include "contract.h"

/* A NULL where a pointer belongs is a code, and never a crash. */
void null_pointers(void)
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
void other_releases(void)
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
