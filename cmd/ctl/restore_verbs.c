/* backup restore, backup drill: from the object store back to books that can be trusted; backup anew. */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "ctl.h"
#include "err.h"
#include "restore.h"
#include "shipper.h"

static void on_step(void *u, const char *text)
{
	(void) u;
	(void) fprintf(stderr, "restore: %s\n", text);
}

static void show(struct ctl *c, const struct restored *r)
{
	char label[WEEK_LABEL_SIZE], snapshot[SNAPSHOT_STAMP_SIZE];
	int64_t took_ms = r->fetch_ms + r->replay_ms + r->audit_ms;
	week_label(label, r->week);
	(void) snprintf(snapshot, sizeof snapshot, "%s", r->stamp);
	out_text(&c->out, "week", label);
	out_text(&c->out, "snapshot", snapshot);
	out_int(&c->out, "segments", r->segments);
	out_int(&c->out, "last_segment", r->place.number);
	out_time(&c->out, "restored_until", r->place.as_of_ms);
	out_text(&c->out, "not_restored", r->lost[0] ? r->lost : "what was committed after that moment, if anything was");
	out_int(&c->out, "past_weeks", r->past_weeks);
	out_int(&c->out, "bets", r->found.bets);
	out_int(&c->out, "open_bets", r->found.open_bets);
	out_int(&c->out, "rows", r->found.rows);
	out_int(&c->out, "accounts", r->found.accounts);
	out_money(&c->out, "balances", r->found.balances.micros);
	out_int(&c->out, "book_bytes", r->book_bytes);
	out_int(&c->out, "segment_bytes", r->segment_bytes);
	out_int(&c->out, "fetch_ms", r->fetch_ms);
	out_int(&c->out, "replay_ms", r->replay_ms);
	out_int(&c->out, "audit_ms", r->audit_ms);
	out_int(&c->out, "bytes_per_second", took_ms > 0 ? r->book_bytes * 1000 / took_ms : 0);
}

static int failed(struct ctl *c, int r, const char *what)
{
	switch (r) {
	case RESTORE_E_EXISTS:
		return ctl_fail(c, EX_CANTCREAT, "%s", err_text());
	case RESTORE_E_ABSENT:
		return ctl_fail(c, EX_NOINPUT, "%s", err_text());
	case RESTORE_E_TAMPERED:
		return ctl_fail(c, EX_DRIFT, "refused: %s (--accept-loss restores up to there; --snapshot STAMP begins with an older one)",
				err_text());
	case RESTORE_E_DRIFT:
		return ctl_fail(c, EX_DRIFT, "what was made fails its audit: %s", err_text());
	case RESTORE_E_FULL:
		return ctl_fail(c, EX_TEMPFAIL, "the disk is full");
	default:
		return ctl_fail_errno(c, r, what);
	}
}

static int run(struct ctl *c, const char *dir, bool scratch, struct restored *ret)
{
	struct s3_conf conf;
	_cleanup_(s3_closep) struct s3 *s3 = NULL;
	const char *stamp = ctl_option(c, "snapshot");
	if (!c->settings.s3_endpoint.v[0])
		return ctl_fail(c, EX_CONFIG, "TAP_S3_ENDPOINT is not set: there is nothing to restore from");
	settings_s3(&c->settings, &conf);
	conf.bytes_per_second = 0; /* nobody plays meanwhile */
	int r = s3_open(&s3, &conf);
	if (r < 0)
		return ctl_fail_errno(c, r, "object store");
	const struct restore_conf restore = { .s = &c->settings, .s3 = s3, .s3_conf = &conf, .stamp = stamp ? stamp : "",
		.accept_loss = ctl_option(c, "accept-loss") != NULL, .scratch = scratch, .step = on_step };
	r = restore_run(&restore, dir, c->now_ms, ret);
	return r == 0 ? 0 : failed(c, r, "restore");
}

/* Who restored, from what and up to where, is the first row of the log afterwards. */
static int note(struct ctl *c, const struct restored *r)
{
	int code;
	_cleanup_(week_closep) struct week *w = ctl_book(c, STORE_WRITE, &code);
	return w ? ctl_audit(c, w, "backup restore snapshot %s segment %" PRId64, r->stamp, r->place.number) : code;
}

int verb_backup_restore(struct ctl *c)
{
	struct restored r;
	int code = run(c, c->settings.data_dir.v, false, &r);
	if (code == 0)
		code = note(c, &r);
	if (code != 0)
		return code;
	show(c, &r);
	return verb_trial_balance(c);
}

int verb_backup_drill(struct ctl *c)
{
	char dir[320], work[340];
	struct restored r;
	(void) snprintf(dir, sizeof dir, "%s/drill-%ld", c->settings.data_dir.v, (long) getpid());
	int code = run(c, dir, true, &r);
	(void) snprintf(work, sizeof work, "%s/.restore", dir);
	if (restore_clear(work) < 0 || restore_clear(dir) < 0)
		return ctl_fail(c, EX_IOERR, "%s is left over", dir);
	if (code != 0)
		return code;
	show(c, &r);
	out_int(&c->out, "rpo_ms", c->now_ms > r.place.as_of_ms ? c->now_ms - r.place.as_of_ms : 0);
	out_int(&c->out, "rto_ms", r.fetch_ms + r.replay_ms + r.audit_ms);
	return 0;
}

static int begin_anew(struct ctl *c, struct ship_place *ret)
{
	struct s3_conf conf;
	_cleanup_(shipper_closep) struct shipper *sh = NULL;
	settings_s3(&c->settings, &conf);
	int r = shipper_open(&sh, &c->settings, &conf);
	if (r == SHIPPER_E_BUSY)
		return ctl_fail(c, EX_TEMPFAIL, "the archiver is running: stop it first");
	if (r == 0)
		r = shipper_begin_anew(sh, ret);
	if (r == SHIPPER_E_NO_BOOK)
		return ctl_fail(c, EX_NOINPUT, "%s: there are no books (TAP_DATA_DIR)", c->settings.data_dir.v);
	return r == 0 ? 0 : ctl_fail_errno(c, r, "shipping");
}

int verb_backup_anew(struct ctl *c)
{
	struct ship_place place;
	int code;
	if (!c->settings.s3_endpoint.v[0])
		return ctl_fail(c, EX_CONFIG, "TAP_S3_ENDPOINT is not set: nothing is shipped");
	if (!ctl_option(c, "yes"))
		return ctl_fail(c, EX_USAGE, "what is in the bucket beyond these books is then left behind: say --yes");
	code = begin_anew(c, &place);
	if (code != 0)
		return code;
	_cleanup_(week_closep) struct week *w = ctl_book(c, STORE_WRITE, &code);
	if (w)
		code = ctl_audit(c, w, "backup anew after segment %" PRId64, place.number);
	if (code == 0)
		out_int(&c->out, "after_segment", place.number);
	return code;
}
