#include "heard.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "clk.h"
#include "err.h"
#include "msg.h"
#include "thread.h"

struct heard {
	pthread_mutex_t lock;
	pthread_cond_t taken;
	bool can_wait;
	struct tick ring[HEARD_MAX];
	size_t first, n; /* ring[(first + i) % HEARD_MAX], i < n, rising */
	struct heard_stats stats;
	struct bus_sub *sub;
};

static const struct tick *at(const struct heard *h, size_t i)
{
	return &h->ring[(h->first + i) % HEARD_MAX];
}

static void drop_oldest(struct heard *h)
{
	h->first = (h->first + 1) % HEARD_MAX;
	h->n--;
}

/* Redis itself refuses a tick that does not rise: one that comes all the same tells that its memory began anew, before a
 * time that we had heard of (a clock had been set ahead). What claims to be later is no part of any path to come. */
static void forget_from(struct heard *h, int64_t t_ms)
{
	while (h->n && at(h, h->n - 1)->t_ms >= t_ms)
		h->n--;
}

void heard_take(struct heard *h, const struct tick *t)
{
	(void) pthread_mutex_lock(&h->lock);
	forget_from(h, t->t_ms);
	while (h->n && (h->n == HEARD_MAX || at(h, 0)->t_ms < t->t_ms - HEARD_SPAN_MS))
		drop_oldest(h);
	h->ring[(h->first + h->n++) % HEARD_MAX] = *t;
	h->stats.taken++;
	h->stats.newest_ms = t->t_ms;
	(void) pthread_cond_signal(&h->taken);
	(void) pthread_mutex_unlock(&h->lock);
}

/* Index of the first tick with t >= at_ms. */
static size_t find(const struct heard *h, int64_t at_ms)
{
	size_t low = 0, high = h->n;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (at(h, mid)->t_ms < at_ms)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

size_t heard_read(struct heard *h, int64_t from_ms, int64_t to_ms, struct tick *ticks, size_t max)
{
	size_t n = 0;
	(void) pthread_mutex_lock(&h->lock);
	size_t i = find(h, from_ms);
	if (i > 0)
		i--;
	for (; i < h->n && n < max && at(h, i)->t_ms < to_ms; i++)
		ticks[n++] = *at(h, i);
	(void) pthread_mutex_unlock(&h->lock);
	return n;
}

void heard_wait(struct heard *h, int64_t t_ms, int64_t until_mono_ms)
{
	(void) pthread_mutex_lock(&h->lock);
	while (h->stats.newest_ms < t_ms && clk_mono_ms() < until_mono_ms)
		cond_wait_until(&h->taken, &h->lock, until_mono_ms);
	(void) pthread_mutex_unlock(&h->lock);
}

void heard_stats(struct heard *h, struct heard_stats *ret)
{
	(void) pthread_mutex_lock(&h->lock);
	*ret = h->stats;
	(void) pthread_mutex_unlock(&h->lock);
}

static void on_message(void *u, const char *channel, const char *payload, size_t n)
{
	struct tick t;
	(void) channel;
	if (msg_price_parse(&t, payload, n))
		heard_take(u, &t);
}

static void on_state(void *u, bool up)
{
	struct heard *h = u;
	(void) pthread_mutex_lock(&h->lock);
	h->stats.up = up;
	(void) pthread_mutex_unlock(&h->lock);
}

int heard_open(struct heard **ret, const struct bus_conf *bus)
{
	static const char *const channels[] = { CHANNEL_PRICE, NULL };
	static const struct bus_sub_ops ops = { .message = on_message, .state = on_state };
	struct heard *h = calloc(1, sizeof *h);
	if (!h)
		return -ENOMEM;
	(void) pthread_mutex_init(&h->lock, NULL);
	int r = cond_init(&h->taken);
	h->can_wait = r == 0;
	if (r == 0)
		r = bus_sub_open(&h->sub, bus, channels, &ops, h);
	if (r < 0) {
		heard_close(h);
		return err_trace(r);
	}
	*ret = h;
	return 0;
}

struct heard *heard_close(struct heard *h)
{
	if (!h)
		return NULL;
	bus_sub_close(h->sub);
	if (h->can_wait)
		(void) pthread_cond_destroy(&h->taken);
	(void) pthread_mutex_destroy(&h->lock);
	free(h);
	return NULL;
}

size_t ticks_union(const struct tick *a, size_t n_a, const struct tick *b, size_t n_b, struct tick *out, size_t max)
{
	size_t i = 0, j = 0, n = 0;
	while (n < max && (i < n_a || j < n_b)) {
		if (j == n_b || (i < n_a && a[i].t_ms <= b[j].t_ms)) {
			if (j < n_b && a[i].t_ms == b[j].t_ms)
				j++;
			out[n++] = a[i++];
		} else {
			out[n++] = b[j++];
		}
	}
	return n;
}
