/* week list, week close. */
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "clk.h"
#include "ctl.h"
#include "err.h"

enum { WEEKS_MAX = 1024, PATH_SIZE = 512 };

static int by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

char (*ctl_week_files(const char *dir, size_t *ret_n))[WEEK_NAME_SIZE]
{
	char (*names)[WEEK_NAME_SIZE] = calloc(WEEKS_MAX, sizeof *names);
	DIR *d = opendir(dir);
	int year, week, used;
	*ret_n = 0;
	for (struct dirent *e; names && d && *ret_n < WEEKS_MAX && (e = readdir(d));) {
		used = 0;
		if (sscanf(e->d_name, "bets_%4d_w%2d.db%n", &year, &week, &used) == 2 && used && !e->d_name[used])
			(void) snprintf(names[(*ret_n)++], WEEK_NAME_SIZE, "%.31s", e->d_name);
	}
	if (d)
		(void) closedir(d);
	if (names)
		qsort(names, *ret_n, sizeof *names, by_name);
	return names;
}

static bool show_week(void *u, const struct week_info *info)
{
	struct ctl *c = u;
	char path[PATH_SIZE], name[WEEK_NAME_SIZE], label[WEEK_LABEL_SIZE];
	struct stat st = { 0 };
	week_file_name(name, info->week);
	week_label(label, info->week);
	(void) snprintf(path, sizeof path, "%s/%s", c->settings.data_dir.v, name);
	if (info->local)
		(void) stat(path, &st);
	out_row(&c->out);
	out_text(&c->out, "week", label);
	out_text(&c->out, "file", name);
	out_text(&c->out, "state", info->closed_ms == 0 ? "current" : info->local ? "closed" : "archived");
	out_bool(&c->out, "local", info->local);
	out_int(&c->out, "bytes", (int64_t) st.st_size);
	out_time(&c->out, "opened_at", info->opened_ms);
	out_time(&c->out, "closed_at", info->closed_ms);
	out_end_row(&c->out);
	return true;
}

int verb_week_list(struct ctl *c)
{
	int code;
	_cleanup_(week_closep) struct week *w = ctl_book(c, STORE_READ, &code);
	if (!w)
		return code;
	out_list(&c->out, "weeks");
	int r = week_list(w, show_week, c);
	if (r < 0)
		return ctl_fail_errno(c, r, "the weeks");
	out_end_list(&c->out);
	return 0;
}

static int not_over(struct ctl *c, struct week *w)
{
	char label[WEEK_LABEL_SIZE];
	week_label(label, week_current(w));
	out_say(&c->out, "the week is not over: nothing was changed");
	out_text(&c->out, "week", label);
	out_bool(&c->out, "closed", false);
	out_time(&c->out, "ends_at", clk_week_start_ms(week_current(w)) + INT64_C(7) * 86400000);
	return 0;
}

/* The daemons do it by themselves a second after the end; this is for when none of them runs. */
int verb_week_close(struct ctl *c)
{
	struct week_rolled rolled = { 0 };
	char before[WEEK_LABEL_SIZE], after[WEEK_LABEL_SIZE];
	int code;
	_cleanup_(week_closep) struct week *w = ctl_book(c, STORE_WRITE, &code);
	if (!w)
		return code;
	if (!week_is_over(w, c->now_ms))
		return not_over(c, w);
	week_label(before, week_current(w));
	code = ctl_audit(c, w, "week close %s", before);
	if (code)
		return code;
	int r = week_roll(w, c->now_ms, &rolled);
	if (r == WEEK_E_CURRENT) {
		code = ctl_audit(c, w, "week close %s: it was closed already", before);
		return code ? code : not_over(c, w);
	}
	if (r == WEEK_E_FULL)
		return ctl_fail(c, EX_TEMPFAIL, "the disk is full");
	if (r < 0)
		return ctl_fail_errno(c, r, "the week's end");
	week_label(after, week_current(w));
	out_text(&c->out, "week", after);
	out_bool(&c->out, "closed", true);
	out_text(&c->out, "closed_week", before);
	out_int(&c->out, "accounts", rolled.accounts);
	out_int(&c->out, "openings", rolled.openings);
	out_int(&c->out, "open_bets", rolled.open_bets);
	out_int(&c->out, "pause_us", rolled.pause_us);
	return 0;
}
