/* Binance spot, wss://stream.binance.com:9443: BTCUSDT, combined stream of trade and bookTicker; the streams are named in the address. The
 * book ticker has no time and no event name; its update id `u` rises. Raw streams (/ws/...) come without the wrapper and are understood
 * too. Prices are texts, in tether. The server pings each 20 s; the WebSocket's pong is all it wants. It cuts at 24 h and tells before;
 * 300 connections in five minutes, five texts of ours a second. */
#include "venue.h"

#include <string.h>

#define SYMBOL "BTCUSDT"

static void subscribe(struct buf *out)
{
	(void) out;
}

static enum venue_meaning hear_book(const struct json_value *data, struct venue_event *ret)
{
	size_t bid_n = 0, ask_n = 0;
	const char *bid = json_string(json_get(data, "b"), &bid_n);
	const char *ask = json_string(json_get(data, "a"), &ask_n);
	if (!venue_says(data, "s", SYMBOL) || !json_int(json_get(data, "u"), &ret->id) || ret->id <= 0)
		return VENUE_BAD;
	return venue_mid(bid, bid_n, ask, ask_n, &ret->mid_e4) ? VENUE_BOOK : VENUE_BAD;
}

static enum venue_meaning hear(const char *text, size_t n, struct venue_event *ret)
{
	_cleanup_(json_freep) struct json *doc = NULL;
	const char *why;
	if (json_parse(&doc, text, n, &why) != 0 || !json_is_object(json_root(doc)))
		return VENUE_BAD;
	const struct json_value *root = json_root(doc), *wrapped = json_get(root, "data");
	const struct json_value *data = wrapped ? wrapped : root;
	const char *event = json_string(json_get(data, "e"), NULL);
	if (event)
		return strcmp(event, "serverShutdown") == 0 ? VENUE_RENEW : VENUE_NOISE;
	if (json_get(data, "u"))
		return hear_book(data, ret);
	if (json_get(root, "error"))
		return VENUE_REJECT;
	return json_get(root, "result") ? VENUE_NOISE : VENUE_BAD;
}

const struct venue_adapter venue_binance = {
	.name = "binance", .quote = QUOTED_USDT, .silence_ms = 5000, .bookless_ms = 60000, .connects_burst = 10,
	.connects_refill_ms = 4000, .subscribe = subscribe, .hear = hear,
};
