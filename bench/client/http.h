/* http.h - keep-alive HTTP/1.1 connections on one epoll loop, one request in flight on each. For measuring: it answers by a
 * callback, understands Content-Length alone, and connects again when the server closed.
 * Thread: one owner. Memory: http_open gives, http_close takes; what http_send is given is borrowed until its reply. */
#ifndef BENCH_HTTP_H
#define BENCH_HTTP_H

#include <stddef.h>
#include <stdint.h>

#include "attr.h"

enum { HTTP_CONNECTIONS_MAX = 4096, HTTP_REPLY_MAX = 65536, HTTP_CONNECT_MS = 2000, HTTP_RESTART_MS = 10000 };

struct http;

struct http_reply {
	unsigned status; /* 0: the connection was lost, whether the request was carried out is not known */
	const char *body; /* NUL-terminated; lives during the call */
	size_t n;
};

/* conn is idle again when it is called: it may send. */
typedef void http_done(void *u, size_t conn, const struct http_reply *reply);

/* address: host:port with a numeric host. */
MUST_CHECK int http_open(struct http **ret, const char *address, size_t connections, http_done *done, void *u);
struct http *http_close(struct http *h);
MUST_CHECK int http_send(struct http *h, size_t conn, const char *request, size_t n);
/* Reads what came and calls back; waits for something at most wait_us. */
MUST_CHECK int http_turn(struct http *h, int64_t wait_us);

/* One request on a connection of its own: 0 with the status, the body copied to out (NUL-terminated), or negative errno. */
MUST_CHECK int http_once(const char *address, const char *request, int timeout_ms, unsigned *ret_status, char *out,
		size_t size);

#endif
