#include "link.h"

#include <stdlib.h>

#include "clk.h"
#include "log.h"
#include "rnd.h"

enum { TEXT_MAX = 1024, SHOWN_MAX = 200 /* bytes of a venue's text in a log line */ };

struct line {
	struct link *link;
	struct wsock_conn *conn;
	bool open, subscribed, leaving, ping_due;
	int64_t opened_ms, heard_ms, book_ms, pinged_ms;
	int64_t pings;
};

static const struct venue_adapter *adapter_of(const struct link *l)
{
	return l->bbo.adapter;
}

void link_init(struct link *l, const struct venue_adapter *adapter, const char *url, struct wsock_loop *loop, int64_t renew_ms)
{
	*l = (struct link){ .url = url, .loop = loop, .renew_ms = renew_ms };
	bbo_init(&l->bbo, adapter);
	pace_init(&l->pace, adapter->connects_burst, adapter->connects_refill_ms, clk_mono_ms());
}

bool link_connected(const struct link *l)
{
	return l->now && l->now->open;
}

static bool on_open(struct wsock_conn *c, void **u)
{
	struct line *line = *u;
	struct link *l = line->link;
	line->open = true;
	line->opened_ms = line->heard_ms = line->book_ms = line->pinged_ms = clk_mono_ms();
	l->counts.connects++;
	if (!l->next)
		bbo_begin(&l->bbo);
	log_info("%s: connected", adapter_of(l)->name);
	wsock_want_write(c);
	return true;
}

static struct wsock_frame *on_writable(struct wsock_conn *c, void *u)
{
	struct line *line = u;
	const struct venue_adapter *adapter = adapter_of(line->link);
	_cleanup_(buf_free) struct buf text = BUF_INIT(TEXT_MAX);
	(void) c;
	if (!line->subscribed) {
		line->subscribed = true;
		adapter->subscribe(&text);
	} else if (line->ping_due) {
		line->ping_due = false;
		adapter->ping(&text, ++line->pings);
	}
	return text.n && !text.failed ? wsock_frame_new(text.p, text.n) : NULL;
}

static void leave(struct line *line, unsigned code, const char *why)
{
	if (line->leaving)
		return;
	line->leaving = true;
	wsock_close(line->conn, code, why);
}

/* The new connection has a book: the old one may go. */
static void take_over(struct link *l)
{
	struct line *old = l->now;
	l->now = l->next;
	l->next = NULL;
	l->wants_next = false;
	l->counts.renewals++;
	log_info("%s: the new connection took over", adapter_of(l)->name);
	if (old)
		leave(old, 1000, "renewed");
}

static void have_book(struct line *line, int64_t mono_ms)
{
	line->book_ms = mono_ms;
	if (line == line->link->next)
		take_over(line->link);
}

static void want_next(struct link *l, const char *why)
{
	if (!l->wants_next)
		log_notice("%s: %s: a new connection is to take over", adapter_of(l)->name, why);
	l->wants_next = true;
}

static void give_up(struct line *line, const char *why)
{
	log_warn("%s: %s, starting anew", adapter_of(line->link)->name, why);
	leave(line, 1000, why);
}

static void on_text(struct wsock_conn *c, void *u, const char *text, size_t n)
{
	struct line *line = u;
	struct link *l = line->link;
	int64_t mono_ms = clk_mono_ms();
	(void) c;

	if (line->leaving)
		return;
	line->heard_ms = mono_ms;
	switch (bbo_hear(&l->bbo, text, n, mono_ms)) {
	case BBO_TAKEN:
	case BBO_OLD:
		have_book(line, mono_ms);
		break;
	case BBO_RENEW:
		if (line == l->now)
			want_next(l, "is about to cut the connection");
		break;
	case BBO_GAP:
		if (line == l->now)
			want_next(l, "something was lost");
		break;
	case BBO_REFUSED:
		log_warn("%s: refuses: %.*s", adapter_of(l)->name, SHOWN_MAX, text);
		leave(line, 1000, "refused");
		break;
	case BBO_USELESS:
		give_up(line, "nothing but useless texts");
		break;
	case BBO_FLOOD:
		give_up(line, "floods us");
		break;
	case BBO_NOTHING:
		break;
	}
}

static void on_close(struct wsock_conn *c, void *u, unsigned code, const char *why)
{
	struct line *line = u;
	struct link *l = line->link;
	int64_t mono_ms = clk_mono_ms();
	(void) c;

	if (line == l->now || line == l->next) {
		log_notice("%s: connection %s: %u %s", adapter_of(l)->name, line->open ? "lost" : "failed", code, why ? why : "");
		l->counts.losses++;
		if (line->open && mono_ms - line->opened_ms > LINK_SETTLED_MS)
			pace_settled(&l->pace);
		pace_failed(&l->pace, mono_ms, rnd_below(UINT32_MAX));
	}
	if (line == l->now) {
		l->now = l->next; /* whatever takes over, if anything does */
		l->next = NULL;
		l->wants_next = false;
	} else if (line == l->next) {
		l->next = NULL;
	}
	free(line);
}

static const struct wsock_ops ops = {
	.on_open = on_open, .on_text = on_text, .on_writable = on_writable, .on_close = on_close,
};

static void connect_to(struct link *l, struct line **slot)
{
	struct line *line = calloc(1, sizeof *line);
	int r = line ? 0 : -1;
	if (line) {
		line->link = l;
		*slot = line;
		r = wsock_connect(l->loop, &line->conn, &(struct wsock_client_conf){ .url = l->url,
			.message_max = LINK_MESSAGE_MAX, .connect_ms = LINK_CONNECT_MS,
			.idle_ms = adapter_of(l)->silence_ms, .ops = &ops, .u = line });
	}
	if (r == 0)
		return;
	(void) log_errno(r, "%s: cannot connect", adapter_of(l)->name);
	*slot = NULL;
	free(line);
	l->counts.losses++;
	pace_failed(&l->pace, clk_mono_ms(), rnd_below(UINT32_MAX));
}

/* A connection that tells nothing is dead, whatever TCP believes; one that tells no book has lost its subscription. */
static void look_at_line(struct line *line, int64_t mono_ms)
{
	if (!line || !line->open || line->leaving)
		return;
	const struct venue_adapter *adapter = adapter_of(line->link);
	if (mono_ms - line->heard_ms > adapter->silence_ms) {
		leave(line, 0, "silent");
	} else if (mono_ms - line->book_ms > adapter->bookless_ms) {
		give_up(line, "no book for long");
	} else if (adapter->ping_ms && mono_ms - line->pinged_ms >= adapter->ping_ms) {
		line->pinged_ms = mono_ms;
		line->ping_due = true;
		wsock_want_write(line->conn);
	}
}

void link_look(struct link *l, int64_t mono_ms)
{
	look_at_line(l->now, mono_ms);
	look_at_line(l->next, mono_ms);
	if (link_connected(l) && !l->next && mono_ms - l->now->opened_ms > l->renew_ms)
		want_next(l, "the connection is old");
	if (!l->now && pace_take(&l->pace, mono_ms))
		connect_to(l, &l->now);
	else if (link_connected(l) && l->wants_next && !l->next && pace_take(&l->pace, mono_ms))
		connect_to(l, &l->next);
}

void link_leave(struct link *l)
{
	l->now = l->next = NULL;
}
