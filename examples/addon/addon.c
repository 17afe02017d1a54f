/*
 * A Node addon that works on the vectors of rfmalloc in place. JavaScript hands it the C interface once and
 * then refs of vectors; it links nothing of rfmalloc.
 *
 *     node examples/addon/build.mjs scale.node
 *     node examples/addon/demo.mjs scale.node
 */
#define NAPI_VERSION 8
#include <node_api.h>
#include <rfmalloc.h>

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

/* What an environment (the main thread, each worker) has: the table, and a pin that it may hold. */
struct state {
    const rfm_api *fm;
    rfm_pin *held;
};

static void end(napi_env env, void *data, void *hint)
{
    struct state *state = data;
    (void)env;
    (void)hint;
    if (state->fm != NULL) state->fm->pin_release(state->held);
    free(state);
}

/* Throws an Error with the library's code and message, as rfmalloc itself does. */
static napi_value fail(napi_env env, const struct state *state, const rfm_error *err)
{
    napi_throw_error(env, state->fm->code_name(err->code), err->message);
    return NULL;
}

static napi_value refuse(napi_env env, const char *why)
{
    napi_throw_type_error(env, NULL, why);
    return NULL;
}

/* The arguments, and the environment's state; false: an exception is on its way. */
static bool begin(napi_env env, napi_callback_info call, size_t n, napi_value *args,
                  struct state **state)
{
    size_t given = n;
    if (napi_get_cb_info(env, call, &given, args, NULL, NULL) != napi_ok || given < n) {
        refuse(env, "too few arguments");
        return false;
    }
    return napi_get_instance_data(env, (void **)state) == napi_ok && *state != NULL;
}

static bool ready(napi_env env, const struct state *state)
{
    if (state->fm != NULL) return true;
    refuse(env, "call start(cApi()) first");
    return false;
}

/* start(cApi()): takes the table, after looking whether it is one and of which version. */
static napi_value start(napi_env env, napi_callback_info call)
{
    static const napi_type_tag tag = {RFM_NAPI_TAG_LOWER, RFM_NAPI_TAG_UPPER};
    napi_value args[1];
    struct state *state;
    napi_valuetype type;
    bool ours = false;
    void *table = NULL;
    if (!begin(env, call, 1, args, &state)) return NULL;
    if (napi_typeof(env, args[0], &type) != napi_ok || type != napi_external ||
        napi_check_object_type_tag(env, args[0], &tag, &ours) != napi_ok || !ours ||
        napi_get_value_external(env, args[0], &table) != napi_ok) {
        return refuse(env, "start: expected what cApi() of rfmalloc returns");
    }
    const rfm_api *fm = table;
    if (fm->version != RFM_API_VERSION || !RFM_HAS(fm, list_set)) {
        return refuse(env, "start: this addon needs another release of rfmalloc");
    }
    state->fm = fm;
    return NULL;
}

/* A whole number of a ref. */
static bool number_of(napi_env env, napi_value ref, const char *key, uint64_t *out)
{
    napi_value value;
    double number;
    if (napi_get_named_property(env, ref, key, &value) != napi_ok ||
        napi_get_value_double(env, value, &number) != napi_ok ||
        !(number >= 0 && number < 0x1p53)) {
        return false;
    }
    *out = (uint64_t)number;
    return true;
}

static bool ref_of(napi_env env, napi_value value, rfm_ref *ref)
{
    napi_value uuid;
    size_t n;
    memset(ref, 0, sizeof *ref);
    if (napi_get_named_property(env, value, "uuid", &uuid) == napi_ok &&
        napi_get_value_string_utf8(env, uuid, ref->uuid, sizeof ref->uuid, &n) == napi_ok &&
        number_of(env, value, "id", &ref->id) &&
        number_of(env, value, "generation", &ref->generation)) {
        return true;
    }
    refuse(env, "expected the ref of a vector");
    return false;
}

/* One thread's part of scale(). */
struct part {
    double *x;
    uint64_t from, to;
    double factor;
    uint64_t changed;
};

static void *scale_part(void *argument)
{
    struct part *part = argument;
    for (uint64_t i = part->from; i < part->to; i++) {
        if (rfm_is_na(part->x[i])) continue;
        part->x[i] *= part->factor;
        part->changed++;
    }
    return NULL;
}

/* scale(ref, factor): multiplies a numeric vector in place, with two threads; how many were no NA. */
static napi_value scale(napi_env env, napi_callback_info call)
{
    napi_value args[2], result;
    struct state *state;
    rfm_ref ref;
    rfm_error err;
    rfm_store *store;
    rfm_object *vector;
    rfm_info info = rfm_info_init();
    rfm_pin *pin = NULL;
    double factor;
    if (!begin(env, call, 2, args, &state) || !ready(env, state)) return NULL;
    if (!ref_of(env, args[0], &ref)) return NULL;
    if (napi_get_value_double(env, args[1], &factor) != napi_ok) {
        return refuse(env, "scale: the factor is a number");
    }
    const rfm_api *fm = state->fm;
    if (fm->open_ref(&ref, NULL, NULL, &store, &vector, &err) != RFM_OK)
        return fail(env, state, &err);
    int code = fm->info(vector, &info, &err);
    if (code == RFM_OK && info.type == RFM_NUMERIC) code = fm->pin(vector, 0, info.len, &pin, &err);
    /* The pin alone keeps the bytes: object and store can go now. */
    fm->release(vector);
    fm->close(store, NULL);
    if (code != RFM_OK) return fail(env, state, &err);
    if (pin == NULL) return refuse(env, "scale: the vector is not numeric");

    struct part half[2] = {{pin->data, 0, pin->len / 2, factor, 0},
                           {pin->data, pin->len / 2, pin->len, factor, 0}};
    pthread_t other;
    bool two = pthread_create(&other, NULL, scale_part, &half[0]) == 0;
    if (!two) scale_part(&half[0]);
    scale_part(&half[1]);
    if (two) pthread_join(other, NULL);
    fm->pin_release(pin);
    napi_create_double(env, (double)(half[0].changed + half[1].changed), &result);
    return result;
}

