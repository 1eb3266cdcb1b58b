#include "swarm.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "buf.h"
#include "clk.h"
#include "err.h"
#include "rnd.h"

enum {
	IN_MAX = 1 << 18,
	EVENTS_A_TURN = 512,
	CONNECTS_A_TURN = 200,
	OPEN_MS = 20000,       /* a handshake may take as long in a crowd */
	RETRY_MS = 250,
	RUBBISH_MS = 70        /* 14 frames a second: under the limit, so that it is the frames that are judged */
};

static void link_drop(struct swarm *s, struct link *l, int64_t again_ms)
{
	if (l->fd >= 0) {
		(void) close(l->fd);
		if (l->state == LINK_OPEN) {
			s->up--;
			s->sums.lost++;
			s->sums.readers_lost += l->kind == LINK_READER;
		} else
			s->sums.refused++;
	}
	free(l->kept);
	l->kept = NULL;
	l->n_kept = 0;
	l->fd = -1;
	l->state = LINK_DOWN;
	l->is_in = l->has_price = false;
	l->try_at_ms = clk_mono_ms() + again_ms;
}

static int64_t retry_ms(void)
{
	return RETRY_MS / 2 + rnd_below(RETRY_MS / 2);
}

static int link_connect(struct swarm *s, size_t i)
{
	struct link *l = &s->links[i];
	int on = 1, small = 16384;
	struct sockaddr_in from = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + (uint32_t) (i % SWARM_ADDRESSES)) };
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(s->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	l->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (l->fd < 0)
		return err_say(-errno, "socket %zu: %s (raise the limit of open files)", i, strerror(errno));
	(void) setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	(void) setsockopt(l->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
	if (l->kind == LINK_STALLED)
		(void) setsockopt(l->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
	l->state = LINK_CONNECTING;
	l->since_ms = clk_mono_ms();
	struct epoll_event e = { .events = EPOLLOUT, .data.u64 = i };
	if (bind(l->fd, (const struct sockaddr *) &from, sizeof from) < 0 ||
			(connect(l->fd, (const struct sockaddr *) &to, sizeof to) < 0 && errno != EINPROGRESS) ||
			epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, l->fd, &e) < 0)
		link_drop(s, l, retry_ms());
	return 0;
}

/* --- what links say --- */

static void say(struct link *l, const void *bytes, size_t n)
{
	ssize_t sent = send(l->fd, bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT);
	(void) sent; /* what does not fit in an empty socket buffer was rubbish */
}

static void say_text(struct link *l, const char *text)
{
	static const uint8_t mask[4] = { 9, 8, 7, 6 };
	uint8_t frame[256] = { 0x81 };
	size_t n = strlen(text);
	frame[1] = (uint8_t) (0x80 | n);
	memcpy(frame + 2, mask, sizeof mask);
	for (size_t i = 0; i < n && i < 125; i++)
		frame[6 + i] = (uint8_t) text[i] ^ mask[i % 4];
	say(l, frame, n + 6);
}

static void say_hello(struct swarm *s, struct link *l)
{
	static const char head[] = "GET /ws HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
	struct epoll_event e = { .events = EPOLLIN, .data.u64 = (uint64_t) (l - s->links) };
	(void) epoll_ctl(s->epoll_fd, EPOLL_CTL_MOD, l->fd, &e);
	l->state = LINK_HEAD;
	say(l, head, sizeof head - 1);
}

static void sign_in(struct link *l)
{
	char text[128];
	(void) snprintf(text, sizeof text, "{\"type\":\"auth\",\"token\":\"%s\"}", l->player->token);
	say_text(l, text);
}

/* By turns: texts that are no commands, bytes that are no frames, a frame beyond every limit, a head that does not end. */
static void say_rubbish(struct swarm *s, struct link *l)
{
	uint8_t noise[512];
	rnd_bytes(noise, sizeof noise);
	switch ((l - s->links) % 4) {
	case 0:
		say_text(l, noise[0] & 1 ? "{\"type\":\"auth\",\"token\":\"none\"}" : "{\"type\":");
		break;
	case 1:
		say(l, noise, sizeof noise);
		break;
	case 2:
		say(l, "\x81\xff\x00\x00\x00\x00\x40\x00\x00\x00\x01\x02\x03\x04", 14);
		break;
	default:
		if (l->state == LINK_OPEN) /* hangs up without a word, so that heads are sent again and again */
			link_drop(s, l, 0);
	}
}

/* --- what links hear --- */

static int64_t number_after(const char *text, size_t n, const char *name)
{
	const char *at = memmem(text, n, name, strlen(name));
	return at ? strtoll(at + strlen(name), NULL, 10) : -1;
}

static void on_price(struct swarm *s, struct link *l, int64_t t_ms, int64_t now_ms)
{
	int64_t age = now_ms - t_ms;
	if (l->kind != LINK_READER)
		return;
	age = age < 0 ? 0 : age > AGES_MAX ? AGES_MAX : age;
	s->sums.prices++;
	s->sums.stale[age]++;
	if (l->price_t_ms && t_ms - l->price_t_ms > s->tick_ms * 3 / 2)
		s->sums.skipped += (uint64_t) ((t_ms - l->price_t_ms) / s->tick_ms - 1);
	l->price_t_ms = t_ms;
	l->prices++;
	l->old += age > OLD_MS;
}

static void on_own(struct swarm *s, struct link *l, const char *text, size_t n)
{
	int64_t seq = number_after(text, n, "\"seq\":");
	if (seq < 0)
		return;
	if (memmem(text, n > 18 ? 18 : n, "auth:ok", 7)) {
		l->is_in = true;
		l->first_seq = l->is_new ? seq : l->first_seq;
		s->sums.doubles += !l->is_new && seq < l->seq;
		l->is_new = false;
	} else {
		s->sums.own++;
		s->sums.doubles += seq <= l->seq;
		s->sums.gaps += seq > l->seq + 1;
	}
	l->seq = seq > l->seq ? seq : l->seq;
}

static bool begins(const char *text, size_t n, const char *with)
{
	return n >= strlen(with) && memcmp(text, with, strlen(with)) == 0;
}

static void on_text(struct swarm *s, struct link *l, const char *text, size_t n, int64_t now_ms)
{
	static const char price[] = "{\"type\":\"price\",\"t\":";
	if (begins(text, n, price))
		on_price(s, l, strtoll(text + sizeof price - 1, NULL, 10), now_ms);
	else if (begins(text, n, "{\"type\":\"grid\""))
		s->sums.grids += l->kind == LINK_READER;
	else if (begins(text, n, "{\"type\":\"hello\"")) {
		if (l->player && l->kind != LINK_RUBBISH)
			sign_in(l);
	} else if (!begins(text, n, "{\"type\":\"system"))
		on_own(s, l, text, n);
	l->has_price = l->has_price || begins(text, n, price);
	l->is_back = l->is_back || (l->has_price && (l->is_in || !l->player));
}

static void keep_take(struct swarm *s, const char *frame, size_t n)
{
	struct takes *t = s->takes;
	if (t->n == t->cap) {
		size_t cap = t->cap ? 2 * t->cap : 1024;
		struct take *v = realloc(t->v, cap * sizeof *v);
		if (!v)
			return;
		t->v = v;
		t->cap = cap;
	}
	char *copy = malloc(n);
	if (!copy)
		return;
	memcpy(copy, frame, n);
	t->v[t->n++] = (struct take){ .at_us = clk_mono_us(), .n = n, .bytes = copy };
}

/* The length of the whole frame at p, 0 when it is not all there. */
static size_t frame_at(const char *p, size_t n, size_t *ret_head)
{
	const uint8_t *b = (const uint8_t *) p;
	size_t len = n >= 2 ? b[1] & 127u : 0, head = 2;
	if (n < 2)
		return 0;
	if (len == 126) {
		if (n < 4)
			return 0;
		len = (size_t) b[2] << 8 | b[3];
		head = 4;
	} else if (len == 127) {
		if (n < 10)
			return 0;
		len = (size_t) be64_get(b + 2);
		head = 10;
	}
	*ret_head = head;
	return n >= head + len ? head + len : 0;
}

/* Takes the frames off the front; how many bytes that were. */
static size_t take_frames(struct swarm *s, struct link *l, const char *p, size_t n)
{
	size_t at = 0, head = 0;
	int64_t now_ms = clk_now_ms();
	for (size_t len; (len = frame_at(p + at, n - at, &head)); at += len) {
		unsigned opcode = (uint8_t) p[at];
		s->sums.frames++;
		s->sums.bytes += len;
		if (s->takes && l == s->links)
			keep_take(s, p + at, len);
		if (opcode == 0x81)
			on_text(s, l, p + at + head, len - head, now_ms);
		else if (opcode == 0x89 && l->kind != LINK_RUBBISH) {
			static const uint8_t pong[6] = { 0x8a, 0x80 };
			say(l, pong, sizeof pong);
		} else if (opcode != 0x88 && opcode != 0x8a && opcode != 0x89)
			s->sums.wrong++;
	}
	return at;
}

static size_t take_head(struct swarm *s, struct link *l, const char *p, size_t n)
{
	const char *end = memmem(p, n, "\r\n\r\n", 4);
	if (!end)
		return 0;
	if (!begins(p, n, "HTTP/1.1 101")) {
		link_drop(s, l, retry_ms());
		return n;
	}
	l->state = LINK_OPEN;
	s->up++;
	return (size_t) (end - p) + 4;
}

static void on_readable(struct swarm *s, struct link *l)
{
	size_t n = l->n_kept, at = 0;
	if (n)
		memcpy(s->in, l->kept, n);
	ssize_t got = recv(l->fd, s->in + n, IN_MAX - n, MSG_DONTWAIT);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0) {
		link_drop(s, l, retry_ms());
		return;
	}
	n += (size_t) got;
	if (l->state == LINK_HEAD)
		at = take_head(s, l, s->in, n);
	if (l->state == LINK_OPEN)
		at += take_frames(s, l, s->in + at, n - at);
	if (l->state == LINK_DOWN)
		return;
	free(l->kept);
	l->n_kept = n - at;
	l->kept = l->n_kept ? malloc(l->n_kept) : NULL;
	if (l->kept)
		memcpy(l->kept, s->in + at, l->n_kept);
	else if (l->n_kept)
		link_drop(s, l, retry_ms());
}

