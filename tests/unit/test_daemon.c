/* daemon: options, exit codes, and what the supervisor is told in a whole life. Each daemon is a child of the test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clk.h"
#include "daemon.h"
#include "err.h"
#include "http_client.h"
#include "log.h"

static char folder[] = "/tmp/tap-daemon-XXXXXX";
static char notify_path[64], out_path[64];
static int notify_fd = -1;
static int journal_fd = -1; /* >= 0: the next daemon finds a journal behind it */

enum { NO_NAMESPACE = 98 };

static bool enter_journal_world(void);

static bool fail_start, fail_turn, is_alive = true, in_turn;

static int start(const struct settings *s)
{
	if (!*s->data_dir.v || !daemon_bus()->address)
		return err_say(-EINVAL, "no settings");
	daemon_status("hello %d", 1);
	return fail_start ? err_say(-EIO, "the part is broken") : 0;
}

static int turn(void)
{
	(void) clk_sleep_until_ms(clk_mono_ms() + 10);
	return fail_turn ? err_say(-EIO, "the turn is broken") : 0;
}

static void stop(void)
{
	log_info("the daemon's own stop, stopping=%d", daemon_stopping());
}

static bool alive(void)
{
	return is_alive;
}

static void health(struct ops_health *h, void *u)
{
	(void) u;
	ops_check(h, "redis", HEALTH_DEGRADED);
}

/* Runs the daemon in a child, its output in out_path. `env` is a NULL-terminated list of NAME=VALUE. */
static pid_t run(const char *const *args, const char *const *env)
{
	char *argv[8] = { "tap-trading-ingest" };
	int argc = 1;
	for (; args && *args; args++)
		argv[argc++] = (char *) (uintptr_t) *args;
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid > 0)
		return pid;
	int fd = open(out_path, O_CREAT | O_TRUNC | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
	if (dup2(fd, 1) < 0 || dup2(fd, 2) < 0 || clearenv() != 0)
		_exit(99);
	if (journal_fd >= 0 && !enter_journal_world())
		_exit(NO_NAMESPACE);
	for (; env && *env; env++)
		(void) putenv((char *) (uintptr_t) *env);
	const struct daemon_spec spec = { .name = "ingest", .summary = "turns venues into ticks", .who = FOR_INGEST, .start = start,
		.turn = in_turn ? turn : NULL, .stop = stop, .alive = alive, .ops = { .health = health } };
	int code = daemon_main(argc, argv, &spec);
	(void) fflush(NULL);
	_exit(code);
}

static int wait_exit(pid_t pid)
{
	int status;
	for (int i = 0; i < 1000; i++) {
		pid_t r = waitpid(pid, &status, WNOHANG);
		assert_true(r >= 0);
		if (r == pid)
			return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
		(void) clk_sleep_until_ms(clk_mono_ms() + 10);
	}
	(void) kill(pid, SIGKILL);
	(void) waitpid(pid, &status, 0);
	return -1;
}

static const char *output(void)
{
	static char text[65536];
	size_t n = 0;
	FILE *f = fopen(out_path, "re");
	if (f) {
		n = fread(text, 1, sizeof text - 1, f);
		(void) fclose(f);
	}
	text[n] = '\0';
	return text;
}

static void assert_said(const char *what)
{
	if (!strstr(output(), what))
		fail_msg("no \"%s\" in: %s", what, output());
}

/* The next message to the supervisor that begins with what; others are passed over. */
static bool notified(const char *what, int ms)
{
	char text[512];
	int64_t until = clk_mono_ms() + ms;
	struct pollfd p = { .fd = notify_fd, .events = POLLIN };
	for (int64_t left = ms; left > 0; left = until - clk_mono_ms()) {
		if (poll(&p, 1, (int) left) <= 0)
			return false;
		ssize_t n = recv(notify_fd, text, sizeof text - 1, 0);
		if (n > 0 && (size_t) n >= strlen(what) && memcmp(text, what, strlen(what)) == 0)
			return true;
	}
	return false;
}

static void drain(void)
{
	char text[512];
	while (recv(notify_fd, text, sizeof text, MSG_DONTWAIT) > 0)
		;
}

