#include <errno.h>
#include <string.h>

#include "check.h"
#include "clk.h"
#include "err.h"
#include "intake_impl.h"

enum { RECALL_MAX = 1024, NOBODY = 0 /* no account's number */ };

static struct bet bet_of(const struct tap *t, int64_t now_ms)
{
	struct bet b = { .cell = t->cell, .stake = t->stake, .rate_min = t->rate_min, .placed_ms = now_ms,
		.signed_s = t->timestamp_s, .state = BET_CONFIRMED };
	memcpy(b.nonce, t->nonce, sizeof b.nonce);
	return b;
}

/* The result has told the player something that stands: its nonce is spent. */
static bool spends_nonce(enum intake_result r)
{
	switch (r) {
	case INTAKE_CONFIRMED:
	case INTAKE_BEYOND_GRID:
	case INTAKE_COLUMN_CLOSED:
	case INTAKE_QUOTE_CHANGED:
	case INTAKE_BET_EXISTS:
	case INTAKE_FORBIDDEN:
	case INTAKE_LIMIT_REACHED:
	case INTAKE_CELL_CLOSED:
	case INTAKE_SUSPENDED:
	case INTAKE_NO_FUNDS:
		return true;
	default:
		return false;
	}
}

static bool take_balance(void *u, const struct entry *e)
{
	*(struct money *) u = e->balance_after;
	return false;
}

/* The first answer again: the bet as it was confirmed, and the balance of its own ledger row. */
static int replay(struct intake *in, struct intake_tap *t, const struct bet *first, const struct account *account)
{
	char ref_id[ULID_TEXT_SIZE];
	struct ulid id;
	bool more;
	struct bet_key key = { .placed_ms = first->placed_ms, .t0_s = first->cell.t0_s, .low_cents = first->cell.low_cents,
		.user = first->user };
	CHECK(bet_id(&id, &key));
	ulid_format(ref_id, &id);
	struct ledger_query q = { .user = first->user, .from_ms = first->placed_ms, .to_ms = INT64_MAX,
		.ref_type = LEDGER_BET, .ref_id = ref_id, .limit = 1 };
	t->bet = *first;
	t->balance = account->balance; /* stays when the row is in a week that is no longer here */
	struct week_missing missing;
	int r = week_ledger(in->week, &q, take_balance, &t->balance, &more, &missing);
	if (r != 0)
		return err_trace(r);
	t->result = INTAKE_REPLAYED;
	return 0;
}

static bool recall_bet(void *u, const struct bet *b, int64_t row)
{
	(void) row;
	return nonces_add(u, b->nonce) == 0;
}

/* Soon after a start Redis may have forgotten nonces that this process never saw: the book knows those of its bets. */
static int recall(struct intake *in, int64_t user, int64_t now_ms)
{
	uint8_t mark[NONCE_SIZE] = { 1 };
	struct week_missing missing;
	bool more;

	if (clk_mono_ms() > in->recall_until_ms)
		return 0;
	memcpy(mark + 8, &user, sizeof user);
	if (nonces_has(in->recalled, mark))
		return 0;
	struct bet_query q = { .user = user, .from_ms = now_ms - (int64_t) NONCE_KEEP_S * 1000, .to_ms = INT64_MAX,
		.limit = RECALL_MAX, .row_cents = in->rules.row_cents };
	int r = week_bets(in->week, &q, recall_bet, in->decided, &more, &missing);
	if (r != 0)
		return err_trace(r);
	return nonces_add(in->recalled, mark) == 0 ? 0 : -ENOMEM;
}

/* The quote's own age, by the clock that stamped it. */
static bool quote_lives(const struct intake *in, int64_t now_ms)
{
	int64_t age_ms = now_ms - in->batch.grid.t_ms;
	return in->batch.has_grid && age_ms <= in->s->quote_ttl_ms && age_ms >= -in->s->quote_ttl_ms;
}

/* The wall clock, but never back: a column that was closed once stays closed. */
static int64_t placing_now_ms(struct intake *in)
{
	int64_t now_ms = clk_now_ms();
	if (now_ms > in->newest_ms)
		in->newest_ms = now_ms;
	return in->newest_ms;
}

