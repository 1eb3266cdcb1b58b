#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "clk.h"
#include "httpd_impl.h"

void *req_line(void *cls, const char *target, struct MHD_Connection *mhd)
{
	struct loop *l = cls;
	struct conn *c = conn_of(mhd);
	size_t n = strlen(target);
	size_t kept = n > TARGET_MAX ? 0 : n;
	struct httpd_req *req = c ? calloc(1, sizeof *req + kept + 1) : NULL;
	if (!req)
		return NULL;
	*req = (struct httpd_req){ .loop = l, .conn = c, .mhd = mhd, .started_us = clk_mono_us(),
		.body = BUF_INIT(HTTPD_BODY_MAX) };
	struct ulid id = ulid_new(clk_now_ms());
	ulid_format(req->id, &id);
	memcpy(req->text, target, kept);
	if (n > TARGET_MAX) {
		req->refused = PROBLEM_MALFORMED_REQUEST;
		req->refused_status = 414;
		req->refused_detail = "The request target is longer than 2048 bytes.";
	}
	req->target_ok = target_parse(&req->target, req->text);
	if (c->phase != PHASE_RECEIVING)
		conn_enter(c, PHASE_RECEIVING);
	atomic_fetch_add_explicit(&l->h->requests, 1, memory_order_relaxed);
	return req;
}

void req_done(void *cls, struct MHD_Connection *mhd, void **ctx, enum MHD_RequestTerminationCode how)
{
	struct httpd_req *req = *ctx;
	(void) mhd;
	(void) how;
	*ctx = NULL;
	if (!req)
		return;
	struct loop *l = cls;
	conn_enter(req->conn, PHASE_IDLE);
	l->last_request_ms = clk_mono_ms();
	if (req->response)
		MHD_destroy_response(req->response);
	buf_free(&req->body);
	free(req);
}

static const char *header_of(const struct httpd_req *req, const char *name)
{
	return MHD_lookup_connection_value(req->mhd, MHD_HEADER_KIND, name);
}

struct header_counts {
	int host, length, encoding;
};

static enum MHD_Result count_header(void *cls, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct header_counts *n = cls;
	(void) kind;
	(void) value;
	n->host += strcasecmp(name, "Host") == 0;
	n->length += strcasecmp(name, "Content-Length") == 0;
	n->encoding += strcasecmp(name, "Transfer-Encoding") == 0;
	return MHD_YES;
}

/* Only the first refusal counts. */
static void refuse(struct httpd_req *req, enum problem p, unsigned status, const char *detail)
{
	if (req->refused)
		return;
	req->refused = p;
	req->refused_status = status;
	req->refused_detail = detail;
}

/* Where a body ends must have one reading (RFC 9112 6.3), else a proxy before us may see other requests than we do. Such a
 * request is answered at once and its connection closed: nothing behind its header block is believed. */
static bool framing_ok(struct httpd_req *req, const char *version)
{
	struct header_counts n = { 0 };
	const char *why = NULL;
	(void) MHD_get_connection_values(req->mhd, MHD_HEADER_KIND, count_header, &n);
	if (n.encoding && n.length)
		why = "Content-Length and Transfer-Encoding must not be sent together.";
	else if (n.length > 1)
		why = "Content-Length must be sent once.";
	else if (n.encoding > 1 || (n.encoding && strcasecmp(header_of(req, "Transfer-Encoding"), "chunked") != 0))
		why = "The one Transfer-Encoding that is understood is chunked.";
	else if (n.encoding && strcmp(version, "HTTP/1.1") != 0)
		why = "Transfer-Encoding needs HTTP/1.1.";
	else if (n.host > 1 || (n.host == 0 && strcmp(version, "HTTP/1.1") == 0))
		why = "The header Host must be sent once.";
	if (why)
		refuse(req, PROBLEM_MALFORMED_REQUEST, 0, why);
	return !why;
}

static void check_route(struct httpd_req *req)
{
	switch (req->target_ok ? route_find(req->loop->h->routes, req->method, req->target.path, &req->route, req->param,
					 req->allow)
			       : ROUTE_NO_PATH) {
	case ROUTE_FOUND:
		break;
	case ROUTE_NO_PATH:
		refuse(req, PROBLEM_NOT_FOUND, 0, "There is no such path.");
		break;
	case ROUTE_NO_METHOD:
		refuse(req, PROBLEM_METHOD_NOT_ALLOWED, 0, "The header Allow names the methods of this path.");
		break;
	}
}

/* What is let in bounds what waits: the next turn begins when this one is done. */
static void check_turn(struct httpd_req *req)
{
	struct loop *l = req->loop;
	if (l->turn_ms < l->h->sheds_from_ms || (req->route && req->route->flags & HTTPD_EVEN_LATE) ||
			l->turn_begun++ < HTTPD_TURN_REQUESTS || clk_mono_ms() - l->turn_ms <= HTTPD_TURN_MS)
		return;
	atomic_fetch_add_explicit(&l->h->refused_late, 1, memory_order_relaxed);
	refuse(req, PROBLEM_OVERLOADED, 0, "Too many requests wait; nothing was done; try again in a second.");
}

