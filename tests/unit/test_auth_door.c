/* auth_door: who may sign, the bucket and the nonce of many at once, against a real Redis. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "../support/redis_server.h"
#include "auth_door.h"

enum { BURST = 3, STEP_US = 100000 }; /* one in 100 ms */

static struct redis_server redis;
static struct bus *bus;
static struct auth_door *door;

static const struct wallet alice = { { [19] = 1 } }, bob = { { [19] = 2 } }, key = { { [19] = 3 } };
static const struct auth_door_conf conf = { .bucket_key = key_rate_limit, .rate_per_minute = 600, .burst = BURST };
static const int64_t noon_us = INT64_C(1771234567000000);

static int start(void **state)
{
	(void) state;
	if (!redis_server_start(&redis))
		return -1;
	return bus_open(&bus, &(struct bus_conf){ .address = redis.address, .user = "", .password = "", .timeout_ms = 2000 });
}

static int stop(void **state)
{
	(void) state;
	bus = bus_close(bus);
	redis_server_stop(&redis);
	return 0;
}

static int empty(void **state)
{
	const struct bus_reply *r;
	(void) state;
	int got = bus_command(bus, &r, "FLUSHALL");
	return got < 0 ? got : auth_door_open(&door, &conf);
}

static int leave(void **state)
{
	(void) state;
	door = auth_door_close(door);
	return 0;
}

static struct auth_knock knock_of(const struct wallet *who, const struct wallet *signer, uint8_t nonce, uint8_t tag)
{
	return (struct auth_knock){ .wallet = *who, .signer = *signer, .nonce = { nonce }, .tag = { tag } };
}

static enum auth_verdict ask(struct auth_knock k, bool spend, int64_t now_us)
{
	assert_int_equal(auth_door_ask(door, bus, &k, 1, spend, now_us), 0);
	return k.verdict;
}

static enum auth_verdict knock(const struct wallet *who, const struct wallet *signer, uint8_t nonce, uint8_t tag, bool spend)
{
	static int64_t now_us = noon_us + 3600 * INT64_C(1000000);
	now_us += STEP_US; /* whoever asks so leaves the bucket as full as it was */
	return ask(knock_of(who, signer, nonce, tag), spend, now_us);
}

static enum bus_kind kind_at(const char *at)
{
	const struct bus_reply *r;
	assert_int_equal(bus_command(bus, &r, "GET %s", at), 0);
	return bus_kind(r);
}

static void let_sign(const struct wallet *signer, const struct wallet *who)
{
	char at[KEY_MAX], text[WALLET_TEXT_SIZE];
	const struct bus_reply *r;
	wallet_format(text, who);
	assert_int_equal(bus_command(bus, &r, "SET %s %s", key_session_key(at, signer), text), 0);
}

static void it_knows_who_may_sign(void **state)
{
	(void) state;
	assert_int_equal(knock(&alice, &alice, 1, 1, true), AUTH_ADMITTED);
	assert_int_equal(knock(&alice, &key, 2, 1, true), AUTH_NOT_SIGNER);
	let_sign(&key, &alice);
	assert_int_equal(knock(&alice, &key, 2, 2, true), AUTH_ADMITTED); /* who may not sign spends no nonce, whatever he says */
	assert_int_equal(knock(&bob, &key, 3, 1, true), AUTH_NOT_SIGNER);
	assert_int_equal(kind_at("nonce:03000000-0000-0000-0000-000000000000"), BUS_NIL);
}

static void a_nonce_is_spent_once_and_only_when_asked(void **state)
{
	(void) state;
	assert_int_equal(knock(&alice, &alice, 1, 1, false), AUTH_ADMITTED);
	assert_int_equal(knock(&alice, &alice, 1, 1, true), AUTH_ADMITTED);
	assert_int_equal(knock(&alice, &alice, 1, 1, true), AUTH_NONCE_OURS);
	assert_int_equal(knock(&alice, &alice, 1, 2, true), AUTH_NONCE_SPENT);
	assert_int_equal(knock(&alice, &alice, 1, 2, false), AUTH_NONCE_SPENT);
	assert_int_equal(knock(&bob, &bob, 1, 2, true), AUTH_NONCE_SPENT);
}

