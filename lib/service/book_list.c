/* Reading bets and columns. */
#include <errno.h>
#include <string.h>

#include "check.h"
#include "err.h"
#include "ledger_impl.h"

enum { CLOCK_SLACK_MS = 60000 }; /* as in ledger_list.c */

struct listing {
	const struct bet_query *q;
	bet_cb *cb;
	void *u;
	size_t shown;
	bool more, stopped;
};

static void offer(struct listing *l, const struct stored_bet *b, int64_t row)
{
	const struct bet_query *q = l->q;
	struct bet bet = b->bet;
	if (bet.placed_ms < q->from_ms || bet.placed_ms >= q->to_ms || (q->status != 0 && (int) bet.state != q->status))
		return;
	if (l->shown == q->limit) {
		l->more = l->stopped = true;
		return;
	}
	bet.cell.high_cents = bet.cell.low_cents + q->row_cents;
	l->shown++;
	l->stopped = !l->cb(l->u, &bet, row);
}

int book_bets(struct store *db, const struct bet_query *q, bet_cb *cb, void *u, bool *ret_more)
{
	struct listing l = { .q = q, .cb = cb, .u = u };
	int64_t at;
	*ret_more = false;
	int r = ledger_walk_start(db, q->user, q->before_row, &at);
	if (r == LEDGER_E_ABSENT)
		return 0;
	while (r == 0 && at > 0 && !l.stopped) {
		struct walk_row w;
		struct stored_bet b;
		struct cell cell;
		r = ledger_row(db, at, &w);
		if (r > 0)
			r = err_say(-EBADMSG, "ledger row %lld is missing", (long long) at);
		if (r < 0 || (q->from_ms > CLOCK_SLACK_MS && w.raw.at_ms < q->from_ms - CLOCK_SLACK_MS))
			break;
		at = w.raw.prev < at ? w.raw.prev : 0;
		if (w.raw.ref_type != LEDGER_BET)
			continue;
		ledger_cell_of_ref(&cell, w.raw.cell_ref);
		r = book_load(db, q->user, cell.t0_s, cell.low_cents, &b);
		if (r > 0)
			r = err_say(-EBADMSG, "ledger row %lld has no bet", (long long) w.raw.id);
		if (r == 0)
			offer(&l, &b, w.raw.id);
	}
	*ret_more = l.more;
	return err_trace(r);
}

/* Hands out the rows of a walk over bets until it ends, limit is reached or cb has enough. */
static int hand_out(struct stmt *st, int64_t row_cents, size_t limit, bet_cb *cb, void *u)
{
	int r = 0;
	for (size_t n = 0; n < limit && (r = stmt_step(st)) == STMT_ROW; n++) {
		struct stored_bet b;
		if (book_read_bet(st, &b) != 0) {
			stmt_reset(st);
			return err_say(-EBADMSG, "a bet's row is damaged");
		}
		b.bet.cell.high_cents = b.bet.cell.low_cents + row_cents;
		if (!cb(u, &b.bet, b.bet_row))
			break;
	}
	if (r >= 0)
		stmt_reset(st);
	return r < 0 ? err_trace(r) : 0;
}

int book_open_bets(struct store *db, int64_t row_cents, bet_cb *cb, void *u)
{
	struct stmt *st = store_stmt(db, "SELECT " BET_COLUMNS " FROM bets"
			" WHERE t0 > (SELECT settled_until FROM book WHERE id = 1) AND status = 1 ORDER BY t0, low, user");
	return err_trace(hand_out(st, row_cents, SIZE_MAX, cb, u));
}

int book_count_open(struct store *db, int64_t t0_s, int64_t *ret)
{
	struct stmt *st = store_stmt(db, "SELECT count(*) FROM bets WHERE t0 = ?1 AND status = 1");
	stmt_int(st, 1, t0_s);
	int r = stmt_step(st);
	if (r < 0)
		return err_trace(r);
	*ret = stmt_col_int(st, 0);
	stmt_reset(st);
	return 0;
}

int book_column_bets(struct store *db, int64_t t0_s, int64_t row_cents, int64_t after_low, int64_t after_user, size_t limit,
		bet_cb *cb, void *u)
{
	struct stmt *st = store_stmt(db, "SELECT " BET_COLUMNS_OPEN " FROM bets"
			" WHERE t0 = ?1 AND (low, user) > (?2, ?3) AND status = 1 ORDER BY t0, low, user");
	stmt_int(st, 1, t0_s);
	stmt_int(st, 2, after_low);
	stmt_int(st, 3, after_user);
	return err_trace(hand_out(st, row_cents, limit, cb, u));
}

int book_column_all(struct store *db, int64_t t0_s, int64_t row_cents, bet_cb *cb, void *u)
{
	struct stmt *st = store_stmt(db, "SELECT " BET_COLUMNS " FROM bets WHERE t0 = ?1 ORDER BY t0, low, user");
	stmt_int(st, 1, t0_s);
	return err_trace(hand_out(st, row_cents, SIZE_MAX, cb, u));
}

