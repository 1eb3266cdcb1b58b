/* The real ingest on the real venue replay and a real Redis: what players and the other daemons would hear, while venues stall,
 * lie and hang up, while Redis is away, and over a kill. Times are shortened by settings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "../support/ingest_world.h"
#include "layer.h"
#include "quotes.h"

static void ten_ticks_and_four_grids_a_second(void **state)
{
	(void) state;
	await_ticks(5);
	size_t before = tick_count();
	int grids = grid_count();
	int64_t begun = clk_mono_ms();
	(void) usleep(3000000);
	double seconds = (double) since_ms(begun) / 1000;
	size_t got = tick_count() - before;
	assert_true((double) got >= seconds * 9 && (double) got <= seconds * 10 + 2);
	assert_true((double) (grid_count() - grids) >= seconds * 4);
	assert_true(quotes_rose());
	(void) pthread_mutex_lock(&ear.lock);
	assert_true(ticks_valid(ear.ticks, ear.n_ticks));
	for (size_t i = before; i < ear.n_ticks; i++)
		assert_int_equal(ear.ticks[i].t_ms % 100, 0);
	(void) pthread_mutex_unlock(&ear.lock);
	await_status(FEED_HEALTHY, true);
}

/* Heard and recorded are the same. */
static void what_is_published_is_recorded(void **state)
{
	(void) state;
	static struct tick stored[TICKS_MAX];
	size_t n, i = 0;
	bool more;
	await_ticks(1);
	(void) pthread_mutex_lock(&ear.lock);
	size_t heard = ear.n_ticks;
	int64_t to_ms = ear.ticks[heard - 1].t_ms + 1;
	(void) pthread_mutex_unlock(&ear.lock);
	assert_int_equal(history_read(it.bus, ear.ticks[0].t_ms, to_ms, stored, TICKS_MAX, &n, &more), 0);
	assert_int_equal(n, heard);
	for (; i < n; i++)
		assert_true(stored[i].t_ms == ear.ticks[i].t_ms && stored[i].p_cents == ear.ticks[i].p_cents);
}

struct remade {
	struct quote_layer layer;
	struct quote_grid heard[16];
	int same, quotes;
};

static bool make_again(void *u, const struct quote_made *made)
{
	static struct quote_grid g;
	struct remade *r = u;
	r->quotes++;
	quote_fill(&g, made, &r->layer);
	for (int i = 0; i < 16; i++)
		r->same += memcmp(&r->heard[i], &g, sizeof g) == 0;
	return true;
}

/* Every grid that was published is made again, to the last rate, from what was logged of it. */
static void grids_are_made_again_from_the_log(void **state)
{
	(void) state;
	static struct remade r;
	assert_int_equal(layer_open(&r.layer, ""), 0);
	int before = grid_count();
	for (int i = 0; i < PATIENCE_MS / 50 && grid_count() < before + 16; i++)
		(void) usleep(50000);
	(void) pthread_mutex_lock(&ear.lock);
	memcpy(r.heard, ear.last_grids, sizeof r.heard);
	(void) pthread_mutex_unlock(&ear.lock);
	before = grid_count();
	for (int i = 0; i < PATIENCE_MS / 50 && grid_count() < before + 17; i++) /* then the log has what was heard */
		(void) usleep(50000);
	int64_t from_ms = r.heard[0].t_ms, to_ms = from_ms;
	for (int i = 1; i < 16; i++) {
		from_ms = r.heard[i].t_ms < from_ms ? r.heard[i].t_ms : from_ms;
		to_ms = r.heard[i].t_ms > to_ms ? r.heard[i].t_ms : to_ms;
	}
	assert_true(from_ms > 0);
	assert_int_equal(quotes_read(it.bus, from_ms, to_ms, make_again, &r), 0);
	assert_int_equal(r.quotes, 16);
	assert_int_equal(r.same, 16);
}

/* The other venue quotes ten basis points higher (in tether): three rows. The index must not move by it. */
static void one_venue_stalls_and_nobody_notices(void **state)
{
	(void) state;
	forget_states();
	await_ticks(30); /* the basis is learned */
	size_t before = tick_count();
	command("stall coinbase 3s");
	await_ticks(40);
	assert_smooth_since(before);
}

/* The venue says that it will cut: the new connection takes over before the old one goes. */
static void a_retiring_venue_is_renewed(void **state)
{
	(void) state;
	forget_states();
	command("stall coinbase 4s");
	(void) usleep(1500000); /* the other venue is alone */
	size_t before = tick_count();
	command("retire binance");
	await_ticks(20);
	assert_smooth_since(before);
	assert_true(log_says("binance: the new connection took over"));
	(void) usleep(1000000);
}

