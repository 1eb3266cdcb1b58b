#include "ws_impl.h"

#include <errno.h>
#include <stdlib.h>

#include "clk.h"
#include "err.h"

/* One turn's share of what waits in the inbox. */
static void take_newest(struct ws *w, struct buf *slot, bool *has, struct buf *into)
{
	(void) pthread_mutex_lock(&w->inbox.lock);
	buf_clear(into);
	if (*has)
		buf_put(into, slot->p, slot->n);
	*has = false;
	(void) pthread_mutex_unlock(&w->inbox.lock);
}

/* The price is taken first and the word is acted on first: so a word that was said before a price is never heard after it. */
static void read_boards(struct ws *w)
{
	_cleanup_(buf_free) struct buf price = BUF_INIT(MSG_EVENT_MAX), text = BUF_INIT(MSG_GRID_MAX);
	take_newest(w, &w->inbox.price, &w->inbox.has_price, &price);
	take_newest(w, &w->inbox.status, &w->inbox.has_status, &text);
	if (text.n && !text.failed)
		board_reported(w, text.p, text.n);
	if (price.n && !price.failed)
		board_price(w, &price);
	take_newest(w, &w->inbox.grid, &w->inbox.has_grid, &text);
	if (text.n && !text.failed)
		board_grid(w, &text);
}

static void on_item(struct ws *w, const struct item *item)
{
	switch (item->kind) {
	case ITEM_EVENT:
		wallet_on_event(w, item);
		break;
	case ITEM_ADDED:
		wallet_on_added(w, &item->wallet);
		break;
	case ITEM_STATUS:
		board_reported(w, item->text, item->n);
		break;
	case ITEM_WHO:
		player_on_who(w, item);
		break;
	case ITEM_STAND:
		player_on_stand(w, item);
		break;
	}
}

static void read_inbox(struct ws *w)
{
	struct item *next;
	for (struct item *i = inbox_take(&w->inbox); i; i = next) {
		next = i->next;
		on_item(w, i);
		free(i);
	}
	read_boards(w);
}

static void on_timer(void *u)
{
	struct ws *w = u;
	int64_t mono_ms = clk_mono_ms();
	players_timer(w, mono_ms, clk_now_ms());
	wallets_timer(w, mono_ms);
	board_timer(w, mono_ms);
}

static int make_slots(struct ws *w)
{
	w->n_slots = (uint32_t) w->settings->ws_connections;
	w->slots = calloc(w->n_slots, sizeof(struct player *));
	w->free_slots = calloc(w->n_slots, sizeof *w->free_slots);
	if (!w->slots || !w->free_slots)
		return -ENOMEM;
	for (uint32_t i = 0; i < w->n_slots; i++)
		w->free_slots[w->n_free++] = w->n_slots - 1 - i;
	return 0;
}

static int open_door(struct ws *w, int listen_fd)
{
	const struct settings *s = w->settings;
	struct wsock_server_conf conf = { .host = s->ws_listen.host, .port = s->ws_listen.port, .listen_fd = listen_fd,
		.path = "/ws", .message_max = WS_MESSAGE_MAX, .ping_ms = WS_PING_MS, .idle_ms = WS_IDLE_MS,
		.connections_max = (unsigned) s->ws_connections, .plain_upgrade_only = true, .ops = &player_ops, .u = w };
	return err_trace(wsock_listen(w->loop, &conf));
}

static int start(struct ws *w, int listen_fd)
{
	static const char *const channels[] = { CHANNEL_PRICE, CHANNEL_GRID, CHANNEL_STATUS, NULL };
	struct breaker_rules rules = settings_breaker(w->settings);
	breaker_init(&w->breaker, &rules, clk_mono_ms());
	int r = make_slots(w);
	if (r == 0)
		r = wsock_loop_new(&w->loop);
	if (r == 0)
		r = helpers_start(w);
	if (r == 0)
		r = bus_sub_open(&w->sub, &w->bus_conf, channels, &inbox_sub_ops, w);
	if (r == 0)
		r = open_door(w, listen_fd);
	if (r < 0)
		return r;
	board_timer(w, clk_mono_ms()); /* who comes first is told that there is no price yet */
	wsock_every(w->loop, WS_TIMER_MS, on_timer, w);
	return 0;
}

int ws_open(struct ws **ret, const struct settings *s, const struct bus_conf *conf, int listen_fd)
{
	struct ws *w = calloc(1, sizeof *w);
	if (!w)
		return -ENOMEM;
	w->settings = s;
	w->bus_conf = *conf;
	inbox_init(&w->inbox);
	w->helpers.tail = &w->helpers.head;
	(void) pthread_mutex_init(&w->helpers.lock, NULL);
	(void) pthread_cond_init(&w->helpers.some, NULL);
	int r = start(w, listen_fd);
	if (r < 0) {
		(void) ws_close(w);
		return r;
	}
	*ret = w;
	return 0;
}

int ws_turn(struct ws *w, int timeout_ms)
{
	int r = wsock_turn(w->loop, timeout_ms);
	if (r == 0)
		read_inbox(w);
	return r;
}

uint16_t ws_port(const struct ws *w)
{
	return wsock_server_port(w->loop);
}

void ws_drain(struct ws *w)
{
	int64_t until = clk_mono_ms() + WS_DRAIN_MS;
	atomic_store(&w->is_draining, true);
	wsock_stop_listening(w->loop);
	for (struct player *p = w->players; p; p = p->next)
		player_close(p, WS_CLOSE_RESTART, "restarting");
	while (wsock_connections(w->loop) && clk_mono_ms() < until)
		if (ws_turn(w, 20) < 0)
			return;
}

/* Threads first: they hand over to the loop. */
struct ws *ws_close(struct ws *w)
{
	if (!w)
		return NULL;
	helpers_stop(w);
	w->sub = bus_sub_close(w->sub);
	w->loop = wsock_loop_free(w->loop);
	board_free(w);
	addresses_free(w);
	inbox_free(&w->inbox);
	(void) pthread_cond_destroy(&w->helpers.some);
	(void) pthread_mutex_destroy(&w->helpers.lock);
	free(w->slots);
	free(w->free_slots);
	free(w);
	return NULL;
}
