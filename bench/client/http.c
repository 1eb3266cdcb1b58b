#include "http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "clk.h"
#include "err.h"

struct conn {
	int fd;
	bool busy, waits_to_write;
	const char *out;
	size_t out_n, out_at;
	char *in;
	size_t in_n;
};

struct http {
	struct http_conf conf; /* texts borrowed */
	struct sockaddr_in to;
	http_done *done;
	void *u;
	int epoll_fd;
	size_t n;
	struct conn conns[];
};

int http_parse_to(struct sockaddr_in *ret, const char *address)
{
	char host[64];
	const char *colon = strrchr(address, ':');
	*ret = (struct sockaddr_in){ .sin_family = AF_INET };
	if (!colon || (size_t) (colon - address) >= sizeof host)
		return err_say(-EINVAL, "%s: must be host:port", address);
	memcpy(host, address, (size_t) (colon - address));
	host[colon - address] = '\0';
	long port = strtol(colon + 1, NULL, 10);
	if (inet_pton(AF_INET, host, &ret->sin_addr) != 1 || port < 1 || port > 65535)
		return err_say(-EINVAL, "%s: must be a numeric host and a port", address);
	ret->sin_port = htons((uint16_t) port);
	return 0;
}

int http_bind(int fd, const struct http_conf *conf, size_t i)
{
	const int on = 1;
	struct sockaddr_in from = { .sin_family = AF_INET };
	if (!conf->from)
		return 0;
	if (inet_pton(AF_INET, conf->from, &from.sin_addr) != 1)
		return err_say(-EINVAL, "%s: must be a numeric address", conf->from);
	if (conf->spread > 0)
		from.sin_addr.s_addr = htonl(ntohl(from.sin_addr.s_addr) + (uint32_t) (i % conf->spread));
	/* The port is chosen at the connection: one that another connection has may serve here too. */
	(void) setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
	return bind(fd, (const struct sockaddr *) &from, sizeof from) == 0 ? 0 : err_say(-errno, "bind: %m");
}

static int conn_try(struct http *h, size_t i)
{
	struct conn *c = &h->conns[i];
	const struct timeval limit = { .tv_sec = HTTP_CONNECT_MS / 1000 };
	const int on = 1;
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		return err_say(-errno, "socket: %m");
	(void) setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
	(void) setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	int r = http_bind(c->fd, &h->conf, i);
	if (r < 0)
		return err_trace(r);
	if (connect(c->fd, (const struct sockaddr *) &h->to, sizeof h->to) != 0)
		return err_say(-errno, "connect: %m");
	struct epoll_event e = { .events = EPOLLIN, .data.u64 = i };
	if (epoll_ctl(h->epoll_fd, EPOLL_CTL_ADD, c->fd, &e) != 0)
		return err_say(-errno, "epoll_ctl: %m");
	c->in_n = 0;
	return 0;
}

static void conn_down(struct conn *c)
{
	if (c->fd >= 0)
		(void) close(c->fd);
	c->fd = -1;
	c->waits_to_write = false;
}

/* Blocking, since loopback answers at once or never; then the socket is the loop's. A server that was killed is waited for. */
static int conn_up(struct http *h, size_t i)
{
	int64_t until_ms = clk_mono_ms() + HTTP_RESTART_MS;
	const struct timespec pause = { .tv_nsec = 20000000 };
	int r = conn_try(h, i);
	while (r == -ECONNREFUSED && clk_mono_ms() < until_ms) {
		conn_down(&h->conns[i]);
		(void) nanosleep(&pause, NULL);
		r = conn_try(h, i);
	}
	return r;
}

int http_open(struct http **ret, const struct http_conf *conf, http_done *done, void *u)
{
	CHECK(conf->connections > 0 && conf->connections <= HTTP_CONNECTIONS_MAX);
	struct http *h = calloc(1, sizeof *h + conf->connections * sizeof h->conns[0]);
	if (!h)
		return -ENOMEM;
	h->done = done;
	h->u = u;
	h->conf = *conf;
	h->n = conf->connections;
	for (size_t i = 0; i < h->n; i++)
		h->conns[i].fd = -1;
	h->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	int r = h->epoll_fd < 0 ? -errno : http_parse_to(&h->to, conf->to);
	for (size_t i = 0; i < h->n && r == 0; i++) {
		h->conns[i].in = malloc(HTTP_REPLY_MAX + 1);
		r = h->conns[i].in ? conn_up(h, i) : -ENOMEM;
	}
	if (r < 0) {
		(void) http_close(h);
		return err_trace(r);
	}
	*ret = h;
	return 0;
}

struct http *http_close(struct http *h)
{
	if (!h)
		return NULL;
	for (size_t i = 0; i < h->n; i++) {
		conn_down(&h->conns[i]);
		free(h->conns[i].in);
	}
	if (h->epoll_fd >= 0)
		(void) close(h->epoll_fd);
	free(h);
	return NULL;
}

static int want_write(struct http *h, size_t i, bool want)
{
	struct conn *c = &h->conns[i];
	if (c->waits_to_write == want)
		return 0;
	struct epoll_event e = { .events = EPOLLIN | (want ? EPOLLOUT : 0), .data.u64 = i };
	if (epoll_ctl(h->epoll_fd, EPOLL_CTL_MOD, c->fd, &e) != 0)
		return err_say(-errno, "epoll_ctl: %m");
	c->waits_to_write = want;
	return 0;
}

