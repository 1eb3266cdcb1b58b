/* Recomputes players' limits from the first change on, and looks whether each account names its newest. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "ledger_impl.h"
#include "limits_book_impl.h"

struct kept { /* a user who has changes */
	int64_t user, newest;
	struct limits limits;
};

struct auditor {
	struct store *db;
	struct limits_audit *ret;
	struct kept *kept; /* by user */
	size_t n, cap;
	struct hash before;
};

PRINTF_LIKE(2, 3) static int found(struct auditor *a, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	(void) vsnprintf(a->ret->finding, sizeof a->ret->finding, fmt, ap);
	va_end(ap);
	return 1;
}

static struct kept *find(struct auditor *a, int64_t user)
{
	size_t lo = 0, hi = a->n;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (a->kept[mid].user < user)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < a->n && a->kept[lo].user == user ? &a->kept[lo] : NULL;
}

/* The accounts that say they have limits, by their ids. */
static int read_users(struct auditor *a)
{
	struct stmt *st = store_stmt(a->db, "SELECT id FROM users WHERE limits_row <> 0 ORDER BY id");
	int r;
	while ((r = stmt_step(st)) == STMT_ROW) {
		if (a->n == a->cap) {
			size_t more = a->cap ? a->cap * 2 : 256;
			struct kept *grown = realloc(a->kept, more * sizeof *grown);
			if (!grown) {
				stmt_reset(st);
				return -ENOMEM;
			}
			a->kept = grown;
			a->cap = more;
		}
		a->kept[a->n] = (struct kept){ .user = stmt_col_int(st, 0) };
		limits_init(&a->kept[a->n++].limits);
	}
	return err_trace(r);
}

static int take(struct auditor *a, const struct limits_row *row)
{
	struct hash hash = limits_row_hash(&a->before, row);
	struct kept *k = find(a, row->user);
	if (row->id != ++a->ret->changes || memcmp(&hash, &row->hash, sizeof hash) != 0)
		return found(a, "the limits' chain breaks at change %" PRId64, a->ret->changes);
	if (!k)
		return found(a, "limit %" PRId64 ": user %" PRId64 " does not name it", row->id, row->user);
	if (!limits_lawful(&k->limits, &row->change))
		return found(a, "limit %" PRId64 " of user %" PRId64 " could not be made", row->id, row->user);
	limits_take(&k->limits, &row->change);
	k->newest = row->id;
	a->before = hash;
	return 0;
}

static int walk(struct auditor *a)
{
	struct stmt *st = store_stmt(a->db, "SELECT " LIMITS_COLUMNS " FROM player_limits ORDER BY id");
	int r;
	while ((r = stmt_step(st)) == STMT_ROW) {
		struct limits_row row;
		r = limits_read_row(st, &row) ? take(a, &row) : found(a, "limit %" PRId64 " is damaged", a->ret->changes + 1);
		if (r != 0) {
			stmt_reset(st);
			break;
		}
	}
	return err_trace(r);
}

static int compare_users(struct auditor *a)
{
	struct stmt *st = store_stmt(a->db, "SELECT id, limits_row FROM users WHERE limits_row <> 0 ORDER BY id");
	int r;
	for (size_t i = 0; (r = stmt_step(st)) == STMT_ROW; i++) {
		if (i < a->n && stmt_col_int(st, 0) == a->kept[i].user && stmt_col_int(st, 1) == a->kept[i].newest)
			continue;
		r = found(a, "user %" PRId64 ": its newest limit is not change %" PRId64, stmt_col_int(st, 0), stmt_col_int(st, 1));
		stmt_reset(st);
		break;
	}
	return err_trace(r);
}

int limits_audit(struct store *db, struct limits_audit *ret)
{
	*ret = (struct limits_audit){ 0 };
	struct auditor a = { .db = db, .ret = ret };
	int r = read_users(&a);
	if (r == 0)
		r = walk(&a);
	if (r == 0)
		r = compare_users(&a);
	free(a.kept);
	return r == -EBADMSG ? found(&a, "%s", err_text()) : err_trace(r);
}
