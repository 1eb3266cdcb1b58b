/* frames.h - the venues' own frames, byte for byte of their documented shape, from one state of the market. Pure. */
#ifndef REPLAY_FRAMES_H
#define REPLAY_FRAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"

enum { FRAME_MAX = 262144 };

struct market {
	int64_t bid_cents, ask_cents;
	int64_t id;     /* rises with each change: update id, trade id and sequence */
	int64_t now_ms; /* wall clock */
};

/* Binance: `combined` wraps it as /stream does. */
void binance_book(struct buf *out, const struct market *m, bool combined);
void binance_trade(struct buf *out, const struct market *m, bool combined);
/* The notice before the venue cuts its connections: no stream's, so never wrapped. */
void binance_shutdown(struct buf *out, const struct market *m, bool combined);

void coinbase_ticker(struct buf *out, const struct market *m);
void coinbase_heartbeat(struct buf *out, const struct market *m);
void coinbase_subscriptions(struct buf *out, bool ticker, bool heartbeat);
void coinbase_error(struct buf *out, const char *message, const char *reason);

/* Damages a frame in one of a few ways that a broken venue could; `dice` chooses. */
void frame_garble(struct buf *frame, uint32_t dice);

#endif
