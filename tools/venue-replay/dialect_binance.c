/* Binance spot, wss://stream.binance.com:9443: trade and bookTicker of BTCUSDT, combined (/stream) or raw (/ws). */
#include "dialect.h"

#include <inttypes.h>
#include <string.h>

static bool answers_at(const char *path)
{
	return path_is(path, "/stream") || path_is(path, "/ws");
}

static void open_stream(struct buf *out, const char *stream, bool combined)
{
	if (combined)
		buf_printf(out, "{\"stream\":\"btcusdt@%s\",\"data\":", stream);
}

static void close_stream(struct buf *out, bool combined)
{
	buf_puts(out, combined ? "}}" : "}");
}

static void book(struct buf *out, const struct market *m, bool combined)
{
	open_stream(out, "bookTicker", combined);
	buf_printf(out, "{\"u\":%" PRId64 ",\"s\":\"BTCUSDT\"", m->id);
	put_usd(out, "b", m->bid_cents, 8);
	put_size(out, "B", m, 1, true);
	put_usd(out, "a", m->ask_cents, 8);
	put_size(out, "A", m, 2, true);
	close_stream(out, combined);
}

static void trade(struct buf *out, const struct market *m, bool combined)
{
	bool buyer_made = m->id % 2 == 0; /* the buyer was waiting: the trade is at the bid */
	open_stream(out, "trade", combined);
	buf_printf(out, "{\"e\":\"trade\",\"E\":%" PRId64 ",\"s\":\"BTCUSDT\",\"t\":%" PRId64, m->now_ms, m->id);
	put_usd(out, "p", buyer_made ? m->bid_cents : m->ask_cents, 8);
	put_size(out, "q", m, 3, true);
	buf_printf(out, ",\"T\":%" PRId64 ",\"m\":%s,\"M\":true", m->now_ms - 1, buyer_made ? "true" : "false");
	close_stream(out, combined);
}

/* The notice before the venue cuts its connections: no stream's, so never wrapped. */
static void retire(struct buf *out, const struct market *m, bool combined)
{
	(void) combined;
	buf_printf(out, "{\"e\":\"serverShutdown\",\"E\":%" PRId64 "}", m->now_ms);
}

static unsigned topic_of(const char *stream, size_t n)
{
	static const char books[] = "btcusdt@bookTicker", trades[] = "btcusdt@trade";
	if (n == strlen(books) && memcmp(stream, books, n) == 0)
		return TOPIC_BOOK;
	return n == strlen(trades) && memcmp(stream, trades, n) == 0 ? TOPIC_TRADE : 0;
}

/* btcusdt@trade/btcusdt@bookTicker; what is not played is silent, as a stream without trades is. */
static unsigned topics_of(const char *streams)
{
	unsigned topics = 0;
	while (*streams) {
		size_t n = strcspn(streams, "/&");
		topics |= topic_of(streams, n);
		if (streams[n] != '/')
			break;
		streams += n + 1;
	}
	return topics;
}

static void on_open(struct subscription *s, const char *path, struct buf *said)
{
	const char *query = strstr(path, "?streams=");
	(void) said;
	s->combined = path_is(path, "/stream");
	s->topics = query ? topics_of(query + strlen("?streams=")) :
			    strncmp(path, "/ws/", 4) == 0 ? topics_of(path + strlen("/ws/")) : 0;
	s->wants_snapshot = s->topics != 0;
}

/* {"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":1} -> {"result":null,"id":1} */
static bool hear(struct subscription *s, const struct json_value *root, struct buf *answer)
{
	const char *method = json_string(json_get(root, "method"), NULL);
	const struct json_value *params = json_get(root, "params");
	int64_t id;
	bool on = method && strcmp(method, "SUBSCRIBE") == 0, off = method && strcmp(method, "UNSUBSCRIBE") == 0;

	if (!json_int(json_get(root, "id"), &id) || (!on && !off) || !json_is_array(params)) {
		buf_puts(answer, "{\"error\":{\"code\":2,\"msg\":\"Invalid request: method, params and id are needed\"}}");
		return true;
	}
	for (const struct json_value *v = json_first(params); v; v = json_next(v)) {
		size_t n;
		const char *stream = json_string(v, &n);
		unsigned topic = stream ? topic_of(stream, n) : 0;
		s->topics = on ? s->topics | topic : s->topics & ~topic;
	}
	s->wants_snapshot |= on;
	buf_printf(answer, "{\"result\":null,\"id\":%" PRId64 "}", id);
	return true;
}

const struct dialect dialect_binance = {
	.answers_at = answers_at, .open = on_open, .hear = hear, .book = book, .trade = trade, .retire = retire,
	.connects = { 300, 300000 }, .messages_a_second = 5,
};
