#include "seal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "buf.h"
#include "check.h"
#include "err.h"
#include "ledger_impl.h"

enum { CHANGED_MAX = 1 << 20 };

#define SEALED(table, columns, key) "SELECT " columns " FROM " table " WHERE " key " = ?1", "SELECT " columns " FROM " table

static const struct sealed {
	const char *one, *all;
	int columns;
	int moving[SEAL_VALUES]; /* the columns of a row that change in its life; 0: no more of them */
} kinds[SEAL_KINDS] = {
	[SEAL_ACCOUNT] = { SEALED("users", "id, wallet, suspended, created_at", "id"), 4, { 2 } },
	[SEAL_COLUMN] = { SEALED("columns", "t0, status, anchor_t, anchor_p, path_low, path_high, ticks, path, digest, prev_digest,"
			" settled_at, bets", "t0"), 12, { 0 } },
	[SEAL_SETTLING] = { SEALED("settling", "t0, after_low, after_user, open_bets", "t0"), 4, { 1, 2, 3 } },
	[SEAL_WITHDRAWAL] = { SEALED("withdrawals", "id, ref, user, amount, dest, nonce, signed_at, status, requested_at,"
			" decided_at", "id"), 10, { 7, 9 } },
	[SEAL_PAGE] = { SEALED("book", "id, year, week, opened_at, chain_start, settled_until", "id"), 6, { 5 } },
	[SEAL_ANCHOR] = { SEALED("anchors", "id, hash", "id"), 2, { 0 } },
	[SEAL_EXTERNAL] = { SEALED("external_refs", "ref_id, ref_type, user, amount, at", "ref_id"), 5, { 0 } },
	[SEAL_LIMIT] = { SEALED("player_limits", "id, user, kind, value, at, starts, who, hash", "id"), 8, { 0 } },
	[SEAL_KEY] = { SEALED("session_keys", "id, user, address, player_column, player_open, expires_at", "id"), 6, { 0 } },
};

static int hash_row(struct hash *ret, enum seal_kind kind, struct stmt *row)
{
	struct sha256 h;
	sha256_start(&h);
	sha256_add_be64(&h, kind);
	for (int i = 0; i < kinds[kind].columns; i++) {
		enum stmt_type type = stmt_col_type(row, i);
		size_t n = 0;
		sha256_add_be64(&h, type);
		if (type == STMT_INT) {
			sha256_add_be64(&h, stmt_col_int(row, i));
		} else if (type == STMT_TEXT || type == STMT_BLOB) {
			const void *p = type == STMT_TEXT ? stmt_col_text(row, i, &n) : stmt_col_blob(row, i, &n);
			sha256_add_be64(&h, (int64_t) n);
			sha256_add(&h, p, n);
		} else if (type != STMT_NULL) {
			return err_say(-EBADMSG, "a value of no type that a book holds");
		}
	}
	*ret = sha256_end(&h);
	return 0;
}

static void sum_hash(struct seal_sum *sum, const struct hash *hash, bool out)
{
	unsigned carry = 0;
	for (size_t i = 0; i < ARRAY_LEN(sum->part); i++) {
		uint64_t v = be64_get(hash->b + HASH_SIZE - 8 * (i + 1));
		bool a = out ? __builtin_sub_overflow(sum->part[i], v, &sum->part[i]) :
				__builtin_add_overflow(sum->part[i], v, &sum->part[i]);
		bool b = out ? __builtin_sub_overflow(sum->part[i], carry, &sum->part[i]) :
				__builtin_add_overflow(sum->part[i], carry, &sum->part[i]);
		carry = a || b;
	}
}

static struct hash sum_bytes(const struct seal_sum *sum)
{
	struct hash h;
	for (size_t i = 0; i < ARRAY_LEN(sum->part); i++)
		be64_put(h.b + HASH_SIZE - 8 * (i + 1), sum->part[i]);
	return h;
}

static int add_row(struct seal_sum *sum, enum seal_kind kind, struct stmt *row, bool out)
{
	struct hash hash;
	int r = hash_row(&hash, kind, row);
	if (r == 0)
		sum_hash(sum, &hash, out);
	return r;
}

