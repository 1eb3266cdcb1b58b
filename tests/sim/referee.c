#include "referee_impl.h"

#include <inttypes.h>
#include <string.h>

#include "book.h"
#include "err.h"
#include "integrity.h"
#include "sim.h"
#include "week.h"
#include "withdraw.h"

enum { CATCH_UP_S = 900, STEP_MAX_MS = 31000 };

struct referee r;

const struct referee_counts *referee_counts(void)
{
	return &r.counts;
}

int64_t referee_next_column(void)
{
	return r.next_s;
}

struct wallet referee_wallet(int w)
{
	struct wallet ret = { { 0x51, (uint8_t) w, 0x17 } };
	ret.b[19] = (uint8_t) (w * 7 + 1);
	return ret;
}

int64_t referee_balance(int w)
{
	return r.wallets[w].balance;
}

int referee_withdraws(int w, int64_t micros)
{
	const struct model_wallet *m = &r.wallets[w];
	return m->suspended ? WITHDRAW_E_SUSPENDED : m->balance < micros ? WITHDRAW_E_FUNDS : 0;
}

void referee_open_books(void)
{
	int x = week_open(&r.look, r.dir, STORE_READ, sim.true_ms);
	MUST(x == 0, "the books cannot be read: %d", x);
}

void referee_close_books(void)
{
	r.look = week_close(r.look);
}

void referee_begin(const struct settings *s, const char *dir)
{
	memset(&r, 0, sizeof r);
	r.s = s;
	r.dir = dir;
	r.life = 1;
	for (int w = 0; w <= WALLETS; w++)
		r.wallets[w].cap_column = r.wallets[w].cap_open = INT64_MAX;
}

void referee_end(void)
{
	referee_close_books();
}

int wallet_number(const struct wallet *wallet)
{
	return wallet->b[1];
}

struct model_column *column_at(int64_t t0_s)
{
	struct model_column *c = &r.columns[t0_s / W % COLUMNS];
	if (c->t0_s != t0_s) {
		MUST(c->n == 0 || c->decided_ms, "column %" PRId64 " was never decided", c->t0_s);
		*c = (struct model_column){ .t0_s = t0_s };
	}
	return c;
}

const struct model_column *peek(int64_t t0_s)
{
	const struct model_column *c = &r.columns[(uint64_t) t0_s / W % COLUMNS];
	return c->t0_s == t0_s && t0_s > 0 ? c : NULL;
}

struct model_bet *find_bet(struct model_column *c, int w, int64_t low)
{
	for (int i = 0; i < c->n; i++)
		if (c->bets[i].w == w && c->bets[i].low == low)
			return &c->bets[i];
	return NULL;
}

int64_t pays(int64_t stake, int64_t rate)
{
	return (int64_t) ((__int128) stake * rate / 10000);
}

/* ---- what is decided ---- */

static enum bet_state outcome(const struct verdict *v, const struct model_bet *b)
{
	if (v->is_void)
		return BET_VOID;
	return b->low <= v->high && b->low + H >= v->low ? BET_WON : BET_LOST;
}

static void settle_bet(struct model_bet *b, const struct verdict *v)
{
	struct model_wallet *w = &r.wallets[b->w];
	b->state = outcome(v, b);
	b->payout = b->state == BET_WON ? pays(b->stake, b->rate) : b->state == BET_VOID ? b->stake : 0;
	r.open_bets -= pays(b->stake, b->rate);
	w->balance += b->payout;
	w->open_stake -= b->stake;
	w->open_bets--;
	w->seq++;
	r.counts.won += b->state == BET_WON;
	r.counts.lost += b->state == BET_LOST;
	r.counts.refunded += b->state == BET_VOID;
	r.counts.paid += b->payout;
}

/* It decides at its start, by its own clock, whether it was away for long; by then the first columns that it has to catch up with
 * may have bets, so that the first that it passes over is not as old. */
void referee_resolver_began(void)
{
	r.next_s = r.recorded_s + W; /* what its predecessor passed over without recording what came next is open again */
	memcpy(r.digest, r.recorded_digest, sizeof r.digest);
	r.any_column = r.any_column && r.recorded_s;
	r.passes_unread = false;
	r.begun = r.pending;
	bool long_away = r.any_column && sim.true_ms - r.next_s * 1000 > CATCH_UP_S * 1000 - STEP_MAX_MS;
	r.sparse_until_s = long_away ? (sim.true_ms + STEP_MAX_MS) / 1000 : 0;
}

void referee_history_away(void)
{
	r.passes_unread = true;
}

/* After a stop of more than CATCH_UP_S a resolver may pass over columns that have neither ticks nor bets (due.h), and of which it cannot
 * read whether they have ticks; what comes next is chained to nothing. */
