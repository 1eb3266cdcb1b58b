/* tape.h - recorded best bids and asks, played forward, then backward, then forward again: no seam has a jump.
 * Thread: one owner. Memory: tape_load gives, tape_free takes. */
#ifndef REPLAY_TAPE_H
#define REPLAY_TAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attr.h"

enum { TAPE_POINTS_MAX = 1000000, TAPE_REST_MS = 100 /* how long the last point stands before the tape turns */ };

struct tape_point {
	int64_t ms; /* since the start */
	int64_t bid_cents, ask_cents;
};

struct tape;
/* Reads `ms,bid_cents,ask_cents` lines (a heading is skipped), ms strictly rising. base_cents > 0 rescales so that the first mid is
 * that price: 0, or negative errno with a sentence. */
MUST_CHECK int tape_load(struct tape **ret, const char *path, int64_t base_cents);
struct tape *tape_free(struct tape *t);
size_t tape_count(const struct tape *t);

/* Moves on by one point if it is due `played_ms` after the start: true with the point that stands from now on. Call again until
 * false. */
bool tape_next(struct tape *t, int64_t played_ms, struct tape_point *ret);

#endif