/* Place and price. CONFIRMED: go on, t->bet.rate is set (0: the cell is closed). */
static enum intake_result place_and_price(const struct intake *in, struct intake_tap *t)
{
	const struct cell *c = &t->bet.cell;
	const struct quote_grid *g = &in->batch.grid;
	enum column_state column = column_placeable(&in->rules, c->t0_s, t->bet.placed_ms);
	enum grid_find found = grid_rate(g, c, &t->bet.rate);
	bool row_there = c->low_cents >= g->low_cents && c->low_cents < g->low_cents + g->rows * g->row_cents;

	if (column == COLUMN_BEYOND || !row_there)
		return INTAKE_BEYOND_GRID;
	if (column == COLUMN_CLOSED)
		return INTAKE_COLUMN_CLOSED;
	if (found != GRID_FOUND) /* the farthest column, in the moment before the grid that brings it */
		return INTAKE_BEYOND_GRID;
	t->rate = t->bet.rate;
	if (t->rate.e4 != 0 && t->rate.e4 < t->bet.rate_min.e4)
		return INTAKE_QUOTE_CHANGED;
	return INTAKE_CONFIRMED;
}

/* What the book knows of the wallet and the cell. */
struct known {
	bool has_account, has_bet;
	bool decided; /* a column so late is recorded already: a clock stepped back, and no column opens twice */
	struct account account;
	struct bet bet;
};

/* Where, at which price, and is it the first: before anybody's limits. */
static enum intake_result judge_place(const struct intake *in, struct intake_tap *t, const struct known *k)
{
	enum intake_result r = place_and_price(in, t);
	if (r != INTAKE_CONFIRMED)
		return r;
	if (k->decided)
		return INTAKE_COLUMN_CLOSED;
	if (k->has_bet) {
		t->bet = k->bet;
		return INTAKE_BET_EXISTS;
	}
	return INTAKE_CONFIRMED;
}

/* A wallet that never signed in has no account. */
static enum intake_result judge_caps(const struct intake *in, const struct intake_tap *t, const struct known *k)
{
	if (!exposure_player_fits(in->exposure, &t->bet, k->has_account ? k->account.open_stake : money_of(0)))
		return INTAKE_LIMIT_REACHED;
	if (t->bet.rate.e4 == 0 || !exposure_house_fits(in->exposure, &t->bet))
		return INTAKE_CELL_CLOSED;
	if (!k->has_account)
		return INTAKE_NO_FUNDS;
	return INTAKE_CONFIRMED;
}

/* What the moment decides, in the contract's order. */
static int judge(struct intake *in, struct store *db, struct intake_tap *t, struct known *k)
{
	t->result = judge_place(in, t, k);
	int r = t->result == INTAKE_CONFIRMED && k->has_account ? own_check(in, db, t, &k->account) : 0;
	if (r == 0 && t->result == INTAKE_CONFIRMED)
		t->result = judge_caps(in, t, k);
	return r;
}

/* The three statements. */
static int write_rows(struct store *db, struct intake_tap *t, struct account *after)
{
	int64_t row;
	int r = ledger_stake(db, &t->bet, after, &row);
	if (r < 0)
		return err_trace(r);
	if (r == LEDGER_E_SUSPENDED || r == LEDGER_E_FUNDS) {
		t->result = r == LEDGER_E_SUSPENDED ? INTAKE_SUSPENDED : INTAKE_NO_FUNDS;
		return 0;
	}
	CHECK(r == 0); /* sums beyond the numbers pass no cap */
	r = book_put_bet(db, &t->bet, row);
	if (r < 0)
		return err_trace(r);
	CHECK(r == 0); /* looked for in this very transaction */
	t->balance = after->balance;
	return 0;
}

/* Counts the bet before it writes it, so that what has no room is refused while that is still easy. */
static int place(struct intake *in, struct store *db, struct intake_tap *t, struct account *after)
{
	if (exposure_add(in->exposure, &t->bet) < 0) {
		t->result = INTAKE_OVERLOADED;
		return 0;
	}
	int r = write_rows(db, t, after);
	if (r < 0 || t->result != INTAKE_CONFIRMED)
		exposure_undo(in->exposure, &t->bet);
	return r;
}

