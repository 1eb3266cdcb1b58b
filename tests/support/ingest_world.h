/* ingest_world.h - the real ingest as a process, on the real venue replay and a real Redis, with an ear on what it publishes. For tests
 * of what players and the other daemons would hear. */
#ifndef TAP_TEST_INGEST_WORLD_H
#define TAP_TEST_INGEST_WORLD_H

#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "../support/child.h"
#include "../support/redis_server.h"
#include "attr.h"
#include "bus.h"
#include "clk.h"
#include "history.h"
#include "msg.h"

enum { PATIENCE_MS = 60000, TICKS_MAX = 4096 };

static struct {
	struct redis_server redis;
	struct bus *bus;
	struct bus_sub *sub;
	pid_t replay, ingest;
	char dir[64], log[96], control[96], port[8];
	uint16_t ops_port;
	/* how ingest is to be run, before ingest_world_start; NULL: two venues, and short times */
	const char *const *env;
	const char *noise_cents; /* of the replay; NULL: none */
} it;

/* What was heard on the channels. */
static struct {
	pthread_mutex_t lock;
	struct tick ticks[TICKS_MAX];
	size_t n_ticks;
	int grids;
	struct quote_grid last_grids[16]; /* by grids % 16 */
	int64_t quote_id;
	bool quote_fell;
	enum feed_state feed;
	bool betting, heard_status;
	unsigned states_seen; /* bit for each enum feed_state since the last look */
} ear = { .lock = PTHREAD_MUTEX_INITIALIZER };

static inline void hear(void *u, const char *channel, const char *payload, size_t n)
{
	static struct quote_grid grid;
	(void) u;
	(void) pthread_mutex_lock(&ear.lock);
	if (strcmp(channel, CHANNEL_PRICE) == 0 && ear.n_ticks < TICKS_MAX && msg_price_parse(&ear.ticks[ear.n_ticks], payload, n))
		ear.n_ticks++;
	if (strcmp(channel, CHANNEL_GRID) == 0 && msg_grid_parse(&grid, payload, n)) {
		ear.last_grids[ear.grids++ % 16] = grid;
		ear.quote_fell |= grid.quote_id <= ear.quote_id;
		ear.quote_id = grid.quote_id;
	}
	if (strcmp(channel, CHANNEL_STATUS) == 0 && msg_status_parse(&ear.feed, &ear.betting, payload, n)) {
		ear.heard_status = true;
		ear.states_seen |= 1u << ear.feed;
	}
	(void) pthread_mutex_unlock(&ear.lock);
}

static inline void hear_state(void *u, bool up)
{
	(void) u, (void) up;
}

static inline struct bus_conf bus_conf(void)
{
	return (struct bus_conf){ .address = it.redis.address, .user = "", .password = "", .timeout_ms = 1000 };
}

/* The children's log up to now; static. */
static inline const char *read_log(void)
{
	static char text[262144];
	FILE *in = fopen(it.log, "re");
	size_t n = in ? fread(text, 1, sizeof text - 1, in) : 0;
	if (in)
		(void) fclose(in);
	text[n] = '\0';
	return text;
}

static inline bool log_says(const char *what)
{
	return strstr(read_log(), what) != NULL;
}

static inline bool read_port(void)
{
	const char *at = strstr(read_log(), "listening on 127.0.0.1:");
	return at && strchr(at, '\n') && sscanf(at, "listening on 127.0.0.1:%7[0-9]", it.port) == 1;
}

static inline bool start_replay(void)
{
	const char *argv[] = { "bin/venue-replay", "--listen", "127.0.0.1:0", "--ticks",
		TAP_SOURCE_DIR "/data/binance_btcusdt_20240808.csv", "--control", it.control, "--basis-bp", "10",
		"--noise-cents", it.noise_cents ? it.noise_cents : "0", NULL };
	it.replay = child_start(argv, NULL, it.log);
	for (int i = 0; it.replay && i < 500; i++) {
		if (read_port())
			return true;
		(void) usleep(10000);
	}
	return false;
}

static inline struct sockaddr_in loopback(uint16_t port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = { htonl(INADDR_LOOPBACK) } };
}

/* One that was free a moment ago. */
static inline uint16_t free_port(void)
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
static inline const char *ask_ops(const char *path)
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

static inline void assert_ops_says(const char *path, const char *status, const char *what)
{
	const char *answer = ask_ops(path);
	if (!strstr(answer, status) || !strstr(answer, what))
		fail_msg("%s: no %s or %s in %s", path, status, what, answer);
}

