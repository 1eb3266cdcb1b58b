#include "roller.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clk.h"
#include "err.h"
#include "thread.h"

enum { LOOK_MS = 250 };

struct roller {
	char dir[256];
	int64_t patience_ms;
	roller_cb *cb;
	void *u;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool stopping;
	pthread_t thread;
	/* the thread's own */
	struct week *week;
	bool past_is_up; /* after an upgrade the past weeks' files are brought to its version first */
	int64_t over_since_ms; /* monotonic; 0: it is not over */
	int64_t not_before_ms; /* monotonic: after a failure */
};

static void tell(struct roller *r, int result, const struct week_rolled *rolled)
{
	const struct clk_week none = { 0, 0 };
	r->cb(r->u, result, r->week ? week_current(r->week) : none, rolled);
	err_clear();
	if (result != 0)
		r->not_before_ms = clk_mono_ms() + ROLLER_RETRY_MS;
	if (result < 0)
		r->week = week_close(r->week); /* the next try has connections of its own */
}

static bool is_due(struct roller *r, int64_t now_ms, int64_t mono_ms)
{
	if (!week_is_over(r->week, now_ms)) {
		r->over_since_ms = 0;
		return false;
	}
	if (r->over_since_ms == 0)
		r->over_since_ms = mono_ms;
	return mono_ms - r->over_since_ms >= r->patience_ms;
}

static void look(struct roller *r)
{
	struct week_rolled rolled = { 0 };
	int64_t now_ms = clk_now_ms(), mono_ms = clk_mono_ms();
	if (mono_ms < r->not_before_ms)
		return;
	if (!r->week) {
		int e = week_open(&r->week, r->dir, STORE_WRITE, now_ms);
		if (e != 0) {
			tell(r, e < 0 ? e : err_say(-EIO, "the books in %s cannot be opened (%d)", r->dir, e), &rolled);
			return;
		}
	}
	if (!r->past_is_up) {
		int e = week_bring_up_past(r->week);
		if (e != 0) {
			tell(r, e < 0 ? e : WEEK_E_FULL, &rolled);
			return;
		}
		r->past_is_up = true;
	}
	if (!is_due(r, now_ms, mono_ms))
		return;
	int e = week_roll(r->week, now_ms, &rolled);
	if (e != WEEK_E_CURRENT)
		tell(r, e, &rolled);
	r->over_since_ms = 0;
}

/* False: it is to end. */
static bool pause_a_little(struct roller *r)
{
	(void) pthread_mutex_lock(&r->lock);
	if (!r->stopping)
		cond_wait_until(&r->wake, &r->lock, clk_mono_ms() + LOOK_MS);
	bool go_on = !r->stopping;
	(void) pthread_mutex_unlock(&r->lock);
	return go_on;
}

static void *run(void *u)
{
	struct roller *r = u;
	do
		look(r);
	while (pause_a_little(r));
	r->week = week_close(r->week);
	return NULL;
}

static void destroy(struct roller *r)
{
	(void) pthread_cond_destroy(&r->wake);
	(void) pthread_mutex_destroy(&r->lock);
	free(r);
}

int roller_start(struct roller **ret, const char *dir, int64_t patience_ms, roller_cb *cb, void *u)
{
	struct roller *r = calloc(1, sizeof *r);
	if (!r)
		return -ENOMEM;
	r->patience_ms = patience_ms;
	r->cb = cb;
	r->u = u;
	(void) pthread_mutex_init(&r->lock, NULL);
	int e = cond_init(&r->wake);
	if (e == 0 && (size_t) snprintf(r->dir, sizeof r->dir, "%s", dir) >= sizeof r->dir)
		e = err_say(-ENAMETOOLONG, "%s is too long", dir);
	if (e == 0)
		e = thread_start(&r->thread, run, r);
	if (e < 0) {
		destroy(r);
		return err_trace(e);
	}
	*ret = r;
	return 0;
}

struct roller *roller_stop(struct roller *r)
{
	if (!r)
		return NULL;
	(void) pthread_mutex_lock(&r->lock);
	r->stopping = true;
	(void) pthread_cond_signal(&r->wake);
	(void) pthread_mutex_unlock(&r->lock);
	(void) pthread_join(r->thread, NULL);
	destroy(r);
	return NULL;
}
