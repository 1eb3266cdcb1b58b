#include "segment_ahead.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "check.h"
#include "err.h"
#include "segment.h"
#include "thread.h"

struct slot {
	bool done;
	int result;
	struct buf bytes;
	char why[ERR_TEXT_MAX];
};

struct fetcher {
	struct segment_ahead *a;
	struct s3 *s3;
	pthread_t thread;
	bool running;
};

struct segment_ahead {
	char prefix[S3_KEY_MAX - SEGMENT_KEY_SIZE];
	struct fetcher fetchers[SEGMENT_AHEAD_THREADS];
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int64_t wanted;          /* what the owner takes next */
	int64_t next;            /* what is fetched next: less than SEGMENT_AHEAD beyond */
	int64_t last;            /* the first that was not there, or failed: none beyond is asked for */
	size_t held;             /* bytes that were fetched and not taken */
	bool stopping;
	struct slot slots[SEGMENT_AHEAD];
};

static struct slot *slot_of(struct segment_ahead *a, int64_t number)
{
	return &a->slots[number % SEGMENT_AHEAD];
}

/* Without the lock: the slot is this thread's until it is done. */
static void fetch(struct fetcher *f, int64_t number, struct slot *slot)
{
	char key[SEGMENT_KEY_SIZE];
	segment_key(key, f->a->prefix, number);
	buf_clear(&slot->bytes);
	err_clear();
	slot->result = s3_get_buf(f->s3, key, &slot->bytes, NULL);
	(void) snprintf(slot->why, sizeof slot->why, "%s", err_text());
}

static bool may_fetch(const struct segment_ahead *a)
{
	return a->next <= a->last && a->next - a->wanted < SEGMENT_AHEAD && (a->held < SEGMENT_AHEAD_BYTES || a->next == a->wanted);
}

static void *run(void *u)
{
	struct fetcher *f = u;
	struct segment_ahead *a = f->a;
	(void) pthread_mutex_lock(&a->lock);
	while (!a->stopping) {
		if (!may_fetch(a)) {
			(void) pthread_cond_wait(&a->changed, &a->lock);
			continue;
		}
		int64_t number = a->next++;
		struct slot *slot = slot_of(a, number);
		(void) pthread_mutex_unlock(&a->lock);
		fetch(f, number, slot);
		(void) pthread_mutex_lock(&a->lock);
		slot->done = true;
		a->held += slot->bytes.n;
		if (slot->result != 0 && number < a->last)
			a->last = number;
		(void) pthread_cond_broadcast(&a->changed);
	}
	(void) pthread_mutex_unlock(&a->lock);
	return NULL;
}

static int start(struct segment_ahead *a, const struct s3_conf *conf)
{
	struct s3_conf each = *conf;
	each.bytes_per_second = (conf->bytes_per_second + SEGMENT_AHEAD_THREADS - 1) / SEGMENT_AHEAD_THREADS;
	int r = 0;
	for (size_t i = 0; r == 0 && i < SEGMENT_AHEAD_THREADS; i++) {
		struct fetcher *f = &a->fetchers[i];
		f->a = a;
		r = s3_open(&f->s3, &each);
		if (r == 0)
			r = thread_start(&f->thread, run, f);
		f->running = r == 0;
	}
	return r;
}

int segment_ahead_open(struct segment_ahead **ret, const struct s3_conf *conf, const char *prefix, int64_t from)
{
	struct segment_ahead *a = calloc(1, sizeof *a);
	if (!a)
		return -ENOMEM;
	CHECK(from > 0 && (size_t) snprintf(a->prefix, sizeof a->prefix, "%s", prefix) < sizeof a->prefix);
	a->wanted = a->next = from;
	a->last = INT64_MAX;
	for (size_t i = 0; i < SEGMENT_AHEAD; i++)
		a->slots[i].bytes.max = SEGMENT_MAX;
	(void) pthread_mutex_init(&a->lock, NULL);
	int r = cond_init(&a->changed);
	if (r == 0)
		r = start(a, conf);
	if (r < 0) {
		(void) segment_ahead_close(a);
		return err_trace(r);
	}
	*ret = a;
	return 0;
}

struct segment_ahead *segment_ahead_close(struct segment_ahead *a)
{
	if (!a)
		return NULL;
	(void) pthread_mutex_lock(&a->lock);
	a->stopping = true;
	(void) pthread_cond_broadcast(&a->changed);
	(void) pthread_mutex_unlock(&a->lock);
	for (size_t i = 0; i < SEGMENT_AHEAD_THREADS; i++) {
		if (a->fetchers[i].running)
			(void) pthread_join(a->fetchers[i].thread, NULL);
		(void) s3_close(a->fetchers[i].s3);
	}
	for (size_t i = 0; i < SEGMENT_AHEAD; i++)
		buf_free(&a->slots[i].bytes);
	(void) pthread_cond_destroy(&a->changed);
	(void) pthread_mutex_destroy(&a->lock);
	free(a);
	return NULL;
}

int segment_ahead_next(struct segment_ahead *a, struct buf *bytes)
{
	(void) pthread_mutex_lock(&a->lock);
	CHECK(a->wanted <= a->last);
	struct slot *slot = slot_of(a, a->wanted);
	while (!slot->done)
		(void) pthread_cond_wait(&a->changed, &a->lock);
	a->held -= slot->bytes.n;
	struct buf given = *bytes;
	*bytes = slot->bytes;
	slot->bytes = given;
	slot->done = false;
	slot->bytes.max = SEGMENT_MAX;
	a->wanted++;
	(void) pthread_cond_broadcast(&a->changed);
	(void) pthread_mutex_unlock(&a->lock);
	return slot->result == 0 ? 0 : err_say(slot->result, "%s", slot->why);
}
