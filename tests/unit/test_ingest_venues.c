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
	int64_t id, mid_e4, trade_id;
};

#define NONE 0, 0, 0

static void check(const struct venue_adapter *adapter, const struct frame *frames, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct venue_event event = { 0 };
		enum venue_meaning meaning = adapter->hear(frames[i].text, strlen(frames[i].text), &event);
		if (meaning != frames[i].meaning)
			fail_msg("%s: %d, not %d: %s", adapter->name, meaning, frames[i].meaning, frames[i].text);
		if (meaning == VENUE_NEWEST)
			assert_int_equal(event.trade_id, frames[i].trade_id);
		if (meaning == VENUE_BOOK) {
			assert_int_equal(event.id, frames[i].id);
			assert_int_equal(event.mid_e4, frames[i].mid_e4);
			assert_int_equal(event.trade_id, frames[i].trade_id);
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
		       "\"A\":\"1.54698000\""), VENUE_BOOK, 50093239212, 618376350, 0 },
		{ "{\"stream\":\"btcusdt@trade\",\"data\":{\"e\":\"trade\",\"E\":1723161255343,\"s\":\"BTCUSDT\",\"t\":3735683259,"
		  "\"p\":\"61837.63000000\",\"q\":\"0.02000000\",\"T\":1723161255342,\"m\":true,\"M\":true}}", VENUE_NOISE, NONE },
		/* raw stream, other member order, more members */
		{ "{\"u\":7,\"s\":\"BTCUSDT\",\"b\":\"1.00\",\"a\":\"1.01\",\"x\":[1,{\"y\":2}]}", VENUE_BOOK, 7, 10050, 0 },
		{ "{\"result\":null,\"id\":1}", VENUE_NOISE, NONE },
		{ "{\"stream\":\"x\",\"data\":{\"e\":\"serverShutdown\",\"E\":1770123456789}}", VENUE_RENEW, NONE },
		{ "{\"e\":\"serverShutdown\",\"E\":1770123456789}", VENUE_RENEW, NONE },
		{ "{\"error\":{\"code\":2,\"msg\":\"Invalid request\"},\"id\":1}", VENUE_REJECT, NONE },
		/* not books */
		{ BOOK("\"u\":1,\"s\":\"ETHUSDT\",\"b\":\"1.00\",\"a\":\"1.01\""), VENUE_BAD, NONE },
		{ BOOK("\"u\":1,\"b\":\"1.00\",\"a\":\"1.01\""), VENUE_BAD, NONE },
		{ BOOK("\"u\":\"1\",\"s\":\"BTCUSDT\",\"b\":\"1.00\",\"a\":\"1.01\""), VENUE_BAD, NONE },
		{ BOOK("\"u\":0,\"s\":\"BTCUSDT\",\"b\":\"1.00\",\"a\":\"1.01\""), VENUE_BAD, NONE },
		{ BOOK("\"u\":1,\"s\":\"BTCUSDT\",\"b\":1.00,\"a\":1.01"), VENUE_BAD, NONE },
		{ BOOK("\"u\":1,\"s\":\"BTCUSDT\",\"b\":\"1.01\",\"a\":\"1.00\""), VENUE_BAD, NONE },   /* crossed */
		{ BOOK("\"u\":1,\"s\":\"BTCUSDT\",\"b\":\"1.00\",\"a\":\"1.00\""), VENUE_BAD, NONE },   /* locked */
		{ BOOK("\"u\":1,\"s\":\"BTCUSDT\",\"b\":\"1.00\",\"a\":\"1.02\""), VENUE_BAD, NONE },   /* 200 bp apart */
		{ BOOK("\"u\":1,\"s\":\"BTCUSDT\",\"b\":\"-1.00\",\"a\":\"1.00\""), VENUE_BAD, NONE },
		{ BOOK("\"u\":1,\"s\":\"BTCUSDT\",\"b\":\"1e4\",\"a\":\"1.01\""), VENUE_BAD, NONE },
		{ BOOK("\"u\":1,\"s\":\"BTCUSDT\",\"b\":\"0.00\",\"a\":\"0.00\""), VENUE_BAD, NONE },
		{ BOOK("\"u\":1,\"s\":\"BTCUSDT\",\"b\":\"99999999.00\",\"a\":\"99999999.01\""), VENUE_BAD, NONE },
		{ BOOK("\"u\":1,\"s\":\"BTCUSDT\",\"b\":\"1.00\""), VENUE_BAD, NONE },
		{ "{\"stream\":\"btcusdt@bookTicker\",\"data\":7}", VENUE_BAD, NONE },
		{ "{}", VENUE_BAD, NONE }, { "[]", VENUE_BAD, NONE }, { "", VENUE_BAD, NONE }, { "null", VENUE_BAD, NONE },
		{ "<html>502 Bad Gateway</html>", VENUE_BAD, NONE },
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
		{ TICKER, VENUE_BOOK, 37475248783, 618376350, 370843401 },
		{ "{\"type\":\"heartbeat\",\"sequence\":90,\"last_trade_id\":20,\"product_id\":\"BTC-USD\",\"time\":"
		  "\"2014-11-07T08:19:28.464459Z\"}", VENUE_NEWEST, 0, 0, 20 },
		{ "{\"type\":\"heartbeat\",\"sequence\":90,\"product_id\":\"BTC-USD\"}", VENUE_NOISE, NONE },
		{ "{\"type\":\"heartbeat\",\"sequence\":90,\"last_trade_id\":20,\"product_id\":\"ETH-USD\"}", VENUE_BAD, NONE },
		{ "{\"type\":\"subscriptions\",\"channels\":[{\"name\":\"ticker\",\"product_ids\":[\"BTC-USD\"],\"account_ids\":null}]}",
			VENUE_NOISE, NONE },
		{ "{\"type\":\"error\",\"message\":\"Failed to subscribe\",\"reason\":\"x\"}", VENUE_REJECT, NONE },
		{ "{\"type\":\"ticker\",\"sequence\":5,\"product_id\":\"ETH-USD\",\"best_bid\":\"1.00\",\"best_ask\":\"1.01\"}",
			VENUE_BAD, NONE },
		{ "{\"type\":\"ticker\",\"sequence\":5,\"product_id\":\"BTC-USD\",\"best_bid\":\"1.01\",\"best_ask\":\"1.00\"}",
			VENUE_BAD, NONE },
		{ "{\"type\":\"ticker\",\"sequence\":5,\"product_id\":\"BTC-USD\",\"price\":\"1.00\"}", VENUE_BAD, NONE },
		{ "{\"type\":\"ticker\",\"sequence\":-5,\"product_id\":\"BTC-USD\",\"best_bid\":\"1.00\",\"best_ask\":\"1.01\"}",
			VENUE_BAD, NONE },
		{ "{\"type\":7}", VENUE_BAD, NONE }, { "{}", VENUE_BAD, NONE }, { "ticker", VENUE_BAD, NONE },
	};
	check(&venue_coinbase, frames, ARRAY_LEN(frames));
}

