/* httpd: crowds that are ready at once, slow senders, too many connections, and stopping under way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/resource.h>

#include "http_client.h"
#include "httpd.h"

#define H "Host: x\r\n"

enum { CROWD_MAX = HTTPD_CONNECTIONS_MAX + 16, DEADLINE_MS = 1500, PATIENT_MS = 60000 };

static struct httpd *server;
static bool sheds;
static int sheds_after_ms;
static uint16_t port;
static int fds[CROWD_MAX];
static struct httpd_req *waiting[1024]; /* requests of /batch, answered by the batcher all together */
static size_t n_waiting;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void on_hello(struct httpd_req *req, void *ctx)
{
	struct buf b = BUF_INIT(16);
	(void) ctx;
	buf_puts(&b, "{}");
	httpd_reply_json(req, 200, &b);
}

static void on_batch(struct httpd_req *req, void *ctx)
{
	(void) ctx;
	(void) pthread_mutex_lock(&lock);
	waiting[n_waiting++] = req;
	(void) pthread_mutex_unlock(&lock);
}

static atomic_bool held; /* the loop's thread stays in the handler of /hold */

static void on_hold(struct httpd_req *req, void *ctx)
{
	while (held)
		(void) sched_yield();
	on_hello(req, ctx);
}

/* Some of a CPU. */
static void on_work(struct httpd_req *req, void *ctx)
{
	int64_t until = clk_thread_cpu_us() + 200;
	while (clk_thread_cpu_us() < until) {
	}
	on_hello(req, ctx);
}

static const struct httpd_route routes[] = {
	{ "GET", "/hello", on_hello, 0 },
	{ "POST", "/hello", on_hello, HTTPD_JSON_BODY },
	{ "GET", "/health", on_hello, HTTPD_EVEN_LATE },
	{ "GET", "/hold", on_hold, 0 },
	{ "GET", "/work", on_work, 0 },
	{ "GET", "/batch", on_batch, 0 },
	{ 0 },
};

static int start_with(unsigned threads, int deadline_ms)
{
	const struct httpd_conf conf = { .host = "127.0.0.1", .listen_fd = -1, .threads = threads,
		.request_deadline_ms = deadline_ms, .sheds = sheds, .sheds_after_ms = sheds_after_ms, .routes = routes };
	int r = httpd_start(&server, &conf);
	if (r == 0)
		port = httpd_port(server);
	return r;
}

static int start(unsigned threads)
{
	return start_with(threads, DEADLINE_MS);
}

static void crowd_open(int n)
{
	for (int i = 0; i < n; i++)
		fds[i] = client_open(port);
}

static void crowd_close(int n)
{
	for (int i = 0; i < n; i++)
		(void) close(fds[i]);
}

/* Answers what waits when it is `n` or when none came for 50 ms. */
static void answer_batch(size_t n)
{
	int64_t until = clk_mono_ms() + 20000;
	size_t have = 0;
	while (have < n && clk_mono_ms() < until) {
		(void) clk_sleep_until_ms(clk_mono_ms() + 1);
		(void) pthread_mutex_lock(&lock);
		have = n_waiting;
		(void) pthread_mutex_unlock(&lock);
	}
	assert_int_equal(have, n);
	for (size_t i = 0; i < have; i++) {
		if (i + 1 < have)
			httpd_more_follow(waiting[i]);
		on_hello(waiting[i], NULL);
	}
	n_waiting = 0;
}

/* The library's own loop takes a second for each round at the counts that fill its event set; ours must not. */
static void crowds_ready_at_once_are_served(void **state)
{
	static const int counts[] = { 64, 128, 256, 500, 512 };
	(void) state;
	for (unsigned threads = 1; threads <= 4; threads += 3) {
		assert_int_equal(start(threads), 0);
		for (size_t k = 0; k < ARRAY_LEN(counts); k++) {
			int n = counts[k];
			crowd_open(n);
			int64_t best = INT64_MAX; /* of the rounds: a busy machine slows some, a stall comes in each */
			for (int round = 0; round < 6; round++) {
				int64_t began = clk_mono_ms();
				for (int i = 0; i < n; i++)
					client_say(fds[i], round % 2 ? "GET /batch HTTP/1.1\r\n" H "\r\n" : "GET /hello HTTP/1.1\r\n" H "\r\n");
				if (round % 2)
					answer_batch((size_t) n);
				for (int i = 0; i < n; i++)
					assert_int_equal(client_hear(fds[i])->status, 200);
				int64_t took = clk_mono_ms() - began;
				best = took < best ? took : best;
			}
			assert_in_range(best, 0, 500); /* about 30 ms; a stall is seconds */
			crowd_close(n);
		}
		server = httpd_stop(server);
	}
}

