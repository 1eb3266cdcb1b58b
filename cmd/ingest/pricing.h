/* pricing.h - from official ticks to grids of rates: the volatility, the jump stop, the fitted layer, the house's exposure; and the log
 * of what each grid was made from. Pure but for the log, which goes over the caller's bus. Thread: one owner. */
#ifndef INGEST_PRICING_H
#define INGEST_PRICING_H

#include <stdbool.h>
#include <stdint.h>

#include "attr.h"
#include "buf.h"
#include "bus.h"
#include "settings.h"
#include "tick.h"

struct pricing;
/* Reads the layer: <0 with what is wrong with its file. */
MUST_CHECK int pricing_new(struct pricing **ret, const struct settings *s);
struct pricing *pricing_free(struct pricing *p);

void pricing_tick(struct pricing *p, const struct tick *t);
/* What the api said last of the house's room: a grid event; NULL: nothing is taken. */
void pricing_room(struct pricing *p, const char *text, size_t n);
/* The grid event of the moment. */
void pricing_grid(struct pricing *p, int64_t now_ms, int64_t p_cents, struct buf *event);
/* What the newest grid was made from: a record of quote_log. */
void pricing_made(const struct pricing *p, struct buf *bytes);
/* Puts what the newest grid was made from into the log: perhaps one command in the bus' pipeline, then *ret_added. */
MUST_CHECK int pricing_log(struct pricing *p, struct bus *bus, bool *ret_added);
/* The same for what still waits, at the end. */
MUST_CHECK int pricing_log_rest(struct pricing *p, struct bus *bus, bool *ret_added);

struct pricing_view {
	double volatility; /* per sqrt(year), of the last minute */
	double uneven;
	bool stopped;
	uint64_t stops;
	int64_t layer;     /* version */
};
struct pricing_view pricing_view(const struct pricing *p);

#endif
