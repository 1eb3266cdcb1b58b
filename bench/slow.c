/* bench-slow - clients that send a byte a second: half of them their header block, half their body. Who is cut off comes
 * again. As many as the plan says at each moment; JSON on stdout. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clk.h"
#include "err.h"
#include "http.h"
#include "plan.h"

enum { CLIENTS_MAX = HTTP_CONNECTIONS_MAX, TURN_MS = 20, BYTE_MS = 1000 };

static const char head[] = "POST /api/v1/bets HTTP/1.1\r\nHost: bench\r\nX-Slow: ";
static const char whole_head[] = "POST /api/v1/bets HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
	"Content-Length: 500\r\n\r\n";

struct client {
	int fd;           /* -1: none */
	int64_t next_ms;  /* when its next byte is due */
	size_t sent;
};

struct crowd {
	struct http_conf conf;
	struct sockaddr_in to;
	struct client clients[CLIENTS_MAX];
	uint64_t opened, cut, bytes;
};

static void client_down(struct client *c)
{
	if (c->fd >= 0)
		(void) close(c->fd);
	c->fd = -1;
}

static void client_up(struct crowd *w, size_t i, int64_t now_ms)
{
	struct client *c = &w->clients[i];
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	c->sent = 0;
	c->next_ms = now_ms + 1 + (int64_t) (i * 7919 % BYTE_MS); /* not all in one moment */
	if (c->fd < 0)
		return;
	bool up = http_bind(c->fd, &w->conf, i) == 0 &&
		(connect(c->fd, (const struct sockaddr *) &w->to, sizeof w->to) == 0 || errno == EINPROGRESS);
	if (up)
		w->opened++;
	else
		client_down(c);
}

/* The first time one whose body is slow says its header block. */
static void say(struct crowd *w, size_t i)
{
	struct client *c = &w->clients[i];
	bool body = i % 2;
	const char *text = body ? (c->sent ? "x" : whole_head) : c->sent < sizeof head - 1 ? head + c->sent : "a";
	size_t n = body && !c->sent ? sizeof whole_head - 1 : 1;
	ssize_t r = send(c->fd, text, n, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (r == (ssize_t) n) {
		c->sent++;
		w->bytes += n;
	} else if (!(r < 0 && errno == EAGAIN)) {
		w->cut++;
		client_down(c);
	}
}

static bool closed(int fd)
{
	char text[1024];
	ssize_t n = recv(fd, text, sizeof text, MSG_DONTWAIT);
	return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

static void turn(struct crowd *w, size_t wanted, int64_t now_ms)
{
	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		struct client *c = &w->clients[i];
		if (i >= wanted) {
			client_down(c);
			continue;
		}
		if (c->fd < 0)
			client_up(w, i, now_ms);
		if (c->fd < 0 || now_ms < c->next_ms)
			continue;
		c->next_ms += BYTE_MS;
		if (closed(c->fd)) {
			w->cut++;
			client_down(c);
		} else {
			say(w, i);
		}
	}
}

static const char usage[] =
	"bench-slow --to HOST:PORT --plan NAME:CLIENTS:SECONDS,... [--start-at MS] [--from ADDRESS [--spread N]]\n";

int main(int argc, char **argv)
{
	static const struct option names[] = {
		{ "to", required_argument, NULL, 'o' }, { "plan", required_argument, NULL, 'l' },
		{ "start-at", required_argument, NULL, 'b' }, { "from", required_argument, NULL, 'f' },
		{ "spread", required_argument, NULL, 's' }, { 0 },
	};
	static struct crowd w;
	static struct plan plan;
	int64_t start_ms = clk_now_ms();
	bool good = true;
	int c;
	while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
		if (c == 'o')
			good = good && http_parse_to(&w.to, optarg) == 0;
		else if (c == 'l')
			good = good && plan_parse(&plan, optarg) == 0;
		else if (c == 'b')
			start_ms = strtoll(optarg, NULL, 10);
		else if (c == 'f')
			w.conf.from = optarg;
		else if (c == 's')
			w.conf.spread = strtoul(optarg, NULL, 10);
		else
			good = false;
	}
	if (!good || plan.n == 0 || w.to.sin_port == 0) {
		(void) fprintf(stderr, "%s\n%s", err_text(), usage);
		return 64;
	}
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		w.clients[i].fd = -1;
	const struct plan_part *part;
	int64_t now_ms;
	while ((part = plan_part_at(&plan, ((now_ms = clk_now_ms()) - start_ms) * 1000))) {
		turn(&w, now_ms < start_ms ? 0 : part->rate < CLIENTS_MAX ? (size_t) part->rate : CLIENTS_MAX, clk_mono_ms());
		(void) poll(NULL, 0, TURN_MS);
	}
	(void) printf("{\"connections\":%" PRIu64 ",\"cut\":%" PRIu64 ",\"bytes\":%" PRIu64 "}\n", w.opened, w.cut, w.bytes);
	return 0;
}
