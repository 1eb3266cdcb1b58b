/* bus: pipelines, scripts, time limits and reconnection against a real redis-server that is killed, stopped and emptied. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>

#include "bus.h"
#include "fault.h"
#include "../support/redis_server.h"

enum { TIMEOUT_MS = 300 };

static struct redis_server server;

static struct bus *open_bus(void)
{
	struct bus *b;
	struct bus_conf conf = { .address = server.address, .user = "", .password = "", .timeout_ms = TIMEOUT_MS };
	assert_int_equal(bus_open(&b, &conf), 0);
	return b;
}

static void text_is(const struct bus_reply *r, const char *expected)
{
	size_t n;
	assert_string_equal(bus_text(r, &n), expected);
	assert_int_equal(n, strlen(expected));
}

static void pipelines_answer_in_order(void **state)
{
	(void) state;
	struct bus *b = open_bus();
	static const char bytes[] = "a\0b\r\nc";
	assert_int_equal(bus_ready(b), 0);
	assert_int_equal(bus_addf(b, "SET %s %b", "k", bytes, sizeof bytes - 1), 0);
	assert_int_equal(bus_addf(b, "GET k"), 0);
	assert_int_equal(bus_addf(b, "GET absent"), 0);
	assert_int_equal(bus_addf(b, "INCRBY n %lld", (long long) 41), 0);
	const struct bus_arg args[] = { { "RPUSH", 5 }, { "l", 1 }, { "1", 1 }, { "x", 1 } };
	assert_int_equal(bus_add(b, args, 4), 0);
	assert_int_equal(bus_addf(b, "LRANGE l 0 -1"), 0);
	assert_int_equal(bus_addf(b, "HGET l f"), 0);
	assert_int_equal(bus_flush(b), 0);
	assert_int_equal(bus_replies(b), 7);
	text_is(bus_reply(b, 0), "OK");
	size_t n;
	assert_memory_equal(bus_text(bus_reply(b, 1), &n), bytes, sizeof bytes - 1);
	assert_int_equal(n, sizeof bytes - 1);
	assert_int_equal(bus_kind(bus_reply(b, 2)), BUS_NIL);
	assert_int_equal(bus_kind(bus_reply(b, 3)), BUS_INT);
	assert_int_equal(bus_int(bus_reply(b, 3)), 41);
	assert_int_equal(bus_count(bus_reply(b, 5)), 2);
	assert_int_equal(bus_int(bus_at(bus_reply(b, 5), 0)), 1);
	assert_int_equal(bus_int(bus_at(bus_reply(b, 5), 1)), 0); /* "x" is no number */
	text_is(bus_at(bus_reply(b, 5), 1), "x");
	assert_int_equal(bus_kind(bus_reply(b, 6)), BUS_ERROR);
	assert_memory_equal(bus_text(bus_reply(b, 6), NULL), "WRONGTYPE", 9);
	assert_int_equal(bus_flush(b), 0); /* an empty pipeline is fine */
	assert_int_equal(bus_replies(b), 0);
	(void) bus_close(b);
}

static void a_pipeline_is_bounded(void **state)
{
	(void) state;
	struct bus *b = open_bus();
	char big[1000];
	memset(big, 'x', sizeof big);
	for (int i = 0; i < BUS_PIPELINE_MAX; i++) /* a megabyte each way: both directions must move at once */
		assert_int_equal(bus_addf(b, "ECHO %b", big, sizeof big), 0);
	assert_int_equal(bus_addf(b, "PING"), -ENOBUFS);
	assert_int_equal(bus_flush(b), 0);
	assert_int_equal(bus_replies(b), BUS_PIPELINE_MAX);
	size_t n;
	(void) bus_text(bus_reply(b, BUS_PIPELINE_MAX - 1), &n);
	assert_int_equal(n, sizeof big);
	(void) bus_close(b);
}

static struct bus_script add_script = { .lua = "return redis.call('INCRBY', KEYS[1], ARGV[1])" };
static struct bus_script long_script = { /* its last block has no room for the length */
	.lua = "local a = 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx' return #a .. #ARGV" };

