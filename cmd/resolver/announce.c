#include "announce.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "buf.h"
#include "clk.h"
#include "err.h"
#include "log.h"
#include "msg.h"
#include "thread.h"

struct announcer {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct settled_bet *ring;
	size_t first, n;
	bool stopping;
	int64_t stop_by_ms; /* monotonic */
	struct announcer_stats stats;
	/* the thread's own */
	pthread_t thread;
	bool running;
	struct bus *bus;
	struct settled_bet batch[ANNOUNCE_BATCH];
	size_t n_batch;
};

void announcer_put(struct announcer *a, const struct settled_bet *bet)
{
	(void) pthread_mutex_lock(&a->lock);
	if (a->n == ANNOUNCE_MAX) {
		a->first = (a->first + 1) % ANNOUNCE_MAX;
		a->n--;
		a->stats.dropped++;
	}
	a->ring[(a->first + a->n++) % ANNOUNCE_MAX] = *bet;
	(void) pthread_cond_signal(&a->changed);
	(void) pthread_mutex_unlock(&a->lock);
}

static int gather(struct announcer *a, struct msg_group *g)
{
	_cleanup_(buf_free) struct buf event = BUF_INIT(MSG_EVENT_MAX);
	for (size_t i = 0; i < a->n_batch; i++) {
		const struct settled_bet *sb = &a->batch[i];
		buf_clear(&event);
		msg_bet_resolved(&event, &sb->account, &sb->bet);
		int r = msg_group_add(g, &sb->account, &event);
		if (r < 0)
			return r;
	}
	return msg_group_end(g);
}

/* What a support question begins with: found by the bet and by the wallet. */
static void log_batch(const struct announcer *a)
{
	char wallet[WALLET_TEXT_SIZE], id[ULID_TEXT_SIZE];
	if (!log_wants(LOG_LEVEL_DEBUG))
		return;
	for (size_t i = 0; i < a->n_batch; i++) {
		const struct settled_bet *sb = &a->batch[i];
		wallet_format(wallet, &sb->account.wallet);
		bet_id_text(id, &sb->bet);
		log_with(LOG_LEVEL_DEBUG, &(struct log_ctx){ .bet_id = id, .wallet = wallet }, "%s, pays %lld micro-USD",
				bet_state_name(sb->bet.state), (long long) sb->bet.payout.micros);
	}
}

static int tell_batch(struct announcer *a)
{
	_cleanup_(msg_group_free) struct msg_group group;
	msg_group_begin(&group, a->bus);
	int r = gather(a, &group);
	if (r < 0)
		return r;
	r = bus_flush(a->bus);
	if (r < 0)
		return r;
	/* A script that Redis refuses (it is loading, or out of memory) has announced nothing: the batch goes again. */
	for (size_t i = 0; i < bus_replies(a->bus); i++)
		if (bus_kind(bus_reply(a->bus, i)) == BUS_ERROR)
			return -EAGAIN;
	return 0;
}

/* With the lock: the next batch, once the last one is out. False: it is time to end. */
static bool next_batch(struct announcer *a)
{
	while (a->n_batch == 0 && a->n == 0 && !a->stopping)
		(void) pthread_cond_wait(&a->changed, &a->lock);
	if (a->stopping && ((a->n == 0 && a->n_batch == 0) || clk_mono_ms() >= a->stop_by_ms))
		return false;
	while (a->n_batch < ANNOUNCE_BATCH && a->n) {
		a->batch[a->n_batch++] = a->ring[a->first];
		a->first = (a->first + 1) % ANNOUNCE_MAX;
		a->n--;
	}
	if (a->n == 0)
		a->first = 0; /* else all of the ring would come into memory, a little with each column */
	return true;
}

static void *announcer_run(void *u)
{
	struct announcer *a = u;
	(void) pthread_mutex_lock(&a->lock);
	while (next_batch(a)) {
		(void) pthread_mutex_unlock(&a->lock);
		int r = tell_batch(a);
		err_clear();
		(void) pthread_mutex_lock(&a->lock);
		a->stats.up = r == 0;
		if (r == 0) {
			log_batch(a);
			a->stats.told += a->n_batch;
			a->n_batch = 0;
		} else {
			int64_t again_ms = clk_mono_ms() + ANNOUNCE_RETRY_MS;
			while (clk_mono_ms() < again_ms && !(a->stopping && clk_mono_ms() >= a->stop_by_ms))
				cond_wait_until(&a->changed, &a->lock, again_ms);
		}
	}
	(void) pthread_mutex_unlock(&a->lock);
	return NULL;
}

void announcer_stats(struct announcer *a, struct announcer_stats *ret)
{
	(void) pthread_mutex_lock(&a->lock);
	*ret = a->stats;
	ret->waiting = (int64_t) (a->n + a->n_batch);
	(void) pthread_mutex_unlock(&a->lock);
}

static int announcer_setup(struct announcer *a, const struct bus_conf *bus)
{
	(void) pthread_mutex_init(&a->lock, NULL);
	int r = cond_init(&a->changed);
	if (r < 0)
		return r;
	a->ring = calloc(ANNOUNCE_MAX, sizeof *a->ring);
	if (!a->ring)
		return -ENOMEM;
	r = bus_open(&a->bus, bus);
	if (r < 0)
		return err_trace(r);
	r = thread_start(&a->thread, announcer_run, a);
	if (r < 0)
		return err_say(r, "the announcer's thread");
	a->running = true;
	return 0;
}

int announcer_start(struct announcer **ret, const struct bus_conf *bus)
{
	struct announcer *a = calloc(1, sizeof *a);
	if (!a)
		return -ENOMEM;
	int r = announcer_setup(a, bus);
	if (r < 0) {
		announcer_stop(a);
		return r;
	}
	*ret = a;
	return 0;
}

struct announcer *announcer_stop(struct announcer *a)
{
	if (!a)
		return NULL;
	if (a->running) {
		(void) pthread_mutex_lock(&a->lock);
		a->stopping = true;
		a->stop_by_ms = clk_mono_ms() + ANNOUNCE_DRAIN_MS;
		(void) pthread_cond_broadcast(&a->changed);
		(void) pthread_mutex_unlock(&a->lock);
		(void) pthread_join(a->thread, NULL);
	}
	bus_close(a->bus);
	free(a->ring);
	(void) pthread_cond_destroy(&a->changed);
	(void) pthread_mutex_destroy(&a->lock);
	free(a);
	return NULL;
}