static void all_stall_and_heal(void **state)
{
	(void) state;
	await_ticks(1);
	assert_ops_says("/health", " 200 ", "\"venues\":{\"coinbase\":\"live\",\"binance\":\"live\"}");
	assert_ops_says("/ready", " 200 ", "");
	assert_ops_says("/metrics", " 200 ", "tap_feed_live{venue=\"coinbase\"} 1");
	command("stall all");
	int64_t begun = clk_mono_ms();
	await_status(FEED_DEGRADED, true);
	assert_in_range(since_ms(begun), 1400, 4500);
	await_status(FEED_CRITICAL, false);
	assert_in_range(since_ms(begun), 2900, 6000);
	assert_ops_says("/health", " 503 ", "\"venues\":{\"coinbase\":\"stale\",\"binance\":\"stale\"}");
	assert_ops_says("/ready", " 503 ", "");
	size_t before = tick_count();
	int grids = grid_count();
	(void) usleep(500000);
	assert_int_equal(tick_count(), before); /* a gap stays a gap */
	assert_int_equal(grid_count(), grids);
	command("off");
	await_ticks(1);
	begun = clk_mono_ms();
	await_status(FEED_HEALTHY, true);
	assert_in_range(since_ms(begun), 2800, 6000);
	(void) pthread_mutex_lock(&ear.lock);
	assert_true(ear.ticks[before].t_ms - ear.ticks[before - 1].t_ms > 3000);
	assert_true(ticks_valid(ear.ticks, ear.n_ticks));
	(void) pthread_mutex_unlock(&ear.lock);
}

static void nonsense_is_survived(void **state)
{
	(void) state;
	command("garble all 4s");
	(void) usleep(4000000);
	command("off");
	await_ticks(20);
	(void) pthread_mutex_lock(&ear.lock);
	for (size_t i = 1; i < ear.n_ticks; i++) /* of what was garbled nothing became a price */
		assert_true(llabs(ear.ticks[i].p_cents - ear.ticks[i - 1].p_cents) * 100 < ear.ticks[i].p_cents);
	(void) pthread_mutex_unlock(&ear.lock);
}

static void closed_connections_come_back(void **state)
{
	(void) state;
	command("close all 1s");
	(void) usleep(300000);
	await_ticks(30);
	command("drop all 0.5");
	await_ticks(20);
	command("off");
}

static void the_operator_has_the_last_word(void **state)
{
	(void) state;
	const struct bus_reply *r;
	await_status(FEED_HEALTHY, true);
	assert_int_equal(bus_command(it.bus, &r, "PUBLISH %s open", CHANNEL_OVERRIDE), 0);
	await_status(FEED_HEALTHY, false);
	(void) usleep(1500000); /* no key is there: what was heard still counts */
	await_status(FEED_HEALTHY, false);
	assert_int_equal(bus_command(it.bus, &r, "PUBLISH %s auto", CHANNEL_OVERRIDE), 0);
	await_status(FEED_HEALTHY, true);
	assert_int_equal(bus_command(it.bus, &r, "SET %s open PX 1500", KEY_OVERRIDE), 0);
	await_status(FEED_HEALTHY, false);
	await_status(FEED_HEALTHY, true); /* it expired */
}

/* Ticks are lost, never late. */
static void redis_goes_and_comes(void **state)
{
	(void) state;
	static struct tick stored[TICKS_MAX];
	size_t n;
	bool more;
	await_ticks(1);
	redis_server_kill(&it.redis);
	int64_t gone = clk_now_ms();
	(void) usleep(1200000);
	int64_t back = clk_now_ms();
	assert_true(redis_server_run(&it.redis));
	await_ticks(20);
	assert_int_equal(history_read(it.bus, 0, INT64_MAX / 2, stored, TICKS_MAX, &n, &more), 0);
	for (size_t i = 0; i < n; i++)
		assert_false(stored[i].t_ms > gone + 100 && stored[i].t_ms < back - HISTORY_LATE_MS);
	await_status(FEED_HEALTHY, true);
}

/* Kills ingest, starts it again as systemd would, and tells how many ticks are missing between the last and the next. */
static int64_t missing_after_kill(void)
{
	assert_int_equal(child_end(it.ingest, SIGKILL), 128 + SIGKILL);
	size_t before = tick_count();
	start_ingest();
	await_ticks(20);
	(void) pthread_mutex_lock(&ear.lock);
	int64_t gap_ms = ear.ticks[before].t_ms - ear.ticks[before - 1].t_ms;
	(void) pthread_mutex_unlock(&ear.lock);
	return gap_ms / 100 - 1;
}