static void on_event(struct swarm *s, struct link *l, uint32_t events)
{
	if (l->fd < 0)
		return;
	if (l->state != LINK_CONNECTING) {
		if (l->kind != LINK_STALLED || l->state == LINK_HEAD || !l->is_in)
			on_readable(s, l);
		if (l->kind == LINK_STALLED && l->is_in && l->fd >= 0) {
			struct epoll_event none = { .data.u64 = (uint64_t) (l - s->links) };
			(void) epoll_ctl(s->epoll_fd, EPOLL_CTL_MOD, l->fd, &none);
			if (events & (EPOLLHUP | EPOLLERR))
				link_drop(s, l, retry_ms());
		}
		return;
	}
	if (events & (EPOLLERR | EPOLLHUP))
		link_drop(s, l, retry_ms());
	else
		say_hello(s, l);
}

/* --- the loop --- */

static int start_links(struct swarm *s)
{
	int64_t now_ms = clk_mono_ms();
	int started = 0;
	for (size_t i = 0; i < s->n; i++) {
		struct link *l = &s->links[i];
		if (l->state == LINK_DOWN && now_ms >= l->try_at_ms && started < CONNECTS_A_TURN) {
			int r = link_connect(s, i);
			if (r < 0)
				return r;
			started++;
		} else if ((l->state == LINK_CONNECTING || l->state == LINK_HEAD) && now_ms - l->since_ms > OPEN_MS)
			link_drop(s, l, retry_ms());
	}
	if (now_ms < s->rubbish_at_ms)
		return 0;
	s->rubbish_at_ms = now_ms + RUBBISH_MS;
	for (size_t i = 0; i < s->n; i++)
		if (s->links[i].kind == LINK_RUBBISH && s->links[i].state == LINK_OPEN)
			say_rubbish(s, &s->links[i]);
	return 0;
}

