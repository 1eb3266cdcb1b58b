/* bench-floors - what the parts of a bet cost alone on this machine, in CPU microseconds: the signature, the body's JSON, a
 * POST that does nothing, the trip to Redis, the three statements. A bet cannot cost less than their sum. JSON on stdout. */
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "bus.h"
#include "check.h"
#include "clk.h"
#include "err.h"
#include "http.h"
#include "httpd.h"
#include "json.h"
#include "ledger.h"
#include "procs.h"
#include "rnd.h"
#include "sig.h"
#include "store.h"
#include "week.h"

enum {
	RECOVERS = 10000, SIGNED = 64, PARSES = 50000,
	POSTS = 60000, POST_CONNECTIONS = 64,
	TRIPS = 2500, TRIP_BETS = 16,
	BATCHES = 400, BATCH_BETS = 100, USERS = 2000, CHECKPOINT_PAGES = 1000
};
static const int64_t NOW_MS = 1771234565000, RICH = 1000000000000;

static const char body[] =
	"{\"wallet\":\"0x2c7536E3605D9C16a7a3D7b1898e529396a65c23\",\"cell\":\"1771234565_9742000_9744000\",\"stake\":1000000,"
	"\"rate\":10100,\"nonce\":\"0f1e2d3c-4b5a-4978-8a9b-acbdcedfe0f1\",\"timestamp\":1771234501,\"chain_id\":1,\"version\":1,"
	"\"signature\":\"0x1111111111111111111111111111111111111111111111111111111111111111"
	"22222222222222222222222222222222222222222222222222222222222222221b\"}";

static int floor_recover(double *ret_us)
{
	uint8_t secret[32];
	char text[SIGNED][64];
	struct sig sig[SIGNED];
	rnd_bytes(secret, sizeof secret);
	for (int i = 0; i < SIGNED; i++) {
		(void) snprintf(text[i], sizeof text[i], "Tap Trading Bet\nNonce: %d", i);
		if (sig_sign(&sig[i], secret, text[i], strlen(text[i])) != 0)
			return err_say(-EIO, "sign");
	}
	int64_t from = clk_thread_cpu_us();
	for (int i = 0; i < RECOVERS; i++) {
		struct wallet w;
		const char *t = text[i % SIGNED];
		if (sig_recover(&w, &sig[i % SIGNED], t, strlen(t)) != 0)
			return err_say(-EIO, "recover");
	}
	*ret_us = (double) (clk_thread_cpu_us() - from) / RECOVERS;
	return 0;
}

static int floor_json(double *ret_us)
{
	int64_t from = clk_thread_cpu_us();
	for (int i = 0; i < PARSES; i++) {
		struct json *j;
		const char *why;
		if (json_parse(&j, body, sizeof body - 1, &why) != 0)
			return err_say(-EIO, "parse");
		(void) json_free(j);
	}
	*ret_us = (double) (clk_thread_cpu_us() - from) / PARSES;
	return 0;
}

/* ---- a POST that does nothing ---- */

struct posts {
	struct http *http;
	char request[1024];
	size_t n, sent, done;
	int failed;
};

static void null_handler(struct httpd_req *req, void *ctx)
{
	(void) ctx;
	struct buf out = BUF_INIT(64);
	buf_puts(&out, "{}");
	httpd_reply_json(req, 202, &out);
}

static int post_next(struct posts *p, size_t conn)
{
	if (p->sent == POSTS)
		return 0;
	p->sent++;
	return http_send(p->http, conn, p->request, p->n);
}

static void posted(void *u, size_t conn, const struct http_reply *reply)
{
	struct posts *p = u;
	p->done++;
	int r = reply->status == 202 ? post_next(p, conn) : err_say(-EPROTO, "null POST: status %u", reply->status);
	if (p->failed == 0)
		p->failed = r;
}

static int post_all(struct posts *p)
{
	int r = 0;
	for (size_t i = 0; i < POST_CONNECTIONS && r == 0; i++)
		r = post_next(p, i);
	while (r == 0 && p->failed == 0 && p->done < POSTS)
		r = http_turn(p->http, 1000000);
	return r < 0 ? r : p->failed;
}

