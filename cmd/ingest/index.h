/* index.h - one official price from the venues' newest mids. Pure: no I/O, the clock passed in.
 * Rule: the median of the live venues. Live is who told its book less than stale_ms ago (by our own monotonic clock: a venue's clock is
 * never compared with ours) and lies within band_bp of the median. Fewer than min_venues live: no price. Of two alone neither is a
 * majority: further than pair_bp apart, neither is live, because nobody knows which one is right.
 * Tether is no dollar: a venue that quotes in USDT is converted by its own slowly learned basis against the median of the dollar
 * venues. It is learned while three of them are fresh (all, where fewer are configured), so that one that lies teaches nothing. The
 * basis is kept while they are away, and by its owner over a restart, so that their going does not move the index; a venue
 * whose basis was never learned does not count, unless all venues quote in USDT: then that is the price's currency. A basis that
 * for INDEX_RELEARN_MS puts its venue out of the band, or disagrees by more than tether moves at once, is wrong: it is learned anew.
 * Always true, of the venues that are fresh: while those that tell the truth are more than those that do not, the price lies between
 * the least and the greatest of what they say. So a venue that lies, lags or stands moves it by no more than their spread. Of two that
 * are fresh one moves it by half of pair_bp at most.
 * Prices are in 1e-4 USD, so that the mid of two cents is exact. Thread: one owner. */
#ifndef INGEST_INDEX_H
#define INGEST_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attr.h"

enum {
	INDEX_VENUES_MAX = 8,
	INDEX_BASIS_ONE = 1000000000,
	INDEX_BASIS_OFF_MAX_BP = 100, /* further apart, something else is wrong than Tether's price */
	INDEX_RELEARN_MS = 60000,
	INDEX_RECALLED_SAMPLES = 300  /* a basis of an earlier run weighs as one of half a minute: it may have moved since */
};

enum index_quote { QUOTED_USD, QUOTED_USDT };

/* What a venue last told. */
struct index_input {
	enum index_quote quote;
	int64_t mid_e4;       /* 0: nothing yet */
	int64_t heard_mono_ms;
};

enum index_standing {
	VENUE_SILENT,   /* has told no book yet */
	VENUE_STALE,    /* none for stale_ms */
	VENUE_NO_BASIS, /* quotes in USDT, and nobody knows what that is in dollars */
	VENUE_OFF_BAND, /* off the median, or apart from the only other one */
	VENUE_LIVE
};
const char *index_standing_name(enum index_standing s);

struct index_rules {
	int64_t stale_ms, band_bp, pair_bp, min_venues;
};

struct index {
	struct index_rules rules;
	struct {
		int64_t e9;      /* USDT price / USD price; 0: never learned */
		int64_t samples;
		int64_t apart_ms; /* since when it disagrees with the others; 0: it does not */
	} basis[INDEX_VENUES_MAX];
	/* after the newest index_price */
	enum index_standing standing[INDEX_VENUES_MAX];
	int64_t value_e4[INDEX_VENUES_MAX]; /* in dollars; 0: it does not count */
	int live;
};

void index_init(struct index *ix, const struct index_rules *rules);
/* True with the price; false when too few are live. To be called at a steady pace: the basis learns by it. */
MUST_CHECK bool index_price(struct index *ix, const struct index_input *in, size_t n, int64_t mono_ms, int64_t *ret_e4);

/* A venue's basis: what an earlier run learned. Nothing changes when one was learned since, or when it is beyond reason. */
void index_recall(struct index *ix, size_t venue, int64_t basis_e9);

#endif
