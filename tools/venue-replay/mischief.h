/* mischief.h - what a venue can be made to do wrong, switched on the command line or through the control socket.
 * Commands, one a line; VENUE is coinbase, kraken, bitstamp, binance or all; FOR is such as 800ms or 15s, without it until `off`:
 *   stall VENUE [FOR]         sends nothing at all; the connection stays open
 *   mute VENUE [FOR]          sends no book, but all else: heartbeats, answers
 *   drop VENUE P [FOR]        each frame is lost with probability P, 0..1
 *   garble VENUE [FOR]        frames are cut, nonsense, too large, of another market
 *   lag VENUE DELAY [FOR]     frames come so much later
 *   close VENUE [FOR]         closes all connections, and refuses new ones for so long
 *   cut VENUE AGE [FOR]       closes connections as old as that, as venues do after a day
 *   freeze VENUE [FOR]        frames go on, with a price that stands still
 *   outlier VENUE BP [FOR]    prices are BP (1e-4, either sign) off
 *   repeat VENUE [FOR]        each frame comes twice
 *   shuffle VENUE [FOR]       each two books come in the wrong order
 *   clock VENUE OFFSET [FOR]  the venue's own stamps are so much behind, or with a minus ahead
 *   retire VENUE              tells that it is about to cut its connections (Binance and Bitstamp have a word for it)
 *   off [VENUE]               all well again
 *   status                    what is switched on
 * Thread: one owner; the clock is passed in (monotonic ms). */
#ifndef REPLAY_MISCHIEF_H
#define REPLAY_MISCHIEF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attr.h"

enum venue_id { VENUE_COINBASE, VENUE_KRAKEN, VENUE_BITSTAMP, VENUE_BINANCE, VENUES };

enum mischief_kind {
	MISCHIEF_STALL,
	MISCHIEF_MUTE,
	MISCHIEF_DROP, /* amount: parts per million */
	MISCHIEF_GARBLE,
	MISCHIEF_LAG, /* amount: ms */
	MISCHIEF_CLOSE,
	MISCHIEF_CUT, /* amount: ms */
	MISCHIEF_FREEZE,
	MISCHIEF_OUTLIER, /* amount: 1e-4 */
	MISCHIEF_REPEAT,
	MISCHIEF_SHUFFLE,
	MISCHIEF_CLOCK, /* amount: ms behind */
	MISCHIEF_RETIRE,
	MISCHIEF_KINDS
};

struct mischief {
	struct {
		bool on;
		int64_t until_ms;
		int64_t amount;
	} of[VENUES][MISCHIEF_KINDS];
	bool once[VENUES][MISCHIEF_KINDS]; /* what `close` and `retire` ask for; the server clears it when it is done */
};

enum { MISCHIEF_ANSWER_MAX = 1024 };

/* Carries out one line; writes "ok", "error: ..." or the status into answer (no line end). False for an error. */
bool mischief_command(struct mischief *m, const char *line, int64_t now_ms, char answer[MISCHIEF_ANSWER_MAX]);
bool mischief_on(const struct mischief *m, enum venue_id v, enum mischief_kind kind, int64_t now_ms);
/* The amount while it is on, else 0. */
int64_t mischief_amount(const struct mischief *m, enum venue_id v, enum mischief_kind kind, int64_t now_ms);

#endif
