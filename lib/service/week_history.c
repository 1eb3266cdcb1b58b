/* Reading over the weeks. Past files are opened read-only when asked for; a few stay open. */
#include "week_impl.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "err.h"
#include "ledger_impl.h"
#include "schema.h"

enum { ROW_BITS = 40, WEEKS_MAX = 1024, CLOCK_SLACK_MS = 60000 };

static int64_t cursor_of(int64_t week_id, int64_t row)
{
	return week_id << ROW_BITS | row;
}

int week_list(struct week *w, week_cb *cb, void *u)
{
	int r = store_begin(w->meta);
	if (r != 0)
		return r < 0 ? err_trace(r) : err_say(-ENOSPC, "meta.db: the disk is full");
	struct stmt *st = store_stmt(w->meta, "SELECT id, year, week, opened_at, coalesce(closed_at, 0) FROM weeks"
			" ORDER BY id DESC");
	bool go_on = true;
	while (go_on && (r = stmt_step(st)) == STMT_ROW) {
		char path[WEEK_PATH_MAX];
		struct week_info info = { .id = stmt_col_int(st, 0),
			.week = { (int) stmt_col_int(st, 1), (int) stmt_col_int(st, 2) }, .opened_ms = stmt_col_int(st, 3),
			.closed_ms = stmt_col_int(st, 4) };
		week_path(w, path, info.week);
		info.local = access(path, F_OK) == 0;
		go_on = cb(u, &info);
	}
	store_rollback(w->meta);
	return r < 0 ? err_trace(r) : 0;
}

int week_open_past(struct week *w, struct clk_week week, struct store **ret)
{
	char path[WEEK_PATH_MAX];
	week_path(w, path, week);
	return err_trace(store_open_in(ret, w->gate, path, STORE_READ, &schema_week));
}

struct weeks { /* newest first */
	struct week_info all[WEEKS_MAX];
	size_t n;
};

static bool take_week(void *u, const struct week_info *info)
{
	struct weeks *ws = u;
	ws->all[ws->n++] = *info;
	return ws->n < WEEKS_MAX;
}

static int bring_up(struct week *w, const struct week_info *info)
{
	char next[WEEK_PATH_MAX], path[WEEK_PATH_MAX];
	struct gate *gate;
	struct store *db;
	(void) snprintf(next, sizeof next, "%s/next", w->dir);
	week_path(w, path, info->week);
	if (mkdir(next, 0770) < 0 && errno != EEXIST)
		return err_say(-errno, "%s: %s", next, strerror(errno));
	int r = gate_open(&gate, next);
	if (r < 0)
		return err_trace(r);
	r = gate_enter(gate);
	if (r == 0) {
		r = store_open_in(&db, gate, path, STORE_WRITE, &schema_week);
		if (r == 0)
			r = store_close_whole(db);
		gate_leave(gate);
	}
	(void) gate_close(gate);
	return err_trace(r);
}

int week_bring_up_past(struct week *w)
{
	struct weeks ws = { .n = 0 };
	int r = week_list(w, take_week, &ws);
	for (size_t i = 0; r == 0 && i < ws.n; i++) {
		struct store *db;
		if (!ws.all[i].local || ws.all[i].closed_ms == 0)
			continue;
		int x = week_open_past(w, ws.all[i].week, &db);
		if (x == 0)
			(void) store_close(db);
		else if (x == -EPROTO) /* behind: readers do not open it */
			r = bring_up(w, &ws.all[i]);
	}
	if (r == 0)
		err_clear();
	return err_trace(r);
}

