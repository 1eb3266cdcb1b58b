#include "archives.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "archive.h"
#include "clk.h"
#include "err.h"
#include "log.h"
#include "thread.h"

enum { WAIT_MS = 500 };

struct archives {
	struct archive_conf conf;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	atomic_bool stopping;
	atomic_llong moved_ms, moved_bytes; /* monotonic, when the step at hand last came on; since the start */
	struct archives_report report;
	pthread_t thread;
	bool running;
	int64_t due_ms;          /* the thread's own; monotonic */
};

static bool is_stopping(void *u)
{
	struct archives *a = u;
	return atomic_load(&a->stopping);
}

static void told_step(void *u, const char *text)
{
	(void) u;
	log_info("archive: %s", text);
}

static void note_moved(void *u, int64_t bytes)
{
	struct archives *a = u;
	atomic_store(&a->moved_ms, clk_mono_ms());
	atomic_fetch_add(&a->moved_bytes, bytes);
}

/* "": none any more. */
static void note_step(void *u, const char *text)
{
	struct archives *a = u;
	note_moved(a, 0);
	(void) pthread_mutex_lock(&a->lock);
	(void) snprintf(a->report.step, sizeof a->report.step, "%s", text);
	a->report.step_since_ms = text[0] ? clk_now_ms() : 0;
	(void) pthread_mutex_unlock(&a->lock);
}

static void note(struct archives *a, int r, const struct archive_done *done, int64_t verified_ms)
{
	(void) pthread_mutex_lock(&a->lock);
	struct archives_report *to = &a->report;
	if (verified_ms)
		to->verified_ms = verified_ms;
	to->verified += (uint64_t) done->verified;
	to->purged += (uint64_t) done->purged;
	to->waiting = done->waiting;
	to->problem[0] = '\0';
	if (r != 0) {
		to->failures++;
		if (!to->failing_since_ms)
			to->failing_since_ms = clk_now_ms();
		(void) snprintf(to->problem, sizeof to->problem, "%.319s", err_text());
	} else {
		to->failing_since_ms = 0;
	}
	(void) pthread_mutex_unlock(&a->lock);
}

/* Nothing to do before somebody made a book: that is no failure. */
static int64_t look(struct archives *a)
{
	struct archive_done done = { 0 };
	struct week *w;
	int64_t now_ms = clk_now_ms(), verified_ms = 0;
	int r = week_open(&w, a->conf.data_dir, STORE_READ, now_ms);
	if (r == 0) {
		(void) week_close(w);
		r = week_open(&w, a->conf.data_dir, STORE_WRITE, now_ms);
	}
	if (r > 0)
		return ARCHIVES_LOOK_MS;
	if (r == 0) {
		r = archive_run(&a->conf, w, now_ms, &done);
		note_step(a, "");
		if (week_archive_newest(w, &verified_ms) < 0)
			verified_ms = 0;
		(void) week_close(w);
	}
	if (r == -ECANCELED || r == ARCHIVE_E_BUSY)
		return ARCHIVES_LOOK_MS;
	note(a, r, &done, verified_ms);
	if (r == ARCHIVE_E_TAMPERED || r == ARCHIVE_E_BAD)
		log_msg(LOG_LEVEL_CRIT, "archive: %s", err_text());
	else if (r != 0)
		log_err("archive: %s; tried again in %d s", err_text(), ARCHIVES_RETRY_MS / 1000);
	err_clear();
	return r == 0 ? ARCHIVES_LOOK_MS : ARCHIVES_RETRY_MS;
}

static void *archives_run(void *u)
{
	struct archives *a = u;
	while (!atomic_load(&a->stopping)) {
		if (clk_mono_ms() >= a->due_ms)
			a->due_ms = look(a) + clk_mono_ms();
		(void) pthread_mutex_lock(&a->lock);
		if (!atomic_load(&a->stopping))
			cond_wait_until(&a->changed, &a->lock, clk_mono_ms() + WAIT_MS);
		(void) pthread_mutex_unlock(&a->lock);
	}
	return NULL;
}

void archives_report(struct archives *a, struct archives_report *ret)
{
	(void) pthread_mutex_lock(&a->lock);
	*ret = a->report;
	int64_t moved_ms = atomic_load(&a->moved_ms);
	if (ret->step[0])
		ret->still_ms = clk_mono_ms() - moved_ms;
	ret->moved_bytes = (uint64_t) atomic_load(&a->moved_bytes);
	(void) pthread_mutex_unlock(&a->lock);
}

int archives_start(struct archives **ret, const struct settings *s, int64_t first_after_ms)
{
	struct archives *a = calloc(1, sizeof *a);
	if (!a)
		return -ENOMEM;
	archive_conf(s, &a->conf);
	a->conf.s3.stopping = is_stopping;
	a->conf.u = a->conf.s3.u = a;
	a->conf.step = told_step;
	a->conf.begins = note_step;
	a->conf.moved = a->conf.s3.moved = note_moved;
	a->report.on = s->s3_endpoint.v[0] != '\0';
	a->due_ms = clk_mono_ms() + first_after_ms;
	(void) pthread_mutex_init(&a->lock, NULL);
	int r = cond_init(&a->changed);
	if (r == 0 && a->report.on) {
		r = thread_start(&a->thread, archives_run, a);
		a->running = r == 0;
	}
	if (r < 0) {
		(void) archives_stop(a);
		return err_trace(r);
	}
	*ret = a;
	return 0;
}

struct archives *archives_stop(struct archives *a)
{
	if (!a)
		return NULL;
	if (a->running) {
		(void) pthread_mutex_lock(&a->lock);
		atomic_store(&a->stopping, true);
		(void) pthread_cond_broadcast(&a->changed);
		(void) pthread_mutex_unlock(&a->lock);
		(void) pthread_join(a->thread, NULL);
	}
	(void) pthread_cond_destroy(&a->changed);
	(void) pthread_mutex_destroy(&a->lock);
	free(a);
	return NULL;
}
