/* Coinbase Exchange, wss://ws-feed.exchange.coinbase.com: BTC-USD, channels ticker and heartbeat. The ticker comes with trades and carries
 * the best bid and ask; its sequence rises and may skip. The heartbeat each second tells a quiet market from a dead connection, and names
 * the newest trade: a ticker that never tells of it was lost. Prices are texts. A subscribe is due within 5 s of connecting; eight
 * connections a second, bursts of twenty. */
#include "venue.h"

#include <string.h>

#define PRODUCT "BTC-USD"

static void subscribe(struct buf *out)
{
	buf_puts(out, "{\"type\":\"subscribe\",\"product_ids\":[\"" PRODUCT "\"],\"channels\":[\"ticker\",\"heartbeat\"]}");
}

static enum venue_meaning hear_ticker(const struct json_value *root, struct venue_event *ret)
{
	size_t bid_n = 0, ask_n = 0;
	const char *bid = json_string(json_get(root, "best_bid"), &bid_n);
	const char *ask = json_string(json_get(root, "best_ask"), &ask_n);
	if (!venue_says(root, "product_id", PRODUCT) || !json_int(json_get(root, "sequence"), &ret->id) || ret->id <= 0)
		return VENUE_BAD;
	if (!json_int(json_get(root, "trade_id"), &ret->trade_id) || ret->trade_id < 0)
		ret->trade_id = 0;
	return venue_mid(bid, bid_n, ask, ask_n, &ret->mid_e4) ? VENUE_BOOK : VENUE_BAD;
}

static enum venue_meaning hear_heartbeat(const struct json_value *root, struct venue_event *ret)
{
	if (!venue_says(root, "product_id", PRODUCT))
		return VENUE_BAD;
	return json_int(json_get(root, "last_trade_id"), &ret->trade_id) && ret->trade_id > 0 ? VENUE_NEWEST : VENUE_NOISE;
}

static enum venue_meaning hear(const char *text, size_t n, struct venue_event *ret)
{
	_cleanup_(json_freep) struct json *doc = NULL;
	const char *why;
	if (json_parse(&doc, text, n, &why) != 0)
		return VENUE_BAD;
	const struct json_value *root = json_root(doc);
	const char *type = json_string(json_get(root, "type"), NULL);
	if (!type)
		return VENUE_BAD;
	if (strcmp(type, "ticker") == 0)
		return hear_ticker(root, ret);
	if (strcmp(type, "heartbeat") == 0)
		return hear_heartbeat(root, ret);
	return strcmp(type, "error") == 0 ? VENUE_REJECT : VENUE_NOISE;
}

const struct venue_adapter venue_coinbase = {
	.name = "coinbase", .quote = QUOTED_USD, .silence_ms = 5000, .bookless_ms = 60000, .connects_burst = 8,
	.connects_refill_ms = 2000, .subscribe = subscribe, .hear = hear,
};