#define KRAKEN                                                                                                              \
	"{\"channel\":\"ticker\",\"type\":\"snapshot\",\"data\":[{\"symbol\":\"BTC/USD\",\"bid\":105944.20,\"bid_qty\":2.5," \
	"\"ask\":105944.3,\"ask_qty\":0.1,\"last\":105944.2,\"volume\":1.5,\"vwap\":1.0,\"low\":1,\"high\":2e5,"              \
	"\"change\":-5.1,\"change_pct\":-0.1,\"timestamp\":\"2026-02-16T08:31:05.123456Z\"}]}"
#define KRAKEN_OF(symbol, bid, ask, stamp)                                                                                    \
	"{\"channel\":\"ticker\",\"type\":\"update\",\"data\":[{\"symbol\":\"" symbol "\",\"bid\":" bid ",\"ask\":" ask        \
	",\"timestamp\":\"" stamp "\"}]}"
#define STAMP "2026-02-16T08:31:05Z"

static void kraken_frames(void **state)
{
	(void) state;
	static const struct frame frames[] = {
		{ KRAKEN, VENUE_BOOK, 1771230665123456, 1059442500, 0 },
		{ KRAKEN_OF("BTC/USD", "1.00", "1.01", STAMP), VENUE_BOOK, 1771230665000000, 10050, 0 },
		{ "{\"channel\":\"heartbeat\"}", VENUE_NOISE, NONE },
		{ "{\"channel\":\"status\",\"type\":\"update\",\"data\":[{\"system\":\"online\"}]}", VENUE_NOISE, NONE },
		{ "{\"channel\":\"trade\",\"data\":[]}", VENUE_NOISE, NONE },
		{ "{\"method\":\"subscribe\",\"result\":{\"channel\":\"ticker\"},\"success\":true,\"req_id\":1}", VENUE_NOISE, NONE },
		{ "{\"method\":\"pong\",\"req_id\":42}", VENUE_NOISE, NONE },
		{ "{\"error\":\"Currency pair not supported\",\"method\":\"subscribe\",\"success\":false}", VENUE_REJECT, NONE },
		{ "{\"error\":\"Exceeded msg rate\"}", VENUE_REJECT, NONE },
		{ "{\"method\":\"subscribe\",\"success\":\"yes\"}", VENUE_REJECT, NONE },
		/* not books */
		{ KRAKEN_OF("ETH/USD", "1.00", "1.01", STAMP), VENUE_BAD, NONE },
		{ KRAKEN_OF("BTC/USD", "\"1.00\"", "1.01", STAMP), VENUE_BAD, NONE },
		{ KRAKEN_OF("BTC/USD", "1e0", "1.01", STAMP), VENUE_BAD, NONE },
		{ KRAKEN_OF("BTC/USD", "1.01", "1.00", STAMP), VENUE_BAD, NONE },
		{ KRAKEN_OF("BTC/USD", "-1.00", "1.01", STAMP), VENUE_BAD, NONE },
		{ KRAKEN_OF("BTC/USD", "1.00", "null", STAMP), VENUE_BAD, NONE },
		{ KRAKEN_OF("BTC/USD", "1.00", "1.01", "2026-02-16 08:31:05Z"), VENUE_BAD, NONE },
		{ KRAKEN_OF("BTC/USD", "1.00", "1.01", ""), VENUE_BAD, NONE },
		{ "{\"channel\":\"ticker\",\"data\":{}}", VENUE_BAD, NONE }, { "{\"channel\":\"ticker\",\"data\":[]}", VENUE_BAD, NONE },
		{ "{\"channel\":\"ticker\",\"data\":[7]}", VENUE_BAD, NONE }, { "{\"channel\":\"ticker\"}", VENUE_BAD, NONE },
		{ "{\"channel\":7}", VENUE_BAD, NONE }, { "{}", VENUE_BAD, NONE }, { "[]", VENUE_BAD, NONE }, { "", VENUE_BAD, NONE },
	};
	check(&venue_kraken, frames, ARRAY_LEN(frames));
}

