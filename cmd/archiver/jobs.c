#include "jobs.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clk.h"
#include "err.h"
#include "last_check.h"
#include "log.h"
#include "remote.h"
#include "snapshot.h"
#include "thread.h"
#include "week.h"

enum { DRILL_FIRST_S = 3600 };

struct jobs {
	const struct settings *s;
	char dir[BACKUP_PATH_MAX];
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool stopping;
	struct jobs_report report;
	pthread_t thread;
	bool running;
	/* the thread's own: wall time, since a restart must not forget them */
	int64_t backup_due_ms, check_due_ms, snapshot_due_ms, drill_due_ms, look_due_ms;
	bool told_no_book;
};

static void lock(struct jobs *j)
{
	(void) pthread_mutex_lock(&j->lock);
}

static void unlock(struct jobs *j)
{
	(void) pthread_mutex_unlock(&j->lock);
}

static void set_busy(struct jobs *j, bool busy)
{
	lock(j);
	j->report.busy_since_ms = busy ? clk_mono_ms() : 0;
	unlock(j);
}

static void note_backup(struct jobs *j, const struct backup *b, int64_t now_ms, bool good)
{
	lock(j);
	j->report.backup_failing = !good;
	if (good) {
		j->report.backups++;
		j->report.backup_ms = now_ms;
		j->report.backup_bytes = b->bytes;
		j->report.backup_took_ms = b->took_ms;
	} else {
		j->report.backup_failures++;
	}
	unlock(j);
}

static void tell_failure(const char *what, int r, const struct backup *b)
{
	if (r == BACKUP_E_BAD)
		log_err("%s: the copy failed its check and was removed: %s", what, b->found.finding);
	else if (r == BACKUP_E_FULL)
		log_err("%s: there is no room", what);
	else if (r == BACKUP_E_BUSY)
		log_warn("%s: another is made just now", what);
	else
		(void) log_errno(r, "%s", what);
	err_clear();
}

static bool is_stopping(void *u)
{
	struct jobs *j = u;
	lock(j);
	bool stopping = j->stopping;
	unlock(j);
	return stopping;
}

/* The backup into the object store, to go on from where shipping stood before it was begun. */
static int send_snapshot(struct jobs *j, const struct backup *b, const struct ship_place *place, int64_t now_ms)
{
	int r = remote_snapshot(j->s, b->path, place, now_ms, is_stopping, j);
	lock(j);
	j->report.snapshot_failures += r < 0 && r != -ECANCELED;
	if (r == 0)
		j->report.snapshot_ms = now_ms;
	unlock(j);
	if (r < 0 && r != -ECANCELED)
		(void) log_errno(r, "snapshot %s", b->path);
	err_clear();
	return r;
}

/* The time of the next one. */
static int64_t back_up(struct jobs *j)
{
	struct backup b;
	struct ship_place place = { 0 };
	int64_t now_ms = clk_now_ms();
	bool shipped = j->s->s3_endpoint.v[0] && ship_place_read(j->s->data_dir.v, &place) == 0;
	j->snapshot_due_ms = now_ms + JOBS_RETRY_MS;
	int r = backup_make(j->s->data_dir.v, j->dir, now_ms, &b);
	note_backup(j, &b, now_ms, r == 0);
	if (r != 0) {
		tell_failure("backup", r, &b);
		return now_ms + (j->s->backup_s * 1000 < JOBS_RETRY_MS ? j->s->backup_s * 1000 : JOBS_RETRY_MS);
	}
	log_info("backup %s: %" PRId64 " bytes, %" PRId64 " bets, %" PRId64 " rows, verified, %" PRId64 " ms", b.path, b.bytes,
			b.found.bets, b.found.rows, b.took_ms);
	if (shipped && send_snapshot(j, &b, &place, now_ms) == 0)
		j->snapshot_due_ms = now_ms; /* a week that begins now waits for nothing */
	r = backup_prune(j->dir, j->s->backups_kept);
	if (r < 0)
		(void) log_errno(r, "old backups");
	return now_ms + j->s->backup_s * 1000;
}

