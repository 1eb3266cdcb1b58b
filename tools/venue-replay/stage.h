/* stage.h - what all venues send, point by point of the tape, spoilt as mischief has it. Pure but for its dice, which are seeded: the
 * same seed, tape and commands give the same frames. serve.c sends them; tests hand them to the adapters as they are. */
#ifndef REPLAY_STAGE_H
#define REPLAY_STAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"
#include "dialect.h"
#include "mischief.h"
#include "tape.h"

/* A frame for all who asked for the topic (and, of Binance, for that wrapping), to be sent delay_ms later. */
struct staged {
	enum venue_id venue;
	enum topic topic;
	bool combined;
	int64_t delay_ms;
	struct buf *text;
};
typedef void stage_sink(void *u, const struct staged *frame);

struct stage {
	const struct mischief *wrong; /* borrowed */
	int64_t basis_bp;             /* Binance's prices off the others', 1e-4 */
	int64_t noise_cents;          /* each venue's own, at most, either way */
	stage_sink *sink;
	void *u;
	uint64_t dice;
	int64_t id;
	struct tape_point now;          /* what stands at present; bid 0: nothing yet */
	struct tape_point seen[VENUES]; /* what each venue shows: it may be frozen */
	int64_t spoke_ms[VENUES], beat_ms[VENUES];
	struct buf held[VENUES][2];     /* shuffled: the book that waits for its successor, by wrapping */
};

/* id: the first frames' ids are above it. */
void stage_init(struct stage *s, const struct mischief *wrong, stage_sink *sink, void *u, uint64_t seed, int64_t id);
void stage_free(struct stage *s);
/* The market moves: every venue tells its book, and its trade if it has one. */
void stage_point(struct stage *s, const struct tape_point *p, int64_t mono_ms, int64_t now_ms);
/* Heartbeats that are due, and what `retire` asked for. */
void stage_turn(struct stage *s, int64_t mono_ms, int64_t now_ms);
/* What who subscribes is told at once: false while there is nothing, or the venue is stalled. */
bool stage_snapshot(struct stage *s, struct buf *out, enum venue_id v, bool combined, int64_t mono_ms, int64_t now_ms);

#endif