static void scripts_survive_a_flush(void **state)
{
	(void) state;
	struct bus *b = open_bus();
	const struct bus_reply *r;
	assert_int_equal(bus_command(b, &r, "SET s 0"), 0);
	const struct bus_arg key = { "s", 1 }, one = { "1", 1 };
	for (int round = 1; round <= 3; round++) {
		assert_int_equal(bus_command(b, &r, "SCRIPT FLUSH"), 0);
		for (int i = 0; i < 10; i++) {
			assert_int_equal(bus_add_script(b, &add_script, &key, 1, &one, 1), 0);
			assert_int_equal(bus_add_script(b, &long_script, NULL, 0, &one, 1), 0);
			assert_int_equal(bus_addf(b, "ECHO %d", i), 0);
		}
		assert_int_equal(bus_flush(b), 0);
		assert_int_equal(bus_replies(b), 30);
		for (int i = 0; i < 10; i++) { /* each once, in order */
			assert_int_equal(bus_int(bus_reply(b, (size_t) (3 * i))), 10 * (round - 1) + i + 1);
			text_is(bus_reply(b, (size_t) (3 * i + 1)), "311");
			assert_int_equal(bus_int(bus_reply(b, (size_t) (3 * i + 2))), i);
		}
	}
	/* Both names were Redis' own: now that they are loaded, EVALSHA by our SHA-1 finds them without another load. */
	assert_int_equal(bus_command(b, &r, "SCRIPT EXISTS %s %s", add_script.sha1, long_script.sha1), 0);
	assert_int_equal(bus_int(bus_at(r, 0)), 1);
	assert_int_equal(bus_int(bus_at(r, 1)), 1);
	(void) bus_close(b);
}

static void a_restart_is_seen_and_survived(void **state)
{
	(void) state;
	struct bus *b = open_bus();
	const struct bus_reply *r;
	assert_int_equal(bus_command(b, &r, "SET r 1"), 0);
	redis_server_kill(&server);
	assert_true(bus_command(b, &r, "GET r") < 0);
	int64_t from = clk_mono_ms();
	for (int i = 0; i < 100; i++) /* refused at once, not tried a hundred times */
		assert_true(bus_command(b, &r, "GET r") < 0);
	assert_true(clk_mono_ms() - from < 30 * TIMEOUT_MS);
	assert_true(redis_server_run(&server));
	redis_server_sleep_ms(BUS_RETRY_MS + 20);
	assert_int_equal(bus_command(b, &r, "GET r"), 0);
	assert_int_equal(bus_kind(r), BUS_NIL);
	/* A server that went while nothing was in flight costs no command. */
	redis_server_kill(&server);
	assert_true(redis_server_run(&server));
	assert_int_equal(bus_command(b, &r, "SET r 2"), 0);
	(void) bus_close(b);
}

static void a_stopped_server_costs_the_time_limit(void **state)
{
	(void) state;
	struct bus *b = open_bus();
	const struct bus_reply *r;
	assert_int_equal(bus_ready(b), 0);
	assert_int_equal(kill(server.pid, SIGSTOP), 0);
	int64_t from = clk_mono_ms();
	assert_int_equal(bus_command(b, &r, "PING"), -ETIMEDOUT);
	int64_t took = clk_mono_ms() - from;
	assert_true(took >= TIMEOUT_MS && took < 30 * TIMEOUT_MS);
	from = clk_mono_ms();
	assert_int_equal(bus_ready(b), -ETIMEDOUT); /* connects by the backlog, but nobody answers */
	assert_true(clk_mono_ms() - from < 30 * TIMEOUT_MS);
	assert_int_equal(kill(server.pid, SIGCONT), 0);
	redis_server_sleep_ms(BUS_RETRY_MS + 20);
	assert_int_equal(bus_command(b, &r, "PING"), 0);
	text_is(r, "PONG");
	(void) bus_close(b);
}

