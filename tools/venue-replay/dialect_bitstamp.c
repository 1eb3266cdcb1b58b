/* Bitstamp v2, wss://ws.bitstamp.net: order_book_btcusd, a hundred levels a side in each frame, every number a text. */
#include "dialect.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { LEVELS = 100, LEVEL_CENTS = 100 /* distance of two levels */ };

#define CHANNEL "order_book_btcusd"

static bool answers_at(const char *path)
{
	return path_is(path, "/bitstamp");
}

static void on_open(struct subscription *s, const char *path, struct buf *said)
{
	(void) s, (void) path, (void) said;
}

static void put_side(struct buf *out, const char *name, int64_t best_cents, int64_t step_cents, int64_t id)
{
	buf_printf(out, ",\"%s\":[", name);
	for (int64_t i = 0; i < LEVELS; i++) {
		int64_t cents = best_cents + i * step_cents;
		if (cents <= 0)
			break;
		buf_printf(out, "%s[\"%" PRId64 ".%02" PRId64 "\",\"%" PRId64 ".%08" PRId64 "\"]", i ? "," : "", cents / 100, cents % 100,
				i / 7, 1 + (id * 7919 + i * 104729) % 99999999);
	}
	buf_putc(out, ']');
}

static void book(struct buf *out, const struct market *m, bool combined)
{
	(void) combined;
	buf_printf(out, "{\"data\":{\"timestamp\":\"%" PRId64 "\",\"microtimestamp\":\"%" PRId64 "%03d\"", m->now_ms / 1000, m->now_ms,
			(int) (m->id % 1000));
	put_side(out, "bids", m->bid_cents, -LEVEL_CENTS, m->id);
	put_side(out, "asks", m->ask_cents, LEVEL_CENTS, m->id);
	buf_puts(out, "},\"channel\":\"" CHANNEL "\",\"event\":\"data\"}");
}

static void retire(struct buf *out, const struct market *m, bool combined)
{
	(void) m, (void) combined;
	buf_puts(out, "{\"event\":\"bts:request_reconnect\",\"channel\":\"\",\"data\":\"\"}");
}

static bool refuse(struct buf *out, const char *message)
{
	buf_printf(out, "{\"event\":\"bts:error\",\"channel\":\"\",\"data\":{\"code\":null,\"message\":\"%s\"}}", message);
	return true;
}

static bool hear(struct subscription *s, const struct json_value *root, struct buf *answer)
{
	const char *event = json_string(json_get(root, "event"), NULL);
	const char *channel = json_string(json_get(json_get(root, "data"), "channel"), NULL);
	if (!event)
		return refuse(answer, "Incorrect JSON format.");
	if (strcmp(event, "bts:heartbeat") == 0) {
		buf_puts(answer, "{\"event\":\"bts:heartbeat\",\"channel\":\"\",\"data\":{\"status\":\"success\"}}");
		return true;
	}
	bool on = strcmp(event, "bts:subscribe") == 0;
	if (!on && strcmp(event, "bts:unsubscribe") != 0)
		return refuse(answer, "Incorrect message.");
	if (!channel || strcmp(channel, CHANNEL) != 0)
		return refuse(answer, "Incorrect channel.");
	s->topics = on ? TOPIC_BOOK : 0;
	s->wants_snapshot = on;
	s->greeted |= on;
	buf_printf(answer, "{\"event\":\"%s\",\"channel\":\"" CHANNEL "\",\"data\":{}}",
			on ? "bts:subscription_succeeded" : "bts:unsubscription_succeeded");
	return true;
}

const struct dialect dialect_bitstamp = {
	.answers_at = answers_at, .open = on_open, .hear = hear, .book = book, .retire = retire,
};
