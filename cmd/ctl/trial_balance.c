/* trial-balance: what players' rows took, the house and the custody gave. Over the weeks that are here without a gap, from the
 * current one back: inside them a week's openings are the balances of the one before, so only the oldest's count. */
#include <errno.h>

#include "ctl.h"
#include "err.h"
#include "ledger.h"

enum { ROWS_PER_PAGE = 500 };

/* The sums by which the house's and the custody's accounts are derived: what players' rows took, they gave. */
struct balance_sheet {
	struct store *db;
	int64_t by_type[LEDGER_REFS];
	int64_t players, accounts, rows;
	int64_t last_row;
	int failed;
	/* over the weeks, newest first */
	struct week *w;
	int64_t weeks;
	struct clk_week oldest;
	bool begun;
};

static bool add_entry(void *u, const struct entry *e)
{
	struct balance_sheet *b = u;
	int64_t *sum = &b->by_type[e->ref_type];
	if (__builtin_add_overflow(*sum, e->amount.micros, sum))
		b->failed = err_say(-EOVERFLOW, "a sum is beyond 64 bits");
	b->last_row = e->row;
	b->rows++;
	return !b->failed;
}

static bool add_account(void *u, const struct account *a)
{
	struct balance_sheet *b = u;
	struct ledger_query q = { .user = a->user, .to_ms = INT64_MAX, .limit = ROWS_PER_PAGE };
	bool more = true;
	if (b->weeks == 0) { /* what players have is what the current week says */
		b->accounts++;
		if (__builtin_add_overflow(b->players, a->balance.micros, &b->players))
			b->failed = err_say(-EOVERFLOW, "a sum is beyond 64 bits");
	}
	b->last_row = 0;
	while (more && !b->failed) {
		q.before_row = b->last_row;
		int r = ledger_list(b->db, &q, add_entry, b, &more);
		if (r < 0)
			b->failed = r;
	}
	return !b->failed;
}

static int add_week(struct balance_sheet *b, struct store *db)
{
	b->db = db;
	b->by_type[LEDGER_OPENING] = 0;
	int r = ledger_accounts(db, add_account, b);
	return r == 0 ? b->failed : r;
}

static int add_past_week(struct balance_sheet *b, struct clk_week week)
{
	struct store *db;
	int r = week_open_past(b->w, week, &db);
	if (r != 0)
		return r < 0 ? r : err_say(-EIO, "a past week cannot be opened (%d)", r);
	r = store_begin(db);
	if (r == 0)
		r = add_week(b, db);
	(void) store_close(db);
	return r;
}

/* One that was opened after our snapshot of the current one is not looked at. */
static bool take_week(void *u, const struct week_info *info)
{
	struct balance_sheet *b = u;
	struct clk_week current = week_current(b->w);
	bool is_current = info->week.year == current.year && info->week.week == current.week;
	if (!b->begun && !is_current)
		return true;
	b->begun = true;
	if (!info->local)
		return false;
	b->failed = is_current ? add_week(b, b->db) : add_past_week(b, info->week);
	b->oldest = info->week;
	b->weeks++;
	return b->failed == 0;
}

static int show_sheet(struct ctl *c, const struct balance_sheet *b)
{
	char since[WEEK_LABEL_SIZE];
	int64_t house = -(b->by_type[LEDGER_BET] + b->by_type[LEDGER_PAYOUT] + b->by_type[LEDGER_REFUND]);
	int64_t custody = -(b->by_type[LEDGER_DEPOSIT] + b->by_type[LEDGER_WITHDRAWAL] +
			    b->by_type[LEDGER_WITHDRAWAL_REVERSAL]);
	int64_t adjustments = -b->by_type[LEDGER_ADJUSTMENT], opening = -b->by_type[LEDGER_OPENING];
	int64_t total = b->players + house + custody + adjustments + opening;
	week_label(since, b->oldest);
	out_money(&c->out, "players", b->players);
	out_money(&c->out, "house", house);
	out_money(&c->out, "custody", custody);
	out_money(&c->out, "adjustments", adjustments);
	out_money(&c->out, "opening", opening);
	out_money(&c->out, "total", total);
	out_int(&c->out, "accounts", b->accounts);
	out_int(&c->out, "rows", b->rows);
	out_int(&c->out, "weeks", b->weeks);
	out_text(&c->out, "since", since);
	out_bool(&c->out, "balanced", total == 0);
	return total == 0 ? 0 : EX_DRIFT;
}

int verb_trial_balance(struct ctl *c)
{
	int code;
	struct balance_sheet b = { 0 };
	_cleanup_(week_closep) struct week *w = ctl_book(c, STORE_READ, &code);
	if (!w)
		return code;
	b.w = w;
	int r = week_begin(w, &b.db);
	if (r == 0)
		r = week_list(w, take_week, &b);
	if (r == 0)
		r = b.failed;
	if (r != 0)
		return ctl_fail_errno(c, r, "trial balance");
	return show_sheet(c, &b);
}
