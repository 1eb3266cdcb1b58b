/* settle.h - a due column, its outcome, its payouts, in one transaction. Service floor, on ledger, book, week.
 * Always true: a column is decided once, for ever, with its evidence; with it every bet of it; an outcome is a pure function of
 *   the evidence (outcome_of over path_cut). Decided again, the same column answers SETTLE_E_DONE and changes nothing.
 * Results: 0; SETTLE_E_*, which changed nothing; <0 fatal, rolled back (-EOVERFLOW: a payout or balance beyond int64).
 * Thread: one owner. */
#ifndef TAP_SETTLE_H
#define TAP_SETTLE_H

#include <stddef.h>
#include <stdint.h>

#include "attr.h"
#include "book.h"
#include "ledger.h"
#include "path.h"
#include "settings.h"
#include "week.h"

enum {
	SETTLE_E_DONE = 1, /* recorded already: ret->column is the one that is there */
	SETTLE_E_FULL = 2  /* the disk is full: try again later */
};

struct settled_bet { /* what is announced after the commit */
	struct account account;
	struct bet bet;
};
typedef void settled_cb(void *u, const struct settled_bet *sb);

struct settle_result {
	struct column column;
	int64_t won, lost, refunded;
	struct money stakes, paid; /* paid: payouts and refunds */
};

/* Decides the column by the path (of path_cut, over the ticks that are its evidence). cb is called after COMMIT, once for each
 * bet, in the order of their seq; NULL: nobody is told. */
MUST_CHECK int settle_column(struct week *w, const struct settings *s, const struct path *path, int64_t now_ms,
		struct settle_result *ret, settled_cb *cb, void *u);

/* Recomputes a recorded column from its evidence and compares digest, bounds, status and each bet: 0 equal; SETTLE_E_DIFFERS
 * with the first difference in text; SETTLE_E_ABSENT when it is not recorded. Inside a transaction (a reader's will do). */
enum { SETTLE_E_DIFFERS = 1, SETTLE_E_ABSENT = 2 };
MUST_CHECK int settle_verify(struct store *db, const struct settings *s, int64_t t0_s, char *text, size_t size);

#endif
