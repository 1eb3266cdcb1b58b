/* From the book to bytes: new commits by their rising ids, each bet by its BET row, each sealed row by the seal that names it. */
#include <errno.h>
#include <string.h>

#include "book_ship_impl.h"
#include "check.h"
#include "err.h"

struct teller {
	struct store *db;
	struct buf *out;
	struct ship_at at;
	struct book_pos to;
	struct book_span told;
};

static int chain_hash(struct store *db, int64_t chain, struct hash *ret)
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
		return r < 0 ? err_trace(r) : BOOK_SHIP_E_OTHER;
	const void *hash = stmt_col_blob(st, 0, &n);
	if (n == HASH_SIZE)
		memcpy(ret->b, hash, HASH_SIZE);
	stmt_reset(st);
	return n == HASH_SIZE ? 0 : err_say(-EBADMSG, "commit %lld of the chain is damaged", (long long) chain);
}

static int seal_hash(struct store *db, int64_t seal, struct hash *ret)
{
	struct stmt *st = store_stmt(db, "SELECT hash FROM seals WHERE id = ?1");
	size_t n;
	stmt_int(st, 1, seal);
	int r = stmt_step(st);
	if (r <= 0)
		return r < 0 ? err_trace(r) : BOOK_SHIP_E_OTHER;
	const void *hash = stmt_col_blob(st, 0, &n);
	if (n == HASH_SIZE)
		memcpy(ret->b, hash, HASH_SIZE);
	stmt_reset(st);
	return n == HASH_SIZE ? 0 : err_say(-EBADMSG, "seal %lld is damaged", (long long) seal);
}

static int take_hashes(struct store *db, struct book_pos *pos)
{
	int r = chain_hash(db, pos->chain, &pos->chain_hash);
	return r == 0 ? seal_hash(db, pos->seal, &pos->seal_hash) : r;
}

static int newest_id(struct stmt *st, int64_t *ret)
{
	int r = stmt_step(st);
	if (r < 0)
		return err_trace(r);
	*ret = stmt_col_int(st, 0);
	stmt_reset(st);
	return 0;
}

int book_pos_end(struct store *db, struct book_pos *ret)
{
	*ret = (struct book_pos){ 0 };
	int r = newest_id(store_stmt(db, "SELECT coalesce(max(id), 0) FROM chain"), &ret->chain);
	if (r == 0)
		r = newest_id(store_stmt(db, "SELECT coalesce(max(id), 0) FROM seals"), &ret->seal);
	if (r == 0)
		r = newest_id(store_stmt(db, "SELECT coalesce(max(id), 0) FROM quotes"), &ret->quote);
	if (r == 0)
		r = take_hashes(db, ret);
	return r > 0 ? err_say(-EBADMSG, "the book has no seal") : r;
}

int book_pos_start(struct store *db, struct book_pos *ret)
{
	struct book_page page;
	int r = book_page(db, &page);
	if (r != 0)
		return r < 0 ? err_trace(r) : err_say(-EBADMSG, "the book has no page");
	/* the first week begins with nothing but its page; any other with the commit that carried the week before over */
	static const struct hash zeros;
	bool first = memcmp(&page.chain_start, &zeros, sizeof zeros) == 0;
	*ret = (struct book_pos){ .chain = !first, .seal = 1 };
	r = take_hashes(db, ret);
	return r > 0 ? err_say(-EBADMSG, "the book has no first seal") : r;
}

int book_pos_check(struct store *db, const struct book_pos *pos)
{
	struct book_pos here = *pos;
	int r = take_hashes(db, &here);
	if (r < 0)
		return r;
	if (r > 0 || memcmp(&here.chain_hash, &pos->chain_hash, HASH_SIZE) != 0 ||
			memcmp(&here.seal_hash, &pos->seal_hash, HASH_SIZE) != 0) {
		(void) err_say(0, "the book has no commit %lld and seal %lld of these hashes", (long long) pos->chain,
				(long long) pos->seal);
		return BOOK_SHIP_E_OTHER;
	}
	return 0;
}

static void put_bytes(struct buf *out, const void *p, size_t n)
{
	varint_put(out, n);
	buf_put(out, p, n);
}

