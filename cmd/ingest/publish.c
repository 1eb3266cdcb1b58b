#include "publish.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "clk.h"
#include "err.h"
#include "history.h"
#include "log.h"
#include "msg.h"
#include "pricing.h"
#include "quote_log.h"
#include "venue.h"

enum {
	STATE_MS = 1000,         /* the state is told at least so often */
	STATE_LIFE_S = 3600,
	STATE_RECENT_S = 60,     /* an older word of an earlier run says nothing about the feed now */
	BASIS_LIFE_S = 7 * 24 * 3600,
	FOLLOW_MS = 500,
	WARM_MS = 600000,        /* history that volatility starts from */
	WARM_TICKS_MAX = 6000
};

struct publish {
	const struct settings *settings;
	struct bus *bus;
	struct pricing *pricing;
	struct breaker breaker;
	bool warm;              /* has read what an earlier run left */
	bool override_stored;   /* the key was there when we looked last */
	int64_t fed_ms;         /* the newest tick that the volatility was made from */
	int64_t followed_ms;    /* monotonic: when we looked for another's ticks last */
	int64_t told_ms;        /* monotonic; 0: never */
	enum feed_state told_feed;
	bool told_betting;
	struct ops_histogram grid_seconds;
	pthread_mutex_t lock;   /* over view, which the owner alone writes */
	struct publish_view view;
};

int publish_open(struct publish **ret, const struct settings *s, const struct bus_conf *bus)
{
	struct publish *p = calloc(1, sizeof *p);
	struct breaker_rules rules = settings_breaker(s);
	if (!p)
		return -ENOMEM;
	(void) pthread_mutex_init(&p->lock, NULL);
	p->settings = s;
	breaker_init(&p->breaker, &rules, clk_mono_ms());
	p->view = (struct publish_view){ .redis_up = true, .feed = p->breaker.feed };
	int r = pricing_new(&p->pricing, s);
	if (r == 0)
		p->view.pricing = pricing_view(p->pricing);
	if (r == 0)
		r = bus_open(&p->bus, bus);
	if (r < 0) {
		(void) publish_close(p);
		return err_trace(r);
	}
	*ret = p;
	return 0;
}

/* What the last seconds' grids were made from. */
static void log_rest(struct publish *p)
{
	bool added;
	if (!p->bus) /* it never began: the reason is still to be told */
		return;
	if (pricing_log_rest(p->pricing, p->bus, &added) < 0 || !added || bus_flush(p->bus) < 0)
		err_clear();
}

struct publish *publish_close(struct publish *p)
{
	if (!p)
		return NULL;
	log_rest(p);
	(void) bus_close(p->bus);
	(void) pricing_free(p->pricing);
	(void) pthread_mutex_destroy(&p->lock);
	free(p);
	return NULL;
}

void publish_view(struct publish *p, struct publish_view *ret)
{
	(void) pthread_mutex_lock(&p->lock);
	*ret = p->view;
	(void) pthread_mutex_unlock(&p->lock);
}

struct ops_histogram *publish_grid_seconds(struct publish *p)
{
	return &p->grid_seconds;
}

/* Whether Redis answered: logged when that changes. */
static void redis_answered(struct publish *p, int r, const char *what)
{
	if (r < 0 && p->view.redis_up)
		(void) log_errno(r, "Redis is away (%s): ticks are lost until it is back", what);
	else if (r >= 0 && !p->view.redis_up)
		log_notice("Redis is back");
	err_clear();
	(void) pthread_mutex_lock(&p->lock);
	p->view.redis_up = r >= 0;
	(void) pthread_mutex_unlock(&p->lock);
}

/* What the breaker says now, for those who look; logged when the feed's state or the override changed. */
static void show_breaker(struct publish *p)
{
	enum feed_state before = p->view.feed;
	enum breaker_override word = p->view.override;
	(void) pthread_mutex_lock(&p->lock);
	p->view.feed = p->breaker.feed;
	p->view.betting = breaker_betting(&p->breaker);
	p->view.override = p->breaker.override;
	p->view.changes += before != p->breaker.feed;
	(void) pthread_mutex_unlock(&p->lock);
	if (before != p->breaker.feed)
		log_notice("price feed: %s, was %s", feed_state_name(p->breaker.feed), feed_state_name(before));
	if (word != p->breaker.override)
		log_notice("circuit override: %s, was %s", override_name(p->breaker.override), override_name(word));
}

void publish_override(struct publish *p, enum breaker_override o, int64_t until_ms)
{
	(void) breaker_set_override_until(&p->breaker, o, until_ms);
	show_breaker(p);
}

/* The stored word counts while it is there; when it goes (it expires), the breaker follows the feed again. */
static void read_override(struct publish *p, const struct bus_reply *stored, int64_t life_ms)
{
	enum breaker_override o;
	size_t n;
	const char *text = bus_text(stored, &n);
	if (bus_kind(stored) == BUS_TEXT && override_parse(&o, text, n)) {
		p->override_stored = true;
		publish_override(p, o, life_ms >= 0 ? clk_mono_ms() + life_ms : INT64_MAX);
	} else if (bus_kind(stored) == BUS_NIL && p->override_stored) {
		p->override_stored = false;
		publish_override(p, BREAKER_AUTO, INT64_MAX);
	}
}

