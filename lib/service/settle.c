#include "settle.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "check.h"
#include "clk.h"
#include "err.h"
#include "hex.h"
#include "outcome.h"

enum {
	PAGE_BETS = 2048,
	STALE = 100, /* another moved the mark since the page was read */
	EVIDENCE_MAX = 32 + PATH_TICKS_MAX * 20 /* two varints a tick, at their widest */
};

/* Open bets of the column in key order, as a look at the book found them: bets[next] to bets[n - 1] are after (after_low, after_user). */
struct page {
	struct bet bets[PAGE_BETS];
	size_t n, next;
	int64_t after_low, after_user;
	bool begun; /* the column was recorded by then */
};

/* One column while it is decided, from slice to slice. */
struct deciding {
	struct store *db;
	const struct settings *rules;
	const struct settle_slice *slice;
	int64_t t0_s, now_ms;
	const struct path *given; /* what to begin by; NULL: only to go on */
	struct path path;         /* the evidence's, once known */
	bool has_path;
	struct tick *ticks;       /* path's, when it was read back */
	struct column column;
	struct settling at;
	struct page *page;
	bool fresh;               /* begun by this slice */
	size_t n_slice;
	struct settle_result result;
	struct settled_bet *bets; /* to be told after the commit */
	size_t n, room;
};

static bool page_take(void *u, const struct bet *b, int64_t row)
{
	struct page *page = u;
	(void) row;
	CHECK(page->n < PAGE_BETS);
	page->bets[page->n++] = *b;
	return true;
}

static void drop_page(struct page *page)
{
	page->n = page->next = 0;
}

/* Where the column's open bets begin: after the mark, at the start when nothing is recorded, nowhere when it is done. */
static int read_page(struct deciding *d, struct store *look)
{
	struct page *page = d->page;
	struct column column;
	struct settling at = { .after_low = -1 };
	int r = book_settling(look, d->t0_s, &at);
	page->begun = r == 0;
	if (r == BOOK_E_ABSENT) {
		r = book_column(look, d->t0_s, &column);
		if (r >= 0)
			r = r == BOOK_E_ABSENT ? 0 : BOOK_E_DECIDED;
	}
	page->after_low = at.after_low;
	page->after_user = at.after_user;
	if (r == 0)
		r = book_column_bets(look, d->t0_s, d->rules->row_cents, at.after_low, at.after_user, PAGE_BETS, page_take, page);
	if (r == 0 && page->begun && page->n == 0)
		return err_say(-EBADMSG, "column %lld: %lld open bets are not there", (long long) d->t0_s, (long long) at.open_bets);
	return r < 0 ? err_trace(r) : 0;
}

/* The next bets to decide, read while nobody is held up: no bet joins a recorded column, and those after the mark stay open until
 * the mark moves, so what was read is true for as long as the mark is where it was. */
static int fill_page(struct week *w, struct deciding *d)
{
	struct store *look;
	if (!d->page)
		d->page = calloc(1, sizeof *d->page);
	if (!d->page)
		return -ENOMEM;
	if (d->page->next < d->page->n)
		return 0;
	drop_page(d->page);
	int r = week_look_begin(w, &look);
	if (r != 0)
		return r < 0 ? err_trace(r) : SETTLE_E_FULL;
	r = read_page(d, look);
	week_look_end(w);
	return r == -ENOSPC ? SETTLE_E_FULL : r;
}

/* Inside the transaction. Before the column was recorded a bet may have joined it: then the page is all of them or it is nothing. */
static bool page_serves(const struct deciding *d)
{
	const struct page *page = d->page;
	if (d->fresh)
		return page->next == 0 && !page->begun && page->n < PAGE_BETS && (int64_t) page->n == d->at.open_bets;
	return page->next < page->n && page->begun && page->after_low == d->at.after_low && page->after_user == d->at.after_user;
}

