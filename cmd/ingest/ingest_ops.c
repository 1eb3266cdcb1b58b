/* What /health, /ready and /metrics of ingest say. */
#include <stdio.h>

#include "clk.h"
#include "ingest.h"
#include "ingest_impl.h"
#include "msg.h"

static enum health health_of(enum feed_state feed)
{
	return feed == FEED_HEALTHY ? HEALTH_HEALTHY : feed == FEED_DEGRADED ? HEALTH_DEGRADED : HEALTH_CRITICAL;
}

static void write_venues(struct ops_health *h, const struct feed_view *view)
{
	jw_object(&h->w, "venues");
	for (size_t i = 0; i < view->n; i++)
		jw_str(&h->w, view->venue[i].name, index_standing_name((enum index_standing) ingest.standing[i]));
	jw_end_object(&h->w);
}

void ingest_health(struct ops_health *h, void *u)
{
	struct publish_view view;
	struct feed_view feed;
	(void) u;

	if (!atomic_load(&ingest.up)) {
		ops_check(h, "redis", HEALTH_CRITICAL);
		ops_check(h, "price_feed", HEALTH_CRITICAL);
		return;
	}
	publish_view(ingest.publish, &view);
	feed_view(ingest.feed, &feed);
	ops_check(h, "redis", view.redis_up ? HEALTH_HEALTHY : HEALTH_CRITICAL);
	ops_check_begin(h, "price_feed", health_of(view.feed));
	write_venues(h, &feed);
	if (view.last_mono_ms)
		jw_int(&h->w, "tick_age_ms", clk_mono_ms() - view.last_mono_ms);
	else
		jw_null(&h->w, "tick_age_ms");
	jw_bool(&h->w, "betting", view.betting);
	jw_str(&h->w, "override", override_name(view.override));
	ops_check_end(h);
}

bool ingest_ready(void *u)
{
	struct publish_view view;
	(void) u;
	if (!atomic_load(&ingest.up))
		return false;
	publish_view(ingest.publish, &view);
	return view.redis_up && view.last_mono_ms && clk_mono_ms() - view.last_mono_ms <= ingest.settings->max_tick_gap_ms;
}

static void each_venue(struct buf *out, const struct feed_view *feed, const char *name, const char *help, const char *type,
		double (*value)(const struct feed_view *feed, size_t i))
{
	ops_family(out, name, help, type);
	for (size_t i = 0; i < feed->n; i++) {
		char labels[64];
		(void) snprintf(labels, sizeof labels, "venue=\"%s\"", feed->venue[i].name);
		ops_labelled(out, name, labels, value(feed, i));
	}
}

static double is_connected(const struct feed_view *feed, size_t i)
{
	return feed->venue[i].connected;
}

static double is_live(const struct feed_view *feed, size_t i)
{
	(void) feed;
	return ingest.standing[i] == VENUE_LIVE;
}

static double book_age_s(const struct feed_view *feed, size_t i)
{
	int64_t heard = feed->venue[i].book.heard_mono_ms;
	return heard ? (double) (clk_mono_ms() - heard) / 1e3 : -1;
}

static double messages(const struct feed_view *feed, size_t i)
{
	return (double) feed->venue[i].counts.messages;
}

static double books(const struct feed_view *feed, size_t i)
{
	return (double) feed->venue[i].counts.books;
}

static double bad(const struct feed_view *feed, size_t i)
{
	return (double) feed->venue[i].counts.bad;
}

static double out_of_order(const struct feed_view *feed, size_t i)
{
	return (double) feed->venue[i].counts.out_of_order;
}

static double gaps(const struct feed_view *feed, size_t i)
{
	return (double) feed->venue[i].counts.gaps;
}

static double floods(const struct feed_view *feed, size_t i)
{
	return (double) feed->venue[i].counts.floods;
}

static double renewals(const struct feed_view *feed, size_t i)
{
	return (double) feed->venue[i].connections.renewals;
}

static double price_usd(const struct feed_view *feed, size_t i)
{
	(void) feed;
	return (double) ingest.value_e4[i] / 1e4;
}

static double basis(const struct feed_view *feed, size_t i)
{
	if (feed->venue[i].book.quote == QUOTED_USD)
		return 1;
	return (double) ingest.basis_e9[i] / INDEX_BASIS_ONE;
}

