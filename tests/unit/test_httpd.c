/* httpd: what a single client can see, right and wrong requests alike. Crowds and slow clients are test_httpd_load's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>

#include "http_client.h"
#include "httpd.h"
#include "httpd_parse.h"
#include "json.h"

#define H "Host: x\r\n"
#define J "Content-Type: application/json\r\n"

static struct httpd *server;
static uint16_t port;
static struct httpd_req *parked; /* by /later; answered by the test's own thread */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t came = PTHREAD_COND_INITIALIZER;
static pthread_t answerer;
static _Atomic int arrived; /* requests that reached /later */

static void on_echo(struct httpd_req *req, void *ctx)
{
	struct buf b = BUF_INIT(32768);
	struct json_out w;
	size_t n;
	assert_ptr_equal(ctx, &server);
	const char *body = httpd_body(req, &n);
	jw_begin(&w, &b);
	jw_object(&w, NULL);
	jw_str(&w, "id", httpd_id(req));
	jw_str(&w, "param", httpd_param(req));
	jw_str(&w, "q", httpd_query(req, "q"));
	jw_bool(&w, "query_ok", httpd_query_ok(req));
	jw_str(&w, "bearer", httpd_bearer(req));
	jw_str(&w, "x", httpd_header(req, "X-Test"));
	jw_int(&w, "n", (int64_t) n);
	jw_str(&w, "body", body);
	jw_end_object(&w);
	httpd_set_header(req, "Location", "/here");
	httpd_reply_json(req, 200, &b);
}

static void on_empty(struct httpd_req *req, void *ctx)
{
	(void) ctx;
	httpd_reply_empty(req, 204);
}

static void on_problem(struct httpd_req *req, void *ctx)
{
	(void) ctx;
	const struct problem_extra rate = { .name = "rate", .number = 23500 };
	const struct problem_extra id = { .name = "bet_id", .text = "01ARZ3NDEKTSV4RRFFQ69G5FAV" };
	if (httpd_query(req, "stale"))
		httpd_problem(req, PROBLEM_PRICE_FEED_STALE, "No \"tick\".", NULL, 10);
	else if (httpd_query(req, "who"))
		httpd_problem(req, PROBLEM_UNAUTHORIZED, "Sign in.", NULL, 0);
	else
		httpd_problem(req, httpd_query(req, "id") ? PROBLEM_BET_EXISTS : PROBLEM_QUOTE_CHANGED, "Look again.",
				httpd_query(req, "id") ? &id : &rate, 0);
}

static void on_overflow(struct httpd_req *req, void *ctx)
{
	struct buf b = BUF_INIT(4);
	(void) ctx;
	buf_puts(&b, "too much");
	httpd_reply_json(req, 200, &b);
}

static void on_later(struct httpd_req *req, void *ctx)
{
	(void) ctx;
	assert_int_equal(pthread_mutex_lock(&lock), 0);
	parked = req;
	arrived++;
	(void) pthread_cond_signal(&came);
	(void) pthread_mutex_unlock(&lock);
}

static const struct httpd_route routes[] = {
	{ "GET", "/api/v1/me", on_echo, 0 },
	{ "GET", "/api/v1/bets/{id}", on_echo, 0 },
	{ "GET", "/api/v1/bets", on_echo, 0 },
	{ "POST", "/api/v1/bets", on_echo, HTTPD_JSON_BODY },
	{ "DELETE", "/api/v1/auth/session", on_empty, 0 },
	{ "GET", "/problem", on_problem, 0 },
	{ "GET", "/overflow", on_overflow, 0 },
	{ "POST", "/later", on_later, HTTPD_JSON_BODY },
	{ 0 },
};

/* Takes what /later parked; answers it after the delay. */
static void *answer_later(void *arg)
{
	int *delay_ms = arg;
	struct buf b = BUF_INIT(64);
	(void) pthread_mutex_lock(&lock);
	while (!parked)
		(void) pthread_cond_wait(&came, &lock);
	struct httpd_req *req = parked;
	parked = NULL;
	(void) pthread_mutex_unlock(&lock);
	if (*delay_ms)
		(void) clk_sleep_until_ms(clk_mono_ms() + *delay_ms);
	buf_printf(&b, "{\"n\":%zu}", (httpd_body(req, NULL), (size_t) 1));
	httpd_reply_json(req, 202, &b);
	return NULL;
}