static inline void start_ingest(void)
{
	enum { VENUES_ENV = 8, ENV_MAX = 24 };
	static const char *const two[] = { "TAP_KRAKEN_URL=", "TAP_BITSTAMP_URL=", "TAP_MIN_VENUES=1", "TAP_VENUE_STALE_MS=1000",
		"TAP_MAX_TICK_GAP_MS=1500", "TAP_FEED_CRITICAL_MS=3000", "TAP_FEED_HEAL_MS=3000", "TAP_REDIS_TIMEOUT_MS=300", NULL };
	char text[VENUES_ENV][160];
	const char *env[ENV_MAX];
	size_t n = 0;
	it.ops_port = free_port();
	(void) snprintf(text[n], sizeof text[n], "TAP_INGEST_OPS_LISTEN=127.0.0.1:%u", it.ops_port), n++;
	(void) snprintf(text[n], sizeof text[n], "TAP_REDIS=%s", it.redis.address), n++;
	(void) snprintf(text[n], sizeof text[n], "TAP_COINBASE_URL=ws://127.0.0.1:%s/", it.port), n++;
	(void) snprintf(text[n], sizeof text[n],
			"TAP_BINANCE_URL=ws://127.0.0.1:%s/stream?streams=btcusdt@trade/btcusdt@bookTicker", it.port), n++;
	if (it.env) {
		(void) snprintf(text[n], sizeof text[n], "TAP_KRAKEN_URL=ws://127.0.0.1:%s/v2", it.port), n++;
		(void) snprintf(text[n], sizeof text[n], "TAP_BITSTAMP_URL=ws://127.0.0.1:%s/bitstamp", it.port), n++;
	}
	for (size_t i = 0; i < n; i++)
		env[i] = text[i];
	env[n++] = "PATH=/usr/bin:/bin";
	for (const char *const *more = it.env ? it.env : two; *more; more++) {
		assert_true(n < ENV_MAX - 1);
		env[n++] = *more;
	}
	env[n] = NULL;
	const char *argv[] = { "bin/tap-trading-ingest", NULL };
	it.ingest = child_start(argv, env, it.log);
	assert_int_not_equal(it.ingest, 0);
}

static inline int start_all(void **state)
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

static inline int stop_all(void **state)
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

static inline void command(const char *line)
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

static inline size_t tick_count(void)
{
	(void) pthread_mutex_lock(&ear.lock);
	size_t n = ear.n_ticks;
	(void) pthread_mutex_unlock(&ear.lock);
	return n;
}

static inline int grid_count(void)
{
	(void) pthread_mutex_lock(&ear.lock);
	int n = ear.grids;
	(void) pthread_mutex_unlock(&ear.lock);
	return n;
}

static inline bool quotes_rose(void)
{
	(void) pthread_mutex_lock(&ear.lock);
	bool rose = !ear.quote_fell;
	(void) pthread_mutex_unlock(&ear.lock);
	return rose;
}

/* From the tick of that number on: no gap but the one of a turn, no jump of four basis points. */
static inline void assert_smooth_since(size_t first)
{
	(void) pthread_mutex_lock(&ear.lock);
	for (size_t i = first; i < ear.n_ticks; i++) {
		assert_true(ear.ticks[i].t_ms - ear.ticks[i - 1].t_ms <= 600);
		assert_true(llabs(ear.ticks[i].p_cents - ear.ticks[i - 1].p_cents) * 10000 < 4 * ear.ticks[i].p_cents);
	}
	assert_int_equal(ear.states_seen & ~(1u << FEED_HEALTHY), 0);
	(void) pthread_mutex_unlock(&ear.lock);
}

static inline void forget_states(void)
{
	(void) pthread_mutex_lock(&ear.lock);
	ear.states_seen = 0;
	ear.heard_status = false;
	(void) pthread_mutex_unlock(&ear.lock);
}

static inline void await_ticks(size_t more)
{
	size_t target = tick_count() + more;
	int64_t until = clk_mono_ms() + PATIENCE_MS;
	while (tick_count() < target) {
		if (clk_mono_ms() > until)
			fail_msg("no ticks came; see %s", it.log);
		(void) usleep(5000);
	}
}

static inline void await_status(enum feed_state feed, bool betting)
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

static inline int64_t since_ms(int64_t begun)
{
	return clk_mono_ms() - begun;
}

#endif