/* The week's store in a transaction; past ones from the few that are kept open. STORE_E_ABSENT: its file is not here. */
static int store_of(struct week *w, const struct week_info *info, struct store **ret)
{
	size_t i = 0;
	if (info->id == w->id) {
		CHECK(store_in_tx(w->book));
		*ret = w->book;
		return 0;
	}
	while (i < PAST_OPEN_MAX - 1 && w->past[i].db && w->past[i].id != info->id)
		i++;
	struct store *db = w->past[i].db;
	if (!db || w->past[i].id != info->id) {
		struct store *fresh;
		int r = week_open_past(w, info->week, &fresh);
		if (r != 0)
			return err_trace(r);
		(void) store_close(db);
		db = fresh;
	}
	memmove(&w->past[1], &w->past[0], i * sizeof w->past[0]);
	w->past[0].id = info->id;
	w->past[0].db = db;
	*ret = db;
	if (store_in_tx(db))
		return 0;
	int r = store_begin(db);
	return r > 0 ? err_say(-ENOSPC, "%s: the disk is full", store_path(db)) : err_trace(r);
}

/* A file that was purged gives its room back only once nobody has it open. */
void week_leave_past(struct week *w)
{
	for (size_t i = 0; i < PAST_OPEN_MAX && w->past[i].db; i++) {
		store_rollback(w->past[i].db);
		if (access(store_path(w->past[i].db), F_OK) == 0)
			continue;
		(void) store_close(w->past[i].db);
		memmove(&w->past[i], &w->past[i + 1], (PAST_OPEN_MAX - 1 - i) * sizeof w->past[0]);
		w->past[PAST_OPEN_MAX - 1].db = NULL;
		i--;
	}
}

/* A bet that was open when its week ended is decided in a later file: `at` is the bet's week in ws. */
static int follow(struct week *w, const struct weeks *ws, size_t at, struct bet *b)
{
	while (b->state == BET_CONFIRMED && at-- > 0) {
		struct store *db;
		struct stored_bet later;
		int r = store_of(w, &ws->all[at], &db);
		if (r == STORE_E_ABSENT)
			continue;
		if (r == 0)
			r = book_load(db, b->user, b->cell.t0_s, b->cell.low_cents, &later);
		if (r < 0)
			return err_trace(r);
		if (r != 0)
			return 0;
		later.bet.cell.high_cents = b->cell.high_cents;
		*b = later.bet;
	}
	return 0;
}

struct span { /* what both lists ask of a week */
	int64_t from_ms, to_ms, cursor;
};

enum { SPAN_SKIP, SPAN_READ, SPAN_END };

static void miss(struct week_missing *missing, struct clk_week week)
{
	if (missing->n < WEEKS_MISSING_MAX)
		missing->weeks[missing->n++] = week;
}

static int look_at(const struct span *s, const struct week_info *info, struct week_missing *missing, int64_t *ret_before)
{
	int64_t cursor_week = s->cursor >> ROW_BITS;
	*ret_before = 0;
	if (info->closed_ms != 0 && info->closed_ms < s->from_ms - CLOCK_SLACK_MS)
		return SPAN_END;
	if (s->cursor > 0 && info->id > cursor_week)
		return SPAN_SKIP;
	if (s->to_ms < INT64_MAX - CLOCK_SLACK_MS && info->opened_ms > s->to_ms + CLOCK_SLACK_MS)
		return SPAN_SKIP;
	if (!info->local) {
		miss(missing, info->week);
		return SPAN_SKIP;
	}
	if (s->cursor > 0 && info->id == cursor_week)
		*ret_before = s->cursor & ((INT64_C(1) << ROW_BITS) - 1);
	return SPAN_READ;
}

/* Weeks that ended before the account was opened have nothing of it. */
static int narrow(struct week *w, int64_t user, struct span *s, struct account *ret)
{
	int r = ledger_account_by_id(w->book, user, ret);
	if (r == 0 && ret->created_ms > s->from_ms)
		s->from_ms = ret->created_ms;
	return err_trace(r);
}

struct bet_walk {
	struct week *w;
	const struct weeks *ws;
	size_t at;
	const struct bet_query *q;
	bet_cb *cb;
	void *u;
	size_t shown, wanted; /* wanted: as many there can be */
	bool more, stopped;
	int r;
};

