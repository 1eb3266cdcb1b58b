/* The adapters: what each frame of a venue means, by a table, and that no damaged one is ever a book. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "venue.h"

struct frame {
	const char *text;
	enum venue_meaning meaning;
	int64_t id, mid_e4;
};

static void check(const struct venue_adapter *adapter, const struct frame *frames, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct venue_event event = { -1, -1 };
		enum venue_meaning meaning = adapter->hear(frames[i].text, strlen(frames[i].text), &event);
		if (meaning != frames[i].meaning)
			fail_msg("%s: %d, not %d: %s", adapter->name, meaning, frames[i].meaning, frames[i].text);
		if (meaning == VENUE_BOOK) {
			assert_int_equal(event.id, frames[i].id);
			assert_int_equal(event.mid_e4, frames[i].mid_e4);
		}
	}
}

#define BOOK(inside) "{\"stream\":\"btcusdt@bookTicker\",\"data\":{" inside "}}"

static void binance_frames(void **state)
{
	(void) state;
	static const struct frame frames[] = {
		/* as recorded */
		{ BOOK("\"u\":50093239212,\"s\":\"BTCUSDT\",\"b\":\"61837.63000000\",\"B\":\"3.78826000\",\"a\":\"61837.64000000\","
		       "\"A\":\"1.54698000\""), VENUE_BOOK, 50093239212, 618376350 },
		{ "{\"stream\":\"btcusdt@trade\",\"data\":{\"e\":\"trade\",\"E\":1723161255343,\"s\":\"BTCUSDT\",\"t\":3735683259,"
		  "\"p\":\"61837.63000000\",\"q\":\"0.02000000\",\"T\":1723161255342,\"m\":true,\"M\":true}}", VENUE_NOISE, 0, 0 },
		/* raw stream, other member order, more members */
		{ "{\"u\":7,\"s\":\"BTCUSDT\",\"b\":\"1.00\",\"a\":\"1.01\",\"x\":[1,{\"y\":2}]}", VENUE_BOOK, 7, 10050 },
		{ "{\"result\":null,\"id\":1}", VENUE_NOISE, 0, 0 },
		{ "{\"stream\":\"x\",\"data\":{\"e\":\"serverShutdown\",\"E\":1770123456789}}", VENUE_RENEW, 0, 0 },
		{ "{\"e\":\"serverShutdown\",\"E\":1770123456789}", VENUE_RENEW, 0, 0 },
		{ "{\"error\":{\"code\":2,\"msg\":\"Invalid request\"},\"id\":1}", VENUE_REJECT, 0, 0 },
		/* not books */
		{ BOOK("\"u\":1,\"s\":\"ETHUSDT\",\"b\":\"1.00\",\"a\":\"1.01\""), VENUE_BAD, 0, 0 },
		{ BOOK("\"u\":1,\"b\":\"1.00\",\"a\":\"1.01\""), VENUE_BAD, 0, 0 },
		{ BOOK("\"u\":\"1\",\"s\":\"BTCUSDT\",\"b\":\"1.00\",\"a\":\"1.01\""), VENUE_BAD, 0, 0 },
		{ BOOK("\"u\":0,\"s\":\"BTCUSDT\",\"b\":\"1.00\",\"a\":\"1.01\""), VENUE_BAD, 0, 0 },
		{ BOOK("\"u\":1,\"s\":\"BTCUSDT\",\"b\":1.00,\"a\":1.01"), VENUE_BAD, 0, 0 },
		{ BOOK("\"u\":1,\"s\":\"BTCUSDT\",\"b\":\"1.01\",\"a\":\"1.00\""), VENUE_BAD, 0, 0 },   /* crossed */
		{ BOOK("\"u\":1,\"s\":\"BTCUSDT\",\"b\":\"1.00\",\"a\":\"1.00\""), VENUE_BAD, 0, 0 },   /* locked */
		{ BOOK("\"u\":1,\"s\":\"BTCUSDT\",\"b\":\"1.00\",\"a\":\"1.02\""), VENUE_BAD, 0, 0 },   /* 200 bp apart */
		{ BOOK("\"u\":1,\"s\":\"BTCUSDT\",\"b\":\"-1.00\",\"a\":\"1.00\""), VENUE_BAD, 0, 0 },
		{ BOOK("\"u\":1,\"s\":\"BTCUSDT\",\"b\":\"1e4\",\"a\":\"1.01\""), VENUE_BAD, 0, 0 },
		{ BOOK("\"u\":1,\"s\":\"BTCUSDT\",\"b\":\"0.00\",\"a\":\"0.00\""), VENUE_BAD, 0, 0 },
		{ BOOK("\"u\":1,\"s\":\"BTCUSDT\",\"b\":\"99999999.00\",\"a\":\"99999999.01\""), VENUE_BAD, 0, 0 },
		{ BOOK("\"u\":1,\"s\":\"BTCUSDT\",\"b\":\"1.00\""), VENUE_BAD, 0, 0 },
		{ "{\"stream\":\"btcusdt@bookTicker\",\"data\":7}", VENUE_BAD, 0, 0 },
		{ "{}", VENUE_BAD, 0, 0 }, { "[]", VENUE_BAD, 0, 0 }, { "", VENUE_BAD, 0, 0 }, { "null", VENUE_BAD, 0, 0 },
		{ "<html>502 Bad Gateway</html>", VENUE_BAD, 0, 0 },
	};
	check(&venue_binance, frames, ARRAY_LEN(frames));
}

