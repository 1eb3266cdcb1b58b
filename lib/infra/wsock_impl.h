/* wsock_impl.h - what the wsock files share. Private to wsock.
 * The library gets a server's connection only after wsock_door has read its request head, judged it and written a new, plain
 * one in its place: no header of a stranger ever reaches the library's own parser. */
#ifndef TAP_WSOCK_IMPL_H
#define TAP_WSOCK_IMPL_H

#include <libwebsockets.h>

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "wsock.h"

enum {
	WSOCK_HEAD_MAX = 8192,       /* bytes of a request head */
	WSOCK_HEAD_MS = 5000,        /* a head must have come in whole by then */
	WSOCK_HEADS_MAX = 1024,      /* heads being read at once: beyond it the oldest goes */
	WSOCK_LINGER_MS = 500,       /* a refusal is given as long to be read */
	WSOCK_CONTROL_MAX = 125,     /* payload of a control frame, RFC 6455 5.5 */
	WSOCK_CLOSE_MS = 1500,       /* a close frame is given as long to be taken */
	WSOCK_SWEEP_MS = 50,
	WSOCK_SEND_BUFFER = 64 << 10, /* the kernel's, so that a slow reader does not get minutes-old prices from it */
	WSOCK_ACCEPTS_A_TURN = 256,
	WSOCK_RX_KEPT = 4096,        /* a longer message's memory is given back */
	WSOCK_TARGET_MAX = 1024,
	WSOCK_REASON_MAX = 123       /* RFC 6455 5.5: a control frame's 125 bytes less the code */
};

/* A request head, in pieces that point into it. */
struct wsock_head {
	const char *target, *origin, *real_ip, *key;
	size_t target_n, origin_n, real_ip_n, key_n;
};

/* Judges a head that ends with an empty line: 0 and *ret, or the HTTP status to refuse it with. exact_upgrade: the value must be
 * `websocket` in just this case, as the proxy in front writes it. */
unsigned wsock_head_parse(struct wsock_head *ret, const char *text, size_t n, bool exact_upgrade);
/* Length up to and with the empty line, 0 when it is not there yet. */
size_t wsock_head_end(const char *text, size_t n);

bool wsock_utf8(const char *text, size_t n);

struct wsock_frame {
	unsigned refs;
	size_t n;
	unsigned char bytes[]; /* LWS_PRE for the library's header, then the text */
};

struct wsock_url;
struct wsock_lookup;

struct wsock_conn {
	struct wsock_conn *prev, *next;
	struct wsock_loop *loop;
	struct lws *wsi;
	const struct wsock_ops *ops;
	void *u;
	bool is_client, is_open, is_closing, close_sent, ping_due;
	size_t message_max;
	int ping_ms, idle_ms;
	int64_t heard_ms, pinged_ms;
	int64_t deadline_ms;     /* of the connection attempt, then of the close; 0: none */
	unsigned close_code;     /* ours, or the peer's once it came */
	char close_reason[WSOCK_REASON_MAX + 1];
	bool message_binary;
	struct buf message;      /* being put together */
	char peer[INET6_ADDRSTRLEN];
	char *target;
	struct wsock_url *url;       /* a client's */
	struct wsock_lookup *lookup; /* of its host, while it is under way */
	bool is_promised;            /* wsock_connect returned 0: its end is told by on_close */
};

struct wsock_door;

struct wsock_loop {
	struct lws_context *context;
	struct lws_vhost *server_vhost, *client_vhost;
	int epoll_fd;            /* the door's sockets, wake_fd and timer_fd; the library polls it as one file */
	int wake_fd, timer_fd;
	int64_t armed_ms;        /* what timer_fd is set to */
	int64_t sweep_at_ms, every_at_ms;
	bool epoll_ready;
	struct wsock_door *door; /* NULL: no server */
	struct wsock_conn *conns;
	size_t n_server;
	struct wsock_conn *adopting; /* whose callbacks may come before the library has handed its handle over */
	struct wsock_conn *connecting; /* the same for a client, whose failure is then the caller's result */
	int every_ms;
	void (*every_fn)(void *u);
	void *every_u;
	struct buf scratch;      /* a client's frame is masked in place: it gets a copy */
};

struct wsock_conn *wsock_conn_new(struct wsock_loop *l, const struct wsock_ops *ops, void *u, size_t message_max);
void wsock_conn_free(struct wsock_conn *c);
void wsock_conn_gone(struct wsock_conn *c, const char *why); /* tells its owner when that is due, and frees it */
void wsock_client_sweep(struct wsock_conn *c); /* may end it */
void wsock_client_forget(struct wsock_conn *c);

void wsock_door_turn(struct wsock_loop *l);  /* what the epoll set has ready */
void wsock_door_sweep(struct wsock_loop *l, int64_t now_ms);
void wsock_door_free(struct wsock_loop *l);

extern const struct lws_protocols wsock_protocols[];

#endif
