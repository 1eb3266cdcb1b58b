#include "ws_impl.h"

#include <stdlib.h>
#include <string.h>

void inbox_init(struct inbox *in)
{
	*in = (struct inbox){ .price = BUF_INIT(MSG_EVENT_MAX), .grid = BUF_INIT(MSG_GRID_MAX),
		.status = BUF_INIT(MSG_EVENT_MAX) };
	in->tail = &in->head;
	(void) pthread_mutex_init(&in->lock, NULL);
}

void inbox_free(struct inbox *in)
{
	struct item *next;
	for (struct item *i = in->head; i; i = next) {
		next = i->next;
		free(i);
	}
	buf_free(&in->price);
	buf_free(&in->grid);
	buf_free(&in->status);
	(void) pthread_mutex_destroy(&in->lock);
}

struct item *item_new(enum item_kind kind, const char *text, size_t n)
{
	struct item *i = calloc(1, sizeof *i + n + 1);
	if (!i)
		return NULL;
	i->kind = kind;
	i->n = n;
	if (n)
		memcpy(i->text, text, n);
	return i;
}

/* Takes the item over; NULL (no memory) and one too many count as lost. must: an answer that somebody waits for; those are
 * bounded by the jobs. */
void inbox_put(struct ws *w, struct item *item, bool must)
{
	struct inbox *in = &w->inbox;
	(void) pthread_mutex_lock(&in->lock);
	bool takes = item && (must || in->n < WS_INBOX_MAX);
	if (takes) {
		*in->tail = item;
		in->tail = &item->next;
		in->n++;
	}
	(void) pthread_mutex_unlock(&in->lock);
	if (!takes) {
		atomic_fetch_add(&w->counts.events_lost, 1);
		free(item);
		return;
	}
	wsock_wake(w->loop);
}

/* All that came, in order. */
struct item *inbox_take(struct inbox *in)
{
	(void) pthread_mutex_lock(&in->lock);
	struct item *all = in->head;
	in->head = NULL;
	in->tail = &in->head;
	in->n = 0;
	(void) pthread_mutex_unlock(&in->lock);
	return all;
}

static void put_newest(struct ws *w, struct buf *slot, bool *has, const char *text, size_t n)
{
	(void) pthread_mutex_lock(&w->inbox.lock);
	buf_clear(slot);
	buf_put(slot, text, n);
	*has = !slot->failed;
	(void) pthread_mutex_unlock(&w->inbox.lock);
	wsock_wake(w->loop);
}

/* --- callbacks on the subscription's thread --- */

static void on_message(void *u, const char *channel, const char *payload, size_t n)
{
	struct ws *w = u;
	struct wallet wallet;
	if (strcmp(channel, CHANNEL_PRICE) == 0)
		put_newest(w, &w->inbox.price, &w->inbox.has_price, payload, n);
	else if (strcmp(channel, CHANNEL_GRID) == 0)
		put_newest(w, &w->inbox.grid, &w->inbox.has_grid, payload, n);
	else if (strcmp(channel, CHANNEL_STATUS) == 0)
		put_newest(w, &w->inbox.status, &w->inbox.has_status, payload, n);
	else if (n <= MSG_EVENT_MAX && wallet_of_channel(&wallet, channel)) {
		struct item *i = item_new(ITEM_EVENT, payload, n);
		if (i) {
			i->wallet = wallet;
			i->seq = msg_seq(payload, n);
		}
		inbox_put(w, i, false);
	}
}

static void on_state(void *u, bool up)
{
	struct ws *w = u;
	atomic_store(&w->redis_up, up);
	if (up) /* what was said while nobody listened */
		(void) helpers_ask(w, &(struct job){ .kind = JOB_STATUS });
}

static void on_added(void *u, const char *channel)
{
	struct wallet wallet;
	if (!wallet_of_channel(&wallet, channel))
		return;
	struct item *i = item_new(ITEM_ADDED, NULL, 0);
	if (i)
		i->wallet = wallet;
	inbox_put(u, i, false);
}

const struct bus_sub_ops inbox_sub_ops = { .message = on_message, .state = on_state, .added = on_added };
