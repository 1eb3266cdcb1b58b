#include "control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "clk.h"
#include "err.h"

enum { CLIENTS_MAX = 4, LINE_SIZE = 256, PATIENCE_MS = 10000 };

struct client {
	int fd; /* -1: free */
	size_t n;
	int64_t since_ms;
	char line[LINE_SIZE];
};

struct control {
	int fd;
	struct sockaddr_un at;
	struct client clients[CLIENTS_MAX];
};

static void remove_stale(const char *path)
{
	struct stat st;
	if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
		(void) unlink(path);
}

int control_open(struct control **ret, const char *path)
{
	struct control *c = calloc(1, sizeof *c);
	if (!c)
		return -ENOMEM;
	for (int i = 0; i < CLIENTS_MAX; i++)
		c->clients[i].fd = -1;
	c->at.sun_family = AF_UNIX;
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (c->fd < 0 || strlen(path) >= sizeof c->at.sun_path) {
		(void) control_close(c);
		return err_say(-ENAMETOOLONG, "control socket %s cannot be made", path);
	}
	memcpy(c->at.sun_path, path, strlen(path) + 1);
	remove_stale(path);
	if (bind(c->fd, (struct sockaddr *) &c->at, sizeof c->at) < 0 || listen(c->fd, CLIENTS_MAX) < 0) {
		int r = err_say(-errno, "control socket %s cannot be made", path);
		c->at.sun_path[0] = '\0'; /* not ours to remove */
		(void) control_close(c);
		return r;
	}
	*ret = c;
	return 0;
}

static void drop_client(struct client *client)
{
	(void) close(client->fd);
	client->fd = -1;
	client->n = 0;
}

struct control *control_close(struct control *c)
{
	if (!c)
		return NULL;
	for (int i = 0; i < CLIENTS_MAX; i++)
		if (c->clients[i].fd >= 0)
			drop_client(&c->clients[i]);
	if (c->fd >= 0) {
		(void) close(c->fd);
		if (c->at.sun_path[0])
			(void) unlink(c->at.sun_path);
	}
	free(c);
	return NULL;
}

static void take_client(struct control *c)
{
	for (int i = 0; i < CLIENTS_MAX; i++) {
		struct client *client = &c->clients[i];
		if (client->fd >= 0)
			continue;
		client->fd = accept4(c->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		client->since_ms = clk_mono_ms();
		return;
	}
}

/* False when the client is gone. */
static bool answer_lines(struct client *client, struct mischief *m)
{
	char *end;
	while ((end = memchr(client->line, '\n', client->n))) {
		char answer[MISCHIEF_ANSWER_MAX + 1];
		*end = '\0';
		(void) mischief_command(m, client->line, clk_mono_ms(), answer);
		size_t n = strlen(answer), used = (size_t) (end + 1 - client->line);
		answer[n] = '\n';
		if (send(client->fd, answer, n + 1, MSG_NOSIGNAL) != (ssize_t) n + 1)
			return false;
		memmove(client->line, end + 1, client->n - used);
		client->n -= used;
	}
	return client->n < sizeof client->line;
}

void control_poll(struct control *c, struct mischief *m)
{
	take_client(c);
	for (int i = 0; i < CLIENTS_MAX; i++) {
		struct client *client = &c->clients[i];
		if (client->fd < 0)
			continue;
		ssize_t got = read(client->fd, client->line + client->n, sizeof client->line - client->n);
		if (got > 0) {
			client->n += (size_t) got;
			client->since_ms = clk_mono_ms();
			if (answer_lines(client, m))
				continue;
		} else if (got < 0 && errno == EAGAIN && clk_mono_ms() - client->since_ms < PATIENCE_MS) {
			continue;
		}
		drop_client(client);
	}
}
