/* sim.h - the simulation's dice, its clock, and how it fails. One world in one process and one thread: what happens follows from the
 * seed alone, so that a failure is played again from it. Time is `true_ms`; what a process sees of it is what the machine's clock
 * shows (it steps back and forth) and the process' own skew. The product's clock, randomness and free disk space are these here,
 * by the linker's --wrap; its bus is redis.c, its disk disk.c. */
#ifndef TAP_SIM_H
#define TAP_SIM_H

#include <stdbool.h>
#include <stdint.h>

#include "attr.h"

enum proc { PROC_WORLD, PROC_API, PROC_RESOLVER, PROCS };

struct sim {
	uint64_t seed, state;
	int64_t column;      /* the one that is played */
	int64_t start_ms, true_ms;
	int64_t step_ms;     /* how far the machine's clock is off just now */
	int64_t skew_ms[PROCS];
	int64_t mono_us;     /* what calls took, on top of true_ms: grows */
	enum proc running;   /* whose code runs */
	uint64_t storm;      /* faults befall so many times as often; 1: as often as is written, 0: none does */
	int64_t faults;      /* that befell */
};
extern struct sim sim;

void sim_begin(uint64_t seed, int64_t start_ms); /* the storm stays as it was */
uint64_t dice(uint64_t below);  /* even in 0 .. below - 1 */
bool one_in(uint64_t n);
bool stormy_one_in(uint64_t n); /* the same, more often in a storm */
bool fault_one_in(uint64_t n);  /* that, and counted as a fault */
int64_t sim_wall_ms(enum proc p);
int64_t sim_mono_ms(void);

/* Tells the seed, the column and the sentence, and ends the process with 1. */
PRINTF_LIKE(1, 2) _Noreturn void sim_fail(const char *fmt, ...);
#define MUST(c, ...) ((c) ? (void) 0 : sim_fail(__VA_ARGS__))

#endif
