/* path.h - the price path of one column: what an outcome is decided by, and its digest. Domain floor, pure.
 * The path is the anchor (the last tick before t0) and all ticks in [t0, t0 + W). It is void when the anchor is missing or
 * any gap between neighbours, or from the last tick to t0 + W, exceeds the limit. Same ticks, same answer, for ever.
 * digest = SHA-256(prev_digest || t0 in ms || t, p of each tick, anchor first), every integer 8 bytes big-endian.
 * Memory: ticks are borrowed by path_cut; path_decode fills the caller's array. Thread: any. */
#ifndef TAP_PATH_H
#define TAP_PATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attr.h"
#include "buf.h"
#include "hash.h"
#include "tick.h"

enum {
	PATH_TICKS_MAX = 4096,     /* a column's; W = 60 s at 10 ms with room */
	PATH_ANCHOR_REACH_MS = 600000 /* how far before t0 an anchor is looked for; a longer gap is void whatever it finds */
};

struct path {
	int64_t t0_s;
	int64_t column_s;
	bool has_anchor;
	const struct tick *ticks; /* anchor first when there is one */
	size_t n;                 /* anchor included */
	bool is_void;
	int64_t low_cents, high_cents; /* over all n ticks; 0 when n is 0 */
};

/* Finds the column's path in ticks (valid, covering the column) and judges it. */
struct path path_cut(const struct tick *ticks, size_t n, int64_t t0_s, int64_t column_s, int64_t max_gap_ms);

struct hash path_digest(const struct path *path, const struct hash *prev);

/* Compact bytes for the evidence: a count, then each tick as zigzag varint differences. */
void path_encode(const struct path *path, struct buf *out);
/* Decodes into ticks[max]; false for bytes that path_encode never wrote. *ret_n counts ticks, the anchor included. */
MUST_CHECK bool path_decode(const uint8_t *bytes, size_t len, struct tick *ticks, size_t max, size_t *ret_n);

#endif