static atomic_bool answering;

/* One by one, as soon as they come: replies meet the loop in every place of its turn. */
static void *answer_at_once(void *unused)
{
	(void) unused;
	while (answering) {
		(void) pthread_mutex_lock(&lock);
		struct httpd_req *req = n_waiting ? waiting[--n_waiting] : NULL;
		(void) pthread_mutex_unlock(&lock);
		if (req)
			on_hello(req, NULL);
		else
			(void) sched_yield();
	}
	return NULL;
}

/* A reply that is forgotten until the next turn of an idle loop shows as a tenth of a second. */
static void no_reply_is_left_lying(void **state)
{
	enum { CLIENTS = 32, ROUNDS = 100 };
	pthread_t threads[2];
	(void) state;
	assert_int_equal(start(2), 0);
	answering = true;
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, answer_at_once, NULL), 0);
	crowd_open(CLIENTS);
	int slow = 0;
	for (int round = 0; round < ROUNDS; round++) {
		int64_t began = clk_mono_ms();
		for (int i = 0; i < CLIENTS; i++)
			client_say(fds[i], "GET /batch HTTP/1.1\r\n" H "\r\n");
		for (int i = 0; i < CLIENTS; i++)
			assert_int_equal(client_hear(fds[i])->status, 200);
		slow += clk_mono_ms() - began > 60;
	}
	assert_in_range(slow, 0, ROUNDS / 2); /* a round takes about 5 ms; with forgotten replies four in five took 100 */
	answering = false;
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	crowd_close(CLIENTS);
	server = httpd_stop(server);
}

static void slow_senders_stop_nobody(void **state)
{
	enum { SLOW = 1000 };
	static const char line[] = "GET /hello HTTP/1.1\r\n" H "X-Slow: aaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
	static const char post[] = "POST /hello HTTP/1.1\r\n" H "Content-Type: application/json\r\nContent-Length: 8000\r\n\r\n";
	(void) state;
	assert_int_equal(start(2), 0);
	crowd_open(SLOW);
	for (int i = 0; i < SLOW; i += 2)
		client_say(fds[i], post); /* every other one is slow with its body alone */
	struct httpd_stats s;
	int64_t until = clk_mono_ms() + PATIENT_MS;
	size_t step = 0;
	do { /* they never fall silent, and another is answered meanwhile */
		for (int i = 0; i < SLOW; i++)
			client_say_n(fds[i], i % 2 && step < sizeof line - 1 ? line + step : "x", 1);
		step++;
		assert_int_equal(client_ask(port, "GET /hello HTTP/1.1\r\n" H "\r\n")->status, 200);
		(void) clk_sleep_until_ms(clk_mono_ms() + 100);
		httpd_stats(server, &s);
	} while (s.connections > 5 && clk_mono_ms() < until);
	assert_in_range(s.connections, 0, 5); /* whatever their activity, all were cut */
	for (int i = 0; i < SLOW; i += 99)
		assert_true(client_closed(fds[i], 0));
	crowd_close(SLOW);
	server = httpd_stop(server);
}

static void an_idle_connection_that_dribbles_is_cut(void **state)
{
	(void) state;
	assert_int_equal(start(1), 0);
	int idle = client_open(port), dribble = client_open(port);
	client_say(idle, "GET /hello HTTP/1.1\r\n" H "\r\n");
	client_say(dribble, "GET /hello HTTP/1.1\r\n" H "\r\n");
	assert_int_equal(client_hear(idle)->status, 200);
	assert_int_equal(client_hear(dribble)->status, 200);
	(void) clk_sleep_until_ms(clk_mono_ms() + 400);
	int64_t began = clk_mono_ms();
	bool cut = false;
	while (!cut && clk_mono_ms() - began < PATIENT_MS) {
		client_say(dribble, "G");
		cut = client_closed(dribble, 100);
	}
	assert_true(cut);
	assert_true(clk_mono_ms() - began >= DEADLINE_MS - 200); /* its time was not cut short */
	client_say(idle, "GET /hello HTTP/1.1\r\n" H "\r\n"); /* longer idle than the deadline, and fine */
	assert_int_equal(client_hear(idle)->status, 200);
	(void) close(idle);
	(void) close(dribble);
	server = httpd_stop(server);
}

