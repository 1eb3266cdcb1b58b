/* recording.h - recorded prices from a file, as the official ticks that ingest would have made of them.
 * By its first line a file is one of
 *   t_ms,p_cents                               official ticks: taken as they are
 *   ms,bid_cents,ask_cents                     a venue's book: the mid at each multiple of tick_ms, none from a book older than 2 s
 *   date_utc,ms_of_day,open,high,low,close,... bars of trades, prices in units: the newest close at each multiple of tick_ms, for
 *                                              at most ten minutes
 * or an answer of GET /prices ({"ticks":[[t,p],...]}). Memory: recording_free. */
#ifndef FAIRNESS_RECORDING_H
#define FAIRNESS_RECORDING_H

#include <stddef.h>
#include <stdint.h>

#include "attr.h"
#include "hash.h"
#include "tick.h"

struct recording {
	struct tick *ticks;
	size_t n;
	struct hash hash; /* of the file's bytes */
};

/* Prices are multiplied by scale, so that an old price can be played with today's rows. Negative errno with err_say. */
MUST_CHECK int recording_read(struct recording *ret, const char *path, int64_t tick_ms, int64_t scale);
void recording_free(struct recording *r);

#endif
