/* report: money and bets by UTC day, over the weeks that are here. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "clk.h"
#include "ctl.h"
#include "err.h"
#include "report.h"

enum { WEEKS_MAX = 1024, DATE_SIZE = 11 };
#define DAY_MS INT64_C(86400000)

struct local_weeks {
	struct clk_week weeks[WEEKS_MAX];
	size_t n, elsewhere;
	int64_t from_ms, to_ms;
};

static void date_text(char out[DATE_SIZE], int64_t day)
{
	char text[CLK_RFC3339_SIZE];
	clk_rfc3339(text, day * DAY_MS);
	(void) snprintf(out, DATE_SIZE, "%.10s", text);
}

/* The day that is written so: one that is not in the calendar comes out otherwise. */
static bool parse_date(int64_t *ret, const char *text)
{
	int year, month, day, n = 0;
	char again[DATE_SIZE];
	if (sscanf(text, "%4d-%2d-%2d%n", &year, &month, &day, &n) != 3 || text[n] || n != DATE_SIZE - 1 || year < 1970)
		return false;
	/* Rata Die, years that begin in March: the leap day is the last */
	int64_t y = month <= 2 ? year - 1 : year, m = month <= 2 ? month + 9 : month - 3;
	*ret = 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 719469;
	date_text(again, *ret);
	return strcmp(again, text) == 0;
}

static bool date_option(struct ctl *c, const char *name, int64_t preset, int64_t *ret)
{
	const char *text = ctl_option(c, name);
	*ret = preset;
	if (!text || parse_date(ret, text))
		return true;
	(void) ctl_fail(c, EX_USAGE, "--%s %s: must be a day as 2026-11-21", name, text);
	return false;
}

/* A day's slack: a clock that was set back wrote rows of before the week. */
static bool take_week(void *u, const struct week_info *info)
{
	struct local_weeks *l = u;
	int64_t closed_ms = info->closed_ms ? info->closed_ms : INT64_MAX - DAY_MS;
	if (info->opened_ms - DAY_MS >= l->to_ms || closed_ms + DAY_MS < l->from_ms)
		return true;
	if (info->local)
		l->weeks[l->n++] = info->week;
	else
		l->elsewhere++;
	return l->n < WEEKS_MAX;
}

static int add_week(struct report *rep, struct week *w, struct clk_week week)
{
	struct store *db;
	int r = week_open_past(w, week, &db);
	if (r != 0)
		return r < 0 ? err_trace(r) : err_say(-EIO, "a week's file cannot be opened (%d)", r);
	r = report_add(rep, db);
	(void) store_close(db);
	return r;
}

static int gather(struct report *rep, struct week *w, struct local_weeks *l)
{
	struct store *db;
	int r = week_begin(w, &db);
	if (r != 0)
		return r < 0 ? err_trace(r) : err_say(-EAGAIN, "the book cannot be read (%d)", r);
	r = week_list(w, take_week, l);
	week_rollback(w);
	for (size_t i = 0; r == 0 && i < l->n; i++)
		r = add_week(rep, w, l->weeks[i]);
	return r;
}

static void show_day(struct out *o, const struct report_day *d)
{
	const int64_t *sum = d->sums, *n = d->counts;
	out_int(o, "bets", n[LEDGER_BET]);
	out_int(o, "won", n[LEDGER_PAYOUT]);
	out_int(o, "lost", d->lost);
	out_int(o, "void", n[LEDGER_REFUND]);
	out_money(o, "stakes", -sum[LEDGER_BET]);
	out_money(o, "payouts", sum[LEDGER_PAYOUT]);
	out_money(o, "refunds", sum[LEDGER_REFUND]);
	out_money(o, "hold", -(sum[LEDGER_BET] + sum[LEDGER_PAYOUT] + sum[LEDGER_REFUND]));
	out_money(o, "deposits", sum[LEDGER_DEPOSIT]);
	out_money(o, "withdrawals", -(sum[LEDGER_WITHDRAWAL] + sum[LEDGER_WITHDRAWAL_REVERSAL]));
	out_money(o, "adjustments", sum[LEDGER_ADJUSTMENT]);
}

static void add_day(struct report_day *all, const struct report_day *d)
{
	for (enum ledger_ref r = LEDGER_BET; r < LEDGER_REFS; r++) {
		all->sums[r] += d->sums[r];
		all->counts[r] += d->counts[r];
	}
	all->lost += d->lost;
}

/* A day on which nothing but a week's opening was written is none. */
static bool is_empty(const struct report_day *d)
{
	int64_t n = d->lost;
	for (enum ledger_ref r = LEDGER_BET; r < LEDGER_OPENING; r++)
		n += d->counts[r];
	return n == 0;
}

static void show(struct ctl *c, const struct report *rep, const struct local_weeks *l)
{
	struct report_day all = { 0 };
	out_list(&c->out, "days");
	for (size_t i = 0; i < rep->n; i++) {
		char date[DATE_SIZE];
		if (is_empty(&rep->days[i]))
			continue;
		date_text(date, rep->days[i].day);
		out_row(&c->out);
		out_text(&c->out, "day", date);
		show_day(&c->out, &rep->days[i]);
		out_end_row(&c->out);
		add_day(&all, &rep->days[i]);
	}
	out_end_list(&c->out);
	out_group(&c->out, "total");
	show_day(&c->out, &all);
	out_end_group(&c->out);
	out_int(&c->out, "weeks", (int64_t) l->n);
	out_int(&c->out, "weeks_elsewhere", (int64_t) l->elsewhere);
}

int verb_report(struct ctl *c)
{
	int code;
	int64_t to_day;
	struct report rep = { 0 };
	struct local_weeks l = { .n = 0 };
	if (!date_option(c, "from", 0, &rep.from_day) || !date_option(c, "to", INT64_C(1000000), &to_day))
		return EX_USAGE;
	if (to_day < rep.from_day)
		return ctl_fail(c, EX_USAGE, "--to lies before --from");
	rep.to_day = to_day + 1;
	l.from_ms = rep.from_day * DAY_MS;
	l.to_ms = rep.to_day * DAY_MS;
	_cleanup_(week_closep) struct week *w = ctl_book(c, STORE_READ, &code);
	if (!w)
		return code;
	int r = gather(&rep, w, &l);
	if (r < 0)
		code = ctl_fail_errno(c, r, "report");
	else
		show(c, &rep, &l);
	report_free(&rep);
	return r < 0 ? code : 0;
}
