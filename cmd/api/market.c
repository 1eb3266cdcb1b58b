#include "market.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "clk.h"
#include "err.h"
#include "msg.h"
#include "quote_log.h"

enum { MADE_KEPT = 4, MADE_BYTES_MAX = 4096, AWAIT_LOOK_MS = 5 };

/* What a quote was made from, as it was heard. */
struct heard_made {
	int64_t quote_id;
	size_t n;
	uint8_t bytes[MADE_BYTES_MAX];
};

struct market {
	pthread_mutex_t lock;
	struct bus_sub *sub;
	struct quote_grid grid;
	struct buf grid_event;
	bool has_grid, listening;
	bool expects_grids;       /* at the start: ingest had said that bets are taken */
	int64_t grid_ms, tick_ms; /* monotonic: when heard */
	uint64_t grids, ticks;
	struct heard_made made[MADE_KEPT]; /* of the newest quotes: a batch may still hold the one before */
	unsigned made_at;
	struct breaker breaker;   /* over the ticks heard here */
	enum feed_state reported; /* by ingest */
	bool reported_betting;
};

/* Ingest says that bets are taken though its feed is critical: the operator closed the breaker by hand. */
static void take_report(struct market *m, enum feed_state feed, bool betting)
{
	m->reported = feed;
	m->reported_betting = betting;
	(void) breaker_set_override(&m->breaker, betting && feed == FEED_CRITICAL ? BREAKER_CLOSED : BREAKER_AUTO);
}

static void hear_grid(struct market *m, const char *text, size_t n)
{
	struct quote_grid g;
	if (!msg_grid_parse(&g, text, n))
		return;
	(void) pthread_mutex_lock(&m->lock);
	/* The last one heard is the newest, also when ingest's clock stepped back: one publisher, one ordered channel. */
	m->grid = g;
	buf_clear(&m->grid_event);
	buf_put(&m->grid_event, text, n);
	m->has_grid = !m->grid_event.failed;
	m->grid_ms = clk_mono_ms();
	m->grids++;
	(void) pthread_mutex_unlock(&m->lock);
}

static void hear_made(struct market *m, const char *bytes, size_t n)
{
	struct quote_made made[QUOTE_LOG_RUN];
	size_t quotes;
	if (n > MADE_BYTES_MAX || !quote_log_decode((const uint8_t *) bytes, n, made, &quotes) || quotes != 1)
		return;
	(void) pthread_mutex_lock(&m->lock);
	struct heard_made *h = &m->made[m->made_at++ % MADE_KEPT];
	h->quote_id = made->quote_id;
	h->n = n;
	memcpy(h->bytes, bytes, n);
	(void) pthread_mutex_unlock(&m->lock);
}

static void hear_tick(struct market *m)
{
	(void) pthread_mutex_lock(&m->lock);
	m->tick_ms = clk_mono_ms();
	m->ticks++;
	(void) breaker_tick(&m->breaker, m->tick_ms);
	(void) pthread_mutex_unlock(&m->lock);
}

static void hear(void *u, const char *channel, const char *payload, size_t n)
{
	struct market *m = u;
	enum feed_state feed;
	bool betting;
	struct tick t;

	if (strcmp(channel, CHANNEL_GRID) == 0) {
		hear_grid(m, payload, n);
	} else if (strcmp(channel, CHANNEL_MADE) == 0) {
		hear_made(m, payload, n);
	} else if (strcmp(channel, CHANNEL_PRICE) == 0 && msg_price_parse(&t, payload, n)) {
		hear_tick(m);
	} else if (strcmp(channel, CHANNEL_STATUS) == 0 && msg_status_parse(&feed, &betting, payload, n)) {
		(void) pthread_mutex_lock(&m->lock);
		take_report(m, feed, betting);
		(void) pthread_mutex_unlock(&m->lock);
	}
}

static void heard_state(void *u, bool up)
{
	struct market *m = u;
	(void) pthread_mutex_lock(&m->lock);
	m->listening = up;
	(void) pthread_mutex_unlock(&m->lock);
}

/* What ingest said last, so that this start does not heal a sick feed. Our own breaker is not told: ingest is critical, too,
 * before its first tick, and says itself when that is over. Without Redis there is nothing to know. */
