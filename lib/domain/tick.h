/* tick.h - one sample of the official price, and what a sequence of them may be. Domain floor, pure.
 * t in ms since the epoch, strictly rising; p in cents. Thread: any. */
#ifndef TAP_TICK_H
#define TAP_TICK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tick {
	int64_t t_ms;
	int64_t p_cents;
};

/* Strictly rising times and positive prices. */
bool ticks_valid(const struct tick *ticks, size_t n);

/* Index of the first tick with t_ms >= at_ms; n when there is none. */
size_t ticks_find(const struct tick *ticks, size_t n, int64_t at_ms);

#endif
