/* httpd.h - HTTP/1.1 server: routes, limits, problem+json; the one module that includes libmicrohttpd. Infra floor.
 * A handler runs on one of the pool's threads and must not block on disk or Redis. It either replies before it returns, or
 * returns and lets another thread reply later: the connection is suspended meanwhile. Each request is replied to exactly once.
 * Limits: body 8 KiB, header block 8 KiB, HTTPD_CONNECTIONS_MAX, each request's own deadline from its first byte to its
 * last (slow senders are cut, whatever their activity). Content-Length with Transfer-Encoding is refused.
 * Above capacity the queue is in the kernel, where nobody bounds it. A server that sheds takes it up in turns: of what is ready
 * it begins 128 requests, and more as long as the turn is young; the rest is answered 503 before any work is done on it. So
 * what is begun is as much as the machine can do, and has waited for two turns at most, however many come.
 * Errors the server itself makes are problem+json too, but for bytes that are no HTTP/1 message at all (a broken first line,
 * length or chunk): those the library refuses with a 4xx or 5xx of few words and closes. HEAD is answered as GET without a body.
 * A refused body is read away up to 1 MiB, so that the client sees the answer and keeps its connection; beyond, it is cut.
 * Escapes in paths and queries may stand for printable ASCII alone: nothing in this API needs more. */
#ifndef TAP_HTTPD_H
#define TAP_HTTPD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attr.h"
#include "buf.h"

enum { HTTPD_BODY_MAX = 8192, HTTPD_CONNECTIONS_MAX = 4096, HTTPD_PARAM_MAX = 256, HTTPD_THREADS_MAX = 64 };

struct httpd;
struct httpd_req;

typedef void httpd_handler(struct httpd_req *req, void *ctx);

enum {
	HTTPD_JSON_BODY = 1, /* a body of application/json is required: 415 otherwise */
	HTTPD_EVEN_LATE = 2  /* is never shed */
};

struct httpd_route {
	const char *method;
	const char *path; /* "/api/v1/bets/{id}": one {name} matches one non-empty segment */
	httpd_handler *handle;
	unsigned flags;
};

struct httpd_conf {
	const char *host;
	uint16_t port;         /* 0: the kernel chooses, see httpd_port */
	int listen_fd;         /* >= 0: a passed socket, borrowed; host and port are not used */
	unsigned threads;      /* epoll threads of the pool */
	int request_deadline_ms;
	bool sheds;            /* begins only what can be answered soon, and refuses the rest: 503 overloaded */
	int sheds_after_ms;    /* not before: on a passed socket it finds all who came while nobody was there */
	const struct httpd_route *routes; /* ends with method NULL; borrowed */
	void *ctx;             /* given to the handlers */
};

MUST_CHECK int httpd_start(struct httpd **ret, const struct httpd_conf *conf);
uint16_t httpd_port(const struct httpd *h);
/* Takes no new connection; what comes on open ones is answered, with Connection: close, and those that are idle are closed. */
void httpd_quiesce(struct httpd *h);
/* Quiesces, and waits until every connection is closed: nobody is told that the service stops. False when some are left after
 * timeout_ms, of slow senders. Not on a thread of the pool. */
bool httpd_drain(struct httpd *h, int timeout_ms);
/* All requests must have been replied to, or are so within 2 s; new ones are told `unavailable`. Sends what is left, closes. */
struct httpd *httpd_stop(struct httpd *h);

struct httpd_stats {
	uint64_t requests;
	uint64_t connections; /* open now */
	uint64_t by_status[6]; /* [2]: 2xx ... */
	uint64_t refused_busy; /* requests on connections beyond the limit */
	uint64_t refused_late; /* requests that were shed */
};
void httpd_stats(const struct httpd *h, struct httpd_stats *ret);

/* Reading the request; pointers live until the reply. */
const char *httpd_id(const struct httpd_req *req);       /* 26 characters, also in X-Request-Id of the answer */
const char *httpd_param(const struct httpd_req *req);    /* the {name} segment, decoded; "" */
const char *httpd_query(const struct httpd_req *req, const char *name); /* NULL: absent */
/* false when a query name is given twice or not well encoded: callers answer malformed_request */
bool httpd_query_ok(const struct httpd_req *req);
const char *httpd_header(const struct httpd_req *req, const char *name);
const char *httpd_body(const struct httpd_req *req, size_t *ret_len);
/* The token of `Authorization: Bearer x`, NULL otherwise. */
const char *httpd_bearer(const struct httpd_req *req);
int64_t httpd_started_us(const struct httpd_req *req);   /* monotonic, at the first byte of the request line handled */

