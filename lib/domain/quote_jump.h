/* quote_jump.h - the jump stop: while the price jumps no model knows it, so nothing is quoted. Domain floor, pure state.
 * A jump: within window_ms the price moved by more than `sigmas` standard deviations of that time by the slowest volatility, and by
 * more than least_bp. The stop ends once calm_ms passed in which no such move was more than half of the one that was
 * asked for when it began: a price that swings between the two limits neither starts a stop nor ends one.
 * Thread: one owner. */
#ifndef TAP_QUOTE_JUMP_H
#define TAP_QUOTE_JUMP_H

#include <stdbool.h>
#include <stdint.h>

#include "tick.h"

enum { QUOTE_JUMP_TICKS = 512 };

struct quote_jump_rules {
	int64_t window_ms, sigmas, least_bp, calm_ms; /* sigmas 0: never */
};

struct quote_jump {
	struct quote_jump_rules rules;
	struct tick at[QUOTE_JUMP_TICKS]; /* ring of the window's ticks */
	unsigned first, n;
	bool stopped;
	double limit;       /* log return that began the stop */
	int64_t uneasy_ms;  /* of the newest tick that showed more than half of it */
	uint64_t stops;
};

void quote_jump_init(struct quote_jump *j, const struct quote_jump_rules *rules);
/* Takes every tick with the slowest volatility known before it; true while the grid is to be closed. */
bool quote_jump_tick(struct quote_jump *j, const struct tick *t, int64_t vol_ppm);

#endif
