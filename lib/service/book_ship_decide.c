/* What decided bets came to, done again: by the evidence alone, a range of them at a time as settle writes them. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "book_ship_impl.h"
#include "check.h"
#include "err.h"
#include "outcome.h"

int ship_other(const struct maker *m, const char *fmt, ...)
{
	char what[160];
	va_list ap;
	va_start(ap, fmt);
	(void) vsnprintf(what, sizeof what, fmt, ap);
	va_end(ap);
	(void) err_say(0, "commit %lld: %s", (long long) m->at.chain, what);
	return BOOK_SHIP_E_OTHER;
}

int ship_malformed(const struct maker *m, const char *what)
{
	return err_say(-EBADMSG, "commit %lld: %s is malformed", (long long) m->at.chain, what);
}

static bool hash_of(const struct ship_value *v, struct hash *ret)
{
	if (v->type != STMT_BLOB || v->n != HASH_SIZE)
		return false;
	memcpy(ret->b, v->p, HASH_SIZE);
	return true;
}

bool ship_column_of(const struct ship_change *c, struct column *ret)
{
	static const int integers[] = { 0, 1, 4, 5, 6, 10, 11 };
	const struct ship_value *v = c->row;
	for (size_t i = 0; i < ARRAY_LEN(integers); i++)
		if (v[integers[i]].type != STMT_INT)
			return false;
	bool anchored = v[2].type == STMT_INT && v[3].type == STMT_INT;
	*ret = (struct column){ .t0_s = v[0].i, .status = (enum column_status) v[1].i, .has_anchor = anchored,
		.low_cents = v[4].i, .high_cents = v[5].i, .n_ticks = v[6].i, .settled_ms = v[10].i, .bets = v[11].i };
	if (anchored)
		ret->anchor = (struct tick){ v[2].i, v[3].i };
	return v[7].type == STMT_BLOB && (v[1].i == COLUMN_SETTLED || v[1].i == COLUMN_VOID) && c->c.key == ret->t0_s &&
			hash_of(&v[8], &ret->digest) && hash_of(&v[9], &ret->prev_digest);
}

static const struct ship_change *told_column(const struct maker *m, int64_t t0_s)
{
	for (size_t i = 0; i < m->in.n_changes; i++)
		if (m->in.changes[i].c.kind == SEAL_COLUMN && m->in.changes[i].c.key == t0_s)
			return &m->in.changes[i];
	return NULL;
}

int ship_find_path(struct maker *m, int64_t t0_s)
{
	struct column column;
	size_t n = 0;
	if (m->has_path && m->path.t0_s == t0_s)
		return 0;
	const struct ship_change *told = told_column(m, t0_s);
	m->has_path = false;
	if (told) {
		if (!ship_column_of(told, &column) || !path_decode(told->row[7].p, told->row[7].n, m->ticks, PATH_TICKS_MAX, &n))
			return ship_malformed(m, "a column");
	} else {
		int r = book_column(m->db, t0_s, &column);
		if (r == 0)
			r = book_evidence(m->db, t0_s, m->ticks, PATH_TICKS_MAX, &n);
		if (r != 0)
			return r < 0 ? err_trace(r) : ship_other(m, "a bet of column %lld is decided, which is not recorded",
					(long long) t0_s);
	}
	m->path = path_cut(m->ticks, n, t0_s, m->rules->column_s, m->rules->max_tick_gap_ms);
	struct hash digest = path_digest(&m->path, &column.prev_digest);
	if (memcmp(&digest, &column.digest, sizeof digest) != 0)
		return ship_other(m, "column %lld: the digest is not its evidence's", (long long) t0_s);
	m->path.is_void = column.status == COLUMN_VOID; /* as settle does: also when the rule for gaps was changed since */
	m->has_path = true;
	return 0;
}

