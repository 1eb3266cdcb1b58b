#include "wsock_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"
#include "clk.h"

/* --- writing --- */

static struct wsock_frame *frame_of(unsigned opcode, const void *payload, size_t n)
{
	struct wsock_frame *f = wsock_frame_new(payload, n);
	if (f)
		f->head_n = wsock_head_before(f->bytes + WSOCK_SERVER_HEAD_MAX, opcode, n);
	return f;
}

static void put_out(struct wsock_conn *c, struct wsock_frame *f)
{
	if (f)
		c->out[c->n_out++] = f;
}

/* Ours to say first: a close frame after which nothing follows, then a ping. Then the owner's frames, as many as fit. */
static void gather(struct wsock_conn *c)
{
	if (c->is_closing) {
		if (c->close_code != 1006 && !c->close_sent && c->n_out < WSOCK_BATCH) {
			char payload[WSOCK_CONTROL_MAX] = { (char) (c->close_code >> 8), (char) c->close_code };
			size_t n = strlen(c->close_reason);
			memcpy(payload + 2, c->close_reason, n);
			put_out(c, frame_of(WSOCK_OP_CLOSE, payload, n + 2));
			c->close_sent = true;
		}
		return;
	}
	if (c->ping_due && c->n_out < WSOCK_BATCH) {
		c->ping_due = false;
		put_out(c, frame_of(WSOCK_OP_PING, "?", 1)); /* an empty ping is not answered by every library */
	}
	while (c->wants && c->n_out < WSOCK_BATCH) {
		c->wants = false;
		put_out(c, c->ops->on_writable ? c->ops->on_writable(c, c->u) : NULL);
	}
}

/* What the kernel took leaves the front. */
static void drop_sent(struct wsock_conn *c, size_t n)
{
	unsigned done = 0;
	c->out_at += n;
	for (; done < c->n_out; done++) {
		size_t len = c->out[done]->head_n + c->out[done]->n;
		if (c->out_at < len)
			break;
		c->out_at -= len;
		(void) wsock_frame_unref(c->out[done]);
	}
	c->n_out -= done;
	memmove(c->out, c->out + done, c->n_out * sizeof(struct wsock_frame *));
}

static void watch(struct wsock_conn *c, bool blocked)
{
	if (blocked == c->is_blocked)
		return;
	struct epoll_event ev = { .events = blocked ? EPOLLIN | EPOLLOUT : EPOLLIN, .data.ptr = c };
	if (epoll_ctl(c->loop->epoll_fd, EPOLL_CTL_MOD, c->fd, &ev) == 0)
		c->is_blocked = blocked;
}