static double connects(const struct feed_view *feed, size_t i)
{
	return (double) feed->venue[i].connections.connects;
}

static double losses(const struct feed_view *feed, size_t i)
{
	return (double) feed->venue[i].connections.losses;
}

static void write_feed(struct buf *out)
{
	struct feed_view feed;
	feed_view(ingest.feed, &feed);
	each_venue(out, &feed, "tap_feed_connected", "1 while the venue's connection is up", "gauge", is_connected);
	each_venue(out, &feed, "tap_feed_live", "1 while the venue counts for the index", "gauge", is_live);
	each_venue(out, &feed, "tap_feed_book_age_seconds", "since the venue's newest book; -1: none yet", "gauge", book_age_s);
	each_venue(out, &feed, "tap_feed_messages_total", "texts heard", "counter", messages);
	each_venue(out, &feed, "tap_feed_books_total", "books taken", "counter", books);
	each_venue(out, &feed, "tap_feed_bad_total", "texts that were not understood", "counter", bad);
	each_venue(out, &feed, "tap_feed_out_of_order_total", "books older than the newest", "counter", out_of_order);
	each_venue(out, &feed, "tap_feed_gaps_total", "losses that the venue's own numbers showed", "counter", gaps);
	each_venue(out, &feed, "tap_feed_floods_total", "texts beyond what a venue says in earnest", "counter", floods);
	each_venue(out, &feed, "tap_feed_price_usd", "its newest mid in dollars; 0: it does not count", "gauge", price_usd);
	each_venue(out, &feed, "tap_feed_basis", "its currency over the dollar; 0: not known yet", "gauge", basis);
	each_venue(out, &feed, "tap_feed_connects_total", "connections made", "counter", connects);
	each_venue(out, &feed, "tap_feed_losses_total", "connections lost or not made", "counter", losses);
	each_venue(out, &feed, "tap_feed_renewals_total", "connections that another took over from", "counter", renewals);
	ops_gauge(out, "tap_feed_live_venues", "venues that count for the index", (double) ingest.live);
}

void ingest_metrics(struct buf *out, void *u)
{
	struct publish_view view;
	(void) u;
	if (!atomic_load(&ingest.up))
		return;
	publish_view(ingest.publish, &view);
	ops_gauge(out, "tap_ingest_on_guard", "1 while another ingest speaks and this one listens", atomic_load(&ingest.on_guard));
	ops_counter(out, "tap_ticks_total", "official ticks recorded and published", view.ticks);
	ops_counter(out, "tap_tick_refused_total", "ticks that the history refused: not rising, or off its clock", view.refused);
	ops_counter(out, "tap_tick_lost_total", "ticks that Redis could not take", view.lost);
	ops_counter(out, "tap_feed_no_price_total", "boundaries without enough live venues", ingest.no_price);
	ops_gauge(out, "tap_feed_state", "0 healthy, 1 degraded, 2 critical", (double) view.feed);
	ops_counter(out, "tap_feed_state_changes_total", "changes of the feed's state", view.changes);
	ops_gauge(out, "tap_betting", "1 while bets may be taken", view.betting);
	ops_gauge(out, "tap_circuit_override", "the operator's word: 0 auto, 1 open (no bets), 2 close", (double) view.override);
	ops_gauge(out, "tap_redis_up", "1 while Redis answers", view.redis_up);
	ops_gauge(out, "tap_price_usd", "newest official price", (double) view.last.p_cents / 100);
	ops_gauge(out, "tap_volatility", "of the last minute, per square root of a year", view.pricing.volatility);
	ops_gauge(out, "tap_volatility_uneven", "0 for normal returns; more: the price stands still and jumps", view.pricing.uneven);
	ops_gauge(out, "tap_quote_layer", "version of the fitted layer", (double) view.pricing.layer);
	ops_gauge(out, "tap_jump_stop", "1 while a jump closes the grid", view.pricing.stopped);
	ops_counter(out, "tap_jump_stops_total", "jumps that closed the grid", view.pricing.stops);
	ops_counter(out, "tap_grids_total", "quote grids published", view.grids);
	ops_counter(out, "tap_quotes_unlogged_total", "records of the quotes' log that Redis refused", view.unlogged);
	ops_histogram(out, "tap_grid_seconds", "time to price and write a grid", publish_grid_seconds(ingest.publish));
	write_feed(out);
}
