/* archive list, archive run, archive fetch. */
#include <stdio.h>

#include "archive.h"
#include "ctl.h"
#include "err.h"

static const char *state_name(const struct week_info *info, const struct week_archive *a)
{
	static const char *const names[] = { "to be archived", "copied", "compressed", "sent", "archived" };
	if (a->state == 0 && !info->local)
		return "lost";
	if (a->state == WEEK_ARCHIVE_VERIFIED && !info->local)
		return "archived, purged";
	return names[a->state];
}

static void out_per_bet(struct out *o, const char *name, int64_t bytes, int64_t bets)
{
	out_int(o, name, bets > 0 ? (bytes + bets / 2) / bets : 0);
}

static bool show_archive(void *u, const struct week_info *info, const struct week_archive *a)
{
	struct ctl *c = u;
	char label[WEEK_LABEL_SIZE], key[ARCHIVE_KEY_SIZE];
	week_label(label, info->week);
	archive_key(key, info->week);
	out_row(&c->out);
	out_text(&c->out, "week", label);
	out_text(&c->out, "state", state_name(info, a));
	out_bool(&c->out, "local", info->local);
	out_text(&c->out, "form", a->packed_bytes == 0 ? "" : a->form == WEEK_ARCHIVE_PRESSED ? "pressed" : "plain");
	out_int(&c->out, "bets", a->bets);
	out_int(&c->out, "bytes", a->db_bytes);
	out_int(&c->out, "archive_bytes", a->packed_bytes);
	out_per_bet(&c->out, "bytes_per_bet", a->db_bytes, a->bets);
	out_per_bet(&c->out, "archive_bytes_per_bet", a->packed_bytes, a->bets);
	out_int(&c->out, "ratio_percent", a->packed_bytes > 0 ? a->db_bytes * 100 / a->packed_bytes : 0);
	out_time(&c->out, "verified_at", a->verified_ms);
	out_time(&c->out, "purged_at", a->purged_ms);
	out_time(&c->out, "fetched_at", a->fetched_ms);
	out_text(&c->out, "key", key);
	out_end_row(&c->out);
	return true;
}

int verb_archive_list(struct ctl *c)
{
	int code;
	_cleanup_(week_closep) struct week *w = ctl_book(c, STORE_READ, &code);
	if (!w)
		return code;
	out_list(&c->out, "archives");
	int r = archive_list(w, show_archive, c);
	if (r < 0)
		return ctl_fail_errno(c, r, "the archives");
	out_end_list(&c->out);
	return 0;
}

static int fail(struct ctl *c, int r)
{
	const char *why = err_text();
	switch (r) {
	case ARCHIVE_E_TAMPERED:
	case ARCHIVE_E_BAD:
		return ctl_fail(c, EX_DRIFT, "%s", why);
	case ARCHIVE_E_ABSENT:
		return ctl_fail(c, EX_NOINPUT, "%s", why);
	case ARCHIVE_E_OFF:
		return ctl_fail(c, EX_CONFIG, "%s", why);
	case ARCHIVE_E_REFUSED:
		return ctl_fail(c, EX_NOPERM, "%s", why);
	case ARCHIVE_E_CURRENT:
	case ARCHIVE_E_BUSY:
	case ARCHIVE_E_FULL:
		return ctl_fail(c, EX_TEMPFAIL, "%s", why);
	default:
		return ctl_fail_errno(c, r, "archive");
	}
}

/* To write into, but only where there are some: archiving makes none. */
static struct week *old_book(struct ctl *c, int *ret_code)
{
	struct week *w = ctl_book(c, STORE_READ, ret_code);
	if (!w)
		return NULL;
	(void) week_close(w);
	return ctl_book(c, STORE_WRITE, ret_code);
}

/* The archiver does it by itself; this is for who does not want to wait. */
int verb_archive_run(struct ctl *c)
{
	struct archive_conf conf;
	struct archive_done done;
	int code;
	if (!c->settings.s3_endpoint.v[0])
		return ctl_fail(c, EX_CONFIG, "TAP_S3_ENDPOINT is empty: nothing is shipped");
	_cleanup_(week_closep) struct week *w = old_book(c, &code);
	if (!w)
		return code;
	archive_conf(&c->settings, &conf);
	code = ctl_audit(c, w, "archive run");
	if (code)
		return code;
	int r = archive_run(&conf, w, c->now_ms, &done);
	if (r != 0)
		return fail(c, r);
	out_int(&c->out, "archived", done.verified);
	out_int(&c->out, "purged", done.purged);
	out_int(&c->out, "waiting", done.waiting);
	return 0;
}

/* 2026_w47, as `archive list` and archived_weeks spell it. */
static bool read_week(const char *text, struct clk_week *ret)
{
	int used = 0;
	return sscanf(text, "%4d_w%2d%n", &ret->year, &ret->week, &used) == 2 && used == 8 && !text[used] && ret->year >= 1970 &&
	       ret->week >= 1 && ret->week <= 53;
}

int verb_archive_fetch(struct ctl *c)
{
	struct archive_conf conf;
	struct clk_week week;
	const char *text = ctl_word(c, 0);
	int code;
	if (!read_week(text, &week))
		return ctl_fail(c, EX_USAGE, "%s: a week is written as 2026_w47", text);
	_cleanup_(week_closep) struct week *w = old_book(c, &code);
	if (!w)
		return code;
	archive_conf(&c->settings, &conf);
	code = ctl_audit(c, w, "archive fetch %s", text);
	if (code)
		return code;
	int r = archive_fetch(&conf, w, week, c->now_ms);
	if (r != 0)
		return fail(c, r);
	char name[WEEK_NAME_SIZE];
	week_file_name(name, week);
	out_text(&c->out, "week", text);
	out_text(&c->out, "file", name);
	out_bool(&c->out, "local", true);
	return 0;
}