static int up(void **state)
{
	(void) state;
	const struct httpd_conf conf = { .host = "127.0.0.1", .listen_fd = -1, .threads = 4, .request_deadline_ms = 2000,
		.routes = routes, .ctx = &server };
	int r = httpd_start(&server, &conf);
	if (r == 0)
		port = httpd_port(server);
	return r;
}

static int down(void **state)
{
	(void) state;
	server = httpd_stop(server);
	return 0;
}

static struct answer *ask(const char *request)
{
	return client_ask(port, request);
}

/* The answer is problem+json of this status and code, complete, and its id is the header's. */
static void assert_problem(const struct answer *a, int status, const char *code)
{
	char text[128];
	const char *why;
	struct json *j = NULL;
	int64_t v = 0;
	if (a->status != status)
		fail_msg("status %d instead of %d %s: %s%s", a->status, status, code, a->head, a->body);
	assert_string_equal(answer_header(a, "Content-Type", text, sizeof text), "application/problem+json");
	assert_int_equal(json_parse(&j, a->body, a->body_len, &why), 0);
	const struct json_value *root = json_root(j);
	assert_string_equal(json_string(json_get(root, "code"), NULL), code);
	assert_string_equal(json_string(json_get(root, "type"), NULL), "about:blank");
	assert_true(json_int(json_get(root, "status"), &v) && v == status);
	assert_true(strlen(json_string(json_get(root, "title"), NULL)) > 3);
	assert_true(strlen(json_string(json_get(root, "detail"), NULL)) > 3);
	assert_non_null(answer_header(a, "X-Request-Id", text, sizeof text));
	assert_string_equal(json_string(json_get(root, "request_id"), NULL), text);
	assert_int_equal(strlen(text), 26);
	json_free(j);
}

static void assert_has(const struct answer *a, const char *member)
{
	if (!strstr(a->body, member))
		fail_msg("no %s in %s", member, a->body);
}

static void good_requests_are_handled(void **state)
{
	(void) state;
	char text[64];
	struct answer *a = ask("GET /api/v1/bets/01AB%2F?q=a%20b+c&z=1 HTTP/1.1\r\n" H "X-Test: y\r\nAuthorization: bearer t0ken-_.~\r\n\r\n");
	assert_int_equal(a->status, 200);
	assert_has(a, "\"param\":\"01AB/\"");
	assert_has(a, "\"q\":\"a b c\"");
	assert_has(a, "\"query_ok\":true");
	assert_has(a, "\"bearer\":\"t0ken-_.~\"");
	assert_has(a, "\"x\":\"y\"");
	assert_false(a->closed);
	assert_string_equal(answer_header(a, "Content-Type", text, sizeof text), "application/json");
	assert_string_equal(answer_header(a, "Cache-Control", text, sizeof text), "no-store");
	assert_string_equal(answer_header(a, "Location", text, sizeof text), "/here");
	assert_null(answer_header(a, "Server", text, sizeof text));
	assert_non_null(answer_header(a, "X-Request-Id", text, sizeof text));
	assert_has(a, text);
	a = ask("POST /api/v1/bets HTTP/1.1\r\n" H J "Content-Length: 7\r\n\r\n{\"a\":1}");
	assert_has(a, "\"n\":7,\"body\":\"{\\\"a\\\":1}\"");
	a = ask("POST /api/v1/bets HTTP/1.1\r\n" H "content-type: Application/JSON; charset=\"UTF-8\"\r\n"
		"Transfer-Encoding: chunked\r\n\r\n3\r\n{\"a\r\n4;x=y\r\n\":1}\r\n0\r\n\r\n");
	assert_has(a, "\"n\":7");
	a = ask("DELETE /api/v1/auth/session HTTP/1.1\r\n" H "\r\n");
	assert_int_equal(a->status, 204);
	assert_int_equal(a->body_len, 0);
	a = ask("GET http://x/api/v1/me?q=1 HTTP/1.1\r\n" H "\r\n");
	assert_has(a, "\"q\":\"1\"");
	a = ask("GET /api/v1/me HTTP/1.0\r\n\r\n");
	assert_int_equal(a->status, 200);
}

static void head_is_get_without_a_body(void **state)
{
	(void) state;
	static struct answer a;
	char text[32];
	int fd = client_open(port);
	client_say(fd, "HEAD /api/v1/me HTTP/1.1\r\n" H "\r\nGET /api/v1/me HTTP/1.1\r\n" H "\r\n");
	client_hear_to(fd, true, 5000, &a);
	assert_int_equal(a.status, 200);
	assert_true(atoi(answer_header(&a, "Content-Length", text, sizeof text)) > 20);
	assert_int_equal(client_hear(fd)->status, 200); /* the very next byte is the next answer's */
	(void) close(fd);
}