/* As settle.c decides it. Its outcome must be one of the states in `may` (bits). */
static int judge(struct maker *m, struct bet *bet, unsigned may, int64_t at_ms)
{
	static const enum bet_state states[] = { [OUTCOME_WON] = BET_WON, [OUTCOME_LOST] = BET_LOST, [OUTCOME_VOID] = BET_VOID };
	int r = ship_find_path(m, bet->cell.t0_s);
	if (r != 0)
		return r;
	bet->cell.high_cents = bet->cell.low_cents + m->rules->row_cents;
	enum outcome outcome = outcome_of(&m->path, &bet->cell);
	if (!(may & 1u << states[outcome]) || bet->state != BET_CONFIRMED ||
			!outcome_payout(&bet->payout, outcome, bet->stake, bet->rate))
		return ship_other(m, "column %lld: user %lld's bet on %lld comes out otherwise", (long long) bet->cell.t0_s,
				(long long) bet->user, (long long) bet->cell.low_cents);
	bet_move(bet, states[outcome]);
	bet->resolved_ms = at_ms;
	return 0;
}

/* Of one column, and judged: written by a statement a table. */
static int write_range(struct maker *m, const struct bet *bets, size_t n)
{
	struct account accounts[LEDGER_SETTLE_MAX];
	int64_t rows[LEDGER_SETTLE_MAX];
	int r = ledger_settle_bets(m->db, bets, n, accounts, rows);
	if (r == 0)
		r = book_decide_bets(m->db, bets, n, rows);
	return r > 0 ? ship_other(m, "the ledger has no place for a payout (%d)", r) : err_trace(r);
}

int ship_pay_gathered(struct maker *m)
{
	int r = m->n_paid > 0 ? write_range(m, m->paid, m->n_paid) : 0;
	m->n_paid = 0;
	return r;
}

int ship_gather_payout(struct maker *m, const struct ship_row *row)
{
	const struct bet *last = m->n_paid > 0 ? &m->paid[m->n_paid - 1] : NULL;
	enum bet_state state = row->type == LEDGER_PAYOUT ? BET_WON : BET_VOID;
	struct stored_bet b;
	int r = 0;
	if (last && (m->n_paid == LEDGER_SETTLE_MAX || last->cell.t0_s != row->t0_s || last->state != state ||
			last->resolved_ms != row->at_ms))
		r = ship_pay_gathered(m);
	if (r == 0) {
		r = book_load_undated(m->db, row->user, row->t0_s, row->low_cents, &b);
		if (r > 0)
			r = ship_other(m, "a payout of a bet that is not there");
	}
	if (r == 0)
		r = judge(m, &b.bet, 1u << state, row->at_ms);
	if (r == 0)
		m->paid[m->n_paid++] = b.bet;
	return r < 0 ? err_trace(r) : r;
}

struct page {
	struct bet bets[LEDGER_SETTLE_MAX];
	size_t n;
};

static bool page_take(void *u, const struct bet *b, int64_t row)
{
	struct page *page = u;
	(void) row;
	page->bets[page->n++] = *b;
	return true;
}

static bool beyond(const struct bet *b, const struct settling *until)
{
	if (until->open_bets == 0)
		return false;
	return b->cell.low_cents > until->after_low || (b->cell.low_cents == until->after_low && b->user > until->after_user);
}

/* The page's bets up to the mark. *ret_n: how many. */
static int judge_page(struct maker *m, struct page *page, const struct settling *until, size_t *ret_n)
{
	size_t n = 0;
	int r = 0;
	while (r == 0 && n < page->n && !beyond(&page->bets[n], until)) {
		r = judge(m, &page->bets[n], 1u << BET_LOST, 0);
		n++;
	}
	*ret_n = n;
	return r;
}

int ship_decide_lost(struct maker *m, const struct settling *until)
{
	struct page *page = malloc(sizeof *page);
	int64_t low = -1, user = 0;
	int r = page ? 0 : -ENOMEM;
	for (bool more = true; r == 0 && more;) {
		size_t n = 0;
		page->n = 0;
		r = book_column_bets(m->db, until->t0_s, m->rules->row_cents, low, user, LEDGER_SETTLE_MAX, page_take, page);
		if (r == 0)
			r = judge_page(m, page, until, &n);
		more = n == LEDGER_SETTLE_MAX;
		if (r != 0 || n == 0)
			break;
		low = page->bets[n - 1].cell.low_cents;
		user = page->bets[n - 1].user;
		r = write_range(m, page->bets, n);
	}
	free(page);
	return r;
}
