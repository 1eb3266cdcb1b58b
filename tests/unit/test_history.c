/* The ticks in a real Redis: order, lateness, trim, reading back, the room they take, and what a kill of Redis leaves of them.
 * TAP_HISTORY_TICKS: how many are put for the measurement (150000); 6048000 is a whole week. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../support/redis_server.h"
#include "clk.h"
#include "history.h"
#include "msg.h"

static struct redis_server redis;
static struct bus *bus;

static int start_redis(void **state)
{
	(void) state;
	if (!redis_server_start(&redis))
		return -1;
	return bus_open(&bus, &(struct bus_conf){ .address = redis.address, .user = "", .password = "", .timeout_ms = 2000 });
}

static int stop_redis(void **state)
{
	(void) state;
	bus_close(bus);
	redis_server_stop(&redis);
	return 0;
}

static const struct bus_reply *ask(const char *command, const char *key)
{
	const struct bus_reply *r;
	assert_int_equal(bus_command(bus, &r, "%s %s", command, key), 0);
	assert_int_not_equal(bus_kind(r), BUS_ERROR);
	return r;
}

static int empty(void **state)
{
	const struct bus_reply *r;
	(void) state;
	return bus_command(bus, &r, "FLUSHALL");
}

/* Past ticks by hand: history_append takes only what is of now. */
static void put(int64_t t_ms, int64_t p_cents)
{
	const struct bus_reply *r;
	assert_int_equal(bus_command(bus, &r, "XADD %s %lld-0 p %lld", KEY_HISTORY, (long long) t_ms, (long long) p_cents), 0);
	assert_int_equal(bus_kind(r), BUS_TEXT);
}

static void a_tick_is_recorded_and_newest(void **state)
{
	(void) state;
	struct tick t = { clk_now_ms(), 9743210 }, back;
	assert_int_equal(history_last(bus, &back), 1);
	assert_int_equal(history_append(bus, &t), 0);
	assert_int_equal(history_last(bus, &back), 0);
	assert_int_equal(back.t_ms, t.t_ms);
	assert_int_equal(back.p_cents, t.p_cents);
	assert_int_equal(bus_int(ask("GET", KEY_PRICE)), 9743210);
	int64_t life = bus_int(ask("TTL", KEY_PRICE));
	assert_in_range(life, 3590, 3600);
}

static void times_rise_strictly(void **state)
{
	(void) state;
	int64_t now = clk_now_ms();
	assert_int_equal(history_append(bus, &(struct tick){ now, 100 }), 0);
	assert_int_equal(history_append(bus, &(struct tick){ now, 200 }), HISTORY_E_REFUSED);
	assert_int_equal(history_append(bus, &(struct tick){ now - 1, 300 }), HISTORY_E_REFUSED);
	assert_int_equal(history_append(bus, &(struct tick){ now + 1, 400 }), 0);
	assert_int_equal(bus_int(ask("XLEN", KEY_HISTORY)), 2);
	assert_int_equal(bus_int(ask("GET", KEY_PRICE)), 400); /* a refused tick left no trace */
}

static void a_late_or_early_tick_is_refused(void **state)
{
	(void) state;
	int64_t now = clk_now_ms();
	assert_int_equal(history_append(bus, &(struct tick){ now - HISTORY_LATE_MS - 1, 100 }), HISTORY_E_REFUSED);
	assert_int_equal(history_append(bus, &(struct tick){ now + HISTORY_LATE_MS + 200, 100 }), HISTORY_E_REFUSED);
	assert_int_equal(bus_int(ask("XLEN", KEY_HISTORY)), 0);
	assert_int_equal(history_append(bus, &(struct tick){ clk_now_ms() - HISTORY_LATE_MS + 200, 100 }), 0);
}

static void old_ticks_are_trimmed(void **state)
{
	(void) state;
	int64_t now = clk_now_ms(), week = (int64_t) HISTORY_DAYS * 24 * 3600 * 1000;
	for (int i = 0; i < 250; i++)
		put(now - week - 60000 + i, 100);
	put(now - week + 60000, 200);
	assert_int_equal(history_append(bus, &(struct tick){ now, 300 }), 0);
	assert_true(bus_int(ask("XLEN", KEY_HISTORY)) < 150); /* two whole nodes of a hundred went */
	struct tick kept[300];
	size_t n;
	bool more;
	assert_int_equal(history_read(bus, now - week, now + 1, kept, 300, &n, &more), 0);
	assert_int_equal(n, 2);
	assert_int_equal(kept[0].p_cents, 200);
}