static void queries_are_checked(void **state)
{
	(void) state;
	static const char *const bad[] = { "q=1&q=2", "q=%", "q=%4", "q=%zz", "q=%00", "q=%ff", "q=\xc3\xa9", "=1", "q=1&%71=2", "q=%0a" };
	static const char *const good[] = { "", "q", "q=", "q=1&", "Q=1&q=2", "q=a%3Db%26" };
	char request[256];
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		(void) snprintf(request, sizeof request, "GET /api/v1/me?%s HTTP/1.1\r\n" H "\r\n", bad[i]);
		assert_has(ask(request), "\"query_ok\":false");
	}
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		(void) snprintf(request, sizeof request, "GET /api/v1/me?%s HTTP/1.1\r\n" H "\r\n", good[i]);
		assert_has(ask(request), "\"query_ok\":true");
	}
	assert_has(ask("GET /api/v1/me?q=a%3Db%26 HTTP/1.1\r\n" H "\r\n"), "\"q\":\"a=b&\"");
	assert_has(ask("GET /api/v1/me HTTP/1.1\r\n" H "\r\n"), "\"q\":null");
}

static void paths_and_methods_are_checked(void **state)
{
	(void) state;
	static const char *const none[] = { "/", "/api", "/api/v1/me/", "/api/v1/me/x", "/api/v1/bets/", "/api/v1/bets/a/b", "*",
		"/api/v1/bets/%", "/api/v1/bets/%00", "//api/v1/me", "/api/v1/ME", "me", "http://x", "/api/v1/bets/%c3%a9" };
	char request[256], text[64];
	for (size_t i = 0; i < ARRAY_LEN(none); i++) {
		(void) snprintf(request, sizeof request, "GET %s HTTP/1.1\r\n" H "\r\n", none[i]);
		assert_problem(ask(request), 404, "not_found");
	}
	struct answer *a = ask("PUT /api/v1/bets HTTP/1.1\r\n" H "Content-Length: 2\r\n\r\n{}");
	assert_problem(a, 405, "method_not_allowed");
	assert_string_equal(answer_header(a, "Allow", text, sizeof text), "GET, HEAD, POST");
	a = ask("HEAD /later HTTP/1.1\r\n" H "\r\n");
	assert_int_equal(a->status, 405);
	assert_string_equal(answer_header(a, "Allow", text, sizeof text), "POST");
	assert_problem(ask("get /api/v1/me HTTP/1.1\r\n" H "\r\n"), 405, "method_not_allowed");
}

static void media_types_are_checked(void **state)
{
	(void) state;
	static const char *const good[] = { "application/json", "application/json;charset=utf-8", "application/json ; a=b; charset=UTF-8",
		"application/json;" };
	static const char *const bad[] = { "text/plain", "application/jsonx", "application/json;charset=latin1", "application/json, text/plain",
		"application/problem+json", "application/json; charset", "application/x-www-form-urlencoded", "" };
	char request[256];
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		(void) snprintf(request, sizeof request, "POST /api/v1/bets HTTP/1.1\r\n" H "Content-Type: %s\r\nContent-Length: 2\r\n\r\n{}", good[i]);
		assert_int_equal(ask(request)->status, 200);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		(void) snprintf(request, sizeof request, "POST /api/v1/bets HTTP/1.1\r\n" H "Content-Type: %s\r\nContent-Length: 2\r\n\r\n{}", bad[i]);
		assert_problem(ask(request), 415, "unsupported_media_type");
	}
	assert_problem(ask("POST /api/v1/bets HTTP/1.1\r\n" H "Content-Length: 2\r\n\r\n{}"), 415, "unsupported_media_type");
	assert_problem(ask("POST /api/v1/bets HTTP/1.1\r\n" H J "Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}"), 415,
			"unsupported_media_type");
}

/* n bytes of body, with a length or in chunks of 1000. */
static void say_body(int fd, size_t n, bool chunked)
{
	char head[256], chunk[1024];
	(void) snprintf(head, sizeof head, "POST /api/v1/bets HTTP/1.1\r\n" H J "%s: %s\r\n\r\n",
			chunked ? "Transfer-Encoding" : "Content-Length", chunked ? "chunked" : "");
	if (!chunked)
		(void) snprintf(strstr(head, "Length: ") + 8, 32, "%zu\r\n\r\n", n);
	client_say(fd, head);
	while (n) {
		size_t part = n < 1000 ? n : 1000;
		int at = chunked ? snprintf(chunk, sizeof chunk, "%zx\r\n", part) : 0;
		memset(chunk + at, 'x', part);
		memcpy(chunk + at + part, "\r\n", 2);
		client_say_n(fd, chunk, (size_t) at + part + (chunked ? 2 : 0));
		n -= part;
	}
	if (chunked)
		client_say(fd, "0\r\n\r\n");
}

