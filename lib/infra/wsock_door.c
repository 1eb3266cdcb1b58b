#include "wsock_impl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"
#include "clk.h"
#include "err.h"
#include "ulid.h"

/* A stranger whose request head is being read, or who is given time to read a refusal. */
struct visitor {
	enum wsock_source source;
	struct visitor *prev, *next; /* oldest first */
	int fd;
	bool is_refused;
	int64_t deadline_ms;
	size_t n;
	char ip[INET6_ADDRSTRLEN];
	char head[WSOCK_HEAD_MAX + 1];
};

struct wsock_door {
	enum wsock_source source;
	struct wsock_server_conf conf;
	char *path;
	int fd;                /* -1: closed */
	bool is_paused;        /* no descriptors are left: tried again at the next sweep */
	uint16_t port;
	struct visitor *oldest, *newest;
	size_t n_visitors;
	struct visitor *gone;  /* an event of this turn may still name them */
};

static void visitor_forget(struct wsock_loop *l, struct visitor *v)
{
	struct wsock_door *d = l->door;
	if (v->prev)
		v->prev->next = v->next;
	else
		d->oldest = v->next;
	if (v->next)
		v->next->prev = v->prev;
	else
		d->newest = v->prev;
	d->n_visitors--;
	if (v->fd >= 0)
		(void) close(v->fd);
	v->fd = -1;
	v->next = d->gone;
	d->gone = v;
}

void wsock_door_bury(struct wsock_loop *l)
{
	struct visitor *next, *v = l->door ? l->door->gone : NULL;
	for (; v; v = next) {
		next = v->next;
		free(v);
	}
	if (l->door)
		l->door->gone = NULL;
}

struct problem {
	unsigned status;
	const char *code, *title, *detail;
};

static const struct problem *problem_of(unsigned status)
{
	static const struct problem problems[] = {
		{ 403, "forbidden", "Forbidden", "Pages of this origin may not open a feed." },
		{ 404, "not_found", "Not Found", "There is nothing here; the feed has another path." },
		{ 405, "method_not_allowed", "Method Not Allowed", "A feed is opened with GET." },
		{ 414, "malformed_request", "URI Too Long", "The request's target is too long." },
		{ 426, "malformed_request", "Upgrade Required", "This is a WebSocket of version 13." },
		{ 429, "rate_limited", "Too Many Requests", "There are too many connections from this address." },
		{ 431, "malformed_request", "Request Header Fields Too Large", "The request's head is too large." },
		{ 503, "overloaded", "Service Unavailable", "There are too many connections; come back a little later." },
		{ 400, "malformed_request", "Bad Request", "This is no opening of a WebSocket." }, /* else */
	};
	size_t i = 0;
	while (i + 1 < ARRAY_LEN(problems) && problems[i].status != status)
		i++;
	return &problems[i];
}

/* Answers and hangs up; the socket stays a moment, because closing it with bytes unread would take the answer away again. */
static void refuse(struct visitor *v, unsigned status)
{
	const struct problem *p = problem_of(status);
	const struct ulid id = ulid_new(clk_now_ms());
	char request_id[ULID_TEXT_SIZE], body[320], answer[640];
	ulid_format(request_id, &id);
	int n = snprintf(body, sizeof body, "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%u,\"code\":\"%s\","
			"\"detail\":\"%s\",\"request_id\":\"%s\"}", p->title, status, p->code, p->detail, request_id);
	n = snprintf(answer, sizeof answer,
			"HTTP/1.1 %u %s\r\nContent-Type: application/problem+json\r\nContent-Length: %d\r\n"
			"%s%s%sConnection: close\r\n\r\n%s",
			status, p->title, n, status == 405 ? "Allow: GET\r\n" : "",
			status == 426 ? "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" : "",
			status == 429 || status == 503 ? "Retry-After: 5\r\n" : "", body);
	ssize_t sent = send(v->fd, answer, (size_t) n, MSG_NOSIGNAL | MSG_DONTWAIT);
	(void) sent; /* who cannot take 600 bytes is not owed an answer */
	(void) shutdown(v->fd, SHUT_WR);
	v->is_refused = true;
	v->deadline_ms = clk_mono_ms() + WSOCK_LINGER_MS;
}

static bool is_loopback(const char *ip)
{
	return strncmp(ip, "127.", 4) == 0 || strcmp(ip, "::1") == 0 || strncmp(ip, "::ffff:127.", 11) == 0;
}

