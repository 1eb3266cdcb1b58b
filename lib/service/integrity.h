/* integrity.h - is the week's book whole? The file's pages, the ledger and its chain, bets against rows, columns against their
 * evidence, withdrawals against rows, the seal over all that the chain does not cover, the operators' audit log. Service floor, on
 * week, ledger, book, withdraw. A reader's snapshot: no writer waits for it.
 * What it cannot see by nature: that a whole folder is an older copy of itself, and a change by somebody who computes every chain
 * from there on anew; for both something outside must remember a hash.
 * Thread: the week's owner. */
#ifndef TAP_INTEGRITY_H
#define TAP_INTEGRITY_H

#include <stdbool.h>
#include <stdint.h>

#include "attr.h"
#include "money.h"
#include "week.h"

struct integrity {
	int64_t accounts, rows, commits; /* of the ledger */
	int64_t bets, open_bets, columns;
	int64_t audit_rows;
	struct money balances;
	char finding[320]; /* "" when all is well */
};

/* 0: whole; INTEGRITY_E_DRIFT with the first finding; <0: it could not be looked at. full: every page of the file and of
 * meta.db and their indexes, else a quick look at them; the audits are whole either way. w: READ, outside a transaction. */
enum { INTEGRITY_E_DRIFT = 1 };
MUST_CHECK int integrity_check(struct week *w, bool full, struct integrity *ret);

/* One file alone: pages and rows, outside a transaction. */
MUST_CHECK int integrity_check_store(struct store *db, bool full, struct integrity *ret);

/* All weeks that are here, newest first, and that each begins where the one before ended: its chain and seals follow, its openings are
 * the other's balances, meta.db names it as its own page does. A week whose file is not here is told only when its name is wrong.
 * 0, INTEGRITY_E_DRIFT when any has a finding, <0. */
typedef void integrity_week_cb(void *u, const struct week_info *week, const struct integrity *found);
MUST_CHECK int integrity_check_weeks(struct week *w, bool full, integrity_week_cb *cb, void *u);
/* The same with a quick look at the pages, for a folder that nobody plays on and nobody waits for: the ledger is audited on a second
 * thread, over a connection of its own. */
MUST_CHECK int integrity_check_weeks_still(struct week *w, integrity_week_cb *cb, void *u);

#endif