static void bodies_are_bounded(void **state)
{
	(void) state;
	for (int chunked = 0; chunked <= 1; chunked++) {
		int fd = client_open(port);
		say_body(fd, HTTPD_BODY_MAX, chunked);
		struct answer *a = client_hear(fd);
		assert_int_equal(a->status, 200);
		assert_has(a, "\"n\":8192");
		say_body(fd, HTTPD_BODY_MAX + 1, chunked);
		assert_problem(client_hear(fd), 413, "body_too_large");
		say_body(fd, 300000, chunked);
		assert_problem(client_hear(fd), 413, "body_too_large");
		client_say(fd, "GET /api/v1/me HTTP/1.1\r\n" H "\r\n"); /* it was read away: the connection is as good as before */
		assert_int_equal(client_hear(fd)->status, 200);
		(void) close(fd);
	}
	int fd = client_open(port); /* too much to be read away: told at once */
	client_say(fd, "POST /api/v1/bets HTTP/1.1\r\n" H J "Content-Length: 99999999999\r\n\r\nxx");
	assert_problem(client_hear(fd), 413, "body_too_large");
	assert_true(client_closed(fd, 1000));
	(void) close(fd);
	fd = client_open(port);
	say_body(fd, 4000000, true);
	assert_true(client_closed(fd, 1000));
	(void) close(fd);
}

static void framing_has_one_reading(void **state)
{
	(void) state;
	static const char *const bad[] = {
		"POST /api/v1/bets HTTP/1.1\r\n" H J "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /api/v1/me HTTP/1.1\r\n" H "\r\n",
		"POST /api/v1/bets HTTP/1.1\r\n" H J "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
		"POST /api/v1/bets HTTP/1.1\r\n" H J "Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
		"POST /api/v1/bets HTTP/1.1\r\n" H J "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
		"POST /api/v1/bets HTTP/1.1\r\n" H J "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
		"POST /api/v1/bets HTTP/1.1\r\n" H J "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"POST /api/v1/bets HTTP/1.1\r\n" H J "Transfer-Encoding: identity\r\n\r\n{}",
		"POST /api/v1/bets HTTP/1.0\r\n" J "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"GET /api/v1/me HTTP/1.1\r\n" H "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"GET /api/v1/me HTTP/1.1\r\n\r\n",
		"GET /api/v1/me HTTP/1.1\r\n" H H "\r\n",
	};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		int fd = client_open(port);
		client_say(fd, bad[i]);
		assert_problem(client_hear(fd), 400, "malformed_request");
		assert_int_equal(client_hear(fd)->status, 0); /* closed: nothing behind it is a request */
		(void) close(fd);
	}
}

static void long_targets_and_headers_are_refused(void **state)
{
	(void) state;
	static char request[40000];
	size_t n = (size_t) snprintf(request, sizeof request, "GET /api/v1/me?q=");
	memset(request + n, 'a', 3000);
	(void) snprintf(request + n + 3000, 64, " HTTP/1.1\r\n" H "\r\n");
	assert_problem(ask(request), 414, "malformed_request");
	n = (size_t) snprintf(request, sizeof request, "GET /api/v1/me HTTP/1.1\r\n" H "X-Long: ");
	memset(request + n, 'a', 9000);
	(void) snprintf(request + n + 9000, 64, "\r\n\r\n");
	assert_problem(ask(request), 431, "malformed_request");
	memset(request + n, 'a', 8000);
	(void) snprintf(request + n + 8000, 64, "\r\n\r\n");
	assert_int_equal(ask(request)->status, 200);
	memset(request + n, 'a', 39000); /* beyond the library's own memory: refused, in its own words */
	request[39000] = '\0';
	int status = ask(request)->status;
	assert_true(status == 431 || status == 0);
}

