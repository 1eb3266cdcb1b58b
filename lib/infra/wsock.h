/* wsock.h - WebSocket, both ends; the client's over libwebsockets, which this module alone includes. Infra floor.
 * One loop, one thread: all callbacks run inside wsock_turn(); all functions but wsock_wake() belong to that thread.
 * The server's side (RFC 6455) is our own: the library never sees a byte of who connects to us (docs/adr/0020).
 * Frames are counted references, encoded once and shared by all who are sent them.
 * A connection asks for its turn with wsock_want_write() and gives one frame in on_writable: who is slow is asked less often,
 * and what to drop is the owner's choice (newest price wins, own events never).
 * Bounded: heads that are being read, bytes of a head and of a message, frames on their way to the kernel (four a connection), and
 * the kernel's own buffer. A turn writes to at most 512 connections; then what is new is looked at before the rest. */
#ifndef TAP_WSOCK_H
#define TAP_WSOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attr.h"

struct wsock_loop;
struct wsock_conn;
struct wsock_frame;

MUST_CHECK int wsock_loop_new(struct wsock_loop **ret);
struct wsock_loop *wsock_loop_free(struct wsock_loop *l);
/* Runs what is ready, waiting up to timeout_ms: 0, or negative errno when the loop is broken. */
MUST_CHECK int wsock_turn(struct wsock_loop *l, int timeout_ms);
void wsock_wake(struct wsock_loop *l); /* any thread: the present turn ends soon */

/* A text frame: copied once; starts with one reference. NULL: no memory. */
struct wsock_frame *wsock_frame_new(const char *text, size_t n);
struct wsock_frame *wsock_frame_ref(struct wsock_frame *f);
struct wsock_frame *wsock_frame_unref(struct wsock_frame *f); /* returns NULL */

struct wsock_ops {
	/* Handshake done. Return false to close with 1013. *u is the connection's own pointer, passed to all others. */
	bool (*on_open)(struct wsock_conn *c, void **u);
	/* A whole text message, at most message_max bytes, NUL-terminated for convenience (n without it). */
	void (*on_text)(struct wsock_conn *c, void *u, const char *text, size_t n);
	/* Client: a binary message came; its bytes are dropped. NULL: as if it had not come. A server closes with 1003. */
	void (*on_binary)(struct wsock_conn *c, void *u);
	/* The next frame to send (a reference is taken over and released by wsock), or NULL for nothing; asked again while
	 * wsock_want_write is called. */
	struct wsock_frame *(*on_writable)(struct wsock_conn *c, void *u);
	void (*on_pong)(struct wsock_conn *c, void *u);
	/* Gone: code is the peer's close code (1005: it gave none), or 1006, or what wsock_close was given; why names the
	 * reason where known.
	 * For a client also a failed connection attempt. u is the caller's to free. */
	void (*on_close)(struct wsock_conn *c, void *u, unsigned code, const char *why);
	/* Server: plain GET handshake check before the upgrade; NULL accepts. Return 0, or an HTTP status to refuse with. */
	unsigned (*on_handshake)(const char *path, const char *origin, const char *peer_ip, void *server_u);
};

struct wsock_server_conf {
	const char *host;
	uint16_t port;       /* 0: the kernel chooses, see wsock_server_port */
	int listen_fd;       /* > 0: a passed socket, taken over; else host and port count */
	const char *path;    /* "/ws"; others are 404. NULL: any path */
	size_t message_max;  /* longer messages close with 1009 */
	int ping_ms, idle_ms; /* pings of ours, and silence that closes; 0: none */
	unsigned connections_max;
	bool plain_upgrade_only; /* refuse any Upgrade value but just `websocket`, as the proxy in front writes it */
	const struct wsock_ops *ops;
	void *u;
};
MUST_CHECK int wsock_listen(struct wsock_loop *l, const struct wsock_server_conf *conf);
uint16_t wsock_server_port(const struct wsock_loop *l);
/* Takes no new connection. */
void wsock_stop_listening(struct wsock_loop *l);
size_t wsock_connections(const struct wsock_loop *l);

struct wsock_client_conf {
	const char *url;    /* ws://host:port/path?query or wss://...; borrowed during the call */
	size_t message_max;
	int connect_ms, idle_ms;
	const struct wsock_ops *ops;
	void *u;            /* passed to the callbacks from the start */
};
/* 0: on_open or on_close will come; negative errno: neither will. */
MUST_CHECK int wsock_connect(struct wsock_loop *l, struct wsock_conn **ret, const struct wsock_client_conf *conf);

void wsock_want_write(struct wsock_conn *c);
/* Sends a close frame after what on_writable has begun, then closes; on_close follows. code 0: cut without a close frame. */
void wsock_close(struct wsock_conn *c, unsigned code, const char *reason);
/* The peer's address, or the one that a trusted loopback proxy gave in X-Real-IP. */
const char *wsock_peer(const struct wsock_conn *c);
/* The request path with its query, as the client asked for it. */
const char *wsock_path(const struct wsock_conn *c);

/* One timer a loop is enough: fn runs in wsock_turn every period_ms. Replaces the earlier one; NULL stops it. */
void wsock_every(struct wsock_loop *l, int period_ms, void (*fn)(void *u), void *u);

#endif
