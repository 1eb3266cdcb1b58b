#include "outcome.h"

static bool touches(int64_t path_low, int64_t path_high, const struct cell *cell)
{
	return path_high >= cell->low_cents && path_low <= cell->high_cents;
}

enum outcome outcome_of(const struct path *path, const struct cell *cell)
{
	if (path->is_void)
		return OUTCOME_VOID;
	return touches(path->low_cents, path->high_cents, cell) ? OUTCOME_WON : OUTCOME_LOST;
}

size_t outcome_touch(const struct path *path, const struct cell *cell)
{
	int64_t low = INT64_MAX, high = INT64_MIN;
	for (size_t i = 0; i < path->n; i++) {
		int64_t at = path->ticks[i].p_cents;
		low = at < low ? at : low;
		high = at > high ? at : high;
		if (touches(low, high, cell))
			return i;
	}
	return path->n;
}

bool outcome_payout(struct money *ret, enum outcome outcome, struct money stake, struct rate rate)
{
	switch (outcome) {
	case OUTCOME_WON:
		return rate_payout(ret, stake, rate);
	case OUTCOME_VOID:
		*ret = stake;
		return true;
	case OUTCOME_LOST:
		break;
	}
	*ret = money_of(0);
	return true;
}
