#include "ingest.h"

#include <errno.h>
#include <string.h>

#include "clk.h"
#include "daemon.h"
#include "err.h"
#include "ingest_impl.h"
#include "log.h"
#include "msg.h"
#include "price.h"

enum { TURN_MS_MAX = 100, BASIS_KEEP_MS = 10000 };

struct ingest ingest;

static void hear(void *u, const char *channel, const char *payload, size_t n)
{
	enum breaker_override o;
	(void) u;
	if (strcmp(channel, CHANNEL_PRICE) == 0)
		atomic_store(&ingest.tick_heard_ms, clk_mono_ms());
	else if (override_parse(&o, payload, n))
		atomic_store(&ingest.override_heard, (int) o + 1);
}

static void hear_state(void *u, bool up)
{
	(void) u, (void) up; /* the bus tells the same, and the stored word is read each second */
}

int ingest_start(const struct settings *s)
{
	static const char *const channels[] = { CHANNEL_OVERRIDE, CHANNEL_PRICE, NULL };
	static const struct bus_sub_ops ops = { .message = hear, .state = hear_state };
	ingest.settings = s;
	atomic_store(&ingest.tick_heard_ms, clk_mono_ms());
	atomic_store(&ingest.on_guard, true);
	index_init(&ingest.index, &(struct index_rules){ .stale_ms = s->venue_stale_ms, .band_bp = s->venue_band_bp,
		.pair_bp = s->venue_pair_bp, .min_venues = s->min_venues });
	int r = publish_open(&ingest.publish, s, daemon_bus());
	if (r == 0)
		r = bus_sub_open(&ingest.sub, daemon_bus(), channels, &ops, NULL);
	if (r == 0)
		r = feed_start(&ingest.feed, s);
	atomic_store(&ingest.up, r == 0);
	return err_trace(r);
}

void ingest_stop(void)
{
	atomic_store(&ingest.up, false);
	ingest.feed = feed_stop(ingest.feed);
	if (ingest.sub)
		ingest.sub = bus_sub_close(ingest.sub);
	ingest.publish = publish_close(ingest.publish);
}

/* Before the first look at a price: what tether was worth when we were here last. */
static bool recall_basis(const struct feed_view *view)
{
	for (size_t i = 0; i < view->n && !ingest.basis_recalled; i++) {
		int64_t e9 = 0;
		if (view->venue[i].book.quote == QUOTED_USDT &&
				publish_recall_basis(ingest.publish, view->venue[i].name, &e9) < 0)
			return false;
		if (e9)
			index_recall(&ingest.index, i, e9);
	}
	ingest.basis_recalled = true;
	return true;
}

static void keep_basis(const struct feed_view *view)
{
	if (clk_mono_ms() - ingest.basis_kept_ms < BASIS_KEEP_MS)
		return;
	ingest.basis_kept_ms = clk_mono_ms();
	for (size_t i = 0; i < view->n; i++)
		if (ingest.index.basis[i].samples >= INDEX_RECALLED_SAMPLES)
			publish_keep_basis(ingest.publish, view->venue[i].name, ingest.index.basis[i].e9);
}

static void show_index(const struct feed_view *view)
{
	for (size_t i = 0; i < view->n; i++) {
		ingest.value_e4[i] = ingest.index.value_e4[i];
		ingest.basis_e9[i] = ingest.index.basis[i].e9;
	}
	ingest.live = ingest.index.live;
}

/* Logs a venue's coming and going. */
static void note_standings(const struct feed_view *view)
{
	for (size_t i = 0; i < view->n; i++) {
		enum index_standing before = (enum index_standing) ingest.standing[i], now = ingest.index.standing[i];
		if (before == now)
			continue;
		ingest.standing[i] = (int) now;
		log_notice("%s: %s, was %s", view->venue[i].name, index_standing_name(now), index_standing_name(before));
	}
}

static void stand_guard(void)
{
	atomic_store(&ingest.tick_heard_ms, clk_mono_ms());
	atomic_store(&ingest.on_guard, true);
}

/* Nobody has spoken for long enough. */
static void leave_guard(void)
{
	if (!atomic_load(&ingest.on_guard) || clk_mono_ms() - atomic_load(&ingest.tick_heard_ms) < INGEST_GUARD_MS)
		return;
	atomic_store(&ingest.on_guard, false);
	log_info("no tick for %d ms: this ingest speaks", INGEST_GUARD_MS);
}

static void sample(int64_t t_ms)
{
	struct feed_view view;
	struct index_input in[INDEX_VENUES_MAX];
	int64_t e4;

	feed_view(ingest.feed, &view);
	if (!recall_basis(&view))
		return;
	for (size_t i = 0; i < view.n; i++)
		in[i] = view.venue[i].book;
	bool live = index_price(&ingest.index, in, view.n, clk_mono_ms(), &e4);
	note_standings(&view);
	show_index(&view);
	if (atomic_load(&ingest.on_guard))
		return;
	if (!live)
		ingest.no_price++;
	else if (!publish_tick(ingest.publish, &(struct tick){ .t_ms = t_ms, .p_cents = price_from_e4(e4).cents }))
		stand_guard();
	keep_basis(&view);
}

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* Waits for the next boundary of the wall clock. */
static void wait_for_boundary(void)
{
	const struct settings *s = ingest.settings;
	int64_t now_ms = clk_now_ms();
	int64_t wait_ms = least(s->tick_ms - now_ms % s->tick_ms, s->quote_ms - now_ms % s->quote_ms);
	(void) clk_sleep_until_ms(clk_mono_ms() + least(wait_ms, TURN_MS_MAX));
}

static void show_status(void)
{
	static int64_t shown_ms;
	struct publish_view view;
	if (clk_mono_ms() - shown_ms < 1000)
		return;
	shown_ms = clk_mono_ms();
	publish_view(ingest.publish, &view);
	daemon_status("%sfeed %s, %d venues live, %llu ticks", atomic_load(&ingest.on_guard) ? "on guard, " : "",
			feed_state_name(view.feed), ingest.index.live, (unsigned long long) view.ticks);
}

/* A boundary that was missed is not made up for; a clock that stepped back waits until it is beyond what it served. */
int ingest_turn(void)
{
	const struct settings *s = ingest.settings;
	wait_for_boundary();
	int heard = atomic_exchange(&ingest.override_heard, 0);
	if (heard)
		publish_override(ingest.publish, (enum breaker_override) (heard - 1), INT64_MAX);
	leave_guard();
	int64_t slot = clk_now_ms() / s->tick_ms;
	if (slot > ingest.tick_slot) {
		ingest.tick_slot = slot;
		sample(slot * s->tick_ms);
	}
	int64_t now_ms = clk_now_ms();
	if (atomic_load(&ingest.on_guard)) {
		publish_follow(ingest.publish);
	} else {
		if (now_ms / s->quote_ms != ingest.grid_slot) {
			ingest.grid_slot = now_ms / s->quote_ms;
			publish_grid(ingest.publish, now_ms);
		}
		publish_state(ingest.publish);
	}
	show_status();
	return 0;
}
