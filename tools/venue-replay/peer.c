#include "peer.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "frames.h"
#include "json.h"

static bool starts_with(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

static bool is_path(const char *path, const char *name)
{
	size_t n = strlen(name);
	return strncmp(path, name, n) == 0 && (path[n] == '\0' || path[n] == '?' || path[n] == '/');
}

enum venue_id venue_of_path(const char *path)
{
	if (is_path(path, "/stream") || is_path(path, "/ws"))
		return VENUE_BINANCE;
	if (strcmp(path, "/") == 0 || starts_with(path, "/?") || is_path(path, "/coinbase"))
		return VENUE_COINBASE;
	return VENUES;
}

static unsigned binance_topic(const char *stream, size_t n)
{
	static const char book[] = "btcusdt@bookTicker", trade[] = "btcusdt@trade";
	if (n == strlen(book) && memcmp(stream, book, n) == 0)
		return TOPIC_BOOK;
	return n == strlen(trade) && memcmp(stream, trade, n) == 0 ? TOPIC_TRADE : 0;
}

/* btcusdt@trade/btcusdt@bookTicker; what we do not play is silent, as a stream without trades is. */
static unsigned binance_topics(const char *streams)
{
	unsigned topics = 0;
	while (*streams) {
		size_t n = strcspn(streams, "/&");
		topics |= binance_topic(streams, n);
		if (streams[n] != '/')
			break;
		streams += n + 1;
	}
	return topics;
}

struct peer *peer_new(struct wsock_conn *c, const char *path, int64_t now_ms)
{
	struct peer *p = calloc(1, sizeof *p);
	if (!p)
		return NULL;
	p->conn = c;
	p->venue = venue_of_path(path);
	p->opened_ms = now_ms;
	const char *query = strstr(path, "?streams=");
	p->combined = starts_with(path, "/stream");
	if (p->venue == VENUE_BINANCE)
		p->topics = query ? binance_topics(query + strlen("?streams=")) :
				    starts_with(path, "/ws/") ? binance_topics(path + strlen("/ws/")) : 0;
	p->wants_snapshot = p->topics != 0;
	return p;
}

struct peer *peer_free(struct peer *p)
{
	if (!p)
		return NULL;
	for (; p->n; p->n--, p->head = (p->head + 1) % PEER_QUEUE_MAX)
		(void) wsock_frame_unref(p->queue[p->head].frame);
	free(p);
	return NULL;
}

/* {"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":1} -> {"result":null,"id":1} */
static void binance_hear(struct peer *p, const struct json_value *root, struct buf *answer)
{
	const char *method = json_string(json_get(root, "method"), NULL);
	const struct json_value *params = json_get(root, "params");
	int64_t id;
	bool on = method && strcmp(method, "SUBSCRIBE") == 0, off = method && strcmp(method, "UNSUBSCRIBE") == 0;

	if (!json_int(json_get(root, "id"), &id) || (!on && !off) || !json_is_array(params)) {
		buf_puts(answer, "{\"error\":{\"code\":2,\"msg\":\"Invalid request: method, params and id are needed\"}}");
		return;
	}
	for (const struct json_value *v = json_first(params); v; v = json_next(v)) {
		size_t n;
		const char *stream = json_string(v, &n);
		unsigned topic = stream ? binance_topic(stream, n) : 0;
		p->topics = on ? p->topics | topic : p->topics & ~topic;
	}
	p->wants_snapshot |= on;
	buf_printf(answer, "{\"result\":null,\"id\":%" PRId64 "}", id);
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

/* Channels are names, or objects with a name and products of their own. 0 for one we do not play. */
static unsigned coinbase_topic(const struct json_value *channel, bool product_named)
{
	const char *name = json_string(channel, NULL);
	if (json_is_object(channel)) {
		name = json_string(json_get(channel, "name"), NULL);
		product_named |= names_our_product(json_get(channel, "product_ids"));
	}
	if (!name || !product_named)
		return 0;
	return strcmp(name, "ticker") == 0 ? TOPIC_TICKER : strcmp(name, "heartbeat") == 0 ? TOPIC_HEARTBEAT : 0;
}

static void coinbase_hear(struct peer *p, const struct json_value *root, struct buf *answer)
{
	const char *type = json_string(json_get(root, "type"), NULL);
	const struct json_value *channels = json_get(root, "channels");
	bool on = type && strcmp(type, "subscribe") == 0, off = type && strcmp(type, "unsubscribe") == 0;

	if ((!on && !off) || !json_is_array(channels)) {
		coinbase_error(answer, "Failed to subscribe", "type subscribe or unsubscribe, and channels, are needed");
		return;
	}
	bool product_named = names_our_product(json_get(root, "product_ids"));
	for (const struct json_value *v = json_first(channels); v; v = json_next(v)) {
		unsigned topic = coinbase_topic(v, product_named);
		if (topic == 0) {
			coinbase_error(answer, "Failed to subscribe", "ticker and heartbeat of BTC-USD are played here");
			return;
		}
		p->topics = on ? p->topics | topic : p->topics & ~topic;
	}
	p->greeted |= on;
	p->wants_snapshot |= on;
	coinbase_subscriptions(answer, p->topics & TOPIC_TICKER, p->topics & TOPIC_HEARTBEAT);
}

void peer_hear(struct peer *p, const char *text, size_t n, struct buf *answer)
{
	_cleanup_(json_freep) struct json *doc = NULL;
	const char *why;
	const struct json_value *root = json_parse(&doc, text, n, &why) == 0 ? json_root(doc) : NULL;
	if (p->venue == VENUE_COINBASE)
		coinbase_hear(p, root, answer);
	else
		binance_hear(p, root, answer);
}

bool peer_push(struct peer *p, struct wsock_frame *frame, int64_t due_ms)
{
	if (p->n == PEER_QUEUE_MAX)
		return false;
	size_t tail = (p->head + p->n++) % PEER_QUEUE_MAX;
	p->queue[tail].frame = wsock_frame_ref(frame);
	p->queue[tail].due_ms = due_ms;
	return true;
}

bool peer_due(const struct peer *p, int64_t now_ms)
{
	return p->n > 0 && p->queue[p->head].due_ms <= now_ms;
}

struct wsock_frame *peer_pop(struct peer *p, int64_t now_ms)
{
	if (!peer_due(p, now_ms))
		return NULL;
	struct wsock_frame *frame = p->queue[p->head].frame;
	p->head = (p->head + 1) % PEER_QUEUE_MAX;
	p->n--;
	return frame;
}