static void read_last_state(struct market *m, const struct bus_conf *conf)
{
	struct bus *bus;
	const struct bus_reply *reply;
	enum feed_state feed;
	bool betting;
	size_t n;

	if (bus_open(&bus, conf) < 0)
		return;
	if (bus_command(bus, &reply, "GET %s", KEY_STATUS) == 0 && bus_kind(reply) == BUS_TEXT) {
		const char *text = bus_text(reply, &n);
		if (msg_status_parse(&feed, &betting, text, n))
			take_report(m, feed, betting);
		m->expects_grids = m->reported_betting;
	}
	(void) bus_close(bus);
	err_clear();
}

int market_start(struct market **ret, const struct settings *s, const struct bus_conf *bus)
{
	static const char *const channels[] = { CHANNEL_MADE, CHANNEL_GRID, CHANNEL_PRICE, CHANNEL_STATUS, NULL };
	static const struct bus_sub_ops ops = { .message = hear, .state = heard_state };
	struct breaker_rules rules = settings_breaker(s);
	struct market *m = calloc(1, sizeof *m);
	if (!m)
		return -ENOMEM;
	m->grid_event = (struct buf) BUF_INIT(MSG_GRID_MAX);
	m->reported_betting = true; /* until ingest is heard, the ticks alone decide */
	(void) pthread_mutex_init(&m->lock, NULL);
	breaker_init(&m->breaker, &rules, clk_mono_ms());
	read_last_state(m, bus);
	int r = bus_sub_open(&m->sub, bus, channels, &ops, m);
	if (r < 0) {
		(void) market_stop(m);
		return err_trace(r);
	}
	*ret = m;
	return 0;
}

void market_await(struct market *m, int timeout_ms)
{
	int64_t until_ms = clk_mono_ms() + timeout_ms;
	struct market_view view;
	market_look(m, &view);
	while (m->expects_grids && (view.grid_age_ms < 0 || !view.betting) && clk_mono_ms() < until_ms) {
		(void) clk_sleep_until_ms(clk_mono_ms() + AWAIT_LOOK_MS);
		market_look(m, &view);
	}
}

struct market *market_stop(struct market *m)
{
	if (!m)
		return NULL;
	(void) bus_sub_close(m->sub);
	(void) pthread_mutex_destroy(&m->lock);
	buf_free(&m->grid_event);
	free(m);
	return NULL;
}

bool market_grid(void *u, struct quote_grid *ret)
{
	struct market *m = u;
	(void) pthread_mutex_lock(&m->lock);
	bool has = m->has_grid;
	if (has)
		*ret = m->grid;
	(void) pthread_mutex_unlock(&m->lock);
	return has;
}

bool market_made(void *u, int64_t quote_id, struct buf *ret)
{
	struct market *m = u;
	bool found = false;
	(void) pthread_mutex_lock(&m->lock);
	for (unsigned i = 0; i < MADE_KEPT && !found; i++) {
		found = m->made[i].n && m->made[i].quote_id == quote_id;
		if (found)
			buf_put(ret, m->made[i].bytes, m->made[i].n);
	}
	(void) pthread_mutex_unlock(&m->lock);
	return found;
}

bool market_betting(void *u)
{
	struct market *m = u;
	(void) pthread_mutex_lock(&m->lock);
	(void) breaker_time(&m->breaker, clk_mono_ms());
	bool betting = breaker_betting(&m->breaker) && m->reported_betting;
	(void) pthread_mutex_unlock(&m->lock);
	return betting;
}

bool market_grid_event(struct market *m, struct buf *out)
{
	(void) pthread_mutex_lock(&m->lock);
	bool has = m->has_grid;
	if (has)
		buf_put(out, m->grid_event.p, m->grid_event.n);
	(void) pthread_mutex_unlock(&m->lock);
	return has;
}

void market_look(struct market *m, struct market_view *ret)
{
	int64_t now_ms = clk_mono_ms();
	(void) pthread_mutex_lock(&m->lock);
	(void) breaker_time(&m->breaker, now_ms);
	ret->feed = m->breaker.feed > m->reported ? m->breaker.feed : m->reported;
	ret->betting = breaker_betting(&m->breaker) && m->reported_betting;
	ret->listening = m->listening;
	ret->grid_age_ms = m->has_grid ? now_ms - m->grid_ms : -1;
	ret->tick_age_ms = m->ticks ? now_ms - m->tick_ms : -1;
	ret->grids = m->grids;
	ret->ticks = m->ticks;
	(void) pthread_mutex_unlock(&m->lock);
}