static void a_full_redis_is_an_error(void **state)
{
	(void) state;
	const struct bus_reply *r;
	assert_int_equal(bus_command(bus, &r, "CONFIG SET maxmemory 1"), 0);
	int got = history_append(bus, &(struct tick){ clk_now_ms(), 100 });
	assert_int_equal(bus_command(bus, &r, "CONFIG SET maxmemory 0"), 0);
	assert_true(got < 0);
	assert_int_equal(history_append(bus, &(struct tick){ clk_now_ms(), 100 }), 0);
}

static void a_range_is_half_open(void **state)
{
	(void) state;
	struct tick t[8];
	size_t n;
	bool more;
	for (int i = 0; i < 5; i++)
		put(1000 + 100 * i, 10 + i);
	assert_int_equal(history_read(bus, 1100, 1300, t, 8, &n, &more), 0);
	assert_int_equal(n, 2);
	assert_int_equal(t[0].t_ms, 1100);
	assert_int_equal(t[1].p_cents, 12);
	assert_false(more);
	assert_int_equal(history_read(bus, 0, 9000, t, 5, &n, &more), 0);
	assert_int_equal(n, 5);
	assert_false(more); /* exactly as many as fit */
	assert_int_equal(history_read(bus, 0, 9000, t, 4, &n, &more), 0);
	assert_int_equal(n, 4);
	assert_true(more);
	assert_int_equal(history_read(bus, 1300, 1300, t, 8, &n, &more), 0);
	assert_int_equal(n, 0);
	assert_int_equal(history_read(bus, 1101, 1199, t, 8, &n, &more), 0);
	assert_int_equal(n, 0);
}

static void a_long_range_comes_in_pages(void **state)
{
	(void) state;
	enum { MANY = 2 * HISTORY_PAGE + 17 };
	struct tick *t = calloc(MANY, sizeof *t);
	size_t n;
	bool more;
	assert_non_null(t);
	for (int i = 0; i < MANY;) {
		for (int k = 0; k < 500 && i < MANY; k++, i++)
			assert_int_equal(bus_addf(bus, "XADD %s %lld-0 p %lld", KEY_HISTORY, 1000LL + i, 5LL + i), 0);
		assert_int_equal(bus_flush(bus), 0);
	}
	assert_int_equal(history_read(bus, 0, 1000000, t, MANY, &n, &more), 0);
	assert_int_equal(n, MANY);
	assert_false(more);
	assert_true(ticks_valid(t, n));
	assert_int_equal(t[MANY - 1].p_cents, 5 + MANY - 1);
	assert_int_equal(history_read(bus, 0, 1000000, t, HISTORY_PAGE, &n, &more), 0);
	assert_int_equal(n, HISTORY_PAGE);
	assert_true(more);
	free(t);
}

static void the_one_before(void **state)
{
	(void) state;
	struct tick t;
	put(1000, 10);
	put(2000, 20);
	assert_int_equal(history_before(bus, 1000, &t), 1);
	assert_int_equal(history_before(bus, 0, &t), 1);
	assert_int_equal(history_before(bus, 1001, &t), 0);
	assert_int_equal(t.p_cents, 10);
	assert_int_equal(history_before(bus, 2000, &t), 0);
	assert_int_equal(t.p_cents, 10);
	assert_int_equal(history_before(bus, 9000, &t), 0);
	assert_int_equal(t.p_cents, 20);
}

