/* report.h - what a week's file says of each UTC day: sums of its ledger, and bets by outcome. Service floor, on store, ledger, book.
 * Money counts on the day of its row (`at`), so the days' sums are the ledger's, and a hold is what the house gained: stakes less
 * payouts and refunds. A bet is placed, won and void on the day of its row, lost on the day its column was settled.
 * Reads in order of the ledger's rows and of the bets' key, REPORT_ROWS rows or REPORT_SPAN_S seconds of columns to a snapshot, so
 * that no writer and no checkpoint waits for it; what is added meanwhile is read or not.
 * Units: micro-USD. Thread: one owner. */
#ifndef TAP_REPORT_H
#define TAP_REPORT_H

#include <stddef.h>
#include <stdint.h>

#include "attr.h"
#include "ledger.h"
#include "store.h"

enum { REPORT_ROWS = 50000, REPORT_SPAN_S = 900, REPORT_DAYS_MAX = 4000 };

struct report_day {
	int64_t day;                   /* since 1970-01-01 */
	int64_t sums[LEDGER_REFS];     /* of the rows' amounts, by type */
	int64_t counts[LEDGER_REFS];
	int64_t lost;
};

struct report { /* days[0 .. n - 1], rising */
	struct report_day *days;
	size_t n;
	int64_t from_day, to_day; /* others are left out; to_day is the first of them */
};

/* Adds a week's file: an idle READ store. 0; -EOVERFLOW: a sum beyond 64 bits, or more days than REPORT_DAYS_MAX. */
MUST_CHECK int report_add(struct report *r, struct store *db);
void report_free(struct report *r);

#endif