/* squares(uuid, name, n): makes a vector in a store that JavaScript has open. */
static napi_value squares(napi_env env, napi_callback_info call)
{
    napi_value args[3];
    struct state *state;
    char uuid[40], name[200];
    size_t length;
    uint32_t n;
    rfm_error err;
    rfm_store *store;
    rfm_object *vector;
    rfm_pin *pin;
    if (!begin(env, call, 3, args, &state) || !ready(env, state)) return NULL;
    if (napi_get_value_string_utf8(env, args[0], uuid, sizeof uuid, &length) != napi_ok ||
        napi_get_value_string_utf8(env, args[1], name, sizeof name, &length) != napi_ok ||
        napi_get_value_uint32(env, args[2], &n) != napi_ok) {
        return refuse(env, "squares: expected a store's uuid, a name and a count");
    }
    const rfm_api *fm = state->fm;
    if (fm->open_uuid(uuid, &store, &err) != RFM_OK) return fail(env, state, &err);
    rfm_new what = rfm_new_vector(RFM_INTEGER, n, NULL);
    what.flags = RFM_TEMPORARY;
    int code = fm->create(store, &what, &vector, &err);
    if (code == RFM_OK) {
        code = fm->pin(vector, 0, n, &pin, &err);
        if (code == RFM_OK) {
            int32_t *x = pin->data;
            /* Beyond what an integer holds is NA, as R has it. */
            for (uint32_t i = 0; i < n; i++)
                x[i] = i <= 46340 ? (int32_t)(i * i) : RFM_NA_INTEGER;
            fm->pin_release(pin);
            code = fm->commit(vector, name, 0, &err);
        }
        fm->release(vector);
    }
    fm->close(store, NULL);
    return code == RFM_OK ? NULL : fail(env, state, &err);
}

/* hold(ref) keeps a vector's bytes, peek(i) reads one of them, drop() lets them go. */
static napi_value hold(napi_env env, napi_callback_info call)
{
    napi_value args[1];
    struct state *state;
    rfm_ref ref;
    rfm_error err;
    rfm_store *store;
    rfm_object *vector;
    rfm_info info = rfm_info_init();
    rfm_pin *pin;
    if (!begin(env, call, 1, args, &state) || !ready(env, state) || !ref_of(env, args[0], &ref)) {
        return NULL;
    }
    const rfm_api *fm = state->fm;
    if (fm->open_ref(&ref, NULL, NULL, &store, &vector, &err) != RFM_OK)
        return fail(env, state, &err);
    int code = fm->info(vector, &info, &err);
    if (code == RFM_OK) code = fm->pin(vector, 0, info.len, &pin, &err);
    fm->release(vector);
    fm->close(store, NULL);
    if (code != RFM_OK) return fail(env, state, &err);
    fm->pin_release(state->held);
    state->held = pin;
    return NULL;
}

static napi_value peek(napi_env env, napi_callback_info call)
{
    napi_value args[1], result;
    struct state *state;
    uint32_t i;
    if (!begin(env, call, 1, args, &state)) return NULL;
    if (napi_get_value_uint32(env, args[0], &i) != napi_ok || state->held == NULL ||
        (i + UINT64_C(1)) * sizeof(double) > state->held->nbytes) {
        return refuse(env, "peek: no such element is held");
    }
    napi_create_double(env, ((const double *)state->held->data)[i], &result);
    return result;
}

static napi_value drop(napi_env env, napi_callback_info call)
{
    struct state *state;
    if (!begin(env, call, 0, NULL, &state) || !ready(env, state)) return NULL;
    state->fm->pin_release(state->held);
    state->held = NULL;
    return NULL;
}

NAPI_MODULE_INIT()
{
    static const struct {
        const char *name;
        napi_callback function;
    } functions[] = {{"start", start}, {"scale", scale}, {"squares", squares},
                     {"hold", hold},   {"peek", peek},   {"drop", drop}};
    struct state *state = calloc(1, sizeof *state);
    if (state == NULL || napi_set_instance_data(env, state, end, NULL) != napi_ok) return NULL;
    for (size_t k = 0; k < sizeof functions / sizeof *functions; k++) {
        napi_value function;
        if (napi_create_function(env, functions[k].name, NAPI_AUTO_LENGTH, functions[k].function,
                                 NULL, &function) != napi_ok ||
            napi_set_named_property(env, exports, functions[k].name, function) != napi_ok) {
            return NULL;
        }
    }
    return exports;
}
