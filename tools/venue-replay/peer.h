/* peer.h - one connection to a replayed venue: its subscriptions and what waits to be sent to it. */
#ifndef REPLAY_PEER_H
#define REPLAY_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attr.h"
#include "buf.h"
#include "dialect.h"
#include "wsock.h"

enum { PEER_QUEUE_MAX = 1024 };

struct peer {
	struct peer *next;
	struct wsock_conn *conn;
	enum venue_id venue;
	struct subscription sub;
	int64_t opened_ms;
	int64_t second_ms; /* of the client's messages: the present second, and how many came in it */
	int messages;
	struct {
		struct wsock_frame *frame;
		int64_t due_ms;
	} queue[PEER_QUEUE_MAX]; /* a ring */
	size_t head, n;
};

/* NULL without memory. path decides the venue and, for Binance, the first subscriptions; said: the venue's first words. */
struct peer *peer_new(struct wsock_conn *c, const char *path, int64_t now_ms, struct buf *said);
struct peer *peer_free(struct peer *p);
/* What a venue does with a text from its client; its answer, if any, is written into `answer`. False: it hangs up. */
bool peer_hear(struct peer *p, const char *text, size_t n, int64_t now_ms, struct buf *answer);
/* Queues a reference of its own; false when the queue is full: the peer is too slow. */
bool peer_push(struct peer *p, struct wsock_frame *frame, int64_t due_ms);
/* The next frame that is due, with its reference; NULL for none. */
struct wsock_frame *peer_pop(struct peer *p, int64_t now_ms);
bool peer_due(const struct peer *p, int64_t now_ms);

#endif