/* Tells of a lost request, then of nothing: the connection is made anew first, so that the callback may send. */
static int lost(struct http *h, size_t i)
{
	struct conn *c = &h->conns[i];
	conn_down(c);
	int r = conn_up(h, i);
	if (r < 0)
		return err_trace(r);
	if (c->busy) {
		c->busy = false;
		h->done(h->u, i, &(struct http_reply){ .status = 0, .body = "" });
	}
	return 0;
}

static int write_more(struct http *h, size_t i)
{
	struct conn *c = &h->conns[i];
	while (c->out_at < c->out_n) {
		ssize_t n = send(c->fd, c->out + c->out_at, c->out_n - c->out_at, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return want_write(h, i, true);
		if (n < 0)
			return lost(h, i);
		c->out_at += (size_t) n;
	}
	return want_write(h, i, false);
}

int http_send(struct http *h, size_t conn, const char *request, size_t n)
{
	struct conn *c = &h->conns[conn];
	CHECK(!c->busy);
	c->busy = true;
	c->out = request;
	c->out_n = n;
	c->out_at = 0;
	return write_more(h, conn);
}

/* A header's value in the block [at, end), or NULL. */
static const char *header(const char *at, const char *end, const char *name)
{
	size_t n = strlen(name);
	while (at < end) {
		const char *eol = memchr(at, '\n', (size_t) (end - at));
		if (!eol)
			return NULL;
		if ((size_t) (eol - at) > n && strncasecmp(at, name, n) == 0 && at[n] == ':')
			return at + n + 1;
		at = eol + 1;
	}
	return NULL;
}

/* 1: a whole reply stands in c->in; 0: more must come; <0: this is not HTTP as we speak it. */
static int parse(struct conn *c, struct http_reply *ret, bool *ret_close)
{
	c->in[c->in_n] = '\0';
	const char *end = strstr(c->in, "\r\n\r\n");
	if (!end)
		return c->in_n < HTTP_REPLY_MAX ? 0 : -EBADMSG;
	end += 4;
	size_t head = (size_t) (end - c->in), body = 0;
	unsigned status;
	if (sscanf(c->in, "HTTP/1.%*1[01] %3u", &status) != 1)
		return -EBADMSG;
	const char *length = header(c->in, end, "Content-Length"), *way = header(c->in, end, "Connection");
	if (length)
		body = strtoul(length, NULL, 10);
	if (body > HTTP_REPLY_MAX - head)
		return -EBADMSG;
	if (c->in_n < head + body)
		return 0;
	*ret = (struct http_reply){ .status = status, .body = end, .n = body,
		.retry_after = header(c->in, end, "Retry-After") != NULL };
	*ret_close = way && strncasecmp(way + strspn(way, " "), "close", 5) == 0;
	return 1;
}

static int read_more(struct http *h, size_t i)
{
	struct conn *c = &h->conns[i];
	struct http_reply reply;
	bool closes;
	ssize_t n = recv(c->fd, c->in + c->in_n, HTTP_REPLY_MAX - c->in_n, MSG_DONTWAIT);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return 0;
	if (n <= 0)
		return lost(h, i);
	c->in_n += (size_t) n;
	int r = parse(c, &reply, &closes);
	if (r < 0)
		return err_say(r, "the reply is not understood: %.80s", c->in);
	if (r == 0 || !c->busy)
		return 0;
	c->busy = false;
	c->in_n = 0; /* one request in flight: nothing stands behind its reply */
	if (closes) {
		conn_down(c);
		r = conn_up(h, i);
		if (r < 0)
			return err_trace(r);
	}
	h->done(h->u, i, &reply);
	return 0;
}

int http_turn(struct http *h, int64_t wait_us)
{
	struct epoll_event events[256];
	struct timespec wait = { .tv_sec = wait_us / 1000000, .tv_nsec = wait_us % 1000000 * 1000 };
	int n = epoll_pwait2(h->epoll_fd, events, 256, &wait, NULL);
	if (n < 0)
		return errno == EINTR ? 0 : err_say(-errno, "epoll_wait: %m");
	for (int k = 0; k < n; k++) {
		size_t i = (size_t) events[k].data.u64;
		int r = events[k].events & EPOLLOUT ? write_more(h, i) : 0;
		if (r == 0 && events[k].events & (EPOLLIN | EPOLLERR | EPOLLHUP))
			r = read_more(h, i);
		if (r < 0)
			return err_trace(r);
	}
	return 0;
}

struct once {
	bool done;
	unsigned status;
	char *out;
	size_t size;
};

static void once_done(void *u, size_t conn, const struct http_reply *reply)
{
	struct once *o = u;
	(void) conn;
	o->done = true;
	o->status = reply->n < o->size ? reply->status : 0;
	if (o->status)
		memcpy(o->out, reply->body, reply->n);
	o->out[o->status ? reply->n : 0] = '\0';
}

int http_once(const char *address, const char *request, int timeout_ms, unsigned *ret_status, char *out, size_t size)
{
	struct http *h;
	struct once o = { .out = out, .size = size };
	int64_t until = clk_mono_ms() + timeout_ms;
	int r = http_open(&h, &(struct http_conf){ .to = address, .connections = 1 }, once_done, &o);
	if (r < 0)
		return err_trace(r);
	r = http_send(h, 0, request, strlen(request));
	while (r == 0 && !o.done && clk_mono_ms() < until)
		r = http_turn(h, 10000);
	(void) http_close(h);
	if (r == 0 && !o.status)
		r = err_say(-ETIMEDOUT, "no answer to %.40s", request);
	*ret_status = o.status;
	return r;
}