/* One write: 0, or negative errno when the connection is broken. */
static int send_out(struct wsock_conn *c)
{
	struct iovec parts[WSOCK_BATCH];
	struct msghdr msg = { .msg_iov = parts, .msg_iovlen = c->n_out };
	size_t all = 0;
	for (unsigned i = 0; i < c->n_out; i++) {
		struct wsock_frame *f = c->out[i];
		parts[i] = (struct iovec){ f->bytes + WSOCK_SERVER_HEAD_MAX - f->head_n, f->head_n + f->n };
		all += parts[i].iov_len;
	}
	parts[0].iov_base = (uint8_t *) parts[0].iov_base + c->out_at;
	parts[0].iov_len -= c->out_at;
	all -= c->out_at;
	ssize_t sent = sendmsg(c->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (sent < 0 && errno != EAGAIN && errno != EINTR)
		return -errno;
	if (sent > 0)
		drop_sent(c, (size_t) sent);
	watch(c, sent < (ssize_t) all);
	return 0;
}

static void enlist(struct wsock_conn *c)
{
	if (c->is_wanting || c->is_blocked)
		return;
	struct wsock_loop *l = c->loop;
	c->is_wanting = true;
	c->want_next = NULL;
	*l->want_last = c;
	l->want_last = &c->want_next;
}

static void serve(struct wsock_conn *c)
{
	gather(c);
	if (c->n_out && send_out(c) < 0) {
		wsock_conn_gone(c, NULL);
		return;
	}
	if (c->is_closing && c->close_code == 1006) {
		wsock_conn_gone(c, NULL);
		return;
	}
	/* After the close frame the socket stays until the peer's own, or the deadline: closed, or half closed behind a proxy, while
	 * bytes of the peer are unread it would be reset, and the frame never seen. */
	if (c->is_closing ? !c->close_sent : c->wants)
		enlist(c);
}

void wsock_server_want(struct wsock_conn *c)
{
	c->wants = true;
	enlist(c);
}

void wsock_server_flush(struct wsock_loop *l)
{
	for (int i = 0; i < WSOCK_WRITES_A_TURN && l->want_first; i++) {
		struct wsock_conn *c = l->want_first;
		l->want_first = c->want_next;
		if (!l->want_first)
			l->want_last = &l->want_first;
		c->is_wanting = false;
		if (c->fd >= 0)
			serve(c);
	}
}

/* What was not begun is not sent any more; a frame that was is finished, or its bytes would make no sense. */
void wsock_server_close(struct wsock_conn *c)
{
	unsigned begun = c->out_at > 0;
	while (c->n_out > begun)
		(void) wsock_frame_unref(c->out[--c->n_out]);
	if (c->close_code == 1006)
		c->is_blocked = false; /* it is cut at once */
	enlist(c); /* who is blocked is served when the kernel has room, or cut by the deadline */
}

/* --- reading --- */

static bool is_code(unsigned code)
{
	return (code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006) || (code >= 3000 && code <= 4999);
}

/* The peer closes: its word is answered with the same code, once. */
static void on_peer_close(struct wsock_conn *c)
{
	const struct wsock_in *in = &c->in;
	unsigned code = in->n_control >= 2 ? (unsigned) in->control[0] << 8 | in->control[1] : 1005;
	if (c->is_closing) {
		wsock_conn_gone(c, NULL); /* both have said it */
		return;
	}
	if (code != 1005 && (!is_code(code) || !wsock_utf8((const char *) in->control + 2, in->n_control - 2u))) {
		c->is_deaf = true;
		wsock_close(c, 1002, "a close frame that is none");
		return;
	}
	const uint8_t *answer = in->n_control >= 2 ? in->control : NULL;
	c->close_code = code;
	(void) snprintf(c->close_reason, sizeof c->close_reason, "%s", answer ? (const char *) in->control + 2 : "");
	if (c->n_out == 0) {
		put_out(c, frame_of(WSOCK_OP_CLOSE, answer ? (const char *) answer : "", answer ? 2 : 0));
		if (c->n_out)
			(void) send_out(c);
	}
	wsock_conn_gone(c, NULL);
}

static void on_ping(struct wsock_conn *c)
{
	if (c->is_closing || c->n_out == WSOCK_BATCH)
		return; /* RFC 6455 5.5.2: who pings without reading is owed one answer, not all */
	put_out(c, frame_of(WSOCK_OP_PONG, c->in.control, c->in.n_control));
	enlist(c);
}

static void on_wsock_event(struct wsock_conn *c, enum wsock_event event, unsigned code)
{
	struct wsock_in *in = &c->in;
	switch (event) {
	case WSOCK_TEXT:
		if (!c->is_closing && c->ops->on_text)
			c->ops->on_text(c, c->u, in->message.n ? in->message.p : "", in->message.n);
		if (in->message.cap > WSOCK_RX_KEPT)
			buf_free(&in->message);
		break;
	case WSOCK_PING:
		on_ping(c);
		break;
	case WSOCK_PONG:
		if (!c->is_closing && c->ops->on_pong)
			c->ops->on_pong(c, c->u);
		break;
	case WSOCK_CLOSE:
		on_peer_close(c);
		break;
	case WSOCK_BROKEN:
		c->is_deaf = true;
		wsock_close(c, code, code == 1009 ? "message too long" : code == 1003 ? "text only" : code == 1007 ? "not UTF-8" :
				"against the protocol");
		break;
	case WSOCK_NOTHING:
		break;
	}
}

static void hear(struct wsock_conn *c)
{
	uint8_t *bytes = (uint8_t *) c->loop->scratch.p;
	ssize_t n = recv(c->fd, bytes, WSOCK_READ_MAX, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		wsock_conn_gone(c, NULL);
		return;
	}
	c->heard_ms = clk_mono_ms();
	for (size_t at = 0, taken = 0; at < (size_t) n && c->fd >= 0 && !c->is_deaf; at += taken) {
		unsigned code = 0;
		enum wsock_event event = wsock_in_feed(&c->in, bytes + at, (size_t) n - at, &taken, &code);
		on_wsock_event(c, event, code);
	}
}

void wsock_server_event(struct wsock_conn *c, uint32_t events)
{
	if (events & EPOLLOUT) {
		watch(c, false);
		serve(c);
	}
	if (c->fd >= 0 && events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		hear(c);
}

/* --- a connection's life --- */

/* RFC 6455 4.2.2: the key and a fixed word, hashed. */
static size_t accept_of(char out[64], const char *key, size_t n)
{
	static const char word[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
	unsigned char text[24 + sizeof word], digest[20];
	CHECK(n == 24);
	memcpy(text, key, n);
	memcpy(text + n, word, sizeof word - 1);
	lws_SHA1(text, n + sizeof word - 1, digest);
	int len = lws_b64_encode_string((const char *) digest, sizeof digest, out, 64);
	CHECK(len == 28);
	return (size_t) len;
}

static bool answer(int fd, const struct wsock_head *head)
{
	char text[256], key[64];
	size_t key_n = accept_of(key, head->key, head->key_n);
	int n = snprintf(text, sizeof text, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
			"Sec-WebSocket-Accept: %.*s\r\n\r\n", (int) key_n, key);
	return send(fd, text, (size_t) n, MSG_NOSIGNAL | MSG_DONTWAIT) == n; /* into an empty buffer */
}

void wsock_server_adopt(struct wsock_loop *l, int fd, const struct wsock_head *head, char *target, const char *ip,
		const struct wsock_server_conf *conf)
{
	struct wsock_conn *c = wsock_conn_new(l, conf->ops, conf->u, conf->message_max);
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = c };
	if (!c) {
		(void) close(fd);
		free(target);
		return;
	}
	l->n_server++;
	c->fd = fd;
	c->target = target;
	if (!answer(fd, head) || epoll_ctl(l->epoll_fd, EPOLL_CTL_MOD, fd, &ev) < 0) {
		wsock_conn_free(c);
		return;
	}
	c->ping_ms = conf->ping_ms;
	c->idle_ms = conf->idle_ms;
	(void) snprintf(c->peer, sizeof c->peer, "%s", ip);
	c->is_open = true;
	if (c->ops->on_open && !c->ops->on_open(c, &c->u))
		wsock_close(c, 1013, "try again later");
}

void wsock_server_forget(struct wsock_conn *c)
{
	for (unsigned i = 0; i < c->n_out; i++)
		(void) wsock_frame_unref(c->out[i]);
	c->n_out = 0;
	if (c->fd >= 0)
		(void) close(c->fd);
	c->fd = -1;
}
