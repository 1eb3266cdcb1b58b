#include "remote.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "clk.h"
#include "err.h"
#include "log.h"
#include "restore.h"
#include "snapshot.h"
#include "week_archives.h"

enum { PATH_SIZE = 400 };

bool remote_snapshot_wanted(const struct settings *s)
{
	struct ship_place place;
	struct clk_week week;
	int64_t ms;
	if (!s->s3_endpoint.v[0] || ship_place_read(s->data_dir.v, &place) != 0)
		return false;
	return snapshot_note_read(s->data_dir.v, &ms, &week) != 0 || week.year != place.week.year || week.week != place.week.week;
}

/* What meta.db says of an archive is in no segment. */
bool remote_archive_is_newer(const struct settings *s)
{
	struct clk_week week;
	struct week *w;
	int64_t sent_ms, verified_ms = 0;
	if (!s->s3_endpoint.v[0] || snapshot_note_read(s->data_dir.v, &sent_ms, &week) != 0)
		return false;
	int r = week_open(&w, s->data_dir.v, STORE_READ, clk_now_ms());
	if (r == 0) {
		r = week_archive_newest(w, &verified_ms);
		(void) week_close(w);
	}
	err_clear(); /* whatever it is, the backup says it better */
	return r == 0 && verified_ms >= sent_ms;
}

static void conf_of(const struct settings *s, remote_stopping *stopping, void *u, struct s3_conf *ret)
{
	settings_s3(s, ret);
	ret->stopping = stopping;
	ret->u = u;
}

int remote_snapshot(const struct settings *s, const char *folder, const struct ship_place *place, int64_t now_ms,
		remote_stopping *stopping, void *u)
{
	_cleanup_(s3_closep) struct s3 *s3 = NULL;
	struct snapshot made;
	struct s3_conf store;
	conf_of(s, stopping, u, &store);
	int r = s3_open(&s3, &store);
	if (r == 0)
		r = snapshot_put(s3, folder, place, &made);
	if (r < 0)
		return err_trace(r);
	log_info("snapshot %s: %" PRId64 " bytes as %" PRId64 ", after segment %" PRId64, made.stamp,
			made.files[0].bytes + made.files[1].bytes, made.files[0].stored_bytes + made.files[1].stored_bytes,
			place->number);
	return err_trace(snapshot_note_write(s->data_dir.v, now_ms, place->week));
}

static void path_of(char out[PATH_SIZE], const char *dir, const char *name)
{
	(void) snprintf(out, PATH_SIZE, "%s/%s", dir, name);
}

int remote_drill_read(const char *dir, struct drill *ret)
{
	char path[PATH_SIZE], verdict[8];
	*ret = (struct drill){ 0 };
	path_of(path, dir, "drill.last");
	FILE *f = fopen(path, "re");
	if (!f)
		return 1;
	int n = fscanf(f, "%" SCNd64 " %7s %" SCNd64 " %" SCNd64 " %" SCNd64, &ret->at_ms, verdict, &ret->good_ms, &ret->rpo_ms,
			&ret->rto_ms);
	(void) fclose(f);
	ret->good = n == 5 && strcmp(verdict, "good") == 0;
	return n == 5 ? 0 : 1;
}

static int note(const char *dir, const struct drill *d)
{
	char path[PATH_SIZE], fresh[PATH_SIZE];
	path_of(path, dir, "drill.last");
	path_of(fresh, dir, "drill.last.new");
	FILE *f = fopen(fresh, "we");
	if (!f)
		return err_say(-errno, "%s: %s", fresh, strerror(errno));
	bool good = fprintf(f, "%" PRId64 " %s %" PRId64 " %" PRId64 " %" PRId64 "\n", d->at_ms, d->good ? "good" : "failed",
			d->good_ms, d->rpo_ms, d->rto_ms) > 0;
	good = fclose(f) == 0 && good;
	return good && rename(fresh, path) == 0 ? 0 : err_say(-EIO, "%s: %s", path, strerror(errno));
}

static int clear(const char *scratch)
{
	char work[PATH_SIZE];
	path_of(work, scratch, ".restore");
	int r = restore_clear(work);
	return r == 0 ? restore_clear(scratch) : err_trace(r);
}

static int try(const struct settings *s, const char *scratch, int64_t now_ms, remote_stopping *stopping, void *u, struct drill *d)
{
	_cleanup_(s3_closep) struct s3 *s3 = NULL;
	struct restored made;
	struct s3_conf store;
	conf_of(s, stopping, u, &store);
	int r = clear(scratch);
	if (r == 0)
		r = s3_open(&s3, &store);
	if (r < 0)
		return err_trace(r);
	const struct restore_conf conf = { .s = s, .s3 = s3, .s3_conf = &store, .stamp = "", .scratch = true };
	r = restore_run(&conf, scratch, now_ms, &made);
	if (r == RESTORE_E_FULL)
		return err_say(-ENOSPC, "there is no room for a second book");
	if (r != 0)
		return r > 0 ? -EBADMSG : err_trace(r);
	d->rpo_ms = now_ms > made.place.as_of_ms ? now_ms - made.place.as_of_ms : 0;
	d->rto_ms = made.fetch_ms + made.replay_ms + made.audit_ms;
	d->good_ms = now_ms;
	d->good = true;
	log_notice("drill: restored and audited %" PRId64 " bets, %" PRId64 " bytes of book: %" PRId64 " ms old, in %" PRId64 " ms",
			made.found.bets, made.book_bytes, d->rpo_ms, d->rto_ms);
	return 0;
}

int remote_drill(const struct settings *s, const char *dir, int64_t now_ms, remote_stopping *stopping, void *u, struct drill *d)
{
	char scratch[PATH_SIZE], why[ERR_TEXT_MAX];
	(void) snprintf(scratch, sizeof scratch, "%s/drill", dir);
	d->at_ms = now_ms;
	d->good = false;
	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return err_say(-errno, "%s: %s", dir, strerror(errno));
	int r = try(s, scratch, now_ms, stopping, u, d);
	(void) snprintf(why, sizeof why, "%.300s", err_text());
	if (r == -ECANCELED)
		return r; /* not tried to its end: the next life tries again */
	if (r < 0 && remote_snapshot_wanted(s)) {
		if (clear(scratch) < 0)
			err_clear(); /* the next one clears it first */
		(void) err_say(r, "%s", why);
		return REMOTE_PUT_OFF;
	}
	int noted = note(dir, d);
	if (noted < 0 || clear(scratch) < 0)
		(void) log_errno(noted, "drill");
	return r < 0 ? err_say(r, "%s", why) : 0;
}