int seal_row(struct store *db, enum seal_kind kind, int64_t key, struct stmt **ret)
{
	CHECK(kind != SEAL_EXTERNAL); /* has no number for its key */
	struct stmt *st = *ret = store_stmt(db, kinds[kind].one);
	stmt_int(st, 1, key);
	int r = stmt_step(st);
	if (r <= 0)
		return r < 0 ? err_trace(r) : err_say(-EBADMSG, "a row to be sealed is not there");
	return 0;
}

int seal_add_row(struct seal_sum *sum, enum seal_kind kind, struct stmt *row)
{
	return add_row(sum, kind, row, false);
}

int seal_add(struct store *db, struct seal_sum *sum, enum seal_kind kind, int64_t key, bool out)
{
	struct stmt *st;
	int r = seal_row(db, kind, key, &st);
	if (r < 0)
		return r;
	r = add_row(sum, kind, st, out);
	stmt_reset(st);
	return r;
}

int seal_add_all(struct store *db, struct seal_sum *sum, enum seal_kind kind)
{
	struct stmt *st = store_stmt(db, kinds[kind].all);
	int r;
	while ((r = stmt_step(st)) == STMT_ROW) {
		r = add_row(sum, kind, st, false);
		if (r < 0) {
			stmt_reset(st);
			break;
		}
	}
	return err_trace(r);
}

static int add_everything(struct store *db, struct seal_sum *sum)
{
	int r = 0;
	*sum = (struct seal_sum){ 0 };
	for (enum seal_kind kind = SEAL_ACCOUNT; r == 0 && kind < SEAL_KINDS; kind++)
		r = seal_add_all(db, sum, kind);
	return err_trace(r);
}

struct seal { /* a row */
	int64_t id, chain;
	struct hash sum, hash;
	const void *changed; /* lives as long as the row */
	size_t changed_n;
};

#define SEAL_COLUMNS "id, chain, sum, hash, changed"

/* 0, or 1 when the columns are not what a seal may hold. */
static int read_seal(struct stmt *st, struct seal *ret)
{
	size_t n, m;
	*ret = (struct seal){ .id = stmt_col_int(st, 0), .chain = stmt_col_int(st, 1) };
	const void *sum = stmt_col_blob(st, 2, &n), *hash = stmt_col_blob(st, 3, &m);
	if (n != HASH_SIZE || m != HASH_SIZE || stmt_col_type(st, 2) != STMT_BLOB || stmt_col_type(st, 3) != STMT_BLOB)
		return 1;
	memcpy(ret->sum.b, sum, HASH_SIZE);
	memcpy(ret->hash.b, hash, HASH_SIZE);
	ret->changed = stmt_col_blob(st, 4, &ret->changed_n);
	return stmt_col_type(st, 4) != STMT_BLOB;
}

static int read_one(struct stmt *st, struct seal *ret)
{
	int r = stmt_step(st);
	if (r < 0)
		return err_trace(r);
	if (r == STMT_DONE)
		return err_say(-EBADMSG, "the file's seals are gone");
	r = read_seal(st, ret);
	stmt_reset(st);
	return r == 0 ? 0 : err_say(-EBADMSG, "a seal is damaged");
}

static int newest(struct store *db, struct seal *ret)
{
	return read_one(store_stmt(db, "SELECT " SEAL_COLUMNS " FROM seals ORDER BY id DESC LIMIT 1"), ret);
}

int seal_end(struct store *db, struct hash *ret, bool *ret_known)
{
	struct seal s;
	int r = newest(db, &s);
	if (r < 0)
		return r;
	*ret = s.hash;
	*ret_known = s.id > 0;
	return 0;
}

int seal_start(struct store *db, struct hash *ret, bool *ret_known)
{
	struct seal s;
	int r = read_one(store_stmt(db, "SELECT " SEAL_COLUMNS " FROM seals WHERE id = 0"), &s);
	if (r < 0)
		return r;
	*ret = s.hash;
	*ret_known = s.chain == 0;
	return 0;
}

int seal_begin(struct store *db, struct seal_tx *tx)
{
	struct seal s;
	if (tx->begun)
		return 0;
	int r = newest(db, &s);
	if (r < 0)
		return r;
	buf_clear(&tx->changed);
	tx->changed.max = CHANGED_MAX;
	*tx = (struct seal_tx){ .begun = true, .whole = s.id == 0, .id = s.id + 1, .before = s.hash, .changed = tx->changed };
	for (size_t i = 0; i < ARRAY_LEN(tx->sum.part); i++)
		tx->sum.part[i] = be64_get(s.sum.b + HASH_SIZE - 8 * (i + 1));
	return 0;
}

