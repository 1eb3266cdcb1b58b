/* ops: what operators and Prometheus see. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>

#include "http_client.h"
#include "ops.h"

static enum health redis_is;
static bool is_ready;

static void health(struct ops_health *h, void *u)
{
	assert_ptr_equal(u, &redis_is);
	ops_check(h, "database", HEALTH_HEALTHY);
	ops_check_begin(h, "redis", redis_is);
	jw_int(&h->w, "lag_ms", 12);
	ops_check_end(h);
}

static bool ready(void *u)
{
	(void) u;
	return is_ready;
}

static void metrics(struct buf *out, void *u)
{
	(void) u;
	ops_counter(out, "tap_bets_total", "Bets.", UINT64_MAX);
}

static struct answer *ask(const struct ops *o, const char *path)
{
	char request[128];
	(void) snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path);
	return client_ask(ops_port(o), request);
}

static void the_port_answers(void **state)
{
	(void) state;
	const struct conf_listen at = { .host = "127.0.0.1" };
	const struct ops_spec spec = { .health = health, .ready = ready, .metrics = metrics, .u = &redis_is };
	struct ops *o = NULL;
	char text[64];
	assert_int_equal(ops_start(&o, &at, -1, &spec), 0);
	redis_is = HEALTH_HEALTHY;
	struct answer *a = ask(o, "/health");
	assert_int_equal(a->status, 200);
	assert_string_equal(a->body, "{\"status\":\"healthy\",\"checks\":{\"database\":{\"status\":\"healthy\"},"
				     "\"redis\":{\"status\":\"healthy\",\"lag_ms\":12}}}");
	redis_is = HEALTH_DEGRADED;
	a = ask(o, "/health");
	assert_int_equal(a->status, 200);
	assert_non_null(strstr(a->body, "{\"status\":\"degraded\",\"checks\""));
	redis_is = HEALTH_CRITICAL;
	a = ask(o, "/health");
	assert_int_equal(a->status, 503);
	assert_non_null(strstr(a->body, "{\"status\":\"critical\",\"checks\""));
	is_ready = false;
	assert_int_equal(ask(o, "/ready")->status, 503);
	is_ready = true;
	assert_int_equal(ask(o, "/ready")->status, 200);
	a = ask(o, "/metrics");
	assert_int_equal(a->status, 200);
	assert_string_equal(answer_header(a, "Content-Type", text, sizeof text), "text/plain; version=0.0.4; charset=utf-8");
	assert_non_null(strstr(a->body, "# TYPE tap_bets_total counter\ntap_bets_total 18446744073709551615\n"));
	assert_non_null(strstr(a->body, "tap_process_open_fds "));
	assert_non_null(strstr(a->body, "\ntap_ready 1\n"));
	assert_non_null(strstr(a->body, "\ntap_critical 1\n"));
	assert_non_null(strstr(a->body, "tap_log_lines_total{level=\"err\"} "));
	assert_int_equal(ask(o, "/nowhere")->status, 404);
	struct ops *second = NULL; /* the port is taken: said, not fatal to the first */
	const struct conf_listen taken = { .host = "127.0.0.1", .port = ops_port(o) };
	assert_true(ops_start(&second, &taken, -1, &spec) < 0);
	assert_null(second);
	assert_int_equal(ask(o, "/ready")->status, 200);
	assert_null(ops_stop(o));
	assert_null(ops_stop(NULL));
}

static void write_page(struct json_out *w, void *u)
{
	jw_object(w, NULL);
	jw_int(w, "is", *(enum health *) u);
	jw_end_object(w);
}

static void a_daemon_may_have_a_page_more(void **state)
{
	(void) state;
	const struct conf_listen at = { .host = "127.0.0.1" };
	const struct ops_spec spec = { .page = { "/more", write_page }, .u = &redis_is };
	struct ops *o = NULL;
	redis_is = HEALTH_DEGRADED;
	assert_int_equal(ops_start(&o, &at, -1, &spec), 0);
	struct answer *a = ask(o, "/more");
	assert_int_equal(a->status, 200);
	assert_string_equal(a->body, "{\"is\":1}");
	assert_int_equal(ask(o, "/ready")->status, 200);
	assert_null(ops_stop(o));
}

static void a_daemon_without_callbacks_is_healthy(void **state)
{
	(void) state;
	const struct conf_listen at = { .host = "127.0.0.1" };
	const struct ops_spec none = { 0 };
	struct ops *o = NULL;
	assert_int_equal(ops_start(&o, &at, -1, &none), 0);
	assert_string_equal(ask(o, "/health")->body, "{\"status\":\"healthy\",\"checks\":{}}");
	assert_int_equal(ask(o, "/ready")->status, 200);
	assert_null(ops_stop(o));
}

static void the_text_format_is_kept(void **state)
{
	(void) state;
	_cleanup_(buf_free) struct buf b = BUF_INIT(8192);
	static struct ops_histogram h;
	static const int64_t seen[] = { -5, 0, 500, 501, 1000, 20000, 10000000, 10000001 };
	ops_gauge(&b, "tap_x", "X.", 0.25);
	ops_labelled(&b, "tap_x", "venue=\"coinbase\"", 3);
	ops_gauge(&b, "tap_n", "N.", (double) NAN);
	ops_gauge(&b, "tap_i", "I.", -(double) INFINITY);
	assert_string_equal(b.p, "# HELP tap_x X.\n# TYPE tap_x gauge\ntap_x 0.25\ntap_x{venue=\"coinbase\"} 3\n"
				 "# HELP tap_n N.\n# TYPE tap_n gauge\ntap_n NaN\n# HELP tap_i I.\n# TYPE tap_i gauge\ntap_i -Inf\n");
	buf_clear(&b);
	for (size_t i = 0; i < ARRAY_LEN(seen); i++)
		ops_observe_us(&h, seen[i]);
	ops_histogram(&b, "tap_s", "S.", &h);
	assert_non_null(strstr(b.p, "# TYPE tap_s histogram\ntap_s_bucket{le=\"0.0005\"} 3\ntap_s_bucket{le=\"0.001\"} 5\n"));
	assert_non_null(strstr(b.p, "tap_s_bucket{le=\"0.025\"} 6\n"));
	assert_non_null(strstr(b.p, "tap_s_bucket{le=\"10\"} 7\ntap_s_bucket{le=\"+Inf\"} 8\n"));
	assert_non_null(strstr(b.p, "tap_s_sum 20.022002\ntap_s_count 8\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_port_answers),
		cmocka_unit_test(a_daemon_may_have_a_page_more),
		cmocka_unit_test(a_daemon_without_callbacks_is_healthy),
		cmocka_unit_test(the_text_format_is_kept),
	};
	return cmocka_run_group_tests_name("ops", tests, NULL, NULL);
}
