/* wsock_impl.h - what the wsock files share. Private to wsock.
 * Our own players' side (RFC 6455 as a server) is written here: door, framing and writing. libwebsockets does the client's side, TLS
 * included; no byte of a stranger who connects to us ever reaches it. */
#ifndef TAP_WSOCK_IMPL_H
#define TAP_WSOCK_IMPL_H

#include <libwebsockets.h>

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "wsock.h"
#include "wsock_frames.h"

enum {
	WSOCK_HEAD_MAX = 8192,       /* bytes of a request head */
	WSOCK_HEAD_MS = 5000,        /* a head must have come in whole by then */
	WSOCK_HEADS_MAX = 1024,      /* heads being read at once: beyond it the oldest goes */
	WSOCK_LINGER_MS = 500,       /* a refusal is given as long to be read */
	WSOCK_CLOSE_MS = 1500,       /* a close frame is given as long to be taken */
	WSOCK_SWEEP_MS = 50,
	WSOCK_SWEEP_LEAST = 64,      /* connections looked at in one sweep: these, or */
	WSOCK_SWEEP_SHARE = 8,       /* one of so many */
	WSOCK_SEND_BUFFER = 64 << 10, /* the kernel's, so that a slow reader does not get minutes-old prices from it */
	WSOCK_ACCEPTS_A_TURN = 256,
	WSOCK_EVENTS_A_TURN = 256,
	WSOCK_ACCEPTS_BUSY = 4,      /* the same while players wait for their price: who comes in a crowd may wait a little */
	WSOCK_EVENTS_BUSY = 16,
	WSOCK_WRITES_A_TURN = 512,   /* then what is new is looked at first: a price beats the rest of a grid */
	WSOCK_BATCH = 4,             /* frames that leave in one write */
	WSOCK_READ_MAX = 16384,
	WSOCK_RX_KEPT = 4096,        /* a longer message's memory is given back */
	WSOCK_TARGET_MAX = 1024,
	WSOCK_REASON_MAX = 123       /* RFC 6455 5.5: a control frame's 125 bytes less the code */
};

/* A text with a server's frame head before it: bytes[WSOCK_SERVER_HEAD_MAX - head_n] is the first byte on the wire. */
struct wsock_frame {
	unsigned refs;
	size_t n, head_n;
	uint8_t bytes[]; /* WSOCK_SERVER_HEAD_MAX for the head, then the text */
};

struct wsock_url;
struct wsock_lookup;

/* What an epoll event is about: each thing that is watched begins with this. */
enum wsock_source { WSOCK_WAKE, WSOCK_TIMER, WSOCK_DOOR, WSOCK_VISITOR, WSOCK_PEER };

struct wsock_conn {
	enum wsock_source source;
	struct wsock_conn *prev, *next;
	struct wsock_loop *loop;
	const struct wsock_ops *ops;
	void *u;
	bool is_client, is_open, is_closing, ping_due;
	int ping_ms, idle_ms;
	int64_t heard_ms, pinged_ms;
	int64_t deadline_ms;     /* of the connection attempt, then of the close; 0: none */
	unsigned close_code;     /* ours, or the peer's once it came */
	char close_reason[WSOCK_REASON_MAX + 1];
	char peer[INET6_ADDRSTRLEN];
	char *target;
	struct wsock_in in;

	/* a server's */
	int fd;                  /* -1: gone */
	struct wsock_conn *want_next;
	bool is_wanting;         /* in the loop's list of those that want to write */
	bool wants;              /* wsock_want_write was called since it was last asked */
	bool is_blocked;         /* the kernel's buffer is full: EPOLLOUT is waited for */
	bool is_deaf;            /* what still comes is dropped: it broke the protocol */
	bool close_sent;
	struct wsock_frame *out[WSOCK_BATCH];
	unsigned n_out;
	size_t out_at;           /* bytes of out[0] that are gone */

	/* a client's */
	struct lws *wsi;
	bool message_binary;
	struct wsock_url *url;
	struct wsock_lookup *lookup; /* of its host, while it is under way */
	bool is_promised;            /* wsock_connect returned 0: its end is told by on_close */
};

struct wsock_door;

struct wsock_loop {
	int epoll_fd;            /* the door's and the peers' sockets, wake_fd and timer_fd; the library polls it as one file */
	int wake_fd, timer_fd;
	int64_t armed_ms;        /* what timer_fd is set to */
	int64_t sweep_at_ms, every_at_ms;
	struct wsock_door *door; /* NULL: no server */
	struct wsock_conn *conns, *swept; /* swept: where the next sweep goes on */
	size_t n_conns, n_server;
	struct wsock_conn *want_first, **want_last;
	struct wsock_conn *gone; /* freed when no event of this turn can name them */
	int every_ms;
	void (*every_fn)(void *u);
	void *every_u;
	struct buf scratch;      /* what is read; a client's frame is masked in place: it gets a copy */

	/* the library, once the first client needs it */
	struct lws_context *context;
	struct lws_vhost *client_vhost;
	bool epoll_ready;
	struct wsock_conn *connecting; /* whose failure is the caller's result */
};

struct wsock_conn *wsock_conn_new(struct wsock_loop *l, const struct wsock_ops *ops, void *u, size_t message_max);
void wsock_conn_free(struct wsock_conn *c);
void wsock_conn_gone(struct wsock_conn *c, const char *why); /* tells its owner when that is due, and frees it */

/* wsock_client.c */
void wsock_client_sweep(struct wsock_conn *c); /* may end it */
void wsock_client_forget(struct wsock_conn *c);
void wsock_client_write(struct wsock_conn *c); /* has the library ask */
void wsock_client_cut(struct wsock_conn *c);
MUST_CHECK int wsock_client_turn(struct wsock_loop *l, bool wait);
void wsock_client_free(struct wsock_loop *l);

/* wsock_door.c */
void wsock_door_accept(struct wsock_loop *l);
void wsock_door_heard(struct wsock_loop *l, void *visitor);
void wsock_door_sweep(struct wsock_loop *l, int64_t now_ms);
void wsock_door_bury(struct wsock_loop *l); /* frees the visitors that left in this turn */
void wsock_door_free(struct wsock_loop *l);

/* wsock_server.c */
/* A socket whose head was judged: answers it and opens the connection. Takes the descriptor and target over. */
void wsock_server_adopt(struct wsock_loop *l, int fd, const struct wsock_head *head, char *target, const char *ip,
		const struct wsock_server_conf *conf);
void wsock_server_event(struct wsock_conn *c, uint32_t events);
void wsock_server_want(struct wsock_conn *c);
void wsock_server_flush(struct wsock_loop *l);
void wsock_server_close(struct wsock_conn *c);
void wsock_server_forget(struct wsock_conn *c);

#endif
