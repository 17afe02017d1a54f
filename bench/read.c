// The peer of `bench/summaries.mjs`: reads bytes [off, off+nbytes) of a file's mapping with so many threads, again and again, and prints the
// median of RUNS in GB/s of processor time: cc -O3 -pthread read.c -o read; read FILE OFF NBYTES THREADS RUNS
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

struct share {
    const uint64_t *from, *to;
    uint64_t sum;
};

static void *take(void *arg)
{
    struct share *s = arg;
    uint64_t a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0;
    for (const uint64_t *p = s->from; p + 8 <= s->to; p += 8) {
        a ^= p[0], b ^= p[1], c ^= p[2], d ^= p[3], e ^= p[4], f ^= p[5], g ^= p[6], h ^= p[7];
    }
    s->sum = a ^ b ^ c ^ d ^ e ^ f ^ g ^ h;
    return NULL;
}

static double computed(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

static int by_size(const void *a, const void *b)
{
    return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b);
}

int main(int argc, char **argv)
{
    if (argc != 6) return 2;
    const size_t off = strtoull(argv[2], NULL, 10), nbytes = strtoull(argv[3], NULL, 10);
    const int threads = atoi(argv[4]), runs = atoi(argv[5]), fd = open(argv[1], O_RDONLY);
    const char *base = mmap(NULL, off + nbytes, PROT_READ, MAP_SHARED, fd, 0);
    if (fd < 0 || base == MAP_FAILED || threads < 1 || threads > 64 || runs < 1 || runs > 999)
        return 1;
    const uint64_t *words = (const uint64_t *)(base + off);
    const size_t n = nbytes / 8, each = n / threads;
    double seconds[999];
    uint64_t sum = 0;
    for (int run = -1; run < runs; run++) {
        const double started = computed();
        pthread_t id[64];
        struct share share[64];
        for (int i = 0; i < threads; i++) {
            share[i] = (struct share){words + i * each,
                                      i + 1 == threads ? words + n : words + (i + 1) * each, 0};
            if (pthread_create(&id[i], NULL, take, &share[i]) != 0) return 1;
        }
        for (int i = 0; i < threads; i++)
            pthread_join(id[i], NULL), sum ^= share[i].sum;
        if (run >= 0) seconds[run] = (computed() - started) / threads;
    }
    qsort(seconds, runs, sizeof *seconds, by_size);
    printf("%.3f %u\n", nbytes / seconds[runs / 2] / 1e9, (unsigned)sum & 1);
    return 0;
}