#define BITSTAMP_OF(channel, stamp, bids, asks)                                                                                \
	"{\"data\":{\"timestamp\":\"1584642064\",\"microtimestamp\":" stamp ",\"bids\":" bids ",\"asks\":" asks "},\"channel\":\"" \
	channel "\",\"event\":\"data\"}"
#define BITSTAMP                                                                                                              \
	BITSTAMP_OF("order_book_btcusd", "\"1584642064685000\"", "[[\"6294.77\",\"1.08000000\"],[\"6294.00\",\"1\"]]",      \
			"[[\"6295\",\"0.5\"],[\"6296\",\"2\"]]")
#define BITSTAMP_BOOK(bids, asks) BITSTAMP_OF("order_book_btcusd", "\"5\"", bids, asks)

static void bitstamp_frames(void **state)
{
	(void) state;
	static const struct frame frames[] = {
		{ BITSTAMP, VENUE_BOOK, 1584642064685000, 62948850, 0 },
		{ BITSTAMP_BOOK("[[\"1.00\"]]", "[[\"1.01\"]]"), VENUE_BOOK, 5, 10050, 0 },
		{ "{\"event\":\"bts:subscription_succeeded\",\"channel\":\"order_book_btcusd\",\"data\":{}}", VENUE_NOISE, NONE },
		{ "{\"event\":\"bts:heartbeat\",\"channel\":\"\",\"data\":{\"status\":\"success\"}}", VENUE_NOISE, NONE },
		{ "{\"event\":\"trade\",\"channel\":\"live_trades_btcusd\",\"data\":{\"price\":6294.77}}", VENUE_NOISE, NONE },
		{ "{\"event\":\"bts:request_reconnect\",\"channel\":\"\",\"data\":\"\"}", VENUE_RENEW, NONE },
		{ "{\"event\":\"bts:error\",\"channel\":\"\",\"data\":{\"code\":null,\"message\":\"Incorrect JSON format.\"}}",
			VENUE_REJECT, NONE },
		/* not books */
		{ BITSTAMP_OF("order_book_ethusd", "\"5\"", "[[\"1.00\",\"1\"]]", "[[\"1.01\",\"1\"]]"), VENUE_BAD, NONE },
		{ BITSTAMP_OF("order_book_btcusd", "5", "[[\"1.00\",\"1\"]]", "[[\"1.01\",\"1\"]]"), VENUE_BAD, NONE },
		{ BITSTAMP_OF("order_book_btcusd", "\"0\"", "[[\"1.00\",\"1\"]]", "[[\"1.01\",\"1\"]]"), VENUE_BAD, NONE },
		{ BITSTAMP_OF("order_book_btcusd", "\"x\"", "[[\"1.00\",\"1\"]]", "[[\"1.01\",\"1\"]]"), VENUE_BAD, NONE },
		{ BITSTAMP_BOOK("[]", "[[\"1.01\"]]"), VENUE_BAD, NONE }, { BITSTAMP_BOOK("[[]]", "[[\"1.01\"]]"), VENUE_BAD, NONE },
		{ BITSTAMP_BOOK("[[1.00]]", "[[\"1.01\"]]"), VENUE_BAD, NONE }, { BITSTAMP_BOOK("{}", "[[\"1.01\"]]"), VENUE_BAD, NONE },
		{ BITSTAMP_BOOK("[\"1.00\"]", "[\"1.01\"]"), VENUE_BAD, NONE },
		{ BITSTAMP_BOOK("[[\"1.01\"]]", "[[\"1.00\"]]"), VENUE_BAD, NONE },
		{ "{\"event\":\"data\",\"channel\":\"order_book_btcusd\"}", VENUE_BAD, NONE },
		{ "{\"event\":7}", VENUE_BAD, NONE }, { "{}", VENUE_BAD, NONE }, { "[]", VENUE_BAD, NONE }, { "", VENUE_BAD, NONE },
	};
	check(&venue_bitstamp, frames, ARRAY_LEN(frames));
}

