/* main.h - between test.c and the program that runs the cases. */
#ifndef MAIN_H
#define MAIN_H

#include <setjmp.h>
#include <stdbool.h>

extern jmp_buf t_abandon; /* where a failed check goes while t_running */
extern bool t_running;

#endif