static void pass_over(int64_t to_s)
{
	MUST(r.next_s < r.sparse_until_s, "column %" PRId64 " is asked for, %" PRId64 " is next", to_s, r.next_s);
	for (; r.next_s < to_s; r.next_s += W) {
		struct verdict passed = verdict_of(r.next_s, true, r.digest);
		const struct model_column *c = peek(r.next_s);
		MUST((r.passes_unread || passed.n == passed.anchored) && (!c || c->n == 0), "column %" PRId64 " is passed over with %" PRId64 " ticks and %d bets",
				r.next_s, passed.n, c ? c->n : 0);
		memset(r.digest, 0, sizeof r.digest);
		r.counts.passed_over++;
	}
}

void referee_asked(int64_t t0_s, bool answered)
{
	if (!r.any_column) { /* the first is the one that ran when the resolver began */
		r.any_column = true;
		r.next_s = t0_s;
	}
	if (t0_s > r.next_s)
		pass_over(t0_s);
	MUST(t0_s == r.next_s, "column %" PRId64 " is asked for, %" PRId64 " is next", t0_s, r.next_s);
	r.pending = verdict_of(t0_s, answered, r.digest);
}

/* A killed writer's commit may be all there and seen by nobody until the log is read anew: then the column stands as its predecessor had
 * begun it, and not as it was asked for since. */
static void choose_pending(const struct column *found)
{
	if (r.begun.t0_s == r.pending.t0_s && memcmp(found->digest.b, r.begun.digest, sizeof r.begun.digest) == 0)
		r.pending = r.begun;
}

static void look_at_pending(void)
{
	struct store *db;
	struct column found;
	MUST(week_begin(r.look, &db) == 0, "the book cannot be read");
	if (book_column(db, r.pending.t0_s, &found) == 0)
		choose_pending(&found);
	week_rollback(r.look);
}

static const struct verdict *verdict_for(const struct model_column *c)
{
	if (c->recorded)
		return &c->verdict;
	MUST(r.pending.t0_s == c->t0_s, "column %" PRId64 " is decided, and nobody asked for its ticks", c->t0_s);
	if (r.begun.t0_s == c->t0_s)
		look_at_pending();
	return &r.pending;
}

void referee_told(const struct account *a, const struct bet *b)
{
	struct model_column *c = column_at(b->cell.t0_s);
	int w = wallet_number(&a->wallet);
	struct model_bet *m = find_bet(c, w, b->cell.low_cents);
	MUST(m, "a bet of wallet %d is decided that nobody placed", w);
	MUST(m->state == BET_CONFIRMED, "wallet %d's bet on %" PRId64 " is decided twice", w, m->low);
	settle_bet(m, verdict_for(c));
	MUST(b->state == m->state && b->payout.micros == m->payout, "column %" PRId64 ", wallet %d: %s pays %" PRId64 ", must be %s and %"
			PRId64, c->t0_s, w, bet_state_name(b->state), b->payout.micros, bet_state_name(m->state), m->payout);
	MUST(a->balance.micros == r.wallets[w].balance && a->seq == r.wallets[w].seq, "wallet %d is told balance %" PRId64 " and seq %"
			PRId64 ", must be %" PRId64 " and %" PRId64, w, a->balance.micros, a->seq, r.wallets[w].balance, r.wallets[w].seq);
}

static void compare_column(const struct column *c, const struct verdict *v)
{
	MUST((c->status == COLUMN_VOID) == v->is_void, "column %" PRId64 ": %s", v->t0_s, v->is_void ? "must be void" : "must not be void");
	MUST(c->n_ticks == v->n && c->has_anchor == v->anchored, "column %" PRId64 ": %" PRId64 " ticks, must be %" PRId64, v->t0_s,
			c->n_ticks, v->n);
	MUST(!v->anchored || (c->anchor.t_ms == v->anchor_t && c->anchor.p_cents == v->anchor_p), "column %" PRId64 ": its anchor", v->t0_s);
	MUST(v->n == 0 || (c->low_cents == v->low && c->high_cents == v->high), "column %" PRId64 ": %" PRId64 " to %" PRId64
			", must be %" PRId64 " to %" PRId64, v->t0_s, c->low_cents, c->high_cents, v->low, v->high);
	MUST(memcmp(c->digest.b, v->digest, 32) == 0, "column %" PRId64 ": its digest", v->t0_s);
	MUST(memcmp(c->prev_digest.b, r.digest, 32) == 0, "column %" PRId64 ": what it is chained to", v->t0_s);
}

