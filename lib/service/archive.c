/* Which week is next, and how far it has come. */
#include "archive_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "attr.h"
#include "check.h"
#include "clk.h"
#include "err.h"

enum { WEEKS_MAX = 1024 };
static const int64_t WEEK_MS = INT64_C(7) * 86400000;

void archive_conf(const struct settings *s, struct archive_conf *ret)
{
	*ret = (struct archive_conf){ .data_dir = s->data_dir.v, .level = s->archive_level, .window_log = s->archive_window_log,
		.cpu_percent = s->archive_cpu_percent, .bytes_per_second = s->archive_bytes_per_second,
		.multipart_bytes = s->archive_multipart_bytes,
		.part_bytes = s->archive_part_bytes, .keep_weeks = s->archive_keep_weeks };
	settings_s3(s, &ret->s3);
}

void archive_key(char out[ARCHIVE_KEY_SIZE], struct clk_week week)
{
	char name[WEEK_NAME_SIZE];
	week_file_name(name, week);
	(void) snprintf(out, ARCHIVE_KEY_SIZE, "bets/%s.zst", name);
}

/* ---- what the steps share ---- */

int archive_fail(const char *path, const char *what)
{
	int e = errno;
	(void) err_say(-e, "%s: %s: %s", path, what, strerror(e));
	return e == ENOSPC || e == EDQUOT ? ARCHIVE_E_FULL : -e;
}

int archive_remove(const char *path)
{
	return unlink(path) < 0 && errno != ENOENT ? archive_fail(path, "remove") : 0;
}

int archive_remove_beside(const char *path)
{
	static const char *const suffixes[] = { "-wal", "-shm" };
	int r = 0;
	for (size_t i = 0; r == 0 && i < ARRAY_LEN(suffixes); i++) {
		char one[ARCHIVE_PATH_MAX + 8];
		(void) snprintf(one, sizeof one, "%s%s", path, suffixes[i]);
		r = archive_remove(one);
	}
	return r;
}

int archive_remove_book(const char *path)
{
	int r = archive_remove(path); /* first: without it nobody opens the others */
	return r == 0 ? archive_remove_beside(path) : r;
}

int archive_sync_dir(const char *path)
{
	return err_trace(store_sync(path));
}

static int of_store(int r)
{
	return r == STORE_E_FULL || r == -ENOSPC ? ARCHIVE_E_FULL : r;
}

int archive_record(struct job *j)
{
	return err_trace(of_store(week_archive_put(j->w, &j->a)));
}

int archive_audit(struct job *j, const char *what)
{
	return err_trace(of_store(week_audit_log(j->w, "archiver", what, "", archive_now_ms(j))));
}

void archive_told(const struct job *j, const char *what)
{
	char text[256];
	(void) snprintf(text, sizeof text, "%s: %s", j->label, what);
	if (j->conf->step)
		j->conf->step(j->conf->u, text);
}

int64_t archive_now_ms(const struct job *j)
{
	return j->began_ms + clk_mono_ms() - j->began_mono_ms;
}

void archive_begins(const struct job *j, const char *what)
{
	char text[64];
	(void) snprintf(text, sizeof text, "%s: being %s", j->label, what);
	if (j->conf->begins)
		j->conf->begins(j->conf->u, text);
}

int archive_s3(struct job *j)
{
	if (j->s3)
		return 0;
	if (!j->conf->s3.endpoint[0]) {
		(void) err_say(-ENOTCONN, "TAP_S3_ENDPOINT is empty: nothing is shipped");
		return ARCHIVE_E_OFF;
	}
	return err_trace(s3_open(&j->s3, &j->conf->s3));
}

int archive_of_s3(int r)
{
	switch (r) {
	case S3_E_DENIED:
	case S3_E_FULL:
	case S3_E_SETUP:
		return ARCHIVE_E_REFUSED;
	case S3_E_NOT_FOUND:
		return ARCHIVE_E_ABSENT;
	default:
		return r;
	}
}

/* ---- one at a time ---- */

