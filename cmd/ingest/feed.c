#include "feed.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "clk.h"
#include "err.h"
#include "log.h"
#include "thread.h"

enum { TURN_MS = 20, LOOK_MS = 100, BROKEN_PAUSE_MS = 1000 };

struct feed {
	struct wsock_loop *loop;
	struct link venues[INDEX_VENUES_MAX];
	size_t n;
	pthread_t thread;
	bool running;
	atomic_bool stop;
	pthread_mutex_t lock; /* over told */
	struct feed_view told;
};

static void tell(struct feed *f)
{
	(void) pthread_mutex_lock(&f->lock);
	for (size_t i = 0; i < f->n; i++) {
		const struct link *l = &f->venues[i];
		f->told.venue[i].connected = link_connected(l);
		f->told.venue[i].connections = l->counts;
		f->told.venue[i].counts = l->bbo.counts;
		f->told.venue[i].book.mid_e4 = l->bbo.mid_e4;
		f->told.venue[i].book.heard_mono_ms = l->bbo.heard_mono_ms;
	}
	(void) pthread_mutex_unlock(&f->lock);
}

void feed_view(struct feed *f, struct feed_view *ret)
{
	(void) pthread_mutex_lock(&f->lock);
	*ret = f->told;
	(void) pthread_mutex_unlock(&f->lock);
}

static void look(void *u)
{
	struct feed *f = u;
	int64_t mono_ms = clk_mono_ms();
	for (size_t i = 0; i < f->n; i++)
		link_look(&f->venues[i], mono_ms);
}

static void *run(void *u)
{
	struct feed *f = u;
	while (!atomic_load(&f->stop)) {
		int r = wsock_turn(f->loop, TURN_MS);
		if (r < 0) {
			(void) log_errno(r, "the feed's loop");
			(void) clk_sleep_until_ms(clk_mono_ms() + BROKEN_PAUSE_MS);
		}
		tell(f);
	}
	return NULL;
}

static void add_venue(struct feed *f, const struct venue_adapter *adapter, const char *url, int64_t renew_ms)
{
	if (!url[0])
		return;
	link_init(&f->venues[f->n], adapter, url, f->loop, renew_ms);
	f->told.venue[f->n].name = adapter->name;
	f->told.venue[f->n].book.quote = adapter->quote;
	f->told.n = ++f->n;
}

int feed_start(struct feed **ret, const struct settings *s)
{
	struct feed *f = calloc(1, sizeof *f);
	if (!f)
		return -ENOMEM;
	(void) pthread_mutex_init(&f->lock, NULL);
	int r = wsock_loop_new(&f->loop);
	if (r < 0)
		goto failed;
	add_venue(f, &venue_coinbase, s->coinbase_url.v, s->venue_renew_s * 1000);
	add_venue(f, &venue_kraken, s->kraken_url.v, s->venue_renew_s * 1000);
	add_venue(f, &venue_bitstamp, s->bitstamp_url.v, s->venue_renew_s * 1000);
	add_venue(f, &venue_binance, s->binance_url.v, s->venue_renew_s * 1000);
	if (f->n == 0 || (int64_t) f->n < s->min_venues) {
		r = err_say(-EINVAL, "%zu venues have an address, TAP_MIN_VENUES asks for %lld", f->n, (long long) s->min_venues);
		goto failed;
	}
	wsock_every(f->loop, LOOK_MS, look, f);
	r = thread_start(&f->thread, run, f);
	if (r < 0)
		goto failed;
	f->running = true;
	*ret = f;
	return 0;
failed:
	(void) feed_stop(f);
	return err_trace(r);
}

struct feed *feed_stop(struct feed *f)
{
	if (!f)
		return NULL;
	atomic_store(&f->stop, true);
	if (f->running) {
		wsock_wake(f->loop);
		(void) pthread_join(f->thread, NULL);
	}
	for (size_t i = 0; i < f->n; i++)
		link_leave(&f->venues[i]);
	if (f->loop)
		(void) wsock_loop_free(f->loop);
	(void) pthread_mutex_destroy(&f->lock);
	free(f);
	return NULL;
}
