/* segment.h - what was shipped at once: a span of a week's book and of the operators' log, as one object that is written once.
 * Service floor, on book_ship, zst. Pure but for the codec: no file, no network.
 * Bytes (integers 8 bytes, big-endian): "TAPSEG1\n" | number | hash of the segment before (zeros in the first) | year | week | as_of |
 *   from: chain, seal, quote, chain_hash, seal_hash | to: the same | operators' log: from, to | length of the span unpacked |
 *   length packed | 0, the span's version | the packed span: u length of the book's part (book_ship.h), it, then
 *   each row of the log: d at, and who, what, why as u length and bytes | SHA-256 of all before.
 * Always true: numbers follow each other from 1; each names the hash of the one before it, so that a segment that is missing, changed
 *   or put in another's place is found; the same span gives the same bytes but for as_of.
 * as_of: whatever was committed before this moment is in this segment or in those before it. */
#ifndef TAP_SEGMENT_H
#define TAP_SEGMENT_H

#include <stddef.h>
#include <stdint.h>

#include "attr.h"
#include "book_ship.h"
#include "buf.h"
#include "clk.h"
#include "hash.h"
#include "varint.h"
#include "week.h"

enum { SEGMENT_HEAD = 8 + 9 * 8 + 32 + 2 * (3 * 8 + 64), SEGMENT_MAX = SEGMENT_HEAD + BOOK_SHIP_BYTES_MAX + HASH_SIZE,
	SEGMENT_KEY_SIZE = 96 };

struct segment {
	int64_t number;
	struct hash before;
	struct clk_week week;
	int64_t as_of_ms;
	struct book_pos from, to;
	int64_t log_from, log_to; /* newest row of the operators' log before and after it */
	const void *span;         /* unpacked: book part and log part, as segment_span_* write and read it */
	size_t span_n;
};

/* Appends it; *ret_hash is what the next one names. -ENOMEM. */
MUST_CHECK int segment_write(const struct segment *s, struct buf *out, struct hash *ret_hash);
/* 0; -EBADMSG with what is wrong and where. `span` takes the unpacked bytes, which ret->span points into. */
MUST_CHECK int segment_read(const void *bytes, size_t n, struct segment *ret, struct hash *ret_hash, struct buf *span);

/* The span's two parts. */
void segment_span_begin(struct buf *span, const struct buf *book);
void segment_span_log(struct buf *span, const struct audit_row *row, int64_t *at_before);
struct segment_span {
	const void *book;
	size_t book_n;
	struct varint_reader log;
	int64_t log_id, at_ms;
};
MUST_CHECK int segment_span_open(const struct segment *s, struct segment_span *ret);
/* 1: the next row, its texts in `texts` until the next call; 0: none is left; -EBADMSG. */
MUST_CHECK int segment_span_next_log(struct segment_span *s, struct audit_row *ret, struct buf *texts);

/* PREFIXsegments/000000000042 */
void segment_key(char out[SEGMENT_KEY_SIZE], const char *prefix, int64_t number);

#endif
