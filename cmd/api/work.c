#include "work.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "api.h"
#include "clk.h"
#include "err.h"
#include "thread.h"

enum { WAITING_MAX = 2048 };

struct piece {
	struct piece *next;
	work_fn *fn;
	struct httpd_req *req;
	void *arg;
};

struct work {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct piece *head, **tail;
	int64_t n;
	bool stopping;
	size_t threads;
	struct reader {
		struct work *work;
		struct worker worker;
		pthread_t thread;
	} readers[64];
};

static struct piece *take(struct work *w)
{
	(void) pthread_mutex_lock(&w->lock);
	while (!w->head && !w->stopping)
		(void) pthread_cond_wait(&w->wake, &w->lock);
	struct piece *p = w->head;
	if (p) {
		w->head = p->next;
		if (!w->head)
			w->tail = &w->head;
		w->n--;
	}
	(void) pthread_mutex_unlock(&w->lock);
	return p;
}

static void *run(void *u)
{
	struct reader *r = u;
	struct piece *p;
	while ((p = take(r->work))) {
		p->fn(&r->worker, p->req, p->arg);
		err_clear();
		free(p);
	}
	return NULL;
}

static int start_reader(struct work *w, struct reader *r, struct api *a, const struct bus_conf *bus)
{
	r->work = w;
	r->worker.api = a;
	int e = bus_open(&r->worker.bus, bus);
	if (e < 0)
		return err_trace(e);
	e = thread_start(&r->thread, run, r);
	if (e < 0) {
		r->worker.bus = bus_close(r->worker.bus);
		return err_say(e, "no thread for a reader");
	}
	w->threads++;
	return 0;
}

int work_start(struct work **ret, struct api *a, const struct bus_conf *bus)
{
	struct work *w = calloc(1, sizeof *w);
	if (!w)
		return -ENOMEM;
	w->tail = &w->head;
	(void) pthread_mutex_init(&w->lock, NULL);
	(void) pthread_cond_init(&w->wake, NULL);
	for (int64_t i = 0; i < a->s->api_readers; i++) {
		int r = start_reader(w, &w->readers[i], a, bus);
		if (r < 0) {
			(void) work_stop(w);
			return r;
		}
	}
	*ret = w;
	return 0;
}

int work_submit(struct work *w, work_fn *fn, struct httpd_req *req, void *arg)
{
	struct piece *p = malloc(sizeof *p);
	int r = WORK_E_BUSY;
	if (!p)
		return r;
	*p = (struct piece){ .fn = fn, .req = req, .arg = arg };
	(void) pthread_mutex_lock(&w->lock);
	if (!w->stopping && w->n < WAITING_MAX) {
		*w->tail = p;
		w->tail = &p->next;
		w->n++;
		r = 0;
		(void) pthread_cond_signal(&w->wake);
	}
	(void) pthread_mutex_unlock(&w->lock);
	if (r != 0)
		free(p);
	return r;
}

void work_drain(struct work *w)
{
	(void) pthread_mutex_lock(&w->lock);
	w->stopping = true;
	(void) pthread_cond_broadcast(&w->wake);
	(void) pthread_mutex_unlock(&w->lock);
	for (size_t i = 0; i < w->threads; i++) {
		(void) pthread_join(w->readers[i].thread, NULL);
		(void) week_close(w->readers[i].worker.week);
		(void) bus_close(w->readers[i].worker.bus);
	}
	w->threads = 0;
}

struct work *work_stop(struct work *w)
{
	if (!w)
		return NULL;
	work_drain(w);
	(void) pthread_cond_destroy(&w->wake);
	(void) pthread_mutex_destroy(&w->lock);
	free(w);
	return NULL;
}

int64_t work_waiting(struct work *w)
{
	(void) pthread_mutex_lock(&w->lock);
	int64_t n = w->n;
	(void) pthread_mutex_unlock(&w->lock);
	return n;
}

int worker_db(struct worker *w, struct store **db)
{
	int r = 0;
	if (!w->week)
		r = week_open(&w->week, w->api->s->data_dir.v, STORE_READ, clk_now_ms());
	if (r == 0)
		r = week_begin(w->week, db);
	if (r == 0)
		return 0;
	w->week = week_close(w->week);
	return err_trace(r < 0 ? r : -ENOENT);
}

void worker_done(struct worker *w)
{
	week_rollback(w->week);
}
