/* settle.h - a due column, its outcome, its payouts. Service floor, on ledger, book, week.
 * A column is settled in slices, each a short transaction, so that bets are placed in between. The first records the column with
 *   its evidence, and says in the same transaction how many bets are still to be decided; every later one decides by that very
 *   evidence, whoever does it and however much later; the last takes the mark away.
 * Always true: a column is recorded once, for ever, with its evidence; a bet is decided once, its payout's row in the same
 *   transaction; an outcome is a pure function of the evidence (outcome_of over path_cut). From the first slice on no bet joins the
 *   column. Any number of owners may settle the same column at once. Decided again, it answers SETTLE_E_DONE and changes nothing.
 * Results: 0; SETTLE_E_*; <0 fatal, the slice is rolled back (-EOVERFLOW: a payout or balance beyond int64).
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
	SETTLE_E_FULL = 2, /* the disk is full: try again later; the slices before stand, and ret counts them */
	SETTLE_E_MORE = 3, /* bets are left to be decided */
	SETTLE_E_NOT_BEGUN = 4
};

/* What one transaction may do: it ends after so many bets, or, once it decided a range, after so long. The bets are found and read over
 * a read-only connection, before it, and decided a range of rows at a time: a statement reads the accounts, one writes each table. */
enum { SETTLE_SLICE_BETS = 500, SETTLE_SLICE_US = 1000, SETTLE_RANGE_BETS = LEDGER_SETTLE_MAX };
struct settle_slice {
	size_t bets;
	int64_t us;
};

struct settled_bet { /* what is announced after the commit */
	struct account account;
	struct bet bet;
};
typedef void settled_cb(void *u, const struct settled_bet *sb);

struct settle_result { /* of this call */
	struct column column; /* as it stands now */
	int64_t won, lost, refunded;
	struct money stakes, paid; /* paid: payouts and refunds */
};

/* Decides the column by the path (of path_cut, over the ticks that are its evidence); when it has been begun already, the rest of it
 * by what was recorded. cb is called after each slice's COMMIT, once for each bet, in the order of their seq; NULL: nobody is told.
 * A bet is resolved at the moment the first slice was given; its ledger row bears the moment of its own. */
MUST_CHECK int settle_column(struct week *w, const struct settings *s, const struct path *path, int64_t now_ms,
		struct settle_result *ret, settled_cb *cb, void *u);
/* The rest of a column that was begun, without asking anybody for ticks. SETTLE_E_NOT_BEGUN. */
MUST_CHECK int settle_go_on(struct week *w, const struct settings *s, int64_t t0_s, int64_t now_ms, struct settle_result *ret,
		settled_cb *cb, void *u);
/* One transaction of settle_column: 0 that was the last, or SETTLE_E_MORE. */
MUST_CHECK int settle_one_slice(struct week *w, const struct settings *s, const struct path *path, int64_t now_ms,
		const struct settle_slice *slice, struct settle_result *ret, settled_cb *cb, void *u);

/* Recomputes a recorded column from its evidence and compares digest, bounds, status and each bet: 0 equal; SETTLE_E_DIFFERS
 * with the first difference in text; SETTLE_E_ABSENT when it is not recorded. Bets that settlement has still to decide, and those
 * that an earlier week decided, are not looked at. Inside a transaction (a reader's will do). */
enum { SETTLE_E_DIFFERS = 1, SETTLE_E_ABSENT = 2 };
MUST_CHECK int settle_verify(struct store *db, const struct settings *s, int64_t t0_s, char *text, size_t size);

#endif