static int64_t missing_when_the_other_takes_over(void)
{
	pid_t speaks = it.ingest;
	start_ingest(); /* it.ingest is on guard from now on */
	await_ticks(15);
	size_t before = tick_count();
	assert_int_equal(child_end(speaks, SIGKILL), 128 + SIGKILL);
	await_ticks(15);
	int64_t longest_ms = 0;
	(void) pthread_mutex_lock(&ear.lock);
	for (size_t i = before > 0 ? before : 1; i < ear.n_ticks; i++) {
		int64_t gap_ms = ear.ticks[i].t_ms - ear.ticks[i - 1].t_ms;
		longest_ms = gap_ms > longest_ms ? gap_ms : longest_ms;
	}
	(void) pthread_mutex_unlock(&ear.lock);
	return longest_ms / 100 - 1;
}

static void a_guard_takes_over(void **state)
{
	(void) state;
	await_status(FEED_HEALTHY, true);
	int64_t least = INT64_MAX; /* of three, so that a busy machine is no failure */
	for (int i = 0; i < 3 && least > 8; i++) {
		int64_t missing = missing_when_the_other_takes_over();
		least = missing < least ? missing : least;
	}
	assert_in_range(least, 1, 8); /* under a second; and it was on guard, or nothing were missing */
	assert_true(quotes_rose());
	assert_true(log_says("this ingest speaks"));
}

static int log_counts(const char *what)
{
	int n = 0;
	for (const char *at = read_log(); (at = strstr(at, what)) != NULL; at++)
		n++;
	return n;
}

static void await_log(const char *what, int n)
{
	for (int64_t until_ms = clk_mono_ms() + PATIENCE_MS; log_counts(what) < n; (void) usleep(20000))
		assert_true(clk_mono_ms() < until_ms);
}

/* Who listens is as healthy as he who speaks says, from the first word on, or a takeover would be a crisis. */
static void a_guard_is_as_healthy_as_who_speaks(void **state)
{
	(void) state;
	static const char degraded[] = "price feed: degraded, was healthy", healthy[] = "price feed: healthy, was degraded";
	_cleanup_(buf_free) struct buf word = BUF_INIT(MSG_EVENT_MAX);
	const struct bus_reply *r;
	pid_t speaks = it.ingest;
	int before = log_counts(degraded);
	await_status(FEED_HEALTHY, true);
	msg_status(&word, FEED_DEGRADED, true);
	start_ingest();
	for (int64_t until_ms = clk_mono_ms() + PATIENCE_MS; log_counts(degraded) == before; (void) usleep(5000)) {
		assert_int_equal(bus_command(it.bus, &r, "SET %s %b EX 3600", KEY_STATUS, word.p, word.n), 0);
		assert_true(clk_mono_ms() < until_ms);
	}
	await_log(healthy, log_counts(degraded));
	forget_states();
	assert_int_equal(child_end(speaks, SIGKILL), 128 + SIGKILL);
	await_ticks(15);
	(void) pthread_mutex_lock(&ear.lock);
	unsigned states = ear.states_seen;
	(void) pthread_mutex_unlock(&ear.lock);
	assert_int_equal(states, 1u << FEED_HEALTHY);
}

static void a_kill_is_a_short_gap(void **state)
{
	(void) state;
	await_status(FEED_HEALTHY, true);
	forget_states();
	int64_t least = INT64_MAX; /* of three, so that a busy machine is no failure */
	for (int i = 0; i < 3 && least > 20; i++) {
		int64_t missing = missing_after_kill();
		least = missing < least ? missing : least;
	}
	assert_in_range(least, 0, 20); /* two seconds */
	assert_true(quotes_rose());
	await_status(FEED_HEALTHY, true);
	(void) pthread_mutex_lock(&ear.lock);
	unsigned states = ear.states_seen;
	(void) pthread_mutex_unlock(&ear.lock);
	assert_int_equal(states, 1u << FEED_HEALTHY); /* a restart is no crisis */
	assert_int_equal(child_end(it.ingest, SIGTERM), 0);
	it.ingest = 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ten_ticks_and_four_grids_a_second),
		cmocka_unit_test(what_is_published_is_recorded),
		cmocka_unit_test(grids_are_made_again_from_the_log),
		cmocka_unit_test(one_venue_stalls_and_nobody_notices),
		cmocka_unit_test(a_retiring_venue_is_renewed),
		cmocka_unit_test(all_stall_and_heal),
		cmocka_unit_test(closed_connections_come_back),
		cmocka_unit_test(the_operator_has_the_last_word),
		cmocka_unit_test(nonsense_is_survived),
		cmocka_unit_test(redis_goes_and_comes),
		cmocka_unit_test(a_guard_takes_over),
		cmocka_unit_test(a_guard_is_as_healthy_as_who_speaks),
		cmocka_unit_test(a_kill_is_a_short_gap),
	};
	return cmocka_run_group_tests(tests, start_all, stop_all);
}
