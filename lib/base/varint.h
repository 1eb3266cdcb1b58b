/* varint.h - integers in as few bytes as they need: LEB128, and zigzag differences for series. Base floor, pure.
 * One spelling for each number: a reader refuses overlong forms, so bytes that decode are the bytes that were written.
 * Thread: any. */
#ifndef TAP_VARINT_H
#define TAP_VARINT_H

#include <stdbool.h>
#include <stdint.h>

#include "attr.h"
#include "buf.h"

void varint_put(struct buf *out, uint64_t v);
/* Differences wrap modulo 2^64 in both directions, so that any pair of int64 survives. */
void varint_put_difference(struct buf *out, int64_t now, int64_t before);

struct varint_reader {
	const uint8_t *at, *end;
};
MUST_CHECK bool varint_get(struct varint_reader *r, uint64_t *ret);
/* The same, at most `most`. */
MUST_CHECK bool varint_get_up_to(struct varint_reader *r, uint64_t most, int64_t *ret);
MUST_CHECK bool varint_get_difference(struct varint_reader *r, int64_t before, int64_t *ret);

#endif
