/* quotes.h - what the grids of the last 7 days were made from, in Redis. Service floor, on bus, msg and quote_log.
 * A stream keeps one entry each three seconds (id <t of its first quote>-0, field q: a record of quote_log), beside the ticks and as
 * long as they; a quote that Redis did not take at its moment is missing, never made up. Thread: the bus' owner. */
#ifndef TAP_QUOTES_H
#define TAP_QUOTES_H

#include <stdbool.h>
#include <stdint.h>

#include "attr.h"
#include "bus.h"
#include "quote_log.h"

enum { QUOTES_SPAN_MS = 3000, QUOTES_READ_MS = 600000 };

/* Quotes that wait until they are an entry. */
struct quotes_run {
	struct quote_made made[QUOTE_LOG_RUN];
	size_t n;
};

/* Adds the quote; when the run before it is to be written first (full, three seconds old, other rules), that goes into the bus' pipeline
 * as one command and *ret_added says so: the caller flushes. Negative errno: the run is lost. */
MUST_CHECK int quotes_add(struct quotes_run *run, struct bus *bus, const struct quote_made *made, bool *ret_added);
/* Puts what waits into the pipeline; *ret_added as above. */
MUST_CHECK int quotes_flush(struct quotes_run *run, struct bus *bus, bool *ret_added);

/* Every quote with t in [from_ms, to_ms], at most QUOTES_READ_MS, in order; cb false ends. -EBADMSG for an entry that is none. */
typedef bool quotes_cb(void *u, const struct quote_made *made);
MUST_CHECK int quotes_read(struct bus *bus, int64_t from_ms, int64_t to_ms, quotes_cb *cb, void *u);

#endif
