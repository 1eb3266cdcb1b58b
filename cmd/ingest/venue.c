#include "venue.h"

#include <stdlib.h>
#include <string.h>

#include "clk.h"
#include "log.h"
#include "price.h"
#include "rnd.h"

enum { SUBSCRIBE_MAX = 1024 };

struct venue_link {
	struct venue *venue;
	struct wsock_conn *conn;
	bool open, subscribed, books, leaving;
	int64_t opened_ms, heard_ms;
};

bool venue_mid(const char *bid, size_t bid_n, const char *ask, size_t ask_n, int64_t *ret_e4)
{
	int64_t b, a;
	if (!bid || !ask || !price_parse_e4(&b, bid, bid_n) || !price_parse_e4(&a, ask, ask_n))
		return false;
	if (b >= a || (a - b) * 10000 > b * VENUE_SPREAD_MAX_BP)
		return false;
	*ret_e4 = (b + a) / 2;
	return true;
}

void venue_init(struct venue *v, const struct venue_adapter *adapter, const char *url, struct wsock_loop *loop)
{
	*v = (struct venue){ .adapter = adapter, .url = url, .loop = loop, .backoff_ms = VENUE_BACKOFF_LEAST_MS };
}

bool venue_connected(const struct venue *v)
{
	return v->now && v->now->open;
}

/* Half of the wait is certain, half is chance: many who lost the same venue do not come back together. */
static void wait_before_retry(struct venue *v)
{
	v->retry_ms = clk_mono_ms() + v->backoff_ms / 2 + rnd_below((uint32_t) v->backoff_ms / 2 + 1);
	v->backoff_ms = v->backoff_ms * 2 > VENUE_BACKOFF_MOST_MS ? VENUE_BACKOFF_MOST_MS : v->backoff_ms * 2;
}

static bool on_open(struct wsock_conn *c, void **u)
{
	struct venue_link *link = *u;
	link->open = true;
	link->opened_ms = link->heard_ms = clk_mono_ms();
	link->venue->counts.connects++;
	if (!link->venue->next)
		link->venue->last_id = 0; /* no other connection's order to keep */
	link->venue->refused_in_row = 0;
	log_info("%s: connected", link->venue->adapter->name);
	wsock_want_write(c);
	return true;
}

static struct wsock_frame *on_writable(struct wsock_conn *c, void *u)
{
	struct venue_link *link = u;
	_cleanup_(buf_free) struct buf text = BUF_INIT(SUBSCRIBE_MAX);
	(void) c;
	if (link->subscribed)
		return NULL;
	link->subscribed = true;
	link->venue->adapter->subscribe(&text);
	return text.n && !text.failed ? wsock_frame_new(text.p, text.n) : NULL;
}

static void leave(struct venue_link *link, unsigned code, const char *why)
{
	if (link->leaving)
		return;
	link->leaving = true;
	wsock_close(link->conn, code, why);
}

/* The new connection has a book: the old one may go. */
static void take_over(struct venue *v)
{
	struct venue_link *old = v->now;
	v->now = v->next;
	v->next = NULL;
	log_info("%s: the new connection took over", v->adapter->name);
	if (old)
		leave(old, 1000, "renewed");
}

static void connect_to(struct venue *v, struct venue_link **slot);

static void take_book(struct venue_link *link, const struct venue_event *event)
{
	struct venue *v = link->venue;
	link->books = true;
	if (link == v->next)
		take_over(v);
	if (event->id <= v->last_id) {
		v->counts.out_of_order++;
		v->refused_in_row++;
		return;
	}
	v->last_id = event->id;
	v->refused_in_row = 0;
	v->counts.books++;
	v->mid_e4 = event->mid_e4;
	v->heard_mono_ms = link->heard_ms;
}

static void on_text(struct wsock_conn *c, void *u, const char *text, size_t n)
{
	struct venue_link *link = u;
	struct venue *v = link->venue;
	struct venue_event event;
	(void) c;

	if (link->leaving)
		return;
	link->heard_ms = clk_mono_ms();
	v->counts.messages++;
	switch (v->adapter->hear(text, n, &event)) {
	case VENUE_BOOK:
		take_book(link, &event);
		break;
	case VENUE_BAD:
		v->counts.bad++;
		v->refused_in_row++;
		break;
	case VENUE_RENEW:
		log_notice("%s: is about to cut the connection", v->adapter->name);
		if (link == v->now && !v->next)
			connect_to(v, &v->next);
		break;
	case VENUE_REJECT:
		log_warn("%s: refuses the subscription: %.200s", v->adapter->name, text);
		leave(link, 1000, "refused");
		break;
	case VENUE_NOISE:
		break;
	}
	if (v->refused_in_row >= VENUE_REFUSED_MAX) {
		log_warn("%s: %d useless frames in a row, starting anew", v->adapter->name, v->refused_in_row);
		v->refused_in_row = 0;
		leave(link, 1000, "useless");
	}
}

static void on_close(struct wsock_conn *c, void *u, unsigned code, const char *why)
{
	struct venue_link *link = u;
	struct venue *v = link->venue;
	(void) c;

	if (link == v->now || link == v->next) {
		log_notice("%s: connection %s: %u %s", v->adapter->name, link->open ? "lost" : "failed", code, why ? why : "");
		v->counts.losses++;
		if (link->open && link->books && clk_mono_ms() - link->opened_ms > VENUE_SETTLED_MS)
			v->backoff_ms = VENUE_BACKOFF_LEAST_MS;
		wait_before_retry(v);
	}
	if (link == v->now) {
		v->now = v->next; /* whatever takes over, if anything does */
		v->next = NULL;
	} else if (link == v->next) {
		v->next = NULL;
	}
	free(link);
}

static const struct wsock_ops ops = {
	.on_open = on_open, .on_text = on_text, .on_writable = on_writable, .on_close = on_close,
};

static void connect_to(struct venue *v, struct venue_link **slot)
{
	struct venue_link *link = calloc(1, sizeof *link);
	int r = link ? 0 : -1;
	if (link) {
		link->venue = v;
		*slot = link;
		r = wsock_connect(v->loop, &link->conn, &(struct wsock_client_conf){ .url = v->url,
			.message_max = VENUE_MESSAGE_MAX, .connect_ms = VENUE_CONNECT_MS,
			.idle_ms = v->adapter->silence_ms, .ops = &ops, .u = link });
	}
	if (r == 0)
		return;
	(void) log_errno(r, "%s: cannot connect", v->adapter->name);
	*slot = NULL;
	free(link);
	v->counts.losses++;
	wait_before_retry(v);
}

/* A connection that tells nothing is dead, whatever TCP believes. */
static void cut_if_silent(struct venue_link *link, int64_t mono_ms)
{
	if (link && link->open && mono_ms - link->heard_ms > link->venue->adapter->silence_ms)
		leave(link, 0, "silent");
}

void venue_look(struct venue *v, int64_t mono_ms)
{
	cut_if_silent(v->now, mono_ms);
	cut_if_silent(v->next, mono_ms);
	if (!v->now && mono_ms >= v->retry_ms)
		connect_to(v, &v->now);
	else if (v->now && v->now->open && !v->next && mono_ms - v->now->opened_ms > VENUE_RENEW_MS && mono_ms >= v->retry_ms)
		connect_to(v, &v->next);
}

void venue_leave(struct venue *v)
{
	v->now = v->next = NULL;
}
