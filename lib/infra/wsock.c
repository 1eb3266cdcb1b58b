#include "wsock_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "clk.h"
#include "err.h"

struct wsock_frame *wsock_frame_new(const char *text, size_t n)
{
	struct wsock_frame *f = malloc(sizeof *f + WSOCK_SERVER_HEAD_MAX + n);
	if (!f)
		return NULL;
	f->refs = 1;
	f->n = n;
	f->head_n = wsock_head_before(f->bytes + WSOCK_SERVER_HEAD_MAX, WSOCK_OP_TEXT, n);
	if (n)
		memcpy(f->bytes + WSOCK_SERVER_HEAD_MAX, text, n);
	return f;
}

struct wsock_frame *wsock_frame_ref(struct wsock_frame *f)
{
	f->refs++;
	return f;
}

struct wsock_frame *wsock_frame_unref(struct wsock_frame *f)
{
	if (f && --f->refs == 0)
		free(f);
	return NULL;
}

struct wsock_conn *wsock_conn_new(struct wsock_loop *l, const struct wsock_ops *ops, void *u, size_t message_max)
{
	struct wsock_conn *c = calloc(1, sizeof *c);
	if (!c)
		return NULL;
	c->source = WSOCK_PEER;
	c->fd = -1;
	c->loop = l;
	c->ops = ops;
	c->u = u;
	c->in.message = (struct buf) BUF_INIT(message_max);
	c->heard_ms = c->pinged_ms = clk_mono_ms();
	c->next = l->conns;
	if (c->next)
		c->next->prev = c;
	l->conns = c;
	l->n_conns++;
	return c;
}

/* The memory stays until the turn's end: an event, or the list of those that want to write, may still name it. */
void wsock_conn_free(struct wsock_conn *c)
{
	struct wsock_loop *l = c->loop;
	if (l->swept == c)
		l->swept = c->next;
	if (c->prev)
		c->prev->next = c->next;
	else
		l->conns = c->next;
	if (c->next)
		c->next->prev = c->prev;
	l->n_conns--;
	if (c->is_client)
		wsock_client_forget(c);
	else {
		l->n_server--;
		wsock_server_forget(c);
	}
	wsock_in_free(&c->in);
	free(c->target);
	c->target = NULL;
	c->next = l->gone;
	l->gone = c;
}

static void bury(struct wsock_loop *l)
{
	struct wsock_conn *next, *still = NULL;
	for (struct wsock_conn *c = l->gone; c; c = next) {
		next = c->next;
		if (c->is_wanting) {
			c->next = still;
			still = c;
		} else
			free(c);
	}
	l->gone = still;
	wsock_door_bury(l);
}

void wsock_conn_gone(struct wsock_conn *c, const char *why)
{
	unsigned code = c->close_code ? c->close_code : 1006;
	bool told = c->is_open || c->is_promised;
	if (c->loop->connecting == c)
		c->loop->connecting = NULL;
	if (told && c->ops->on_close)
		c->ops->on_close(c, c->u, code, why && why[0] ? why : c->close_reason);
	wsock_conn_free(c);
}

void wsock_want_write(struct wsock_conn *c)
{
	if (!c->is_open)
		return;
	if (c->is_client)
		wsock_client_write(c);
	else
		wsock_server_want(c);
}

void wsock_close(struct wsock_conn *c, unsigned code, const char *reason)
{
	if (c->is_closing)
		return;
	c->is_closing = true;
	c->close_code = code && c->is_open ? code : 1006;
	(void) snprintf(c->close_reason, sizeof c->close_reason, "%s", reason ? reason : "");
	/* A peer that reads nothing never becomes writable: then the deadline cuts it. */
	c->deadline_ms = clk_mono_ms() + (code && c->is_open ? WSOCK_CLOSE_MS : 0);
	if (!c->is_client)
		wsock_server_close(c);
	else if (code && c->is_open)
		wsock_client_write(c);
	else
		wsock_client_cut(c);
}

const char *wsock_peer(const struct wsock_conn *c)
{
	return c->peer;
}

