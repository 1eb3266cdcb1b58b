/* Whole tables by their names: for who takes every row of a file as it stands, whatever its schema says of them. */
#include <errno.h>
#include <stdio.h>

#include "check.h"
#include "err.h"
#include "store_impl.h"

static int failed(struct store *s, int rc, const char *what)
{
	int r = store_fail(s, rc, what);
	if (!s->doomed)
		s->doomed = r;
	return s->doomed;
}

static int prepare(struct store *s, const char *sql, sqlite3_stmt **ret)
{
	CHECK(s->in_tx);
	if (s->doomed)
		return s->doomed;
	int rc = sqlite3_prepare_v2(s->db, sql, -1, ret, NULL);
	return rc == SQLITE_OK ? 0 : failed(s, rc, sql);
}

static int walk(struct store *s, sqlite3_stmt *h, const char *what, store_row_cb *cb, void *u)
{
	struct stmt row = { .store = s, .h = h };
	int rc = SQLITE_ROW, r = 0;
	while (r == 0 && rc == SQLITE_ROW) {
		rc = store_fault();
		if (rc == SQLITE_OK)
			rc = sqlite3_step(h);
		if (rc == SQLITE_ROW)
			r = cb(u, &row, sqlite3_column_count(h));
		else if (rc != SQLITE_DONE)
			r = failed(s, rc, what);
	}
	return r;
}

static int select_all(struct store *s, const char *table, sqlite3_stmt **ret)
{
	char sql[128];
	(void) snprintf(sql, sizeof sql, "SELECT * FROM \"%s\"", table);
	return prepare(s, sql, ret);
}

int store_rows(struct store *s, const char *table, store_row_cb *cb, void *u)
{
	sqlite3_stmt *h = NULL;
	int r = select_all(s, table, &h);
	if (r == 0)
		r = walk(s, h, table, cb, u);
	(void) sqlite3_finalize(h);
	return err_trace(r);
}

struct copying {
	struct store *to;
	sqlite3_stmt *insert;
	const char *table;
	store_row_cb *cb;
	void *u;
};

static int copy_row(void *u, struct stmt *row, int columns)
{
	struct copying *c = u;
	int rc = SQLITE_OK;
	for (int i = 0; rc == SQLITE_OK && i < columns; i++)
		rc = sqlite3_bind_value(c->insert, i + 1, sqlite3_column_value(row->h, i));
	if (rc == SQLITE_OK)
		rc = store_fault();
	if (rc == SQLITE_OK)
		rc = sqlite3_step(c->insert);
	if (rc != SQLITE_DONE)
		return failed(c->to, rc, c->table);
	(void) sqlite3_reset(c->insert);
	return c->cb ? c->cb(c->u, row, columns) : 0;
}

/* The columns by their names: a table that migrations widened may hold them in another order than one that is new. */
static int prepare_insert(struct copying *c, sqlite3_stmt *from)
{
	char sql[2048];
	size_t n = (size_t) snprintf(sql, sizeof sql, "INSERT INTO \"%s\"(", c->table);
	int columns = sqlite3_column_count(from);
	for (int i = 0; i < columns && n < sizeof sql; i++)
		n += (size_t) snprintf(sql + n, sizeof sql - n, "%s\"%s\"", i ? "," : "", sqlite3_column_name(from, i));
	for (int i = 0; i < columns && n < sizeof sql; i++)
		n += (size_t) snprintf(sql + n, sizeof sql - n, "%s?%d", i ? "," : ") VALUES (", i + 1);
	if (n + 2 > sizeof sql)
		return err_say(-E2BIG, "table %s has too many columns", c->table);
	sql[n] = ')';
	sql[n + 1] = '\0';
	return prepare(c->to, sql, &c->insert);
}

int store_copy_rows(struct store *from, struct store *to, const char *table, store_row_cb *cb, void *u)
{
	struct copying c = { .to = to, .table = table, .cb = cb, .u = u };
	sqlite3_stmt *h = NULL;
	int r = select_all(from, table, &h);
	if (r == 0)
		r = prepare_insert(&c, h);
	if (r == 0)
		r = walk(from, h, table, copy_row, &c);
	(void) sqlite3_finalize(c.insert);
	(void) sqlite3_finalize(h);
	return err_trace(r);
}

int store_tables(struct store *s, store_row_cb *cb, void *u)
{
	sqlite3_stmt *h = NULL;
	static const char sql[] = "SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
			" ORDER BY name";
	int r = prepare(s, sql, &h);
	if (r == 0)
		r = walk(s, h, "sqlite_schema", cb, u);
	(void) sqlite3_finalize(h);
	return err_trace(r);
}
