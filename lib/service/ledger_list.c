/* A user's rows, newest first: a walk from the newest by `prev`, point reads all the way, because no index serves it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "err.h"
#include "ledger_impl.h"
#include "schema.h"
#include "ulid.h"

/* Two processes write stamps of a clock that may step: a walk ends only when it is this far below its span. */
enum { CLOCK_SLACK_MS = 60000 };

/* A bet's id says whose it is and, of a BET row, when: both stand in the row, too. */
static bool read_bet_id(struct raw_row *row)
{
	struct ulid id;
	struct bet_key key;
	if (row->ref_type != LEDGER_BET && row->ref_type != LEDGER_PAYOUT && row->ref_type != LEDGER_REFUND)
		return true;
	if (!ulid_parse(&id, row->text, row->text_len))
		return false;
	bet_key_of(&key, &id);
	return key.user == row->user && (row->ref_type != LEDGER_BET || key.placed_ms == row->at_ms) &&
			ledger_cell_ref(&row->cell_ref, &(struct cell){ .t0_s = key.t0_s, .low_cents = key.low_cents });
}

static bool read_ref(struct stmt *st, int col, struct walk_row *ret)
{
	if (stmt_col_type(st, col) != STMT_TEXT)
		return false;
	size_t n;
	const char *text = stmt_col_text(st, col, &n);
	if (n == 0 || n >= sizeof ret->text)
		return false;
	memcpy(ret->text, text, n);
	ret->text[n] = '\0';
	ret->raw.text = ret->text;
	ret->raw.text_len = n;
	return read_bet_id(&ret->raw);
}

int ledger_read_row(struct stmt *st, struct walk_row *ret)
{
	static const int integers[] = { 0, 1, 2, 3, 6, 7 };
	for (size_t i = 0; i < ARRAY_LEN(integers); i++)
		if (stmt_col_type(st, integers[i]) != STMT_INT)
			return 1;
	*ret = (struct walk_row){ .raw = { .id = stmt_col_int(st, 0), .user = stmt_col_int(st, 1),
		.amount = stmt_col_int(st, 2), .balance_after = stmt_col_int(st, 3), .prev = stmt_col_int(st, 6),
		.at_ms = stmt_col_int(st, 7) } };
	size_t n;
	if (stmt_col_type(st, 4) != STMT_TEXT) /* asked first: a blob that is read as text becomes one */
		return 1;
	const char *name = stmt_col_text(st, 4, &n);
	if (strlen(name) != n || !ledger_ref_parse(&ret->raw.ref_type, name))
		return 1;
	return read_ref(st, 5, ret) ? 0 : 1;
}

int ledger_row(struct store *db, int64_t row, struct walk_row *ret)
{
	struct stmt *st = store_stmt(db, "SELECT " ROW_COLUMNS " FROM transaction_ledger WHERE id = ?1");
	stmt_int(st, 1, row);
	int r = stmt_step(st);
	if (r <= 0)
		return r < 0 ? err_trace(r) : LEDGER_E_ABSENT;
	r = ledger_read_row(st, ret);
	stmt_reset(st);
	return r == 0 ? 0 : err_say(-EBADMSG, "ledger row %lld is damaged", (long long) row);
}

int ledger_walk_start(struct store *db, int64_t user, int64_t below, int64_t *ret)
{
	struct full_account a;
	struct walk_row w;
	int r = ledger_load(db, user, &a);
	if (r != 0)
		return r;
	*ret = a.last_row;
	if (below <= 0 || a.last_row < below)
		return 0;
	/* The cursor is commonly one of the user's own rows: its prev is next. */
	r = ledger_row(db, below, &w);
	if (r < 0)
		return err_trace(r);
	if (r == 0 && w.raw.user == user) {
		*ret = w.raw.prev;
		return 0;
	}
	while (*ret >= below) {
		r = ledger_row(db, *ret, &w);
		if (r != 0)
			return r < 0 ? err_trace(r) : err_say(-EBADMSG, "ledger row %lld is missing", (long long) *ret);
		*ret = w.raw.prev < *ret ? w.raw.prev : 0;
	}
	return 0;
}

