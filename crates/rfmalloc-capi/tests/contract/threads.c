/* More than one thread at a store and its objects, and more than one process. */
#include "contract.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

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

void two_threads(void)
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

void crossing_lists(void)
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
void processes(void)
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
