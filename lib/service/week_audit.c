/* meta.db's log of what operators changed. hash = SHA-256(hash before, zeros at first || id || at || each of who, what, why as
 * its length and its bytes); every integer is 8 bytes, big-endian. Each row's id and hash stand in the week's `anchors` too. */
#include "week_impl.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "err.h"
#include "ledger_impl.h"

static void add_text(struct sha256 *h, const char *text, size_t n)
{
	sha256_add_be64(h, (int64_t) n);
	sha256_add(h, text, n);
}

static struct hash row_hash(const struct hash *before, const struct audit_row *row, const size_t lengths[3])
{
	struct sha256 h;
	sha256_start(&h);
	sha256_add(&h, before->b, HASH_SIZE);
	sha256_add_be64(&h, row->id);
	sha256_add_be64(&h, row->at_ms);
	add_text(&h, row->who, lengths[0]);
	add_text(&h, row->what, lengths[1]);
	add_text(&h, row->why, lengths[2]);
	return sha256_end(&h);
}

static int last_hash(struct store *db, int64_t *ret_id, struct hash *ret)
{
	struct stmt *st = store_stmt(db, "SELECT id, hash FROM audit ORDER BY id DESC LIMIT 1");
	*ret_id = 0;
	memset(ret, 0, sizeof *ret);
	int r = stmt_step(st);
	if (r <= 0)
		return err_trace(r);
	size_t n;
	const void *hash = stmt_col_blob(st, 1, &n);
	*ret_id = stmt_col_int(st, 0);
	if (n == HASH_SIZE)
		memcpy(ret->b, hash, HASH_SIZE);
	stmt_reset(st);
	return 0;
}

static int append(struct store *db, struct audit_row *row, struct hash *ret)
{
	struct hash before;
	const size_t lengths[3] = { strlen(row->who), strlen(row->what), strlen(row->why) };
	int r = last_hash(db, &row->id, &before);
	if (r < 0)
		return err_trace(r);
	row->id++;
	struct hash hash = *ret = row_hash(&before, row, lengths);
	struct stmt *st = store_stmt(db, "INSERT INTO audit(id, at, who, what, why, hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6)");
	stmt_int(st, 1, row->id);
	stmt_int(st, 2, row->at_ms);
	stmt_text(st, 3, row->who, lengths[0]);
	stmt_text(st, 4, row->what, lengths[1]);
	stmt_text(st, 5, row->why, lengths[2]);
	stmt_blob(st, 6, hash.b, HASH_SIZE);
	return ledger_must(stmt_run(st), "audit log");
}

static int append_to_log(struct week *w, struct audit_row *row, struct hash *ret)
{
	int r = store_begin(w->meta);
	if (r != 0)
		return err_trace(r);
	r = append(w->meta, row, ret);
	if (r == 0)
		return err_trace(store_commit(w->meta));
	store_rollback(w->meta);
	return r == -ENOSPC ? STORE_E_FULL : err_trace(r);
}

static int put_anchor(struct store *db, int64_t id, const struct hash *hash)
{
	struct stmt *st = store_stmt(db, "INSERT INTO anchors(id, hash) VALUES (?1, ?2)");
	stmt_int(st, 1, id);
	stmt_blob(st, 2, hash->b, HASH_SIZE);
	int r = ledger_must(stmt_run(st), "anchor");
	return r == 0 ? err_trace(seal_in(db, SEAL_ANCHOR, id)) : err_trace(r);
}

/* The log's end is told to the book, so that a log that was cut off is found. A crash before leaves the book knowing less. */
static int anchor(struct week *w, int64_t id, const struct hash *hash)
{
	struct store *db;
	int r = week_begin(w, &db);
	if (r != 0)
		return err_trace(r);
	r = put_anchor(db, id, hash);
	if (r == 0)
		return err_trace(week_commit(w));
	week_rollback(w);
	return r == -ENOSPC ? STORE_E_FULL : err_trace(r);
}

int week_audit_log(struct week *w, const char *who, const char *what, const char *why, int64_t now_ms)
{
	CHECK(!store_in_tx(w->book));
	struct audit_row row = { .at_ms = now_ms, .who = who, .what = what, .why = why };
	struct hash hash;
	int r = append_to_log(w, &row, &hash);
	return r == 0 ? anchor(w, row.id, &hash) : r;
}

int week_audit_newest(struct week *w, int64_t *ret)
{
	struct hash hash;
	int r = store_begin(w->meta);
	if (r != 0)
		return err_trace(r);
	r = last_hash(w->meta, ret, &hash);
	store_rollback(w->meta);
	return err_trace(r);
}

int week_audit_after(struct week *w, int64_t id, int64_t limit, audit_cb *cb, void *u)
{
	int r = store_begin(w->meta);
	if (r != 0)
		return err_trace(r);
	struct stmt *st = store_stmt(w->meta, "SELECT id, at, who, what, why FROM audit WHERE id > ?1 ORDER BY id LIMIT ?2");
	stmt_int(st, 1, id);
	stmt_int(st, 2, limit);
	while ((r = stmt_step(st)) == STMT_ROW) {
		size_t n;
		struct audit_row row = { .id = stmt_col_int(st, 0), .at_ms = stmt_col_int(st, 1), .who = stmt_col_text(st, 2, &n),
			.what = stmt_col_text(st, 3, &n), .why = stmt_col_text(st, 4, &n) };
		if (!cb(u, &row)) {
			stmt_reset(st);
			break;
		}
	}
	store_rollback(w->meta);
	return r < 0 ? err_trace(r) : 0;
}

