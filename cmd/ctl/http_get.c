#include "http_get.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clk.h"
#include "err.h"

static int wait_for(int fd, short events, int64_t by_ms)
{
	for (;;) {
		int64_t left = by_ms - clk_mono_ms();
		if (left <= 0)
			return -ETIMEDOUT;
		struct pollfd p = { .fd = fd, .events = events };
		int n = poll(&p, 1, (int) left);
		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
	}
}

static int finish_connect(int fd, int64_t by_ms)
{
	int e = 0;
	socklen_t size = sizeof e;
	int r = wait_for(fd, POLLOUT, by_ms);
	if (r == 0 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &e, &size) < 0)
		r = -errno;
	return r ? r : -e;
}

static int dial(const struct conf_listen *at, int64_t by_ms, int *ret_fd)
{
	const struct addrinfo want = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV };
	struct addrinfo *found;
	char port[8];
	(void) snprintf(port, sizeof port, "%u", at->port);
	if (getaddrinfo(strcmp(at->host, "localhost") == 0 ? "127.0.0.1" : at->host, port, &want, &found) != 0)
		return err_say(-EINVAL, "%s is no numeric address", at->host);
	int fd = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int r = fd < 0 ? -errno : 0;
	if (r == 0 && connect(fd, found->ai_addr, found->ai_addrlen) < 0)
		r = errno == EINPROGRESS ? finish_connect(fd, by_ms) : -errno;
	freeaddrinfo(found);
	if (r < 0 && fd >= 0)
		(void) close(fd);
	*ret_fd = fd;
	return r;
}

static int send_all(int fd, const char *p, size_t n, int64_t by_ms)
{
	while (n) {
		ssize_t sent = send(fd, p, n, MSG_NOSIGNAL);
		if (sent < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		if (sent > 0) {
			p += sent;
			n -= (size_t) sent;
			continue;
		}
		int r = wait_for(fd, POLLOUT, by_ms);
		if (r < 0)
			return r;
	}
	return 0;
}

static int receive_all(int fd, struct buf *into, int64_t by_ms)
{
	char chunk[4096];
	for (;;) {
		ssize_t got = recv(fd, chunk, sizeof chunk, 0);
		if (got == 0)
			return into->failed ? -EMSGSIZE : 0;
		if (got > 0) {
			buf_put(into, chunk, (size_t) got);
			if (into->failed)
				return -EMSGSIZE;
			continue;
		}
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		int r = wait_for(fd, POLLIN, by_ms);
		if (r < 0)
			return r;
	}
}

/* `HTTP/1.x NNN ...`, headers, an empty line, the body. */
static int split(const struct buf *all, int *ret_status, struct buf *body)
{
	const char *blank = all->n ? strstr(all->p, "\r\n\r\n") : NULL;
	if (!blank || strncmp(all->p, "HTTP/1.", 7) != 0 || all->n < 12)
		return err_say(-EPROTO, "the answer is no HTTP");
	*ret_status = (int) strtol(all->p + 9, NULL, 10);
	blank += 4;
	buf_put(body, blank, all->n - (size_t) (blank - all->p));
	return body->failed ? -EMSGSIZE : 0;
}

int http_get(const struct conf_listen *at, const char *path, int limit_ms, int *ret_status, struct buf *body)
{
	int64_t by_ms = clk_mono_ms() + limit_ms;
	_cleanup_(buf_free) struct buf request = BUF_INIT(1024), all = BUF_INIT(HTTP_GET_MAX);
	int fd = -1;
	buf_printf(&request, "GET %s HTTP/1.0\r\nHost: %s:%u\r\nConnection: close\r\n\r\n", path, at->host, at->port);
	int r = dial(at, by_ms, &fd);
	if (r < 0)
		return r;
	r = request.failed ? -ENOMEM : send_all(fd, request.p, request.n, by_ms);
	if (r == 0)
		r = receive_all(fd, &all, by_ms);
	(void) close(fd);
	return r ? r : split(&all, ret_status, body);
}