/* Whatever is cut or overwritten: never a crash, and what is taken for a book has an id and a price. */
static void damaged_frames_are_harmless(void **state)
{
	(void) state;
	static const struct { const struct venue_adapter *adapter; const char *text; } whole[] = {
		{ &venue_coinbase, TICKER }, { &venue_kraken, KRAKEN }, { &venue_bitstamp, BITSTAMP },
		{ &venue_binance, BOOK("\"u\":1,\"s\":\"BTCUSDT\",\"b\":\"61837.63\",\"a\":\"61837.64\"") },
	};
	char text[1024];
	struct venue_event event;
	srand(7);
	for (size_t w = 0; w < ARRAY_LEN(whole); w++) {
		size_t n = strlen(whole[w].text);
		assert_true(n < sizeof text);
		assert_int_equal(whole[w].adapter->hear(whole[w].text, n, &event), VENUE_BOOK);
		for (size_t cut = 0; cut < n; cut++)
			assert_int_equal(whole[w].adapter->hear(whole[w].text, cut, &event), VENUE_BAD);
		for (int i = 0; i < 10000; i++) {
			memcpy(text, whole[w].text, n + 1);
			for (int k = 0; k < 3; k++)
				text[(size_t) rand() % n] = (char) (rand() % 256);
			if (whole[w].adapter->hear(text, n, &event) == VENUE_BOOK)
				assert_true(event.mid_e4 > 0 && event.id > 0);
		}
	}
}

