#include "restore_impl.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backup.h"
#include "check.h"
#include "clk.h"
#include "err.h"
#include "ship_beyond.h"
#include "week.h"

struct restoring {
	const struct restore_conf *conf;
	const char *dir;
	int64_t now_ms;
	struct remake m;           /* the current week's, in DIR/.restore */
	struct ship_place goes_on; /* where shipping does */
	struct restored *ret;
};

void restore_tell(const struct restore_conf *conf, const char *fmt, ...)
{
	char text[320];
	va_list ap;
	va_start(ap, fmt);
	(void) vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (conf->step)
		conf->step(conf->u, text);
}

int restore_fail(const char *path)
{
	int e = errno;
	return err_say(-e, "%s: %s", path, strerror(e));
}

/* ---- the folder */

static int must_be_empty(const char *dir)
{
	static const char *const names[] = { "meta.db", "bets_*.db" };
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char pattern[RESTORE_PATH];
		glob_t found;
		(void) snprintf(pattern, sizeof pattern, "%s/%s", dir, names[i]);
		int g = glob(pattern, 0, NULL, &found);
		if (g == 0) {
			(void) err_say(0, "%s is there: a restore takes a data folder without books, and never writes over one",
					found.gl_pathv[0]);
			globfree(&found);
			return RESTORE_E_EXISTS;
		}
		if (g != GLOB_NOMATCH)
			return err_say(-EIO, "%s cannot be listed", dir);
	}
	return 0;
}

/* What lies in a folder, and the folder itself; no link is followed. */
static int clear_at(int parent, const char *name, const char *path)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), r = 0;
	if (fd < 0)
		return errno == ENOENT ? 0 : restore_fail(path);
	DIR *d = fdopendir(fd);
	if (!d) {
		r = restore_fail(path);
		(void) close(fd);
		return r;
	}
	for (struct dirent *e; r == 0 && (e = readdir(d));) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (unlinkat(dirfd(d), e->d_name, 0) < 0)
			r = errno == EISDIR ? clear_at(dirfd(d), e->d_name, path) : restore_fail(path);
	}
	(void) closedir(d);
	return r == 0 && unlinkat(parent, name, AT_REMOVEDIR) < 0 ? restore_fail(path) : r;
}

int restore_clear(const char *path)
{
	return clear_at(AT_FDCWD, path, path);
}

static int prepare(struct restoring *r)
{
	if (mkdir(r->dir, 0700) < 0 && errno != EEXIST)
		return restore_fail(r->dir);
	int got = must_be_empty(r->dir);
	if (got == 0)
		got = restore_clear(r->m.dir);
	if (got == 0 && mkdir(r->m.dir, 0700) < 0)
		got = restore_fail(r->m.dir);
	return got;
}

static int move_in(struct restoring *r, const char *name)
{
	char from[RESTORE_PATH + 264], to[RESTORE_PATH + 264];
	(void) snprintf(from, sizeof from, "%s/%s", r->m.dir, name);
	(void) snprintf(to, sizeof to, "%s/%s", r->dir, name);
	return rename(from, to) == 0 || errno == ENOENT ? 0 : restore_fail(to);
}

static bool ends_with(const char *name, const char *end)
{
	size_t n = strlen(name), m = strlen(end);
	return n >= m && strcmp(name + n - m, end) == 0;
}

/* A book that has its name has its WAL beside it. */
static int move_books(struct restoring *r, const char *end)
{
	DIR *d = opendir(r->m.dir);
	int got = d ? 0 : restore_fail(r->m.dir);
	for (struct dirent *e; d && got == 0 && (e = readdir(d));)
		if (strncmp(e->d_name, "bets_", 5) == 0 && ends_with(e->d_name, end))
			got = move_in(r, e->d_name);
	if (d)
		(void) closedir(d);
	return got;
}

/* meta.db last: until it is there, whoever looks finds books that nobody names, and touches nothing. */
static int publish(struct restoring *r)
{
	static const char *const others[] = { "ship.position", "ship.snapshot", "meta.db-wal", "meta.db" };
	int got = move_books(r, ".db-wal");
	if (got == 0)
		got = move_books(r, ".db");
	for (size_t i = 0; got == 0 && i < ARRAY_LEN(others); i++) {
		if (i + 1 == ARRAY_LEN(others))
			got = store_sync(r->dir);
		if (got == 0)
			got = move_in(r, others[i]);
	}
	if (got == 0)
		got = store_sync(r->dir);
	return got == 0 ? restore_clear(r->m.dir) : err_trace(got);
}

/* ---- the books */

