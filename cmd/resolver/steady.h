/* steady.h - wall time that a step of the clock cannot carry into the future. Pure; both clocks are passed in.
 * A column must not be decided because somebody set the clock ahead for a moment. So a forward step is believed only after it
 * has lasted STEADY_DOUBT_MS, the same all the while; till then time goes on from where it was, at the monotonic clock's pace. A
 * step back is believed at once: it only makes us wait. One owner. */
#ifndef TAP_RESOLVER_STEADY_H
#define TAP_RESOLVER_STEADY_H

#include <stdbool.h>
#include <stdint.h>

enum { STEADY_STEP_MS = 500, STEADY_DOUBT_MS = 5000 };

struct steady {
	bool begun;
	int64_t wall_ms, mono_ms; /* last believed pair */
	bool doubting;
	int64_t doubt_from_ms;    /* monotonic */
	int64_t doubt_ahead_ms;   /* what is doubted: wall less monotonic time */
};

/* The moment that can be relied on, from what both clocks show now. Starts from zeroes. */
int64_t steady_now(struct steady *s, int64_t wall_ms, int64_t mono_ms);

#endif