static void show(const struct walk_row *w, struct entry *ret)
{
	*ret = (struct entry){ .row = w->raw.id, .id = ulid_make(w->raw.at_ms, 0, (uint64_t) w->raw.id), .user = w->raw.user,
		.amount = { w->raw.amount }, .balance_after = money_of(w->raw.balance_after), .ref_type = w->raw.ref_type,
		.at_ms = w->raw.at_ms };
	memcpy(ret->ref_id, w->text, w->raw.text_len + 1);
}

static bool wanted(const struct ledger_query *q, const struct raw_row *raw)
{
	return raw->user == q->user && raw->at_ms >= q->from_ms && raw->at_ms < q->to_ms &&
			(q->ref_type == 0 || (int) raw->ref_type == q->ref_type) && (q->before_row <= 0 || raw->id < q->before_row);
}

struct listing {
	const struct ledger_query *q;
	ledger_cb *cb;
	void *u;
	size_t shown;
	bool more, stopped;
};

static void offer(struct listing *l, const struct walk_row *w)
{
	if (!wanted(l->q, &w->raw))
		return;
	if (l->shown == l->q->limit) {
		l->more = l->stopped = true;
		return;
	}
	struct entry e;
	show(w, &e);
	l->shown++;
	l->stopped = !l->cb(l->u, &e);
}

/* What bears the id: rows of at most a bet's two, and one of each external type. Newest first in ids[]. */
static int rows_of_ref(struct store *db, const struct ledger_query *q, int64_t ids[8], size_t *ret_n)
{
	struct ulid id;
	size_t n = 0;
	if (ulid_parse(&id, q->ref_id, strlen(q->ref_id))) {
		struct bet_key key;
		struct stored_bet b;
		bet_key_of(&key, &id);
		int r = key.user == q->user ? book_load(db, key.user, key.t0_s, key.low_cents, &b) : BOOK_E_ABSENT;
		if (r < 0)
			return err_trace(r);
		if (r == 0 && b.bet.placed_ms == key.placed_ms) {
			if (b.pay_row > 0)
				ids[n++] = b.pay_row;
			if (b.bet_row > 0)
				ids[n++] = b.bet_row;
		}
	}
	struct stmt *st = store_stmt(db, "SELECT id FROM transaction_ledger WHERE ref_id = ?1"
			" AND (" SCHEMA_EXTERNAL ") ORDER BY id DESC LIMIT 4");
	stmt_text(st, 1, q->ref_id, strlen(q->ref_id));
	int r;
	while ((r = stmt_step(st)) == STMT_ROW)
		ids[n++] = stmt_col_int(st, 0);
	*ret_n = n;
	return err_trace(r);
}

static int list_by_ref(struct store *db, struct listing *l)
{
	int64_t ids[8];
	size_t n;
	int r = rows_of_ref(db, l->q, ids, &n);
	for (size_t i = 0; r == 0 && i < n && !l->stopped; i++) {
		struct walk_row w;
		r = ledger_row(db, ids[i], &w);
		if (r > 0)
			r = err_say(-EBADMSG, "ledger row %lld is missing", (long long) ids[i]);
		if (r == 0)
			offer(l, &w);
	}
	return err_trace(r);
}

static int list_by_walk(struct store *db, struct listing *l)
{
	int64_t at;
	int r = ledger_walk_start(db, l->q->user, l->q->before_row, &at);
	if (r == LEDGER_E_ABSENT)
		return 0;
	while (r == 0 && at > 0 && !l->stopped) {
		struct walk_row w;
		r = ledger_row(db, at, &w);
		if (r > 0)
			r = err_say(-EBADMSG, "ledger row %lld is missing", (long long) at);
		if (r < 0 || (l->q->from_ms > CLOCK_SLACK_MS && w.raw.at_ms < l->q->from_ms - CLOCK_SLACK_MS))
			break;
		offer(l, &w);
		at = w.raw.prev < at ? w.raw.prev : 0;
	}
	return err_trace(r);
}

int ledger_list(struct store *db, const struct ledger_query *q, ledger_cb *cb, void *u, bool *ret_more)
{
	struct listing l = { .q = q, .cb = cb, .u = u };
	int r = q->ref_id ? list_by_ref(db, &l) : list_by_walk(db, &l);
	*ret_more = l.more;
	return err_trace(r);
}