const char *wsock_path(const struct wsock_conn *c)
{
	return c->target ? c->target : "";
}

/* Silence, pings, and what has a deadline. */
static void sweep_conn(struct wsock_conn *c, int64_t now_ms)
{
	if (c->deadline_ms && now_ms >= c->deadline_ms) {
		c->deadline_ms = 0;
		c->is_closing = true;
		if (!c->is_open)
			(void) snprintf(c->close_reason, sizeof c->close_reason, "no connection in time");
		if (c->is_client)
			wsock_client_cut(c);
		else
			wsock_conn_gone(c, NULL);
		return;
	}
	if (c->lookup) {
		wsock_client_sweep(c);
		return;
	}
	if (!c->is_open || c->is_closing)
		return;
	if (c->idle_ms && now_ms - c->heard_ms >= c->idle_ms) {
		wsock_close(c, 0, "silent for too long");
		return;
	}
	if (c->ping_ms && now_ms - c->heard_ms >= c->ping_ms && now_ms - c->pinged_ms >= c->ping_ms) {
		c->pinged_ms = now_ms;
		c->ping_due = true;
		wsock_want_write(c);
	}
}

/* A share of the connections each time: nothing here is due to the millisecond, and all of them at once would be felt. */
static void sweep(struct wsock_loop *l, int64_t now_ms)
{
	size_t n = l->n_conns / WSOCK_SWEEP_SHARE;
	for (n = n < WSOCK_SWEEP_LEAST ? WSOCK_SWEEP_LEAST : n; n > 0 && l->conns; n--) {
		struct wsock_conn *c = l->swept ? l->swept : l->conns;
		l->swept = c->next;
		sweep_conn(c, now_ms);
		if (!l->swept)
			break;
	}
	wsock_door_sweep(l, now_ms);
}

void wsock_every(struct wsock_loop *l, int period_ms, void (*fn)(void *u), void *u)
{
	l->every_ms = period_ms;
	l->every_fn = fn;
	l->every_u = u;
	l->every_at_ms = clk_mono_ms() + period_ms;
}

/* The library's own timers round their wait down and then turn without waiting for up to a millisecond: ours is a file. */
static int arm_timer(struct wsock_loop *l, int64_t at_ms)
{
	if (l->armed_ms == at_ms)
		return 0;
	struct itimerspec when = { .it_value = { .tv_sec = at_ms / 1000, .tv_nsec = at_ms % 1000 * 1000000 } };
	if (timerfd_settime(l->timer_fd, TFD_TIMER_ABSTIME, &when, NULL) < 0)
		return -errno;
	l->armed_ms = at_ms;
	return 0;
}

static void run_due(struct wsock_loop *l)
{
	int64_t now_ms = clk_mono_ms();
	if (now_ms >= l->sweep_at_ms) {
		l->sweep_at_ms = now_ms + WSOCK_SWEEP_MS;
		sweep(l, now_ms);
	}
	if (l->every_fn && now_ms >= l->every_at_ms) {
		l->every_at_ms += l->every_ms;
		if (l->every_at_ms <= now_ms) /* turns that were missed are not made up for */
			l->every_at_ms = now_ms + l->every_ms;
		l->every_fn(l->every_u);
	}
}

static void take_event(struct wsock_loop *l, const struct epoll_event *ev)
{
	uint64_t n;
	switch (*(const enum wsock_source *) ev->data.ptr) {
	case WSOCK_WAKE:
	case WSOCK_TIMER: {
		bool is_wake = *(const enum wsock_source *) ev->data.ptr == WSOCK_WAKE;
		ssize_t got = read(is_wake ? l->wake_fd : l->timer_fd, &n, sizeof n);
		(void) got; /* awake is all that was asked */
		break;
	}
	case WSOCK_DOOR:
		wsock_door_accept(l);
		break;
	case WSOCK_VISITOR:
		wsock_door_heard(l, ev->data.ptr);
		break;
	case WSOCK_PEER: {
		struct wsock_conn *c = ev->data.ptr;
		if (c->fd >= 0)
			wsock_server_event(c, ev->events);
	}
	}
}

