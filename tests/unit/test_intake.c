/* intake: the way of a tap over a real Redis and a real book: once, in order, and never half. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../support/redis_server.h"
#include "clk.h"
#include "fault.h"
#include "intake.h"
#include "book.h"
#include "msg.h"
#include "rnd.h"

enum { USD = MICROS_PER_USD, RATE = 23500, PRICE = 9743210, MANY = 100 };

static struct redis_server redis;
static struct bus_conf bus_conf;
static struct settings settings;
static char dir[] = "/tmp/tap-intake-XXXXXX";
static struct intake *intake;

/* the market, by hand */
static struct quote_grid grid;
static bool has_grid, betting;

static bool give_grid(void *u, struct quote_grid *ret)
{
	(void) u;
	*ret = grid;
	return has_grid;
}

static bool give_betting(void *u)
{
	(void) u;
	return betting;
}

static void publish(int32_t rate)
{
	struct grid_rules rules = settings_grid(&settings);
	grid = (struct quote_grid){ .quote_id = grid.quote_id + 1, .t_ms = clk_now_ms(), .columns = rules.columns,
		.rows = rules.rows, .low_cents = grid_lowest(&rules, PRICE), .row_cents = rules.row_cents };
	for (int i = 0; i < rules.columns; i++) {
		grid.t0_s[i] = column_first_placeable(&rules, grid.t_ms) + i * rules.column_s;
		for (int j = 0; j < rules.rows; j++)
			grid.rates[i][j] = rate;
	}
	has_grid = betting = true;
}

static void go(void)
{
	struct intake_market market = { .grid = give_grid, .betting = give_betting };
	assert_int_equal(intake_start(&intake, &settings, &bus_conf, &market), 0);
}

static void restart(void)
{
	intake = intake_stop(intake);
	go();
}

static int start(void **state)
{
	static char redis_env[160], dir_env[160];
	(void) state;
	if (!mkdtemp(dir) || !redis_server_start(&redis))
		return -1;
	(void) snprintf(redis_env, sizeof redis_env, "TAP_REDIS=%s", redis.address);
	(void) snprintf(dir_env, sizeof dir_env, "TAP_DATA_DIR=%s", dir);
	char *const env[] = { redis_env, dir_env, NULL };
	bus_conf = (struct bus_conf){ .address = redis.address, .user = "", .password = "", .timeout_ms = 300 };
	return settings_load(&settings, env, stderr) == 0 ? 0 : -1;
}

static void remove_books(void)
{
	char cmd[128];
	(void) snprintf(cmd, sizeof cmd, "rm -rf %s && mkdir %s", dir, dir);
	assert_int_equal(system(cmd), 0);
}

static int stop(void **state)
{
	(void) state;
	char cmd[128];
	redis_server_stop(&redis);
	(void) snprintf(cmd, sizeof cmd, "rm -rf %s", dir);
	return system(cmd);
}

static const struct bus_reply *ask(struct bus *b, const char *command, const char *key)
{
	const struct bus_reply *r;
	assert_int_equal(bus_command(b, &r, "%s %s", command, key), 0);
	return r;
}

static void flush_redis(void)
{
	struct bus *b;
	const struct bus_reply *r;
	assert_int_equal(bus_open(&b, &bus_conf), 0);
	assert_int_equal(bus_command(b, &r, "FLUSHALL"), 0);
	(void) bus_close(b);
}

static int fresh(void **state)
{
	(void) state;
	remove_books();
	flush_redis();
	settings.bet_burst = 1000;
	settings.quote_ttl_ms = 30000; /* a slow machine is no stale feed */
	settings.queue_max = 10000;
	settings.cap_player_column = 1000 * (int64_t) USD;
	settings.cap_cell = 25000 * (int64_t) USD;
	publish(RATE);
	go();
	return 0;
}

static int finish(void **state)
{
	(void) state;
	intake = intake_stop(intake);
	return 0;
}

/* waiting for answers */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wake = PTHREAD_COND_INITIALIZER;
static int answers;

static void one_more(void)
{
	(void) pthread_mutex_lock(&lock);
	answers++;
	(void) pthread_cond_broadcast(&wake);
	(void) pthread_mutex_unlock(&lock);
}