static void options_are_answered(void **state)
{
	(void) state;
	static const char *const version[] = { "--version", NULL }, *const help[] = { "--help", NULL },
		*const check[] = { "--check-config", NULL }, *const unknown[] = { "--verbose", NULL }, *const word[] = { "now", NULL },
		*const s[] = { "-x", NULL };
	assert_int_equal(wait_exit(run(version, NULL)), 0);
	assert_string_equal(output(), "tap-trading-ingest " TAP_RELEASE "\n");
	assert_int_equal(wait_exit(run(help, NULL)), 0);
	assert_said("turns venues into ticks");
	assert_said("TAP_MIN_VENUES");
	assert_said("unit: ms; default: 2000");
	assert_non_null(strstr(strstr(output(), "Keys of the other programs"), "TAP_BET_BURST"));
	assert_int_equal(wait_exit(run(check, NULL)), 0);
	assert_int_equal(wait_exit(run(unknown, NULL)), 64);
	assert_said("--verbose");
	assert_int_equal(wait_exit(run(s, NULL)), 64);
	assert_int_equal(wait_exit(run(word, NULL)), 64);
}

static void wrong_configuration_is_named_key_by_key(void **state)
{
	(void) state;
	static const char *const check[] = { "--check-config", NULL };
	const char *const env[] = { "TAP_TICK_MS=1", "TAP_MIN_VENUE=1", "TAP_LOG_LEVEL=loud", "TAP_REDIS_PASSWORD_FILE=/nowhere/x", NULL };
	for (int i = 0; i < 2; i++) {
		assert_int_equal(wait_exit(run(i ? check : NULL, env)), 78);
		assert_said("TAP_TICK_MS=1: ");
		assert_said("TAP_MIN_VENUE: ");
		assert_said("TAP_LOG_LEVEL=loud: ");
		assert_said("TAP_REDIS_PASSWORD_FILE=/nowhere/x: ");
	}
	const char *const secret[] = { "TAP_REDIS_PASSWORD=x", NULL }; /* never from the environment */
	assert_int_equal(wait_exit(run(check, secret)), 78);
}

static const char *const quiet_env[] = { NULL, "TAP_INGEST_OPS_LISTEN=127.0.0.1:0", NULL };

static void a_life_is_told(void **state)
{
	(void) state;
	char notify[96];
	const char *env[] = { notify, "TAP_INGEST_OPS_LISTEN=127.0.0.1:0", "WATCHDOG_USEC=1000000", NULL };
	(void) snprintf(notify, sizeof notify, "NOTIFY_SOCKET=%s", notify_path);
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP };
	for (int i = 0; i < 3; i++) {
		drain();
		in_turn = i != 0;
		pid_t pid = run(NULL, env);
		assert_true(notified("STATUS=hello 1", 5000));
		assert_true(notified("READY=1", 5000));
		for (int k = 0; k < 3; k++)
			assert_true(notified("WATCHDOG=1", 900)); /* each within the limit, with room */
		assert_int_equal(kill(pid, signals[i]), 0);
		assert_true(notified("STOPPING=1", 2000));
		assert_int_equal(wait_exit(pid), 0);
		assert_said("\"msg\":\"started, version " TAP_RELEASE "\"");
		assert_said("the daemon's own stop, stopping=1");
		assert_said("\"component\":\"ingest\"");
	}
}

static void one_that_hangs_is_not_called_alive(void **state)
{
	(void) state;
	char notify[96];
	const char *env[] = { notify, quiet_env[1], "WATCHDOG_USEC=200000", NULL };
	(void) snprintf(notify, sizeof notify, "NOTIFY_SOCKET=%s", notify_path);
	drain();
	is_alive = false;
	pid_t pid = run(NULL, env);
	is_alive = true;
	assert_true(notified("READY=1", 5000));
	assert_false(notified("WATCHDOG=1", 500));
	assert_int_equal(kill(pid, SIGTERM), 0);
	assert_int_equal(wait_exit(pid), 0);
}

static void failures_have_their_codes(void **state)
{
	(void) state;
	char notify[96];
	const char *env[] = { notify, quiet_env[1], NULL };
	(void) snprintf(notify, sizeof notify, "NOTIFY_SOCKET=%s", notify_path);
	drain();
	fail_start = true;
	assert_int_equal(wait_exit(run(NULL, env)), 69);
	fail_start = false;
	assert_said("the part is broken");
	assert_said("the daemon's own stop");
	assert_false(notified("READY=1", 50));
	in_turn = fail_turn = true;
	assert_int_equal(wait_exit(run(NULL, env)), 70);
	in_turn = fail_turn = false;
	assert_said("the turn is broken");
	const char *taken[] = { "TAP_INGEST_OPS_LISTEN=256.1.1.1:1", NULL };
	assert_int_equal(wait_exit(run(NULL, taken)), 69);
	assert_said("256.1.1.1");
}

/* In a child: a /run of its own with a journal's socket in it, which the test holds. */
static bool enter_journal_world(void)
{
	const struct sockaddr_un at = { .sun_family = AF_UNIX, .sun_path = "/run/systemd/journal/socket" };
	return unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
			mount("tmpfs", "/run", "tmpfs", 0, NULL) == 0 && mkdir("/run/systemd", 0755) == 0 &&
			mkdir("/run/systemd/journal", 0755) == 0 &&
			bind(journal_fd, (const struct sockaddr *) &at, sizeof at) == 0;
}