int swarm_turn(struct swarm *s, int wait_ms)
{
	struct epoll_event events[EVENTS_A_TURN];
	int r = start_links(s);
	if (r < 0)
		return r;
	int n = epoll_wait(s->epoll_fd, events, EVENTS_A_TURN, wait_ms);
	if (n < 0 && errno != EINTR)
		return err_say(-errno, "epoll_wait: %s", strerror(errno));
	for (int i = 0; i < n; i++)
		on_event(s, &s->links[events[i].data.u64], events[i].events);
	return 0;
}

int swarm_watch(struct swarm *s, int64_t ms)
{
	int r = 0;
	for (int64_t until = clk_mono_ms() + ms; r == 0 && clk_mono_ms() < until;)
		r = swarm_turn(s, 10);
	return r;
}

void swarm_mark(struct swarm *s)
{
	memset(&s->sums, 0, sizeof s->sums);
	for (size_t i = 0; i < s->n; i++) {
		struct link *l = &s->links[i];
		l->prices = l->old = 0;
		l->is_back = false;
	}
}

void swarm_become(struct swarm *s, size_t i, enum link_kind kind)
{
	struct link *l = &s->links[i];
	l->kind = kind;
	link_drop(s, l, 0); /* its socket's sizes, and what it says first, are another kind's */
}