static void too_many_connections_are_told_so(void **state)
{
	(void) state;
	char text[32];
	assert_int_equal(start_with(4, PATIENT_MS), 0); /* on a busy machine the crowd takes seconds to come in */
	crowd_open(CROWD_MAX);
	struct httpd_stats s;
	int64_t until = clk_mono_ms() + PATIENT_MS;
	do
		httpd_stats(server, &s);
	while (s.connections < CROWD_MAX && clk_mono_ms() < until);
	assert_int_equal(s.connections, CROWD_MAX);
	int refused = 0;
	for (int i = CROWD_MAX - 400; i < CROWD_MAX; i++) {
		client_say(fds[i], "GET /hello HTTP/1.1\r\n" H "\r\n");
		struct answer *a = client_hear(fds[i]);
		if (a->status == 503) {
			refused++;
			assert_non_null(strstr(a->body, "\"overloaded\""));
			assert_non_null(answer_header(a, "Retry-After", text, sizeof text));
			assert_true(client_closed(fds[i], 1000));
		} else {
			assert_int_equal(a->status, 200);
		}
	}
	httpd_stats(server, &s);
	assert_int_equal(refused, CROWD_MAX - HTTPD_CONNECTIONS_MAX);
	assert_int_equal(s.refused_busy, refused);
	crowd_close(CROWD_MAX);
	server = httpd_stop(server);
}

enum { MANY = 600 };

/* All of it is ready in one turn of the loop, and would take as long as a player notices: how many were shed. */
static int shed_of_many(int after_ms)
{
	char text[32];
	struct httpd_stats s;
	int shed = 0;
	sheds = true;
	sheds_after_ms = after_ms;
	assert_int_equal(start(1), 0);
	sheds = false;
	crowd_open(MANY + 2);
	held = true;
	client_say(fds[MANY], "GET /hold HTTP/1.1\r\n" H "\r\n");
	do
		httpd_stats(server, &s);
	while (s.requests == 0);
	for (int i = 0; i < MANY; i++)
		client_say(fds[i], "GET /work HTTP/1.1\r\n" H "\r\n");
	client_say(fds[MANY + 1], "GET /health HTTP/1.1\r\n" H "\r\n");
	held = false;
	for (int i = 0; i < MANY; i++) {
		struct answer *a = client_hear(fds[i]);
		if (a->status == 200)
			continue;
		assert_int_equal(a->status, 503);
		assert_non_null(strstr(a->body, "\"overloaded\""));
		assert_string_equal(answer_header(a, "Retry-After", text, sizeof text), "1");
		shed++;
	}
	assert_int_equal(client_hear(fds[MANY])->status, 200);
	assert_int_equal(client_hear(fds[MANY + 1])->status, 200);
	httpd_stats(server, &s);
	assert_int_equal(s.refused_late, shed);
	client_say(fds[0], "GET /work HTTP/1.1\r\n" H "\r\n");
	assert_int_equal(client_hear(fds[0])->status, 200);
	crowd_close(MANY + 2);
	server = httpd_stop(server);
	return shed;
}

static void what_cannot_be_done_soon_is_shed(void **state)
{
	(void) state;
	assert_in_range(shed_of_many(0), 1, MANY - 1); /* the turn's first are served, however long the queue */
}

static void who_waited_at_the_door_is_served(void **state)
{
	(void) state;
	assert_int_equal(shed_of_many(PATIENT_MS), 0);
}

/* Who waits for nothing is let go, who waits for an answer gets it and is let go then: nobody hears of a stop. */
static void draining_lets_everybody_go(void **state)
{
	static struct answer a;
	char text[32];
	(void) state;
	assert_int_equal(start(2), 0);
	crowd_open(8);
	for (int i = 0; i < 8; i++) {
		client_say(fds[i], "GET /hello HTTP/1.1\r\n" H "\r\n");
		assert_int_equal(client_hear(fds[i])->status, 200);
	}
	client_say(fds[0], "GET /batch HTTP/1.1\r\n" H "\r\n");
	for (size_t have = 0; have < 1; (void) usleep(1000)) {
		(void) pthread_mutex_lock(&lock);
		have = n_waiting;
		(void) pthread_mutex_unlock(&lock);
	}
	assert_false(httpd_drain(server, 100));
	for (int i = 1; i < 8; i++) /* closed without a word */
		assert_int_equal(read(fds[i], text, sizeof text), 0);
	answer_batch(1);
	assert_int_equal(client_hear_to(fds[0], false, 2000, &a)->status, 200);
	assert_string_equal(answer_header(&a, "Connection", text, sizeof text), "close");
	assert_true(httpd_drain(server, 2000));
	crowd_close(8);
	server = httpd_stop(server);
}

