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
	BETS_PER_PAGE = 125,
	EVIDENCE_MAX = 32 + PATH_TICKS_MAX * 20 /* two varints a tick, at their widest */
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
	bool fresh;               /* begun by this slice */
	size_t n_slice;
	struct settle_result result;
	struct settled_bet *bets; /* to be told after the commit */
	size_t n, room;
};

struct page {
	struct bet bets[BETS_PER_PAGE];
	size_t n;
};

static bool page_take(void *u, const struct bet *b, int64_t row)
{
	struct page *page = u;
	(void) row;
	CHECK(page->n < BETS_PER_PAGE);
	page->bets[page->n++] = *b;
	return true;
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

static int decide_bet(struct deciding *d, struct bet *bet)
{
	static const enum bet_state states[] = { [OUTCOME_WON] = BET_WON, [OUTCOME_LOST] = BET_LOST, [OUTCOME_VOID] = BET_VOID };
	enum outcome outcome = outcome_of(&d->path, &bet->cell);
	if (!outcome_payout(&bet->payout, outcome, bet->stake, bet->rate))
		return err_say(-EOVERFLOW, "column %lld: a payout is beyond 64 bits", (long long) bet->cell.t0_s);
	bet_move(bet, states[outcome]);
	bet->resolved_ms = d->now_ms;

	struct account account;
	int64_t row = 0;
	int r = ledger_settle(d->db, bet, &account, &row);
	if (r == LEDGER_E_OVERFLOW)
		return err_say(-EOVERFLOW, "column %lld: user %lld's balance would pass 64 bits", (long long) bet->cell.t0_s,
				(long long) bet->user);
	if (r > 0)
		return err_say(-EBADMSG, "column %lld: the ledger has no place for user %lld's bet (%d)",
				(long long) bet->cell.t0_s, (long long) bet->user, r);
	if (r < 0)
		return err_trace(r);
	r = book_decide_bet(d->db, bet, row);
	CHECK(r <= 0); /* this transaction saw it open */
	if (r < 0)
		return err_trace(r);
	bet->resolved_ms = d->column.settled_ms; /* a bet is resolved when its column is, whichever slice it is in */
	r = count(&d->result, bet);
	return r ? r : keep(d, bet, &account);
}

static bool slice_is_full(const struct deciding *d, int64_t from_us)
{
	return d->n_slice >= d->slice->bets || (d->n_slice > 0 && clk_mono_us() - from_us >= d->slice->us);
}

static int decide_page(struct deciding *d, struct page *page, int64_t from_us)
{
	size_t left = d->slice->bets - d->n_slice;
	page->n = 0;
	int r = book_column_bets(d->db, d->t0_s, d->rules->row_cents, d->at.after_low, d->at.after_user,
			left < BETS_PER_PAGE ? left : BETS_PER_PAGE, page_take, page);
	if (r == 0 && page->n == 0)
		return err_say(-EBADMSG, "column %lld: %lld open bets are not there", (long long) d->t0_s,
				(long long) d->at.open_bets);
	for (size_t i = 0; r == 0 && i < page->n && !slice_is_full(d, from_us); i++) {
		d->at.after_low = page->bets[i].cell.low_cents;
		d->at.after_user = page->bets[i].user;
		r = decide_bet(d, &page->bets[i]);
		d->at.open_bets--;
		d->n_slice++;
	}
	return err_trace(r);
}

/* Page by page, since a statement that is being read must not see its rows change. */
static int decide_bets(struct deciding *d, int64_t from_us)
{
	if (d->at.open_bets == 0)
		return 0;
	struct page *page = malloc(sizeof *page);
	int r = page ? 0 : -ENOMEM;
	while (r == 0 && d->at.open_bets > 0 && !slice_is_full(d, from_us))
		r = decide_page(d, page, from_us);
	free(page);
	return err_trace(r);
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

/* One transaction; what it did not commit does not count. */
static int run_slice(struct week *w, struct deciding *d, settled_cb *cb, void *u)
{
	struct settle_result before = d->result;
	int r = transact(w, d);
	bool committed = r == 0 || r == SETTLE_E_MORE;
	if (!committed)
		d->result = before;
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