static void a_column_has_its_anchor(void **state)
{
	(void) state;
	struct tick t[64];
	size_t n;
	bool anchor;
	int64_t redis_ms, now = clk_now_ms();
	assert_int_equal(history_column(bus, 10, 5, t, 64, &n, &anchor, &redis_ms), 0);
	assert_int_equal(n, 0);
	assert_false(anchor);
	assert_true(redis_ms >= now && redis_ms < now + 1000);
	put(9000, 1);
	put(9999, 2); /* the anchor */
	put(10000, 3);
	put(14999, 4);
	put(15000, 5); /* the next column's */
	assert_int_equal(history_column(bus, 10, 5, t, 64, &n, &anchor, &redis_ms), 0);
	assert_int_equal(n, 3);
	assert_true(anchor);
	assert_int_equal(t[0].p_cents, 2);
	assert_int_equal(t[1].p_cents, 3);
	assert_int_equal(t[2].p_cents, 4);
	assert_int_equal(history_column(bus, 5, 5, t, 64, &n, &anchor, &redis_ms), 0); /* no anchor, two ticks */
	assert_int_equal(n, 2);
	assert_false(anchor);
	assert_int_equal(history_column(bus, 20, 5, t, 64, &n, &anchor, &redis_ms), 0); /* the anchor alone */
	assert_int_equal(n, 1);
	assert_true(anchor);
	assert_true(history_column(bus, 10, 5, t, 2, &n, &anchor, &redis_ms) < 0); /* never a part of a path */
	assert_int_equal(history_column(bus, 10, 5, t, 3, &n, &anchor, &redis_ms), 0);
	assert_int_equal(n, 3);
}

static void what_is_no_tick_is_told(void **state)
{
	(void) state;
	struct tick t[4];
	size_t n;
	bool more;
	const struct bus_reply *r;
	assert_int_equal(bus_command(bus, &r, "XADD %s 1000-0 p nonsense", KEY_HISTORY), 0);
	assert_true(history_read(bus, 0, 2000, t, 4, &n, &more) < 0);
	assert_int_equal(bus_command(bus, &r, "DEL %s", KEY_HISTORY), 0);
	assert_int_equal(bus_command(bus, &r, "SET %s 5", KEY_HISTORY), 0); /* of a wrong type */
	assert_true(history_last(bus, t) < 0);
	assert_true(history_append(bus, &(struct tick){ clk_now_ms(), 5 }) < 0);
}

/* ---- a week within 200 MB ---- */

/* What the shipped configuration says of streams, given to the private server. */
static void take_shipped_nodes(void)
{
	char line[256], name[64];
	long long value;
	const struct bus_reply *r;
	int taken = 0;
	FILE *conf = fopen(TAP_SOURCE_DIR "/conf/redis.conf.in", "re");
	assert_non_null(conf);
	while (fgets(line, sizeof line, conf)) {
		if (sscanf(line, "%63[a-z-] %lld", name, &value) != 2 || strncmp(name, "stream-node-max-", 16) != 0)
			continue;
		assert_int_equal(bus_command(bus, &r, "CONFIG SET %s %lld", name, value), 0);
		assert_int_not_equal(bus_kind(r), BUS_ERROR);
		taken++;
	}
	(void) fclose(conf);
	assert_int_equal(taken, 2);
}

static int64_t used_memory(void)
{
	const struct bus_reply *r;
	assert_int_equal(bus_command(bus, &r, "INFO memory"), 0);
	const char *at = strstr(bus_text(r, NULL), "used_memory:");
	assert_non_null(at);
	return strtoll(at + strlen("used_memory:"), NULL, 10);
}

static void a_week_fits(void **state)
{
	enum { WEEK_TICKS = HISTORY_DAYS * 24 * 3600 * 10, ROOM = 200000000, BATCH = 1000 };
	const char *more = getenv("TAP_HISTORY_TICKS");
	int64_t n = more ? strtoll(more, NULL, 10) : 150000, cents = 9743210;
	(void) state;
	assert_in_range(n, 100000, WEEK_TICKS); /* fewer say nothing about so many */
	take_shipped_nodes();
	int64_t before = used_memory();
	srand(5);
	for (int64_t i = 0; i < n;) {
		for (int k = 0; k < BATCH && i < n; k++, i++) {
			cents += rand() % 401 - 200;
			assert_int_equal(bus_addf(bus, "XADD %s %lld-0 p %lld", KEY_HISTORY, 1771234560000LL + 100 * i, (long long) cents), 0);
		}
		assert_int_equal(bus_flush(bus), 0);
	}
	assert_int_equal(bus_int(ask("XLEN", KEY_HISTORY)), n);
	int64_t used = used_memory() - before, key;
	const struct bus_reply *usage;
	assert_int_equal(bus_command(bus, &usage, "MEMORY USAGE %s", KEY_HISTORY), 0);
	key = bus_int(usage);
	print_message("%lld ticks: used_memory %+lld, MEMORY USAGE %lld: %.1f bytes a tick, %.0f MB a week\n", (long long) n,
			(long long) used, (long long) key, (double) used / (double) n, (double) used / (double) n * WEEK_TICKS / 1e6);
	assert_true(used > 0 && used * WEEK_TICKS / n < ROOM);
}

