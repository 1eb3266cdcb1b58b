/* redis_server.h - a real redis-server of the test's own: on a unix socket in a fresh folder, without persistence unless asked for,
 * stopped and removed at the end. For tests only. */
#ifndef TAP_TEST_REDIS_SERVER_H
#define TAP_TEST_REDIS_SERVER_H

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clk.h"
#include "folder.h"

struct redis_server {
	char dir[64];
	char socket[96];
	char address[104]; /* as TAP_REDIS wants it */
	bool durable;         /* set before redis_server_start: an append-only file, synced each second, as conf/redis.conf.in has it */
	const char *password; /* set before redis_server_start: asked of every client; NULL: none */
	pid_t pid;
};

static inline void redis_server_sleep_ms(int ms)
{
	(void) clk_sleep_until_ms(clk_mono_ms() + ms);
}

static inline bool redis_server_answers(const struct redis_server *s)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	char reply[8] = "";
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	(void) snprintf(at.sun_path, sizeof at.sun_path, "%s", s->socket);
	bool up = fd >= 0 && connect(fd, (struct sockaddr *) &at, sizeof at) == 0 && write(fd, "PING\r\n", 6) == 6 &&
		  read(fd, reply, sizeof reply - 1) >= 5 &&
		  strncmp(reply, s->password ? "-NOAU" : "+PONG", 5) == 0;
	if (fd >= 0)
		(void) close(fd);
	return up;
}

/* Starts (again, after redis_server_kill) and waits until it answers, at most 10 s. */
static inline bool redis_server_run(struct redis_server *s)
{
	s->pid = fork();
	if (s->pid == 0) {
		(void) prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void) execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", s->socket, "--dir", s->dir, "--save", "",
				"--appendonly", s->durable ? "yes" : "no", "--appendfsync", "everysec", "--logfile", "redis.log", "--requirepass", s->password ? s->password : "",
				(char *) NULL);
		_exit(127);
	}
	for (int i = 0; s->pid > 0 && i < 1000; i++) {
		if (redis_server_answers(s))
			return true;
		redis_server_sleep_ms(10);
	}
	return false;
}

static inline bool redis_server_start(struct redis_server *s)
{
	(void) snprintf(s->dir, sizeof s->dir, "/tmp/tap-redis-XXXXXX");
	if (!mkdtemp(s->dir))
		return false;
	(void) snprintf(s->socket, sizeof s->socket, "%s/redis.sock", s->dir);
	(void) snprintf(s->address, sizeof s->address, "unix:%s", s->socket);
	return redis_server_run(s);
}

/* All data is gone with it, unless it is durable. */
static inline void redis_server_kill(struct redis_server *s)
{
	if (s->pid > 0) {
		(void) kill(s->pid, SIGKILL);
		(void) waitpid(s->pid, NULL, 0);
	}
	s->pid = 0;
	(void) unlink(s->socket);
}

static inline void redis_server_stop(struct redis_server *s)
{
	redis_server_kill(s);
	(void) folder_remove(s->dir);
}

#endif
