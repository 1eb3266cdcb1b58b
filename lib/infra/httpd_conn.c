#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "clk.h"
#include "httpd_impl.h"

struct conn *conn_of(struct MHD_Connection *mhd)
{
	return MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

void conn_enter(struct conn *c, enum phase phase)
{
	if (c->phase == PHASE_CUT)
		return;
	c->phase = phase;
	c->since_ms = clk_mono_ms();
	c->bytes = 0;
}

static void conn_open(struct loop *l, struct MHD_Connection *mhd, void **ctx)
{
	struct conn *c = calloc(1, sizeof *c);
	*ctx = c;
	if (!c)
		return; /* its first request finds no connection and is dropped */
	c->fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
	c->over = atomic_fetch_add(&l->h->connections, 1) >= HTTPD_CONNECTIONS_MAX;
	conn_enter(c, PHASE_RECEIVING);
	c->next = l->conns;
	if (c->next)
		c->next->prev = c;
	l->conns = c;
}

static void conn_close(struct loop *l, void **ctx)
{
	struct conn *c = *ctx;
	if (!c)
		return;
	if (c->next)
		c->next->prev = c->prev;
	if (c->prev)
		c->prev->next = c->next;
	else
		l->conns = c->next;
	atomic_fetch_sub(&l->h->connections, 1);
	free(c);
	*ctx = NULL;
}

void conn_notify(void *cls, struct MHD_Connection *mhd, void **ctx, enum MHD_ConnectionNotificationCode what)
{
	if (what == MHD_CONNECTION_NOTIFY_STARTED)
		conn_open(cls, mhd, ctx);
	else
		conn_close(cls, ctx);
}

/* The library closes what it finds shut down; the descriptor stays its own. */
static void conn_cut(struct conn *c)
{
	(void) shutdown(c->fd, SHUT_RDWR);
	c->phase = PHASE_CUT;
}

static uint64_t bytes_received(int fd)
{
	struct tcp_info info = { 0 };
	socklen_t n = sizeof info;
	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &n) == 0 ? info.tcpi_bytes_received : 0;
}

/* The library tells of a request when its first line is whole. That an idle connection began to dribble one shows in the
 * kernel's count, from which moment the request's deadline runs. */
static void look_for_first_byte(struct conn *c, int64_t now_ms)
{
	uint64_t bytes = bytes_received(c->fd);
	if (c->bytes == 0) {
		c->bytes = bytes;
	} else if (bytes != c->bytes) {
		c->phase = PHASE_RECEIVING;
		c->since_ms = now_ms;
	}
}

static void sweep_one(const struct httpd *h, struct conn *c, int64_t now_ms, bool look)
{
	int64_t age = now_ms - c->since_ms;
	switch (c->phase) {
	case PHASE_RECEIVING:
		if (age > (c->over && h->deadline_ms > HTTPD_OVER_MS ? HTTPD_OVER_MS : h->deadline_ms))
			conn_cut(c);
		break;
	case PHASE_IDLE:
		if (age > HTTPD_IDLE_MS)
			conn_cut(c);
		else if (look && age >= HTTPD_SWEEP_MS)
			look_for_first_byte(c, now_ms);
		break;
	case PHASE_SENDING:
		if (age > HTTPD_SEND_MS)
			conn_cut(c);
		break;
	case PHASE_HANDLING:
	case PHASE_CUT:
		break;
	}
}

void conns_sweep(struct loop *l, int64_t now_ms)
{
	if (now_ms < l->next_sweep_ms)
		return;
	l->next_sweep_ms = now_ms + HTTPD_SWEEP_MS;
	bool look = l->sweeps++ % HTTPD_LOOK_SWEEPS == 0;
	for (struct conn *c = l->conns; c; c = c->next)
		sweep_one(l->h, c, now_ms, look);
}

/* One on which bytes wait is read first: its request is answered. That one may be sent at this very moment cannot be helped: who
 * sends on an idle connection knows that it may be closed, and sends again. */
void conns_dismiss(struct loop *l)
{
	char byte;
	for (struct conn *c = l->conns; c; c = c->next)
		if (c->phase == PHASE_IDLE && recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0)
			conn_cut(c);
}

bool conns_busy(const struct loop *l)
{
	for (const struct conn *c = l->conns; c; c = c->next)
		if (c->phase == PHASE_HANDLING || c->phase == PHASE_SENDING)
			return true;
	return false;
}