static int begin_in(struct store *db, struct seal_tx **ret)
{
	struct ledger_tx *tx = ledger_tx(db);
	if (!tx)
		return -ENOMEM;
	*ret = &tx->seal;
	return seal_begin(db, &tx->seal);
}

int seal_out(struct store *db, enum seal_kind kind, int64_t key)
{
	struct seal_tx *tx;
	int r = begin_in(db, &tx);
	return r < 0 || tx->whole ? r : seal_add(db, &tx->sum, kind, key, true);
}

static void note(struct seal_tx *tx, enum seal_kind kind, int64_t key, struct stmt *row)
{
	varint_put(&tx->changed, (uint64_t) kind);
	varint_put_difference(&tx->changed, key, 0);
	for (size_t i = 0; i < SEAL_VALUES && kinds[kind].moving[i]; i++)
		varint_put_difference(&tx->changed, row ? stmt_col_int(row, kinds[kind].moving[i]) : 0, 0);
}

int seal_in(struct store *db, enum seal_kind kind, int64_t key)
{
	struct seal_tx *tx;
	struct stmt *st;
	int r = begin_in(db, &tx);
	if (r == 0)
		r = seal_row(db, kind, key, &st);
	if (r < 0)
		return r;
	note(tx, kind, key, st);
	r = tx->whole ? 0 : add_row(&tx->sum, kind, st, false);
	stmt_reset(st);
	return r;
}

int seal_gone(struct store *db, enum seal_kind kind, int64_t key)
{
	struct seal_tx *tx;
	int r = begin_in(db, &tx);
	if (r == 0)
		note(tx, kind, key, NULL);
	return r;
}

bool seal_read_change(struct varint_reader *in, struct seal_change *ret)
{
	int64_t kind;
	*ret = (struct seal_change){ 0 };
	if (!varint_get_up_to(in, SEAL_KINDS - 1, &kind) || kind < SEAL_ACCOUNT || kind == SEAL_EXTERNAL ||
			!varint_get_difference(in, 0, &ret->key))
		return false;
	ret->kind = (enum seal_kind) kind;
	for (size_t i = 0; i < SEAL_VALUES && kinds[kind].moving[i]; i++)
		if (!varint_get_difference(in, 0, &ret->values[i]))
			return false;
	return true;
}

static struct hash link_hash(const struct hash *before, const struct seal *s, const struct hash *commit)
{
	struct sha256 h;
	sha256_start(&h);
	sha256_add(&h, before->b, HASH_SIZE);
	sha256_add_be64(&h, s->id);
	sha256_add_be64(&h, s->chain);
	sha256_add(&h, commit->b, HASH_SIZE);
	sha256_add(&h, s->sum.b, HASH_SIZE);
	if (s->changed_n > 0) { /* a seal of an older release has none */
		sha256_add_be64(&h, (int64_t) s->changed_n);
		sha256_add(&h, s->changed, s->changed_n);
	}
	return sha256_end(&h);
}

static int write_seal(struct store *db, const struct seal *s)
{
	struct stmt *st = store_stmt(db, "INSERT INTO seals(" SEAL_COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5)");
	stmt_int(st, 1, s->id);
	stmt_int(st, 2, s->chain);
	stmt_blob(st, 3, s->sum.b, HASH_SIZE);
	stmt_blob(st, 4, s->hash.b, HASH_SIZE);
	stmt_blob(st, 5, s->changed_n ? s->changed : "", s->changed_n);
	return ledger_must(stmt_run(st), "seal");
}

static int append(struct store *db, const struct seal_tx *tx)
{
	struct seal s = { .id = tx->id, .sum = sum_bytes(&tx->sum), .changed = tx->changed.p, .changed_n = tx->changed.n };
	struct hash commit;
	int64_t row;
	int r = ledger_chain_end(db, &s.chain, &row, &commit);
	if (r < 0)
		return err_trace(r);
	s.hash = link_hash(&tx->before, &s, &commit);
	return write_seal(db, &s);
}