static void stopping_finishes_what_was_begun(void **state)
{
	(void) state;
	assert_int_equal(start(2), 0);
	crowd_open(8);
	for (int i = 0; i < 8; i++)
		client_say(fds[i], "GET /batch HTTP/1.1\r\n" H "\r\n");
	int64_t until = clk_mono_ms() + 20000;
	size_t have = 0;
	while (have < 8 && clk_mono_ms() < until) {
		(void) pthread_mutex_lock(&lock);
		have = n_waiting;
		(void) pthread_mutex_unlock(&lock);
	}
	assert_int_equal(have, 8);
	httpd_quiesce(server);
	(void) clk_sleep_until_ms(clk_mono_ms() + 150);
	int late = client_open(port); /* the kernel takes it into the backlog while a descriptor is open; nobody accepts */
	client_say(late, "GET /hello HTTP/1.1\r\n" H "\r\n");
	static struct answer a;
	assert_int_equal(client_hear_to(late, false, 200, &a)->status, -1);
	answer_batch(8);
	int64_t began = clk_mono_ms();
	server = httpd_stop(server);
	assert_in_range(clk_mono_ms() - began, 0, 10000);
	for (int i = 0; i < 8; i++) {
		char text[32];
		struct answer *got = client_hear(fds[i]);
		assert_int_equal(got->status, 200);
		assert_string_equal(answer_header(got, "Connection", text, sizeof text), "close");
		assert_true(client_closed(fds[i], 500));
	}
	crowd_close(8);
	(void) close(late);
}

static void a_passed_socket_is_served_and_left_open(void **state)
{
	(void) state;
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (struct sockaddr *) &at, sizeof at), 0);
	assert_int_equal(listen(fd, 64), 0);
	const struct httpd_conf conf = { .listen_fd = fd, .threads = 2, .request_deadline_ms = 1000, .routes = routes };
	for (int i = 0; i < 3; i++) { /* as over restarts */
		assert_int_equal(httpd_start(&server, &conf), 0);
		assert_int_equal(client_ask(httpd_port(server), "GET /hello HTTP/1.1\r\n" H "\r\n")->status, 200);
		server = httpd_stop(server);
	}
	int waiting_fd = -1;
	socklen_t n = sizeof at;
	assert_int_equal(getsockname(fd, (struct sockaddr *) &at, &n), 0);
	waiting_fd = client_open(ntohs(at.sin_port)); /* between two lives: waits in the backlog */
	client_say(waiting_fd, "GET /hello HTTP/1.1\r\n" H "\r\n");
	assert_int_equal(httpd_start(&server, &conf), 0);
	assert_int_equal(client_hear(waiting_fd)->status, 200);
	(void) close(waiting_fd);
	server = httpd_stop(server);
	(void) close(fd);
	const struct httpd_conf wrong = { .host = "256.0.0.1", .port = 1, .listen_fd = -1, .threads = 1, .request_deadline_ms = 1,
		.routes = routes };
	assert_true(httpd_start(&server, &wrong) < 0);
	assert_null(httpd_stop(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(crowds_ready_at_once_are_served),
		cmocka_unit_test(no_reply_is_left_lying),
		cmocka_unit_test(slow_senders_stop_nobody),
		cmocka_unit_test(an_idle_connection_that_dribbles_is_cut),
		cmocka_unit_test(too_many_connections_are_told_so),
		cmocka_unit_test(what_cannot_be_done_soon_is_shed),
		cmocka_unit_test(who_waited_at_the_door_is_served),
		cmocka_unit_test(draining_lets_everybody_go),
		cmocka_unit_test(stopping_finishes_what_was_begun),
		cmocka_unit_test(a_passed_socket_is_served_and_left_open),
	};
	struct rlimit files;
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void) setrlimit(RLIMIT_NOFILE, &files);
	}
	return cmocka_run_group_tests_name("httpd_load", tests, NULL, NULL);
}
