/* Coinbase Exchange, wss://ws-feed.exchange.coinbase.com: channels ticker and heartbeat of BTC-USD. */
#include "dialect.h"

#include <inttypes.h>
#include <string.h>

static bool answers_at(const char *path)
{
	return strcmp(path, "/") == 0 || strncmp(path, "/?", 2) == 0 || path_is(path, "/coinbase");
}

static void on_open(struct subscription *s, const char *path, struct buf *said)
{
	(void) s, (void) path, (void) said;
}

static void ticker(struct buf *out, const struct market *m, bool combined)
{
	bool buy = m->id % 2 != 0; /* the taker's side */
	(void) combined;
	buf_printf(out, "{\"type\":\"ticker\",\"sequence\":%" PRId64 ",\"product_id\":\"BTC-USD\"", m->id);
	put_usd(out, "price", buy ? m->ask_cents : m->bid_cents, 2);
	put_usd(out, "open_24h", m->bid_cents - m->bid_cents / 100, 2);
	buf_puts(out, ",\"volume_24h\":\"8133.04216853\"");
	put_usd(out, "low_24h", m->bid_cents - m->bid_cents / 40, 2);
	put_usd(out, "high_24h", m->ask_cents + m->ask_cents / 40, 2);
	buf_puts(out, ",\"volume_30d\":\"312245.46382514\"");
	put_usd(out, "best_bid", m->bid_cents, 2);
	put_size(out, "best_bid_size", m, 4, true);
	put_usd(out, "best_ask", m->ask_cents, 2);
	put_size(out, "best_ask_size", m, 5, true);
	buf_printf(out, ",\"side\":\"%s\",\"time\":", buy ? "buy" : "sell");
	put_time(out, m);
	buf_printf(out, ",\"trade_id\":%" PRId64, m->id);
	put_size(out, "last_size", m, 6, true);
	buf_putc(out, '}');
}

static void heartbeat(struct buf *out, const struct market *m, bool combined)
{
	(void) combined;
	buf_printf(out, "{\"type\":\"heartbeat\",\"sequence\":%" PRId64 ",\"last_trade_id\":%" PRId64
			",\"product_id\":\"BTC-USD\",\"time\":", m->id, m->id);
	put_time(out, m);
	buf_putc(out, '}');
}

static void tell_subscriptions(struct buf *out, unsigned topics)
{
	static const char channel[] = "{\"name\":\"%s\",\"product_ids\":[\"BTC-USD\"],\"account_ids\":null}";
	buf_puts(out, "{\"type\":\"subscriptions\",\"channels\":[");
	if (topics & TOPIC_BOOK)
		buf_printf(out, channel, "ticker");
	if (topics == (TOPIC_BOOK | TOPIC_HEARTBEAT))
		buf_putc(out, ',');
	if (topics & TOPIC_HEARTBEAT)
		buf_printf(out, channel, "heartbeat");
	buf_puts(out, "]}");
}

static bool refuse(struct buf *out, const char *reason)
{
	buf_printf(out, "{\"type\":\"error\",\"message\":\"Failed to subscribe\",\"reason\":\"%s\"}", reason);
	return true;
}

static bool names_our_product(const struct json_value *ids)
{
	for (const struct json_value *v = json_first(ids); v; v = json_next(v)) {
		const char *id = json_string(v, NULL);
		if (id && strcmp(id, "BTC-USD") == 0)
			return true;
	}
	return false;
}

/* Channels are names, or objects with a name and products of their own. 0 for one that is not played. */
static unsigned topic_of(const struct json_value *channel, bool product_named)
{
	const char *name = json_string(channel, NULL);
	if (json_is_object(channel)) {
		name = json_string(json_get(channel, "name"), NULL);
		product_named |= names_our_product(json_get(channel, "product_ids"));
	}
	if (!name || !product_named)
		return 0;
	return strcmp(name, "ticker") == 0 ? TOPIC_BOOK : strcmp(name, "heartbeat") == 0 ? TOPIC_HEARTBEAT : 0;
}

static bool hear(struct subscription *s, const struct json_value *root, struct buf *answer)
{
	const char *type = json_string(json_get(root, "type"), NULL);
	const struct json_value *channels = json_get(root, "channels");
	bool on = type && strcmp(type, "subscribe") == 0, off = type && strcmp(type, "unsubscribe") == 0;

	if ((!on && !off) || !json_is_array(channels))
		return refuse(answer, "type subscribe or unsubscribe, and channels, are needed");
	bool product_named = names_our_product(json_get(root, "product_ids"));
	for (const struct json_value *v = json_first(channels); v; v = json_next(v)) {
		unsigned topic = topic_of(v, product_named);
		if (topic == 0)
			return refuse(answer, "ticker and heartbeat of BTC-USD are played here");
		s->topics = on ? s->topics | topic : s->topics & ~topic;
	}
	s->greeted |= on;
	s->wants_snapshot |= on;
	tell_subscriptions(answer, s->topics);
	return true;
}

const struct dialect dialect_coinbase = {
	.answers_at = answers_at, .open = on_open, .hear = hear, .book = ticker, .heartbeat = heartbeat,
	.subscribe_ms = 5000, .connects = { 20, 1000 }, .messages_a_second = 100,
};
