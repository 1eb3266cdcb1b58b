/* venue.h - one venue: its connection core (connect, subscribe, notice silence, reconnect with jitter, renew before the venue's own
 * cut) and the adapter that knows its frames. All on the feed's thread.
 * An adapter is one file: venue_<name>.c. It is given texts and says what they mean; it holds no state. */
#ifndef INGEST_VENUE_H
#define INGEST_VENUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attr.h"
#include "buf.h"
#include "index.h"
#include "wsock.h"

enum {
	VENUE_MESSAGE_MAX = 65536,
	VENUE_BACKOFF_LEAST_MS = 500,
	VENUE_BACKOFF_MOST_MS = 30000,
	VENUE_SETTLED_MS = 30000,         /* a connection that served so long resets the backoff */
	VENUE_RENEW_MS = 23 * 3600 * 1000, /* venues cut at 24 h: a second connection takes over before */
	VENUE_CONNECT_MS = 5000,
	VENUE_REFUSED_MAX = 50,           /* so many useless frames in a row: start anew */
	VENUE_SPREAD_MAX_BP = 100         /* a mid across a wider spread is no price */
};

enum venue_meaning {
	VENUE_NOISE,  /* well formed, but not of use: acknowledgements, trades */
	VENUE_BOOK,   /* the best bid and ask */
	VENUE_BAD,    /* not what the venue documents */
	VENUE_RENEW,  /* the venue is about to cut this connection */
	VENUE_REJECT  /* the venue refuses what we asked for */
};

struct venue_event {
	int64_t id; /* rises with each book of a connection */
	int64_t mid_e4;
};

struct venue_adapter {
	const char *name;
	enum index_quote quote;
	int silence_ms; /* nothing at all heard for so long: the connection is dead */
	/* The text to send after connecting; writes nothing when the address says it all. */
	void (*subscribe)(struct buf *out);
	enum venue_meaning (*hear)(const char *text, size_t n, struct venue_event *ret);
};
extern const struct venue_adapter venue_coinbase, venue_binance;

/* The mid of two decimal texts; false for what cannot be a book: a bid not below its ask, a spread beyond reason. */
MUST_CHECK bool venue_mid(const char *bid, size_t bid_n, const char *ask, size_t ask_n, int64_t *ret_e4);

struct venue_counts {
	uint64_t messages, books, bad, out_of_order, connects, losses;
};

struct venue_link; /* one connection */

struct venue {
	const struct venue_adapter *adapter;
	const char *url;
	struct wsock_loop *loop;
	struct venue_link *now, *next; /* next: the one that is to take over */
	int64_t retry_ms;
	int backoff_ms;
	int64_t last_id;
	int refused_in_row;
	struct venue_counts counts;
	/* the newest book */
	int64_t mid_e4, heard_mono_ms;
};

void venue_init(struct venue *v, const struct venue_adapter *adapter, const char *url, struct wsock_loop *loop);
/* Does what is due: connecting, giving up on silence, renewing. */
void venue_look(struct venue *v, int64_t mono_ms);
bool venue_connected(const struct venue *v);
/* Before the loop is freed: its connections are nobody's any more, and go in silence. */
void venue_leave(struct venue *v);

#endif