static void the_bucket_holds_its_burst_and_refills(void **state)
{
	struct auth_knock k = knock_of(&alice, &alice, 5, 1);
	(void) state;
	for (uint8_t i = 1; i <= BURST; i++)
		assert_int_equal(ask(knock_of(&alice, &alice, i, 1), true, noon_us), AUTH_ADMITTED);
	assert_int_equal(auth_door_ask(door, bus, &k, 1, true, noon_us), 0);
	assert_int_equal(k.verdict, AUTH_RATE_LIMITED);
	assert_int_equal(k.retry_after_s, 1);
	assert_int_equal(ask(knock_of(&bob, &bob, 6, 1), true, noon_us), AUTH_ADMITTED); /* a wallet's own */
	assert_int_equal(ask(knock_of(&alice, &alice, 5, 2), true, noon_us + STEP_US), AUTH_ADMITTED); /* no nonce was spent */
	assert_int_equal(ask(knock_of(&alice, &alice, 7, 1), true, noon_us + STEP_US), AUTH_RATE_LIMITED);
	assert_int_equal(ask(knock_of(&alice, &key, 8, 1), true, noon_us + STEP_US), AUTH_NOT_SIGNER); /* the signature comes first */
}

/* Whoever may not sign takes nothing out of the wallet's bucket. */
static void a_stranger_empties_no_bucket(void **state)
{
	(void) state;
	for (uint8_t i = 1; i <= 2 * BURST; i++)
		assert_int_equal(ask(knock_of(&alice, &key, i, 1), true, noon_us), AUTH_NOT_SIGNER);
	for (uint8_t i = 1; i <= BURST; i++)
		assert_int_equal(ask(knock_of(&alice, &alice, i, 1), true, noon_us), AUTH_ADMITTED);
	assert_int_equal(ask(knock_of(&alice, &alice, 9, 1), true, noon_us), AUTH_RATE_LIMITED);
}

/* Nor when they knock together with the wallet itself. */
static void a_crowd_of_strangers_locks_nobody_out(void **state)
{
	struct auth_knock k[2 * BURST + 1];
	(void) state;
	for (uint8_t i = 0; i < 2 * BURST; i++)
		k[i] = knock_of(&alice, &key, i, 1);
	k[2 * BURST] = knock_of(&alice, &alice, 99, 1);
	assert_int_equal(auth_door_ask(door, bus, k, ARRAY_LEN(k), true, noon_us), 0);
	for (size_t i = 0; i < 2 * BURST; i++)
		assert_int_equal(k[i].verdict, AUTH_NOT_SIGNER);
	assert_int_equal(k[2 * BURST].verdict, AUTH_ADMITTED);
}

/* In one trip each is judged by what those before it left. */
static void many_knock_together(void **state)
{
	struct auth_knock k[AUTH_KNOCKS_MAX];
	(void) state;
	let_sign(&key, &bob);
	for (size_t i = 0; i < ARRAY_LEN(k); i++) {
		k[i] = knock_of(&alice, &alice, 0, 1);
		k[i].wallet.b[0] = k[i].signer.b[0] = (uint8_t) i; /* a crowd */
		k[i].nonce[0] = (uint8_t) i;
		k[i].nonce[1] = 7;
	}
	for (uint8_t i = 0; i < 5; i++)
		k[10 + i] = knock_of(&bob, i == 1 ? &bob : &key, i == 3 ? 2 : i, 1); /* its nonces are 0 1 2 2 4 */
	k[20] = knock_of(&alice, &key, 20, 1);
	assert_int_equal(auth_door_ask(door, bus, k, ARRAY_LEN(k), true, noon_us), 0);
	for (size_t i = 0; i < ARRAY_LEN(k); i++) {
		enum auth_verdict want = i == 13 || i == 14 ? AUTH_RATE_LIMITED : i == 20 ? AUTH_NOT_SIGNER : AUTH_ADMITTED;
		assert_int_equal(k[i].verdict, want);
	}
}

