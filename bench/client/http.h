/* http.h - keep-alive HTTP/1.1 connections on one epoll loop, one request in flight on each. For measuring: it answers by a
 * callback, understands Content-Length alone, and connects again when the server closed.
 * Thread: one owner. Memory: http_open gives, http_close takes; what http_send is given is borrowed until its reply. */
#ifndef BENCH_HTTP_H
#define BENCH_HTTP_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attr.h"

enum { HTTP_CONNECTIONS_MAX = 4096, HTTP_REPLY_MAX = 65536, HTTP_CONNECT_MS = 2000, HTTP_RESTART_MS = 10000 };

struct http;

struct http_reply {
	unsigned status; /* 0: the connection was lost, whether the request was carried out is not known */
	const char *body; /* NUL-terminated; lives during the call */
	size_t n;
	bool retry_after; /* the header was there */
};

/* conn is idle again when it is called: it may send. */
typedef void http_done(void *u, size_t conn, const struct http_reply *reply);

struct http_conf {
	const char *to;     /* host:port with a numeric host */
	size_t connections;
	const char *from;   /* the connections' own address, connection i's is i % spread beyond it; NULL: the kernel's choice */
	size_t spread;
};

/* The two ends of connection i, for who opens it himself. */
MUST_CHECK int http_parse_to(struct sockaddr_in *ret, const char *to);
MUST_CHECK int http_bind(int fd, const struct http_conf *conf, size_t i);

MUST_CHECK int http_open(struct http **ret, const struct http_conf *conf, http_done *done, void *u);
struct http *http_close(struct http *h);
MUST_CHECK int http_send(struct http *h, size_t conn, const char *request, size_t n);
/* Reads what came and calls back; waits for something at most wait_us. */
MUST_CHECK int http_turn(struct http *h, int64_t wait_us);

/* One request on a connection of its own: 0 with the status, the body copied to out (NUL-terminated), or negative errno. */
MUST_CHECK int http_once(const char *address, const char *request, int timeout_ms, unsigned *ret_status, char *out,
		size_t size);

#endif
