#include "integrity_impl.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "book.h"
#include "err.h"
#include "ledger.h"
#include "limits_book.h"
#include "schema.h"
#include "session_keys.h"
#include "thread.h"
#include "withdraw.h"

static int finding(struct integrity *i, const char *where, const char *what)
{
	(void) snprintf(i->finding, sizeof i->finding, "%s: %s", where, what);
	return INTEGRITY_E_DRIFT;
}

static int check_pages(struct store *db, const char *where, bool full, struct integrity *ret)
{
	char text[256];
	int r = store_check(db, full, text, sizeof text);
	return r > 0 ? finding(ret, where, text) : err_trace(r);
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

static int check_ledger(struct store *db, struct integrity *ret)
{
	struct ledger_audit l;
	int r = ledger_audit(db, &l);
	if (r != 0)
		return r > 0 ? finding(ret, "ledger", l.finding) : err_trace(r);
	ret->accounts = l.accounts;
	ret->rows = l.rows;
	ret->commits = l.commits;
	ret->balances = l.balances;
	return 0;
}

static int check_book(struct store *db, struct integrity *ret)
{
	struct book_audit b;
	struct withdraw_audit wd;
	int r = book_audit(db, &b);
	if (r != 0)
		return r > 0 ? finding(ret, "book", b.finding) : err_trace(r);
	r = withdraw_audit(db, &wd);
	if (r != 0)
		return r > 0 ? finding(ret, "withdrawals", wd.finding) : err_trace(r);
	ret->bets = b.bets;
	ret->open_bets = b.open_bets;
	ret->columns = b.columns;
	return check_players(db, ret);
}

/* The ledger's half of a file's audit, aside. */
struct half {
	const char *path;
	struct integrity found;
	int r;
	char why[ERR_TEXT_MAX];
	pthread_t thread;
};

static void *check_half(void *u)
{
	struct half *half = u;
	struct store *db = NULL;
	int r = store_open(&db, half->path, STORE_READ, &schema_week);
	if (r > 0)
		r = err_say(-EIO, "%s cannot be opened once more (%d)", half->path, r);
	if (r == 0)
		r = store_begin(db);
	if (r == 0)
		r = check_ledger(db, &half->found);
	(void) store_close(db);
	half->r = r;
	(void) snprintf(half->why, sizeof half->why, "%s", err_text());
	return NULL;
}

static int check_halves(struct store *db, struct integrity *ret)
{
	struct half half = { .path = store_path(db) };
	int r = thread_start(&half.thread, check_half, &half);
	if (r < 0)
		return err_trace(r);
	r = check_book(db, ret);
	(void) pthread_join(half.thread, NULL);
	if (half.r < 0)
		return err_say(half.r, "%s", half.why);
	if (half.r > 0)
		memcpy(ret->finding, half.found.finding, sizeof ret->finding);
	ret->accounts = half.found.accounts;
	ret->rows = half.found.rows;
	ret->commits = half.found.commits;
	ret->balances = half.found.balances;
	return half.r > 0 ? half.r : r;
}

static int check_rows(struct store *db, enum integrity_how how, struct integrity *ret)
{
	if (how == INTEGRITY_STILL)
		return check_halves(db, ret);
	int r = check_ledger(db, ret);
	return r == 0 ? check_book(db, ret) : r;
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

int integrity_of_store(struct store *db, enum integrity_how how, struct integrity *ret)
{
	*ret = (struct integrity){ 0 };
	int r = check_pages(db, "file", how == INTEGRITY_FULL, ret);
	if (r == 0)
		r = store_begin(db);
	if (r != 0)
		return err_trace(r);
	r = check_rows(db, how, ret);
	store_rollback(db);
	return r;
}

int integrity_of_current(struct week *w, enum integrity_how how, struct integrity *ret)
{
	struct store *db;
	*ret = (struct integrity){ 0 };
	int r = check_pages(week_store(w), "file", how == INTEGRITY_FULL, ret);
	if (r == 0)
		r = check_pages(week_meta(w), "meta.db", how == INTEGRITY_FULL, ret);
	if (r != 0)
		return r;
	r = week_begin(w, &db);
	if (r != 0)
		return r < 0 ? err_trace(r) : err_say(-EIO, "the book cannot be read (%d)", r);
	r = check_rows(db, how, ret);
	week_rollback(w);
	return r ? r : check_audit_log(w, ret);
}

int integrity_check_store(struct store *db, bool full, struct integrity *ret)
{
	return err_trace(integrity_of_store(db, full ? INTEGRITY_FULL : INTEGRITY_QUICK, ret));
}

int integrity_check(struct week *w, bool full, struct integrity *ret)
{
	return err_trace(integrity_of_current(w, full ? INTEGRITY_FULL : INTEGRITY_QUICK, ret));
}