#define TICKER                                                                                                            \
	"{\"type\":\"ticker\",\"sequence\":37475248783,\"product_id\":\"BTC-USD\",\"price\":\"61837.64\",\"open_24h\":"     \
	"\"57000.00\",\"volume_24h\":\"13205.5\",\"low_24h\":\"56000\",\"high_24h\":\"62700\",\"volume_30d\":\"400000\"," \
	"\"best_bid\":\"61837.63\",\"best_bid_size\":\"0.5\",\"best_ask\":\"61837.64\",\"best_ask_size\":\"1.5\",\"side\":" \
	"\"buy\",\"time\":\"2024-08-08T23:54:14.061769Z\",\"trade_id\":370843401,\"last_size\":\"0.0001\"}"

static void coinbase_frames(void **state)
{
	(void) state;
	static const struct frame frames[] = {
		{ TICKER, VENUE_BOOK, 37475248783, 618376350 },
		{ "{\"type\":\"heartbeat\",\"sequence\":90,\"last_trade_id\":20,\"product_id\":\"BTC-USD\",\"time\":"
		  "\"2014-11-07T08:19:28.464459Z\"}", VENUE_NOISE, 0, 0 },
		{ "{\"type\":\"subscriptions\",\"channels\":[{\"name\":\"ticker\",\"product_ids\":[\"BTC-USD\"],\"account_ids\":null}]}",
			VENUE_NOISE, 0, 0 },
		{ "{\"type\":\"error\",\"message\":\"Failed to subscribe\",\"reason\":\"x\"}", VENUE_REJECT, 0, 0 },
		{ "{\"type\":\"ticker\",\"sequence\":5,\"product_id\":\"ETH-USD\",\"best_bid\":\"1.00\",\"best_ask\":\"1.01\"}", VENUE_BAD,
			0, 0 },
		{ "{\"type\":\"ticker\",\"sequence\":5,\"product_id\":\"BTC-USD\",\"best_bid\":\"1.01\",\"best_ask\":\"1.00\"}", VENUE_BAD,
			0, 0 },
		{ "{\"type\":\"ticker\",\"sequence\":5,\"product_id\":\"BTC-USD\",\"price\":\"1.00\"}", VENUE_BAD, 0, 0 },
		{ "{\"type\":\"ticker\",\"sequence\":-5,\"product_id\":\"BTC-USD\",\"best_bid\":\"1.00\",\"best_ask\":\"1.01\"}", VENUE_BAD,
			0, 0 },
		{ "{\"type\":7}", VENUE_BAD, 0, 0 }, { "{}", VENUE_BAD, 0, 0 }, { "ticker", VENUE_BAD, 0, 0 },
	};
	check(&venue_coinbase, frames, ARRAY_LEN(frames));
}

/* Whatever is cut or overwritten: never a crash, and never a book of another price than one that can be read in the frame. */
static void damaged_frames_are_harmless(void **state)
{
	(void) state;
	char text[sizeof TICKER];
	struct venue_event event;
	for (size_t n = 0; n < strlen(TICKER); n++)
		assert_int_equal(venue_coinbase.hear(TICKER, n, &event), VENUE_BAD);
	srand(7);
	for (int i = 0; i < 20000; i++) {
		memcpy(text, TICKER, sizeof text);
		for (int k = 0; k < 3; k++)
			text[(size_t) rand() % strlen(TICKER)] = (char) (rand() % 256);
		if (venue_coinbase.hear(text, strlen(TICKER), &event) == VENUE_BOOK)
			assert_true(event.mid_e4 > 0 && event.id > 0);
		(void) venue_binance.hear(text, strlen(TICKER), &event);
	}
}

/* Texts with digits where the venue writes more than cents. */
static void mids_are_exact_to_the_half_cent(void **state)
{
	(void) state;
	int64_t e4;
	assert_true(venue_mid("61837.63", 8, "61837.64", 8, &e4));
	assert_int_equal(e4, 618376350);
	assert_true(venue_mid("61837.6", 7, "61838", 5, &e4));
	assert_int_equal(e4, 618378000);
	assert_false(venue_mid(NULL, 0, "61838", 5, &e4));
	assert_false(venue_mid("61838", 5, NULL, 0, &e4));
}

static void subscriptions_are_the_venues(void **state)
{
	(void) state;
	struct buf out = BUF_INIT(1024);
	venue_coinbase.subscribe(&out);
	assert_string_equal(out.p, "{\"type\":\"subscribe\",\"product_ids\":[\"BTC-USD\"],\"channels\":[\"ticker\",\"heartbeat\"]}");
	buf_clear(&out);
	venue_binance.subscribe(&out); /* its streams are in the address */
	assert_int_equal(out.n, 0);
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(binance_frames),
		cmocka_unit_test(coinbase_frames),
		cmocka_unit_test(damaged_frames_are_harmless),
		cmocka_unit_test(mids_are_exact_to_the_half_cent),
		cmocka_unit_test(subscriptions_are_the_venues),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