/* The next process finds in Redis what this one counted; and again when Redis was emptied, nothing is forgiven here. */
static void the_bucket_outlives_the_process(void **state)
{
	const struct bus_reply *r;
	(void) state;
	for (uint8_t i = 1; i <= BURST; i++)
		assert_int_equal(ask(knock_of(&alice, &alice, i, 1), true, noon_us), AUTH_ADMITTED);
	door = auth_door_close(door);
	assert_int_equal(auth_door_open(&door, &conf), 0);
	assert_int_equal(ask(knock_of(&alice, &alice, 4, 1), true, noon_us), AUTH_RATE_LIMITED);
	assert_int_equal(ask(knock_of(&alice, &alice, 4, 2), true, noon_us + STEP_US), AUTH_ADMITTED); /* its nonce was given back */
	assert_int_equal(bus_command(bus, &r, "FLUSHALL"), 0);
	assert_int_equal(ask(knock_of(&alice, &alice, 5, 1), true, noon_us + STEP_US), AUTH_RATE_LIMITED);
}

static void a_clock_set_back_locks_nobody_out(void **state)
{
	(void) state;
	for (uint8_t i = 1; i <= BURST; i++)
		assert_int_equal(ask(knock_of(&alice, &alice, i, 1), true, noon_us), AUTH_ADMITTED);
	int64_t before_us = noon_us - 3600 * INT64_C(1000000);
	assert_int_equal(ask(knock_of(&alice, &alice, 4, 1), true, before_us), AUTH_RATE_LIMITED);
	assert_int_equal(ask(knock_of(&bob, &bob, 5, 1), true, before_us), AUTH_ADMITTED);
}

/* Redis has no room, or is not there: nothing is counted, and the same bet may come again. */
static void weather_costs_nothing(void **state)
{
	const struct bus_reply *r;
	(void) state;
	assert_int_equal(bus_command(bus, &r, "CONFIG SET maxmemory 1"), 0);
	for (uint8_t i = 1; i <= 2 * BURST; i++)
		assert_int_equal(ask(knock_of(&alice, &alice, i, 1), true, noon_us), AUTH_UNAVAILABLE);
	assert_int_equal(bus_command(bus, &r, "CONFIG SET maxmemory 0"), 0);
	struct bus *nobody;
	assert_int_equal(bus_open(&nobody, &(struct bus_conf){ .address = "unix:/nowhere", .user = "", .password = "",
			.timeout_ms = 200 }), 0);
	for (uint8_t i = 1; i <= 2 * BURST; i++) {
		struct auth_knock k = knock_of(&alice, &alice, i, 1);
		assert_true(auth_door_ask(door, nobody, &k, 1, true, noon_us) < 0);
	}
	(void) bus_close(nobody);
	for (uint8_t i = 1; i <= BURST; i++)
		assert_int_equal(ask(knock_of(&alice, &alice, i, 1), true, noon_us), AUTH_ADMITTED);
	assert_int_equal(ask(knock_of(&alice, &alice, 9, 1), true, noon_us), AUTH_RATE_LIMITED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(it_knows_who_may_sign, empty, leave),
		cmocka_unit_test_setup_teardown(a_nonce_is_spent_once_and_only_when_asked, empty, leave),
		cmocka_unit_test_setup_teardown(the_bucket_holds_its_burst_and_refills, empty, leave),
		cmocka_unit_test_setup_teardown(a_stranger_empties_no_bucket, empty, leave),
		cmocka_unit_test_setup_teardown(a_crowd_of_strangers_locks_nobody_out, empty, leave),
		cmocka_unit_test_setup_teardown(many_knock_together, empty, leave),
		cmocka_unit_test_setup_teardown(the_bucket_outlives_the_process, empty, leave),
		cmocka_unit_test_setup_teardown(a_clock_set_back_locks_nobody_out, empty, leave),
		cmocka_unit_test_setup_teardown(weather_costs_nothing, empty, leave),
	};
	return cmocka_run_group_tests_name("auth_door", tests, start, stop);
}