/* The server's threads are all of this process but this thread. */
static int floor_post(double *ret_us)
{
	static const struct httpd_route routes[] = { { "POST", "/null", null_handler, HTTPD_JSON_BODY }, { 0 } };
	const struct httpd_conf conf = { .host = "127.0.0.1", .listen_fd = -1, .threads = 1, .request_deadline_ms = 10000,
		.routes = routes };
	struct httpd *server;
	struct posts p = { 0 };
	char address[32];
	int r = httpd_start(&server, &conf);
	if (r < 0)
		return err_trace(r);
	(void) snprintf(address, sizeof address, "127.0.0.1:%u", (unsigned) httpd_port(server));
	p.n = (size_t) snprintf(p.request, sizeof p.request,
			"POST /null HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
			sizeof body - 1, body);
	CHECK(p.n < sizeof p.request);
	r = http_open(&p.http, &(struct http_conf){ .to = address, .connections = POST_CONNECTIONS }, posted, &p);
	int64_t all = procs_own_us(), mine = clk_thread_cpu_us();
	if (r == 0)
		r = post_all(&p);
	all = procs_own_us() - all;
	mine = clk_thread_cpu_us() - mine;
	*ret_us = (double) (all - mine) / POSTS;
	(void) http_close(p.http);
	httpd_quiesce(server);
	(void) httpd_stop(server);
	return err_trace(r);
}

/* ---- Redis: session key, nonce and bucket of each bet, sixteen bets a trip ---- */

static int trip(struct bus *bus, int i)
{
	for (int k = 0; k < TRIP_BETS; k++) {
		int r = bus_addf(bus, "GET bench:session_key:%d", k);
		if (r == 0)
			r = bus_addf(bus, "SET bench:nonce:%d-%d 1 NX EX 90", i, k);
		if (r == 0)
			r = bus_addf(bus, "INCR bench:rate:%d", k);
		if (r < 0)
			return err_trace(r);
	}
	return bus_flush(bus);
}

static int floor_redis(const char *address, struct procs *redis, double *ret_us, double *ret_redis_us)
{
	const struct bus_conf conf = { .address = address, .user = "", .password = "", .timeout_ms = 2000 };
	struct bus *bus;
	int r = bus_open(&bus, &conf);
	if (r < 0)
		return err_trace(r);
	r = bus_ready(bus);
	procs_read(redis);
	int64_t from = clk_thread_cpu_us(), redis_from = redis->v[0].cpu_us;
	for (int i = 0; i < TRIPS && r == 0; i++)
		r = trip(bus, i);
	procs_read(redis);
	*ret_us = (double) (clk_thread_cpu_us() - from) / (TRIPS * TRIP_BETS);
	*ret_redis_us = (double) (redis->v[0].cpu_us - redis_from) / (TRIPS * TRIP_BETS);
	(void) bus_close(bus);
	return err_trace(r);
}

/* ---- the three statements of a bet, on the tables of a week's own file ---- */

static int make_users(struct store *db)
{
	int r = store_begin(db);
	for (int64_t i = 1; i <= USERS && r == 0; i++) {
		struct wallet wallet = { { 1 } };
		struct account a;
		be64_put(wallet.b + 8, (uint64_t) i);
		r = ledger_account_open(db, &wallet, NOW_MS, &a);
		if (r == 0)
			r = ledger_post(db, &(struct posting){ .user = a.user, .amount = { RICH }, .ref_type = LEDGER_DEPOSIT,
					.ref_id = (char[]){ 'd', (char) ('0' + i / 1000 % 10), (char) ('0' + i / 100 % 10),
							(char) ('0' + i / 10 % 10), (char) ('0' + i % 10), 0 }, .at_ms = NOW_MS }, &a);
	}
	return r == 0 ? store_commit(db) : r;
}