static void job_end(struct job *j)
{
	week_archive_free(&j->a);
	j->s3 = s3_close(j->s3);
	if (j->lock_fd >= 0)
		(void) close(j->lock_fd);
	j->lock_fd = -1;
}

static int job_begin(struct job *j, const struct archive_conf *conf, struct week *w, int64_t now_ms)
{
	char lock[ARCHIVE_PATH_MAX];
	*j = (struct job){ .conf = conf, .w = w, .began_ms = now_ms, .began_mono_ms = clk_mono_ms(), .lock_fd = -1, .pace.fd = -1 };
	if ((size_t) snprintf(j->dir, sizeof j->dir, "%s/archive", conf->data_dir) >= sizeof j->dir)
		return err_say(-ENAMETOOLONG, "%s is too long", conf->data_dir);
	if (mkdir(j->dir, 0750) < 0 && errno != EEXIST)
		return archive_fail(j->dir, "make");
	(void) snprintf(lock, sizeof lock, "%s/.lock", j->dir);
	j->lock_fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (j->lock_fd < 0)
		return archive_fail(lock, "open");
	if (flock(j->lock_fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK)
			return archive_fail(lock, "lock");
		(void) err_say(-EBUSY, "another works on the archive just now");
		return ARCHIVE_E_BUSY;
	}
	return 0;
}

static int take_up(struct job *j, const struct week_info *info)
{
	char name[WEEK_NAME_SIZE];
	week_archive_free(&j->a);
	j->info = *info;
	week_label(j->label, info->week);
	week_file_name(name, info->week);
	archive_key(j->key, info->week);
	(void) snprintf(j->copy, sizeof j->copy, "%s/%s", j->dir, name);
	(void) snprintf(j->packed, sizeof j->packed, "%s/%s.zst", j->dir, name);
	(void) snprintf(j->pressed, sizeof j->pressed, "%s/%s.pressed", j->dir, name);
	(void) snprintf(j->thawed, sizeof j->thawed, "%s/%s.thawed", j->dir, name);
	(void) snprintf(j->local, sizeof j->local, "%.300s/%s", j->conf->data_dir, name);
	return err_trace(week_archive_get(j->w, info->id, &j->a));
}

/* ---- a week's way ---- */

static int step_on(struct job *j)
{
	switch (j->a.state) {
	case 0:
		archive_begins(j, "copied");
		return archive_copy(j);
	case WEEK_ARCHIVE_COPIED:
		archive_begins(j, "packed");
		return archive_pack(j);
	case WEEK_ARCHIVE_PACKED:
		archive_begins(j, "sent");
		return archive_send(j);
	default:
		CHECK(j->a.state == WEEK_ARCHIVE_SENT);
		archive_begins(j, "compared");
		return archive_verify(j);
	}
}

static bool purge_is_due(const struct job *j)
{
	int64_t since_ms = j->a.fetched_ms > j->info.closed_ms ? j->a.fetched_ms : j->info.closed_ms;
	return j->a.state == WEEK_ARCHIVE_VERIFIED && j->info.local && j->began_ms - since_ms >= j->conf->keep_weeks * WEEK_MS;
}

/* A step that finds that the one before has to be done anew sets the state back: that may happen a few times, not for ever. */
static int week_on(struct job *j, struct archive_done *done)
{
	int r = 0;
	for (int steps = 0; r == 0 && j->a.state != WEEK_ARCHIVE_VERIFIED; steps++) {
		if (steps == 12)
			return err_say(-EAGAIN, "%s comes no further: %s", j->key, err_text());
		r = step_on(j);
		if (r == 0 && j->a.state == WEEK_ARCHIVE_VERIFIED)
			done->verified++;
	}
	if (r == 0) /* what an end between the record and the removal left */
		r = archive_remove(j->packed);
	if (r == 0)
		r = archive_remove_book(j->copy);
	if (r == 0)
		r = archive_remove_book(j->pressed);
	if (r == 0)
		r = archive_remove_book(j->thawed);
	if (r == 0 && purge_is_due(j)) {
		archive_begins(j, "compared before the purge");
		r = archive_purge(j);
		done->purged += r == 0;
	}
	return r;
}

