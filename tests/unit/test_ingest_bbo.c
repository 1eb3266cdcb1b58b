/* What is made of a venue's texts in their order, and when a venue may be dialled. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "bbo.h"
#include "pace.h"

static struct bbo bbo;
static int64_t now;

static int begin(void **state)
{
	(void) state;
	bbo_init(&bbo, &venue_coinbase);
	bbo_begin(&bbo);
	now = 1000;
	return 0;
}

static enum bbo_verdict say(const char *text)
{
	now += 10;
	return bbo_hear(&bbo, text, strlen(text), now);
}

static enum bbo_verdict ticker(int64_t sequence, int64_t trade, int64_t dollars)
{
	char text[256];
	(void) snprintf(text, sizeof text, "{\"type\":\"ticker\",\"sequence\":%" PRId64 ",\"product_id\":\"BTC-USD\",\"best_bid\":\"%" PRId64
			".00\",\"best_ask\":\"%" PRId64 ".02\",\"trade_id\":%" PRId64 "}", sequence, dollars, dollars, trade);
	return say(text);
}

static enum bbo_verdict heartbeat(int64_t trade)
{
	char text[160];
	(void) snprintf(text, sizeof text, "{\"type\":\"heartbeat\",\"sequence\":1,\"last_trade_id\":%" PRId64
			",\"product_id\":\"BTC-USD\"}", trade);
	return say(text);
}

static enum bbo_verdict kraken(int second, int64_t dollars)
{
	char text[192];
	(void) snprintf(text, sizeof text, "{\"channel\":\"ticker\",\"data\":[{\"symbol\":\"BTC/USD\",\"bid\":%" PRId64 ".0,\"ask\":%" PRId64
			".1,\"timestamp\":\"2026-02-16T08:31:%02d.5Z\"}]}", dollars, dollars, second);
	return say(text);
}

static void only_what_is_newer_is_taken(void **state)
{
	(void) state;
	assert_int_equal(ticker(10, 1, 60000), BBO_TAKEN);
	assert_int_equal(bbo.mid_e4, 600000100);
	assert_int_equal(bbo.heard_mono_ms, now);
	int64_t heard = now;
	assert_int_equal(ticker(10, 1, 60001), BBO_OLD); /* twice */
	assert_int_equal(ticker(9, 1, 60002), BBO_OLD);  /* late */
	assert_int_equal(bbo.mid_e4, 600000100);
	assert_int_equal(bbo.heard_mono_ms, heard);      /* and does not make the venue younger */
	assert_int_equal(ticker(15, 1, 60003), BBO_TAKEN); /* it may skip */
	assert_int_equal(bbo.counts.out_of_order, 2);
	assert_int_equal(bbo.counts.books, 2);
	bbo_begin(&bbo); /* a connection with an order of its own */
	assert_int_equal(bbo.mid_e4, 600030100);
	assert_int_equal(ticker(3, 1, 60004), BBO_TAKEN);
}

static void stamps_may_stand_but_not_fall(void **state)
{
	(void) state;
	bbo_init(&bbo, &venue_kraken);
	assert_int_equal(kraken(5, 60000), BBO_TAKEN);
	assert_int_equal(kraken(5, 60001), BBO_TAKEN);
	assert_int_equal(kraken(4, 60002), BBO_OLD);
	assert_int_equal(bbo.mid_e4, 600010500);
	assert_int_equal(kraken(6, 60003), BBO_TAKEN);
}

/* A trade that the venue names must be told of by a ticker before the next heartbeat. */
static void a_lost_ticker_is_a_gap(void **state)
{
	(void) state;
	assert_int_equal(heartbeat(7), BBO_NOTHING); /* nothing was told yet, so nothing is missed */
	assert_int_equal(heartbeat(7), BBO_NOTHING);
	assert_int_equal(ticker(1, 7, 60000), BBO_TAKEN);
	assert_int_equal(heartbeat(7), BBO_NOTHING);
	assert_int_equal(heartbeat(9), BBO_NOTHING); /* its ticker may be under way */
	assert_int_equal(ticker(2, 9, 60000), BBO_TAKEN);
	assert_int_equal(heartbeat(11), BBO_NOTHING);
	assert_int_equal(ticker(3, 10, 60000), BBO_TAKEN); /* not the one */
	assert_int_equal(heartbeat(12), BBO_GAP);
	assert_int_equal(heartbeat(12), BBO_NOTHING); /* once; the resync gets its time */
	assert_int_equal(heartbeat(12), BBO_GAP);
	assert_int_equal(bbo.counts.gaps, 2);
	assert_int_equal(ticker(4, 13, 60000), BBO_TAKEN); /* trades of one moment come as one ticker */
	assert_int_equal(heartbeat(13), BBO_NOTHING);
	assert_int_equal(heartbeat(13), BBO_NOTHING);
	assert_int_equal(bbo.counts.gaps, 2);
}

