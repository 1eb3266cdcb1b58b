#include "intake.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "clk.h"
#include "err.h"
#include "intake_impl.h"
#include "rnd.h"
#include "thread.h"

static const char *const codes[] = {
	[INTAKE_CONFIRMED] = "",
	[INTAKE_REPLAYED] = "",
	[INTAKE_NOT_SIGNER] = "invalid_signature",
	[INTAKE_RATE_LIMITED] = "rate_limited",
	[INTAKE_REPLAY_DETECTED] = "replay_detected",
	[INTAKE_FEED_STALE] = "price_feed_stale",
	[INTAKE_BEYOND_GRID] = "invalid_cell",
	[INTAKE_COLUMN_CLOSED] = "column_closed",
	[INTAKE_QUOTE_CHANGED] = "quote_changed",
	[INTAKE_BET_EXISTS] = "bet_exists",
	[INTAKE_FORBIDDEN] = "forbidden",
	[INTAKE_LIMIT_REACHED] = "limit_reached",
	[INTAKE_CELL_CLOSED] = "cell_closed",
	[INTAKE_SUSPENDED] = "account_suspended",
	[INTAKE_NO_FUNDS] = "insufficient_funds",
	[INTAKE_OVERLOADED] = "overloaded",
	[INTAKE_UNAVAILABLE] = "unavailable",
	[INTAKE_UNKNOWN] = "outcome_unknown",
};

const char *intake_code(enum intake_result r)
{
	CHECK((size_t) r < ARRAY_LEN(codes));
	return codes[r];
}

void tap_list_init(struct tap_list *l)
{
	*l = (struct tap_list){ .tail = &l->head };
}

void tap_list_push(struct tap_list *l, struct intake_tap *t)
{
	t->next = NULL;
	*l->tail = t;
	l->tail = &t->next;
	l->n++;
}

void tap_list_take(struct tap_list *to, struct tap_list *from, int64_t max)
{
	tap_list_init(to);
	while (from->head && to->n < max) {
		struct intake_tap *t = from->head;
		from->head = t->next;
		tap_list_push(to, t);
	}
	from->n -= to->n;
	if (!from->head)
		from->tail = &from->head;
}

static int open_parts(struct intake *in)
{
	int r = cond_init(&in->wake);
	if (r == 0)
		r = cond_init(&in->announcer.wake);
	if (r == 0)
		r = bus_open(&in->door_bus, &in->bus_conf);
	if (r == 0)
		r = auth_door_open(&in->door, &(struct auth_door_conf){ .bucket_key = key_rate_limit,
				.rate_per_minute = in->s->bet_rate_per_minute, .burst = in->s->bet_burst });
	if (r == 0)
		r = intake_writer_open(in);
	if (r == 0)
		r = announcer_open(in);
	return r < 0 ? err_trace(r) : 0;
}

static int start_threads(struct intake *in)
{
	struct {
		pthread_t *thread;
		void *(*run)(void *);
	} const all[] = {
		{ &in->announcer_thread, intake_announcer_run },
		{ &in->writer_thread, intake_writer_run },
	};
	int64_t mono_ms = clk_mono_ms();
	atomic_store(&in->writer_ms, mono_ms);
	atomic_store(&in->announcer_ms, mono_ms);
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		int r = thread_start(all[i].thread, all[i].run, in);
		if (r < 0)
			return err_say(r, "no thread for intake");
		in->threads++;
	}
	return 0;
}

int intake_start(struct intake **ret, const struct settings *s, const struct bus_conf *bus,
		const struct intake_market *market)
{
	struct intake *in = calloc(1, sizeof *in);
	if (!in)
		return -ENOMEM;
	in->s = s;
	in->bus_conf = *bus;
	in->market = *market;
	in->rules = settings_grid(s);
	rnd_bytes(in->boot, sizeof in->boot);
	tap_list_init(&in->waiting);
	in->jobs_tail = &in->jobs;
	(void) pthread_mutex_init(&in->lock, NULL);
	(void) pthread_mutex_init(&in->announcer.lock, NULL);
	int r = open_parts(in);
	if (r == 0)
		r = start_threads(in);
	if (r < 0) {
		(void) intake_stop(in);
		return r;
	}
	*ret = in;
	return 0;
}

static int64_t oldest_wait_us(const struct intake *in, int64_t now_us)
{
	return in->waiting.head ? now_us - in->waiting.head->queued_us : 0;
}

static bool may_wait(struct intake *in, int64_t now_us)
{
	const struct intake_tap *oldest = in->waiting.head;
	const struct queue_state s = { .waiting = in->waiting.n, .oldest_us = oldest ? oldest->queued_us : 0,
		.oldest_worked_us = oldest ? oldest->queued_worked_us : 0 };
	queue_refused(&in->rule, now_us, atomic_exchange_explicit(&in->unread, 0, memory_order_relaxed));
	if (queue_admits(&in->rule, now_us, &s))
		return true;
	queue_refused(&in->rule, now_us, 1);
	return false;
}

void intake_be_patient(struct intake *in, int ms)
{
	(void) pthread_mutex_lock(&in->lock);
	queue_be_patient(&in->rule, clk_mono_us() + (int64_t) ms * 1000);
	(void) pthread_mutex_unlock(&in->lock);
}

bool intake_busy(struct intake *in)
{
	if (clk_mono_us() >= atomic_load_explicit(&in->busy_until_us, memory_order_relaxed))
		return false;
	(void) atomic_fetch_add_explicit(&in->unread, 1, memory_order_relaxed);
	return true;
}

