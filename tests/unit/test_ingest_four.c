/* The real ingest on all four venues of the real replay: whatever one of them does, the ticks are those of the tape. All venues tell
 * the same market (Binance in a tether that is ten basis points dearer), so the others' spread is next to nothing, and a price that
 * is not on the tape was made by the one that is ill. TAP_FAULT_ROUNDS: how often every fault is played (1); TAP_FAULT_SEED: which
 * venue has it, and when (1). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "../support/ingest_world.h"
#include "price.h"
#include "tape.h"

enum {
	POINTS_MAX = 8192,
	SLOW_MS = 1500, /* how far a slow machine may put a tick from its point */
	OFF_CENTS = 150 /* a quarter of a basis point: tether is converted by what was learned of it while its venue lagged */
};

static struct {
	int64_t ms[POINTS_MAX], cents[POINTS_MAX];
	size_t n;
	int64_t begun_ms;  /* the wall clock when it began; 0: not known yet */
	size_t checked;    /* ticks of the ear */
} tape;

static void read_tape(void)
{
	struct tape *t = NULL;
	struct tape_point p;
	assert_int_equal(tape_load(&t, TAP_SOURCE_DIR "/data/binance_btcusdt_20240808.csv", 0), 0);
	for (int64_t ms = 0; ms < 600000; ms++)
		for (; tape.n < POINTS_MAX && tape_next(t, ms, &p); tape.n++) {
			tape.ms[tape.n] = ms;
			tape.cents[tape.n] = price_from_e4((p.bid_cents + p.ask_cents) * 50).cents;
		}
	tape_free(t);
}

/* A tick taken while a point was on its way to some venues lies between that point and the one before. */
static bool is_between(int64_t cents, size_t i)
{
	int64_t a = tape.cents[i], b = tape.cents[i ? i - 1 : 0];
	return cents >= (a < b ? a : b) - OFF_CENTS && cents <= (a < b ? b : a) + OFF_CENTS;
}

static bool is_on_tape(const struct tick *t)
{
	int64_t ms = t->t_ms - tape.begun_ms;
	for (size_t i = 0; i < tape.n; i++)
		if (llabs(tape.ms[i] - ms) <= SLOW_MS && is_between(t->p_cents, i))
			return true;
	return false;
}

static bool are_on_tape(size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!is_on_tape(&ear.ticks[i]))
			return false;
	return true;
}

/* Where the tape stood at a change of the price: at the first place of that change from which all that was heard fits. */
static void find_begin(size_t n)
{
	for (size_t i = 1; i < n; i++) {
		if (ear.ticks[i].p_cents == ear.ticks[i - 1].p_cents)
			continue;
		for (size_t k = 1; k < tape.n; k++) {
			if (tape.cents[k] == tape.cents[k - 1] || !is_between(ear.ticks[i - 1].p_cents, k) ||
					!is_between(ear.ticks[i].p_cents, k))
				continue;
			tape.begun_ms = ear.ticks[i].t_ms - tape.ms[k];
			if (are_on_tape(n))
				return;
		}
	}
	tape.begun_ms = 0;
}

static void check_ticks(const char *during)
{
	(void) pthread_mutex_lock(&ear.lock);
	size_t n = ear.n_ticks;
	(void) pthread_mutex_unlock(&ear.lock);
	if (!tape.begun_ms)
		find_begin(n);
	for (; tape.begun_ms && tape.checked < n; tape.checked++)
		if (!is_on_tape(&ear.ticks[tape.checked]))
			fail_msg("%s: tick %zu, %lld ms into the tape, is %lld; see %s", during, tape.checked,
					(long long) (ear.ticks[tape.checked].t_ms - tape.begun_ms),
					(long long) ear.ticks[tape.checked].p_cents, it.log);
}

static int log_count(const char *what)
{
	int n = 0;
	for (const char *at = read_log(); (at = strstr(at, what)); at++)
		n++;
	return n;
}

static void await_log(const char *what, int times)
{
	int64_t until = clk_mono_ms() + PATIENCE_MS;
	while (log_count(what) < times) {
		if (clk_mono_ms() > until)
			fail_msg("`%s` was not logged %d times; see %s", what, times, it.log);
		(void) usleep(20000);
	}
}

static const char *const venues[] = { "coinbase", "kraken", "bitstamp", "binance" };

static void four_venues_make_the_price(void **state)
{
	(void) state;
	await_ticks(20);
	assert_ops_says("/health", " 200 ",
			"\"venues\":{\"coinbase\":\"live\",\"kraken\":\"live\",\"bitstamp\":\"live\",\"binance\":\"live\"}");
	assert_ops_says("/metrics", " 200 ", "tap_feed_live_venues 4");
	check_ticks("no fault");
}

/* The venues cut what is as old as nine seconds, and we renew at three: nothing is ever lost. */
static void connections_are_renewed_before_they_are_cut(void **state)
{
	char line[64];
	(void) state;
	command("cut all 9s");
	for (size_t i = 0; i < ARRAY_LEN(venues); i++) {
		(void) snprintf(line, sizeof line, "%s: the new connection took over", venues[i]);
		await_log(line, 2);
	}
	command("off");
	assert_int_equal(log_count("connection lost"), 0);
	assert_int_equal(log_count("connection failed"), 0);
	check_ticks("renewing");
}

static const char *const faults[] = {
	"stall", "mute", "drop 0.7", "garble", "lag 1500ms", "close", "freeze", "outlier 15", "outlier -19", "outlier 300", "outlier -9000",
	"repeat", "shuffle", "clock 1300ms", "retire",
};

static uint32_t dice;

static uint32_t roll(uint32_t below)
{
	dice = dice * 1664525 + 1013904223;
	return (dice >> 8) % below;
}

