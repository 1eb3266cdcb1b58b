#include "bus_impl.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "clk.h"
#include "err.h"
#include "fault.h"

static bool copy_text(char *out, size_t size, const char *text)
{
	size_t n = text ? strlen(text) : 0;
	if (n >= size)
		return false;
	if (n)
		memcpy(out, text, n);
	out[n] = '\0';
	return true;
}

int link_conf_copy(struct link_conf *ret, const struct bus_conf *conf)
{
	if (!copy_text(ret->address, sizeof ret->address, conf->address) ||
	    !copy_text(ret->user, sizeof ret->user, conf->user) ||
	    !copy_text(ret->password, sizeof ret->password, conf->password))
		return err_say(-EINVAL, "redis: address, user or password is too long");
	ret->timeout_ms = conf->timeout_ms > 0 ? conf->timeout_ms : 1;
	return 0;
}

void resp_count(struct buf *b, size_t n_args)
{
	buf_putc(b, '*');
	buf_put_i64(b, (int64_t) n_args);
	buf_put(b, "\r\n", 2);
}

void resp_arg(struct buf *b, const char *p, size_t n)
{
	buf_putc(b, '$');
	buf_put_i64(b, (int64_t) n);
	buf_put(b, "\r\n", 2);
	buf_put(b, p, n);
	buf_put(b, "\r\n", 2);
}

static void resp_words(struct buf *b, size_t n, const char *const *words)
{
	resp_count(b, n);
	for (size_t i = 0; i < n; i++)
		resp_arg(b, words[i], strlen(words[i]));
}

void link_close(struct link *l)
{
	if (l->fd >= 0)
		(void) close(l->fd);
	l->fd = -1;
	if (l->reader)
		redisReaderFree(l->reader);
	l->reader = NULL;
	buf_clear(&l->out);
	l->sent = l->received = 0;
}

void link_free(struct link *l)
{
	link_close(l);
	buf_free(&l->out);
}

bool link_stale(const struct link *l)
{
	char c;
	ssize_t n = recv(l->fd, &c, 1, MSG_PEEK | MSG_DONTWAIT);
	return n >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

int link_push(struct link *l)
{
	if (fault_hits(FAULT_BUS_SEND))
		return err_say(-ENOTCONN, "redis: the connection was lost while sending");
	while (l->sent < l->out.n) {
		ssize_t n = send(l->fd, l->out.p + l->sent, l->out.n - l->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0) {
			if (errno == EINTR)
				continue;
			if (errno == EAGAIN || errno == EWOULDBLOCK)
				return 0;
			return err_say(-ENOTCONN, "redis: the connection was lost while sending: %s", strerror(errno));
		}
		l->sent += (size_t) n;
	}
	return 0;
}

int link_pull(struct link *l)
{
	char bytes[16384];
	if (fault_hits(FAULT_BUS_REPLY))
		return err_say(-ENOTCONN, "redis: the connection was lost while receiving");
	for (;;) {
		ssize_t n = recv(l->fd, bytes, sizeof bytes, MSG_DONTWAIT);
		if (n == 0)
			return err_say(-ENOTCONN, "redis: the server closed the connection");
		if (n < 0) {
			if (errno == EINTR)
				continue;
			if (errno == EAGAIN || errno == EWOULDBLOCK)
				return 0;
			return err_say(-ENOTCONN, "redis: the connection was lost: %s", strerror(errno));
		}
		l->received += (size_t) n;
		if (l->received > LINK_IN_MAX)
			return err_say(-EMSGSIZE, "redis: the answer is longer than %d bytes", LINK_IN_MAX);
		if (redisReaderFeed(l->reader, bytes, (size_t) n) != REDIS_OK)
			return err_say(-EPROTO, "redis: %s", l->reader->errstr);
		if ((size_t) n < sizeof bytes)
			return 0;
	}
}

int link_wait(struct link *l, int64_t deadline_ms, int cancel_fd)
{
	short events = l->sent < l->out.n ? POLLIN | POLLOUT : POLLIN;
	struct pollfd fds[2] = { { .fd = l->fd, .events = events }, { .fd = cancel_fd, .events = POLLIN } };
	for (;;) {
		int64_t left = deadline_ms - clk_mono_ms();
		if (left <= 0)
			return -ETIMEDOUT;
		int n = poll(fds, 2, (int) (left > 60000 ? 60000 : left));
		if (n < 0 && errno != EINTR)
			return err_say(-errno, "redis: poll: %s", strerror(errno));
		if (n > 0)
			return fds[1].revents ? -ECANCELED : 0;
	}
}

int link_reply(struct link *l, redisReply **ret)
{
	void *reply = NULL;
	if (redisReaderGetReply(l->reader, &reply) != REDIS_OK)
		return err_say(-EPROTO, "redis: %s", l->reader->errstr);
	*ret = reply;
	return 0;
}

static int unix_address(const char *path, struct sockaddr_storage *ret, socklen_t *ret_len)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	size_t n = strlen(path);
	if (n == 0 || n >= sizeof un.sun_path)
		return err_say(-EINVAL, "redis: unix:%s: the path must have 1 to %zu bytes", path, sizeof un.sun_path - 1);
	memcpy(un.sun_path, path, n + 1);
	memcpy(ret, &un, sizeof un);
	*ret_len = sizeof un;
	return 0;
}