/* Who is behind the connection: the proxy on this machine is believed, nobody else is. */
static void believe_proxy(struct visitor *v, const struct wsock_head *head)
{
	char ip[INET6_ADDRSTRLEN];
	struct in6_addr parsed;
	if (!head->real_ip_n || head->real_ip_n >= sizeof ip || !is_loopback(v->ip))
		return;
	memcpy(ip, head->real_ip, head->real_ip_n);
	ip[head->real_ip_n] = '\0';
	if (inet_pton(AF_INET, ip, &parsed) == 1 || inet_pton(AF_INET6, ip, &parsed) == 1)
		memcpy(v->ip, ip, sizeof ip);
}

static unsigned admit(struct wsock_loop *l, const struct visitor *v, const char *target, const char *origin)
{
	const struct wsock_server_conf *conf = &l->door->conf;
	size_t n = strcspn(target, "?");
	if (conf->path && (strlen(conf->path) != n || memcmp(conf->path, target, n) != 0))
		return 404;
	if (l->n_server >= conf->connections_max)
		return 503;
	return conf->ops->on_handshake ? conf->ops->on_handshake(target, origin, v->ip, conf->u) : 0;
}

/* The socket leaves the door with what was judged; head and address live until the visitor is buried. */
static void hand_over(struct wsock_loop *l, struct visitor *v, const struct wsock_head *head, char *target)
{
	int fd = v->fd;
	v->fd = -1;
	visitor_forget(l, v);
	wsock_server_adopt(l, fd, head, target, v->ip, &l->door->conf);
}

static void on_head(struct wsock_loop *l, struct visitor *v, size_t head_n)
{
	struct wsock_head head;
	unsigned status = wsock_head_parse(&head, v->head, head_n, l->door->conf.plain_upgrade_only);
	if (status == 0 && head_n < v->n)
		status = 400; /* nothing may follow before our answer */
	if (status) {
		refuse(v, status);
		return;
	}
	believe_proxy(v, &head);
	char *target = strndup(head.target, head.target_n);
	char *origin = head.origin ? strndup(head.origin, head.origin_n) : NULL;
	status = target && (origin || !head.origin) ? admit(l, v, target, origin) : 503;
	free(origin);
	if (status == 0) {
		hand_over(l, v, &head, target);
		return;
	}
	free(target);
	refuse(v, status);
}

/* What a refused visitor still sends is thrown away until it hangs up too. */
static void drain(struct wsock_loop *l, struct visitor *v)
{
	char bytes[4096];
	ssize_t n = recv(v->fd, bytes, sizeof bytes, MSG_DONTWAIT);
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		visitor_forget(l, v);
}

void wsock_door_heard(struct wsock_loop *l, void *visitor)
{
	struct visitor *v = visitor;
	if (v->fd < 0)
		return;
	if (v->is_refused) {
		drain(l, v);
		return;
	}
	ssize_t n = recv(v->fd, v->head + v->n, WSOCK_HEAD_MAX - v->n, MSG_DONTWAIT);
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
		visitor_forget(l, v);
		return;
	}
	if (n < 0)
		return;
	v->n += (size_t) n;
	size_t head_n = wsock_head_end(v->head, v->n);
	if (head_n)
		on_head(l, v, head_n);
	else if (v->n == WSOCK_HEAD_MAX)
		refuse(v, 431);
}

static void name_peer(char out[INET6_ADDRSTRLEN], const struct sockaddr_storage *from)
{
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *) from;
	const struct sockaddr_in *v4 = (const struct sockaddr_in *) from;
	out[0] = '\0';
	if (from->ss_family == AF_INET6)
		(void) inet_ntop(AF_INET6, &v6->sin6_addr, out, INET6_ADDRSTRLEN);
	else if (from->ss_family == AF_INET)
		(void) inet_ntop(AF_INET, &v4->sin_addr, out, INET6_ADDRSTRLEN);
	else
		(void) snprintf(out, INET6_ADDRSTRLEN, "127.0.0.1"); /* a unix socket's peer is on this machine */
}

static void welcome(struct wsock_loop *l, int fd, const struct sockaddr_storage *from)
{
	struct wsock_door *d = l->door;
	int on = 1, bytes = WSOCK_SEND_BUFFER;
	(void) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	(void) setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
	if (d->n_visitors == WSOCK_HEADS_MAX)
		visitor_forget(l, d->oldest);
	struct visitor *v = malloc(sizeof *v);
	if (!v) {
		(void) close(fd);
		return;
	}
	*v = (struct visitor){ .source = WSOCK_VISITOR, .fd = fd, .prev = d->newest, .deadline_ms = clk_mono_ms() + WSOCK_HEAD_MS };
	name_peer(v->ip, from);
	if (d->newest)
		d->newest->next = v;
	else
		d->oldest = v;
	d->newest = v;
	d->n_visitors++;
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = v };
	if (epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0)
		visitor_forget(l, v);
}

