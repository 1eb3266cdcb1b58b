/* price.h - a price in cents, and decimal text to it without floating point. Base floor, pure. Thread: any. */
#ifndef TAP_PRICE_H
#define TAP_PRICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attr.h"

enum { PRICE_MAX_CENTS = 1000000000 }; /* ten million dollars: beyond it a venue is wrong, not the market */

struct price {
	int64_t cents; /* > 0 */
};

/* Decimal text such as 61837.63000000, no sign, no exponent, to 1e-4 of a dollar (rounded half up), so that a mid of two
 * venue prices is exact to the half cent: *ret_e4 = 618376300. False for anything else, zero, or above the maximum. */
MUST_CHECK bool price_parse_e4(int64_t *ret_e4, const char *text, size_t len);

/* 1e-4 dollars to cents, rounded half up. */
static inline struct price price_from_e4(int64_t e4)
{
	return (struct price){ (e4 + 50) / 100 };
}

#endif
