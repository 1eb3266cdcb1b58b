/* settle.h - a due column, its outcome, its payouts, in one transaction. Service floor, on ledger, book, week.
 * Always true: a column is decided once, for ever, with its evidence; with it every bet of it; an outcome is a pure function of
 *   the evidence (outcome_of over path_cut). Decided again, the same column answers SETTLE_E_DONE and changes nothing.
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

enum { SETTLE_E_DONE = 1 };

struct settled_bet { /* what is announced after the commit */
	struct account account;
	struct bet bet;
};
typedef void settled_cb(void *u, const struct settled_bet *sb);

struct settle_result {
	struct column column;
	int64_t won, lost, refunded;
	struct money stakes, paid;
};

/* Decides the column by the path (of path_cut, over the ticks that are its evidence). cb is called after COMMIT, once for each bet, in
 * the order of their seq. */
MUST_CHECK int settle_column(struct week *w, const struct settings *s, const struct path *path, int64_t now_ms,
		struct settle_result *ret, settled_cb *cb, void *u);

/* Recomputes a recorded column from its evidence and compares digest, bounds, status and each bet: 0 equal, 1 not, with the difference in text;
 * BOOK_E_ABSENT + 10 when it is not recorded. Inside a transaction (a reader's will do). */
enum { SETTLE_E_DIFFERS = 1, SETTLE_E_ABSENT = 2 };
MUST_CHECK int settle_verify(struct store *db, const struct settings *s, int64_t t0_s, char *text, size_t size);

#endif
