/* The real ingest on the real venue replay and a real Redis: what players and the other daemons would hear, while venues stall,
 * lie and hang up, while Redis is away, and over a kill. Times are shortened by settings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <cmocka.h>

#include "../support/child.h"
#include "../support/redis_server.h"
#include "bus.h"
#include "clk.h"
#include "history.h"
#include "msg.h"

enum { PATIENCE_MS = 15000, TICKS_MAX = 4096 };

static struct {
	struct redis_server redis;
	struct bus *bus;
	struct bus_sub *sub;
	pid_t replay, ingest;
	char dir[64], log[96], control[96], port[8];
	uint16_t ops_port;
} it;

/* What was heard on the channels. */
static struct {
	pthread_mutex_t lock;
	struct tick ticks[TICKS_MAX];
	size_t n_ticks;
	int grids;
	int64_t quote_id;
	bool quote_fell;
	enum feed_state feed;
	bool betting, heard_status;
	unsigned states_seen; /* bit for each enum feed_state since the last look */
} ear = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void hear(void *u, const char *channel, const char *payload, size_t n)
{
	static struct quote_grid grid;
	(void) u;
	(void) pthread_mutex_lock(&ear.lock);
	if (strcmp(channel, CHANNEL_PRICE) == 0 && ear.n_ticks < TICKS_MAX && msg_price_parse(&ear.ticks[ear.n_ticks], payload, n))
		ear.n_ticks++;
	if (strcmp(channel, CHANNEL_GRID) == 0 && msg_grid_parse(&grid, payload, n)) {
		ear.grids++;
		ear.quote_fell |= grid.quote_id <= ear.quote_id;
		ear.quote_id = grid.quote_id;
	}
	if (strcmp(channel, CHANNEL_STATUS) == 0 && msg_status_parse(&ear.feed, &ear.betting, payload, n)) {
		ear.heard_status = true;
		ear.states_seen |= 1u << ear.feed;
	}
	(void) pthread_mutex_unlock(&ear.lock);
}

static void hear_state(void *u, bool up)
{
	(void) u, (void) up;
}

static struct bus_conf bus_conf(void)
{
	return (struct bus_conf){ .address = it.redis.address, .user = "", .password = "", .timeout_ms = 1000 };
}

/* The children's log up to now; static. */
static const char *read_log(void)
{
	static char text[262144];
	FILE *in = fopen(it.log, "re");
	size_t n = in ? fread(text, 1, sizeof text - 1, in) : 0;
	if (in)
		(void) fclose(in);
	text[n] = '\0';
	return text;
}

static bool log_says(const char *what)
{
	return strstr(read_log(), what) != NULL;
}

static bool read_port(void)
{
	const char *at = strstr(read_log(), "listening on 127.0.0.1:");
	return at && strchr(at, '\n') && sscanf(at, "listening on 127.0.0.1:%7[0-9]", it.port) == 1;
}

static bool start_replay(void)
{
	const char *argv[] = { "bin/venue-replay", "--listen", "127.0.0.1:0", "--ticks",
		TAP_SOURCE_DIR "/data/binance_btcusdt_20240808.csv", "--control", it.control, "--basis-bp", "10", NULL };
	it.replay = child_start(argv, NULL, it.log);
	for (int i = 0; it.replay && i < 500; i++) {
		if (read_port())
			return true;
		(void) usleep(10000);
	}
	return false;
}

static struct sockaddr_in loopback(uint16_t port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = { htonl(INADDR_LOOPBACK) } };
}

/* One that was free a moment ago. */
static uint16_t free_port(void)
{
	struct sockaddr_in at = loopback(0);
	socklen_t n = sizeof at;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (struct sockaddr *) &at, sizeof at), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *) &at, &n), 0);
	(void) close(fd);
	return ntohs(at.sin_port);
}

