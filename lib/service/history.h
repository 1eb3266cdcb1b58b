/* history.h - append and read the official ticks in Redis. Service floor, on bus and msg.
 * A stream keeps them (id <t_ms>-0), packed, and refuses an id that does not rise: t is strictly rising whoever writes.
 * A tick is refused, too, when it is more than HISTORY_LATE_MS off Redis' clock: so HISTORY_LATE_MS after a column's end its
 * path can grow no more. One script appends, trims to 7 days, sets the newest price and publishes: a tick is published if
 * and only if it is recorded. Thread: the bus' owner. */
#ifndef TAP_HISTORY_H
#define TAP_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attr.h"
#include "bus.h"
#include "tick.h"

enum { HISTORY_LATE_MS = 500, HISTORY_DAYS = 7, HISTORY_PAGE = 4000 };
enum { HISTORY_E_REFUSED = 1 }; /* not rising, or late */

MUST_CHECK int history_append(struct bus *bus, const struct tick *t);
/* The newest tick: 0; 1 when there is none. */
MUST_CHECK int history_last(struct bus *bus, struct tick *ret);
/* The last tick before at_ms: 0; 1 when there is none. */
MUST_CHECK int history_before(struct bus *bus, int64_t at_ms, struct tick *ret);
/* Ticks of [from_ms, to_ms) in order into ticks[max]; *ret_n counts them; *ret_more when max was too small. */
MUST_CHECK int history_read(struct bus *bus, int64_t from_ms, int64_t to_ms, struct tick *ticks, size_t max, size_t *ret_n,
		bool *ret_more);
/* The anchor and all ticks of the column in one trip, with Redis' clock: ticks[0] is the anchor when *ret_anchor. */
MUST_CHECK int history_column(struct bus *bus, int64_t t0_s, int64_t column_s, struct tick *ticks, size_t max,
		size_t *ret_n, bool *ret_anchor, int64_t *ret_redis_ms);

#endif
