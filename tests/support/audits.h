/* audits.h - the audits of a week's book: a finding fails the test; include it after cmocka.h. For tests only. */
#ifndef TAP_TEST_AUDITS_H
#define TAP_TEST_AUDITS_H

#include "book.h"
#include "ledger.h"
#include "limits_book.h"
#include "session_keys.h"
#include "week.h"

/* Inside a transaction of the caller's. */
static inline struct ledger_audit audits_pass_in(struct store *db)
{
	struct ledger_audit la;
	struct book_audit ba;
	struct limits_audit li;
	struct session_keys_audit ka;
	if (ledger_audit(db, &la) != 0)
		fail_msg("ledger: %s", la.finding);
	if (book_audit(db, &ba) != 0)
		fail_msg("book: %s", ba.finding);
	if (limits_audit(db, &li) != 0)
		fail_msg("limits: %s", li.finding);
	if (session_keys_audit(db, &ka) != 0)
		fail_msg("session keys: %s", ka.finding);
	return la;
}

static inline void audits_pass(struct week *week)
{
	struct store *db;
	assert_int_equal(week_begin(week, &db), 0);
	(void) audits_pass_in(db);
	week_rollback(week);
}

#endif