static int find_snapshot(struct restoring *r, struct snapshot *ret)
{
	int got = snapshot_find(r->conf->s3, r->conf->stamp, ret);
	if (got == SNAPSHOT_E_ABSENT) {
		(void) err_say(0, "the bucket has no snapshot%s%s", r->conf->stamp[0] ? " " : "", r->conf->stamp);
		return RESTORE_E_ABSENT;
	}
	return got == SNAPSHOT_E_BAD ? RESTORE_E_TAMPERED : err_trace(got);
}

/* What stays behind in the store, and from where on shipping goes on beyond it. */
static int look_beyond(struct restoring *r)
{
	char from[CLK_RFC3339_SIZE], until[CLK_RFC3339_SIZE];
	int64_t until_ms;
	r->goes_on = r->m.place;
	if (!r->m.lost[0])
		return 0;
	int got = ship_beyond(r->conf->s3, &r->goes_on, &until_ms);
	clk_rfc3339(from, r->m.place.as_of_ms);
	clk_rfc3339(until, until_ms);
	(void) snprintf(r->ret->lost, sizeof r->ret->lost, "what was committed after %s%s%s: %s", from, until_ms ? " and until " : "",
			until_ms ? until : "", r->m.lost);
	return err_trace(got);
}

static int make_books(struct restoring *r)
{
	struct snapshot from;
	struct remake *m = &r->m;
	int got = find_snapshot(r, &from);
	if (got == 0)
		got = remake_run(m, &from);
	if (got == 0)
		got = look_beyond(r);
	if (got == 0)
		got = restore_past(m, r->ret);
	if (got == 0)
		got = remake_settle(m);
	(void) snprintf(r->ret->stamp, sizeof r->ret->stamp, "%s", m->stamp);
	r->ret->week = m->place.week;
	r->ret->place = m->place;
	r->ret->segments += m->segments;
	r->ret->segment_bytes += m->segment_bytes;
	r->ret->fetch_ms += m->fetch_ms;
	r->ret->replay_ms += m->replay_ms;
	r->ret->book_bytes = backup_bytes_in(m->dir);
	return got;
}

/* ---- the end */

static void on_week(void *u, const struct week_info *info, const struct integrity *found)
{
	struct restored *ret = u;
	char label[WEEK_LABEL_SIZE], why[sizeof found->finding];
	if (!info->closed_ms)
		ret->found = *found;
	if (!found->finding[0])
		return;
	week_label(label, info->week);
	(void) snprintf(why, sizeof why, "%s", found->finding);
	(void) err_say(0, "%s: %s", label, why);
}

static int audit(struct restoring *r)
{
	int64_t from_ms = clk_mono_ms();
	struct week *w;
	int got = week_open(&w, r->m.dir, STORE_READ, r->now_ms);
	if (got != 0)
		return got > 0 ? err_say(-EBADMSG, "what was made cannot be opened (%d)", got) : err_trace(got);
	/* every row; of the pages a quick look: they are the snapshot's, by its hash, or were just written */
	got = integrity_check_weeks_still(w, on_week, r->ret);
	w = week_close(w);
	r->ret->audit_ms = clk_mono_ms() - from_ms;
	return got == INTEGRITY_E_DRIFT ? RESTORE_E_DRIFT : err_trace(got);
}

/* Shipping goes on from here, in the same chain; where something stays behind, from the snapshot that the archiver then makes. */
static int note_place(struct restoring *r)
{
	int got = ship_place_write(r->m.dir, &r->goes_on);
	return got == 0 && r->goes_on.based ? snapshot_note_write(r->m.dir, r->now_ms, r->ret->week) : err_trace(got);
}

static int run(struct restoring *r)
{
	int got = prepare(r);
	if (got == 0)
		got = make_books(r);
	if (got == 0) {
		restore_tell(r->conf, "%" PRId64 " segments made again; auditing", r->ret->segments);
		got = audit(r);
	}
	if (got == 0 && !r->conf->scratch)
		got = note_place(r);
	if (got == 0 && !r->conf->scratch)
		got = publish(r);
	return got == -ENOSPC ? RESTORE_E_FULL : err_trace(got);
}

int restore_run(const struct restore_conf *conf, const char *dir, int64_t now_ms, struct restored *ret)
{
	struct restoring r = { .conf = conf, .dir = dir, .now_ms = now_ms, .ret = ret, .m = { .conf = conf, .now_ms = now_ms } };
	*ret = (struct restored){ 0 };
	CHECK((size_t) snprintf(r.m.dir, sizeof r.m.dir, "%s/.restore", dir) < sizeof r.m.dir);
	int got = run(&r);
	remake_close(&r.m);
	return got;
}
