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
	struct wsock_frame *f = malloc(sizeof *f + LWS_PRE + n);
	if (!f)
		return NULL;
	f->refs = 1;
	f->n = n;
	memcpy(f->bytes + LWS_PRE, text, n);
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
	c->loop = l;
	c->ops = ops;
	c->u = u;
	c->message_max = message_max;
	c->message = (struct buf) BUF_INIT(message_max);
	c->heard_ms = c->pinged_ms = clk_mono_ms();
	c->next = l->conns;
	if (c->next)
		c->next->prev = c;
	l->conns = c;
	return c;
}

void wsock_conn_free(struct wsock_conn *c)
{
	struct wsock_loop *l = c->loop;
	if (c->prev)
		c->prev->next = c->next;
	else
		l->conns = c->next;
	if (c->next)
		c->next->prev = c->prev;
	if (!c->is_client)
		l->n_server--;
	wsock_client_forget(c);
	buf_free(&c->message);
	free(c->target);
	free(c);
}

/* The library is through with the connection, or never had it. */
void wsock_conn_gone(struct wsock_conn *c, const char *why)
{
	unsigned code = c->close_code ? c->close_code : 1006;
	bool told = c->is_open || c->is_promised;
	if (c->loop->connecting == c)
		c->loop->connecting = NULL;
	if (c->loop->adopting == c)
		c->loop->adopting = NULL;
	if (told && c->ops->on_close)
		c->ops->on_close(c, c->u, code, why && why[0] ? why : c->close_reason);
	wsock_conn_free(c);
}

void wsock_want_write(struct wsock_conn *c)
{
	if (c->wsi && c->is_open)
		(void) lws_callback_on_writable(c->wsi);
}

void wsock_close(struct wsock_conn *c, unsigned code, const char *reason)
{
	if (c->is_closing)
		return;
	c->is_closing = true;
	c->close_code = code ? code : 1006;
	(void) snprintf(c->close_reason, sizeof c->close_reason, "%s", reason ? reason : "");
	buf_free(&c->message);
	/* A peer that reads nothing never becomes writable: then the deadline cuts it. */
	c->deadline_ms = clk_mono_ms() + (code && c->is_open ? WSOCK_CLOSE_MS : 0);
	if (code && c->is_open)
		wsock_want_write(c);
	else if (c->wsi)
		lws_set_timeout(c->wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_ASYNC);
}

const char *wsock_peer(const struct wsock_conn *c)
{
	return c->peer;
}

const char *wsock_path(const struct wsock_conn *c)
{
	return c->target ? c->target : "";
}

static int on_opened(struct wsock_conn *c, struct lws *wsi)
{
	c->wsi = wsi;
	c->is_open = true;
	c->deadline_ms = 0;
	c->heard_ms = c->pinged_ms = clk_mono_ms();
	if (c->ops->on_open && !c->ops->on_open(c, &c->u))
		wsock_close(c, 1013, "try again later");
	return 0;
}

static int fail_message(struct wsock_conn *c, unsigned code, const char *reason)
{
	wsock_close(c, code, reason);
	return 0;
}

/* A piece of a message: whole ones go up, too long ones end the connection before they are stored. */
static int on_piece(struct wsock_conn *c, struct lws *wsi, const char *p, size_t n)
{
	c->heard_ms = clk_mono_ms();
	if (c->is_closing)
		return 0;
	if (lws_is_first_fragment(wsi)) {
		buf_clear(&c->message);
		c->message_binary = lws_frame_is_binary(wsi);
		if (c->message_binary && !c->is_client)
			return fail_message(c, 1003, "text only");
	}
	if (n + lws_remaining_packet_payload(wsi) > c->message_max - c->message.n)
		return fail_message(c, 1009, "message too long");
	buf_put(&c->message, p, n);
	if (c->message.failed)
		return -1;
	if (lws_remaining_packet_payload(wsi) || !lws_is_final_fragment(wsi))
		return 0;
	if (c->message_binary) {
		if (c->ops->on_binary)
			c->ops->on_binary(c, c->u);
	} else if (!wsock_utf8(c->message.p ? c->message.p : "", c->message.n))
		return fail_message(c, 1007, "not UTF-8");
	else if (c->ops->on_text)
		c->ops->on_text(c, c->u, c->message.p ? c->message.p : "", c->message.n);
	if (c->message.cap > WSOCK_RX_KEPT)
		buf_free(&c->message);
	buf_clear(&c->message);
	return 0;
}

static int send_frame(struct wsock_conn *c, struct lws *wsi, struct wsock_frame *f)
{
	unsigned char *p = f->bytes + LWS_PRE;
	if (c->is_client) {
		struct buf *b = &c->loop->scratch;
		static const char room[LWS_PRE];
		buf_clear(b);
		buf_put(b, room, sizeof room);
		buf_put(b, p, f->n);
		if (b->failed)
			return -1;
		p = (unsigned char *) b->p + LWS_PRE;
	}
	return lws_write(wsi, p, f->n, LWS_WRITE_TEXT) < 0 ? -1 : 0;
}

