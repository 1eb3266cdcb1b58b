/* heard.h - the ticks heard lately on Redis' price channel: a second witness beside the history.
 * A tick is published if and only if it was recorded, so one that was heard counts even when Redis has been emptied or lost its
 * last second since. Bound: the newest HEARD_MAX ticks of the last HEARD_SPAN_MS, strictly rising in t.
 * Thread: any; one lock inside. */
#ifndef TAP_RESOLVER_HEARD_H
#define TAP_RESOLVER_HEARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attr.h"
#include "bus.h"
#include "tick.h"

enum { HEARD_MAX = 32768, HEARD_SPAN_MS = 180000 };

struct heard;
MUST_CHECK int heard_open(struct heard **ret, const struct bus_conf *bus);
struct heard *heard_close(struct heard *h);

/* What the subscription does with each tick. One that does not rise replaces what was heard from its time on. */
void heard_take(struct heard *h, const struct tick *t);
/* The newest tick before from_ms, when there is one, and those of [from_ms, to_ms), in order; the oldest max of them. */
size_t heard_read(struct heard *h, int64_t from_ms, int64_t to_ms, struct tick *ticks, size_t max);

/* Waits until a tick at t_ms or later was heard, at most until the monotonic time; may return for nothing. */
void heard_wait(struct heard *h, int64_t t_ms, int64_t until_mono_ms);

struct heard_stats {
	uint64_t taken;
	int64_t newest_ms; /* t of the newest tick; 0: none yet */
	bool up;           /* subscribed */
};
void heard_stats(struct heard *h, struct heard_stats *ret);

/* All ticks of both, by t; at the same t the one of a counts. The first max of them into out; returns how many. */
size_t ticks_union(const struct tick *a, size_t n_a, const struct tick *b, size_t n_b, struct tick *out, size_t max);

#endif