static void problems_say_what_and_when(void **state)
{
	(void) state;
	char text[64];
	struct answer *a = ask("GET /problem HTTP/1.1\r\n" H "\r\n");
	assert_problem(a, 409, "quote_changed");
	assert_has(a, "\"rate\":23500");
	a = ask("GET /problem?id=1 HTTP/1.1\r\n" H "\r\n");
	assert_problem(a, 409, "bet_exists");
	assert_has(a, "\"bet_id\":\"01ARZ3NDEKTSV4RRFFQ69G5FAV\"");
	a = ask("GET /problem?stale HTTP/1.1\r\n" H "\r\n");
	assert_problem(a, 503, "price_feed_stale");
	assert_string_equal(answer_header(a, "Retry-After", text, sizeof text), "10");
	assert_has(a, "No \\\"tick\\\".");
	a = ask("GET /problem?who HTTP/1.1\r\n" H "\r\n");
	assert_problem(a, 401, "unauthorized");
	assert_non_null(answer_header(a, "WWW-Authenticate", text, sizeof text));
	assert_problem(ask("GET /overflow HTTP/1.1\r\n" H "\r\n"), 500, "internal_error");
	for (enum problem p = PROBLEM_NONE + 1; p < PROBLEM_COUNT; p++)
		assert_true(problem_status(p) >= 400 && problem_code(p));
}

static void bearers_have_one_form(void **state)
{
	(void) state;
	static const char *const bad[] = { "Basic abc", "Bearer", "Bearer ", "Bearer a b", "Bearer a,b", "Bearerabc", "Bearer \x80", "Bearer =" };
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_null(bearer_of(bad[i]));
	assert_null(bearer_of(NULL));
	assert_string_equal(bearer_of("BEARER  abc=="), "abc==");
}

static void answers_may_come_from_another_thread(void **state)
{
	(void) state;
	static const char post[] = "POST /later HTTP/1.1\r\n" H J "Content-Length: 2\r\n\r\n{}";
	static int delays[] = { 0, 0, 0, 20, 0, 1, 0, 0, 2, 0 };
	int fd = client_open(port);
	for (int i = 0; i < 200; i++) { /* with no delay it often comes before the handler has returned */
		assert_int_equal(pthread_create(&answerer, NULL, answer_later, &delays[i % (int) ARRAY_LEN(delays)]), 0);
		client_say(fd, post);
		assert_int_equal(client_hear(fd)->status, 202);
		assert_int_equal(pthread_join(answerer, NULL), 0);
	}
	(void) close(fd);
}

static void a_client_may_leave_meanwhile(void **state)
{
	(void) state;
	static const char post[] = "POST /later HTTP/1.1\r\n" H J "Content-Length: 2\r\n\r\n{}";
	static int delays[] = { 5, 0, 30 };
	for (int i = 0; i < 30; i++) {
		assert_int_equal(pthread_create(&answerer, NULL, answer_later, &delays[i % 3]), 0);
		int fd = client_open(port), seen = arrived;
		client_say(fd, post);
		while (arrived == seen)
			(void) clk_sleep_until_ms(clk_mono_ms() + 1);
		if (i % 2) {
			struct linger hard = { .l_onoff = 1 };
			(void) setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard); /* leaves with a reset */
		}
		(void) close(fd);
		assert_int_equal(pthread_join(answerer, NULL), 0); /* the answer is taken, and dropped */
	}
	assert_int_equal(ask("GET /api/v1/me HTTP/1.1\r\n" H "\r\n")->status, 200);
}

static void requests_are_counted(void **state)
{
	(void) state;
	struct httpd_stats before, after;
	do
		httpd_stats(server, &before); /* those of the tests before have all come to their end */
	while (before.connections > 0);
	(void) ask("GET /api/v1/me HTTP/1.1\r\n" H "\r\n");
	(void) ask("GET /nowhere HTTP/1.1\r\n" H "\r\n");
	httpd_stats(server, &after);
	assert_true(after.requests == before.requests + 2);
	assert_true(after.by_status[2] == before.by_status[2] + 1);
	assert_true(after.by_status[4] == before.by_status[4] + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_requests_are_handled),
		cmocka_unit_test(head_is_get_without_a_body),
		cmocka_unit_test(queries_are_checked),
		cmocka_unit_test(paths_and_methods_are_checked),
		cmocka_unit_test(media_types_are_checked),
		cmocka_unit_test(bodies_are_bounded),
		cmocka_unit_test(framing_has_one_reading),
		cmocka_unit_test(long_targets_and_headers_are_refused),
		cmocka_unit_test(problems_say_what_and_when),
		cmocka_unit_test(bearers_have_one_form),
		cmocka_unit_test(answers_may_come_from_another_thread),
		cmocka_unit_test(a_client_may_leave_meanwhile),
		cmocka_unit_test(requests_are_counted),
	};
	return cmocka_run_group_tests_name("httpd", tests, up, down);
}
