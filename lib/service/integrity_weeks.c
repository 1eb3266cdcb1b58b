/* Over all weeks that are here: each file by itself, and that each begins where the one before it ended. */
#include "integrity_impl.h"

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
	struct hash start, end, seal_start, seal_end;
	bool seal_follows, sealed;
	int year, week;
	int64_t opened_ms;
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
	ret->year = page.year;
	ret->week = page.week;
	ret->opened_ms = page.opened_ms;
	r = ledger_chain_end(db, &id, &row, &ret->end);
	if (r == 0)
		r = seal_start(db, &ret->seal_start, &ret->seal_follows);
	if (r == 0)
		r = seal_end(db, &ret->seal_end, &ret->sealed);
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
	if (e->sealed && later->seal_follows && memcmp(later->seal_start.b, e->seal_end.b, HASH_SIZE) != 0)
		return drift(i, "the next week's seals do not follow this one's");
	if (money_cmp(later->openings, e->balances) != 0 || later->accounts_opened != e->accounts)
		return drift(i, "the next week's openings are not this one's balances");
	return 0;
}

/* What meta.db says of the weeks, against each other: one ends where the next begins, each in the week whose name it bears. */
static int check_names(const struct walk *walk, size_t i, struct integrity *ret)
{
	const struct week_info *info = &walk->all[i], *after = i ? &walk->all[i - 1] : NULL;
	struct clk_week week = clk_iso_week(info->opened_ms);
	if (week.year != info->week.year || week.week != info->week.week)
		return drift(ret, "in meta.db the week did not open in the week that it names");
	if (after ? info->closed_ms != after->opened_ms || info->id != after->id - 1 : info->closed_ms != 0)
		return drift(ret, "in meta.db the week does not end where the next one begins");
	if (i + 1 == walk->n && info->id != 1)
		return drift(ret, "meta.db has forgotten the weeks before it");
	return 0;
}

/* And against the file's own page. */
static int compare_page(const struct week_info *info, const struct ends *e, struct integrity *i)
{
	if (info->week.year != e->year || info->week.week != e->week || info->opened_ms != e->opened_ms)
		return drift(i, "meta.db names another week, or another moment of its opening, than the file's own page");
	return 0;
}

static int check_past(struct week *w, const struct week_info *info, enum integrity_how how, struct integrity *ret, struct ends *ends)
{
	struct store *db;
	*ret = (struct integrity){ 0 };
	int r = week_open_past(w, info->week, &db);
	if (r != 0)
		return r < 0 ? err_trace(r) : err_say(-EIO, "a past week cannot be opened (%d)", r);
	r = integrity_of_store(db, how, ret);
	if (r == 0)
		r = store_begin(db);
	if (r == 0)
		r = read_ends(db, ends);
	store_rollback(db);
	(void) store_close(db);
	return r == -EBADMSG ? drift(ret, err_text()) : err_trace(r);
}

static int check_current(struct week *w, enum integrity_how how, struct integrity *ret, struct ends *ends)
{
	struct store *db;
	int r = integrity_of_current(w, how, ret);
	if (r == 0)
		r = week_begin(w, &db);
	if (r == 0) {
		r = read_ends(db, ends);
		week_rollback(w);
	}
	return r;
}

static int check_file(struct week *w, const struct week_info *info, enum integrity_how how, struct integrity *ret, struct ends *e,
		const struct ends *later)
{
	int r = info->closed_ms ? check_past(w, info, how, ret, e) : check_current(w, how, ret, e);
	if (r == 0)
		r = compare(e, later, ret);
	return r == 0 ? compare_page(info, e, ret) : r;
}

static bool is_current(const struct week *w, const struct week_info *info)
{
	struct clk_week now = week_current(w);
	return now.year == info->week.year && now.week == info->week.week;
}

static int check_weeks(struct week *w, enum integrity_how how, integrity_week_cb *cb, void *u)
{
	struct walk walk = { .n = 0 };
	struct ends ends[2] = { 0 };
	bool later = false;
	int drifted = 0;
	int r = week_list(w, take, &walk);
	for (size_t i = 0; r == 0 && i < walk.n; i++) {
		const struct week_info *info = &walk.all[i];
		struct integrity found = { 0 };
		if (info->local)
			r = check_file(w, info, how, &found, &ends[i & 1], later ? &ends[!(i & 1)] : NULL);
		if (info->local && r >= 0 && !info->closed_ms && !is_current(w, info))
			return check_weeks(w, how, cb, u); /* it ended meanwhile: nothing was told yet */
		if (r == 0)
			r = check_names(&walk, i, &found);
		if (r < 0)
			break;
		later = info->local && r == 0;
		drifted = drifted || r == INTEGRITY_E_DRIFT;
		if (info->local || r == INTEGRITY_E_DRIFT)
			cb(u, info, &found);
		r = 0;
	}
	return r == 0 ? drifted : err_trace(r);
}

int integrity_check_weeks(struct week *w, bool full, integrity_week_cb *cb, void *u)
{
	return err_trace(check_weeks(w, full ? INTEGRITY_FULL : INTEGRITY_QUICK, cb, u));
}

int integrity_check_weeks_still(struct week *w, integrity_week_cb *cb, void *u)
{
	return err_trace(check_weeks(w, INTEGRITY_STILL, cb, u));
}
