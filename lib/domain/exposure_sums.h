/* exposure_sums.h - a map from an id to a sum of money: open addressing, doubling at two thirds. Private to exposure.
 * Bound: SUMS_MAX entries. Zero-initialised it is empty. Thread: one owner. Memory: sums_free. */
#ifndef TAP_EXPOSURE_SUMS_H
#define TAP_EXPOSURE_SUMS_H

#include <stddef.h>
#include <stdint.h>

#include "attr.h"
#include "money.h"

enum { SUMS_MAX = 1 << 20 };

struct sums_entry {
	int64_t key;
	struct money sum;
	_Bool used;
};

struct sums {
	struct sums_entry *at;
	size_t n, cap; /* cap is a power of two, or 0 */
};

struct money sums_get(const struct sums *s, int64_t key); /* 0 when there is none */
/* The key's sum, made at zero when it is new; good until the next sums_slot. -ENOMEM, -ENOBUFS at the bound. */
MUST_CHECK int sums_slot(struct sums *s, int64_t key, struct money **ret);
void sums_free(struct sums *s);

#endif
