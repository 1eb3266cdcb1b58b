#include "referee.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "api_proc.h"
#include "auth_door.h"
#include "book.h"
#include "err.h"
#include "integrity.h"
#include "market.h"
#include "referee_path.h"
#include "sim.h"
#include "week.h"

enum { COLUMNS = 2048, BETS = 64, NONCES = 1 << 16, W = 5, H = 2000, AHEAD = 12, LIFE_MS = 1000, UNDROPPED_MS = 40000, TAPS = 64, DECIDED = 512 };

struct model_bet {
	int w;
	int64_t low, stake, rate, rate_min, signed_s, balance_after, payout;
	uint8_t nonce[NONCE_SIZE];
	enum bet_state state;
};

struct model_column {
	int64_t t0_s;
	bool recorded;
	struct verdict verdict;
	int64_t decided_ms; /* true time; 0: not all its bets are */
	int64_t worst;
	int n;
	struct model_bet bets[BETS];
};

struct model_wallet {
	int64_t user, balance, seq, open_stake, open_bets, cap_column, cap_open;
	bool opened, suspended;
};

static struct {
	const struct settings *s;
	const char *dir;
	struct week *look;
	struct model_wallet wallets[WALLETS + 1];
	struct model_column columns[COLUMNS]; /* by t0 */
	int nonce_life[NONCES];               /* in which of the api's lives an answer spent it; 0: in none */
	int life;
	int64_t api_newest_ms, house_kept_ms, next_s;
	bool any_column;
	uint8_t digest[32];
	struct verdict pending; /* what the column asked for last will be, when it is recorded now */
	struct intake_tap unknown[TAPS]; /* could not be told */
	size_t n_unknown;
	int64_t open;                    /* worst payouts of what is not decided */
	struct {
		int64_t at_ms, worst;
	} decided[DECIDED];              /* lately, the newest before n_decided */
	int n_decided;
	struct referee_counts counts;
} r;

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

static int wallet_number(const struct wallet *wallet)
{
	return wallet->b[1];
}

static struct model_column *column_at(int64_t t0_s)
{
	struct model_column *c = &r.columns[t0_s / W % COLUMNS];
	if (c->t0_s != t0_s) {
		MUST(c->n == 0 || c->decided_ms, "column %" PRId64 " was never decided", c->t0_s);
		*c = (struct model_column){ .t0_s = t0_s };
	}
	return c;
}

/* Without taking its place; NULL: nothing is known of it. */
static const struct model_column *peek(int64_t t0_s)
{
	const struct model_column *c = &r.columns[(uint64_t) t0_s / W % COLUMNS];
	return c->t0_s == t0_s && t0_s > 0 ? c : NULL;
}

/* From the oldest that may matter to the farthest that may be bet on. */
static int64_t first_near(void)
{
	return (r.any_column ? r.next_s : sim.true_ms / 1000 / W * W) - 300 * W;
}

static struct model_bet *find_bet(struct model_column *c, int w, int64_t low)
{
	for (int i = 0; i < c->n; i++)
		if (c->bets[i].w == w && c->bets[i].low == low)
			return &c->bets[i];
	return NULL;
}

static int64_t pays(int64_t stake, int64_t rate)
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
	w->balance += b->payout;
	w->open_stake -= b->stake;
	w->open_bets--;
	w->seq++;
	r.counts.won += b->state == BET_WON;
	r.counts.lost += b->state == BET_LOST;
	r.counts.refunded += b->state == BET_VOID;
	r.counts.paid += b->payout;
}

void referee_asked(int64_t t0_s, bool answered)
{
	if (!r.any_column) { /* the first is the one that ran when the resolver began */
		r.any_column = true;
		r.next_s = t0_s;
	}
	MUST(t0_s == r.next_s, "column %" PRId64 " is asked for, %" PRId64 " is next", t0_s, r.next_s);
	r.pending = verdict_of(t0_s, answered, r.digest);
}

static const struct verdict *verdict_for(const struct model_column *c)
{
	if (c->recorded)
		return &c->verdict;
	MUST(r.pending.t0_s == c->t0_s, "column %" PRId64 " is decided, and nobody asked for its ticks", c->t0_s);
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
	r.open -= c->worst;
	r.decided[r.n_decided].at_ms = sim.true_ms;
	r.decided[r.n_decided].worst = c->worst;
	r.n_decided = (r.n_decided + 1) % DECIDED;
}

