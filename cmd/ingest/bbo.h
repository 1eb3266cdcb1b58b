/* bbo.h - what is known of a venue's best bid and offer, from its texts in the order they came. Pure; the clock passed in.
 * Always true: a book is taken only when its id is beyond the newest taken one's (or the same, where the venue's ids may stand), so a
 * text that comes twice or late changes nothing; a text that is no book of ours never becomes a price.
 * Two connections of one venue may feed one book while one takes over from the other: ids are the venue's, not the connection's.
 * Thread: one owner. */
#ifndef INGEST_BBO_H
#define INGEST_BBO_H

#include <stddef.h>
#include <stdint.h>

#include "venue.h"

enum {
	BBO_USELESS_MAX = 50,              /* so many useless texts in a row: the connection is started anew */
	BBO_TEXTS_A_SECOND_MAX = 5000,     /* beyond these a venue floods us: one that trades hard sends some hundred */
	BBO_BYTES_A_SECOND_MAX = 8 << 20
};

struct bbo_counts {
	uint64_t messages, books, bad, out_of_order, gaps, floods;
};

struct bbo {
	const struct venue_adapter *adapter;
	int64_t mid_e4, heard_mono_ms; /* the newest book; mid 0: none yet */
	int64_t last_id;
	int64_t trade_id, owed_trade_id; /* newest that a book told of; newest that the venue says there was, a while ago */
	int useless_in_row;
	int64_t second_ms;               /* of the flood limit: when it began, what came in it */
	int64_t texts, bytes;
	struct bbo_counts counts;
};

/* What the connection that brought the text is to do about it. */
enum bbo_verdict {
	BBO_NOTHING,
	BBO_TAKEN,   /* the newest book */
	BBO_OLD,     /* a book, but not newer than what is known: twice, or out of order */
	BBO_RENEW,   /* the venue is about to cut it: have another take over */
	BBO_GAP,     /* something was lost: have another take over, whose snapshot heals it */
	BBO_REFUSED, /* the venue does not give what was asked for */
	BBO_USELESS, /* nothing but nonsense for long */
	BBO_FLOOD    /* more than a venue says in earnest */
};

void bbo_init(struct bbo *b, const struct venue_adapter *adapter);
/* A connection begins that no other overlaps: whatever its ids are, they are its own. The price stays. */
void bbo_begin(struct bbo *b);
enum bbo_verdict bbo_hear(struct bbo *b, const char *text, size_t n, int64_t mono_ms);

#endif