/* A feed that was sick a moment ago is not healed by our restart; nor, while we listen, is ours another than his who speaks. */
static void adopt_state(struct publish *p, const struct bus_reply *stored, int64_t life_s)
{
	enum feed_state feed;
	bool betting;
	size_t n;
	const char *text = bus_text(stored, &n);
	if (bus_kind(stored) != BUS_TEXT || life_s < STATE_LIFE_S - STATE_RECENT_S || !msg_status_parse(&feed, &betting, text, n) ||
			(p->warm && feed == p->breaker.feed))
		return;
	breaker_adopt(&p->breaker, feed, clk_mono_ms());
	show_breaker(p);
}

/* The newest tick there is, ours or another's. */
static void note_tick(struct publish *p, const struct tick *t)
{
	int64_t age_ms = clk_now_ms() - t->t_ms;
	p->fed_ms = t->t_ms;
	(void) pthread_mutex_lock(&p->lock);
	p->view.last = *t;
	p->view.last_mono_ms = clk_mono_ms() - (age_ms > 0 ? age_ms : 0);
	p->view.pricing = pricing_view(p->pricing);
	(void) pthread_mutex_unlock(&p->lock);
}

/* The recorded ticks that the volatility was not made from yet, of the last minutes. */
static int feed_volatility(struct publish *p, size_t *ret_n)
{
	int64_t now = clk_now_ms(), span = WARM_TICKS_MAX * p->settings->tick_ms;
	int64_t from = now - (span < WARM_MS ? span : WARM_MS);
	struct tick *ticks = calloc(WARM_TICKS_MAX, sizeof *ticks);
	bool more;
	*ret_n = 0;
	if (!ticks)
		return -ENOMEM;
	int r = history_read(p->bus, from > p->fed_ms ? from : p->fed_ms + 1, now + 1, ticks, WARM_TICKS_MAX, ret_n, &more);
	for (size_t i = 0; r == 0 && i < *ret_n; i++)
		pricing_tick(p->pricing, &ticks[i]);
	if (r == 0 && *ret_n > 0)
		note_tick(p, &ticks[*ret_n - 1]);
	free(ticks);
	return r;
}

static int warm_volatility(struct publish *p)
{
	size_t n;
	int r = feed_volatility(p, &n);
	if (r == 0)
		log_info("volatility %.3f from %zu ticks of history", pricing_view(p->pricing).volatility, n);
	return r;
}

static int read_state(struct publish *p)
{
	int r = bus_addf(p->bus, "GET %s", KEY_STATUS);
	if (r == 0)
		r = bus_addf(p->bus, "TTL %s", KEY_STATUS);
	if (r == 0)
		r = bus_flush(p->bus);
	if (r == 0)
		adopt_state(p, bus_reply(p->bus, 0), bus_int(bus_reply(p->bus, 1)));
	return r;
}

/* Once, as soon as Redis is there. */
static int warm_up(struct publish *p)
{
	if (p->warm)
		return 0;
	int r = read_state(p);
	if (r == 0)
		r = warm_volatility(p);
	if (r == -EBADMSG)
		r = 0; /* strange entries in the past are no reason to stand still: the volatility starts from its setting */
	p->warm = r == 0;
	return r;
}

int publish_recall_basis(struct publish *p, const char *venue, int64_t *ret_e9)
{
	const struct bus_reply *reply;
	size_t n = 0;
	*ret_e9 = 0;
	int r = bus_command(p->bus, &reply, "HGET %s %s", KEY_BASIS, venue);
	redis_answered(p, r, "basis");
	if (r < 0)
		return r;
	const char *text = bus_kind(reply) == BUS_TEXT ? bus_text(reply, &n) : NULL;
	if (!text || !venue_digits(text, n, ret_e9))
		*ret_e9 = 0;
	return 0;
}

void publish_keep_basis(struct publish *p, const char *venue, int64_t basis_e9)
{
	int r = bus_addf(p->bus, "HSET %s %s %lld", KEY_BASIS, venue, (long long) basis_e9);
	if (r == 0)
		r = bus_addf(p->bus, "EXPIRE %s %d", KEY_BASIS, BASIS_LIFE_S);
	if (r == 0)
		r = bus_flush(p->bus);
	redis_answered(p, r, "basis");
}

/* Counts. That another ingest was first is all right; a run of refusals is a clock that is off. */
static void count_tick(struct publish *p, int r)
{
	bool refused = r == HISTORY_E_REFUSED;
	(void) pthread_mutex_lock(&p->lock);
	p->view.ticks += r == 0;
	p->view.refused += refused;
	p->view.lost += r < 0;
	(void) pthread_mutex_unlock(&p->lock);
	if (refused && p->view.refused % 100 == 0)
		log_warn("a tick was refused: not rising, or %d ms off Redis' clock (%llu so far)", HISTORY_LATE_MS,
				(unsigned long long) p->view.refused);
}