static void a_wrong_address_or_password_is_told(void **state)
{
	(void) state;
	static const char *const bad[] = { "nowhere", "unix:", "unix:/nonexistent/redis.sock", "127.0.0.1:1", ":6379", "[::1]:" };
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct bus *b;
		struct bus_conf conf = { .address = bad[i], .user = "", .password = "", .timeout_ms = TIMEOUT_MS };
		assert_int_equal(bus_open(&b, &conf), 0);
		assert_true(bus_ready(b) < 0);
		(void) bus_close(b);
	}
	struct redis_server locked = { .password = "secret word" };
	assert_true(redis_server_start(&locked));
	static const struct { const char *user, *password; int r; } tries[] = {
		{ "", "secret word", 0 }, { "default", "secret word", 0 }, { "", "", -EACCES }, { "", "wrong", -EACCES },
		{ "nobody", "secret word", -EACCES },
	};
	for (size_t i = 0; i < ARRAY_LEN(tries); i++) {
		struct bus *b;
		struct bus_conf conf = { .address = locked.address, .user = tries[i].user,
			.password = tries[i].password, .timeout_ms = TIMEOUT_MS };
		assert_int_equal(bus_open(&b, &conf), 0);
		assert_int_equal(bus_ready(b), tries[i].r);
		(void) bus_close(b);
	}
	redis_server_stop(&locked);
}

static void faults_leave_a_bus_that_recovers(void **state)
{
	(void) state;
#ifdef TAP_FAULTS
	for (enum fault_kind kind = FAULT_BUS_SEND; kind <= FAULT_BUS_REPLY; kind++) {
		bool fired = true;
		for (int nth = 1; fired; nth++) {
			struct bus *b = open_bus();
			const struct bus_reply *r;
			fault_arm(kind, nth, false);
			int first = bus_command(b, &r, "PING");
			fired = fault_disarm(kind);
			assert_int_equal(first < 0, fired);
			redis_server_sleep_ms(fired ? BUS_RETRY_MS + 5 : 0);
			assert_int_equal(bus_command(b, &r, "PING"), 0);
			text_is(r, "PONG");
			(void) bus_close(b);
			assert_true(nth < 20);
		}
	}
#else
	skip();
#endif
}

/* what a subscriber heard; written by its thread, read when a counter says so */
static struct heard {
	atomic_int ups, downs, added, messages;
	char channel[64], payload[64];
	struct bus *other; /* state(up) publishes through it: nothing of that may be lost */
} heard;

static void on_message(void *u, const char *channel, const char *payload, size_t n)
{
	struct heard *h = u;
	assert_int_equal(n, strlen(payload));
	(void) snprintf(h->channel, sizeof h->channel, "%s", channel);
	(void) snprintf(h->payload, sizeof h->payload, "%s", payload);
	atomic_fetch_add(&h->messages, 1);
}

static void on_state(void *u, bool up)
{
	struct heard *h = u;
	atomic_fetch_add(up ? &h->ups : &h->downs, 1);
}

static void on_added(void *u, const char *channel)
{
	(void) channel;
	atomic_fetch_add(&((struct heard *) u)->added, 1);
}

static void await_count(const atomic_int *n, int least)
{
	for (int64_t until = clk_mono_ms() + 20000; atomic_load(n) < least; redis_server_sleep_ms(2))
		assert_true(clk_mono_ms() < until);
}

static int64_t publish(struct bus *b, const char *channel, const char *text)
{
	const struct bus_reply *r;
	assert_int_equal(bus_command(b, &r, "PUBLISH %s %s", channel, text), 0);
	return bus_int(r);
}

static const struct bus_sub_ops sub_ops = { .message = on_message, .state = on_state, .added = on_added };

static struct bus_sub *open_sub(const char *const *channels)
{
	struct bus_sub *s;
	struct bus_conf conf = { .address = server.address, .user = "", .password = "", .timeout_ms = TIMEOUT_MS };
	memset(&heard, 0, sizeof heard);
	assert_int_equal(bus_sub_open(&s, &conf, channels, &sub_ops, &heard), 0);
	await_count(&heard.ups, 1);
	return s;
}

