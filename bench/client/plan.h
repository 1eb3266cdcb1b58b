/* plan.h - what is offered over time: parts of a constant rate, one behind the other, as text `NAME:RATE:SECONDS,...`.
 * A rate is in bets a second, or in clients for who holds connections; 0 is silence. Thread: any. */
#ifndef BENCH_PLAN_H
#define BENCH_PLAN_H

#include <stddef.h>
#include <stdint.h>

#include "attr.h"

enum { PLAN_PARTS_MAX = 64, PLAN_NAME_SIZE = 24, PLAN_SECONDS_MAX = 120 };

struct plan_part {
	char name[PLAN_NAME_SIZE];
	double rate, seconds;
	int64_t start_us;    /* since the plan's begin */
	size_t first, shots; /* the part's shots among all of the plan's */
};

struct plan {
	struct plan_part parts[PLAN_PARTS_MAX];
	size_t n, shots;
	int64_t length_us;
};

MUST_CHECK int plan_parse(struct plan *ret, const char *text);
/* The part of shot k, k < shots. */
const struct plan_part *plan_part_of(const struct plan *p, size_t k);
/* When shot k is due, since the plan's begin. */
int64_t plan_due_us(const struct plan *p, size_t k);
/* The part that runs at a moment; NULL when the plan has ended. */
const struct plan_part *plan_part_at(const struct plan *p, int64_t us);

#endif
