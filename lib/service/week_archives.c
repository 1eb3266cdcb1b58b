#include "week_archives.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "ledger_impl.h"
#include "week_impl.h"

void week_archive_free(struct week_archive *a)
{
	free(a->blocks);
	a->blocks = NULL;
	a->n_blocks = 0;
}

static int read_blocks(struct stmt *st, int col, struct week_archive *ret)
{
	size_t n;
	const void *bytes = stmt_col_blob(st, col, &n);
	if (n == 0)
		return 0;
	ret->blocks = malloc(n);
	if (!ret->blocks)
		return -ENOMEM;
	memcpy(ret->blocks, bytes, n);
	ret->n_blocks = n / HASH_SIZE;
	return 0;
}

static int read_row(struct stmt *st, struct week_archive *ret)
{
	size_t n;
	ret->state = (int) stmt_col_int(st, 0);
	ret->bets = stmt_col_int(st, 1);
	ret->db_bytes = stmt_col_int(st, 2);
	const void *hash = stmt_col_blob(st, 3, &n);
	memcpy(ret->db_hash.b, hash, HASH_SIZE);
	ret->packed_bytes = stmt_col_int(st, 4);
	int r = read_blocks(st, 5, ret);
	const char *upload = stmt_col_text(st, 6, &n);
	(void) snprintf(ret->upload, sizeof ret->upload, "%.*s", (int) n, upload ? upload : "");
	ret->verified_ms = stmt_col_int(st, 7);
	ret->purged_ms = stmt_col_int(st, 8);
	ret->fetched_ms = stmt_col_int(st, 9);
	return r;
}

/* An object is plain unless it is the one that a form was noted for. */
static int read_form(struct week *w, struct week_archive *ret)
{
	struct stmt *st = store_stmt(w->meta, "SELECT inner_bytes, inner_hash, rows_hash FROM archive_forms WHERE week = ?1"
			" AND packed_bytes = ?2");
	ret->form = WEEK_ARCHIVE_PLAIN;
	ret->inner_bytes = ret->db_bytes;
	ret->inner_hash = ret->db_hash;
	stmt_int(st, 1, ret->week_id);
	stmt_int(st, 2, ret->packed_bytes);
	int r = stmt_step(st);
	if (r == STMT_ROW) {
		size_t n;
		ret->form = WEEK_ARCHIVE_PRESSED;
		ret->inner_bytes = stmt_col_int(st, 0);
		memcpy(ret->inner_hash.b, stmt_col_blob(st, 1, &n), HASH_SIZE);
		memcpy(ret->rows_hash.b, stmt_col_blob(st, 2, &n), HASH_SIZE);
		stmt_reset(st);
	}
	return r < 0 ? err_trace(r) : 0;
}

static int put_form(struct week *w, const struct week_archive *a)
{
	struct stmt *st;
	if (a->form != WEEK_ARCHIVE_PRESSED) {
		st = store_stmt(w->meta, "DELETE FROM archive_forms WHERE week = ?1");
		stmt_int(st, 1, a->week_id);
		return stmt_run(st);
	}
	st = store_stmt(w->meta, "INSERT INTO archive_forms(week, form, packed_bytes, inner_bytes, inner_hash, rows_hash)"
			" VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT(week) DO UPDATE SET packed_bytes = ?3, inner_bytes = ?4,"
			" inner_hash = ?5, rows_hash = ?6");
	stmt_int(st, 1, a->week_id);
	stmt_int(st, 2, a->form);
	stmt_int(st, 3, a->packed_bytes);
	stmt_int(st, 4, a->inner_bytes);
	stmt_blob(st, 5, a->inner_hash.b, HASH_SIZE);
	stmt_blob(st, 6, a->rows_hash.b, HASH_SIZE);
	return stmt_run(st);
}

static int begin(struct week *w)
{
	int r = store_begin(w->meta);
	return r > 0 ? err_say(-ENOSPC, "meta.db: the disk is full") : err_trace(r);
}

int week_archive_get(struct week *w, int64_t week_id, struct week_archive *ret)
{
	*ret = (struct week_archive){ .week_id = week_id };
	int r = begin(w);
	if (r < 0)
		return r;
	struct stmt *st = store_stmt(w->meta, "SELECT state, bets, db_bytes, db_hash, packed_bytes, blocks, upload, verified_at,"
			" purged_at, fetched_at FROM archives WHERE week = ?1");
	stmt_int(st, 1, week_id);
	r = stmt_step(st);
	if (r == STMT_ROW) {
		r = read_row(st, ret);
		stmt_reset(st);
		if (r == 0)
			r = read_form(w, ret);
	}
	store_rollback(w->meta);
	return err_trace(r);
}

int week_archive_put(struct week *w, const struct week_archive *a)
{
	int r = store_begin(w->meta);
	if (r != 0)
		return err_trace(r);
	struct stmt *st = store_stmt(w->meta, "INSERT INTO archives(week, state, bets, db_bytes, db_hash, packed_bytes, blocks, upload,"
			" verified_at, purged_at, fetched_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)"
			" ON CONFLICT(week) DO UPDATE SET state = ?2, bets = ?3, db_bytes = ?4, db_hash = ?5, packed_bytes = ?6,"
			" blocks = ?7, upload = ?8, verified_at = ?9, purged_at = ?10, fetched_at = ?11");
	stmt_int(st, 1, a->week_id);
	stmt_int(st, 2, a->state);
	stmt_int(st, 3, a->bets);
	stmt_int(st, 4, a->db_bytes);
	stmt_blob(st, 5, a->db_hash.b, HASH_SIZE);
	stmt_int(st, 6, a->packed_bytes);
	stmt_blob(st, 7, a->blocks ? (const void *) a->blocks : "", a->n_blocks * HASH_SIZE);
	stmt_text(st, 8, a->upload, strlen(a->upload));
	stmt_int(st, 9, a->verified_ms);
	stmt_int(st, 10, a->purged_ms);
	stmt_int(st, 11, a->fetched_ms);
	r = stmt_run(st);
	if (r == 0)
		r = put_form(w, a);
	if (r == 0)
		return err_trace(store_commit(w->meta));
	store_rollback(w->meta);
	return r == -ENOSPC ? STORE_E_FULL : err_trace(ledger_must(r, "the archive's record"));
}

int week_archive_newest(struct week *w, int64_t *ret_ms)
{
	int r = begin(w);
	if (r < 0)
		return r;
	struct stmt *st = store_stmt(w->meta, "SELECT coalesce(max(verified_at), 0) FROM archives");
	r = stmt_step(st);
	if (r == STMT_ROW) {
		*ret_ms = stmt_col_int(st, 0);
		stmt_reset(st);
		r = 0;
	}
	store_rollback(w->meta);
	return err_trace(r);
}