static void play_fault(const char *fault, const char *venue)
{
	char line[64];
	size_t word = strcspn(fault, " ");
	size_t ms = 300 + roll(1200);
	bool once = strcmp(fault, "close") == 0 || strcmp(fault, "retire") == 0;
	if (once)
		(void) snprintf(line, sizeof line, "%s %s", fault, venue);
	else
		(void) snprintf(line, sizeof line, "%.*s %s%s %zums", (int) word, fault, venue, fault + word, ms);
	command(line);
	await_ticks(ms / 100 + 3);
	check_ticks(line);
}

/* A price that the ill venue moved would not be on the tape: outlier 15 alone would move a mean by 3.75 basis points, 23 dollars. */
static void whatever_one_does_the_ticks_are_the_tapes(void **state)
{
	const char *rounds = getenv("TAP_FAULT_ROUNDS"), *seed = getenv("TAP_FAULT_SEED");
	(void) state;
	forget_states();
	dice = seed ? (uint32_t) strtoul(seed, NULL, 10) : 1;
	for (long round = rounds ? strtol(rounds, NULL, 10) : 1; round > 0; round--)
		for (size_t i = 0; i < ARRAY_LEN(faults); i++)
			play_fault(faults[i], venues[roll(ARRAY_LEN(venues))]);
	(void) pthread_mutex_lock(&ear.lock);
	unsigned states = ear.states_seen;
	(void) pthread_mutex_unlock(&ear.lock);
	assert_int_equal(states & ~(1u << FEED_HEALTHY), 0);
	assert_true(tape.begun_ms && tape.checked > 150);
}

/* The heartbeat names a trade that no ticker told of: another connection takes over, and its snapshot is the book. */
static void what_was_lost_is_asked_for_again(void **state)
{
	(void) state;
	int lost = log_count("coinbase: something was lost"), before = log_count("coinbase: the new connection took over");
	command("mute coinbase 6s");
	await_log("coinbase: something was lost", lost + 1);
	await_log("coinbase: the new connection took over", before + 1);
	command("off");
	assert_ops_says("/metrics", " 200 ", "tap_feed_gaps_total{venue=\"coinbase\"}");
	check_ticks("after a loss");
}

static void basis_was_kept(void)
{
	const struct bus_reply *r;
	int64_t until = clk_mono_ms() + 4 * PATIENCE_MS;
	for (;;) {
		assert_int_equal(bus_command(it.bus, &r, "HGET %s binance", KEY_BASIS), 0);
		if (bus_kind(r) == BUS_TEXT)
			break;
		assert_true(clk_mono_ms() < until);
		(void) usleep(100000);
	}
	assert_in_range(strtoll(bus_text(r, NULL), NULL, 10), 1000900000, 1001100000);
	assert_int_equal(bus_command(it.bus, &r, "TTL %s", KEY_BASIS), 0);
	assert_in_range(bus_int(r), 1, 7 * 24 * 3600);
}

/* Two are away and one of the two others lies: there is no majority, so the ticks stop, then the bets, until it tells the truth. */
static void two_that_disagree_stop_the_feed(void **state)
{
	(void) state;
	basis_was_kept();
	check_ticks("before two go");
	command("stall kraken");
	command("stall bitstamp");
	await_log("kraken: stale", log_count("kraken: stale") + 1);
	await_ticks(5);
	check_ticks("two alone");
	command("outlier coinbase 15");
	await_status(FEED_DEGRADED, true);
	await_status(FEED_CRITICAL, false);
	assert_ops_says("/health", " 503 ", "\"coinbase\":\"off_band\",\"kraken\":\"stale\",\"bitstamp\":\"stale\",\"binance\":\"off_band\"");
	check_ticks("two that disagree"); /* the last before the lie, and none from it */
	size_t before = tick_count();
	(void) usleep(500000);
	assert_int_equal(tick_count(), before);
	command("off coinbase");
	await_ticks(5);
	check_ticks("two that agree again");
	command("off");
	await_status(FEED_HEALTHY, true);
}

/* Killed, and started again while only the tether venue speaks: what tether is worth is remembered. */
static void tether_is_remembered_over_a_kill(void **state)
{
	(void) state;
	basis_was_kept();
	check_ticks("before the kill");
	assert_int_equal(child_end(it.ingest, SIGKILL), 128 + SIGKILL);
	command("stall coinbase");
	command("stall kraken");
	command("stall bitstamp");
	start_ingest();
	await_ticks(30);
	assert_ops_says("/health", " 200 ", "\"coinbase\":\"silent\",\"kraken\":\"silent\",\"bitstamp\":\"silent\",\"binance\":\"live\"");
	check_ticks("tether alone");
	command("off");
	await_ticks(20);
	check_ticks("all again");
	assert_int_equal(child_end(it.ingest, SIGTERM), 0);
	it.ingest = 0;
}

static int start_four(void **state)
{
	static const char *const env[] = { "TAP_MIN_VENUES=1", "TAP_VENUE_RENEW_SECONDS=3", "TAP_FEED_CRITICAL_MS=4000",
		"TAP_FEED_HEAL_MS=4000", NULL };
	it.env = env;
	read_tape();
	return start_all(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(four_venues_make_the_price),
		cmocka_unit_test(connections_are_renewed_before_they_are_cut),
		cmocka_unit_test(whatever_one_does_the_ticks_are_the_tapes),
		cmocka_unit_test(what_was_lost_is_asked_for_again),
		cmocka_unit_test(two_that_disagree_stop_the_feed),
		cmocka_unit_test(tether_is_remembered_over_a_kill),
	};
	return cmocka_run_group_tests_name("ingest_four", tests, start_four, stop_all);
}
