/* priced.h - a bet's rate, made again from what its quote was made from. Service floor, on week, quotes, layer and quote.
 * A bet does not name its quote: of those that lived when it was placed, the newest that gives its rate is taken for it; when none
 * does, the newest that has the cell. The book has the quote of each of its bets for ever, Redis every quote of 7 days.
 * Thread: the week's, or the bus', owner. */
#ifndef TAP_PRICED_H
#define TAP_PRICED_H

#include <stdbool.h>
#include <stdint.h>

#include "attr.h"
#include "bet.h"
#include "bus.h"
#include "quote.h"
#include "week.h"

struct priced {
	int64_t quotes;          /* that lived when the bet was placed, as far as was asked; without any the rest says nothing */
	bool known;              /* one of them has the cell, and its layer is known */
	bool agrees;             /* it gives the bet's rate */
	bool layer_unknown;      /* a quote's layer is neither the one at layer_path nor a released one */
	struct quote_made made;
	int64_t layer_version;
	struct quote_cell cell;
};

/* layer_path, ttl_ms: the settings'. 0, or <0. The week's inside the transaction of week_begin. */
MUST_CHECK int priced_by_book(struct priced *ret, struct week *w, const char *layer_path, int64_t ttl_ms, const struct bet *bet);
MUST_CHECK int priced_by_redis(struct priced *ret, struct bus *bus, const char *layer_path, int64_t ttl_ms, const struct bet *bet);

#endif
