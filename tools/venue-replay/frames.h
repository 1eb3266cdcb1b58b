/* frames.h - what the dialects share in writing a venue's frames, and damaging them. Pure. */
#ifndef REPLAY_FRAMES_H
#define REPLAY_FRAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"

enum { FRAME_MAX = 262144 };

/* The state of the market at one venue. */
struct market {
	int64_t bid_cents, ask_cents;
	int64_t id;     /* rises with each change: update id, trade id and sequence */
	int64_t now_ms; /* the venue's wall clock */
};

/* ,"name":"61837.63000000" with so many decimals, 2 or more; decimals 0 writes it as a number with two. */
void put_usd(struct buf *out, const char *name, int64_t cents, int decimals);
/* ,"name":"0.01234000": a quantity that differs from frame to frame, as a book's does; text false writes a number. */
void put_size(struct buf *out, const char *name, const struct market *m, int64_t salt, bool text);
/* 2026-02-16T08:31:05.123456Z with quotes; the last three digits are made of the id. */
void put_time(struct buf *out, const struct market *m);

/* Damages a frame in one of a few ways that a broken venue could; `dice` chooses. */
void frame_garble(struct buf *frame, uint32_t dice);

#endif
