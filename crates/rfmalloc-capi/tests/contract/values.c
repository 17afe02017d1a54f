/* What objects hold: text, shapes and names, lists, data frames. */
#include "contract.h"

/* Text: NA, the empty string, NUL inside, long and short, and bytes that are none. */
void text(void)
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
void shapes(void)
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
void lists(void)
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
void frames(void)
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
