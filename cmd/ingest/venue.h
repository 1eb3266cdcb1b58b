/* venue.h - what an adapter is: the one file of a venue, which knows its frames, words and limits. It is given texts and says what they
 * mean; it holds no state and does no I/O. What is made of it: bbo.h (order, gaps), pace.h (when to connect), link.h (connections).
 * Facts of each venue: its own documentation, as named in its file. Pure. Thread: any. */
#ifndef INGEST_VENUE_H
#define INGEST_VENUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attr.h"
#include "buf.h"
#include "index.h"
#include "json.h"

enum { VENUE_SPREAD_MAX_BP = 100 /* a mid across a wider spread is no price */ };

enum venue_meaning {
	VENUE_NOISE,  /* well formed, but not of use: acknowledgements, trades */
	VENUE_BOOK,   /* the best bid and ask: id, mid_e4 and, where the venue counts its trades, trade_id */
	VENUE_NEWEST, /* the newest trade the venue knows of: trade_id; a book must tell of it soon */
	VENUE_BAD,    /* not what the venue documents */
	VENUE_RENEW,  /* the venue is about to cut this connection */
	VENUE_REJECT  /* the venue refuses what we asked for */
};

struct venue_event {
	int64_t id;       /* rises with each book; an adapter of a venue without numbers takes its stamps in microseconds */
	int64_t trade_id; /* 0: the venue does not say */
	int64_t mid_e4;
};

struct venue_adapter {
	const char *name;
	enum index_quote quote;
	int silence_ms;    /* nothing at all heard for so long: the connection is dead */
	int bookless_ms;   /* texts come, but no book among them: the subscription is dead */
	int ping_ms;       /* how often the venue wants to hear from us; 0: never, or the WebSocket's own pong is enough */
	bool id_may_stand; /* two books may have the same id */
	/* Connections: so many at once, then one each so often; about half of what the venue allows one address. */
	int connects_burst, connects_refill_ms;
	/* The text to send after connecting; writes nothing when the address says it all. */
	void (*subscribe)(struct buf *out);
	void (*ping)(struct buf *out, int64_t number); /* NULL without ping_ms */
	enum venue_meaning (*hear)(const char *text, size_t n, struct venue_event *ret);
};
extern const struct venue_adapter venue_coinbase, venue_kraken, venue_bitstamp, venue_binance;

/* For adapters. */

/* The mid of two decimal texts; false for what cannot be a book: a bid not below its ask, a spread beyond reason. */
MUST_CHECK bool venue_mid(const char *bid, size_t bid_n, const char *ask, size_t ask_n, int64_t *ret_e4);
/* RFC 3339 in UTC with up to nine decimals, 2026-02-16T08:31:05.123456Z, to microseconds. */
MUST_CHECK bool venue_stamp_us(const char *text, size_t n, int64_t *ret_us);
/* A text of 1 to 18 digits. */
MUST_CHECK bool venue_digits(const char *text, size_t n, int64_t *ret);
/* The member is a string with just these bytes. */
bool venue_says(const struct json_value *object, const char *member, const char *text);

#endif