static void note_check(struct jobs *j, int r, const struct integrity *found, int64_t now_ms, int64_t took_ms)
{
	lock(j);
	if (r < 0) {
		j->report.check_failures++;
	} else {
		j->report.checks++;
		j->report.checked = true;
		j->report.checked_ms = now_ms;
		j->report.check_took_ms = took_ms;
		j->report.integrity_ok = r == 0;
		(void) snprintf(j->report.finding, sizeof j->report.finding, "%s", found->finding);
	}
	unlock(j);
}

static int look_at_book(struct jobs *j, int64_t now_ms, struct integrity *found)
{
	struct week *w;
	int r = week_open(&w, j->s->data_dir.v, STORE_READ, now_ms);
	if (r != 0)
		return r < 0 ? err_trace(r) : err_say(-ENOENT, "%s: the book cannot be opened (%d)", j->s->data_dir.v, r);
	r = integrity_check(w, true, found);
	week_close(w);
	return r;
}

static int64_t check(struct jobs *j)
{
	struct integrity found = { 0 };
	int64_t now_ms = clk_now_ms(), from_ms = clk_mono_ms();
	int r = look_at_book(j, now_ms, &found);
	int64_t took_ms = clk_mono_ms() - from_ms;
	note_check(j, r, &found, now_ms, took_ms);
	if (r < 0) {
		(void) log_errno(r, "the book cannot be checked");
		return now_ms + JOBS_RETRY_MS;
	}
	if (r == INTEGRITY_E_DRIFT)
		log_msg(LOG_LEVEL_CRIT, "integrity: %s", found.finding);
	else
		log_info("integrity: whole: %" PRId64 " accounts, %" PRId64 " rows, %" PRId64 " bets, %" PRId64 " columns, %" PRId64
			 " ms", found.accounts, found.rows, found.bets, found.columns, took_ms);
	r = last_check_write(j->dir, now_ms, r == 0);
	if (r < 0)
		(void) log_errno(r, "the check's date");
	return now_ms + j->s->integrity_s * 1000;
}

static int64_t drill(struct jobs *j)
{
	struct drill d = j->report.drill; /* only this thread writes it */
	int64_t now_ms = clk_now_ms();
	int r = remote_drill(j->s, j->dir, now_ms, is_stopping, j, &d);
	if (r == -ECANCELED)
		return now_ms;
	if (r == REMOTE_PUT_OFF) { /* this thread makes it */
		log_notice("drill: put off until the new week has its snapshot: %s", err_text());
		err_clear();
		return now_ms + JOBS_RETRY_MS;
	}
	lock(j);
	j->report.drill = d;
	(void) snprintf(j->report.drill_failure, sizeof j->report.drill_failure, "%.250s", r < 0 ? err_text() : "");
	unlock(j);
	if (r < 0)
		(void) log_errno(r, "drill");
	return now_ms + j->s->drill_s * 1000;
}

/* Nothing to do before somebody made a book. */
static bool book_is_there(struct jobs *j)
{
	struct week *w;
	int r = week_open(&w, j->s->data_dir.v, STORE_READ, clk_now_ms());
	if (r == 0)
		week_close(w);
	if (r == STORE_E_ABSENT && !j->told_no_book) {
		log_notice("%s: no book yet", j->s->data_dir.v);
		j->told_no_book = true;
	}
	return r != STORE_E_ABSENT; /* other failures are told by the job */
}

static void run_due(struct jobs *j)
{
	int64_t now_ms = clk_now_ms();
	bool check_is_due = now_ms >= j->check_due_ms, backup_is_due = now_ms >= j->backup_due_ms;
	bool drill_is_due = j->s->s3_endpoint.v[0] && j->s->drill_s > 0 && now_ms >= j->drill_due_ms;
	backup_is_due = backup_is_due || (now_ms >= j->snapshot_due_ms && remote_snapshot_wanted(j->s));
	if (!backup_is_due && now_ms >= j->look_due_ms) {
		j->look_due_ms = now_ms + JOBS_RETRY_MS;
		backup_is_due = remote_archive_is_newer(j->s);
	}
	if (!check_is_due && !backup_is_due && !drill_is_due)
		return;
	if (!book_is_there(j)) {
		j->check_due_ms = j->backup_due_ms = now_ms + 1000;
		return;
	}
	set_busy(j, true);
	if (backup_is_due)
		j->backup_due_ms = back_up(j);
	if (check_is_due)
		j->check_due_ms = check(j);
	if (drill_is_due && !is_stopping(j))
		j->drill_due_ms = drill(j);
	set_busy(j, false);
}

