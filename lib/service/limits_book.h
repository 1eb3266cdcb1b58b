/* limits_book.h - the changes of players' own limits, as rows that are for ever. Service floor, on ledger and domain/limits.
 * Always true at every commit: users.limits_row is the id of the user's newest change, 0 while there is none, so that who holds an
 *   account knows without a query whether there is anything to know; each change is what limits_ask made of it at its time, after
 *   those before it; rows are never changed or deleted (triggers refuse) and are chained by SHA-256 from the first of all weeks.
 * The api's writer changes them for players, ctl for the operator; a change binds from its commit on.
 * Units, thread, results: as ledger.h. All calls need an open transaction; an expected result has changed nothing. */
#ifndef TAP_LIMITS_BOOK_H
#define TAP_LIMITS_BOOK_H

#include <stddef.h>
#include <stdint.h>

#include "attr.h"
#include "ledger.h"
#include "limits.h"
#include "store.h"

enum {
	LIMITS_BOOK_E_RANGE = 1,
	LIMITS_BOOK_E_OFTEN,    /* LIMITS_CHANGES_A_DAY changes were made since a day ago */
	LIMITS_CHANGES_A_DAY = 100,
	LIMITS_WHO_MAX = 64
};

/* The player's limits as his rows say. No query when he has none. */
MUST_CHECK int limits_load(struct store *db, const struct account *a, struct limits *ret);

struct limit_wish {
	enum limit limit;
	int64_t value; /* as in struct limit_change */
};
/* Writes down those that change something, all or none; *a and *ret are the account and its limits afterwards. who: 1 to
 * LIMITS_WHO_MAX bytes. A first self-exclusion is never too often. */
MUST_CHECK int limits_change(struct store *db, struct account *a, const struct limit_wish *wishes, size_t n, const char *who,
		int64_t now_ms, struct limits *ret);

/* Every rule above, over the whole file: 0 and the count, or 1 with the finding. */
struct limits_audit {
	int64_t changes;
	char finding[256];
};
MUST_CHECK int limits_audit(struct store *db, struct limits_audit *ret);

#endif
