/* intake: the way of a tap over a real Redis and a real book: once, in order, by the rules. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "../support/intake_world.h"

static void a_bet_is_on_disk_when_it_is_answered(void **state)
{
	(void) state;
	struct wallet w = funded(1, 100 * USD, false);
	struct intake_tap t = tap_of(w, cell_at(3, 4), 25);
	assert_int_equal(place(&t), INTAKE_CONFIRMED);
	assert_int_equal(t.balance.micros, 75 * USD);
	assert_int_equal(t.bet.rate.e4, RATE);
	struct account a = account_of(w);
	assert_int_equal(a.balance.micros, 75 * USD);
	assert_int_equal(a.open_stake.micros, 25 * USD);
	assert_int_equal(a.open_bets, 1);
	assert_int_equal(a.seq, 2);
}

static bool count_quote(void *u, const struct quote_made *made)
{
	int64_t *ids = u;
	ids[++ids[0]] = made->quote_id;
	return ids[0] < 7;
}

/* How many quotes the book has, and which. */
static int64_t quotes_kept(int64_t ids[8])
{
	struct week *week;
	struct store *db;
	ids[0] = 0;
	assert_int_equal(week_open(&week, dir, STORE_READ, clk_now_ms()), 0);
	assert_int_equal(week_begin(week, &db), 0);
	assert_int_equal(week_quotes(week, 0, clk_now_ms() + 1000, count_quote, ids), 0);
	(void) week_close(week);
	return ids[0];
}

/* A bet on disk has its quote on disk; one row for each quote that priced a bet, none for one that priced nothing. */
static void a_bet_has_its_quote_in_the_book(void **state)
{
	(void) state;
	int64_t ids[8];
	struct wallet w = funded(1, 100 * USD, false);
	for (int j = 3; j < 6; j++) {
		struct intake_tap t = tap_of(w, cell_at(3, j), 1);
		assert_int_equal(place(&t), INTAKE_CONFIRMED);
	}
	assert_int_equal(quotes_kept(ids), 1);
	assert_int_equal(ids[1], grid.quote_id);
	publish(RATE);
	struct intake_tap poor = tap_of(w, cell_at(3, 7), 100), good = tap_of(w, cell_at(3, 8), 1);
	assert_int_equal(place(&poor), INTAKE_NO_FUNDS);
	assert_int_equal(quotes_kept(ids), 1);
	publish(RATE);
	assert_int_equal(place(&good), INTAKE_CONFIRMED);
	assert_int_equal(quotes_kept(ids), 2);
	assert_int_equal(ids[2], grid.quote_id);
	/* what a quote was made from may be unknown, for a moment after a start: the bet counts all the same */
	publish(RATE);
	made_known = false;
	struct intake_tap blind = tap_of(w, cell_at(3, 9), 1);
	assert_int_equal(place(&blind), INTAKE_CONFIRMED);
	made_known = true;
	assert_int_equal(quotes_kept(ids), 2);
	struct intake_tap seen = tap_of(w, cell_at(3, 10), 1);
	assert_int_equal(place(&seen), INTAKE_CONFIRMED);
	assert_int_equal(quotes_kept(ids), 3);
}

static void a_replay_gets_the_first_answer(void **state)
{
	(void) state;
	struct wallet w = funded(1, 100 * USD, false);
	struct intake_tap t = tap_of(w, cell_at(3, 4), 25), next = tap_of(w, cell_at(3, 5), 5), r;
	assert_int_equal(place(&t), INTAKE_CONFIRMED);
	assert_int_equal(place(&next), INTAKE_CONFIRMED);
	assert_int_equal(again(&t, &r), INTAKE_REPLAYED);
	assert_int_equal(r.balance.micros, 75 * USD);
	assert_int_equal(r.bet.placed_ms, t.bet.placed_ms);
	assert_int_equal(r.bet.rate.e4, RATE);

	publish(RATE - 5000); /* the quote moved */
	t.tap.rate_min.e4 = RATE_LEAST;
	assert_int_equal(again(&t, &r), INTAKE_REPLAYED);
	assert_int_equal(r.bet.rate.e4, RATE);
	betting = false; /* the feed is stale */
	assert_int_equal(again(&t, &r), INTAKE_REPLAYED);
	flush_redis(); /* Redis knows nothing */
	assert_int_equal(again(&t, &r), INTAKE_REPLAYED);
	betting = true;
	flush_redis();
	assert_int_equal(again(&t, &r), INTAKE_REPLAYED);
	restart();
	assert_int_equal(again(&t, &r), INTAKE_REPLAYED);
	flush_redis();
	restart();
	assert_int_equal(again(&t, &r), INTAKE_REPLAYED);
	assert_int_equal(r.balance.micros, 75 * USD);
	assert_int_equal(account_of(w).balance.micros, 70 * USD);
}

