/* given(rows): the caller's memory as a table, so that one statement writes what else took a statement a row. */
#include <string.h>

#include "check.h"
#include "err.h"
#include "store_impl.h"

#define POINTER "tap-given" /* only stmt_given can make such a pointer: no SQL text can */

enum { TEXT_COLUMN = STORE_GIVEN_INTS, ROWS_COLUMN };

struct cursor {
	sqlite3_vtab_cursor base;
	const struct store_given *rows;
	size_t at;
};

static int connect(sqlite3 *db, void *aux, int argc, const char *const *argv, sqlite3_vtab **ret, char **error)
{
	(void) aux, (void) argc, (void) argv, (void) error;
	int rc = sqlite3_declare_vtab(db, "CREATE TABLE x(a, b, c, d, e, f, text, rows HIDDEN)");
	if (rc != SQLITE_OK)
		return rc;
	(void) sqlite3_vtab_config(db, SQLITE_VTAB_DIRECTONLY);
	*ret = sqlite3_malloc(sizeof **ret);
	if (!*ret)
		return SQLITE_NOMEM;
	memset(*ret, 0, sizeof **ret);
	return SQLITE_OK;
}

static int disconnect(sqlite3_vtab *table)
{
	sqlite3_free(table);
	return SQLITE_OK;
}

/* Only with its rows; few beside any table of a book, so it is what others are looked up by. */
static int best_index(sqlite3_vtab *table, sqlite3_index_info *info)
{
	(void) table;
	for (int i = 0; i < info->nConstraint; i++) {
		const struct sqlite3_index_constraint *c = &info->aConstraint[i];
		if (c->iColumn != ROWS_COLUMN || c->op != SQLITE_INDEX_CONSTRAINT_EQ || !c->usable)
			continue;
		info->aConstraintUsage[i].argvIndex = 1;
		info->aConstraintUsage[i].omit = 1;
		info->estimatedCost = 10;
		info->estimatedRows = 10;
		return SQLITE_OK;
	}
	return SQLITE_CONSTRAINT;
}

static int open_cursor(sqlite3_vtab *table, sqlite3_vtab_cursor **ret)
{
	(void) table;
	struct cursor *c = sqlite3_malloc(sizeof *c);
	if (!c)
		return SQLITE_NOMEM;
	*c = (struct cursor){ .rows = NULL };
	*ret = &c->base;
	return SQLITE_OK;
}

static int close_cursor(sqlite3_vtab_cursor *cursor)
{
	sqlite3_free(cursor);
	return SQLITE_OK;
}

static int filter(sqlite3_vtab_cursor *cursor, int index, const char *text, int argc, sqlite3_value **argv)
{
	(void) index, (void) text;
	struct cursor *c = (struct cursor *) cursor;
	c->rows = argc == 1 ? sqlite3_value_pointer(argv[0], POINTER) : NULL;
	c->at = 0;
	return SQLITE_OK;
}

static int next(sqlite3_vtab_cursor *cursor)
{
	((struct cursor *) cursor)->at++;
	return SQLITE_OK;
}

static int eof(sqlite3_vtab_cursor *cursor)
{
	const struct cursor *c = (const struct cursor *) cursor;
	return !c->rows || c->at >= c->rows->n;
}

static int column(sqlite3_vtab_cursor *cursor, sqlite3_context *ret, int i)
{
	const struct cursor *c = (const struct cursor *) cursor;
	if (i < STORE_GIVEN_INTS)
		sqlite3_result_int64(ret, c->rows->ints[c->at][i]);
	else if (i == TEXT_COLUMN && c->rows->texts)
		sqlite3_result_text(ret, c->rows->texts[c->at], STORE_GIVEN_TEXT, SQLITE_STATIC);
	return SQLITE_OK;
}

static int rowid(sqlite3_vtab_cursor *cursor, sqlite3_int64 *ret)
{
	*ret = (sqlite3_int64) ((const struct cursor *) cursor)->at;
	return SQLITE_OK;
}

int store_add_given(sqlite3 *db)
{
	static const sqlite3_module module = {
		.xConnect = connect, .xBestIndex = best_index, .xDisconnect = disconnect, .xOpen = open_cursor,
		.xClose = close_cursor, .xFilter = filter, .xNext = next, .xEof = eof, .xColumn = column, .xRowid = rowid,
	};
	return sqlite3_create_module_v2(db, "given", &module, NULL, NULL);
}

void stmt_given(struct stmt *st, int at, const struct store_given *rows)
{
	union { /* SQLite gives the pointer back as it was; nobody writes through it */
		const struct store_given *in;
		void *out;
	} p = { .in = rows };
	if (st->h)
		stmt_bound(st, sqlite3_bind_pointer(st->h, at, p.out, POINTER, NULL));
}