int swarm_open(struct swarm *s, const char *address, size_t n, const struct player *players)
{
	const char *colon = strrchr(address, ':');
	long port = colon ? strtol(colon + 1, NULL, 10) : 0;
	if (port < 1 || port > 65535 || n < 1 || n > SWARM_MAX)
		return err_say(-EINVAL, "%s, %zu connections: must be 127.0.0.1:PORT and 1 to %d", address, n, SWARM_MAX);
	*s = (struct swarm){ .n = n, .port = (uint16_t) port, .tick_ms = 100 };
	s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	s->links = calloc(n, sizeof *s->links);
	s->in = malloc(IN_MAX);
	if (s->epoll_fd < 0 || !s->links || !s->in) {
		swarm_close(s);
		return err_say(-ENOMEM, "no memory for %zu connections", n);
	}
	for (size_t i = 0; i < n; i++)
		s->links[i] = (struct link){ .fd = -1, .is_new = true, .player = players ? &players[i] : NULL };
	return 0;
}

void swarm_close(struct swarm *s)
{
	for (size_t i = 0; s->links && i < s->n; i++) {
		if (s->links[i].fd >= 0)
			(void) close(s->links[i].fd);
		free(s->links[i].kept);
	}
	if (s->epoll_fd >= 0)
		(void) close(s->epoll_fd);
	free(s->links);
	free(s->in);
	*s = (struct swarm){ .epoll_fd = -1 };
}

/* --- sums --- */

size_t swarm_readers(const struct swarm *s)
{
	size_t n = 0;
	for (size_t i = 0; i < s->n; i++)
		n += s->links[i].kind == LINK_READER;
	return n;
}

size_t swarm_back(const struct swarm *s)
{
	size_t n = 0;
	for (size_t i = 0; i < s->n; i++)
		n += s->links[i].kind == LINK_READER && s->links[i].is_back && s->links[i].state == LINK_OPEN;
	return n;
}

size_t swarm_late_readers(const struct swarm *s)
{
	size_t n = 0;
	for (size_t i = 0; i < s->n; i++) {
		const struct link *l = &s->links[i];
		n += l->kind == LINK_READER && (l->prices == 0 || l->old * 100 > l->prices);
	}
	return n;
}

int64_t swarm_age(const struct swarm_sums *sums, double q)
{
	uint64_t want = (uint64_t) ((double) sums->prices * q), seen = 0;
	for (int64_t age = 0; age <= AGES_MAX; age++) {
		seen += sums->stale[age];
		if (seen > want || (seen && seen == sums->prices))
			return age;
	}
	return AGES_MAX;
}

void takes_free(struct takes *t)
{
	for (size_t i = 0; i < t->n; i++)
		free(t->v[i].bytes);
	free(t->v);
	*t = (struct takes){ 0 };
}
