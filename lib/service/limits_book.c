#include "limits_book.h"

#include <errno.h>
#include <string.h>

#include "check.h"
#include "err.h"
#include "ledger_impl.h"
#include "limits_book_impl.h"

bool limits_read_row(struct stmt *st, struct limits_row *ret)
{
	static const enum stmt_type types[] = { STMT_INT, STMT_INT, STMT_INT, STMT_INT, STMT_INT, STMT_INT, STMT_TEXT, STMT_BLOB };
	size_t hash_n;
	for (int i = 0; i < (int) ARRAY_LEN(types); i++)
		if (stmt_col_type(st, i) != types[i])
			return false;
	int64_t kind = stmt_col_int(st, 2);
	*ret = (struct limits_row){ .id = stmt_col_int(st, 0), .user = stmt_col_int(st, 1),
		.change = { .limit = (enum limit) kind, .value = stmt_col_int(st, 3), .at_ms = stmt_col_int(st, 4),
			.from_ms = stmt_col_int(st, 5) } };
	ret->who = stmt_col_text(st, 6, &ret->who_n);
	const void *hash = stmt_col_blob(st, 7, &hash_n);
	if (kind < LIMIT_COLUMN || kind >= LIMIT_END || hash_n != HASH_SIZE)
		return false;
	memcpy(ret->hash.b, hash, HASH_SIZE);
	return true;
}

struct hash limits_row_hash(const struct hash *before, const struct limits_row *row)
{
	struct sha256 h;
	sha256_start(&h);
	sha256_add(&h, before->b, HASH_SIZE);
	sha256_add_be64(&h, row->id);
	sha256_add_be64(&h, row->user);
	sha256_add_be64(&h, (int64_t) row->change.limit);
	sha256_add_be64(&h, row->change.value);
	sha256_add_be64(&h, row->change.at_ms);
	sha256_add_be64(&h, row->change.from_ms);
	sha256_add_be64(&h, (int64_t) row->who_n);
	sha256_add(&h, row->who, row->who_n);
	return sha256_end(&h);
}

/* *ret_today: how many of them were made since since_ms. */
static int fold(struct store *db, const struct account *a, int64_t since_ms, struct limits *ret, int64_t *ret_today)
{
	struct limits_row row;
	int r;
	limits_init(ret);
	*ret_today = 0;
	if (a->limits_row == 0)
		return 0;
	struct stmt *st = store_stmt(db, "SELECT " LIMITS_COLUMNS " FROM player_limits WHERE user = ?1 ORDER BY id");
	stmt_int(st, 1, a->user);
	while ((r = stmt_step(st)) == STMT_ROW) {
		if (!limits_read_row(st, &row)) {
			stmt_reset(st);
			return err_say(-EBADMSG, "a limit of user %lld is damaged", (long long) a->user);
		}
		limits_take(ret, &row.change);
		*ret_today += row.change.at_ms > since_ms;
	}
	return err_trace(r);
}

int limits_load(struct store *db, const struct account *a, struct limits *ret)
{
	int64_t today;
	return fold(db, a, INT64_MAX, ret, &today);
}

static int newest(struct store *db, int64_t *ret_id, struct hash *ret)
{
	struct stmt *st = store_stmt(db, "SELECT id, hash FROM player_limits ORDER BY id DESC LIMIT 1");
	size_t n;
	*ret_id = 0;
	memset(ret, 0, sizeof *ret);
	int r = stmt_step(st);
	if (r <= 0)
		return err_trace(r);
	const void *hash = stmt_col_blob(st, 1, &n);
	*ret_id = stmt_col_int(st, 0);
	if (n == HASH_SIZE)
		memcpy(ret->b, hash, HASH_SIZE);
	stmt_reset(st);
	return 0;
}

static int append(struct store *db, struct account *a, const struct limit_change *c, const char *who)
{
	struct limits_row row = { .user = a->user, .change = *c, .who = who, .who_n = strlen(who) };
	struct hash before;
	int r = newest(db, &row.id, &before);
	if (r < 0)
		return err_trace(r);
	row.id++;
	row.hash = limits_row_hash(&before, &row);
	struct stmt *st = store_stmt(db, "INSERT INTO player_limits(" LIMITS_COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)");
	stmt_int(st, 1, row.id);
	stmt_int(st, 2, row.user);
	stmt_int(st, 3, (int64_t) c->limit);
	stmt_int(st, 4, c->value);
	stmt_int(st, 5, c->at_ms);
	stmt_int(st, 6, c->from_ms);
	stmt_text(st, 7, who, row.who_n);
	stmt_blob(st, 8, row.hash.b, HASH_SIZE);
	r = ledger_must(stmt_run(st), "limit");
	if (r == 0)
		r = seal_in(db, SEAL_LIMIT, row.id);
	if (r < 0)
		return err_trace(r);
	st = store_stmt(db, "UPDATE users SET limits_row = ?2 WHERE id = ?1");
	stmt_int(st, 1, a->user);
	stmt_int(st, 2, row.id);
	a->limits_row = row.id;
	return ledger_must(stmt_run(st), "account's limits");
}

/* The changes that the wishes come to, one after the other. <0 never. */
static int plan(const struct limits *now, const struct limit_wish *wishes, size_t n, int64_t now_ms, struct limit_change *changes,
		size_t *ret_n)
{
	struct limits after = *now;
	*ret_n = 0;
	for (size_t i = 0; i < n; i++) {
		int r = limits_ask(&after, wishes[i].limit, wishes[i].value, now_ms, &changes[*ret_n]);
		if (r == LIMITS_E_RANGE)
			return LIMITS_BOOK_E_RANGE;
		if (r == 0)
			limits_take(&after, &changes[(*ret_n)++]);
	}
	return 0;
}

int limits_change(struct store *db, struct account *a, const struct limit_wish *wishes, size_t n, const char *who, int64_t now_ms,
		struct limits *ret)
{
	struct limit_change changes[LIMIT_END];
	int64_t today;
	size_t made;
	CHECK(n < ARRAY_LEN(changes) && *who && strlen(who) <= LIMITS_WHO_MAX);
	int r = fold(db, a, now_ms - INT64_C(86400000), ret, &today);
	if (r == 0)
		r = plan(ret, wishes, n, now_ms, changes, &made);
	if (r != 0)
		return r;
	bool first_exclusion = made == 1 && changes[0].limit == LIMIT_EXCLUSION && ret->exclusion_ms == 0;
	if (made > 0 && today + (int64_t) made > LIMITS_CHANGES_A_DAY && !first_exclusion)
		return LIMITS_BOOK_E_OFTEN;
	for (size_t i = 0; i < made; i++) {
		limits_take(ret, &changes[i]);
		r = append(db, a, &changes[i], who);
		if (r < 0)
			return err_trace(r);
	}
	return 0;
}