static void racing_replays_place_one_bet(void **state)
{
	(void) state;
	static struct intake_tap race[MANY];
	struct wallet w = funded(1, 100 * USD, false);
	struct intake_tap t = tap_of(w, cell_at(3, 4), 1);
	int confirmed = 0, replayed = 0;
	for (size_t i = 0; i < MANY; i++) {
		race[i] = t;
		assert_int_equal(intake_submit(intake, &race[i]), 0);
	}
	wait_for(MANY);
	for (size_t i = 0; i < MANY; i++) {
		confirmed += race[i].result == INTAKE_CONFIRMED;
		replayed += race[i].result == INTAKE_REPLAYED;
		assert_int_equal(race[i].balance.micros, 99 * USD);
	}
	assert_int_equal(confirmed, 1);
	assert_int_equal(replayed, MANY - 1);
	assert_int_equal(account_of(w).balance.micros, 99 * USD);
}

static void a_spent_nonce_is_found_in_another_message(void **state)
{
	(void) state;
	struct wallet w = funded(1, 100 * USD, false);
	struct intake_tap t = tap_of(w, cell_at(3, 4), 1), other = tap_of(w, cell_at(4, 4), 1), r;
	memcpy(other.tap.nonce, t.tap.nonce, sizeof t.tap.nonce);
	assert_int_equal(place(&t), INTAKE_CONFIRMED);
	assert_int_equal(again(&other, &r), INTAKE_REPLAY_DETECTED);
	flush_redis();
	assert_int_equal(again(&other, &r), INTAKE_REPLAY_DETECTED);
	flush_redis();
	restart();
	assert_int_equal(again(&other, &r), INTAKE_REPLAY_DETECTED);
}

static void a_nonce_is_spent_by_a_refusal(void **state)
{
	(void) state;
	struct wallet w = funded(1, 3 * USD, false);
	struct intake_tap t = tap_of(w, cell_at(3, 4), 5), r;
	assert_int_equal(place(&t), INTAKE_NO_FUNDS);
	assert_int_equal(again(&t, &r), INTAKE_REPLAY_DETECTED);
	flush_redis();
	assert_int_equal(again(&t, &r), INTAKE_REPLAY_DETECTED);
}

static void a_stale_feed_spends_no_nonce(void **state)
{
	(void) state;
	struct wallet w = funded(1, 100 * USD, false);
	struct intake_tap t = tap_of(w, cell_at(3, 4), 5), old = tap_of(w, cell_at(3, 5), 5), none = tap_of(w, cell_at(3, 6), 5), r;
	betting = false;
	assert_int_equal(place(&t), INTAKE_FEED_STALE);
	betting = true;
	assert_int_equal(again(&t, &r), INTAKE_CONFIRMED);
	(void) pthread_mutex_lock(&market_lock);
	grid.t_ms -= settings.quote_ttl_ms + 1; /* a quote that is over prices nothing */
	(void) pthread_mutex_unlock(&market_lock);
	assert_int_equal(place(&old), INTAKE_FEED_STALE);
	publish(RATE);
	assert_int_equal(again(&old, &r), INTAKE_CONFIRMED);
	has_grid = false;
	assert_int_equal(place(&none), INTAKE_FEED_STALE);
}

static void the_moment_decides_in_order(void **state)
{
	(void) state;
	struct wallet w = funded(1, 100 * USD, false);
	struct cell c = cell_at(0, 3), far = cell_at(11, 3), below = cell_at(3, 0), above = cell_at(3, grid.rows - 1);
	struct intake_tap t;
	int64_t width = settings.column_s;

	for (int back = 1; back <= 3; back++) { /* the next, the current, a past one */
		struct cell closed = { c.t0_s - back * width, c.low_cents, c.high_cents };
		t = tap_of(w, closed, 1);
		assert_int_equal(place(&t), INTAKE_COLUMN_CLOSED);
	}
	far.t0_s += 2 * width;
	t = tap_of(w, far, 1);
	assert_int_equal(place(&t), INTAKE_BEYOND_GRID);
	below.low_cents -= grid.row_cents;
	below.high_cents -= grid.row_cents;
	t = tap_of(w, below, 1);
	assert_int_equal(place(&t), INTAKE_BEYOND_GRID);
	above.low_cents += grid.row_cents;
	above.high_cents += grid.row_cents;
	t = tap_of(w, above, 1);
	assert_int_equal(place(&t), INTAKE_BEYOND_GRID);

	t = tap_of(w, cell_at(5, 5), 1);
	t.tap.rate_min.e4 = RATE + 1;
	assert_int_equal(place(&t), INTAKE_QUOTE_CHANGED);
	assert_int_equal(t.rate.e4, RATE);
	t = tap_of(w, cell_at(5, 5), 1);
	t.tap.rate_min.e4 = RATE;
	assert_int_equal(place(&t), INTAKE_CONFIRMED);

	struct intake_tap other = tap_of(w, cell_at(5, 5), 5);
	assert_int_equal(place(&other), INTAKE_BET_EXISTS);
	assert_int_equal(other.bet.placed_ms, t.bet.placed_ms);

	(void) pthread_mutex_lock(&market_lock);
	grid.rates[6][6] = 0;
	(void) pthread_mutex_unlock(&market_lock);
	t = tap_of(w, cell_at(6, 6), 1);
	assert_int_equal(place(&t), INTAKE_CELL_CLOSED);
	assert_int_equal(account_of(w).open_bets, 1);
}

