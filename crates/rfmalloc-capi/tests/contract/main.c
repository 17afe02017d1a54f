/*
 * What the header promises, asked from C: every function of the table with what it gives, what it
 * refuses, and what becomes of what it gave when objects and stores end.  `contract FOLDER`; prints
 * "N passed, M failed".  Built and run by programs.rs.
 */
#include "contract.h"

const rfm_api *fm;
rfm_error err;
char folder[1000];
static int passed, failed;

void verdict(int good, const char *what, const char *file, int line)
{
    if (good) {
        passed++;
        return;
    }
    failed++;
    printf("%s:%d: %s; last error %d %s %s\n", file, line, what, err.code, err.message,
           err.details);
}

const char *path_of(const char *name)
{
    static char path[1200];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

rfm_store *open_new(const char *name)
{
    rfm_store *store = NULL;
    OK(fm->open(path_of(name), NULL, &store, &err));
    if (store == NULL) exit(1);
    return store;
}

rfm_object *numbers(rfm_store *store, const char *name, const double *x, uint64_t n)
{
    rfm_new what = rfm_new_vector(RFM_NUMERIC, n, name);
    rfm_object *v = NULL;
    what.data = x;
    OK(fm->create(store, &what, &v, &err));
    if (v == NULL) exit(1);
    return v;
}

uint32_t state_of(rfm_object *object)
{
    rfm_info info = rfm_info_init();
    OK(fm->info(object, &info, &err));
    return info.state;
}

int count(void *context, const rfm_entry *entry)
{
    (void)entry;
    return ++*(uint64_t *)context == 9000;
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