static void subscriptions_come_and_go(void **state)
{
	(void) state;
	struct bus *b = open_bus();
	struct bus_sub *s = open_sub((const char *const[]){ "one", "two", NULL });
	assert_int_equal(publish(b, "one", "hello"), 1);
	assert_int_equal(publish(b, "two", "again"), 1);
	await_count(&heard.messages, 2);
	assert_string_equal(heard.channel, "two");
	assert_string_equal(heard.payload, "again");
	assert_int_equal(atomic_load(&heard.added), 0);
	assert_int_equal(publish(b, "three", "lost"), 0);
	assert_int_equal(bus_sub_add(s, "three"), 0);
	await_count(&heard.added, 1);
	assert_int_equal(publish(b, "three", "kept"), 1);
	await_count(&heard.messages, 3);
	assert_int_equal(bus_sub_add(s, "three"), 0); /* told again to who asks again, and delivered once */
	await_count(&heard.added, 2);
	assert_int_equal(publish(b, "three", "once"), 1);
	assert_int_equal(bus_sub_remove(s, "three"), 0);
	assert_int_equal(bus_sub_remove(s, "never"), 0);
	for (int64_t until = clk_mono_ms() + 20000; publish(b, "three", "x"); redis_server_sleep_ms(2))
		assert_true(clk_mono_ms() < until);
	(void) bus_sub_close(s);
	(void) bus_close(b);
}

static void subscriptions_survive_a_restart(void **state)
{
	(void) state;
	struct bus *b = open_bus();
	struct bus_sub *s = open_sub((const char *const[]){ "one", NULL });
	char name[32];
	for (int i = 0; i < 1000; i++) { /* more than one SUBSCRIBE holds */
		(void) snprintf(name, sizeof name, "user:%d", i);
		assert_int_equal(bus_sub_add(s, name), 0);
	}
	await_count(&heard.added, 1000);
	redis_server_kill(&server);
	await_count(&heard.downs, 1);
	assert_int_equal(bus_sub_add(s, "late"), 0); /* while it is down */
	assert_int_equal(bus_sub_remove(s, "user:7"), 0);
	redis_server_sleep_ms(250);
	assert_true(redis_server_run(&server));
	await_count(&heard.ups, 2);
	/* up is told after the last confirmation: nothing published from now on is lost */
	assert_int_equal(publish(b, "one", "a"), 1);
	assert_int_equal(publish(b, "late", "b"), 1);
	assert_int_equal(publish(b, "user:0", "c"), 1);
	assert_int_equal(publish(b, "user:999", "d"), 1);
	assert_int_equal(publish(b, "user:7", "e"), 0);
	await_count(&heard.messages, 4);
	assert_int_equal(atomic_load(&heard.added), 1000 + 1000);
	(void) bus_sub_close(s);
	(void) bus_close(b);
}

static void a_silent_server_is_left(void **state)
{
	(void) state;
	struct bus_sub *s = open_sub((const char *const[]){ "one", NULL });
	redis_server_sleep_ms(1500); /* quiet is no failure: it is asked and answers */
	assert_int_equal(atomic_load(&heard.downs), 0);
	assert_int_equal(kill(server.pid, SIGSTOP), 0);
	await_count(&heard.downs, 1);
	assert_int_equal(kill(server.pid, SIGCONT), 0);
	await_count(&heard.ups, 2);
	(void) bus_sub_close(s);
	/* and it can be closed while nobody answers */
	s = open_sub((const char *const[]){ "one", NULL });
	redis_server_kill(&server);
	int64_t from = clk_mono_ms();
	(void) bus_sub_close(s);
	assert_true(clk_mono_ms() - from < 30 * TIMEOUT_MS);
	assert_true(redis_server_run(&server));
}

static int start(void **state)
{
	(void) state;
	assert_true(redis_server_start(&server));
	return 0;
}

static int stop(void **state)
{
	(void) state;
	redis_server_stop(&server);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pipelines_answer_in_order),
		cmocka_unit_test(a_pipeline_is_bounded),
		cmocka_unit_test(scripts_survive_a_flush),
		cmocka_unit_test(a_restart_is_seen_and_survived),
		cmocka_unit_test(a_stopped_server_costs_the_time_limit),
		cmocka_unit_test(a_wrong_address_or_password_is_told),
		cmocka_unit_test(faults_leave_a_bus_that_recovers),
		cmocka_unit_test(subscriptions_come_and_go),
		cmocka_unit_test(subscriptions_survive_a_restart),
		cmocka_unit_test(a_silent_server_is_left),
	};
	return cmocka_run_group_tests_name("bus", tests, start, stop);
}
