/* wss as the real venues speak it: the connection core over TLS, with nginx in front of the venue replay and a certificate authority of
 * the test's own. Who is not certified by an authority that is trusted, for the name that was asked for, is never heard. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "../support/ingest_world.h"
#include "link.h"

static struct {
	char dir[64];
	uint16_t good, other_name, other_ca;
	pid_t nginx;
} tls;

/* An authority, a certificate of it for localhost, one for another name, and one for localhost that a stranger signed. */
static const char certificates[] =
	"set -e; cd %s\n"
	"authority() { openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj \"/CN=$1\" -keyout $1.key"
	" -out $1.pem; }\n"
	"issue() { openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj \"/CN=$2\" -keyout $1.key -out $1.csr\n"
	" printf 'subjectAltName=DNS:%%s\\n' $2 >$1.ext\n"
	" openssl x509 -req -in $1.csr -CA $3.pem -CAkey $3.key -CAcreateserial -days 2 -extfile $1.ext -out $1.pem; }\n"
	"authority ours; authority stranger\n"
	"issue good localhost ours; issue other_name venue.example ours; issue other_ca localhost stranger\n";

static int shell(const char *script)
{
	char path[96];
	(void) snprintf(path, sizeof path, "%s/make.sh", tls.dir);
	FILE *out = fopen(path, "we");
	if (!out || fputs(script, out) < 0 || fclose(out) != 0)
		return -1;
	const char *argv[] = { "sh", path, NULL };
	char log[96];
	(void) snprintf(log, sizeof log, "%s/make.log", tls.dir);
	pid_t pid = child_start(argv, NULL, log);
	int status = -1;
	return pid && waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void write_server(FILE *out, uint16_t port, const char *name)
{
	(void) fprintf(out, "server { listen 127.0.0.1:%u ssl; ssl_certificate %s/%s.pem; ssl_certificate_key %s/%s.key;\n"
			    "location / { proxy_pass http://127.0.0.1:%s; proxy_http_version 1.1; proxy_set_header Upgrade websocket;\n"
			    "proxy_set_header Connection upgrade; } }\n", port, tls.dir, name, tls.dir, name, it.port);
}

static bool start_nginx(void)
{
	char path[96], log[96];
	(void) snprintf(path, sizeof path, "%s/nginx.conf", tls.dir);
	(void) snprintf(log, sizeof log, "%s/nginx.log", tls.dir);
	FILE *out = fopen(path, "we");
	if (!out)
		return false;
	(void) fprintf(out, "daemon off; master_process off; pid %s/nginx.pid; error_log %s; events {}\nhttp { access_log off;\n", tls.dir, log);
	static const char *const temporary[] = { "client_body", "proxy", "fastcgi", "uwsgi", "scgi" };
	for (size_t i = 0; i < ARRAY_LEN(temporary); i++)
		(void) fprintf(out, "%s_temp_path %s/temp_%s;\n", temporary[i], tls.dir, temporary[i]);
	write_server(out, tls.good = free_port(), "good");
	write_server(out, tls.other_name = free_port(), "other_name");
	write_server(out, tls.other_ca = free_port(), "other_ca");
	(void) fprintf(out, "}\n");
	if (fclose(out) != 0)
		return false;
	const char *argv[] = { "nginx", "-e", log, "-c", path, NULL };
	tls.nginx = child_start(argv, NULL, log);
	for (int i = 0; i < 500; i++) {
		struct sockaddr_in at = loopback(tls.other_ca);
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		bool up = connect(fd, (struct sockaddr *) &at, sizeof at) == 0;
		(void) close(fd);
		if (up)
			return true;
		(void) usleep(10000);
	}
	return false;
}

static int start(void **state)
{
	char script[2048];
	(void) state;
	(void) snprintf(it.dir, sizeof it.dir, "/tmp/tap-ingest-XXXXXX");
	(void) snprintf(tls.dir, sizeof tls.dir, "/tmp/tap-tls-XXXXXX");
	if (!mkdtemp(it.dir) || !mkdtemp(tls.dir))
		return -1;
	(void) snprintf(it.log, sizeof it.log, "%s/log", it.dir);
	(void) snprintf(it.control, sizeof it.control, "%s/control", it.dir);
	(void) snprintf(script, sizeof script, certificates, tls.dir);
	return start_replay() && shell(script) == 0 && start_nginx() ? 0 : -1;
}

static int stop(void **state)
{
	(void) state;
	if (tls.nginx)
		(void) child_end(tls.nginx, SIGTERM);
	if (it.replay)
		(void) child_end(it.replay, SIGTERM);
	(void) folder_remove(tls.dir);
	return folder_remove(it.dir);
}

/* Connects with the named authority trusted, until a book came or a connection was lost; the rest is what the link counted. */
static struct link try_venue(const char *authority, const char *host, uint16_t port)
{
	char url[96], path[96];
	struct wsock_loop *loop;
	struct link link;
	(void) snprintf(url, sizeof url, "wss://%s:%u/v2", host, port);
	(void) snprintf(path, sizeof path, "%s/%s.pem", tls.dir, authority);
	assert_int_equal(setenv("SSL_CERT_FILE", path, 1), 0); /* where OpenSSL looks for the system's authorities */
	assert_int_equal(wsock_loop_new(&loop), 0);
	link_init(&link, &venue_kraken, url, loop, 3600000);
	int64_t until = clk_mono_ms() + PATIENCE_MS;
	while (link.bbo.mid_e4 == 0 && link.counts.losses == 0 && clk_mono_ms() < until) {
		link_look(&link, clk_mono_ms());
		assert_int_equal(wsock_turn(loop, 20), 0);
	}
	struct link seen = link;
	link_leave(&link);
	(void) wsock_loop_free(loop);
	return seen;
}

static void a_certified_venue_is_heard(void **state)
{
	(void) state;
	struct link link = try_venue("ours", "localhost", tls.good);
	assert_true(link.bbo.mid_e4 > 0);
	assert_int_equal(link.counts.connects, 1);
	assert_int_equal(link.counts.losses, 0);
}

static void who_is_not_certified_is_never_heard(void **state)
{
	(void) state;
	const struct { const char *authority, *host; uint16_t port; } rows[] = {
		{ "stranger", "localhost", tls.good },   /* we do not trust who signed it */
		{ "ours", "localhost", tls.other_ca },
		{ "ours", "localhost", tls.other_name }, /* it is another's */
		{ "ours", "127.0.0.1", tls.good },       /* a name is certified, not an address */
		{ "ours", "localhost", (uint16_t) strtoul(it.port, NULL, 10) }, /* no TLS at all */
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct link link = try_venue(rows[i].authority, rows[i].host, rows[i].port);
		if (link.counts.connects || link.bbo.counts.messages || link.counts.losses != 1)
			fail_msg("row %zu: %d connects, %d texts, %d losses", i, (int) link.counts.connects,
					(int) link.bbo.counts.messages, (int) link.counts.losses);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_certified_venue_is_heard),
		cmocka_unit_test(who_is_not_certified_is_never_heard),
	};
	return cmocka_run_group_tests_name("ingest_tls", tests, start, stop);
}
