/*
 * fuzz_fm.c - bytes become operations on a heap and its model (model.h); the invariants are walked after
 * each.  LLVMFuzzerTestOneInput is libFuzzer's entry.  Without libFuzzer (-DFM_DRIVER) a main of our
 * own feeds it the same random inputs every time: fuzz_fm [inputs].
 */
#include "model.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static twin t;
    static const uint64_t bases[] = {0, 4096, 65536 - 64, (uint64_t)1 << 46,
                                     ((uint64_t)1 << 63) - 8192};
    source s = {.data = data, .n = size};
    uint64_t lo = bases[draw(&s, 5)];
    unsigned units = draw(&s, 129);
    t.mem = (t_mem){.fail_at = draw(&s, 64)};
    twin_open(&t, &s, lo, units, 256, draw(&s, 17));
    while (!dry(&s)) {
        twin_step(&t, &s);
        SAME(fm_check(t.h, NULL), 0);
    }
    twin_close(&t);
    return 0;
}

#ifdef FM_DRIVER
int main(int argc, char **argv)
{
    unsigned inputs = argc > 1 ? (unsigned)atoi(argv[1]) : 20000;
    static uint8_t data[2048];
    t_rng r = {20260101};
    for (unsigned k = 0; k < inputs; k++) {
        size_t n = t_below(&r, k % 8 == 0 ? sizeof(data) : 400);
        /* Some inputs of few different bytes: long runs of the same operations. */
        unsigned range = k % 3 == 0 ? 2 + (unsigned)t_below(&r, 40) : 256;
        for (size_t i = 0; i < n; i++)
            data[i] = (uint8_t)t_below(&r, range);
        (void)LLVMFuzzerTestOneInput(data, n);
    }
    printf("%u inputs\n", inputs);
    return 0;
}
#endif