struct closed { /* oldest last */
	struct week_info all[WEEKS_MAX];
	size_t n;
};

static bool take_closed(void *u, const struct week_info *info)
{
	struct closed *c = u;
	if (info->closed_ms != 0)
		c->all[c->n++] = *info;
	return c->n < WEEKS_MAX;
}

/* The rest may go on: it is this week's own trouble. */
static bool only_this(int r)
{
	return r == ARCHIVE_E_BAD || r == ARCHIVE_E_TAMPERED || r == -EAGAIN;
}

static int run_all(struct job *j, const struct closed *c, struct archive_done *ret)
{
	char first_text[ERR_TEXT_MAX] = "";
	int first = 0, r = 0;
	for (size_t i = c->n; i-- > 0 && (r == 0 || only_this(r));) {
		r = take_up(j, &c->all[i]);
		if (r < 0)
			break;
		if (!j->info.local && j->a.state == 0)
			continue; /* lost before it was archived: `integrity` and the operator know */
		r = week_on(j, ret);
		ret->waiting += j->a.state != WEEK_ARCHIVE_VERIFIED;
		if (r != 0 && first == 0) {
			first = r;
			(void) snprintf(first_text, sizeof first_text, "%s", err_text());
		}
	}
	if (first != 0)
		(void) err_say(first < 0 ? first : -EIO, "%s", first_text);
	return first != 0 ? first : r;
}

int archive_run(const struct archive_conf *conf, struct week *w, int64_t now_ms, struct archive_done *ret)
{
	struct job j;
	struct closed c = { .n = 0 };
	*ret = (struct archive_done){ 0 };
	int r = job_begin(&j, conf, w, now_ms);
	if (r == 0)
		r = archive_s3(&j);
	if (r == 0)
		r = week_list(w, take_closed, &c);
	if (r == 0)
		r = run_all(&j, &c, ret);
	job_end(&j);
	return r < 0 ? err_trace(r) : r;
}

/* ---- the way back ---- */

struct wanted {
	struct clk_week week;
	struct week_info info;
	bool found;
};

static bool find_week(void *u, const struct week_info *info)
{
	struct wanted *wanted = u;
	if (info->week.year == wanted->week.year && info->week.week == wanted->week.week) {
		wanted->info = *info;
		wanted->found = true;
	}
	return !wanted->found;
}

static int fetch(struct job *j, const struct wanted *wanted)
{
	if (!wanted->found) {
		(void) err_say(-ENOENT, "there was no such week");
		return ARCHIVE_E_ABSENT;
	}
	if (wanted->info.closed_ms == 0) {
		(void) err_say(-EBUSY, "the week is the current one");
		return ARCHIVE_E_CURRENT;
	}
	int r = take_up(j, &wanted->info);
	if (r < 0 || j->info.local)
		return r;
	if (j->a.state != WEEK_ARCHIVE_VERIFIED) {
		(void) err_say(-ENOENT, "%s was never archived", j->label);
		return ARCHIVE_E_ABSENT;
	}
	r = archive_s3(j);
	return r == 0 ? archive_bring_back(j) : r;
}

int archive_fetch(const struct archive_conf *conf, struct week *w, struct clk_week week, int64_t now_ms)
{
	struct job j;
	struct wanted wanted = { .week = week };
	int r = job_begin(&j, conf, w, now_ms);
	if (r == 0)
		r = week_list(w, find_week, &wanted);
	if (r == 0)
		r = fetch(&j, &wanted);
	job_end(&j);
	return r < 0 ? err_trace(r) : r;
}

int archive_list(struct week *w, archive_cb *cb, void *u)
{
	struct closed c = { .n = 0 };
	int r = week_list(w, take_closed, &c);
	bool go_on = true;
	for (size_t i = 0; r == 0 && go_on && i < c.n; i++) {
		struct week_archive a;
		r = week_archive_get(w, c.all[i].id, &a);
		if (r == 0)
			go_on = cb(u, &c.all[i], &a);
		week_archive_free(&a);
	}
	return err_trace(r);
}