/* host:port. A host that is no number is looked up by the C library, whose own limits (resolv.conf) then count. */
static int tcp_address(const char *address, struct sockaddr_storage *ret, socklen_t *ret_len)
{
	const char *colon = strrchr(address, ':');
	if (!colon || colon == address || !colon[1])
		return err_say(-EINVAL, "redis: %s: must be unix:/path or host:port", address);
	const char *from = address;
	size_t n = (size_t) (colon - address);
	if (address[0] == '[' && n > 2 && address[n - 1] == ']') {
		from++;
		n -= 2;
	}
	char host[LINK_ADDRESS_MAX];
	memcpy(host, from, n);
	host[n] = '\0';
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV }, *found = NULL;
	int r = getaddrinfo(host, colon + 1, &hints, &found);
	if (r != 0)
		return err_say(-EHOSTUNREACH, "redis: %s: %s", address, gai_strerror(r));
	memcpy(ret, found->ai_addr, found->ai_addrlen);
	*ret_len = found->ai_addrlen;
	freeaddrinfo(found);
	return 0;
}

static int await_connect(int fd, const char *address, int64_t deadline_ms, int cancel_fd)
{
	struct pollfd fds[2] = { { .fd = fd, .events = POLLOUT }, { .fd = cancel_fd, .events = POLLIN } };
	for (;;) {
		int64_t left = deadline_ms - clk_mono_ms();
		if (left <= 0)
			return err_say(-ETIMEDOUT, "redis: %s: no connection in time", address);
		int n = poll(fds, 2, (int) left);
		if (n < 0 && errno != EINTR)
			return err_say(-errno, "redis: poll: %s", strerror(errno));
		if (n > 0 && fds[1].revents)
			return -ECANCELED;
		if (n > 0)
			break;
	}
	int error = 0;
	socklen_t size = sizeof error;
	(void) getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
	if (error)
		return err_say(-error, "redis: %s: %s", address, strerror(error));
	return 0;
}

static int dial(struct link *l, const char *address, int64_t deadline_ms, int cancel_fd)
{
	struct sockaddr_storage to = { 0 };
	socklen_t len = 0;
	int r = strncmp(address, "unix:", 5) == 0 ? unix_address(address + 5, &to, &len) : tcp_address(address, &to, &len);
	if (r < 0)
		return r;
	l->fd = socket(to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (l->fd < 0)
		return err_say(-errno, "redis: socket: %s", strerror(errno));
	if (to.ss_family != AF_UNIX) {
		int on = 1; /* small commands go at once */
		(void) setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	}
	if (connect(l->fd, (struct sockaddr *) &to, len) == 0)
		return 0;
	/* A unix socket whose backlog is full says EAGAIN and has nothing to wait for: that is a server which is not there. */
	if (errno != EINPROGRESS)
		return err_say(-errno, "redis: %s: %s", address, strerror(errno));
	return await_connect(l->fd, address, deadline_ms, cancel_fd);
}

/* Sends what is in `out` and reads one reply, which must be a status. */
static int handshake_step(struct link *l, int64_t deadline_ms, int cancel_fd)
{
	redisReply *reply = NULL;
	while (!reply) {
		int r = link_push(l);
		if (r == 0)
			r = link_wait(l, deadline_ms, cancel_fd);
		if (r == -ETIMEDOUT)
			return err_say(r, "redis: connected, but no answer in time");
		if (r == 0)
			r = link_pull(l);
		if (r == 0)
			r = link_reply(l, &reply);
		if (r < 0)
			return r;
	}
	int r = 0;
	if (reply->type == REDIS_REPLY_ERROR)
		r = err_say(strncmp(reply->str, "LOADING", 7) == 0 ? -EAGAIN : -EACCES, "redis: %s", reply->str);
	else if (reply->type != REDIS_REPLY_STATUS)
		r = err_say(-EPROTO, "redis: an answer that was not asked for");
	freeReplyObject(reply);
	buf_clear(&l->out);
	l->sent = l->received = 0;
	return r;
}

int link_open(struct link *l, const struct link_conf *conf, int64_t deadline_ms, int cancel_fd)
{
	link_close(l);
	l->reader = redisReaderCreate();
	int r = l->reader ? dial(l, conf->address, deadline_ms, cancel_fd) : -ENOMEM;
	if (r == 0 && conf->password[0]) {
		if (conf->user[0])
			resp_words(&l->out, 3, (const char *const[]){ "AUTH", conf->user, conf->password });
		else
			resp_words(&l->out, 2, (const char *const[]){ "AUTH", conf->password });
		r = handshake_step(l, deadline_ms, cancel_fd);
	}
	if (r == 0) {
		resp_words(&l->out, 1, (const char *const[]){ "PING" });
		r = handshake_step(l, deadline_ms, cancel_fd);
	}
	if (r < 0)
		link_close(l);
	return r;
}
