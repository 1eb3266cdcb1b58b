/* peer.h - one connection to a replayed venue: its subscriptions and what waits to be sent to it. */
#ifndef REPLAY_PEER_H
#define REPLAY_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attr.h"
#include "buf.h"
#include "mischief.h"
#include "wsock.h"

enum { PEER_QUEUE_MAX = 1024 };

enum peer_topic { TOPIC_BOOK = 1, TOPIC_TRADE = 2, TOPIC_TICKER = 4, TOPIC_HEARTBEAT = 8 };

struct peer {
	struct peer *next;
	struct wsock_conn *conn;
	enum venue_id venue;
	bool combined;     /* Binance: frames wrapped with their stream's name */
	unsigned topics;   /* of enum peer_topic */
	bool greeted;      /* Coinbase: has sent its first subscribe */
	bool wants_snapshot;
	int64_t opened_ms;
	struct {
		struct wsock_frame *frame;
		int64_t due_ms;
	} queue[PEER_QUEUE_MAX]; /* a ring */
	size_t head, n;
};

/* NULL without memory. path decides the venue and, for Binance, the first subscriptions. */
struct peer *peer_new(struct wsock_conn *c, const char *path, int64_t now_ms);
struct peer *peer_free(struct peer *p);
/* What a venue does with a text from its client; its answer, if any, is written into `answer`. */
void peer_hear(struct peer *p, const char *text, size_t n, struct buf *answer);
/* Queues a reference of its own; false when the queue is full: the peer is too slow. */
bool peer_push(struct peer *p, struct wsock_frame *frame, int64_t due_ms);
/* The next frame that is due, with its reference; NULL for none. */
struct wsock_frame *peer_pop(struct peer *p, int64_t now_ms);
bool peer_due(const struct peer *p, int64_t now_ms);
/* Which venue a path belongs to; VENUES for none. */
enum venue_id venue_of_path(const char *path);

#endif
