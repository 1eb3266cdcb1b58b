#include "referee_impl.h"

#include <inttypes.h>
#include <string.h>

#include "api_proc.h"
#include "auth_door.h"
#include "book.h"
#include "market.h"
#include "sim.h"
#include "week.h"

/* From the oldest that may matter to the farthest that may be bet on. */
static int64_t first_near(void)
{
	return (r.any_column ? r.next_s : sim.true_ms / 1000 / W * W) - 300 * W;
}

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

/* What the house has open: surely, and with what it may not have forgotten yet, as the decided bets of a column that is not done. */
static int64_t house_open(bool with_decided)
{
	int64_t sum = with_decided ? r.open_columns : r.open_bets;
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
	r.open_columns += pays(b->stake, b->rate);
	r.open_bets += pays(b->stake, b->rate);
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
