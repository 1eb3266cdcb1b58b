#include "settle.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "check.h"
#include "err.h"
#include "hex.h"
#include "outcome.h"

enum {
	BETS_PER_PAGE = 256,
	EVIDENCE_MAX = 32 + PATH_TICKS_MAX * 20 /* two varints a tick, at their widest */
};

/* One column while it is decided. */
struct deciding {
	struct store *db;
	const struct settings *rules;
	const struct path *path;
	int64_t now_ms;
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

static enum bet_state state_of(enum outcome outcome)
{
	switch (outcome) {
	case OUTCOME_WON:
		return BET_WON;
	case OUTCOME_LOST:
		return BET_LOST;
	case OUTCOME_VOID:
		return BET_VOID;
	}
	CHECK(false && "an outcome is one of three");
	return BET_VOID;
}

static int keep(struct deciding *d, const struct bet *bet, const struct account *account)
{
	if (d->n == d->room) {
		size_t room = d->room ? 2 * d->room : 64;
		struct settled_bet *more = reallocarray(d->bets, room, sizeof *more);
		if (!more)
			return err_say(-ENOMEM, "column %lld: no memory for its %zu bets", (long long) d->path->t0_s, room);
		d->bets = more;
		d->room = room;
	}
	d->bets[d->n++] = (struct settled_bet){ .account = *account, .bet = *bet };
	return 0;
}

static int count(struct settle_result *result, const struct bet *bet)
{
	result->column.bets++;
	result->won += bet->state == BET_WON;
	result->lost += bet->state == BET_LOST;
	result->refunded += bet->state == BET_VOID;
	if (!money_add(&result->stakes, result->stakes, bet->stake) || !money_add(&result->paid, result->paid, bet->payout))
		return err_say(-EOVERFLOW, "column %lld: its sum is beyond 64 bits", (long long) bet->cell.t0_s);
	return 0;
}

static int decide_bet(struct deciding *d, struct bet *bet)
{
	enum outcome outcome = outcome_of(d->path, &bet->cell);
	if (!outcome_payout(&bet->payout, outcome, bet->stake, bet->rate))
		return err_say(-EOVERFLOW, "column %lld: a payout is beyond 64 bits", (long long) bet->cell.t0_s);
	bet_move(bet, state_of(outcome));
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
	if (r > 0)
		return err_say(-EBADMSG, "column %lld: user %lld's bet cannot be decided (%d)", (long long) bet->cell.t0_s,
				(long long) bet->user, r);
	if (r < 0)
		return err_trace(r);
	r = count(&d->result, bet);
	return r ? r : keep(d, bet, &account);
}

/* Page by page, since a statement that is being read must not see its rows change. */
static int decide_bets(struct deciding *d)
{
	struct page *page = malloc(sizeof *page);
	if (!page)
		return -ENOMEM;
	int64_t after_low = -1, after_user = 0;
	int r;
	do {
		page->n = 0;
		r = book_column_bets(d->db, d->path->t0_s, d->rules->row_cents, after_low, after_user, BETS_PER_PAGE,
				page_take, page);
		for (size_t i = 0; r == 0 && i < page->n; i++) {
			after_low = page->bets[i].cell.low_cents;
			after_user = page->bets[i].user;
			r = decide_bet(d, &page->bets[i]);
		}
	} while (r == 0 && page->n == BETS_PER_PAGE);
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
	path_encode(d->path, &evidence);
	int r = evidence.failed ? -ENOMEM : book_put_column(d->db, &d->result.column, evidence.p, evidence.n);
	buf_free(&evidence);
	if (r > 0)
		return err_say(-EBADMSG, "column %lld was recorded under our hands", (long long) d->path->t0_s);
	return err_trace(r);
}

/* Everything between BEGIN and COMMIT. */
static int decide(struct deciding *d)
{
	struct column there;
	int r = book_column(d->db, d->path->t0_s, &there);
	if (r == 0) {
		d->result.column = there;
		return SETTLE_E_DONE;
	}
	if (r < 0)
		return err_trace(r);
	struct hash prev;
	r = previous_digest(d->db, d->path->t0_s, d->path->column_s, &prev);
	if (r < 0)
		return r;
	d->result.column = column_of(d->path, &prev, d->now_ms);
	r = decide_bets(d);
	if (r < 0)
		return r;
	return put_column(d);
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
	if (r > 0 || r == -ENOSPC) {
		week_rollback(w);
		return SETTLE_E_FULL;
	}
	return err_trace(r);
}

int settle_column(struct week *w, const struct settings *s, const struct path *path, int64_t now_ms,
		struct settle_result *ret, settled_cb *cb, void *u)
{
	CHECK(path->column_s == s->column_s && path->t0_s % path->column_s == 0);
	CHECK(path->n <= PATH_TICKS_MAX);
	struct deciding d = { .rules = s, .path = path, .now_ms = now_ms };
	int r = transact(w, &d);
	if (r == 0 || r == SETTLE_E_DONE)
		*ret = d.result;
	/* persist, then speak */
	for (size_t i = 0; r == 0 && cb && i < d.n; i++)
		cb(u, &d.bets[i]);
	free(d.bets);
	return r;
}