/* The library closes the socket right behind a close frame of its own. While bytes of the peer are unread that is a reset,
 * and the peer may never see the frame. So the frame is sent here, what still comes is dropped, and the socket stays until the
 * peer's own close frame or the deadline. */
static int send_close(struct wsock_conn *c, struct lws *wsi)
{
	unsigned char bytes[LWS_PRE + 2 + WSOCK_CONTROL_MAX] = { 0 }, *p = bytes + LWS_PRE;
	size_t n = strnlen(c->close_reason, WSOCK_CONTROL_MAX - 2);
	if (c->close_code == 1006)
		return -1;
	if (c->is_client) { /* the server closes the connection: the library's way does */
		lws_close_reason(wsi, (enum lws_close_status) c->close_code, (unsigned char *) c->close_reason, n);
		return -1;
	}
	if (c->close_sent)
		return 0;
	c->close_sent = true;
	p[0] = 0x88; /* FIN, close; a server does not mask */
	p[1] = (unsigned char) (n + 2);
	p[2] = (unsigned char) (c->close_code >> 8);
	p[3] = (unsigned char) c->close_code;
	memcpy(p + 4, c->close_reason, n);
	return lws_write(wsi, p, n + 4, LWS_WRITE_RAW) < 0 ? -1 : 0;
}

static int on_writable(struct wsock_conn *c, struct lws *wsi)
{
	if (c->is_closing)
		return send_close(c, wsi);
	if (c->ping_due) {
		unsigned char bytes[LWS_PRE + 1] = { 0 }; /* an empty ping is not answered by every library, this one included */
		c->ping_due = false;
		if (lws_write(wsi, bytes + LWS_PRE, 1, LWS_WRITE_PING) < 0)
			return -1;
		(void) lws_callback_on_writable(wsi); /* one write a turn is the library's rule */
		return 0;
	}
	struct wsock_frame *f = c->ops->on_writable ? c->ops->on_writable(c, c->u) : NULL;
	if (!f)
		return 0;
	int r = send_frame(c, wsi, f);
	(void) wsock_frame_unref(f);
	return r;
}

/* The peer's close frame: its code, when it sent one. */
static void note_peer_close(struct wsock_conn *c, const unsigned char *p, size_t n)
{
	if (c->is_closing)
		return;
	c->close_code = n >= 2 ? (unsigned) p[0] << 8 | p[1] : 1005;
	size_t room = sizeof c->close_reason - 1, len = n > 2 ? n - 2 : 0;
	if (len > room)
		len = room;
	if (len)
		memcpy(c->close_reason, p + 2, len);
	c->close_reason[len] = '\0';
}

/* The connection that a callback is about; NULL for those that are about none. */
static struct wsock_conn *conn_of(struct lws *wsi, enum lws_callback_reasons reason)
{
	struct wsock_conn *c = lws_get_opaque_user_data(wsi);
	if (c)
		return c;
	struct wsock_loop *l = lws_context_user(lws_get_context(wsi));
	if (!l || reason != LWS_CALLBACK_ESTABLISHED)
		return NULL;
	c = l->adopting;
	if (c)
		lws_set_opaque_user_data(wsi, c);
	return c;
}

static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len)
{
	(void) user;
	if (reason == LWS_CALLBACK_RAW_RX_FILE) {
		struct wsock_loop *l = lws_context_user(lws_get_context(wsi));
		l->epoll_ready = true; /* looked at after the library's turn, so that it is not entered twice */
		return 0;
	}
	struct wsock_conn *c = wsi ? conn_of(wsi, reason) : NULL;
	if (!c)
		return reason == LWS_CALLBACK_ESTABLISHED ? -1 : 0;
	switch (reason) {
	case LWS_CALLBACK_ESTABLISHED:
	case LWS_CALLBACK_CLIENT_ESTABLISHED:
		return on_opened(c, wsi);
	case LWS_CALLBACK_RECEIVE:
	case LWS_CALLBACK_CLIENT_RECEIVE:
		return on_piece(c, wsi, in, len);
	case LWS_CALLBACK_SERVER_WRITEABLE:
	case LWS_CALLBACK_CLIENT_WRITEABLE:
		return on_writable(c, wsi);
	case LWS_CALLBACK_RECEIVE_PONG:
	case LWS_CALLBACK_CLIENT_RECEIVE_PONG:
		c->heard_ms = clk_mono_ms();
		if (c->ops->on_pong && !c->is_closing)
			c->ops->on_pong(c, c->u);
		return 0;
	case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
		note_peer_close(c, in, len);
		return c->close_sent ? -1 : 0; /* both have said it; else the library answers */
	case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
		lws_set_opaque_user_data(wsi, NULL);
		wsock_conn_gone(c, in);
		return 0;
	case LWS_CALLBACK_CLOSED:
	case LWS_CALLBACK_CLIENT_CLOSED:
	case LWS_CALLBACK_WSI_DESTROY:
		lws_set_opaque_user_data(wsi, NULL);
		wsock_conn_gone(c, NULL);
		return 0;
	default:
		return 0;
	}
}