/* The whole answer of the operations port; static. */
static const char *ask_ops(const char *path)
{
	static char answer[65536];
	struct sockaddr_in at = loopback(it.ops_port);
	char request[128];
	size_t n = 0;
	ssize_t got;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(fd, (struct sockaddr *) &at, sizeof at), 0);
	(void) snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", path);
	assert_int_equal(write(fd, request, strlen(request)), strlen(request));
	while (n < sizeof answer - 1 && (got = read(fd, answer + n, sizeof answer - 1 - n)) > 0)
		n += (size_t) got;
	answer[n] = '\0';
	(void) close(fd);
	return answer;
}

static void assert_ops_says(const char *path, const char *status, const char *what)
{
	const char *answer = ask_ops(path);
	if (!strstr(answer, status) || !strstr(answer, what))
		fail_msg("%s: no %s or %s in %s", path, status, what, answer);
}

static void start_ingest(void)
{
	char redis[160], coinbase[96], binance[128], ops[64];
	it.ops_port = free_port();
	(void) snprintf(ops, sizeof ops, "TAP_INGEST_OPS_LISTEN=127.0.0.1:%u", it.ops_port);
	(void) snprintf(redis, sizeof redis, "TAP_REDIS=%s", it.redis.address);
	(void) snprintf(coinbase, sizeof coinbase, "TAP_COINBASE_URL=ws://127.0.0.1:%s/", it.port);
	(void) snprintf(binance, sizeof binance,
			"TAP_BINANCE_URL=ws://127.0.0.1:%s/stream?streams=btcusdt@trade/btcusdt@bookTicker", it.port);
	const char *env[] = { "PATH=/usr/bin:/bin", redis, coinbase, binance, "TAP_MIN_VENUES=1", "TAP_VENUE_STALE_MS=1000",
		"TAP_MAX_TICK_GAP_MS=1500", "TAP_FEED_CRITICAL_MS=3000", "TAP_FEED_HEAL_MS=3000", "TAP_REDIS_TIMEOUT_MS=300",
		ops, NULL };
	const char *argv[] = { "bin/tap-trading-ingest", NULL };
	it.ingest = child_start(argv, env, it.log);
	assert_int_not_equal(it.ingest, 0);
}

static int start_all(void **state)
{
	static const char *const channels[] = { CHANNEL_PRICE, CHANNEL_GRID, CHANNEL_STATUS, NULL };
	static const struct bus_sub_ops ops = { .message = hear, .state = hear_state };
	(void) state;
	(void) snprintf(it.dir, sizeof it.dir, "/tmp/tap-ingest-XXXXXX");
	if (!mkdtemp(it.dir))
		return -1;
	(void) snprintf(it.log, sizeof it.log, "%s/log", it.dir);
	(void) snprintf(it.control, sizeof it.control, "%s/control", it.dir);
	struct bus_conf conf;
	if (!redis_server_start(&it.redis) || !start_replay())
		return -1;
	conf = bus_conf();
	if (bus_open(&it.bus, &conf) < 0 || bus_sub_open(&it.sub, &conf, channels, &ops, NULL) < 0)
		return -1;
	start_ingest();
	return 0;
}

static int stop_all(void **state)
{
	(void) state;
	if (it.ingest)
		(void) child_end(it.ingest, SIGTERM);
	if (it.replay)
		(void) child_end(it.replay, SIGTERM);
	bus_sub_close(it.sub);
	bus_close(it.bus);
	redis_server_stop(&it.redis);
	if (getenv("TAP_TEST_KEEP"))
		return 0;
	(void) unlink(it.log);
	(void) rmdir(it.dir);
	return 0;
}

static void command(const char *line)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	char answer[64] = "";
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	(void) snprintf(at.sun_path, sizeof at.sun_path, "%s", it.control);
	assert_int_equal(connect(fd, (struct sockaddr *) &at, sizeof at), 0);
	assert_int_equal(write(fd, line, strlen(line)), strlen(line));
	assert_int_equal(write(fd, "\n", 1), 1);
	assert_true(read(fd, answer, sizeof answer - 1) > 0);
	assert_string_equal(answer, "ok\n");
	(void) close(fd);
}

