/* rate.h - what a win pays, stake included, in 1e-4: 23500 = 2.35x. Base floor, pure. Thread: any. */
#ifndef TAP_RATE_H
#define TAP_RATE_H

#include <stdbool.h>
#include <stdint.h>

#include "money.h"

enum { RATE_ONE = 10000, RATE_LEAST = 10100 }; /* a cell that pays less than 1.01x is closed */

struct rate {
	int32_t e4; /* 0: the cell is closed */
};

/* payout = floor(stake * rate / 10000); false on overflow. */
MUST_CHECK static inline bool rate_payout(struct money *ret, struct money stake, struct rate rate)
{
	return money_scale(ret, stake, rate.e4, RATE_ONE);
}

#endif
