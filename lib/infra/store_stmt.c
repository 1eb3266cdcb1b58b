/* Prepared statements, found again by the address of their text. */
#include <errno.h>
#include <string.h>

#include "check.h"
#include "err.h"
#include "fault.h"
#include "store_impl.h"

static struct stmt *slot_of(struct store *s, const char *sql)
{
	size_t at = ((uintptr_t) sql >> 3) * UINT64_C(0x9e3779b97f4a7c15) >> 56;
	while (s->stmts[at % STMTS_MAX].sql && s->stmts[at % STMTS_MAX].sql != sql)
		at++;
	return &s->stmts[at % STMTS_MAX];
}

static void prepare(struct store *s, struct stmt *st, const char *sql)
{
	if (!st->sql) {
		CHECK(s->stmts_used < STMTS_MAX * 3 / 4);
		s->stmts_used++;
	}
	st->store = s;
	st->sql = sql;
	int rc = sqlite3_prepare_v3(s->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &st->h, NULL);
	st->failed = rc == SQLITE_OK ? 0 : store_fail(s, rc, sql);
}

struct stmt *store_stmt(struct store *s, const char *sql)
{
	CHECK(s->in_tx);
	struct stmt *st = slot_of(s, sql);
	if (!st->h)
		prepare(s, st, sql);
	CHECK(!st->h || !sqlite3_stmt_busy(st->h));
	if (st->h)
		(void) sqlite3_clear_bindings(st->h);
	st->unbound = SQLITE_OK;
	return st;
}

void stmt_bound(struct stmt *st, int rc)
{
	if (rc != SQLITE_OK && st->unbound == SQLITE_OK)
		st->unbound = rc;
}

void stmt_int(struct stmt *st, int at, int64_t v)
{
	if (st->h)
		stmt_bound(st, sqlite3_bind_int64(st->h, at, v));
}

void stmt_blob(struct stmt *st, int at, const void *p, size_t n)
{
	if (st->h)
		stmt_bound(st, sqlite3_bind_blob64(st->h, at, n ? p : "", n, SQLITE_STATIC));
}

void stmt_text(struct stmt *st, int at, const char *text, size_t n)
{
	if (st->h)
		stmt_bound(st, sqlite3_bind_text64(st->h, at, text, n, SQLITE_STATIC, SQLITE_UTF8));
}

void stmt_null(struct stmt *st, int at)
{
	if (st->h)
		stmt_bound(st, sqlite3_bind_null(st->h, at));
}

int store_fault(void)
{
	return fault_hits(FAULT_STORE_STEP) ? SQLITE_IOERR : fault_hits(FAULT_STORE_FULL) ? SQLITE_FULL : SQLITE_OK;
}

static int step_failed(struct stmt *st, int rc)
{
	struct store *s = st->store;
	int r = store_fail(s, rc, st->sql);
	(void) sqlite3_reset(st->h);
	/* A constraint undoes its own statement and no more; anything else ends the transaction's hope. */
	if ((rc & 0xff) == SQLITE_CONSTRAINT && !sqlite3_get_autocommit(s->db))
		return r;
	if (!s->doomed)
		s->doomed = r == -EEXIST ? -EIO : r;
	return s->doomed;
}

int stmt_step(struct stmt *st)
{
	struct store *s = st->store;
	CHECK(s->in_tx);
	if (s->doomed || !st->h) {
		if (!s->doomed)
			s->doomed = st->failed;
		return s->doomed;
	}
	CHECK(st->unbound == SQLITE_OK || st->unbound == SQLITE_NOMEM);
	if (st->unbound != SQLITE_OK)
		return step_failed(st, st->unbound);
	int rc = store_fault();
	if (rc == SQLITE_OK)
		rc = sqlite3_step(st->h);
	if (rc == SQLITE_ROW)
		return STMT_ROW;
	if (rc != SQLITE_DONE)
		return step_failed(st, rc);
	(void) sqlite3_reset(st->h);
	return STMT_DONE;
}

int stmt_run(struct stmt *st)
{
	int r = stmt_step(st);
	CHECK(r != STMT_ROW);
	return r == -EEXIST ? STORE_E_CONSTRAINT : r;
}

int store_script(struct store *s, const char *sql)
{
	CHECK(s->in_tx);
	if (s->doomed)
		return s->doomed;
	int rc = store_fault();
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(s->db, sql, NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		return 0;
	int r = store_fail(s, rc, sql);
	if (r == -EEXIST && !sqlite3_get_autocommit(s->db))
		return STORE_E_CONSTRAINT;
	s->doomed = r == -EEXIST ? -EIO : r;
	return s->doomed;
}

void stmt_reset(struct stmt *st)
{
	if (st->h)
		(void) sqlite3_reset(st->h);
}

int64_t stmt_col_int(struct stmt *st, int col)
{
	return sqlite3_column_int64(st->h, col);
}

enum stmt_type stmt_col_type(struct stmt *st, int col)
{
	switch (sqlite3_column_type(st->h, col)) {
	case SQLITE_INTEGER:
		return STMT_INT;
	case SQLITE_TEXT:
		return STMT_TEXT;
	case SQLITE_BLOB:
		return STMT_BLOB;
	case SQLITE_FLOAT:
		return STMT_REAL;
	default:
		return STMT_NULL;
	}
}

bool stmt_col_null(struct stmt *st, int col)
{
	return stmt_col_type(st, col) == STMT_NULL;
}

const void *stmt_col_blob(struct stmt *st, int col, size_t *ret_n)
{
	const void *p = sqlite3_column_blob(st->h, col);
	*ret_n = p ? (size_t) sqlite3_column_bytes(st->h, col) : 0;
	return p;
}

const char *stmt_col_text(struct stmt *st, int col, size_t *ret_n)
{
	const char *text = (const char *) sqlite3_column_text(st->h, col);
	*ret_n = text ? (size_t) sqlite3_column_bytes(st->h, col) : 0;
	return text ? text : "";
}

int64_t store_last_rowid(struct store *s)
{
	return sqlite3_last_insert_rowid(s->db);
}

int64_t store_changes(struct store *s)
{
	return sqlite3_changes64(s->db);
}

int64_t store_writes(struct store *s)
{
	return sqlite3_total_changes64(s->db);
}