static int put_columns(struct teller *t, struct stmt *st, enum seal_kind kind)
{
	for (int i = 0; i < ship_columns(kind); i++) {
		enum stmt_type type = stmt_col_type(st, i);
		size_t n;
		const void *p;
		varint_put(t->out, (uint64_t) type);
		switch (type) {
		case STMT_INT:
			varint_put_difference(t->out, stmt_col_int(st, i), 0);
			break;
		case STMT_TEXT:
			p = stmt_col_text(st, i, &n);
			put_bytes(t->out, p, n);
			break;
		case STMT_BLOB:
			p = stmt_col_blob(st, i, &n);
			put_bytes(t->out, p, n);
			break;
		case STMT_NULL:
			break;
		case STMT_REAL:
			return err_say(-EBADMSG, "a value of no type that a book holds");
		}
	}
	return 0;
}

static int tell_change(struct teller *t, const struct seal_change *c)
{
	struct stmt *st;
	t->told.sealed++;
	t->told.columns += c->kind == SEAL_COLUMN;
	if (ship_columns(c->kind) == 0)
		return 0;
	int r = seal_row(t->db, c->kind, c->key, &st);
	if (r < 0)
		return err_trace(r);
	r = put_columns(t, st, c->kind);
	stmt_reset(st);
	return r;
}

static int tell_seal(struct teller *t, int64_t id, const void *changed, size_t n)
{
	struct varint_reader in = { changed, (const uint8_t *) changed + n };
	int r = 0;
	put_bytes(t->out, changed, n);
	while (r == 0 && in.at < in.end) {
		struct seal_change c;
		r = seal_read_change(&in, &c) ? tell_change(t, &c) :
				err_say(-EBADMSG, "seal %lld names what is no change", (long long) id);
	}
	return r;
}

/* The seals of commit `chain` after t->to.seal. */
static int tell_seals(struct teller *t, int64_t chain, int64_t count)
{
	struct stmt *st = store_stmt(t->db, "SELECT id, changed FROM seals WHERE id > ?1 AND chain <= ?2 ORDER BY id LIMIT ?3");
	stmt_int(st, 1, t->to.seal);
	stmt_int(st, 2, chain);
	stmt_int(st, 3, count);
	int r;
	while ((r = stmt_step(st)) == STMT_ROW) {
		size_t n;
		const void *changed = stmt_col_blob(st, 1, &n);
		t->to.seal = stmt_col_int(st, 0);
		r = tell_seal(t, t->to.seal, changed, n);
		if (r < 0) {
			stmt_reset(st);
			break;
		}
	}
	return err_trace(r);
}

/* They lie together at the beginning of what is new: chain rises with id. */
static int count_seals(struct teller *t, int64_t chain, int64_t *ret)
{
	struct stmt *st = store_stmt(t->db, "SELECT chain FROM seals WHERE id > ?1 ORDER BY id");
	int r;
	*ret = 0;
	stmt_int(st, 1, t->to.seal);
	while ((r = stmt_step(st)) == STMT_ROW) {
		if (stmt_col_int(st, 0) > chain) {
			stmt_reset(st);
			return 0;
		}
		++*ret;
	}
	return err_trace(r);
}

static void put_cell(struct teller *t, int64_t t0_s, int64_t low_cents)
{
	varint_put_difference(t->out, t0_s, t->at.t0_s);
	varint_put_difference(t->out, low_cents, t->at.low_cents);
	t->at.t0_s = t0_s;
	t->at.low_cents = low_cents;
}

static int tell_bet(struct teller *t, const struct raw_row *row)
{
	struct cell cell;
	struct stored_bet b;
	ledger_cell_of_ref(&cell, row->cell_ref);
	put_cell(t, cell.t0_s, cell.low_cents);
	if (row->ref_type != LEDGER_BET)
		return 0;
	int r = book_load_undated(t->db, row->user, cell.t0_s, cell.low_cents, &b);
	if (r != 0)
		return r < 0 ? err_trace(r) : err_say(-EBADMSG, "row %lld is of a bet that is not there", (long long) row->id);
	varint_put(t->out, (uint64_t) b.bet.stake.micros);
	varint_put(t->out, (uint64_t) b.bet.rate.e4);
	varint_put_difference(t->out, b.bet.rate_min.e4, b.bet.rate.e4);
	varint_put_difference(t->out, b.bet.signed_s, row->at_ms / 1000);
	varint_put(t->out, (uint64_t) b.bet.signer);
	buf_put(t->out, b.bet.nonce, NONCE_SIZE);
	t->told.bets++;
	return 0;
}

static int tell_row(struct teller *t, const struct raw_row *row)
{
	t->told.rows++;
	varint_put(t->out, (uint64_t) row->ref_type);
	varint_put_difference(t->out, row->user, t->at.user);
	varint_put_difference(t->out, row->at_ms, t->at.at_ms);
	t->at.user = row->user;
	t->at.at_ms = row->at_ms;
	if (row->ref_type == LEDGER_BET || row->ref_type == LEDGER_PAYOUT || row->ref_type == LEDGER_REFUND)
		return tell_bet(t, row);
	varint_put_difference(t->out, row->amount, 0);
	put_bytes(t->out, row->text, row->text_len);
	return 0;
}