static void stamps_are_exact_to_the_microsecond(void **state)
{
	(void) state;
	static const struct { const char *text; int64_t us; } good[] = {
		{ "1970-01-01T00:00:00Z", 0 }, { "2026-02-16T08:31:05.123456Z", 1771230665123456 },
		{ "2024-02-29T23:59:59.9Z", 1709251199900000 }, { "2024-03-01T00:00:00.000001Z", 1709251200000001 },
		{ "2100-03-01T00:00:00.123456789Z", 4107542400123456 }, { "2026-12-31T23:59:60Z", 1798761600000000 },
	};
	static const char *const bad[] = { "", "Z", "2026-02-16", "2026-02-16T08:31:05", "2026-02-16T08:31:05.Z", "2026-13-16T08:31:05Z",
		"2026-00-16T08:31:05Z", "2026-02-32T08:31:05Z", "2026-02-16T24:31:05Z", "2026-02-16T08:60:05Z", "2026-02-16T08:31:61Z",
		"2026-02-16T08:31:05.1234567890Z", "2026-02-16T08:31:05.12x4Z", "2026-02-16t08:31:05Z", "2026-02-16T08:31:05+00:00",
		"1969-02-16T08:31:05Z", "-026-02-16T08:31:05Z" };
	int64_t us;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		assert_true(venue_stamp_us(good[i].text, strlen(good[i].text), &us));
		assert_int_equal(us, good[i].us);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (venue_stamp_us(bad[i], strlen(bad[i]), &us))
			fail_msg("%s is taken", bad[i]);
	assert_false(venue_stamp_us(NULL, 0, &us));
	assert_false(venue_digits("1234567890123456789", 19, &us));
	assert_true(venue_digits("123456789012345678", 18, &us));
	assert_int_equal(us, 123456789012345678);
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
	venue_kraken.subscribe(&out);
	assert_string_equal(out.p, "{\"method\":\"subscribe\",\"params\":{\"channel\":\"ticker\",\"symbol\":[\"BTC/USD\"],"
				   "\"event_trigger\":\"bbo\"},\"req_id\":1}");
	buf_clear(&out);
	venue_kraken.ping(&out, 42);
	assert_string_equal(out.p, "{\"method\":\"ping\",\"req_id\":42}");
	buf_clear(&out);
	venue_bitstamp.subscribe(&out);
	assert_string_equal(out.p, "{\"event\":\"bts:subscribe\",\"data\":{\"channel\":\"order_book_btcusd\"}}");
	buf_clear(&out);
	venue_bitstamp.ping(&out, 42);
	assert_string_equal(out.p, "{\"event\":\"bts:heartbeat\"}");
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
		cmocka_unit_test(kraken_frames),
		cmocka_unit_test(bitstamp_frames),
		cmocka_unit_test(damaged_frames_are_harmless),
		cmocka_unit_test(stamps_are_exact_to_the_microsecond),
		cmocka_unit_test(mids_are_exact_to_the_half_cent),
		cmocka_unit_test(subscriptions_are_the_venues),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