int seal_close(struct store *db, struct seal_tx *tx)
{
	if (!tx->begun)
		return 0;
	if (tx->changed.failed)
		return err_say(-ENOMEM, "one commit changes more sealed rows than it can name");
	int r = tx->whole ? add_everything(db, &tx->sum) : 0;
	return r == 0 ? append(db, tx) : r;
}

int seal_first(struct store *db, const struct hash *week_before, const struct seal_sum *sum)
{
	const struct seal start = { .hash = *week_before };
	int r = ledger_must(stmt_run(store_stmt(db, "DELETE FROM seals")), "seals");
	if (r == 0)
		r = write_seal(db, &start);
	return r == 0 ? append(db, &(struct seal_tx){ .id = 1, .sum = *sum, .before = *week_before }) : err_trace(r);
}

static int found(struct seal_audit *a, const char *what, int64_t id)
{
	(void) snprintf(a->finding, sizeof a->finding, "seal %" PRId64 ": %s", id, what);
	return 1;
}

static int commit_hash(struct store *db, int64_t chain, struct hash *ret)
{
	struct book_page page;
	size_t n;
	if (chain == 0) {
		int r = book_page(db, &page);
		if (r == 0)
			*ret = book_page_hash(&page);
		return err_trace(r);
	}
	struct stmt *st = store_stmt(db, "SELECT hash FROM chain WHERE id = ?1");
	stmt_int(st, 1, chain);
	int r = stmt_step(st);
	if (r <= 0)
		return r < 0 ? err_trace(r) : 1;
	const void *hash = stmt_col_blob(st, 0, &n);
	if (n == HASH_SIZE)
		memcpy(ret->b, hash, HASH_SIZE);
	stmt_reset(st);
	return n != HASH_SIZE;
}

static int check_start(const struct seal *s, struct seal_audit *ret)
{
	static const struct hash zeros;
	if (s->id != 0 || s->chain < -1 || s->chain > 0 || memcmp(&s->sum, &zeros, sizeof zeros) != 0)
		return found(ret, "is no beginning", s->id);
	return 0;
}

static int check_next(struct store *db, const struct seal *s, const struct seal *before, struct seal_audit *ret)
{
	struct hash commit;
	if (s->id != before->id + 1)
		return found(ret, "the one before it is missing", s->id);
	int r = s->chain < before->chain ? 1 : commit_hash(db, s->chain, &commit);
	if (r != 0)
		return r < 0 ? err_trace(r) : found(ret, "its commit is not there", s->id);
	struct hash hash = link_hash(&before->hash, s, &commit);
	ret->seals++;
	return memcmp(&hash, &s->hash, sizeof hash) == 0 ? 0 : found(ret, "it does not follow the one before it", s->id);
}

static int check_seals(struct store *db, struct seal *last, struct seal_audit *ret)
{
	struct stmt *st = store_stmt(db, "SELECT " SEAL_COLUMNS " FROM seals ORDER BY id");
	bool first = true;
	int r;
	while ((r = stmt_step(st)) == STMT_ROW) {
		struct seal s;
		r = read_seal(st, &s) != 0 ? found(ret, "is damaged", s.id) : first ? check_start(&s, ret) :
				check_next(db, &s, last, ret);
		if (r != 0) {
			stmt_reset(st);
			return r;
		}
		*last = s;
		first = false;
	}
	if (r == 0 && (first || (last->id == 0 && last->chain == 0)))
		return found(ret, "there are none after it", 0);
	return err_trace(r);
}

int seal_audit(struct store *db, struct seal_audit *ret)
{
	struct seal last = { 0 };
	struct seal_sum sum;
	*ret = (struct seal_audit){ 0 };
	int r = check_seals(db, &last, ret);
	if (r == 0 && last.id > 0) {
		r = add_everything(db, &sum);
		struct hash bytes = sum_bytes(&sum);
		if (r == 0 && memcmp(&bytes, &last.sum, sizeof bytes) != 0)
			r = found(ret, "a row that the ledger does not speak of is not what was sealed", last.id);
	}
	if (r == -EBADMSG) {
		(void) snprintf(ret->finding, sizeof ret->finding, "%s", err_text());
		r = 1;
	}
	return err_trace(r);
}