static int wait_events(struct wsock_loop *l, int wait_ms)
{
	struct epoll_event events[WSOCK_EVENTS_A_TURN];
	int n = epoll_wait(l->epoll_fd, events, l->want_first ? WSOCK_EVENTS_BUSY : WSOCK_EVENTS_A_TURN, wait_ms);
	if (n < 0 && errno != EINTR)
		return err_say(-errno, "epoll_wait: %s", strerror(errno));
	for (int i = 0; i < n; i++)
		take_event(l, &events[i]);
	return 0;
}

/* Without the library there is one wait, ours; with it there is one too, the library's, which polls our set as a file. */
static int wait_all(struct wsock_loop *l, int64_t until_ms, bool wait)
{
	int64_t left_ms = wait ? until_ms - clk_mono_ms() : 0;
	if (!l->context)
		return wait_events(l, left_ms > 0 ? (int) left_ms : 0);
	int r = wait ? arm_timer(l, until_ms) : 0;
	if (r < 0)
		return err_say(r, "timerfd: %s", strerror(-r));
	r = wsock_client_turn(l, wait);
	if (r < 0 || !l->epoll_ready)
		return r;
	l->epoll_ready = false;
	return wait_events(l, 0);
}

int wsock_turn(struct wsock_loop *l, int timeout_ms)
{
	int64_t until = clk_mono_ms() + timeout_ms;
	if (until > l->sweep_at_ms)
		until = l->sweep_at_ms;
	if (l->every_fn && until > l->every_at_ms)
		until = l->every_at_ms;
	int r = wait_all(l, until, timeout_ms > 0 && !l->want_first);
	if (r < 0)
		return r;
	run_due(l);
	wsock_server_flush(l);
	bury(l);
	return 0;
}

void wsock_wake(struct wsock_loop *l)
{
	uint64_t one = 1;
	ssize_t n = write(l->wake_fd, &one, sizeof one);
	(void) n; /* full means that it is awake already */
}

static int watch_own(struct wsock_loop *l)
{
	static enum wsock_source wake_source = WSOCK_WAKE, timer_source = WSOCK_TIMER;
	struct epoll_event wake = { .events = EPOLLIN, .data.ptr = &wake_source };
	struct epoll_event timer = { .events = EPOLLIN, .data.ptr = &timer_source };
	if (epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, l->wake_fd, &wake) < 0 ||
	    epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, l->timer_fd, &timer) < 0)
		return -errno;
	return 0;
}

int wsock_loop_new(struct wsock_loop **ret)
{
	struct wsock_loop *l = calloc(1, sizeof *l);
	if (!l)
		return -ENOMEM;
	static const char room[WSOCK_READ_MAX];
	l->want_last = &l->want_first;
	l->scratch = (struct buf) BUF_INIT(16 << 20);
	buf_put(&l->scratch, room, sizeof room);
	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	l->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	l->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	int r = l->scratch.failed ? -ENOMEM : l->epoll_fd < 0 || l->wake_fd < 0 || l->timer_fd < 0 ? -errno : watch_own(l);
	if (r < 0) {
		(void) wsock_loop_free(l);
		return err_trace(r);
	}
	l->sweep_at_ms = clk_mono_ms() + WSOCK_SWEEP_MS;
	*ret = l;
	return 0;
}

struct wsock_loop *wsock_loop_free(struct wsock_loop *l)
{
	if (!l)
		return NULL;
	wsock_door_free(l);
	wsock_client_free(l);
	while (l->conns)
		wsock_conn_gone(l->conns, "the loop ends");
	l->want_first = NULL;
	for (struct wsock_conn *c = l->gone; c; c = c->next)
		c->is_wanting = false;
	bury(l);
	if (l->wake_fd >= 0)
		(void) close(l->wake_fd);
	if (l->timer_fd >= 0)
		(void) close(l->timer_fd);
	if (l->epoll_fd >= 0)
		(void) close(l->epoll_fd);
	buf_free(&l->scratch);
	free(l);
	return NULL;
}

size_t wsock_connections(const struct wsock_loop *l)
{
	return l->n_server;
}
