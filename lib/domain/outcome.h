/* outcome.h - touched, missed or void, and what that pays. Domain floor, pure.
 * Win: path_high >= low && path_low <= high. Void column: the stake back. Thread: any. */
#ifndef TAP_OUTCOME_H
#define TAP_OUTCOME_H

#include "grid.h"
#include "money.h"
#include "path.h"
#include "rate.h"

enum outcome { OUTCOME_WON, OUTCOME_LOST, OUTCOME_VOID };

enum outcome outcome_of(const struct path *path, const struct cell *cell);

/* Index of the deciding tick: the path up to it touches the cell, the path up to the one before it does not, so that either it lies
 * in the cell itself or the straight line that leads to it crosses the cell. path->n when the path never touches; a void path's
 * touch decides nothing. */
size_t outcome_touch(const struct path *path, const struct cell *cell);

/* won: floor(stake * rate / 10000); lost: 0; void: the stake. False on overflow. */
MUST_CHECK bool outcome_payout(struct money *ret, enum outcome outcome, struct money stake, struct rate rate);

#endif