static void *jobs_run(void *u)
{
	struct jobs *j = u;
	lock(j);
	while (!j->stopping) {
		unlock(j);
		run_due(j);
		lock(j);
		int64_t by_ms = clk_mono_ms() + 500;
		if (!j->stopping)
			cond_wait_until(&j->changed, &j->lock, by_ms);
	}
	unlock(j);
	return NULL;
}

void jobs_report(struct jobs *j, struct jobs_report *ret)
{
	lock(j);
	*ret = j->report;
	unlock(j);
}

static void read_remote_schedule(struct jobs *j, int64_t now_ms)
{
	struct clk_week week;
	int64_t at_ms;
	if (snapshot_note_read(j->s->data_dir.v, &at_ms, &week) == 0)
		j->report.snapshot_ms = at_ms;
	if (remote_drill_read(j->dir, &j->report.drill) == 0 && j->report.drill.at_ms <= now_ms)
		j->drill_due_ms = j->report.drill.at_ms + j->s->drill_s * 1000;
	else /* the first, when there is something to restore */
		j->drill_due_ms = now_ms + (j->s->drill_s < DRILL_FIRST_S ? j->s->drill_s : DRILL_FIRST_S) * 1000;
}

/* When all are due, from what an earlier life left. A date in the future (the clock was set back) counts as now. */
static int read_schedule(struct jobs *j, int64_t first_after_ms)
{
	int64_t now_ms = clk_now_ms(), first_ms = now_ms + first_after_ms, at_ms;
	bool ok;
	int r = backup_newest(j->dir, &at_ms);
	if (r < 0)
		return err_trace(r);
	j->backup_due_ms = j->check_due_ms = first_ms;
	if (r == 0 && at_ms <= now_ms) {
		j->report.backup_ms = at_ms;
		if (at_ms + j->s->backup_s * 1000 > first_ms)
			j->backup_due_ms = at_ms + j->s->backup_s * 1000;
	}
	if (last_check_read(j->dir, &at_ms, &ok) == 0 && at_ms <= now_ms) {
		j->report.checked = true;
		j->report.checked_ms = at_ms;
		j->report.integrity_ok = ok;
		if (ok && at_ms + j->s->integrity_s * 1000 > first_ms)
			j->check_due_ms = at_ms + j->s->integrity_s * 1000;
	}
	read_remote_schedule(j, now_ms);
	return 0;
}

int jobs_start(struct jobs **ret, const struct settings *s, int64_t first_after_ms)
{
	struct jobs *j = calloc(1, sizeof *j);
	if (!j)
		return -ENOMEM;
	j->s = s;
	backup_dir(s, j->dir);
	(void) pthread_mutex_init(&j->lock, NULL);
	int r = cond_init(&j->changed);
	if (r == 0)
		r = read_schedule(j, first_after_ms);
	if (r == 0)
		r = thread_start(&j->thread, jobs_run, j);
	j->running = r == 0;
	if (r < 0) {
		jobs_stop(j);
		return err_trace(r);
	}
	*ret = j;
	return 0;
}

struct jobs *jobs_stop(struct jobs *j)
{
	if (!j)
		return NULL;
	if (j->running) {
		lock(j);
		j->stopping = true;
		(void) pthread_cond_broadcast(&j->changed);
		unlock(j);
		(void) pthread_join(j->thread, NULL);
	}
	(void) pthread_cond_destroy(&j->changed);
	(void) pthread_mutex_destroy(&j->lock);
	free(j);
	return NULL;
}
