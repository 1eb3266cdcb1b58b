/* Kraken v2, wss://ws.kraken.com/v2: the ticker of BTC/USD. Prices are JSON numbers; heartbeats come when nothing else does. */
#include "dialect.h"

#include <inttypes.h>
#include <string.h>

static bool answers_at(const char *path)
{
	return path_is(path, "/v2");
}

static void on_open(struct subscription *s, const char *path, struct buf *said)
{
	(void) s, (void) path;
	buf_puts(said, "{\"channel\":\"status\",\"type\":\"update\",\"data\":[{\"version\":\"2.0.10\",\"system\":\"online\","
		       "\"api_version\":\"v2\",\"connection_id\":13834774380200032777}]}");
}

static void ticker(struct buf *out, const struct market *m, bool combined)
{
	(void) combined;
	buf_puts(out, "{\"channel\":\"ticker\",\"type\":\"update\",\"data\":[{\"symbol\":\"BTC/USD\"");
	put_usd(out, "bid", m->bid_cents, 0);
	put_size(out, "bid_qty", m, 7, false);
	put_usd(out, "ask", m->ask_cents, 0);
	put_size(out, "ask_qty", m, 8, false);
	put_usd(out, "last", m->bid_cents, 0);
	buf_puts(out, ",\"volume\":1423.65921534");
	put_usd(out, "vwap", m->bid_cents - m->bid_cents / 200, 0);
	put_usd(out, "low", m->bid_cents - m->bid_cents / 40, 0);
	put_usd(out, "high", m->ask_cents + m->ask_cents / 40, 0);
	buf_puts(out, ",\"change\":-311.4,\"change_pct\":-0.32,\"timestamp\":");
	put_time(out, m);
	buf_puts(out, "}]}");
}

static void heartbeat(struct buf *out, const struct market *m, bool combined)
{
	(void) m, (void) combined;
	buf_puts(out, "{\"channel\":\"heartbeat\"}");
}

static bool names_our_symbol(const struct json_value *symbols)
{
	for (const struct json_value *v = json_first(symbols); v; v = json_next(v)) {
		const char *symbol = json_string(v, NULL);
		if (symbol && strcmp(symbol, "BTC/USD") == 0)
			return true;
	}
	return false;
}

static bool refuse(struct buf *out, const char *method, const char *error)
{
	buf_printf(out, "{\"error\":\"%s\",\"method\":\"%s\",\"success\":false,"
			"\"time_in\":\"2026-02-16T08:31:05.000001Z\",\"time_out\":\"2026-02-16T08:31:05.000002Z\"}", error, method);
	return true;
}

/* Each book change is told to who asked for the trigger bbo; without it the ticker comes with trades alone, and here none are played. */
static bool subscribe(struct subscription *s, const struct json_value *params, bool on, struct buf *answer)
{
	const char *method = on ? "subscribe" : "unsubscribe";
	const char *channel = json_string(json_get(params, "channel"), NULL);
	const char *trigger = json_string(json_get(params, "event_trigger"), NULL);
	if (!channel || strcmp(channel, "ticker") != 0)
		return refuse(answer, method, "Subscription channel not supported");
	if (!names_our_symbol(json_get(params, "symbol")))
		return refuse(answer, method, "Currency pair not supported");
	if (trigger && strcmp(trigger, "bbo") != 0 && strcmp(trigger, "trades") != 0)
		return refuse(answer, method, "Event trigger not supported");
	unsigned topics = TOPIC_HEARTBEAT | (trigger && strcmp(trigger, "bbo") == 0 ? TOPIC_BOOK : 0);
	s->topics = on ? s->topics | topics : 0;
	s->wants_snapshot |= on;
	s->greeted |= on;
	buf_printf(answer, "{\"method\":\"%s\",\"result\":{\"channel\":\"ticker\",\"event_trigger\":\"%s\",\"snapshot\":true,"
			"\"symbol\":\"BTC/USD\"},\"success\":true,\"time_in\":\"2026-02-16T08:31:05.000001Z\","
			"\"time_out\":\"2026-02-16T08:31:05.000002Z\"}", method, trigger ? trigger : "trades");
	return true;
}

static bool hear(struct subscription *s, const struct json_value *root, struct buf *answer)
{
	const char *method = json_string(json_get(root, "method"), NULL);
	int64_t id;
	if (!method)
		return refuse(answer, "", "Malformed request");
	if (strcmp(method, "ping") == 0) {
		buf_puts(answer, "{\"method\":\"pong\"");
		if (json_int(json_get(root, "req_id"), &id))
			buf_printf(answer, ",\"req_id\":%" PRId64, id);
		buf_puts(answer, ",\"time_in\":\"2026-02-16T08:31:05.000001Z\",\"time_out\":\"2026-02-16T08:31:05.000002Z\"}");
		return true;
	}
	bool on = strcmp(method, "subscribe") == 0;
	if (!on && strcmp(method, "unsubscribe") != 0)
		return refuse(answer, method, "Method not supported");
	return subscribe(s, json_get(root, "params"), on, answer);
}

const struct dialect dialect_kraken = {
	.answers_at = answers_at, .open = on_open, .hear = hear, .book = ticker, .heartbeat = heartbeat,
	.heartbeat_after_ms = 1000, .connects = { 150, 600000 },
};
