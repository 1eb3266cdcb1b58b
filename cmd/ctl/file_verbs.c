/* integrity, backup run. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "backup.h"
#include "ctl.h"
#include "err.h"
#include "integrity.h"

enum { WEEKS_MAX = 1024 };

static void show_integrity(struct out *o, const struct integrity *i)
{
	out_text(o, "integrity", i->finding[0] ? "drift" : "ok");
	if (i->finding[0])
		out_text(o, "finding", i->finding);
	out_int(o, "accounts", i->accounts);
	out_int(o, "rows", i->rows);
	out_int(o, "commits", i->commits);
	out_int(o, "bets", i->bets);
	out_int(o, "open_bets", i->open_bets);
	out_int(o, "columns", i->columns);
	out_int(o, "audit_rows", i->audit_rows);
	out_money(o, "balances", i->balances.micros);
}

struct weeks_found {
	struct clk_week weeks[WEEKS_MAX];
	struct integrity *found;
	size_t n;
	const char *finding;
};

static void keep(void *u, const struct week_info *week, const struct integrity *found)
{
	struct weeks_found *f = u;
	if (f->n == WEEKS_MAX)
		return;
	f->weeks[f->n] = week->week;
	f->found[f->n] = *found;
	if (!f->finding && found->finding[0])
		f->finding = f->found[f->n].finding;
	f->n++;
}

/* The members of the current week, and a line for each. */
static void show_weeks(struct out *o, const struct weeks_found *f)
{
	struct integrity all = f->n ? f->found[0] : (struct integrity){ 0 };
	if (f->finding)
		(void) snprintf(all.finding, sizeof all.finding, "%s", f->finding);
	show_integrity(o, &all);
	out_list(o, "weeks");
	for (size_t i = 0; i < f->n; i++) {
		const struct integrity *found = &f->found[i];
		char label[WEEK_LABEL_SIZE];
		week_label(label, f->weeks[i]);
		out_row(o);
		out_text(o, "week", label);
		out_text(o, "integrity", found->finding[0] ? "drift" : "ok");
		out_text(o, "finding", found->finding[0] ? found->finding : NULL);
		out_int(o, "accounts", found->accounts);
		out_int(o, "rows", found->rows);
		out_int(o, "bets", found->bets);
		out_int(o, "columns", found->columns);
		out_money(o, "balances", found->balances.micros);
		out_end_row(o);
	}
	out_end_list(o);
}

int verb_integrity(struct ctl *c)
{
	int code;
	_cleanup_(week_closep) struct week *w = ctl_book(c, STORE_READ, &code);
	if (!w)
		return code;
	struct weeks_found *f = calloc(1, sizeof *f);
	if (f)
		f->found = calloc(WEEKS_MAX, sizeof *f->found);
	int r = f && f->found ? integrity_check_weeks(w, true, keep, f) : -ENOMEM;
	if (r >= 0)
		show_weeks(&c->out, f);
	if (f)
		free(f->found);
	free(f);
	if (r < 0)
		return ctl_fail_errno(c, r, "the books cannot be checked");
	return r == INTEGRITY_E_DRIFT ? EX_DRIFT : 0;
}

int verb_backup_run(struct ctl *c)
{
	char dir[BACKUP_PATH_MAX];
	struct backup b;
	int code;
	backup_dir(&c->settings, dir);
	_cleanup_(week_closep) struct week *w = ctl_book(c, STORE_WRITE, &code);
	if (!w)
		return code;
	code = ctl_audit(c, w, "backup run");
	if (code)
		return code;
	int r = backup_make(c->settings.data_dir.v, dir, c->now_ms, &b);
	if (r == BACKUP_E_BAD)
		return ctl_fail(c, EX_DRIFT, "the copy failed its check and was removed: %s", b.found.finding);
	if (r == BACKUP_E_BUSY)
		return ctl_fail(c, EX_TEMPFAIL, "another backup is made just now");
	if (r == BACKUP_E_FULL)
		return ctl_fail(c, EX_TEMPFAIL, "%s: there is no room", dir);
	if (r < 0)
		return ctl_fail_errno(c, r, "backup");
	out_text(&c->out, "backup", b.path);
	out_int(&c->out, "bytes", b.bytes);
	out_int(&c->out, "took_ms", b.took_ms);
	show_integrity(&c->out, &b.found);
	return 0;
}