/* The bets of a recorded column, as the book has them: those that nobody told us of are learnt here. */
static void sync_column(struct store *db, struct model_column *c, bool settling)
{
	bool all = true;
	for (int i = 0; i < c->n; i++) {
		struct model_bet *m = &c->bets[i];
		struct bet b;
		if (m->state != BET_CONFIRMED)
			continue;
		struct cell cell = { c->t0_s, m->low, m->low + H };
		int x = book_bet(db, r.wallets[m->w].user, &cell, &b);
		MUST(x == 0, "wallet %d's bet on %" PRId64 " is not in the book (%d)", m->w, m->low, x);
		MUST(settling || b.state != BET_CONFIRMED, "column %" PRId64 " is decided, and wallet %d's bet is not", c->t0_s, m->w);
		all = all && b.state != BET_CONFIRMED;
		if (b.state == BET_CONFIRMED)
			continue;
		settle_bet(m, &c->verdict);
		MUST(b.state == m->state && b.payout.micros == m->payout, "column %" PRId64 ", wallet %d: %s, must be %s", c->t0_s, m->w,
				bet_state_name(b.state), bet_state_name(m->state));
	}
	if (!all)
		return;
	c->decided_ms = sim.true_ms;
	r.open_columns -= c->worst;
	r.decided[r.n_decided].at_ms = sim.true_ms;
	r.decided[r.n_decided].worst = c->worst;
	r.n_decided = (r.n_decided + 1) % DECIDED;
}

static void record(const struct column *found)
{
	struct model_column *c = column_at(r.next_s);
	choose_pending(found);
	compare_column(found, &r.pending);
	MUST(found->bets == c->n, "column %" PRId64 " has %" PRId64 " bets, must be %d", c->t0_s, found->bets, c->n);
	c->recorded = true;
	c->verdict = r.pending;
	memcpy(r.digest, r.pending.digest, sizeof r.digest);
	memcpy(r.recorded_digest, r.digest, sizeof r.digest);
	r.recorded_s = r.next_s;
	r.next_s += W;
	r.counts.columns++;
	r.counts.voids += c->verdict.is_void;
	r.counts.unread += !c->verdict.read;
}

void referee_look(void)
{
	struct store *db;
	struct column found;
	if (!r.any_column)
		return;
	MUST(week_begin(r.look, &db) == 0, "the book cannot be read");
	int x = book_column(db, r.next_s, &found);
	MUST(x >= 0, "column %" PRId64 " cannot be read", r.next_s);
	if (x == 0) {
		MUST(r.pending.t0_s == r.next_s, "column %" PRId64 " is recorded, and nobody asked for its ticks", r.next_s);
		record(&found);
	}
	for (int64_t t0_s = r.next_s - W; t0_s > r.next_s - 3 * W; t0_s -= W) {
		struct model_column *c = column_at(t0_s);
		if (!c->recorded || c->decided_ms)
			continue;
		MUST(book_column(db, t0_s, &found) == 0, "column %" PRId64 " is recorded no more", t0_s);
		sync_column(db, c, found.settling);
	}
	week_rollback(r.look);
}

void referee_opened(int w, int64_t user)
{
	r.wallets[w].opened = true;
	r.wallets[w].user = user;
}

void referee_posted(int w, int64_t micros)
{
	r.wallets[w].balance += micros;
	r.wallets[w].seq++;
}

void referee_suspended(int w, bool suspended)
{
	r.wallets[w].suspended = suspended;
}

void referee_limited(int w, int64_t cap_column, int64_t cap_open)
{
	r.wallets[w].cap_column = cap_column;
	r.wallets[w].cap_open = cap_open;
}

/* ---- the books as a whole ---- */

void referee_compare(void)
{
	struct store *db;
	MUST(week_begin(r.look, &db) == 0, "the book cannot be read");
	for (int w = 0; w < WALLETS; w++) {
		const struct model_wallet *m = &r.wallets[w];
		struct wallet wallet = referee_wallet(w);
		struct account a;
		int x = ledger_account(db, &wallet, &a);
		MUST(x == 0, "wallet %d has no account", w);
		MUST(a.balance.micros == m->balance, "wallet %d has %" PRId64 ", must have %" PRId64, w, a.balance.micros, m->balance);
		MUST(a.seq == m->seq && a.open_bets == m->open_bets && a.open_stake.micros == m->open_stake && a.suspended == m->suspended,
				"wallet %d: seq %" PRId64 ", %" PRId64 " open bets, must be %" PRId64 ", %" PRId64, w, a.seq, a.open_bets, m->seq,
				m->open_bets);
	}
	week_rollback(r.look);
}

static void audited(void *u, const struct week_info *week, const struct integrity *found)
{
	(void) u;
	MUST(!found->finding[0], "week %d-W%02d: %s", week->week.year, week->week.week, found->finding);
}

void referee_audit(void)
{
	int x = integrity_check_weeks(r.look, false, audited, NULL);
	MUST(x == 0, "the books are not whole: %d", x);
}