static bool show_bet(void *u, const struct bet *b, int64_t row)
{
	struct bet_walk *bw = u;
	struct bet bet = *b;
	bw->r = follow(bw->w, bw->ws, bw->at, &bet);
	if (bw->r < 0)
		return false;
	if (bw->q->status != 0 && (int) bet.state != bw->q->status)
		return true;
	if (bw->shown == bw->q->limit) {
		bw->more = bw->stopped = true;
		return false;
	}
	bw->shown++;
	bw->stopped = !bw->cb(bw->u, &bet, cursor_of(bw->ws->all[bw->at].id, row)) || bw->shown == bw->wanted;
	return !bw->stopped;
}

int week_bets(struct week *w, const struct bet_query *q, bet_cb *cb, void *u, bool *ret_more, struct week_missing *ret_missing)
{
	struct weeks ws = { .n = 0 };
	struct bet_walk bw = { .w = w, .ws = &ws, .q = q, .cb = cb, .u = u };
	struct span span = { q->from_ms, q->to_ms, q->before_row };
	struct account a;
	ret_missing->n = 0;
	*ret_more = false;
	int r = narrow(w, q->user, &span, &a);
	if (r != 0)
		return r == LEDGER_E_ABSENT ? 0 : err_trace(r);
	bw.wanted = q->status == BET_CONFIRMED ? (size_t) a.open_bets : SIZE_MAX;
	bw.stopped = bw.wanted == 0;
	r = week_list(w, take_week, &ws);
	for (; r == 0 && !bw.stopped && bw.at < ws.n; bw.at++) {
		struct bet_query one = *q;
		struct store *db;
		bool more;
		int look = look_at(&span, &ws.all[bw.at], ret_missing, &one.before_row);
		if (look == SPAN_END)
			break;
		if (look == SPAN_SKIP)
			continue;
		one.status = 0;
		one.limit = SIZE_MAX;
		r = store_of(w, &ws.all[bw.at], &db);
		if (r == STORE_E_ABSENT) { /* purged since the list was read */
			miss(ret_missing, ws.all[bw.at].week);
			r = 0;
			continue;
		}
		if (r == 0)
			r = book_bets(db, &one, show_bet, &bw, &more);
		if (r == 0)
			r = bw.r;
	}
	*ret_more = bw.more;
	week_leave_past(w);
	return err_trace(r);
}

struct entry_walk {
	const struct ledger_query *q;
	ledger_cb *cb;
	void *u;
	int64_t week_id;
	size_t shown;
	bool more, stopped;
};

static bool show_entry(void *u, const struct entry *e)
{
	struct entry_walk *ew = u;
	struct entry shown = *e;
	if (ew->shown == ew->q->limit) {
		ew->more = ew->stopped = true;
		return false;
	}
	shown.row = cursor_of(ew->week_id, e->row);
	ew->shown++;
	ew->stopped = !ew->cb(ew->u, &shown);
	return !ew->stopped;
}

int week_ledger(struct week *w, const struct ledger_query *q, ledger_cb *cb, void *u, bool *ret_more,
		struct week_missing *ret_missing)
{
	struct weeks ws = { .n = 0 };
	struct entry_walk ew = { .q = q, .cb = cb, .u = u };
	struct span span = { q->from_ms, q->to_ms, q->before_row };
	struct account a;
	ret_missing->n = 0;
	*ret_more = false;
	int r = narrow(w, q->user, &span, &a);
	if (r != 0)
		return r == LEDGER_E_ABSENT ? 0 : err_trace(r);
	r = week_list(w, take_week, &ws);
	for (size_t at = 0; r == 0 && !ew.stopped && at < ws.n; at++) {
		struct ledger_query one = *q;
		struct store *db;
		bool more;
		int look = look_at(&span, &ws.all[at], ret_missing, &one.before_row);
		if (look == SPAN_END)
			break;
		if (look == SPAN_SKIP)
			continue;
		one.limit = SIZE_MAX;
		ew.week_id = ws.all[at].id;
		r = store_of(w, &ws.all[at], &db);
		if (r == STORE_E_ABSENT) {
			miss(ret_missing, ws.all[at].week);
			r = 0;
			continue;
		}
		if (r == 0)
			r = ledger_list(db, &one, show_entry, &ew, &more);
	}
	*ret_more = ew.more;
	week_leave_past(w);
	return err_trace(r);
}

