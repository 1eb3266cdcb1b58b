#include "players.h"

#include <string.h>

#include "market.h"
#include "referee.h"
#include "sim.h"

enum { REMEMBERED = 64, ROW_TRIES = 12 };

static const struct settings *settings;
static struct tap remembered[REMEMBERED]; /* signed lately */
static uint32_t n_signed;

void players_begin(const struct settings *s)
{
	settings = s;
	n_signed = 0;
	memset(remembered, 0, sizeof remembered);
}

static void new_nonce(struct tap *t)
{
	uint64_t salt = dice(UINT64_MAX);
	memcpy(t->nonce, &n_signed, sizeof n_signed);
	memcpy(t->nonce + 8, &salt, sizeof salt);
	n_signed++;
}

static int64_t now_s(void)
{
	return sim_wall_ms(PROC_API) / 1000;
}

/* A cell that is open, if one is found soon. */
static struct cell some_cell(int32_t *ret_rate)
{
	const struct quote_grid *g = market_grid_now();
	struct cell c = { 0 };
	for (int i = 0; i < ROW_TRIES; i++) {
		int column = (int) dice((uint64_t) g->columns), row = (int) dice((uint64_t) g->rows);
		int64_t low = g->low_cents + row * g->row_cents;
		c = (struct cell){ g->t0_s[column], low, low + g->row_cents };
		*ret_rate = g->rates[column][row];
		if (*ret_rate)
			break;
	}
	return c;
}

static int some_wallet(void)
{
	return one_in(200) ? STRANGER : (int) (one_in(2) ? dice(WALLETS) : dice(4)); /* four of them bet as much as all others */
}

static struct tap honest(void)
{
	int32_t rate = 0;
	struct tap t = { .wallet = referee_wallet(some_wallet()), .chain_id = 1, .timestamp_s = now_s() };
	t.cell = some_cell(&rate);
	t.stake = money_of(settings->stake_presets.v[dice(settings->stake_presets.n)]);
	t.rate_min = (struct rate){ one_in(4) && rate ? rate : RATE_LEAST };
	new_nonce(&t);
	return t;
}

static struct tap lately_signed(void)
{
	struct tap t = remembered[dice(REMEMBERED)];
	return signed_in_time(t.timestamp_s, sim_wall_ms(PROC_API)) && t.stake.micros ? t : honest();
}

static struct tap misplaced(void)
{
	struct tap t = honest();
	int64_t away = (int64_t) dice(40) - 15, low = t.cell.low_cents + ((int64_t) dice(60) - 30) * settings->row_cents;
	if (one_in(2))
		t.cell.t0_s = (now_s() / settings->column_s + away) * settings->column_s;
	else
		t.cell = (struct cell){ t.cell.t0_s, low > 0 ? low : 0, (low > 0 ? low : 0) + settings->row_cents };
	return t;
}

static struct tap cheat(bool *ret_forged)
{
	struct tap t;
	switch (dice(6)) {
	case 0: /* the very same again */
		return lately_signed();
	case 1: /* a spent nonce for another cell */
		t = lately_signed();
		t.cell = some_cell(&(int32_t){ 0 });
		return t;
	case 2: /* a spent nonce for a lower stake, or a signature of before with another stake */
		t = lately_signed();
		t.stake = money_of(settings->stake_presets.v[0]);
		return t;
	case 3:
		return misplaced();
	case 4: /* a better rate than there is */
		t = honest();
		t.rate_min.e4 = 199999;
		return t;
	default:
		*ret_forged = true;
		return one_in(2) ? lately_signed() : honest();
	}
}

static struct intake_tap sent(struct tap t, bool forged)
{
	struct intake_tap s = { .tap = t, .signer = t.wallet };
	if (forged)
		s.signer.b[10] ^= 1;
	else
		remembered[n_signed % REMEMBERED] = t;
	return s;
}

/* One player in a race with himself: the same tap twice, the same cell twice, or all he has at once. */
static size_t race(struct intake_tap *taps)
{
	struct tap t = honest();
	size_t n = 2 + dice(TAPS_MAX / 2);
	uint64_t how = dice(3);
	for (size_t i = 0; i < n; i++) {
		if (how > 0)
			new_nonce(&t);
		if (how == 2)
			t.cell = some_cell(&(int32_t){ 0 });
		taps[i] = sent(t, false);
	}
	return n;
}

size_t players_tap(struct intake_tap *taps)
{
	size_t n = one_in(40) ? race(taps) : 0;
	size_t more = dice(7);
	for (; more > 0 && n < TAPS_MAX; more--) {
		bool forged = false;
		struct tap t = one_in(6) ? cheat(&forged) : honest();
		taps[n++] = sent(t, forged);
	}
	return n;
}