static void check_load(struct httpd_req *req)
{
	if (req->conn->over) {
		atomic_fetch_add_explicit(&req->loop->h->refused_busy, 1, memory_order_relaxed);
		req->must_close = true;
		refuse(req, PROBLEM_OVERLOADED, 0, "Too many connections are open; try again soon.");
	} else if (atomic_load(&req->loop->h->wanted) == WANT_STOP) {
		refuse(req, PROBLEM_UNAVAILABLE, 0, "The service is stopping; try again.");
	}
}

static void check_body_kind(struct httpd_req *req)
{
	if (!req->route || !(req->route->flags & HTTPD_JSON_BODY))
		return;
	if (!media_is_json(header_of(req, "Content-Type")) || header_of(req, "Content-Encoding"))
		refuse(req, PROBLEM_UNSUPPORTED_MEDIA_TYPE, 0, "Content-Type must be application/json in UTF-8, not encoded.");
}

static const char too_large[] = "A body is at most 8192 bytes.";

/* The header block is here. A refusal waits for the end of the body, because a client that is still sending might never see
 * an answer; only what is refused for its framing or for a great length is answered at once, and closed. */
static enum MHD_Result begin(struct httpd_req *req, const char *method, const char *version)
{
	req->begun = true;
	req->method = method;
	bool framed = framing_ok(req, version);
	if (MHD_get_connection_info(req->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE)->header_size > HTTPD_HEADERS_MAX_BYTES)
		refuse(req, PROBLEM_MALFORMED_REQUEST, 431, "A header block is at most 8192 bytes.");
	check_load(req);
	check_route(req);
	check_turn(req);
	const char *length = header_of(req, "Content-Length");
	unsigned long long declared = length ? strtoull(length, NULL, 10) : 0;
	if (declared > HTTPD_BODY_MAX)
		refuse(req, PROBLEM_BODY_TOO_LARGE, 0, too_large);
	check_body_kind(req);
	if (framed && declared <= HTTPD_DRAIN_MAX)
		return MHD_YES;
	req->must_close = true;
	reply_refused(req);
	return reply_send(req);
}

static enum MHD_Result take_body(struct httpd_req *req, const char *bytes, size_t *n)
{
	req->received += *n;
	if (!req->refused && req->received > HTTPD_BODY_MAX)
		refuse(req, PROBLEM_BODY_TOO_LARGE, 0, too_large);
	if (!req->refused)
		buf_put(&req->body, bytes, *n);
	*n = 0;
	return req->received <= HTTPD_DRAIN_MAX ? MHD_YES : MHD_NO;
}

static enum MHD_Result handle(struct httpd_req *req)
{
	int open = REQ_OPEN;
	conn_enter(req->conn, PHASE_HANDLING);
	if (req->body.failed)
		refuse(req, PROBLEM_INTERNAL_ERROR, 0, "There was no memory for the body.");
	if (req->refused)
		reply_refused(req);
	else
		req->route->handle(req, req->loop->h->ctx);
	if (atomic_load(&req->state) == REQ_REPLIED)
		return reply_send(req);
	/* Suspended first and said so afterwards: who replies in between finds REQ_OPEN and leaves the resuming to us. */
	MHD_suspend_connection(req->mhd);
	if (!atomic_compare_exchange_strong(&req->state, &open, REQ_WAITING))
		MHD_resume_connection(req->mhd);
	return MHD_YES;
}

enum MHD_Result req_turn(void *cls, struct MHD_Connection *mhd, const char *url, const char *method, const char *version,
		const char *upload, size_t *n, void **ctx)
{
	struct httpd_req *req = *ctx;
	(void) cls;
	(void) mhd;
	(void) url;
	if (!req)
		return MHD_NO; /* there was no memory when its first line came */
	if (!req->begun)
		return begin(req, method, version);
	if (*n)
		return take_body(req, upload, n);
	return atomic_load(&req->state) == REQ_REPLIED ? reply_send(req) : handle(req);
}

const char *httpd_id(const struct httpd_req *req)
{
	return req->id;
}

const char *httpd_param(const struct httpd_req *req)
{
	return req->param;
}

const char *httpd_query(const struct httpd_req *req, const char *name)
{
	return target_query(&req->target, name);
}

bool httpd_query_ok(const struct httpd_req *req)
{
	return req->target.query_ok;
}

const char *httpd_header(const struct httpd_req *req, const char *name)
{
	return header_of(req, name);
}

const char *httpd_body(const struct httpd_req *req, size_t *ret_len)
{
	if (ret_len)
		*ret_len = req->body.n;
	return req->body.p ? req->body.p : "";
}

const char *httpd_bearer(const struct httpd_req *req)
{
	return bearer_of(header_of(req, "Authorization"));
}

int64_t httpd_started_us(const struct httpd_req *req)
{
	return req->started_us;
}
