#include "shipping.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "clk.h"
#include "err.h"
#include "log.h"
#include "thread.h"

struct shipping {
	const struct settings *s;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool stopping, running;
	struct shipping_report report;
	pthread_t thread;
	struct shipper *shipper; /* the thread's own */
};

static bool is_stopping(void *u)
{
	struct shipping *sh = u;
	(void) pthread_mutex_lock(&sh->lock);
	bool stopping = sh->stopping;
	(void) pthread_mutex_unlock(&sh->lock);
	return stopping;
}

static int open_shipper(struct shipping *sh)
{
	struct s3_conf conf;
	settings_s3(sh->s, &conf);
	conf.stopping = is_stopping;
	conf.u = sh;
	conf.tries = 1; /* the next turn is the next try */
	return shipper_open(&sh->shipper, sh->s, &conf);
}

static int turn(struct shipping *sh, bool *ret_more)
{
	int r = sh->shipper ? 0 : open_shipper(sh);
	if (r == SHIPPER_E_BUSY)
		return err_say(-EBUSY, "another process ships this data folder");
	return r == 0 ? shipper_turn(sh->shipper, SHIPPING_SEGMENTS, ret_more) : err_trace(r);
}

/* Told once, when it begins and when it ends: a turn comes each second. */
static void tell(struct shipping *sh, int r, const char *why)
{
	if (r == SHIPPER_E_OTHER && !sh->report.stopped)
		log_msg(LOG_LEVEL_CRIT, "shipping stopped for good: %s", why);
	else if (r < 0 && !sh->report.failing)
		log_warn("shipping: %s", why[0] ? why : "failed");
	else if (r == 0 && sh->report.failing)
		log_notice("shipping goes on");
}

static void note(struct shipping *sh, int r)
{
	char why[sizeof sh->report.text];
	(void) snprintf(why, sizeof why, "%.250s", r < 0 || r == SHIPPER_E_OTHER ? err_text() : "");
	(void) pthread_mutex_lock(&sh->lock);
	if (sh->shipper)
		shipper_report(sh->shipper, &sh->report.shipper);
	tell(sh, r, why);
	sh->report.failing = r < 0;
	sh->report.failures += r < 0;
	sh->report.stopped = r == SHIPPER_E_OTHER;
	(void) snprintf(sh->report.text, sizeof sh->report.text, "%s", why);
	sh->report.busy_since_ms = 0;
	(void) pthread_mutex_unlock(&sh->lock);
	err_clear();
}

static void *run(void *u)
{
	struct shipping *sh = u;
	(void) pthread_mutex_lock(&sh->lock);
	while (!sh->stopping) {
		bool more = false;
		int64_t from_ms = clk_mono_ms();
		sh->report.busy_since_ms = from_ms;
		(void) pthread_mutex_unlock(&sh->lock);
		int r = turn(sh, &more);
		if (r != -ECANCELED)
			note(sh, r);
		(void) pthread_mutex_lock(&sh->lock);
		int64_t by_ms = r < 0 ? clk_mono_ms() + SHIPPING_RETRY_MS : more ? from_ms : from_ms + SHIPPING_EACH_MS;
		while (!sh->stopping && clk_mono_ms() < by_ms)
			cond_wait_until(&sh->changed, &sh->lock, by_ms);
	}
	(void) pthread_mutex_unlock(&sh->lock);
	return NULL;
}

void shipping_report(struct shipping *sh, struct shipping_report *ret)
{
	(void) pthread_mutex_lock(&sh->lock);
	*ret = sh->report;
	(void) pthread_mutex_unlock(&sh->lock);
}

int shipping_start(struct shipping **ret, const struct settings *s)
{
	*ret = NULL;
	if (!s->s3_endpoint.v[0])
		return 0;
	struct shipping *sh = calloc(1, sizeof *sh);
	if (!sh)
		return -ENOMEM;
	sh->s = s;
	(void) pthread_mutex_init(&sh->lock, NULL);
	int r = cond_init(&sh->changed);
	if (r == 0)
		r = thread_start(&sh->thread, run, sh);
	sh->running = r == 0;
	if (r < 0) {
		(void) shipping_stop(sh);
		return err_trace(r);
	}
	*ret = sh;
	return 0;
}

struct shipping *shipping_stop(struct shipping *sh)
{
	if (!sh)
		return NULL;
	if (sh->running) {
		(void) pthread_mutex_lock(&sh->lock);
		sh->stopping = true;
		(void) pthread_cond_broadcast(&sh->changed);
		(void) pthread_mutex_unlock(&sh->lock);
		(void) pthread_join(sh->thread, NULL);
	}
	(void) shipper_close(sh->shipper);
	(void) pthread_cond_destroy(&sh->changed);
	(void) pthread_mutex_destroy(&sh->lock);
	free(sh);
	return NULL;
}
