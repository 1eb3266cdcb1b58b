#include "outcome.h"

enum outcome outcome_of(const struct path *path, const struct cell *cell)
{
	if (path->is_void)
		return OUTCOME_VOID;
	bool touched = path->high_cents >= cell->low_cents && path->low_cents <= cell->high_cents;
	return touched ? OUTCOME_WON : OUTCOME_LOST;
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