/* ---- a kill of Redis ---- */

enum { KILL_TICKS = 250 };

static struct {
	struct tick ticks[KILL_TICKS];
	size_t n;
} told; /* what history_append said is recorded */

static void tell_ticks(struct bus *b)
{
	for (told.n = 0; told.n < KILL_TICKS; told.n++) {
		redis_server_sleep_ms(10); /* before the first too: its time must be beyond what is there */
		struct tick t = { clk_now_ms(), 9743210 + (int64_t) told.n };
		assert_int_equal(history_append(b, &t), 0);
		told.ticks[told.n] = t;
	}
}

/* The first of what was told, in order, and nothing else; returns how many. */
static size_t kept_of_told(struct bus *b)
{
	static struct tick kept[KILL_TICKS + 1];
	size_t n;
	bool more;
	assert_int_equal(history_read(b, 0, INT64_MAX / 2, kept, KILL_TICKS + 1, &n, &more), 0);
	assert_true(n <= told.n);
	for (size_t i = 0; i < n; i++)
		assert_true(kept[i].t_ms == told.ticks[i].t_ms && kept[i].p_cents == told.ticks[i].p_cents);
	return n;
}

/* The append-only file as a power cut may leave it: the last bytes are missing. */
static void tear(const struct redis_server *s)
{
	char command[256];
	(void) snprintf(command, sizeof command, "truncate -s -37 %s/appendonlydir/*.incr.aof", s->dir);
	assert_int_equal(system(command), 0);
}

static void a_kill_of_redis_costs_a_second_at_most(void **state)
{
	(void) state;
	struct redis_server durable = { .durable = true };
	struct bus *b;
	assert_true(redis_server_start(&durable));
	assert_int_equal(bus_open(&b, &(struct bus_conf){ .address = durable.address, .user = "", .password = "", .timeout_ms = 2000 }), 0);
	tell_ticks(b);
	int64_t killed_ms = clk_now_ms();
	redis_server_kill(&durable);
	assert_true(redis_server_run(&durable));
	size_t kept = kept_of_told(b);
	assert_true(told.ticks[0].t_ms < killed_ms - 1000); /* else nothing was shown */
	for (size_t i = kept; i < told.n; i++)
		assert_true(told.ticks[i].t_ms >= killed_ms - 1000);
	assert_int_equal(history_append(b, &(struct tick){ clk_now_ms(), 1 }), 0); /* and it goes on */

	assert_int_equal(bus_command(b, &(const struct bus_reply *){ NULL }, "XTRIM %s MAXLEN 0", KEY_HISTORY), 0);
	tell_ticks(b);
	redis_server_kill(&durable);
	tear(&durable);
	assert_true(redis_server_run(&durable));
	kept = kept_of_told(b);
	assert_true(kept < told.n && kept >= told.n - 2); /* the torn end alone */
	bus_close(b);
	redis_server_stop(&durable);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_tick_is_recorded_and_newest, empty),
		cmocka_unit_test_setup(times_rise_strictly, empty),
		cmocka_unit_test_setup(a_late_or_early_tick_is_refused, empty),
		cmocka_unit_test_setup(old_ticks_are_trimmed, empty),
		cmocka_unit_test_setup(a_full_redis_is_an_error, empty),
		cmocka_unit_test_setup(a_range_is_half_open, empty),
		cmocka_unit_test_setup(a_long_range_comes_in_pages, empty),
		cmocka_unit_test_setup(the_one_before, empty),
		cmocka_unit_test_setup(a_column_has_its_anchor, empty),
		cmocka_unit_test_setup(what_is_no_tick_is_told, empty),
		cmocka_unit_test_setup(a_week_fits, empty),
		cmocka_unit_test(a_kill_of_redis_costs_a_second_at_most),
	};
	return cmocka_run_group_tests(tests, start_redis, stop_redis);
}
