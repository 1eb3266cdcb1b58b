/* book.h - rows of bets and columns. Service floor, on store. (t0, low, user) is a bet's key and the order in which bets lie,
 * so that a column is one range and no index in random order is written on the hot path.
 * Always true at every commit: every bet has exactly one BET row, and once it is decided exactly one PAYOUT (won), one REFUND
 *   (void) or none (lost); a decided bet or a recorded column never changes again (triggers refuse). A recorded column's bets are
 *   decided, but for those that its `settling` row counts, which lie after the key it names; no bet joins a recorded column.
 * Units, thread, results: as ledger.h. All calls need an open transaction. */
#ifndef TAP_BOOK_H
#define TAP_BOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attr.h"
#include "bet.h"
#include "hash.h"
#include "path.h"
#include "store.h"
#include "ulid.h"

enum { BOOK_E_ABSENT = 1, BOOK_E_EXISTS, BOOK_E_DECIDED };

/* ledger_row: the BET row that ledger_stake made in this transaction. EXISTS: (t0, low, user) is taken; the transaction lives,
 * but then holds that BET row without its bet: roll back, or ask book_bet first and hold the gate. DECIDED: a column of this
 * start or a later one is recorded (the clock was set back): the caller's column_closed. Both are found before ledger_stake by
 * book_may_put. */
MUST_CHECK int book_may_put(struct store *db, int64_t user, const struct cell *cell);
MUST_CHECK int book_put_bet(struct store *db, const struct bet *bet, int64_t ledger_row);
MUST_CHECK int book_bet(struct store *db, int64_t user, const struct cell *cell, struct bet *ret);
/* high_cents is low + row_cents: the caller's rules. ABSENT also when the id's parts name no such bet. */
MUST_CHECK int book_bet_by_id(struct store *db, const struct ulid *id, int64_t row_cents, struct bet *ret);

struct bet_query {
	int64_t user;
	int64_t from_ms, to_ms; /* on placed_ms */
	int status;             /* enum bet_state, 0: any */
	int64_t before_row;     /* cursor: the ledger row of a bet; 0: from the newest */
	size_t limit;
	int64_t row_cents;
};
typedef bool bet_cb(void *u, const struct bet *b, int64_t row);
/* Newest first, by the walk of the user's ledger rows. */
MUST_CHECK int book_bets(struct store *db, const struct bet_query *q, bet_cb *cb, void *u, bool *ret_more);
/* Every bet that is open, in key order: for exposure and nonces at start. */
MUST_CHECK int book_open_bets(struct store *db, int64_t row_cents, bet_cb *cb, void *u);
/* How many bets of the column are open. */
MUST_CHECK int book_count_open(struct store *db, int64_t t0_s, int64_t *ret);
/* The open bets of one column after (after_low, after_user), in key order, at most limit. */
MUST_CHECK int book_column_bets(struct store *db, int64_t t0_s, int64_t row_cents, int64_t after_low, int64_t after_user,
		size_t limit, bet_cb *cb, void *u);
/* All bets of one column, decided ones too, in key order: for comparing it with its evidence. */
MUST_CHECK int book_column_all(struct store *db, int64_t t0_s, int64_t row_cents, bet_cb *cb, void *u);
/* Moves open bets of one column to their state, each with the ledger row of its payout or refund (0: none). They are resolved when
 * the column is. ABSENT: one of them was not open; roll back. At most LEDGER_SETTLE_MAX. */
MUST_CHECK int book_decide_bets(struct store *db, const struct bet *bets, size_t n, const int64_t *ledger_rows);

enum column_status { COLUMN_SETTLED = 1, COLUMN_VOID = 2 }; /* stored: never renumber */

struct column {
	int64_t t0_s;
	enum column_status status;
	bool has_anchor;
	struct tick anchor;
	int64_t low_cents, high_cents; /* meaningful when n_ticks > 0 */
	int64_t n_ticks;               /* anchor included */
	struct hash digest, prev_digest;
	int64_t settled_ms;            /* when its settlement began */
	int64_t bets;                  /* decided by it, or to be */
	bool settling;                 /* bets of it are still to be decided, by this very evidence */
	bool carried;                  /* recorded in an earlier week: what of its bets was decided there lies there */
};
/* evidence: path_encode's bytes. EXISTS: decided already. */
MUST_CHECK int book_put_column(struct store *db, const struct column *c, const void *evidence, size_t n);
MUST_CHECK int book_column(struct store *db, int64_t t0_s, struct column *ret); /* ABSENT */
/* How far the settlement of a column has come: its bets after (after_low, after_user) are open. */
struct settling {
	int64_t t0_s, after_low, after_user, open_bets;
};
MUST_CHECK int book_settling(struct store *db, int64_t t0_s, struct settling *ret); /* ABSENT: not begun, or done */
/* Before book_put_column when bets are left to be decided; later, to go on; with open_bets 0: done. */
MUST_CHECK int book_put_settling(struct store *db, const struct settling *s);
/* The evidence's ticks, anchor first, into ticks[max]. */
MUST_CHECK int book_evidence(struct store *db, int64_t t0_s, struct tick *ticks, size_t max, size_t *ret_n);
MUST_CHECK int book_last_column(struct store *db, int64_t *ret_t0_s);            /* ABSENT: none recorded */
/* Oldest column start <= until_s whose bets are not all decided: ABSENT when none. */
MUST_CHECK int book_oldest_open(struct store *db, int64_t until_s, int64_t *ret_t0_s);
typedef bool column_cb(void *u, const struct column *c);
MUST_CHECK int book_columns(struct store *db, int64_t from_s, int64_t to_s, column_cb *cb, void *u); /* rising */

/* Every rule of the header above, bets against ledger rows, and the seals (seal.h): 0 and the counts, or 1 with the finding. */
struct book_audit {
	int64_t bets, open_bets, columns, settling, seals;
	char finding[256];
};
MUST_CHECK int book_audit(struct store *db, struct book_audit *ret);

#endif
