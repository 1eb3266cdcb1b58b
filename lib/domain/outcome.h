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

/* won: floor(stake * rate / 10000); lost: 0; void: the stake. False on overflow. */
MUST_CHECK bool outcome_payout(struct money *ret, enum outcome outcome, struct money stake, struct rate rate);

#endif