static int tell_rows(struct teller *t, int64_t first, int64_t last)
{
	struct stmt *st = store_stmt(t->db, "SELECT " ROW_COLUMNS " FROM transaction_ledger WHERE id BETWEEN ?1 AND ?2 ORDER BY id");
	int64_t told = t->told.rows;
	int r;
	stmt_int(st, 1, first);
	stmt_int(st, 2, last);
	while ((r = stmt_step(st)) == STMT_ROW) {
		struct walk_row w;
		r = ledger_read_row(st, &w) == 0 ? tell_row(t, &w.raw) : err_say(-EBADMSG, "a ledger row is damaged");
		if (r < 0) {
			stmt_reset(st);
			return err_trace(r);
		}
	}
	if (r == 0 && t->told.rows - told != last - first + 1)
		return err_say(-EBADMSG, "ledger rows %lld to %lld are not all there", (long long) first, (long long) last);
	return err_trace(r);
}

/* A commit with rows (first > 0), and all seals until the next; or seals alone that followed the last commit told. */
static int tell_unit(struct teller *t, int64_t chain, int64_t first, int64_t last)
{
	int64_t seals;
	int r = count_seals(t, chain, &seals);
	if (r < 0 || (first == 0 && seals == 0))
		return r;
	varint_put(t->out, (uint64_t) (first > 0 ? last - first + 2 : 1));
	varint_put(t->out, (uint64_t) seals);
	r = tell_seals(t, chain, seals);
	if (r == 0 && first > 0)
		r = tell_rows(t, first, last);
	t->to.chain = chain;
	return r;
}

static int tell_units(struct teller *t, int64_t rows_max, bool *ret_more)
{
	int r = tell_unit(t, t->to.chain, 0, 0);
	if (r < 0)
		return r;
	struct stmt *st = store_stmt(t->db, "SELECT id, first_row, last_row FROM chain WHERE id > ?1 ORDER BY id");
	stmt_int(st, 1, t->to.chain);
	while ((r = stmt_step(st)) == STMT_ROW) {
		*ret_more = t->told.rows >= rows_max || t->out->n > t->out->max / 2;
		r = *ret_more ? 0 : tell_unit(t, stmt_col_int(st, 0), stmt_col_int(st, 1), stmt_col_int(st, 2));
		if (*ret_more || r < 0) {
			stmt_reset(st);
			break;
		}
	}
	return err_trace(r);
}

/* A quote goes with the bets that it priced; of a span that ends before the book does, those that were made by its last row. */
static int tell_quotes(struct teller *t, bool more)
{
	struct stmt *st = store_stmt(t->db, "SELECT id, t, made FROM quotes WHERE id > ?1 AND (?2 = 0 OR t <= ?2) ORDER BY id");
	int64_t t_before = 0;
	int r;
	stmt_int(st, 1, t->to.quote);
	stmt_int(st, 2, more ? t->at.at_ms : 0);
	while ((r = stmt_step(st)) == STMT_ROW) {
		size_t n;
		const void *made = stmt_col_blob(st, 2, &n);
		varint_put(t->out, 1);
		varint_put_difference(t->out, stmt_col_int(st, 0), t->told.quotes ? t->to.quote : 0);
		varint_put_difference(t->out, stmt_col_int(st, 1), t_before);
		put_bytes(t->out, made, n);
		t->to.quote = stmt_col_int(st, 0);
		t_before = stmt_col_int(st, 1);
		t->told.quotes++;
	}
	varint_put(t->out, 0);
	return err_trace(r);
}

int book_tell(struct store *db, const struct book_pos *from, int64_t rows_max, struct buf *out, struct book_pos *ret_to,
		struct book_span *ret, bool *ret_more)
{
	struct teller t = { .db = db, .out = out, .to = *from };
	*ret_more = false;
	int r = tell_units(&t, rows_max, ret_more);
	varint_put(out, 0);
	if (r == 0)
		r = tell_quotes(&t, *ret_more);
	if (r == 0)
		r = take_hashes(db, &t.to);
	if (r == 0 && out->failed)
		r = err_say(-ENOMEM, "a span of more than %zu bytes", out->max);
	*ret_to = t.to;
	*ret = t.told;
	return r > 0 ? err_say(-EBADMSG, "the book's chain or seals end early") : err_trace(r);
}