static int place(struct store *db, int64_t k)
{
	int64_t user = 1 + k % USERS, round = k / USERS, row = USERS + 1 + k;
	int64_t t0_s = NOW_MS / 1000 + 5 * (round + user % 8), low = 9742000 + 2000 * (user % 11);
	uint8_t nonce[16] = { 0 };
	be64_put(nonce, (uint64_t) k);
	struct stmt *st = store_stmt(db, "UPDATE users SET balance = ?2, version = ?3, last_row = ?4, open_bets = ?5, open_stake = ?6"
			" WHERE id = ?1");
	stmt_int(st, 1, user);
	stmt_int(st, 2, RICH - 1000000 * (round + 1));
	stmt_int(st, 3, round + 2);
	stmt_int(st, 4, row);
	stmt_int(st, 5, round + 1);
	stmt_int(st, 6, 1000000 * (round + 1));
	int r = stmt_run(st);
	if (r != 0)
		return r;
	st = store_stmt(db, "INSERT INTO transaction_ledger(id, user, amount, balance_after, ref_type, ref_id, prev, at)"
			" VALUES (?1, ?2, -1000000, ?3, 'BET', '01KHK3RSB8000G02J92TG0001B', ?4, ?5)");
	stmt_int(st, 1, row);
	stmt_int(st, 2, user);
	stmt_int(st, 3, RICH - 1000000 * (round + 1));
	stmt_int(st, 4, row - USERS);
	stmt_int(st, 5, NOW_MS + k);
	r = stmt_run(st);
	if (r != 0)
		return r;
	st = store_stmt(db, "INSERT INTO bets(t0, low, user, stake, rate, rate_min, placed_at, signed_at, nonce, status, bet_row, pay_row)"
			" VALUES (?1, ?2, ?3, 1000000, 20000, 19900, ?4, ?5, ?6, 1, ?7, 0)");
	stmt_int(st, 1, t0_s);
	stmt_int(st, 2, low);
	stmt_int(st, 3, user);
	stmt_int(st, 4, NOW_MS + k);
	stmt_int(st, 5, NOW_MS / 1000);
	stmt_blob(st, 6, nonce, sizeof nonce);
	stmt_int(st, 7, row);
	return stmt_run(st);
}

static int place_batches(struct store *db)
{
	for (int64_t batch = 0, k = 0; batch < BATCHES; batch++) {
		int r = store_begin(db);
		for (int i = 0; i < BATCH_BETS && r == 0; i++)
			r = place(db, k++);
		if (r == 0)
			r = store_commit(db);
		if (r != 0)
			return r < 0 ? err_trace(r) : err_say(-EIO, "statements: result %d", r);
		r = store_checkpoint(db, CHECKPOINT_PAGES);
		if (r < 0)
			return err_trace(r);
	}
	return 0;
}

static int floor_statements(const char *dir, double *ret_us)
{
	struct week *w;
	int r = week_open(&w, dir, STORE_WRITE, NOW_MS);
	if (r != 0)
		return r < 0 ? err_trace(r) : err_say(-EIO, "%s: result %d", dir, r);
	struct store *db = week_store(w);
	(void) store_checkpointer(db);
	r = make_users(db);
	int64_t from = clk_thread_cpu_us();
	if (r == 0)
		r = place_batches(db);
	*ret_us = (double) (clk_thread_cpu_us() - from) / (BATCHES * BATCH_BETS);
	(void) week_close(w);
	return r == 0 ? 0 : r < 0 ? err_trace(r) : err_say(-EIO, "users: result %d", r);
}

/* ---- all of them ---- */

struct floors {
	double recover, json, post, redis_client, redis, statements;
};

static int measure(struct floors *f, const char *dir, const char *redis, struct procs *redis_pid)
{
	int r = sig_init();
	if (r == 0)
		r = floor_recover(&f->recover);
	if (r == 0)
		r = floor_json(&f->json);
	if (r == 0)
		r = floor_post(&f->post);
	if (r == 0)
		r = floor_redis(redis, redis_pid, &f->redis_client, &f->redis);
	if (r == 0)
		r = floor_statements(dir, &f->statements);
	return r;
}

int main(int argc, char **argv)
{
	static const struct option names[] = {
		{ "dir", required_argument, NULL, 'd' }, { "redis", required_argument, NULL, 'r' },
		{ "redis-pid", required_argument, NULL, 'p' }, { 0 },
	};
	const char *dir = NULL, *redis = NULL;
	struct procs pid = { 0 };
	struct floors f = { 0 };
	bool good = true;
	int c;
	while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
		if (c == 'd')
			dir = optarg;
		else if (c == 'r')
			redis = optarg;
		else
			good = good && c == 'p' && procs_add(&pid, optarg) == 0;
	}
	if (!good || !dir || !redis || pid.n != 1) {
		(void) fputs("bench-floors --dir EMPTY_FOLDER --redis unix:/path --redis-pid redis=PID\n", stderr);
		return 64;
	}
	int r = measure(&f, dir, redis, &pid);
	if (r < 0) {
		(void) fprintf(stderr, "bench-floors: %s: %s\n", err_text(), strerror(-r));
		return 1;
	}
	(void) printf("{\"recover\":%.1f,\"json\":%.1f,\"null_post\":%.1f,\"redis_client\":%.1f,\"redis_server\":%.1f,"
			"\"statements\":%.1f,\"sum\":%.1f}\n", f.recover, f.json, f.post, f.redis_client, f.redis, f.statements,
			f.recover + f.json + f.post + f.redis_client + f.redis + f.statements);
	return 0;
}
