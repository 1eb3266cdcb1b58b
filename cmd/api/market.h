/* market.h - what the api knows of the market: the newest grid, price and feed state, heard from Redis by a thread of its own.
 * Bets are taken when ingest says so and the ticks heard here say so: the worse of both counts, so that neither a dead ingest
 * nor a lost subscription keeps betting open. Thread: any, a lock inside. */
#ifndef TAP_API_MARKET_H
#define TAP_API_MARKET_H

#include <stdbool.h>
#include <stdint.h>

#include "attr.h"
#include "breaker.h"
#include "buf.h"
#include "bus.h"
#include "grid.h"
#include "settings.h"

struct market;

/* Reads the feed's last known state, and listens. Redis need not be there yet. */
MUST_CHECK int market_start(struct market **ret, const struct settings *s, const struct bus_conf *bus);
/* When ingest said last that bets are taken: waits until what they need was heard here too, at most timeout_ms. So an api that was
 * restarted refuses nobody for want of a grid; who comes meanwhile waits at the door. */
void market_await(struct market *m, int timeout_ms);
struct market *market_stop(struct market *m);

/* For struct intake_market. */
bool market_grid(void *m, struct quote_grid *ret);
bool market_betting(void *m);
bool market_made(void *m, int64_t quote_id, struct buf *ret);

/* The newest grid event as it was published; false when none was heard. */
MUST_CHECK bool market_grid_event(struct market *m, struct buf *out);

struct market_view {
	enum feed_state feed; /* the worse of both */
	bool betting;
	bool listening;       /* subscribed at present */
	int64_t grid_age_ms;  /* -1: none */
	int64_t tick_age_ms;  /* -1: none */
	uint64_t grids, ticks;
};
void market_look(struct market *m, struct market_view *ret);

#endif