static int keep(struct deciding *d, const struct bet *bet, const struct account *account)
{
	if (d->n == d->room) {
		size_t room = d->room ? 2 * d->room : 64;
		struct settled_bet *more = reallocarray(d->bets, room, sizeof *more);
		if (!more)
			return err_say(-ENOMEM, "column %lld: no memory for its %zu bets", (long long) d->t0_s, room);
		d->bets = more;
		d->room = room;
	}
	d->bets[d->n++] = (struct settled_bet){ .account = *account, .bet = *bet };
	return 0;
}

static int count(struct settle_result *result, const struct bet *bet)
{
	result->won += bet->state == BET_WON;
	result->lost += bet->state == BET_LOST;
	result->refunded += bet->state == BET_VOID;
	if (!money_add(&result->stakes, result->stakes, bet->stake) || !money_add(&result->paid, result->paid, bet->payout))
		return err_say(-EOVERFLOW, "column %lld: its sum is beyond 64 bits", (long long) bet->cell.t0_s);
	return 0;
}

/* By the evidence alone. */
static int judge(struct deciding *d, struct bet *bet)
{
	static const enum bet_state states[] = { [OUTCOME_WON] = BET_WON, [OUTCOME_LOST] = BET_LOST, [OUTCOME_VOID] = BET_VOID };
	enum outcome outcome = outcome_of(&d->path, &bet->cell);
	if (!outcome_payout(&bet->payout, outcome, bet->stake, bet->rate))
		return err_say(-EOVERFLOW, "column %lld: a payout is beyond 64 bits", (long long) bet->cell.t0_s);
	bet_move(bet, states[outcome]);
	bet->resolved_ms = d->now_ms;
	return count(&d->result, bet);
}

static int write_range(struct deciding *d, const struct bet *bets, size_t n, struct account *accounts)
{
	int64_t rows[SETTLE_RANGE_BETS];
	int r = ledger_settle_bets(d->db, bets, n, accounts, rows);
	if (r == LEDGER_E_OVERFLOW)
		return err_say(-EOVERFLOW, "column %lld: a balance would pass 64 bits", (long long) d->t0_s);
	if (r > 0)
		return err_say(-EBADMSG, "column %lld: the ledger has no place for its bets (%d)", (long long) d->t0_s, r);
	if (r == 0)
		r = book_decide_bets(d->db, bets, n, rows);
	return r > 0 ? err_say(-EBADMSG, "column %lld: a bet after the mark is not open", (long long) d->t0_s) : err_trace(r);
}

/* The next n of the page: judged, then written by a statement a table. */
static int decide_range(struct deciding *d, size_t n)
{
	struct account accounts[SETTLE_RANGE_BETS];
	struct bet *bets = &d->page->bets[d->page->next];
	int r = 0;
	for (size_t i = 0; r == 0 && i < n; i++)
		r = judge(d, &bets[i]);
	if (r == 0)
		r = write_range(d, bets, n, accounts);
	for (size_t i = 0; r == 0 && i < n; i++) {
		bets[i].resolved_ms = d->column.settled_ms; /* a bet is resolved when its column is, whichever slice it is in */
		r = keep(d, &bets[i], &accounts[i]);
	}
	if (r < 0)
		return r;
	d->page->next += n;
	d->page->after_low = d->at.after_low = bets[n - 1].cell.low_cents;
	d->page->after_user = d->at.after_user = bets[n - 1].user;
	d->at.open_bets -= (int64_t) n;
	d->n_slice += n;
	return 0;
}

static bool slice_is_full(const struct deciding *d, int64_t from_us)
{
	return d->n_slice >= d->slice->bets || (d->n_slice > 0 && clk_mono_us() - from_us >= d->slice->us);
}

static size_t range_of(const struct deciding *d)
{
	size_t n = d->page->n - d->page->next, left = d->slice->bets - d->n_slice;
	n = n < left ? n : left;
	return n < SETTLE_RANGE_BETS ? n : SETTLE_RANGE_BETS;
}

static int decide_bets(struct deciding *d, int64_t from_us)
{
	int r = 0;
	if (!page_serves(d)) {
		drop_page(d->page);
		return d->fresh ? 0 : STALE;
	}
	d->page->begun = true; /* when this commits; else the page goes */
	while (r == 0 && d->at.open_bets > 0 && d->page->next < d->page->n && !slice_is_full(d, from_us))
		r = decide_range(d, range_of(d));
	return r;
}

