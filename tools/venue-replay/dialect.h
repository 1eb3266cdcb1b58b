/* dialect.h - how one venue speaks: where it answers, what it takes from a client and refuses, and its frames, byte for byte of their
 * documented shape, from one state of the market. One file a venue: dialect_<name>.c. Pure. */
#ifndef REPLAY_DIALECT_H
#define REPLAY_DIALECT_H

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"
#include "frames.h"
#include "json.h"
#include "mischief.h"

enum topic { TOPIC_BOOK = 1, TOPIC_TRADE = 2, TOPIC_HEARTBEAT = 4 };

/* What a client asked for. */
struct subscription {
	unsigned topics;     /* of enum topic */
	bool combined;       /* Binance: frames wrapped with their stream's name */
	bool greeted;        /* has sent its first subscribe */
	bool wants_snapshot;
};

typedef void frame_writer(struct buf *out, const struct market *m, bool combined);

struct dialect {
	bool (*answers_at)(const char *path);
	/* A new connection: what its path subscribes to, and what the venue says first. */
	void (*open)(struct subscription *s, const char *path, struct buf *said);
	/* A text of the client, NULL when it is no JSON; the answer, if any, is written. False: the venue hangs up. */
	bool (*hear)(struct subscription *s, const struct json_value *root, struct buf *answer);
	frame_writer *book, *trade, *heartbeat; /* NULL: the venue has none */
	frame_writer *retire;                   /* NULL: the venue hangs up without a word */
	int subscribe_ms;                       /* a client that has not subscribed by then is cut; 0: it may wait */
	int heartbeat_after_ms;                 /* of silence; 0: each second whatever else is sent */
	struct {
		int n, window_ms;               /* connections of one address in so long; 0: no such rule */
	} connects;
	int messages_a_second;                  /* of a client, beyond which it is cut; 0: no such rule */
};

extern const struct dialect dialect_coinbase, dialect_binance, dialect_kraken, dialect_bitstamp;
const struct dialect *dialect_of(enum venue_id v);
/* Which venue answers at a path; VENUES for none. */
enum venue_id venue_of_path(const char *path);
/* The path begins with the name and then ends, or goes on behind / or ?. */
bool path_is(const char *path, const char *name);

#endif