int week_bet_by_id(struct week *w, const struct ulid *id, int64_t row_cents, struct bet *ret)
{
	struct weeks ws = { .n = 0 };
	struct bet_key key;
	bet_key_of(&key, id);
	int r = book_bet_by_id(w->book, id, row_cents, ret);
	if (r != BOOK_E_ABSENT)
		return err_trace(r);
	r = week_list(w, take_week, &ws);
	for (size_t at = 0; r == 0 && at < ws.n; at++) {
		struct store *db;
		const struct week_info *info = &ws.all[at];
		if (info->id == w->id || !info->local || info->opened_ms > key.placed_ms + CLOCK_SLACK_MS)
			continue;
		if (info->closed_ms < key.placed_ms - CLOCK_SLACK_MS)
			break;
		r = store_of(w, info, &db);
		if (r == STORE_E_ABSENT) {
			r = 0;
			continue;
		}
		if (r == 0)
			r = book_bet_by_id(db, id, row_cents, ret);
		if (r == 0) {
			r = follow(w, &ws, at, ret);
			week_leave_past(w);
			return err_trace(r);
		}
		r = r == BOOK_E_ABSENT ? 0 : r;
	}
	week_leave_past(w);
	return r == 0 ? BOOK_E_ABSENT : err_trace(r);
}

/* In the weeks before the current one, newest first. A file whose copy was carried over is passed by for the one that decided,
 * but whether all of its bets are decided is what the newest file says. */
static int past_column(struct week *w, int64_t t0_s, struct column *ret, struct store **ret_db)
{
	struct weeks ws = { .n = 0 };
	int found = BOOK_E_ABSENT;
	int r = week_list(w, take_week, &ws);
	for (size_t at = 0; r == 0 && at < ws.n; at++) {
		const struct week_info *info = &ws.all[at];
		struct store *db;
		struct column c;
		if (info->id == w->id || !info->local)
			continue;
		if (info->closed_ms < t0_s * 1000) /* a column is recorded after its end: not in a week that was closed before */
			break;
		r = store_of(w, info, &db);
		if (r == STORE_E_ABSENT) {
			r = 0;
			continue;
		}
		if (r == 0)
			r = book_column(db, t0_s, &c);
		if (r == 0) {
			if (found == 0)
				c.settling = ret->settling;
			*ret = c;
			*ret_db = db;
			found = 0;
			if (c.settled_ms >= info->opened_ms)
				return 0;
		}
		r = r == BOOK_E_ABSENT ? 0 : r;
	}
	return r == 0 ? found : err_trace(r);
}

int week_column(struct week *w, int64_t t0_s, struct column *ret, struct store **ret_db)
{
	struct column older;
	struct store *older_db = NULL;
	int r = book_column(w->book, t0_s, ret);
	*ret_db = w->book;
	if (r < 0 || (r == 0 && ret->settled_ms >= w->opened_ms))
		return err_trace(r);
	int found = past_column(w, t0_s, &older, &older_db);
	if (found != 0)
		return found < 0 ? err_trace(found) : r; /* the copy will do */
	if (r == 0)
		older.settling = ret->settling;
	*ret = older;
	*ret_db = older_db;
	return 0;
}

int week_quotes(struct week *w, int64_t from_ms, int64_t to_ms, book_quote_cb *cb, void *u)
{
	struct weeks ws = { .n = 0 };
	int r = week_list(w, take_week, &ws);
	for (size_t at = 0; r == 0 && at < ws.n; at++) {
		const struct week_info *info = &ws.all[at];
		struct store *db;
		if (!info->local || info->opened_ms > to_ms + CLOCK_SLACK_MS)
			continue;
		if (info->closed_ms != 0 && info->closed_ms < from_ms - CLOCK_SLACK_MS)
			break;
		r = store_of(w, info, &db);
		if (r == STORE_E_ABSENT) {
			r = 0;
			continue;
		}
		if (r == 0)
			r = book_quotes(db, from_ms, to_ms, cb, u);
	}
	week_leave_past(w);
	return err_trace(r);
}