static void the_journal_gets_fields(void **state)
{
	(void) state;
	struct stat st;
	char stream[96], entry[4096];
	const char *env[] = { stream, quiet_env[1], NULL };
	assert_int_equal(stat(out_path, &st), 0);
	(void) snprintf(stream, sizeof stream, "JOURNAL_STREAM=%llu:%llu", (unsigned long long) st.st_dev,
			(unsigned long long) st.st_ino);
	fail_start = true;
	journal_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	int code = wait_exit(run(NULL, env));
	if (code == NO_NAMESPACE)
		skip();
	assert_int_equal(code, 69);
	assert_string_equal(output(), "");
	ssize_t n = recv(journal_fd, entry, sizeof entry - 1, 0);
	assert_true(n > 0);
	entry[n] = '\0';
	assert_non_null(strstr(entry, "MESSAGE=cannot start: Input/output error: the part is broken\n"));
	assert_non_null(strstr(entry, "PRIORITY=3\n"));
	assert_non_null(strstr(entry, "COMPONENT=ingest\n"));
	(void) snprintf(stream, sizeof stream, "JOURNAL_STREAM=1:1"); /* another stream than ours */
	(void) close(journal_fd);
	journal_fd = -1;
	assert_int_equal(wait_exit(run(NULL, env)), 69);
	fail_start = false;
	assert_said("\"msg\":\"cannot start");
}

/* A listening socket that "systemd" passes by name: the operations port. LISTEN_PID must be the child's. */
static void passed_sockets_are_found_by_name(void **state)
{
	(void) state;
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof at;
	int fd = socket(AF_INET, SOCK_STREAM, 0), status;
	assert_int_equal(bind(fd, (struct sockaddr *) &at, sizeof at), 0);
	assert_int_equal(listen(fd, 16), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *) &at, &n), 0);
	pid_t middle = fork();
	assert_true(middle >= 0);
	if (middle == 0) {
		char mine[32];
		const struct daemon_spec spec = { .name = "ingest", .summary = "x", .who = FOR_INGEST, .start = start,
			.ops = { .health = health } };
		char *argv[] = { "tap-trading-ingest", NULL };
		(void) clearenv();
		(void) snprintf(mine, sizeof mine, "%d", (int) getpid());
		if (dup2(fd, 3) < 0 || setenv("LISTEN_PID", mine, 1) || setenv("LISTEN_FDS", "1", 1) || setenv("LISTEN_FDNAMES", "ops", 1) ||
				freopen(out_path, "we", stderr) == NULL)
			_exit(99);
		_exit(daemon_main(1, argv, &spec));
	}
	struct answer *a = client_ask(ntohs(at.sin_port), "GET /health HTTP/1.1\r\nHost: x\r\n\r\n");
	for (int i = 0; i < 100 && a->status == 503; i++) /* still starting */
		a = client_ask(ntohs(at.sin_port), "GET /health HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_string_equal(a->body, "{\"status\":\"degraded\",\"checks\":{\"redis\":{\"status\":\"degraded\"}}}");
	assert_int_equal(client_ask(ntohs(at.sin_port), "GET /ready HTTP/1.1\r\nHost: x\r\n\r\n")->status, 200);
	assert_int_equal(kill(middle, SIGTERM), 0);
	assert_int_equal(waitpid(middle, &status, 0), middle);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	(void) close(fd);
}

static int up(void **state)
{
	(void) state;
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	if (!mkdtemp(folder))
		return -1;
	(void) snprintf(notify_path, sizeof notify_path, "%s/notify", folder);
	(void) snprintf(out_path, sizeof out_path, "%s/out", folder);
	(void) snprintf(at.sun_path, sizeof at.sun_path, "%s", notify_path);
	notify_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return bind(notify_fd, (struct sockaddr *) &at, sizeof at);
}

static int down(void **state)
{
	(void) state;
	(void) close(notify_fd);
	(void) unlink(notify_path);
	(void) unlink(out_path);
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_are_answered),
		cmocka_unit_test(wrong_configuration_is_named_key_by_key),
		cmocka_unit_test(a_life_is_told),
		cmocka_unit_test(one_that_hangs_is_not_called_alive),
		cmocka_unit_test(failures_have_their_codes),
		cmocka_unit_test(the_journal_gets_fields),
		cmocka_unit_test(passed_sockets_are_found_by_name),
	};
	return cmocka_run_group_tests_name("daemon", tests, up, down);
}
