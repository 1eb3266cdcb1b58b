/* index.h - one official price from the venues' newest mids. Pure: no I/O, the clock passed in.
 * Rule: the median of the live venues. Live is who told its book less than stale_ms ago (by our own monotonic clock: a venue's clock is
 * never compared with ours) and lies within band_bp of the median. Fewer than min_venues live: no price.
 * Tether is no dollar: a venue that quotes in USDT is converted by its own slowly learned basis against the median of the dollar
 * venues. The basis is kept while they are away, so that their going does not move the index; a venue whose basis was never
 * learned counts as it is, but only while no dollar venue is there to learn it from. A basis that puts its venue out of the band for
 * INDEX_RELEARN_MS was wrong, or is no more: it is forgotten and learned anew.
 * Prices are in 1e-4 USD, so that the mid of two cents is exact. Thread: one owner. */
#ifndef INGEST_INDEX_H
#define INGEST_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attr.h"

enum { INDEX_VENUES_MAX = 8, INDEX_BASIS_ONE = 1000000000, INDEX_RELEARN_MS = 60000 };

enum index_quote { QUOTED_USD, QUOTED_USDT };

/* What a venue last told. */
struct index_input {
	enum index_quote quote;
	int64_t mid_e4;       /* 0: nothing yet */
	int64_t heard_mono_ms;
};

enum index_standing { VENUE_SILENT, VENUE_STALE, VENUE_OFF_BAND, VENUE_LIVE };
const char *index_standing_name(enum index_standing s);

struct index_rules {
	int64_t stale_ms, band_bp, min_venues;
};

struct index {
	struct index_rules rules;
	struct {
		int64_t e9;      /* USDT price / USD price; 0: never learned */
		int64_t samples;
		int64_t apart_ms; /* since when it disagrees with the others; 0: it does not */
	} basis[INDEX_VENUES_MAX];
	enum index_standing standing[INDEX_VENUES_MAX]; /* after the newest index_price */
	int live;
};

void index_init(struct index *ix, const struct index_rules *rules);
/* True with the price; false when too few are live. To be called at a steady pace: the basis learns by it. */
MUST_CHECK bool index_price(struct index *ix, const struct index_input *in, size_t n, int64_t mono_ms, int64_t *ret_e4);

#endif