static size_t tick_count(void)
{
	(void) pthread_mutex_lock(&ear.lock);
	size_t n = ear.n_ticks;
	(void) pthread_mutex_unlock(&ear.lock);
	return n;
}

static int grid_count(void)
{
	(void) pthread_mutex_lock(&ear.lock);
	int n = ear.grids;
	(void) pthread_mutex_unlock(&ear.lock);
	return n;
}

static bool quotes_rose(void)
{
	(void) pthread_mutex_lock(&ear.lock);
	bool rose = !ear.quote_fell;
	(void) pthread_mutex_unlock(&ear.lock);
	return rose;
}

/* From the tick of that number on: no gap but the one of a turn, no jump of four basis points. */
static void assert_smooth_since(size_t first)
{
	(void) pthread_mutex_lock(&ear.lock);
	for (size_t i = first; i < ear.n_ticks; i++) {
		assert_true(ear.ticks[i].t_ms - ear.ticks[i - 1].t_ms <= 600);
		assert_true(llabs(ear.ticks[i].p_cents - ear.ticks[i - 1].p_cents) * 10000 < 4 * ear.ticks[i].p_cents);
	}
	assert_int_equal(ear.states_seen & ~(1u << FEED_HEALTHY), 0);
	(void) pthread_mutex_unlock(&ear.lock);
}

static void forget_states(void)
{
	(void) pthread_mutex_lock(&ear.lock);
	ear.states_seen = 0;
	ear.heard_status = false;
	(void) pthread_mutex_unlock(&ear.lock);
}

static void await_ticks(size_t more)
{
	size_t target = tick_count() + more;
	int64_t until = clk_mono_ms() + PATIENCE_MS;
	while (tick_count() < target) {
		if (clk_mono_ms() > until)
			fail_msg("no ticks came; see %s", it.log);
		(void) usleep(5000);
	}
}

static void await_status(enum feed_state feed, bool betting)
{
	int64_t until = clk_mono_ms() + PATIENCE_MS;
	for (;;) {
		(void) pthread_mutex_lock(&ear.lock);
		bool there = ear.heard_status && ear.feed == feed && ear.betting == betting;
		(void) pthread_mutex_unlock(&ear.lock);
		if (there)
			return;
		if (clk_mono_ms() > until)
			fail_msg("status %s, betting %d did not come", feed_state_name(feed), betting);
		(void) usleep(5000);
	}
}

static int64_t since_ms(int64_t begun)
{
	return clk_mono_ms() - begun;
}

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

static void a_kill_is_a_short_gap(void **state)
{
	(void) state;
	await_status(FEED_HEALTHY, true);
	forget_states();
	assert_int_equal(child_end(it.ingest, SIGKILL), 128 + SIGKILL);
	start_ingest();
	await_ticks(20);
	assert_true(quotes_rose());
	await_status(FEED_HEALTHY, true);
	(void) pthread_mutex_lock(&ear.lock);
	assert_int_equal(ear.states_seen, 1u << FEED_HEALTHY); /* a restart is no crisis */
	(void) pthread_mutex_unlock(&ear.lock);
	assert_int_equal(child_end(it.ingest, SIGTERM), 0);
	it.ingest = 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ten_ticks_and_four_grids_a_second),
		cmocka_unit_test(what_is_published_is_recorded),
		cmocka_unit_test(one_venue_stalls_and_nobody_notices),
		cmocka_unit_test(a_retiring_venue_is_renewed),
		cmocka_unit_test(all_stall_and_heal),
		cmocka_unit_test(closed_connections_come_back),
		cmocka_unit_test(the_operator_has_the_last_word),
		cmocka_unit_test(nonsense_is_survived),
		cmocka_unit_test(redis_goes_and_comes),
		cmocka_unit_test(a_kill_is_a_short_gap),
	};
	return cmocka_run_group_tests(tests, start_all, stop_all);
}
