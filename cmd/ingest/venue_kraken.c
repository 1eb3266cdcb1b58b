/* Kraken v2, wss://ws.kraken.com/v2: the ticker of BTC/USD with event_trigger bbo, which comes when the best bid or ask changes. Prices
 * are JSON numbers, read as their text. The stamp is the only number a book has; it may stand. Heartbeats come about each second while
 * nothing else does; a connection that hears nothing from us for about a minute is cut, so we ping. About 150 connections in ten
 * minutes, then a ban of ten. */
#include "venue.h"

#include <inttypes.h>
#include <string.h>

#define SYMBOL "BTC/USD"

static void subscribe(struct buf *out)
{
	buf_puts(out, "{\"method\":\"subscribe\",\"params\":{\"channel\":\"ticker\",\"symbol\":[\"" SYMBOL "\"],"
		      "\"event_trigger\":\"bbo\"},\"req_id\":1}");
}

static void ping(struct buf *out, int64_t number)
{
	buf_printf(out, "{\"method\":\"ping\",\"req_id\":%" PRId64 "}", number);
}

static enum venue_meaning hear_ticker(const struct json_value *root, struct venue_event *ret)
{
	const struct json_value *data = json_get(root, "data"), *book = json_is_array(data) ? json_first(data) : NULL;
	const char *bid = json_number_text(json_get(book, "bid")), *ask = json_number_text(json_get(book, "ask"));
	size_t stamp_n = 0;
	const char *stamp = json_string(json_get(book, "timestamp"), &stamp_n);
	if (!venue_says(book, "symbol", SYMBOL) || json_count(data) != 1 || !bid || !ask || !venue_stamp_us(stamp, stamp_n, &ret->id))
		return VENUE_BAD;
	return venue_mid(bid, strlen(bid), ask, strlen(ask), &ret->mid_e4) ? VENUE_BOOK : VENUE_BAD;
}

static enum venue_meaning hear_answer(const struct json_value *root)
{
	bool success;
	if (json_get(root, "success") && (!json_bool(json_get(root, "success"), &success) || !success))
		return VENUE_REJECT;
	return json_get(root, "error") ? VENUE_REJECT : VENUE_NOISE;
}

static enum venue_meaning hear(const char *text, size_t n, struct venue_event *ret)
{
	_cleanup_(json_freep) struct json *doc = NULL;
	const char *why;
	if (json_parse(&doc, text, n, &why) != 0)
		return VENUE_BAD;
	const struct json_value *root = json_root(doc);
	if (venue_says(root, "channel", "ticker"))
		return hear_ticker(root, ret);
	if (json_get(root, "method") || json_get(root, "error"))
		return hear_answer(root);
	return json_string(json_get(root, "channel"), NULL) ? VENUE_NOISE : VENUE_BAD;
}

const struct venue_adapter venue_kraken = {
	.name = "kraken", .quote = QUOTED_USD, .silence_ms = 5000, .bookless_ms = 60000, .ping_ms = 30000, .id_may_stand = true,
	.connects_burst = 10, .connects_refill_ms = 10000, .subscribe = subscribe, .ping = ping, .hear = hear,
};
