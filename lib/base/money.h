/* money.h - checked amounts. Base floor, pure.
 * struct money is never negative: a stake, a payout, a balance. struct amount is signed: what a ledger row adds.
 * Unit: micro-USD (1 USD = 1 000 000). Every operation that could wrap or go below zero answers false and leaves *ret alone.
 * Thread: any. */
#ifndef TAP_MONEY_H
#define TAP_MONEY_H

#include <stdbool.h>
#include <stdint.h>

#include "attr.h"

enum { MICROS_PER_USD = 1000000 };

struct money {
	int64_t micros;
};

struct amount {
	int64_t micros;
};

static inline struct money money_of(int64_t micros)
{
	return (struct money){ micros };
}

MUST_CHECK bool money_add(struct money *ret, struct money a, struct money b);
MUST_CHECK bool money_sub(struct money *ret, struct money a, struct money b);
/* balance + delta, for a delta of either sign. */
MUST_CHECK bool money_apply(struct money *ret, struct money balance, struct amount delta);
/* floor(m * numerator / denominator), both factors >= 0, denominator > 0; exact in 128 bits. */
MUST_CHECK bool money_scale(struct money *ret, struct money m, int64_t numerator, int64_t denominator);

static inline struct amount amount_in(struct money m)
{
	return (struct amount){ m.micros };
}

static inline struct amount amount_out(struct money m)
{
	return (struct amount){ -m.micros };
}

static inline int money_cmp(struct money a, struct money b)
{
	return (a.micros > b.micros) - (a.micros < b.micros);
}

#endif