const struct lws_protocols wsock_protocols[] = {
	/* rx: the library's unit of reading; tx: a grid frame leaves in one write */
	{ .name = "tap", .callback = on_event, .rx_buffer_size = 4096, .tx_packet_size = 256 << 10 },
	{ 0 },
};

/* Silence, pings, and what has a deadline. */
static void sweep_conn(struct wsock_conn *c, int64_t now_ms)
{
	if (c->deadline_ms && now_ms >= c->deadline_ms) {
		c->deadline_ms = 0;
		c->is_closing = true;
		if (!c->is_open)
			(void) snprintf(c->close_reason, sizeof c->close_reason, "no connection in time");
		if (c->wsi)
			lws_set_timeout(c->wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_ASYNC);
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

static void sweep(struct wsock_loop *l, int64_t now_ms)
{
	struct wsock_conn *next;
	for (struct wsock_conn *c = l->conns; c; c = next) {
		next = c->next;
		sweep_conn(c, now_ms);
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

int wsock_turn(struct wsock_loop *l, int timeout_ms)
{
	int64_t until = clk_mono_ms() + timeout_ms;
	if (until > l->sweep_at_ms)
		until = l->sweep_at_ms;
	if (l->every_fn && until > l->every_at_ms)
		until = l->every_at_ms;
	int r = timeout_ms > 0 ? arm_timer(l, until) : 0;
	if (r < 0)
		return err_say(r, "timerfd: %s", strerror(-r));
	if (lws_service(l->context, timeout_ms > 0 ? 0 : -1) < 0)
		return err_say(-EIO, "libwebsockets: the loop is broken");
	if (l->epoll_ready) {
		l->epoll_ready = false;
		wsock_door_turn(l);
	}
	run_due(l);
	return 0;
}

void wsock_wake(struct wsock_loop *l)
{
	uint64_t one = 1;
	ssize_t n = write(l->wake_fd, &one, sizeof one);
	(void) n; /* full means that it is awake already */
}

static int watch_epoll(struct wsock_loop *l)
{
	struct epoll_event wake = { .events = EPOLLIN, .data.ptr = &l->wake_fd };
	struct epoll_event timer = { .events = EPOLLIN, .data.ptr = &l->timer_fd };
	if (epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, l->wake_fd, &wake) < 0 ||
	    epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, l->timer_fd, &timer) < 0)
		return -errno;
	lws_sock_file_fd_type fd = { .filefd = l->epoll_fd };
	if (!lws_adopt_descriptor_vhost(l->server_vhost, LWS_ADOPT_RAW_FILE_DESC, fd, wsock_protocols[0].name, NULL))
		return err_say(-EIO, "libwebsockets does not take the epoll descriptor");
	return 0;
}

static void silent(int level, const char *line)
{
	(void) level;
	(void) line; /* libraries do not log: what matters comes back as a result or in on_close */
}

static int loop_start(struct wsock_loop *l)
{
	struct lws_context_creation_info info = { .port = CONTEXT_PORT_NO_LISTEN, .protocols = wsock_protocols,
		.options = LWS_SERVER_OPTION_EXPLICIT_VHOSTS | LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT,
		.user = l, .gid = -1, .uid = -1, .timeout_secs = 10 };
	lws_set_log_level(LLL_ERR, silent);
	l->context = lws_create_context(&info);
	if (!l->context)
		return err_say(-ENOMEM, "libwebsockets has no context");
	info.vhost_name = "server";
	info.port = CONTEXT_PORT_NO_LISTEN_SERVER;
	info.options = LWS_SERVER_OPTION_SKIP_SERVER_CANONICAL_NAME;
	l->server_vhost = lws_create_vhost(l->context, &info);
	if (!l->server_vhost)
		return err_say(-ENOMEM, "libwebsockets has no vhost");
	return 0;
}

int wsock_loop_new(struct wsock_loop **ret)
{
	struct wsock_loop *l = calloc(1, sizeof *l);
	if (!l)
		return -ENOMEM;
	l->scratch = (struct buf) BUF_INIT(16 << 20);
	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	l->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	l->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	int r = l->epoll_fd < 0 || l->wake_fd < 0 || l->timer_fd < 0 ? -errno : loop_start(l);
	if (r == 0)
		r = watch_epoll(l);
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
	if (l->context)
		lws_context_destroy(l->context); /* closes all that it has */
	while (l->conns)
		wsock_conn_gone(l->conns, "the loop ends");
	if (l->wake_fd >= 0)
		(void) close(l->wake_fd);
	if (l->timer_fd >= 0)
		(void) close(l->timer_fd);
	buf_free(&l->scratch);
	free(l);
	return NULL;
}

size_t wsock_connections(const struct wsock_loop *l)
{
	return l->n_server;
}
