#include "fault.h"

#ifdef TAP_FAULTS
#include <stdatomic.h>

static struct {
	atomic_int countdown; /* 0: not armed */
	atomic_bool sticky, fired;
} faults[FAULT_KINDS];

void fault_arm(enum fault_kind kind, int nth, bool and_all_after)
{
	atomic_store(&faults[kind].sticky, and_all_after);
	atomic_store(&faults[kind].fired, false);
	atomic_store(&faults[kind].countdown, nth);
}

bool fault_disarm(enum fault_kind kind)
{
	atomic_store(&faults[kind].countdown, 0);
	return atomic_load(&faults[kind].fired);
}

bool fault_hits(enum fault_kind kind)
{
	int left = atomic_load(&faults[kind].countdown);
	do {
		if (left == 0)
			return false;
		if (left == 1 && atomic_load(&faults[kind].sticky))
			break;
	} while (!atomic_compare_exchange_weak(&faults[kind].countdown, &left, left - 1));
	if (left != 1)
		return false;
	atomic_store(&faults[kind].fired, true);
	return true;
}
#endif
