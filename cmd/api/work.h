/* work.h - the readers: a bounded pool of threads, each with a read-only handle on the book and its own bus. */
#ifndef TAP_API_WORK_H
#define TAP_API_WORK_H

#include <stdint.h>

#include "attr.h"
#include "bus.h"
#include "httpd.h"
#include "settings.h"
#include "week.h"

struct api;
struct work;

struct worker {
	struct api *api;
	struct bus *bus;
	struct week *week; /* NULL: to be opened */
};

/* Replies to req, on the worker's thread. */
typedef void work_fn(struct worker *w, struct httpd_req *req, void *arg);

enum { WORK_E_BUSY = 1 };
MUST_CHECK int work_start(struct work **ret, struct api *a, const struct bus_conf *bus);
/* 0: fn will be called. Any thread. */
MUST_CHECK int work_submit(struct work *w, work_fn *fn, struct httpd_req *req, void *arg);
/* Refuses more, does what waits, joins; work_submit may still be called. */
void work_drain(struct work *w);
struct work *work_stop(struct work *w); /* drains, and frees */
int64_t work_waiting(struct work *w);

/* A read transaction of the current book: 0, or <0. A handle that failed is opened anew the next time. */
MUST_CHECK int worker_db(struct worker *w, struct store **db);
void worker_done(struct worker *w);

#endif
