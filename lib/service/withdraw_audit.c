/* Withdrawals against the ledger rows that they name, and those rows against them. */
#include "withdraw.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "err.h"

/* What was posted under external ids, in this week and in those before, and what the withdrawals say was posted. */
#define POSTED "SELECT * FROM (SELECT ref_id, ref_type, user, amount, at FROM transaction_ledger" \
	" WHERE ref_type IN ('WITHDRAWAL', 'WITHDRAWAL_REVERSAL')" \
	" UNION ALL SELECT ref_id, ref_type, user, amount, at FROM external_refs" \
	" WHERE ref_type IN ('WITHDRAWAL', 'WITHDRAWAL_REVERSAL'))"
#define WANTED "SELECT * FROM (SELECT ref, 'WITHDRAWAL', user, -amount, requested_at FROM withdrawals" \
	" UNION ALL SELECT ref, 'WITHDRAWAL_REVERSAL', user, amount, decided_at FROM withdrawals WHERE status = 3)"

/* The first of the rows that only one side has. 0: none. */
static int look(struct stmt *st, const char *what, struct withdraw_audit *ret)
{
	size_t n;
	int r = stmt_step(st);
	if (r <= 0)
		return err_trace(r);
	const char *ref = stmt_col_text(st, 0, &n), *type = stmt_col_text(st, 1, &n);
	(void) snprintf(ret->finding, sizeof ret->finding, "withdrawal %.40s: %s %.40s", ref ? ref : "?", what, type ? type : "?");
	stmt_reset(st);
	return 1;
}

int withdraw_audit(struct store *db, struct withdraw_audit *ret)
{
	*ret = (struct withdraw_audit){ 0 };
	struct stmt *st = store_stmt(db, "SELECT count(*) FROM withdrawals");
	int r = stmt_step(st);
	if (r == STMT_ROW) {
		ret->withdrawals = stmt_col_int(st, 0);
		stmt_reset(st);
		r = look(store_stmt(db, WANTED " EXCEPT " POSTED " LIMIT 1"), "the ledger has no", ret);
	}
	if (r == 0)
		r = look(store_stmt(db, POSTED " EXCEPT " WANTED " LIMIT 1"), "is not there, or not as its", ret);
	if (r == -EBADMSG) {
		(void) snprintf(ret->finding, sizeof ret->finding, "%s", err_text());
		r = 1;
	}
	return err_trace(r);
}