/* After the nonce: place, price, limits, funds, rows. */
static int decide(struct intake *in, struct store *db, struct intake_tap *t, struct known *k, struct account *after)
{
	if (atomic_load(&in->disk_tight)) {
		t->result = INTAKE_UNAVAILABLE;
		return 0;
	}
	if (!in->batch.betting || !quote_lives(in, t->bet.placed_ms)) {
		t->result = INTAKE_FEED_STALE;
		return 0;
	}
	if (nonces_add(in->decided, t->tap.nonce) < 0) {
		t->result = INTAKE_OVERLOADED;
		return 0;
	}
	int r = judge(in, db, t, k);
	if (r == 0 && t->result == INTAKE_CONFIRMED)
		r = place(in, db, t, after);
	if (r < 0 || !spends_nonce(t->result))
		nonces_remove(in->decided, t->tap.nonce);
	return r;
}

struct search {
	const struct cell *cell;
	struct known *k;
};

static bool compare_bet(void *u, const struct bet *b, int64_t row)
{
	struct search *s = u;
	(void) row;
	if (b->cell.t0_s != s->cell->t0_s || b->cell.low_cents != s->cell->low_cents)
		return true;
	s->k->bet = *b;
	s->k->has_bet = true;
	return false;
}

/* A bet that was decided just before its week ended is in that week's file alone; its tap may be sent again for a while. */
static int look_up_in_past(struct intake *in, const struct tap *t, struct known *k, int64_t now_ms)
{
	struct search s = { .cell = &t->cell, .k = k };
	struct week_missing missing;
	bool more;
	int64_t from_ms = now_ms - (int64_t) NONCE_KEEP_S * 1000;
	if (week_opened_ms(in->week) < from_ms)
		return 0;
	struct bet_query q = { .user = k->account.user, .from_ms = from_ms, .to_ms = INT64_MAX, .limit = RECALL_MAX,
		.row_cents = in->rules.row_cents };
	return err_trace(week_bets(in->week, &q, compare_bet, &s, &more, &missing));
}

static int look_up(struct intake *in, struct store *db, const struct tap *t, struct known *k, int64_t now_ms)
{
	*k = (struct known){ .has_account = false };
	int r = ledger_account(db, &t->wallet, &k->account);
	if (r < 0)
		return err_trace(r);
	k->has_account = r == 0;
	r = book_may_put(db, k->has_account ? k->account.user : NOBODY, &t->cell);
	k->decided = r == BOOK_E_DECIDED;
	if (r == BOOK_E_EXISTS) {
		r = book_bet(db, k->account.user, &t->cell, &k->bet);
		k->has_bet = r == 0;
	}
	if (r >= 0 && k->decided && k->has_account)
		r = look_up_in_past(in, t, k, now_ms);
	return r < 0 ? err_trace(r) : 0;
}

/* Redis does not know the signer (any more). The book knows which key signed the first; a key's rows stand where its bet does, but
 * one that signed lately stands in the current file too. */
static int signed_first(struct store *db, const struct intake_tap *t, const struct bet *first, bool *ret)
{
	int r = session_keys_is(db, first->signer, first->user, &t->signer);
	*ret = r == 0;
	return r < 0 ? err_trace(r) : 0;
}

int intake_admit(struct intake *in, struct store *db, struct intake_tap *t, struct account *after)
{
	struct known k;

	t->bet = bet_of(&t->tap, placing_now_ms(in));
	int r = look_up(in, db, &t->tap, &k, t->bet.placed_ms);
	if (r < 0)
		return r;
	t->bet.user = k.has_account ? k.account.user : 0;
	bool same = k.has_bet && bet_same_request(&k.bet, &t->bet);
	if (same && t->verdict == AUTH_NOT_SIGNER)
		r = signed_first(db, t, &k.bet, &same);
	if (r < 0)
		return r;
	if (same)
		return replay(in, t, &k.bet, &k.account);
	if (t->verdict == AUTH_NOT_SIGNER) { /* it was one once, of a bet that is not there; or never */
		t->result = INTAKE_NOT_SIGNER;
		return 0;
	}
	r = k.has_account ? recall(in, k.account.user, t->bet.placed_ms) : 0;
	if (r < 0)
		return r;
	if (t->verdict == AUTH_NONCE_SPENT || nonces_has(in->decided, t->tap.nonce)) {
		t->result = INTAKE_REPLAY_DETECTED;
		return 0;
	}
	return decide(in, db, t, &k, after);
}

void intake_unadmit(struct intake *in, const struct intake_tap *t)
{
	if (spends_nonce(t->result))
		nonces_remove(in->decided, t->tap.nonce);
	if (t->result == INTAKE_CONFIRMED)
		exposure_undo(in->exposure, &t->bet);
}