static void who_has_no_account_has_no_funds(void **state)
{
	(void) state;
	struct wallet nobody = { { 99 } }, suspended = funded(2, 10 * USD, true);
	struct intake_tap t = tap_of(nobody, cell_at(3, 4), 1);
	assert_int_equal(place(&t), INTAKE_NO_FUNDS);
	t = tap_of(suspended, cell_at(3, 4), 1);
	assert_int_equal(place(&t), INTAKE_SUSPENDED);
	assert_int_equal(account_of(suspended).balance.micros, 10 * USD);
}

static void a_stranger_signs_for_nobody(void **state)
{
	(void) state;
	struct wallet w = funded(1, 10 * USD, false);
	struct intake_tap t = tap_of(w, cell_at(3, 4), 1);
	t.signer.b[0] ^= 1;
	assert_int_equal(place(&t), INTAKE_NOT_SIGNER);
	t.signer = w;
	assert_int_equal(place(&t), INTAKE_CONFIRMED);
}

static void the_rate_limit_answers_with_a_time(void **state)
{
	(void) state;
	struct wallet w = funded(1, 10 * USD, false);
	intake = intake_stop(intake);
	settings.bet_burst = 2;
	go();
	publish(RATE);
	struct intake_tap a = tap_of(w, cell_at(3, 1), 1), b = tap_of(w, cell_at(3, 2), 1), c = tap_of(w, cell_at(3, 3), 1);
	assert_int_equal(place(&a), INTAKE_CONFIRMED);
	assert_int_equal(place(&b), INTAKE_CONFIRMED);
	assert_int_equal(place(&c), INTAKE_RATE_LIMITED);
	assert_int_equal(c.retry_after_s, 1);
}

static void caps_hold_over_a_restart(void **state)
{
	(void) state;
	struct wallet w = funded(1, 1000 * USD, false), v = funded(2, 1000 * USD, false);
	intake = intake_stop(intake);
	settings.cap_player_column = 110 * USD;
	settings.cap_cell = 240 * (int64_t) USD;
	go();
	struct intake_tap t = tap_of(w, cell_at(3, 1), 100);
	assert_int_equal(place(&t), INTAKE_CONFIRMED);
	restart();
	publish(RATE);
	struct cell same = t.tap.cell, beside = cell_at(3, 2);
	beside.t0_s = same.t0_s; /* the columns may have moved on meanwhile */
	struct intake_tap more = tap_of(w, beside, 25), cell = tap_of(v, same, 5), fits = tap_of(w, beside, 10);
	assert_int_equal(place(&more), INTAKE_LIMIT_REACHED);
	assert_int_equal(place(&cell), INTAKE_CELL_CLOSED);
	assert_int_equal(place(&fits), INTAKE_CONFIRMED);
}

static void a_balance_for_ten_takes_ten(void **state)
{
	(void) state;
	static struct intake_tap taps[MANY];
	struct wallet w = funded(1, 10 * USD, false);
	int confirmed = 0, refused = 0;
	for (int i = 0; i < MANY; i++) {
		taps[i] = tap_of(w, cell_at(1 + i / 20, i % 20), 1);
		assert_int_equal(intake_submit(intake, &taps[i]), 0);
	}
	wait_for(MANY);
	for (int i = 0; i < MANY; i++) {
		confirmed += taps[i].result == INTAKE_CONFIRMED;
		refused += taps[i].result == INTAKE_NO_FUNDS;
	}
	assert_int_equal(confirmed, 10);
	assert_int_equal(refused, MANY - 10);
	assert_int_equal(account_of(w).balance.micros, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_bet_is_on_disk_when_it_is_answered),
		CASE(a_bet_has_its_quote_in_the_book),
		CASE(a_replay_gets_the_first_answer),
		CASE(racing_replays_place_one_bet),
		CASE(a_spent_nonce_is_found_in_another_message),
		CASE(a_nonce_is_spent_by_a_refusal),
		CASE(a_stale_feed_spends_no_nonce),
		CASE(the_moment_decides_in_order),
		CASE(who_has_no_account_has_no_funds),
		CASE(a_stranger_signs_for_nobody),
		CASE(the_rate_limit_answers_with_a_time),
		CASE(caps_hold_over_a_restart),
		CASE(a_balance_for_ten_takes_ten),
	};
	return cmocka_run_group_tests_name("intake", tests, start, stop);
}
