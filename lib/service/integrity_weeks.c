/* Over all weeks that are here: each file by itself, and that each begins where the one before it ended. */
#include "integrity.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "book.h"
#include "err.h"
#include "ledger_impl.h"

enum { WEEKS_MAX = 1024 };

struct walk {
	struct week_info all[WEEKS_MAX]; /* newest first */
	size_t n;
};

static bool take(void *u, const struct week_info *info)
{
	struct walk *walk = u;
	walk->all[walk->n++] = *info;
	return walk->n < WEEKS_MAX;
}

struct ends { /* what two neighbours have in common */
	struct hash start, end;
	struct money openings, balances;
	int64_t accounts_opened, accounts;
};

static int read_openings(struct store *db, struct ends *e)
{
	struct stmt *st = store_stmt(db, "SELECT coalesce(sum(amount), 0), count(*) FROM transaction_ledger"
			" WHERE id <= (SELECT coalesce(max(last_row), 0) FROM chain WHERE id = 1) AND ref_type = 'OPENING'");
	int r = stmt_step(st);
	if (r < 0)
		return err_trace(r);
	e->openings = money_of(stmt_col_int(st, 0));
	e->accounts_opened = stmt_col_int(st, 1);
	stmt_reset(st);
	st = store_stmt(db, "SELECT coalesce(sum(balance), 0), count(*) FROM users WHERE balance > 0");
	r = stmt_step(st);
	if (r < 0)
		return err_trace(r);
	e->balances = money_of(stmt_col_int(st, 0));
	e->accounts = stmt_col_int(st, 1);
	stmt_reset(st);
	return 0;
}

static int read_ends(struct store *db, struct ends *ret)
{
	struct book_page page;
	int64_t id, row;
	int r = book_page(db, &page);
	if (r != 0)
		return r < 0 ? err_trace(r) : err_say(-EBADMSG, "%s has no page", store_path(db));
	ret->start = page.chain_start;
	r = ledger_chain_end(db, &id, &row, &ret->end);
	return r == 0 ? read_openings(db, ret) : err_trace(r);
}

static int drift(struct integrity *i, const char *what)
{
	(void) snprintf(i->finding, sizeof i->finding, "weeks: %s", what);
	return INTEGRITY_E_DRIFT;
}

/* e: of this week; later: of the one after it, NULL when that is not here. */
static int compare(const struct ends *e, const struct ends *later, struct integrity *i)
{
	if (!later)
		return 0;
	if (memcmp(later->start.b, e->end.b, HASH_SIZE) != 0)
		return drift(i, "the next week's chain does not follow this one's");
	if (money_cmp(later->openings, e->balances) != 0 || later->accounts_opened != e->accounts)
		return drift(i, "the next week's openings are not this one's balances");
	return 0;
}

static int check_past(struct week *w, const struct week_info *info, bool full, struct integrity *ret, struct ends *ends)
{
	struct store *db;
	*ret = (struct integrity){ 0 };
	int r = week_open_past(w, info->week, &db);
	if (r != 0)
		return r < 0 ? err_trace(r) : err_say(-EIO, "a past week cannot be opened (%d)", r);
	r = integrity_check_store(db, full, ret);
	if (r == 0)
		r = store_begin(db);
	if (r == 0)
		r = read_ends(db, ends);
	store_rollback(db);
	(void) store_close(db);
	return r == -EBADMSG ? drift(ret, err_text()) : err_trace(r);
}

static int check_current(struct week *w, bool full, struct integrity *ret, struct ends *ends)
{
	struct store *db;
	int r = integrity_check(w, full, ret);
	if (r == 0)
		r = week_begin(w, &db);
	if (r == 0) {
		r = read_ends(db, ends);
		week_rollback(w);
	}
	return r;
}

static bool is_current(const struct week *w, const struct week_info *info)
{
	struct clk_week now = week_current(w);
	return now.year == info->week.year && now.week == info->week.week;
}

int integrity_check_weeks(struct week *w, bool full, integrity_week_cb *cb, void *u)
{
	struct walk walk = { .n = 0 };
	struct ends ends[2] = { 0 };
	bool later = false;
	int drifted = 0;
	int r = week_list(w, take, &walk);
	for (size_t i = 0; r == 0 && i < walk.n; i++) {
		const struct week_info *info = &walk.all[i];
		struct integrity found;
		if (!info->local) {
			later = false;
			continue;
		}
		r = info->closed_ms ? check_past(w, info, full, &found, &ends[i & 1]) :
			check_current(w, full, &found, &ends[i & 1]);
		if (r >= 0 && !info->closed_ms && !is_current(w, info))
			return integrity_check_weeks(w, full, cb, u); /* it ended meanwhile: nothing was told yet */
		if (r == 0)
			r = compare(&ends[i & 1], later ? &ends[!(i & 1)] : NULL, &found);
		if (r < 0)
			break;
		later = r == 0;
		drifted = drifted || r == INTEGRITY_E_DRIFT;
		r = 0;
		cb(u, info, &found);
	}
	return r == 0 ? drifted : err_trace(r);
}