/* The digest that a column is chained to: that of the column before it, zeros when that one was never recorded. */
static int previous_digest(struct store *db, int64_t t0_s, int64_t column_s, struct hash *ret)
{
	struct column before;
	int r = book_column(db, t0_s - column_s, &before);
	if (r < 0)
		return err_trace(r);
	*ret = r == 0 ? before.digest : (struct hash){ 0 };
	return 0;
}

static struct column column_of(const struct path *path, const struct hash *prev, int64_t now_ms)
{
	struct column c = {
		.t0_s = path->t0_s,
		.status = path->is_void ? COLUMN_VOID : COLUMN_SETTLED,
		.has_anchor = path->has_anchor,
		.low_cents = path->low_cents,
		.high_cents = path->high_cents,
		.n_ticks = (int64_t) path->n,
		.prev_digest = *prev,
		.digest = path_digest(path, prev),
		.settled_ms = now_ms,
	};
	if (path->has_anchor)
		c.anchor = path->ticks[0];
	return c;
}

static int put_column(struct deciding *d)
{
	struct buf evidence = BUF_INIT(EVIDENCE_MAX);
	path_encode(&d->path, &evidence);
	int r = evidence.failed ? -ENOMEM : book_put_column(d->db, &d->column, evidence.p, evidence.n);
	buf_free(&evidence);
	CHECK(r <= 0); /* this transaction saw that it was not recorded */
	return err_trace(r);
}

/* The first slice: the given path becomes the evidence. From here on no bet joins the column, so its bets are counted once. */
static int begin(struct deciding *d)
{
	struct hash prev;
	if (!d->given)
		return SETTLE_E_NOT_BEGUN;
	int r = previous_digest(d->db, d->t0_s, d->rules->column_s, &prev);
	if (r < 0)
		return r;
	d->path = *d->given;
	d->column = column_of(&d->path, &prev, d->now_ms);
	d->has_path = true;
	d->at = (struct settling){ .t0_s = d->t0_s, .after_low = -1 };
	r = book_count_open(d->db, d->t0_s, &d->at.open_bets);
	d->column.bets = d->at.open_bets;
	d->fresh = true;
	return err_trace(r);
}

/* What was recorded decides, whoever recorded it: the path that we were given counts only if it is the same. */
static int read_evidence(struct deciding *d)
{
	size_t n = 0;
	if (d->has_path) /* an earlier slice of ours recorded it, or read it from there: it is for ever */
		return 0;
	d->ticks = calloc(PATH_TICKS_MAX, sizeof *d->ticks);
	if (!d->ticks)
		return -ENOMEM;
	int r = book_evidence(d->db, d->t0_s, d->ticks, PATH_TICKS_MAX, &n);
	CHECK(r <= 0); /* the column is there */
	if (r < 0)
		return err_trace(r);
	d->path = path_cut(d->ticks, n, d->t0_s, d->rules->column_s, d->rules->max_tick_gap_ms);
	struct hash digest = path_digest(&d->path, &d->column.prev_digest);
	d->path.is_void = d->column.status == COLUMN_VOID; /* also when the rule for gaps was changed since */
	if (memcmp(&digest, &d->column.digest, sizeof digest) != 0)
		return err_say(-EBADMSG, "column %lld: the digest is not its evidence's", (long long) d->t0_s);
	d->has_path = true;
	return 0;
}

static int go_on(struct deciding *d)
{
	int r = book_settling(d->db, d->t0_s, &d->at);
	if (r != 0)
		return r < 0 ? err_trace(r) : SETTLE_E_DONE;
	return read_evidence(d);
}

static int note(struct deciding *d)
{
	int r = 0;
	if (!d->fresh || d->at.open_bets > 0)
		r = book_put_settling(d->db, &d->at);
	if (r == 0 && d->fresh)
		r = put_column(d);
	return err_trace(r);
}

