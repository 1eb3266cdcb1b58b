#include "report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bet.h"
#include "err.h"

#define DAY_MS "86400000"

/* The day's place, made when it is new; NULL with *ret_r: no memory, too many, or (0) not asked for. */
static struct report_day *day_of(struct report *r, int64_t day, int *ret_r)
{
	size_t i = r->n;
	*ret_r = 0;
	if (day < r->from_day || day >= r->to_day)
		return NULL;
	while (i > 0 && r->days[i - 1].day > day)
		i--;
	if (i > 0 && r->days[i - 1].day == day)
		return &r->days[i - 1];
	if (r->n == REPORT_DAYS_MAX) {
		*ret_r = err_say(-EOVERFLOW, "more than %d days", REPORT_DAYS_MAX);
		return NULL;
	}
	struct report_day *days = reallocarray(r->days, r->n + 1, sizeof *days);
	if (!days) {
		*ret_r = -ENOMEM;
		return NULL;
	}
	memmove(&days[i + 1], &days[i], (r->n - i) * sizeof *days);
	days[i] = (struct report_day){ .day = day };
	r->days = days;
	r->n++;
	return &days[i];
}

static int add(int64_t *sum, int64_t v)
{
	return __builtin_add_overflow(*sum, v, sum) ? err_say(-EOVERFLOW, "a day's sum is beyond 64 bits") : 0;
}

static int add_rows(struct report *rep, struct stmt *st)
{
	enum ledger_ref ref;
	size_t n;
	int r;
	const char *name = stmt_col_text(st, 1, &n);
	if (!ledger_ref_parse(&ref, name))
		return err_say(-EBADMSG, "a ledger row is of no known type");
	struct report_day *day = day_of(rep, stmt_col_int(st, 0), &r);
	if (!day)
		return r;
	r = add(&day->counts[ref], stmt_col_int(st, 2));
	return r == 0 ? add(&day->sums[ref], stmt_col_int(st, 3)) : r;
}

static int add_lost(struct report *rep, struct stmt *st)
{
	int r;
	struct report_day *day = day_of(rep, stmt_col_int(st, 0), &r);
	return day ? add(&day->lost, stmt_col_int(st, 1)) : r;
}

static int add_all(struct report *rep, struct stmt *st, int (*take)(struct report *rep, struct stmt *st))
{
	int r;
	while ((r = stmt_step(st)) == STMT_ROW) {
		r = take(rep, st);
		if (r < 0) {
			stmt_reset(st);
			break;
		}
	}
	return err_trace(r);
}

/* One snapshot's: from and to bound it. */
static int ledger_piece(struct report *rep, struct store *db, int64_t from, int64_t to)
{
	struct stmt *st = store_stmt(db, "SELECT at / " DAY_MS ", ref_type, count(*), sum(amount) FROM transaction_ledger"
			" WHERE id > ?1 AND id <= ?2 GROUP BY 1, 2");
	stmt_int(st, 1, from);
	stmt_int(st, 2, to);
	return add_all(rep, st, add_rows);
}

static int lost_piece(struct report *rep, struct store *db, int64_t from, int64_t to)
{
	struct stmt *st = store_stmt(db, "SELECT c.settled_at / " DAY_MS ", count(*) FROM bets b CROSS JOIN columns c"
			" WHERE b.t0 > ?1 AND b.t0 <= ?2 AND b.status = ?3 AND c.t0 = b.t0 GROUP BY 1");
	stmt_int(st, 1, from);
	stmt_int(st, 2, to);
	stmt_int(st, 3, BET_LOST);
	return add_all(rep, st, add_lost);
}

static int bounds(struct store *db, struct stmt *(*ask)(struct store *db), int64_t *ret_first, int64_t *ret_last)
{
	int r = store_begin(db);
	if (r != 0)
		return r < 0 ? err_trace(r) : err_say(-EAGAIN, "the book cannot be read (%d)", r);
	struct stmt *st = ask(db);
	r = stmt_step(st);
	if (r == STMT_ROW) {
		*ret_first = stmt_col_int(st, 0);
		*ret_last = stmt_col_int(st, 1);
	}
	store_rollback(db);
	return r < 0 ? err_trace(r) : 0;
}

static struct stmt *ask_rows(struct store *db)
{
	return store_stmt(db, "SELECT coalesce((SELECT id FROM transaction_ledger ORDER BY id LIMIT 1), 1),"
			" coalesce((SELECT id FROM transaction_ledger ORDER BY id DESC LIMIT 1), 0)");
}

static struct stmt *ask_columns(struct store *db)
{
	return store_stmt(db, "SELECT coalesce((SELECT t0 FROM bets ORDER BY t0 LIMIT 1), 1),"
			" coalesce((SELECT t0 FROM bets ORDER BY t0 DESC LIMIT 1), 0)");
}

static int in_pieces(struct report *rep, struct store *db, struct stmt *(*ask)(struct store *db), int64_t size,
		int (*piece)(struct report *rep, struct store *db, int64_t from, int64_t to))
{
	int64_t first = 1, last = 0;
	int r = bounds(db, ask, &first, &last);
	for (int64_t from = first - 1; r == 0 && from < last; from += size) {
		r = store_begin(db);
		if (r == 0)
			r = piece(rep, db, from, from + size < last ? from + size : last);
		store_rollback(db);
	}
	return err_trace(r);
}

int report_add(struct report *r, struct store *db)
{
	int x = in_pieces(r, db, ask_rows, REPORT_ROWS, ledger_piece);
	return x == 0 ? in_pieces(r, db, ask_columns, REPORT_SPAN_S, lost_piece) : x;
}

void report_free(struct report *r)
{
	free(r->days);
	*r = (struct report){ 0 };
}