static void listen_pause(struct wsock_loop *l, bool pause)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = l->door };
	if (epoll_ctl(l->epoll_fd, pause ? EPOLL_CTL_DEL : EPOLL_CTL_ADD, l->door->fd, &ev) == 0)
		l->door->is_paused = pause;
}

void wsock_door_accept(struct wsock_loop *l)
{
	const int most = l->want_first ? WSOCK_ACCEPTS_BUSY : WSOCK_ACCEPTS_A_TURN;
	for (int i = 0; i < most && l->door->fd >= 0; i++) {
		struct sockaddr_storage from = { 0 };
		socklen_t len = sizeof from;
		int fd = accept4(l->door->fd, (struct sockaddr *) &from, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			welcome(l, fd, &from);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			listen_pause(l, true); /* readable without end, and nothing to be done about it now */
		if (errno != EINTR && errno != ECONNABORTED)
			return;
	}
}

void wsock_door_sweep(struct wsock_loop *l, int64_t now_ms)
{
	struct wsock_door *d = l->door;
	if (!d)
		return;
	if (d->is_paused && d->fd >= 0)
		listen_pause(l, false);
	struct visitor *next;
	for (struct visitor *v = d->oldest; v; v = next) {
		next = v->next;
		if (now_ms >= v->deadline_ms)
			visitor_forget(l, v);
	}
}

static int bind_to(const struct wsock_server_conf *conf)
{
	char port[8];
	(void) snprintf(port, sizeof port, "%u", (unsigned) conf->port);
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV }, *found = NULL;
	int r = getaddrinfo(conf->host, port, &hints, &found);
	if (r != 0)
		return err_say(-EADDRNOTAVAIL, "%s: %s", conf->host, gai_strerror(r));
	int on = 1;
	int fd = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		r = -errno;
	else if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
			bind(fd, found->ai_addr, found->ai_addrlen) < 0 || listen(fd, SOMAXCONN) < 0)
		r = -errno;
	freeaddrinfo(found);
	if (r == 0)
		return fd;
	if (fd >= 0)
		(void) close(fd);
	return err_say(r, "cannot listen on %s:%u: %s", conf->host, (unsigned) conf->port, strerror(-r));
}

static uint16_t port_of(int fd)
{
	struct sockaddr_storage at = { 0 };
	socklen_t len = sizeof at;
	if (getsockname(fd, (struct sockaddr *) &at, &len) < 0)
		return 0;
	if (at.ss_family == AF_INET6)
		return ntohs(((const struct sockaddr_in6 *) &at)->sin6_port);
	return at.ss_family == AF_INET ? ntohs(((const struct sockaddr_in *) &at)->sin_port) : 0;
}

static int set_nonblocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);
	return flags < 0 ? -1 : fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

int wsock_listen(struct wsock_loop *l, const struct wsock_server_conf *conf)
{
	CHECK(!l->door);
	struct wsock_door *d = calloc(1, sizeof *d);
	if (!d || (conf->path && !(d->path = strdup(conf->path)))) {
		free(d);
		return -ENOMEM;
	}
	d->source = WSOCK_DOOR;
	d->conf = *conf;
	d->conf.path = d->path;
	d->fd = conf->listen_fd > 0 ? conf->listen_fd : bind_to(conf);
	l->door = d;
	int r = d->fd < 0 ? d->fd : 0;
	if (r == 0) {
		/* a passed socket may be blocking: then a connection that is gone before accept would hold the loop */
		struct epoll_event ev = { .events = EPOLLIN, .data.ptr = d };
		if (set_nonblocking(d->fd) < 0 || epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, d->fd, &ev) < 0)
			r = -errno;
	}
	if (r < 0) {
		wsock_door_free(l);
		return err_trace(r);
	}
	d->port = port_of(d->fd);
	return 0;
}

uint16_t wsock_server_port(const struct wsock_loop *l)
{
	return l->door ? l->door->port : 0;
}

void wsock_stop_listening(struct wsock_loop *l)
{
	struct wsock_door *d = l->door;
	if (!d)
		return;
	while (d->oldest)
		visitor_forget(l, d->oldest);
	if (d->fd >= 0)
		(void) close(d->fd);
	d->fd = -1;
}

void wsock_door_free(struct wsock_loop *l)
{
	if (!l->door)
		return;
	wsock_stop_listening(l);
	wsock_door_bury(l);
	free(l->door->path);
	free(l->door);
	l->door = NULL;
}
