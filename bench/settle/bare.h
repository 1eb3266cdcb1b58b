/* bare.h - the statements of a settlement and nothing else: what is written is known beforehand, from the settlement of the same
 * column in a copy of the same book. No path, no outcome, no sums, no chain, no words to players. The floor of settle.c's cost. */
#ifndef BENCH_SETTLE_BARE_H
#define BENCH_SETTLE_BARE_H

#include <stddef.h>
#include <stdint.h>

#include "settle.h"
#include "week.h"

struct known {
	int64_t t0_s;
	struct settled_bet *bets; /* in key order, each with its account afterwards */
	int64_t *pay_rows;        /* 0: lost */
	int64_t *last_rows;       /* the account's newest row after the bet */
	size_t n;
	size_t *slices;           /* how many of them each transaction took, the recording one included */
	size_t n_slices;
};

/* What the settled column's rows say, for known->bets. */
void known_read(struct known *k, struct week *w);

enum bare_how { BARE_BY_RANGE, BARE_BY_BET };
/* In a book in which the column is recorded and all its bets are open. Returns the thread's CPU microseconds. */
int64_t bare_run(struct week *w, const struct known *k, enum bare_how how);
/* That a bare run left what the settlement left. */
void bare_check(struct week *w, const struct known *k);

/* Ends the program with what went wrong. */
void must(int r, const char *what);

#endif
