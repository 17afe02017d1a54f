/*
 * main.c - run all cases: suite [hurry].  Prints a line per failed case, then "N passed, M failed".
 * With hurry > 1 the random cases take that many times fewer steps.
 */
#include "test.h"
#include "main.h"

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    const t_case *files[] = {load_cases,  place_cases,  free_cases,
                             space_cases, memory_cases, random_cases};
    volatile unsigned passed = 0, failed = 0;
    if (argc > 1) t_hurry = (unsigned)atoi(argv[1]);
    if (t_hurry == 0) t_hurry = 1;
    for (volatile size_t f = 0; f < sizeof(files) / sizeof(*files); f++) {
        for (const t_case *volatile c = files[f]; c->name != NULL; c++) {
            t_running = true;
            if (setjmp(t_abandon) == 0) {
                c->run();
                passed++;
            } else {
                failed++;
                printf("FAILED %s\n", c->name);
            }
            t_running = false;
        }
    }
    printf("%u passed, %u failed\n", passed, failed);
    return failed != 0;
}