/* Before a reply: the calling thread replies to further requests at once, and the last of them without this: it wakes the loops for all. */
void httpd_more_follow(struct httpd_req *req);
/* Replying; any thread; exactly one of these, once. Headers must be set before. */
void httpd_set_header(struct httpd_req *req, const char *name, const char *value); /* at most 4, copied */
void httpd_reply_json(struct httpd_req *req, unsigned status, struct buf *body);    /* takes the bytes; failed buf: 500 */
void httpd_reply_text(struct httpd_req *req, unsigned status, const char *type, struct buf *body);
void httpd_reply_empty(struct httpd_req *req, unsigned status);

/* RFC 9457. Clients rely on the codes and their statuses: never change one, only add. */
#define PROBLEM_TABLE(X)                                                                        \
	X(MALFORMED_REQUEST, 400, "malformed_request", "The request is not well formed")        \
	X(INVALID_CELL, 400, "invalid_cell", "There is no such cell")                           \
	X(INVALID_STAKE, 400, "invalid_stake", "The stake is none of the presets")              \
	X(INVALID_SIGNATURE, 401, "invalid_signature", "The signature is not valid")            \
	X(SIGNATURE_EXPIRED, 401, "signature_expired", "The signature's time is over")          \
	X(REPLAY_DETECTED, 401, "replay_detected", "The nonce was used before")                 \
	X(UNAUTHORIZED, 401, "unauthorized", "Sign in first")                                   \
	X(WRONG_CHAIN, 401, "wrong_chain", "The chain is not this product's")                   \
	X(FORBIDDEN, 403, "forbidden", "Not allowed")                                           \
	X(ACCOUNT_SUSPENDED, 403, "account_suspended", "The account is suspended")              \
	X(LIMIT_REACHED, 403, "limit_reached", "A limit of the player is reached")              \
	X(NOT_FOUND, 404, "not_found", "There is nothing here")                                 \
	X(METHOD_NOT_ALLOWED, 405, "method_not_allowed", "The method is not allowed here")      \
	X(INSUFFICIENT_FUNDS, 409, "insufficient_funds", "The balance does not cover it")       \
	X(BET_EXISTS, 409, "bet_exists", "There is a bet on this cell already")                 \
	X(COLUMN_CLOSED, 409, "column_closed", "The column is closed")                          \
	X(CELL_CLOSED, 409, "cell_closed", "The cell is closed")                                \
	X(QUOTE_CHANGED, 409, "quote_changed", "The rate moved below what was asked")           \
	X(SESSION_KEY_IN_USE, 409, "session_key_in_use", "The session key serves another wallet") \
	X(BODY_TOO_LARGE, 413, "body_too_large", "The body is too large")                       \
	X(UNSUPPORTED_MEDIA_TYPE, 415, "unsupported_media_type", "The body must be application/json") \
	X(RATE_LIMITED, 429, "rate_limited", "Too many requests")                               \
	X(INTERNAL_ERROR, 500, "internal_error", "Something failed here")                       \
	X(PRICE_FEED_STALE, 503, "price_feed_stale", "The price feed is not live")              \
	X(OVERLOADED, 503, "overloaded", "Too much is waiting")                                 \
	X(UNAVAILABLE, 503, "unavailable", "A part that is needed is down")                     \
	X(OUTCOME_UNKNOWN, 504, "outcome_unknown", "It is not known whether it was done")

enum problem {
	PROBLEM_NONE = 0,
#define X(name, status, code, title) PROBLEM_##name,
	PROBLEM_TABLE(X)
#undef X
	PROBLEM_COUNT
};
const char *problem_code(enum problem p);
unsigned problem_status(enum problem p);

struct problem_extra { /* one further member of the object, such as "rate" or "bet_id" */
	const char *name;
	const char *text; /* NULL: number counts */
	int64_t number;
};
/* detail says what was wrong and what is right. extra may be NULL. Sets Retry-After when retry_after_s > 0. */
void httpd_problem(struct httpd_req *req, enum problem p, const char *detail, const struct problem_extra *extra,
		int retry_after_s);

#endif
