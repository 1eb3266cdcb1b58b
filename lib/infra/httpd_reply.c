#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "httpd_impl.h"
#include "json.h"

enum { PROBLEM_BYTES_MAX = 4096 };

static const struct {
	unsigned status;
	const char *code, *title;
} problems[PROBLEM_COUNT] = {
#define X(name, status, code, title) [PROBLEM_##name] = { status, code, title },
	PROBLEM_TABLE(X)
#undef X
};

const char *problem_code(enum problem p)
{
	return problems[p].code;
}

unsigned problem_status(enum problem p)
{
	return problems[p].status;
}

void httpd_set_header(struct httpd_req *req, const char *name, const char *value)
{
	CHECK(req->n_set < HTTPD_SET_HEADERS && strlen(name) < sizeof req->set[0].name);
	CHECK(strlen(value) < sizeof req->set[0].value && !strpbrk(value, "\r\n"));
	(void) snprintf(req->set[req->n_set].name, sizeof req->set[0].name, "%s", name);
	(void) snprintf(req->set[req->n_set].value, sizeof req->set[0].value, "%s", value);
	req->n_set++;
}

void httpd_more_follow(struct httpd_req *req)
{
	req->more = true;
}

static bool add_header(struct MHD_Response *response, const char *name, const char *value)
{
	return MHD_add_response_header(response, name, value) == MHD_YES;
}

static bool add_headers(const struct httpd_req *req, struct MHD_Response *response, const char *type)
{
	bool ok = add_header(response, "X-Request-Id", req->id) && add_header(response, "Cache-Control", "no-store") &&
			add_header(response, "X-Content-Type-Options", "nosniff");
	if (type)
		ok = ok && add_header(response, "Content-Type", type);
	for (unsigned i = 0; i < req->n_set; i++)
		ok = ok && add_header(response, req->set[i].name, req->set[i].value);
	return ok;
}

static void ring(const struct loop *l)
{
	uint64_t one = 1;
	CHECK(write(l->wake_fd, &one, sizeof one) == sizeof one || errno == EAGAIN);
}

/* The library loses a wake-up when a connection is resumed by another thread while the loop is in MHD_run, which looks for
 * resumed connections first and empties its signal afterwards. So the loop's own thread resumes, before it runs. */
static void push_replied(struct httpd_req *req, bool more)
{
	struct loop *l = req->loop;
	struct httpd_req *first = atomic_load(&l->replied);
	if (more)
		atomic_fetch_or(&l->h->unrung, UINT64_C(1) << (l - l->h->loops));
	do
		req->next = first;
	while (!atomic_compare_exchange_weak(&l->replied, &first, req));
	/* The request may be gone now. Who finds the list empty wakes the loop, for all that follow until it is taken; unless more
	 * follows, and then whoever replies next without more. */
	if (!more && !first)
		ring(l);
}

static void ring_unrung(struct httpd *h)
{
	uint64_t which = atomic_load_explicit(&h->unrung, memory_order_relaxed);
	if (which != 0)
		which = atomic_exchange(&h->unrung, 0);
	for (; which != 0; which &= which - 1)
		ring(&h->loops[__builtin_ctzll(which)]);
}

void replied_resume(struct loop *l)
{
	struct httpd_req *req = atomic_exchange(&l->replied, NULL);
	while (req) {
		struct httpd_req *next = req->next;
		MHD_resume_connection(req->mhd);
		req = next;
	}
}

/* Behind the exchange the request belongs to the loop's thread again, unless it waits. */
static void hand_over(struct httpd_req *req, unsigned status, struct MHD_Response *response)
{
	req->status = status;
	req->response = response;
	struct httpd *h = req->loop->h;
	bool more = req->more;
	int was = atomic_exchange(&req->state, REQ_REPLIED);
	CHECK(was != REQ_REPLIED);
	if (was == REQ_WAITING)
		push_replied(req, more);
	if (!more)
		ring_unrung(h);
}