bool publish_tick(struct publish *p, const struct tick *t)
{
	int r = warm_up(p);
	if (r == 0)
		r = history_append(p->bus, t);
	redis_answered(p, r, "tick");
	if (r == 0) {
		pricing_tick(p->pricing, t);
		note_tick(p, t);
		(void) breaker_tick(&p->breaker, clk_mono_ms());
		show_breaker(p);
	}
	count_tick(p, r);
	return r != HISTORY_E_REFUSED;
}

void publish_follow(struct publish *p)
{
	size_t n = 0;
	if (clk_mono_ms() - p->followed_ms < FOLLOW_MS)
		return;
	p->followed_ms = clk_mono_ms();
	int r = warm_up(p);
	if (r == 0)
		r = feed_volatility(p, &n);
	redis_answered(p, r, "following");
	if (r == 0 && n > 0)
		(void) breaker_tick(&p->breaker, clk_mono_ms());
	(void) breaker_time(&p->breaker, clk_mono_ms());
	show_breaker(p);
	if (r == 0)
		redis_answered(p, read_state(p), "following");
}

/* For the next grid. */
static void read_room(struct publish *p, const struct bus_reply *stored)
{
	size_t n;
	const char *text = bus_text(stored, &n);
	pricing_room(p->pricing, bus_kind(stored) == BUS_TEXT ? text : NULL, n);
}

/* What the grid is made from, the grid, the question for the next one, and perhaps a record of the log, in one trip. */
static int send_grid(struct publish *p, const struct buf *text, bool *ret_logs)
{
	_cleanup_(buf_free) struct buf made = BUF_INIT(QUOTE_LOG_MAX);
	pricing_made(p->pricing, &made);
	int r = msg_publish(p->bus, CHANNEL_MADE, &made);
	if (r == 0)
		r = msg_publish(p->bus, CHANNEL_GRID, text);
	if (r == 0)
		r = bus_addf(p->bus, "GET %s", KEY_ROOM);
	if (r == 0)
		r = pricing_log(p->pricing, p->bus, ret_logs);
	return r == 0 ? bus_flush(p->bus) : r;
}

void publish_grid(struct publish *p, int64_t now_ms)
{
	_cleanup_(buf_free) struct buf text = BUF_INIT(MSG_GRID_MAX);
	bool logs;

	if (!p->view.redis_up || p->view.last_mono_ms == 0 ||
			clk_mono_ms() - p->view.last_mono_ms > p->settings->quote_ttl_ms)
		return;
	int64_t begun_us = clk_mono_us();
	pricing_grid(p->pricing, now_ms, p->view.last.p_cents, &text);
	ops_observe_us(&p->grid_seconds, clk_mono_us() - begun_us);
	int r = send_grid(p, &text, &logs);
	redis_answered(p, r, "grid");
	if (r < 0)
		return;
	read_room(p, bus_reply(p->bus, 2));
	(void) pthread_mutex_lock(&p->lock);
	p->view.grids++;
	p->view.unlogged += logs && bus_kind(bus_reply(p->bus, 3)) == BUS_ERROR;
	(void) pthread_mutex_unlock(&p->lock);
}

static int tell_state(struct publish *p)
{
	_cleanup_(buf_free) struct buf text = BUF_INIT(MSG_EVENT_MAX);
	msg_status(&text, p->view.feed, p->view.betting);
	if (text.failed)
		return -ENOMEM;
	int r = bus_addf(p->bus, "SET %s %b EX %d", KEY_STATUS, text.p, text.n, STATE_LIFE_S);
	if (r == 0)
		r = msg_publish(p->bus, CHANNEL_STATUS, &text);
	if (r == 0)
		r = bus_addf(p->bus, "GET %s", KEY_OVERRIDE);
	if (r == 0)
		r = bus_addf(p->bus, "PTTL %s", KEY_OVERRIDE);
	if (r == 0)
		r = bus_flush(p->bus);
	return r;
}

void publish_state(struct publish *p)
{
	int64_t mono_ms = clk_mono_ms();
	(void) breaker_time(&p->breaker, mono_ms);
	show_breaker(p);
	bool changed = p->told_feed != p->view.feed || p->told_betting != p->view.betting;
	if (p->told_ms && mono_ms - p->told_ms < STATE_MS && (!changed || !p->view.redis_up))
		return;
	int r = warm_up(p); /* before our own word covers what the earlier run left */
	enum feed_state feed = p->view.feed;
	bool betting = p->view.betting;
	if (r == 0)
		r = tell_state(p);
	redis_answered(p, r, "state");
	p->told_ms = mono_ms;
	if (r < 0)
		return;
	p->told_feed = feed;
	p->told_betting = betting;
	read_override(p, bus_reply(p->bus, 2), bus_int(bus_reply(p->bus, 3)));
}
