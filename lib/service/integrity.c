#include "integrity.h"

#include <errno.h>
#include <stdio.h>

#include "book.h"
#include "err.h"
#include "ledger.h"
#include "limits_book.h"
#include "session_keys.h"
#include "withdraw.h"

static int finding(struct integrity *i, const char *where, const char *what)
{
	(void) snprintf(i->finding, sizeof i->finding, "%s: %s", where, what);
	return INTEGRITY_E_DRIFT;
}

static int check_pages(struct store *db, bool full, struct integrity *ret)
{
	char text[256];
	int r = store_check(db, full, text, sizeof text);
	return r > 0 ? finding(ret, "file", text) : err_trace(r);
}

static int check_players(struct store *db, struct integrity *ret)
{
	struct limits_audit l;
	struct session_keys_audit k;
	int r = limits_audit(db, &l);
	if (r != 0)
		return r > 0 ? finding(ret, "limits", l.finding) : err_trace(r);
	r = session_keys_audit(db, &k);
	return r > 0 ? finding(ret, "session keys", k.finding) : err_trace(r);
}

static int check_rows(struct store *db, struct integrity *ret)
{
	struct ledger_audit l;
	struct book_audit b;
	struct withdraw_audit wd;
	int r = ledger_audit(db, &l);
	if (r != 0)
		return r > 0 ? finding(ret, "ledger", l.finding) : err_trace(r);
	r = book_audit(db, &b);
	if (r != 0)
		return r > 0 ? finding(ret, "book", b.finding) : err_trace(r);
	r = withdraw_audit(db, &wd);
	if (r != 0)
		return r > 0 ? finding(ret, "withdrawals", wd.finding) : err_trace(r);
	ret->accounts = l.accounts;
	ret->rows = l.rows;
	ret->commits = l.commits;
	ret->balances = l.balances;
	ret->bets = b.bets;
	ret->open_bets = b.open_bets;
	ret->columns = b.columns;
	return check_players(db, ret);
}

static bool count_row(void *u, const struct audit_row *row)
{
	int64_t *n = u;
	(void) row;
	++*n;
	return true;
}

static int check_audit_log(struct week *w, struct integrity *ret)
{
	char text[256];
	int r = week_audit_read(w, count_row, &ret->audit_rows, text, sizeof text);
	return r > 0 ? finding(ret, "audit log", text) : err_trace(r);
}

int integrity_check_store(struct store *db, bool full, struct integrity *ret)
{
	*ret = (struct integrity){ 0 };
	int r = check_pages(db, full, ret);
	if (r == 0)
		r = store_begin(db);
	if (r != 0)
		return err_trace(r);
	r = check_rows(db, ret);
	store_rollback(db);
	return r;
}

int integrity_check(struct week *w, bool full, struct integrity *ret)
{
	struct store *db;
	*ret = (struct integrity){ 0 };
	int r = check_pages(week_store(w), full, ret);
	if (r != 0)
		return r;
	r = week_begin(w, &db);
	if (r != 0)
		return r < 0 ? err_trace(r) : err_say(-EIO, "the book cannot be read (%d)", r);
	r = check_rows(db, ret);
	week_rollback(w);
	return r ? r : check_audit_log(w, ret);
}
