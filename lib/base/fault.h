/* fault.h - countdown faults: the n-th call of a kind fails. Base floor; compiled in by TAP_FAULTS, else nothing is left of it.
 * A seam asks fault_hits(FAULT_X) before the real call and fails as that call would. Thread: armed by one, hit by any. */
#ifndef TAP_FAULT_H
#define TAP_FAULT_H

#include <stdbool.h>

enum fault_kind {
	FAULT_STORE_STEP,   /* a statement, BEGIN and scripts among them: an I/O error */
	FAULT_STORE_FULL,   /* the same, and COMMIT: the disk is full */
	FAULT_STORE_COMMIT, /* COMMIT itself: an I/O error */
	FAULT_GATE,         /* the write gate cannot be had */
	FAULT_BUS_SEND,     /* a command cannot be sent */
	FAULT_BUS_REPLY,    /* the answer does not come */
	FAULT_MEMORY,       /* a buffer cannot grow */
	FAULT_KINDS
};

#ifdef TAP_FAULTS
void fault_arm(enum fault_kind kind, int nth, bool and_all_after);
bool fault_disarm(enum fault_kind kind); /* true when it fired since it was armed */
bool fault_hits(enum fault_kind kind);
#else
static inline bool fault_hits(enum fault_kind kind)
{
	(void) kind;
	return false;
}
#endif

#endif