static void nonsense_in_a_row_is_given_up(void **state)
{
	(void) state;
	for (int round = 0; round < 3; round++) {
		for (int i = 1; i < BBO_USELESS_MAX; i++)
			assert_int_equal(i % 2 ? say("<html>") : say("{}"), BBO_NOTHING);
		assert_int_equal(round == 1 ? ticker(10 + round, 1, 60000) : say("x"), round == 1 ? BBO_TAKEN : BBO_USELESS);
	}
	for (int i = 1; i < BBO_USELESS_MAX; i++)
		assert_int_equal(ticker(5, 1, 60000), BBO_OLD);
	assert_int_equal(ticker(5, 1, 60000), BBO_USELESS); /* so a venue that began to count anew is understood again */
}

static void words_of_the_venue_are_passed_on(void **state)
{
	(void) state;
	assert_int_equal(say("{\"type\":\"error\",\"message\":\"no\"}"), BBO_REFUSED);
	bbo_init(&bbo, &venue_bitstamp);
	assert_int_equal(say("{\"event\":\"bts:request_reconnect\",\"data\":\"\"}"), BBO_RENEW);
	bbo_init(&bbo, &venue_binance);
	assert_int_equal(say("{\"e\":\"serverShutdown\",\"E\":1}"), BBO_RENEW);
	assert_int_equal(bbo.mid_e4, 0);
}

static void a_flood_is_stopped(void **state)
{
	(void) state;
	static char large[32768];
	memset(large, ' ', sizeof large - 1);
	for (int i = 0; i < BBO_TEXTS_A_SECOND_MAX; i++)
		assert_int_equal(bbo_hear(&bbo, "{\"type\":\"x\"}", 12, 5000), BBO_NOTHING);
	assert_int_equal(bbo_hear(&bbo, "{\"type\":\"x\"}", 12, 5999), BBO_FLOOD);
	assert_int_equal(bbo_hear(&bbo, "{\"type\":\"x\"}", 12, 6000), BBO_NOTHING);
	int64_t bytes = 0;
	enum bbo_verdict verdict;
	do {
		bbo.useless_in_row = 0;
		verdict = bbo_hear(&bbo, large, sizeof large - 1, 7000);
		bytes += (int64_t) sizeof large - 1;
	} while (verdict != BBO_FLOOD);
	assert_in_range(bytes, BBO_BYTES_A_SECOND_MAX, BBO_BYTES_A_SECOND_MAX + (int64_t) sizeof large);
	assert_int_equal(bbo.counts.floods, 2);
}

/* What each venue allows one address: connections in a span. */
static void venues_limits_are_kept(void **state)
{
	(void) state;
	static const struct { const struct venue_adapter *adapter; int n; int64_t span_ms; } limits[] = {
		{ &venue_coinbase, 20, 1000 }, { &venue_kraken, 150, 600000 }, { &venue_binance, 300, 300000 },
		{ &venue_bitstamp, 150, 600000 },
	};
	for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
		struct pace p;
		int64_t begun[4096];
		size_t n = 0, first = 0;
		int most = 0;
		const struct venue_adapter *a = limits[i].adapter;
		pace_init(&p, a->connects_burst, a->connects_refill_ms, 0);
		for (int64_t t = 0; t < 3600000; t += 10) { /* every connection fails at once, and nobody waits longer than he must */
			if (!pace_take(&p, t))
				continue;
			assert_true(n < ARRAY_LEN(begun));
			begun[n++] = t;
			pace_settled(&p);
			pace_failed(&p, t, 0);
			while (begun[n - 1] - begun[first] >= limits[i].span_ms)
				first++;
			most = (int) (n - first) > most ? (int) (n - first) : most;
		}
		if (most > limits[i].n * 2 / 3 || n < 300)
			fail_msg("%s: %d of %d connections in %" PRId64 " ms, %zu in all", a->name, most, limits[i].n, limits[i].span_ms, n);
	}
}

static void waits_double_and_are_jittered(void **state)
{
	(void) state;
	struct pace p;
	unsigned spread = 0;
	pace_init(&p, 1000, 1, 0);
	assert_true(pace_take(&p, 0));
	for (int i = 0, expected = PACE_LEAST_MS; i < 12; i++) {
		pace_failed(&p, 0, (uint32_t) i * 2654435761u);
		assert_in_range(p.retry_ms, expected / 2, expected);
		assert_false(pace_take(&p, p.retry_ms - 1));
		assert_true(pace_take(&p, p.retry_ms));
		spread |= 1u << (p.retry_ms - expected / 2) * 8 / expected;
		expected = expected * 2 > PACE_MOST_MS ? PACE_MOST_MS : expected * 2;
	}
	assert_true(spread & (spread - 1)); /* not always at the same point of its half */
	pace_settled(&p);
	pace_failed(&p, 0, UINT32_MAX);
	assert_true(p.retry_ms <= PACE_LEAST_MS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(only_what_is_newer_is_taken, begin),
		cmocka_unit_test_setup(stamps_may_stand_but_not_fall, begin),
		cmocka_unit_test_setup(a_lost_ticker_is_a_gap, begin),
		cmocka_unit_test_setup(nonsense_in_a_row_is_given_up, begin),
		cmocka_unit_test_setup(words_of_the_venue_are_passed_on, begin),
		cmocka_unit_test_setup(a_flood_is_stopped, begin),
		cmocka_unit_test(venues_limits_are_kept),
		cmocka_unit_test(waits_double_and_are_jittered),
	};
	return cmocka_run_group_tests_name("ingest_bbo", tests, NULL, NULL);
}