/* Everything between BEGIN and COMMIT. */
static int decide(struct deciding *d)
{
	int64_t from_us = clk_mono_us();
	d->fresh = false;
	d->n = d->n_slice = 0;
	int r = book_column(d->db, d->t0_s, &d->column);
	if (r < 0)
		return err_trace(r);
	r = r == 0 ? go_on(d) : begin(d);
	if (r == 0)
		r = decide_bets(d, from_us);
	return r == 0 ? note(d) : r;
}

static int transact(struct week *w, struct deciding *d)
{
	int r = week_begin(w, &d->db);
	if (r != 0)
		return r < 0 ? err_trace(r) : SETTLE_E_FULL;
	r = decide(d);
	if (r != 0) {
		week_rollback(w);
		return r == -ENOSPC ? SETTLE_E_FULL : r;
	}
	r = week_commit(w);
	if (r != 0)
		return r < 0 ? err_trace(r) : SETTLE_E_FULL;
	return d->at.open_bets > 0 ? SETTLE_E_MORE : 0;
}

static int look_and_transact(struct week *w, struct deciding *d)
{
	int r;
	do {
		r = fill_page(w, d);
		if (r == 0)
			r = transact(w, d);
	} while (r == STALE); /* which costs another's progress each time */
	return r;
}

/* One transaction; what it did not commit does not count. */
static int run_slice(struct week *w, struct deciding *d, settled_cb *cb, void *u)
{
	struct settle_result before = d->result;
	int r = look_and_transact(w, d);
	bool committed = r == 0 || r == SETTLE_E_MORE;
	if (!committed) {
		d->result = before;
		if (d->page)
			drop_page(d->page);
	}
	d->result.column = d->column;
	d->result.column.settling = r == SETTLE_E_MORE;
	/* persist, then speak */
	for (size_t i = 0; committed && cb && i < d->n; i++)
		cb(u, &d->bets[i]);
	return r;
}

static int end(struct deciding *d, int r, struct settle_result *ret)
{
	if (r >= 0)
		*ret = d->result;
	free(d->page);
	free(d->bets);
	free(d->ticks);
	return r;
}

static int run(struct week *w, struct deciding *d, struct settle_result *ret, settled_cb *cb, void *u)
{
	static const struct settle_slice slice = { .bets = SETTLE_SLICE_BETS, .us = SETTLE_SLICE_US };
	d->slice = &slice;
	int r = run_slice(w, d, cb, u);
	bool done = r == SETTLE_E_DONE;
	while (r == SETTLE_E_MORE)
		r = run_slice(w, d, cb, u);
	/* another may have decided the last of them */
	return end(d, r == SETTLE_E_DONE && !done ? 0 : r, ret);
}

static struct deciding deciding_by(const struct settings *s, const struct path *path, int64_t now_ms)
{
	CHECK(path->column_s == s->column_s && path->t0_s % path->column_s == 0);
	CHECK(path->n <= PATH_TICKS_MAX);
	return (struct deciding){ .rules = s, .given = path, .t0_s = path->t0_s, .now_ms = now_ms };
}

int settle_column(struct week *w, const struct settings *s, const struct path *path, int64_t now_ms,
		struct settle_result *ret, settled_cb *cb, void *u)
{
	struct deciding d = deciding_by(s, path, now_ms);
	return run(w, &d, ret, cb, u);
}

int settle_go_on(struct week *w, const struct settings *s, int64_t t0_s, int64_t now_ms, struct settle_result *ret,
		settled_cb *cb, void *u)
{
	struct deciding d = { .rules = s, .t0_s = t0_s, .now_ms = now_ms };
	return run(w, &d, ret, cb, u);
}

int settle_one_slice(struct week *w, const struct settings *s, const struct path *path, int64_t now_ms,
		const struct settle_slice *slice, struct settle_result *ret, settled_cb *cb, void *u)
{
	struct deciding d = deciding_by(s, path, now_ms);
	CHECK(slice->bets > 0);
	d.slice = slice;
	return end(&d, run_slice(w, &d, cb, u), ret);
}