int intake_submit(struct intake *in, struct intake_tap *t)
{
	int64_t now_us = clk_mono_us();
	int r = 0;

	t->queued_us = now_us;
	t->result = INTAKE_UNAVAILABLE;
	t->verdict = 0;
	t->retry_after_s = 0;
	t->more = false;
	t->until_ms = 0;
	t->reached = INTAKE_REACHED_SERVER;
	t->rate = (struct rate){ 0 };
	(void) pthread_mutex_lock(&in->lock);
	if (in->stopping || atomic_load(&in->failed) || atomic_load(&in->inside) >= in->s->queue_max ||
			!may_wait(in, now_us)) {
		r = INTAKE_E_BUSY;
		atomic_store_explicit(&in->busy_until_us, now_us + BUSY_US, memory_order_relaxed);
	} else {
		(void) atomic_fetch_add(&in->inside, 1);
		in->taps++;
		t->queued_worked_us = queue_worked_us(&in->rule, now_us);
		tap_list_push(&in->waiting, t);
		(void) pthread_cond_signal(&in->wake);
	}
	(void) pthread_mutex_unlock(&in->lock);
	return r;
}

int intake_submit_job(struct intake *in, struct intake_job *j)
{
	int r = 0;
	(void) pthread_mutex_lock(&in->lock);
	if (in->stopping || atomic_load(&in->failed) || in->jobs_n >= JOBS_MAX) {
		r = INTAKE_E_BUSY;
	} else {
		j->next = NULL;
		*in->jobs_tail = j;
		in->jobs_tail = &j->next;
		in->jobs_n++;
		(void) pthread_cond_signal(&in->wake);
	}
	(void) pthread_mutex_unlock(&in->lock);
	return r;
}

void intake_answer(struct intake *in, struct intake_tap *t, enum intake_result result)
{
	t->result = result;
	(void) atomic_fetch_sub(&in->inside, 1);
	(void) atomic_fetch_add(result == INTAKE_CONFIRMED ? &in->confirmed :
			result == INTAKE_REPLAYED ? &in->replayed : &in->refused, 1);
	t->done(t);
}

/* The threads end in the order of a tap's way, each after it has done what the one before handed on. */
void intake_drain(struct intake *in)
{
	(void) pthread_mutex_lock(&in->lock);
	in->stopping = true;
	(void) pthread_cond_signal(&in->wake);
	(void) pthread_mutex_unlock(&in->lock);
	if (in->threads > 1)
		(void) pthread_join(in->writer_thread, NULL);
	(void) pthread_mutex_lock(&in->announcer.lock);
	in->announcer.stopping = true;
	(void) pthread_cond_signal(&in->announcer.wake);
	(void) pthread_mutex_unlock(&in->announcer.lock);
	if (in->threads > 0)
		(void) pthread_join(in->announcer_thread, NULL);
	in->threads = 0;
}

struct intake *intake_stop(struct intake *in)
{
	if (!in)
		return NULL;
	intake_drain(in);
	announcer_close(in);
	intake_writer_close(in);
	in->door = auth_door_close(in->door);
	in->door_bus = bus_close(in->door_bus);
	(void) pthread_cond_destroy(&in->wake);
	(void) pthread_cond_destroy(&in->announcer.wake);
	(void) pthread_mutex_destroy(&in->lock);
	(void) pthread_mutex_destroy(&in->announcer.lock);
	free(in);
	return NULL;
}

bool intake_failed(const struct intake *in)
{
	return atomic_load(&in->failed);
}

bool intake_alive(const struct intake *in, int64_t mono_ms)
{
	return mono_ms - atomic_load(&in->writer_ms) < ALIVE_MS &&
		mono_ms - atomic_load(&in->announcer_ms) < ALIVE_MS;
}

void intake_exposure(struct intake *in, struct intake_exposure *ret)
{
	(void) pthread_mutex_lock(&in->lock);
	ret->open = in->told.open;
	ret->n = in->told.n;
	ret->cells = in->told.cells;
	memcpy(ret->at, in->told.at, ret->n * sizeof ret->at[0]);
	(void) pthread_mutex_unlock(&in->lock);
}

void intake_stats(struct intake *in, struct intake_stats *ret)
{
	*ret = (struct intake_stats){ .redis_up = atomic_load(&in->redis_up),
		.disk_full = atomic_load(&in->disk_full) || atomic_load(&in->disk_tight),
		.last_commit_ms = atomic_load(&in->last_commit_ms), .confirmed = atomic_load(&in->confirmed),
		.replayed = atomic_load(&in->replayed), .refused = atomic_load(&in->refused),
		.queued = atomic_load(&in->inside) };
	(void) pthread_mutex_lock(&in->lock);
	ret->taps = in->taps;
	ret->batches = in->batches;
	ret->batch_max = in->batch_max_seen;
	ret->oldest_wait_us = oldest_wait_us(in, clk_mono_us());
	ret->store = in->store;
	ret->wal_bytes = in->wal_bytes;
	ret->open_exposure = in->open_exposure;
	(void) pthread_mutex_unlock(&in->lock);
	(void) pthread_mutex_lock(&in->announcer.lock);
	ret->announced = in->announcer.announced;
	ret->announce_dropped = in->announcer.dropped;
	(void) pthread_mutex_unlock(&in->announcer.lock);
}