static void record(const struct column *found)
{
	struct model_column *c = column_at(r.next_s);
	compare_column(found, &r.pending);
	MUST(found->bets == c->n, "column %" PRId64 " has %" PRId64 " bets, must be %d", c->t0_s, found->bets, c->n);
	c->recorded = true;
	c->verdict = r.pending;
	memcpy(r.digest, r.pending.digest, sizeof r.digest);
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

/* ---- what a tap must be answered ---- */

static int nonce_number(const uint8_t nonce[NONCE_SIZE])
{
	uint32_t n;
	memcpy(&n, nonce, sizeof n);
	return (int) (n % NONCES);
}

static bool same_request(const struct model_bet *b, const struct tap *t)
{
	return b->stake == t->stake.micros && b->rate_min == t->rate_min.e4 && b->signed_s == t->timestamp_s &&
		memcmp(b->nonce, t->nonce, NONCE_SIZE) == 0;
}

/* -1: the newest grid does not know the cell. */
static int64_t quoted(const struct quote_grid *g, const struct cell *cell)
{
	for (int i = 0; i < g->columns; i++)
		if (g->t0_s[i] == cell->t0_s)
			return g->rates[i][(cell->low_cents - g->low_cents) / H];
	return -1;
}

static enum intake_result judge_place(const struct tap *t, const struct quote_grid *g, const struct model_bet *there, int64_t *ret_rate)
{
	int64_t now_s = r.api_newest_ms / 1000, running_s = now_s - now_s % W, t0_s = t->cell.t0_s;
	bool in_rows = t->cell.low_cents >= g->low_cents && t->cell.low_cents < g->low_cents + (int64_t) g->rows * H;
	if (t0_s > running_s + (AHEAD + 1) * W || !in_rows)
		return INTAKE_BEYOND_GRID;
	if (t0_s < running_s + 2 * W)
		return INTAKE_COLUMN_CLOSED;
	*ret_rate = quoted(g, &t->cell);
	if (*ret_rate < 0)
		return INTAKE_BEYOND_GRID;
	if (*ret_rate > 0 && *ret_rate < t->rate_min.e4)
		return INTAKE_QUOTE_CHANGED;
	if (r.any_column && r.counts.columns > 0 && t0_s < r.next_s)
		return INTAKE_COLUMN_CLOSED;
	return there ? INTAKE_BET_EXISTS : INTAKE_CONFIRMED;
}

/* What the house has open: surely, and with what it may not have forgotten yet. */
static int64_t house_open(bool with_decided)
{
	int64_t sum = r.open;
	for (int i = 0; with_decided && i < DECIDED && r.decided[(r.n_decided + DECIDED - 1 - i) % DECIDED].at_ms >=
			r.house_kept_ms - UNDROPPED_MS; i++)
		sum += r.decided[(r.n_decided + DECIDED - 1 - i) % DECIDED].worst;
	return sum;
}

struct sums {
	int64_t cell, column, player;
};

static struct sums sums_of(const struct model_column *c, int w, int64_t low)
{
	struct sums s = { .column = c->worst };
	for (int i = 0; i < c->n; i++) {
		s.cell += c->bets[i].low == low ? pays(c->bets[i].stake, c->bets[i].rate) : 0;
		s.player += c->bets[i].w == w ? c->bets[i].stake : 0;
	}
	return s;
}

/* maybe: the house may also have no room. */
static enum intake_result judge_caps(const struct tap *t, int w, int64_t rate, bool *ret_maybe)
{
	const struct model_wallet *m = &r.wallets[w];
	struct sums s = sums_of(column_at(t->cell.t0_s), w, t->cell.low_cents);
	int64_t stake = t->stake.micros, payout = pays(stake, rate), open = m->open_stake;
	if (m->opened && (s.player + stake > m->cap_column || open + stake > m->cap_open))
		return INTAKE_LIMIT_REACHED;
	if ((m->opened ? s.player : 0) + stake > r.s->cap_player_column || open + stake > r.s->cap_player_open)
		return INTAKE_LIMIT_REACHED;
	if (rate == 0 || s.cell + payout > r.s->cap_cell || s.column + payout > r.s->cap_column ||
			house_open(false) + payout > r.s->cap_open)
		return INTAKE_CELL_CLOSED;
	*ret_maybe = house_open(true) + payout > r.s->cap_open;
	if (!m->opened)
		return INTAKE_NO_FUNDS;
	if (m->suspended)
		return INTAKE_SUSPENDED;
	return m->balance < stake ? INTAKE_NO_FUNDS : INTAKE_CONFIRMED;
}

static enum intake_result judge(const struct intake_tap *t, int64_t *ret_rate, bool *ret_maybe)
{
	const struct quote_grid *g = market_grid_now();
	int w = wallet_number(&t->tap.wallet);
	const struct model_bet *there = find_bet(column_at(t->tap.cell.t0_s), w, t->tap.cell.low_cents);
	int64_t age_ms = r.api_newest_ms - g->t_ms;
	if (t->verdict == AUTH_NOT_SIGNER)
		return INTAKE_NOT_SIGNER;
	if (there && same_request(there, &t->tap))
		return INTAKE_REPLAYED;
	if (t->verdict == AUTH_NONCE_SPENT || r.nonce_life[nonce_number(t->tap.nonce)] == r.life)
		return INTAKE_REPLAY_DETECTED;
	if (!market_betting_now() || age_ms > LIFE_MS || age_ms < -LIFE_MS)
		return INTAKE_FEED_STALE;
	enum intake_result x = judge_place(&t->tap, g, there, ret_rate);
	return x == INTAKE_CONFIRMED ? judge_caps(&t->tap, w, *ret_rate, ret_maybe) : x;
}

static bool spends(enum intake_result x)
{
	return x != INTAKE_NOT_SIGNER && x != INTAKE_REPLAYED && x != INTAKE_REPLAY_DETECTED && x != INTAKE_FEED_STALE;
}

static struct model_bet *place(const struct tap *t, int64_t rate)
{
	int w = wallet_number(&t->wallet);
	struct model_wallet *m = &r.wallets[w];
	struct model_column *c = column_at(t->cell.t0_s);
	MUST(c->n < BETS, "too many bets in a column for the model");
	struct model_bet *b = &c->bets[c->n++];
	*b = (struct model_bet){ .w = w, .low = t->cell.low_cents, .stake = t->stake.micros, .rate = rate, .rate_min = t->rate_min.e4,
		.signed_s = t->timestamp_s, .state = BET_CONFIRMED };
	memcpy(b->nonce, t->nonce, NONCE_SIZE);
	c->worst += pays(b->stake, b->rate);
	r.open += pays(b->stake, b->rate);
	m->balance -= b->stake;
	m->open_stake += b->stake;
	m->open_bets++;
	m->seq++;
	b->balance_after = m->balance;
	r.counts.bets++;
	r.counts.staked += b->stake;
	return b;
}

static void check_answer(const struct intake_tap *t, const struct model_bet *b)
{
	MUST(t->bet.rate.e4 == b->rate, "a bet is written at %d, must be %" PRId64, t->bet.rate.e4, b->rate);
	MUST(t->balance.micros == b->balance_after, "wallet %d's answer says %" PRId64 ", must be %" PRId64, b->w, t->balance.micros,
			b->balance_after);
}

static const char *name_of(enum intake_result x)
{
	return x == INTAKE_CONFIRMED ? "confirmed" : x == INTAKE_REPLAYED ? "replayed" : intake_code(x);
}

static void take_answer(const struct intake_tap *t, const struct said *said, size_t n_said, size_t *at_said)
{
	int64_t rate = 0;
	bool maybe = false;
	enum intake_result x = judge(t, &rate, &maybe);
	if (maybe && t->result == INTAKE_CELL_CLOSED)
		x = INTAKE_CELL_CLOSED;
	int w = wallet_number(&t->tap.wallet);
	MUST(t->result == x, "wallet %d's tap on %" PRId64 " %" PRId64 " is answered %s, must be %s", w, t->tap.cell.t0_s,
			t->tap.cell.low_cents, name_of(t->result), name_of(x));
	if (spends(x))
		r.nonce_life[nonce_number(t->tap.nonce)] = r.life;
	if (x == INTAKE_REPLAYED)
		check_answer(t, find_bet(column_at(t->tap.cell.t0_s), w, t->tap.cell.low_cents));
	if (x != INTAKE_CONFIRMED)
		return;
	check_answer(t, place(&t->tap, rate));
	MUST(*at_said < n_said, "a confirmed bet was not said");
	MUST(said[*at_said].seq == r.wallets[w].seq && said[*at_said].balance == r.wallets[w].balance, "what was said of a bet: seq %" PRId64
			", must be %" PRId64, said[*at_said].seq, r.wallets[w].seq);
	++*at_said;
}

/* The api's clock never goes back for placing; it looks when the first tap of a batch comes to the book, not at the door. */
static void look_at_clock(const struct intake_tap *taps, size_t n)
{
	int64_t now_ms = sim_wall_ms(PROC_API);
	bool came = false;
	for (size_t i = 0; i < n; i++)
		came = came || taps[i].bet.placed_ms != 0;
	if (came && now_ms > r.api_newest_ms)
		r.api_newest_ms = now_ms;
	for (size_t i = 0; i < n; i++)
		MUST(taps[i].result != INTAKE_CONFIRMED || taps[i].bet.placed_ms == r.api_newest_ms, "a bet is placed at %" PRId64 ", at %" PRId64,
				taps[i].bet.placed_ms, r.api_newest_ms);
}

void referee_taps_done(const struct intake_tap *taps, size_t n, bool may_be_undone)
{
	struct said said[TAPS];
	size_t n_said = api_proc_said(said, TAPS), at_said = 0;
	look_at_clock(taps, n);
	for (size_t i = 0; i < n; i++) {
		const struct intake_tap *t = &taps[i];
		r.counts.results[t->result]++;
		if (t->result == INTAKE_UNAVAILABLE || t->result == INTAKE_UNKNOWN)
			MUST(may_be_undone, "a tap is answered %s without a reason", name_of(t->result));
		if (t->result == INTAKE_UNKNOWN)
			r.unknown[r.n_unknown++] = *t;
		if (t->result != INTAKE_UNAVAILABLE && t->result != INTAKE_UNKNOWN)
			take_answer(t, said, n_said, &at_said);
	}
	MUST(at_said == n_said, "a bet was said that was not confirmed");
	r.house_kept_ms = sim.true_ms;
}

/* All or none of the batch: a bet that is there is as if it had been confirmed. */
static void learn_unknown(void)
{
	struct store *db;
	size_t there = 0;
	MUST(week_begin(r.look, &db) == 0, "the book cannot be read");
	for (size_t i = 0; i < r.n_unknown; i++) {
		const struct tap *t = &r.unknown[i].tap;
		const struct model_wallet *m = &r.wallets[wallet_number(&t->wallet)];
		struct bet b;
		int x = book_bet(db, m->user, &t->cell, &b);
		MUST(x >= 0, "a bet cannot be read");
		if (x != 0)
			continue;
		there++;
		MUST(memcmp(b.nonce, t->nonce, NONCE_SIZE) == 0 && b.stake.micros == t->stake.micros, "another bet stands in its place");
		(void) place(t, b.rate.e4);
		r.nonce_life[nonce_number(t->nonce)] = r.life;
	}
	week_rollback(r.look);
	MUST(there == 0 || there == r.n_unknown, "of a batch of %zu bets %zu are in the book", r.n_unknown, there);
	r.counts.unknown += (int64_t) r.n_unknown;
	r.n_unknown = 0;
}

/* Whoever starts knows the nonces of the bets that the book holds. */
void referee_api_restarted(void)
{
	r.life++;
	r.api_newest_ms = 0;
	r.house_kept_ms = sim.true_ms;
	for (int64_t t0_s = first_near(), end_s = t0_s + 600 * W; t0_s <= end_s; t0_s += W) {
		const struct model_column *c = peek(t0_s);
		for (int i = 0; c && i < c->n; i++)
			r.nonce_life[nonce_number(c->bets[i].nonce)] = r.life;
	}
	learn_unknown();
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