static void wait_for(int n)
{
	(void) pthread_mutex_lock(&lock);
	while (answers < n)
		(void) pthread_cond_wait(&wake, &lock);
	answers -= n;
	(void) pthread_mutex_unlock(&lock);
}

static void tap_done(struct intake_tap *t)
{
	(void) t;
	one_more();
}

struct fund {
	struct intake_job job;
	struct wallet wallet;
	int64_t micros;
	bool suspend;
	struct account account;
	int result;
};

static int fund_fn(struct intake_job *j, struct store *db, int64_t now_ms)
{
	struct fund *f = (struct fund *) j;
	char ref[64];
	int r = ledger_account_open(db, &f->wallet, now_ms, &f->account);
	if (r < 0)
		return r;
	(void) snprintf(ref, sizeof ref, "fund-%lld-%u", (long long) now_ms, rnd_below(1u << 30));
	struct posting p = { .user = f->account.user, .amount = { f->micros }, .ref_type = LEDGER_DEPOSIT, .ref_id = ref,
		.at_ms = now_ms };
	r = f->micros ? ledger_post(db, &p, &f->account) : 0;
	if (r == 0 && f->suspend)
		r = ledger_suspend(db, f->account.user, true);
	return r;
}

static void fund_done(struct intake_job *j, int result)
{
	((struct fund *) j)->result = result;
	one_more();
}

static struct wallet funded(uint8_t name, int64_t micros, bool suspend)
{
	struct fund f = { .job = { .fn = fund_fn, .done = fund_done }, .wallet = { { name, 7 } }, .micros = micros,
		.suspend = suspend };
	assert_int_equal(intake_submit_job(intake, &f.job), 0);
	wait_for(1);
	assert_int_equal(f.result, 0);
	return f.wallet;
}

static struct cell cell_at(int column, int row)
{
	int64_t low = grid.low_cents + row * grid.row_cents;
	return (struct cell){ .t0_s = grid.t0_s[column], .low_cents = low, .high_cents = low + grid.row_cents };
}

static struct intake_tap tap_of(struct wallet w, struct cell c, int64_t usd)
{
	struct intake_tap t = { .tap = { .wallet = w, .cell = c, .stake = { usd * USD }, .rate_min = { RATE_LEAST },
		.timestamp_s = clk_now_ms() / 1000, .chain_id = 1 }, .signer = w, .done = tap_done };
	rnd_bytes(t.tap.nonce, sizeof t.tap.nonce);
	t.tap.nonce[6] = 0x40;
	return t;
}

static enum intake_result place(struct intake_tap *t)
{
	assert_int_equal(intake_submit(intake, t), 0);
	wait_for(1);
	return t->result;
}

static enum intake_result again(const struct intake_tap *first, struct intake_tap *ret)
{
	*ret = *first;
	return place(ret);
}

/* The book from outside: the account, and every rule of ledger and book. */
static struct account account_of(struct wallet w)
{
	struct week *week;
	struct store *db;
	struct account a;
	struct ledger_audit la;
	struct book_audit ba;
	assert_int_equal(week_open(&week, dir, STORE_READ, clk_now_ms()), 0);
	assert_int_equal(week_begin(week, &db), 0);
	if (ledger_audit(db, &la) != 0)
		fail_msg("%s", la.finding);
	if (book_audit(db, &ba) != 0)
		fail_msg("%s", ba.finding);
	assert_int_equal(ledger_account(db, &w, &a), 0);
	week_rollback(week);
	(void) week_close(week);
	return a;
}

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
	grid.t_ms -= settings.quote_ttl_ms + 1; /* a quote that is over prices nothing */
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

	grid.rates[6][6] = 0;
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
	settings.bet_burst = 2;
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
	struct intake_tap more = tap_of(w, cell_at(3, 2), 25), cell = tap_of(v, cell_at(3, 1), 5), fits = tap_of(w, cell_at(3, 2), 10);
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