static bool copy_hash(struct stmt *st, int col, struct hash *ret)
{
	size_t n;
	const void *p = stmt_col_blob(st, col, &n);
	if (n == HASH_SIZE)
		memcpy(ret->b, p, HASH_SIZE);
	return n == HASH_SIZE;
}

#define COLUMN_COLUMNS "t0, status, anchor_t, anchor_p, path_low, path_high, ticks, digest, prev_digest, settled_at, bets," \
		" EXISTS(SELECT 1 FROM settling s WHERE s.t0 = columns.t0)," \
		" settled_at < (SELECT opened_at FROM book WHERE id = 1)"

static int read_column(struct stmt *st, struct column *ret)
{
	*ret = (struct column){
		.t0_s = stmt_col_int(st, 0), .status = (enum column_status) stmt_col_int(st, 1),
		.has_anchor = !stmt_col_null(st, 2), .anchor = { stmt_col_int(st, 2), stmt_col_int(st, 3) },
		.low_cents = stmt_col_int(st, 4), .high_cents = stmt_col_int(st, 5), .n_ticks = stmt_col_int(st, 6),
		.settled_ms = stmt_col_int(st, 9), .bets = stmt_col_int(st, 10), .settling = stmt_col_int(st, 11) != 0,
		.carried = stmt_col_int(st, 12) != 0,
	};
	if (copy_hash(st, 7, &ret->digest) && copy_hash(st, 8, &ret->prev_digest))
		return 0;
	return err_say(-EBADMSG, "column %lld: a digest is damaged", (long long) ret->t0_s);
}

int book_column(struct store *db, int64_t t0_s, struct column *ret)
{
	struct stmt *st = store_stmt(db, "SELECT " COLUMN_COLUMNS " FROM columns WHERE t0 = ?1");
	stmt_int(st, 1, t0_s);
	int r = stmt_step(st);
	if (r <= 0)
		return r < 0 ? err_trace(r) : BOOK_E_ABSENT;
	r = read_column(st, ret);
	stmt_reset(st);
	return r;
}

int book_columns(struct store *db, int64_t from_s, int64_t to_s, column_cb *cb, void *u)
{
	struct stmt *st = store_stmt(db, "SELECT " COLUMN_COLUMNS " FROM columns WHERE t0 >= ?1 AND t0 < ?2 ORDER BY t0");
	stmt_int(st, 1, from_s);
	stmt_int(st, 2, to_s);
	int r;
	while ((r = stmt_step(st)) == STMT_ROW) {
		struct column c;
		r = read_column(st, &c);
		if (r < 0 || !cb(u, &c)) {
			stmt_reset(st);
			break;
		}
	}
	return r < 0 ? err_trace(r) : 0;
}

int book_evidence(struct store *db, int64_t t0_s, struct tick *ticks, size_t max, size_t *ret_n)
{
	struct stmt *st = store_stmt(db, "SELECT path FROM columns WHERE t0 = ?1");
	stmt_int(st, 1, t0_s);
	int r = stmt_step(st);
	if (r <= 0)
		return r < 0 ? err_trace(r) : BOOK_E_ABSENT;
	size_t n;
	const void *path = stmt_col_blob(st, 0, &n);
	bool good = path_decode(path, n, ticks, max, ret_n);
	stmt_reset(st);
	return good ? 0 : err_say(-EBADMSG, "column %lld: the evidence is damaged", (long long) t0_s);
}

int book_last_column(struct store *db, int64_t *ret_t0_s)
{
	struct stmt *st = store_stmt(db, "SELECT t0 FROM columns ORDER BY t0 DESC LIMIT 1");
	int r = stmt_step(st);
	if (r <= 0)
		return r < 0 ? err_trace(r) : BOOK_E_ABSENT;
	*ret_t0_s = stmt_col_int(st, 0);
	stmt_reset(st);
	return 0;
}

/* Steps from column to column that holds bets, from the mark on, past those that are settled. */
int book_oldest_open(struct store *db, int64_t until_s, int64_t *ret_t0_s)
{
	struct book_page page;
	int r = book_page(db, &page);
	if (r != 0)
		return err_trace(r);
	int64_t after = page.settled_until_s;
	for (;;) {
		struct stmt *st = store_stmt(db, "SELECT b.t0, EXISTS(SELECT 1 FROM columns c WHERE c.t0 = b.t0)"
				" AND NOT EXISTS(SELECT 1 FROM settling s WHERE s.t0 = b.t0) FROM bets b"
				" WHERE b.t0 > ?1 AND b.t0 <= ?2 ORDER BY b.t0 LIMIT 1");
		stmt_int(st, 1, after);
		stmt_int(st, 2, until_s);
		r = stmt_step(st);
		if (r <= 0)
			return r < 0 ? err_trace(r) : BOOK_E_ABSENT;
		after = stmt_col_int(st, 0);
		bool settled = stmt_col_int(st, 1) != 0;
		stmt_reset(st);
		if (!settled) {
			*ret_t0_s = after;
			return 0;
		}
	}
}
