/* Bitstamp v2, wss://ws.bitstamp.net: order_book_btcusd, the best hundred bids and asks, best first, all numbers texts; the microtimestamp
 * is the only number a book has. It tells nothing in a quiet moment, so we ask by its own heartbeat; before it ends connections it
 * asks us to come anew. No limit of connections is documented; we keep to Kraken's. */
#include "venue.h"

#include <string.h>

#define CHANNEL "order_book_btcusd"

static void subscribe(struct buf *out)
{
	buf_puts(out, "{\"event\":\"bts:subscribe\",\"data\":{\"channel\":\"" CHANNEL "\"}}");
}

static void ping(struct buf *out, int64_t number)
{
	(void) number;
	buf_puts(out, "{\"event\":\"bts:heartbeat\"}");
}

/* The price of the first level: [["61837.63","0.5"],...]. */
static const char *best(const struct json_value *side, size_t *ret_n)
{
	const struct json_value *level = json_is_array(side) ? json_first(side) : NULL;
	return json_is_array(level) ? json_string(json_first(level), ret_n) : NULL;
}

static enum venue_meaning hear_book(const struct json_value *root, struct venue_event *ret)
{
	const struct json_value *data = json_get(root, "data");
	size_t bid_n = 0, ask_n = 0, stamp_n = 0;
	const char *bid = best(json_get(data, "bids"), &bid_n), *ask = best(json_get(data, "asks"), &ask_n);
	const char *stamp = json_string(json_get(data, "microtimestamp"), &stamp_n);
	if (!venue_says(root, "channel", CHANNEL) || !venue_digits(stamp, stamp_n, &ret->id) || ret->id <= 0)
		return VENUE_BAD;
	return venue_mid(bid, bid_n, ask, ask_n, &ret->mid_e4) ? VENUE_BOOK : VENUE_BAD;
}

static enum venue_meaning hear(const char *text, size_t n, struct venue_event *ret)
{
	_cleanup_(json_freep) struct json *doc = NULL;
	const char *why;
	if (json_parse(&doc, text, n, &why) != 0)
		return VENUE_BAD;
	const struct json_value *root = json_root(doc);
	const char *event = json_string(json_get(root, "event"), NULL);
	if (!event)
		return VENUE_BAD;
	if (strcmp(event, "data") == 0)
		return hear_book(root, ret);
	if (strcmp(event, "bts:request_reconnect") == 0)
		return VENUE_RENEW;
	return strcmp(event, "bts:error") == 0 ? VENUE_REJECT : VENUE_NOISE;
}

const struct venue_adapter venue_bitstamp = {
	.name = "bitstamp", .quote = QUOTED_USD, .silence_ms = 15000, .bookless_ms = 60000, .ping_ms = 5000, .id_may_stand = true,
	.connects_burst = 10, .connects_refill_ms = 10000, .subscribe = subscribe, .ping = ping, .hear = hear,
};