static void a_silent_redis_spends_nothing(void **state)
{
	(void) state;
	struct wallet w = funded(1, 10 * USD, false);
	struct intake_tap t = tap_of(w, cell_at(5, 1), 1), r;
	assert_int_equal(kill(redis.pid, SIGSTOP), 0);
	assert_int_equal(place(&t), INTAKE_UNAVAILABLE);
	assert_int_equal(kill(redis.pid, SIGCONT), 0);
	(void) clk_sleep_until_ms(clk_mono_ms() + 2 * BUS_RETRY_MS);
	publish(RATE);
	/* Redis has carried out meanwhile what nobody waited for: the nonce stands there, spent for this very message */
	assert_int_equal(again(&t, &r), INTAKE_CONFIRMED);
	assert_int_equal(again(&t, &r), INTAKE_REPLAYED);
}

static void beyond_the_bound_nothing_enters(void **state)
{
	(void) state;
	static struct intake_tap taps[MANY];
	struct wallet w = funded(1, 10 * USD, false);
	int entered = 0;
	settings.queue_max = 16;
	assert_int_equal(kill(redis.pid, SIGSTOP), 0);
	for (int i = 0; i < MANY; i++) {
		taps[i] = tap_of(w, cell_at(1 + i / 20, i % 20), 1);
		entered += intake_submit(intake, &taps[i]) == 0;
	}
	assert_int_equal(entered, 16);
	wait_for(entered);
	assert_int_equal(kill(redis.pid, SIGCONT), 0);
	(void) clk_sleep_until_ms(clk_mono_ms() + 2 * BUS_RETRY_MS);
	publish(RATE);
	struct intake_tap t = tap_of(w, cell_at(3, 1), 1);
	assert_int_equal(place(&t), INTAKE_CONFIRMED);
}

static void the_cache_comes_back(void **state)
{
	(void) state;
	struct wallet w = funded(1, 10 * USD, false);
	struct intake_tap t = tap_of(w, cell_at(3, 1), 1);
	struct bus *b;
	char key[KEY_MAX];
	assert_int_equal(place(&t), INTAKE_CONFIRMED);
	flush_redis();
	assert_int_equal(bus_open(&b, &bus_conf), 0);
	for (int64_t until = clk_mono_ms() + 5000; bus_kind(ask(b, "GET", key_balance(key, &w))) == BUS_NIL;) {
		assert_true(clk_mono_ms() < until);
		(void) clk_sleep_until_ms(clk_mono_ms() + 20);
	}
	assert_int_equal(bus_int(ask(b, "GET", key_balance(key, &w))), 9 * USD);
	assert_int_equal(bus_int(ask(b, "GET", key_seq(key, &w))), 2);
	(void) bus_close(b);
}

#ifdef TAP_FAULTS
/* Each step of the batch's transaction fails once: all or nothing, and the process says that it must end. */
static void a_failing_book_is_never_half_written(void **state)
{
	(void) state;
	struct wallet w = funded(1, 100 * USD, false);
	int64_t left = 100 * USD;
	for (int n = 0; n < 40; n++) {
		publish(RATE);
		struct intake_tap t = tap_of(w, cell_at(2 + n / 20, n % 20), 1);
		fault_arm(n == 0 ? FAULT_STORE_COMMIT : FAULT_STORE_STEP, n == 0 ? 0 : n - 1, false);
		enum intake_result r = place(&t);
		bool fired = fault_disarm(n == 0 ? FAULT_STORE_COMMIT : FAULT_STORE_STEP);
		if (r == INTAKE_CONFIRMED) {
			left -= USD;
		} else {
			assert_true(fired);
			assert_true(r == INTAKE_UNKNOWN || r == INTAKE_UNAVAILABLE);
			assert_true(intake_failed(intake));
			restart();
			struct account a = account_of(w);
			if (r == INTAKE_UNKNOWN)
				left = a.balance.micros;
			assert_int_equal(a.balance.micros, left);
		}
		if (n > 0 && !fired)
			break;
	}
	assert_int_equal(account_of(w).balance.micros, left);
}
#endif

#define CASE(name) cmocka_unit_test_setup_teardown(name, fresh, finish)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_bet_is_on_disk_when_it_is_answered),
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
		CASE(a_silent_redis_spends_nothing),
		CASE(beyond_the_bound_nothing_enters),
		CASE(the_cache_comes_back),
#ifdef TAP_FAULTS
		CASE(a_failing_book_is_never_half_written),
#endif
	};
	return cmocka_run_group_tests_name("intake", tests, start, stop);
}