static bool same_row(struct stmt *st, const struct audit_row *row)
{
	const char *const texts[] = { row->who, row->what, row->why };
	bool same = stmt_col_int(st, 0) == row->at_ms;
	for (int i = 0; i < 3; i++) {
		size_t n;
		const char *text = stmt_col_text(st, i + 1, &n);
		same = same && n == strlen(texts[i]) && (n == 0 || memcmp(text, texts[i], n) == 0);
	}
	return same;
}

static int append_again(struct store *meta, const struct audit_row *row)
{
	struct hash hash;
	int64_t newest;
	struct stmt *st = store_stmt(meta, "SELECT at, who, what, why FROM audit WHERE id = ?1");
	stmt_int(st, 1, row->id);
	int r = stmt_step(st);
	if (r == STMT_ROW) {
		bool same = same_row(st, row);
		stmt_reset(st);
		return same ? 0 : WEEK_E_LOG;
	}
	if (r == 0)
		r = last_hash(meta, &newest, &hash);
	if (r < 0)
		return err_trace(r);
	struct audit_row made = *row;
	return newest + 1 == row->id ? append(meta, &made, &hash) : WEEK_E_LOG;
}

int week_audit_again(struct week *w, const struct audit_row *row)
{
	int r = store_begin(w->meta);
	if (r != 0)
		return r == STORE_E_FULL ? -ENOSPC : err_trace(r);
	r = append_again(w->meta, row);
	if (r == 0)
		r = store_commit(w->meta);
	else
		store_rollback(w->meta);
	return r == STORE_E_FULL ? -ENOSPC : err_trace(r);
}

static int check_row(struct stmt *st, struct hash *before, int64_t expected, struct audit_row *ret)
{
	static const enum stmt_type types[] = { STMT_INT, STMT_INT, STMT_TEXT, STMT_TEXT, STMT_TEXT, STMT_BLOB };
	size_t lengths[3], n;
	for (int i = 0; i < 6; i++)
		if (stmt_col_type(st, i) != types[i])
			return 1;
	*ret = (struct audit_row){ .id = stmt_col_int(st, 0), .at_ms = stmt_col_int(st, 1),
		.who = stmt_col_text(st, 2, &lengths[0]), .what = stmt_col_text(st, 3, &lengths[1]),
		.why = stmt_col_text(st, 4, &lengths[2]) };
	const void *hash = stmt_col_blob(st, 5, &n);
	*before = row_hash(before, ret, lengths);
	return ret->id == expected && n == HASH_SIZE && memcmp(before->b, hash, HASH_SIZE) == 0 ? 0 : 1;
}

struct anchor { /* id 0: none */
	int64_t id;
	struct hash hash;
};

static int last_anchor(struct week *w, struct anchor *ret)
{
	struct store *db;
	*ret = (struct anchor){ 0 };
	int r = week_begin(w, &db);
	if (r != 0)
		return r < 0 ? err_trace(r) : err_say(-ENOSPC, "the disk is full");
	struct stmt *st = store_stmt(db, "SELECT id, hash FROM anchors ORDER BY id DESC LIMIT 1");
	r = stmt_step(st);
	if (r == STMT_ROW) {
		size_t n;
		const void *hash = stmt_col_blob(st, 1, &n);
		ret->id = stmt_col_int(st, 0);
		if (n == HASH_SIZE)
			memcpy(ret->hash.b, hash, HASH_SIZE);
		stmt_reset(st);
	}
	week_rollback(w);
	return r < 0 ? err_trace(r) : 0;
}

static int walk(struct store *db, const struct anchor *anchor, audit_cb *cb, void *u, char *finding, size_t size)
{
	struct stmt *st = store_stmt(db, "SELECT id, at, who, what, why, hash FROM audit ORDER BY id");
	struct hash before = { 0 };
	int64_t expected = 1;
	int r;
	for (; (r = stmt_step(st)) == STMT_ROW; expected++) {
		struct audit_row row;
		if (check_row(st, &before, expected, &row) != 0 ||
				(expected == anchor->id && memcmp(&before, &anchor->hash, sizeof before) != 0)) {
			(void) snprintf(finding, size, "the audit log breaks at row %" PRId64, expected);
			stmt_reset(st);
			return 1;
		}
		if (cb && !cb(u, &row))
			cb = NULL; /* enough for the reader; the chain is checked to its end */
	}
	if (r == 0 && expected <= anchor->id) {
		(void) snprintf(finding, size, "the audit log ends before row %" PRId64 ", but the book knows of row %" PRId64,
				expected, anchor->id);
		return 1;
	}
	return err_trace(r);
}

int week_audit_read(struct week *w, audit_cb *cb, void *u, char *finding, size_t size)
{
	struct anchor anchor;
	finding[0] = '\0';
	int r = last_anchor(w, &anchor); /* before the log is read, which only grows */
	if (r < 0)
		return err_trace(r);
	r = store_begin(w->meta);
	if (r != 0)
		return r < 0 ? err_trace(r) : err_say(-ENOSPC, "meta.db: the disk is full");
	r = walk(w->meta, &anchor, cb, u, finding, size);
	if (r == -EBADMSG) {
		(void) snprintf(finding, size, "%s", err_text());
		r = 1;
	}
	store_rollback(w->meta);
	return err_trace(r);
}
