#include "ws_impl.h"

#include <string.h>

#include "clk.h"

static void put_up(struct ws *w, struct board *b, const struct buf *text)
{
	struct wsock_frame *f = text->failed ? NULL : wsock_frame_new(text->p, text->n);
	if (!f)
		return; /* the next one comes in a moment */
	(void) wsock_frame_unref(b->frame);
	b->frame = f;
	b->number++;
	for (struct player *p = w->players; p; p = p->next)
		wsock_want_write(p->conn);
}

/* ingest repeats its word each second. */
enum { WORD_LIFE_MS = 3500 };

/* The worse of what we hear ourselves and of what ingest says of the venues. An operator's override is in ingest's word;
 * without a tick no word opens anything, nor does one from before an outage when the ticks are back; but a word that closed
 * stands until the next one. */
static void show_status(struct ws *w, int64_t mono_ms)
{
	enum feed_state feed = w->breaker.feed;
	bool betting = breaker_betting(&w->breaker);
	bool fresh = mono_ms - w->reported_mono_ms <= WORD_LIFE_MS;
	if (w->has_reported && (fresh || !w->reported_betting)) {
		feed = w->reported_feed > feed ? w->reported_feed : feed;
		betting = w->reported_betting && !w->breaker.silent;
	}
	if (w->status.frame && feed == w->shown_feed && betting == w->shown_betting)
		return;
	_cleanup_(buf_free) struct buf text = BUF_INIT(MSG_EVENT_MAX);
	w->shown_feed = feed;
	w->shown_betting = betting;
	msg_status(&text, feed, betting);
	put_up(w, &w->status, &text);
}

void board_price(struct ws *w, const struct buf *text)
{
	struct tick t;
	if (!msg_price_parse(&t, text->p, text->n))
		return;
	int64_t mono_ms = clk_mono_ms();
	(void) breaker_tick(&w->breaker, mono_ms);
	int64_t lag_ms = clk_now_ms() - t.t_ms;
	ops_observe_us(&w->counts.lag, lag_ms > 0 ? lag_ms * 1000 : 0);
	show_status(w, mono_ms);
	put_up(w, &w->price, text);
}

void board_grid(struct ws *w, const struct buf *text)
{
	static const char head[] = "{\"type\":\"grid\"";
	if (text->n > sizeof head && memcmp(text->p, head, sizeof head - 1) == 0)
		put_up(w, &w->grid, text);
}

void board_reported(struct ws *w, const char *text, size_t n)
{
	enum feed_state feed;
	bool betting;
	if (!msg_status_parse(&feed, &betting, text, n))
		return;
	w->has_reported = true;
	w->reported_feed = feed;
	w->reported_betting = betting;
	w->reported_mono_ms = clk_mono_ms();
	show_status(w, w->reported_mono_ms);
}

void board_timer(struct ws *w, int64_t mono_ms)
{
	(void) breaker_time(&w->breaker, mono_ms);
	show_status(w, mono_ms);
}

void board_free(struct ws *w)
{
	w->price.frame = wsock_frame_unref(w->price.frame);
	w->grid.frame = wsock_frame_unref(w->grid.frame);
	w->status.frame = wsock_frame_unref(w->status.frame);
}
