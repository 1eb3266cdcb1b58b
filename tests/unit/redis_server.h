/* redis_server.h - a private redis-server for one test program: on a unix socket in a folder of its own, without a port and
 * without a file. Header only; include it after cmocka.h. Every wait is bounded. */
#ifndef TAP_TEST_REDIS_SERVER_H
#define TAP_TEST_REDIS_SERVER_H

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clk.h"

struct redis_server {
	char dir[32];
	char socket[64];  /* the path alone */
	char address[80]; /* unix:<path> */
	pid_t pid;
};

static inline void redis_server_sleep_ms(int ms)
{
	(void) clk_sleep_until_ms(clk_mono_ms() + ms);
}

static inline void redis_server_await(const struct redis_server *s)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	(void) snprintf(un.sun_path, sizeof un.sun_path, "%s", s->socket);
	for (int64_t until = clk_mono_ms() + 10000; clk_mono_ms() < until; redis_server_sleep_ms(5)) {
		int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		int r = connect(fd, (struct sockaddr *) &un, sizeof un);
		(void) close(fd);
		if (r == 0)
			return;
	}
	fail_msg("redis-server did not come up");
}

/* password NULL: none. Also starts it again after redis_server_kill. */
static inline void redis_server_run(struct redis_server *s, const char *password)
{
	s->pid = fork();
	assert_true(s->pid >= 0);
	if (s->pid == 0) {
		(void) prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void) !freopen("/dev/null", "w", stdout);
		(void) execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", s->socket, "--dir", s->dir,
				"--save", "", "--appendonly", "no", "--requirepass", password ? password : "", (char *) NULL);
		_exit(127);
	}
	redis_server_await(s);
}

static inline void redis_server_start(struct redis_server *s, const char *password)
{
	(void) strcpy(s->dir, "/tmp/tap-redis-XXXXXX");
	assert_non_null(mkdtemp(s->dir));
	(void) snprintf(s->socket, sizeof s->socket, "%s/redis.sock", s->dir);
	(void) snprintf(s->address, sizeof s->address, "unix:%s", s->socket);
	redis_server_run(s, password);
}

/* All data is gone with it. */
static inline void redis_server_kill(struct redis_server *s)
{
	if (s->pid <= 0)
		return;
	(void) kill(s->pid, SIGKILL);
	(void) waitpid(s->pid, NULL, 0);
	(void) unlink(s->socket);
	s->pid = 0;
}

static inline void redis_server_stop(struct redis_server *s)
{
	redis_server_kill(s);
	(void) rmdir(s->dir);
}

#endif
