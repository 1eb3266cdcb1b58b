/* http_client.h - a client for tests that says exactly the bytes it is told. */
#ifndef TAP_TEST_HTTP_CLIENT_H
#define TAP_TEST_HTTP_CLIENT_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clk.h"

enum { ANSWER_BYTES = 65536 };

struct answer {
	int status; /* 0: the connection was closed without one; -1: nothing came in time */
	bool closed;
	char head[4096];
	char body[ANSWER_BYTES];
	size_t body_len;
};

static inline int client_open(uint16_t port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *) &at, sizeof at) < 0) {
		perror("client_open");
		abort();
	}
	return fd;
}

static inline void client_say_n(int fd, const char *bytes, size_t n)
{
	while (n) {
		ssize_t sent = send(fd, bytes, n, MSG_NOSIGNAL);
		if (sent <= 0)
			return; /* cut off: what was answered shows it */
		bytes += sent;
		n -= (size_t) sent;
	}
}

static inline void client_say(int fd, const char *text)
{
	client_say_n(fd, text, strlen(text));
}

/* The value of a header of the answer, copied to out; NULL when there is none. */
static inline const char *answer_header(const struct answer *a, const char *name, char *out, size_t size)
{
	size_t n = strlen(name);
	for (const char *line = strstr(a->head, "\r\n"); line && line[2]; line = strstr(line + 2, "\r\n")) {
		const char *at = line + 2;
		if (strncasecmp(at, name, n) != 0 || at[n] != ':')
			continue;
		at += n + 1;
		at += strspn(at, " ");
		(void) snprintf(out, size, "%.*s", (int) strcspn(at, "\r"), at);
		return out;
	}
	return NULL;
}

/* One byte at a time costs little here and leaves a second answer in the socket. Waits up to ms for each byte. */
static inline int client_byte(int fd, int ms, char *ret)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	ssize_t n = recv(fd, ret, 1, MSG_DONTWAIT);
	if (n < 0 && errno == EAGAIN) {
		if (poll(&p, 1, ms) <= 0)
			return -1;
		n = recv(fd, ret, 1, 0);
	}
	return n == 1;
}

static inline struct answer *client_hear_to(int fd, bool head_only, int ms, struct answer *a)
{
	size_t n = 0;
	char length[32];
	memset(a, 0, offsetof(struct answer, body));
	a->body_len = 0;
	while (n < sizeof a->head - 1 && (n < 4 || memcmp(a->head + n - 4, "\r\n\r\n", 4) != 0)) {
		int r = client_byte(fd, ms, a->head + n);
		if (r <= 0) {
			a->status = r;
			a->closed = r == 0;
			return a;
		}
		a->head[++n] = '\0';
	}
	a->status = atoi(a->head + strlen("HTTP/1.1 "));
	size_t want = answer_header(a, "Content-Length", length, sizeof length) ? strtoul(length, NULL, 10) : 0;
	while (!head_only && a->body_len < want && a->body_len < ANSWER_BYTES - 1 &&
			client_byte(fd, ms, a->body + a->body_len) == 1)
		a->body_len++;
	a->body[a->body_len] = '\0';
	return a;
}

/* Valid until the next call. */
static inline struct answer *client_hear(int fd)
{
	static struct answer a;
	return client_hear_to(fd, false, 5000, &a);
}

/* True when the server closes within ms; whatever it says before is dropped. */
static inline bool client_closed(int fd, int ms)
{
	int64_t until = clk_mono_ms() + ms;
	char c;
	for (;;) {
		int64_t left = until - clk_mono_ms();
		int r = client_byte(fd, left > 0 ? (int) left : 0, &c);
		if (r <= 0)
			return r == 0;
	}
}

static inline struct answer *client_ask(uint16_t port, const char *request)
{
	int fd = client_open(port);
	client_say(fd, request);
	struct answer *a = client_hear(fd);
	a->closed = a->closed || client_closed(fd, 0);
	(void) close(fd);
	return a;
}

#endif