/* Takes the bytes (malloc'ed, or NULL with n 0). */
static void reply_bytes(struct httpd_req *req, unsigned status, const char *type, char *bytes, size_t n)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(n, bytes ? bytes : (void *) (uintptr_t) "",
			bytes ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);
	if (!response)
		free(bytes);
	else if (!add_headers(req, response, type)) {
		MHD_destroy_response(response);
		response = NULL; /* no memory: the connection is closed without an answer */
	}
	hand_over(req, status, response);
}

void httpd_reply_text(struct httpd_req *req, unsigned status, const char *type, struct buf *body)
{
	size_t n;
	bool failed = body->failed;
	char *bytes = buf_take(body, &n);
	if (failed)
		httpd_problem(req, PROBLEM_INTERNAL_ERROR, "The answer could not be written.", NULL, 0);
	else
		reply_bytes(req, status, type, bytes, n);
}

void httpd_reply_json(struct httpd_req *req, unsigned status, struct buf *body)
{
	httpd_reply_text(req, status, "application/json", body);
}

void httpd_reply_empty(struct httpd_req *req, unsigned status)
{
	reply_bytes(req, status, NULL, NULL, 0);
}

static void reply_problem(struct httpd_req *req, enum problem p, unsigned status, const char *detail,
		const struct problem_extra *extra, int retry_after_s)
{
	struct buf b = BUF_INIT(PROBLEM_BYTES_MAX);
	struct json_out w;
	char seconds[16];
	size_t n;

	jw_begin(&w, &b);
	jw_object(&w, NULL);
	jw_str(&w, "type", "about:blank");
	jw_str(&w, "title", problems[p].title);
	jw_int(&w, "status", status);
	jw_str(&w, "code", problems[p].code);
	jw_str(&w, "detail", detail);
	jw_str(&w, "request_id", req->id);
	if (extra && extra->text)
		jw_str(&w, extra->name, extra->text);
	else if (extra)
		jw_int(&w, extra->name, extra->number);
	jw_end_object(&w);
	/* The reserved headers are ours: those that the handler set for its success do not belong to a problem. */
	req->n_set = 0;
	if (retry_after_s > 0) {
		(void) snprintf(seconds, sizeof seconds, "%d", retry_after_s);
		httpd_set_header(req, "Retry-After", seconds);
	}
	if (status == 401)
		httpd_set_header(req, "WWW-Authenticate", "Bearer"); /* RFC 9110 15.5.2 wants one */
	if (p == PROBLEM_METHOD_NOT_ALLOWED && *req->allow)
		httpd_set_header(req, "Allow", req->allow);
	char *bytes = buf_take(&b, &n);
	reply_bytes(req, status, "application/problem+json", bytes, n);
}

void httpd_problem(struct httpd_req *req, enum problem p, const char *detail, const struct problem_extra *extra,
		int retry_after_s)
{
	CHECK(p > PROBLEM_NONE && p < PROBLEM_COUNT);
	reply_problem(req, p, problems[p].status, detail, extra, retry_after_s);
}

void reply_refused(struct httpd_req *req)
{
	enum problem p = req->refused;
	reply_problem(req, p, req->refused_status ? req->refused_status : problems[p].status, req->refused_detail, NULL,
			p == PROBLEM_OVERLOADED || p == PROBLEM_UNAVAILABLE ? 1 : 0);
}

/* On the loop's thread. */
enum MHD_Result reply_send(struct httpd_req *req)
{
	struct httpd *h = req->loop->h;
	if (!req->response)
		return MHD_NO;
	if ((req->must_close || atomic_load(&h->wanted) != WANT_RUN) && !add_header(req->response, "Connection", "close"))
		return MHD_NO;
	conn_enter(req->conn, PHASE_SENDING);
	atomic_fetch_add_explicit(&h->by_status[req->status / 100 % 6], 1, memory_order_relaxed);
	return MHD_queue_response(req->mhd, req->status, req->response);
}
