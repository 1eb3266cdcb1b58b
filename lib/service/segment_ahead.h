/* segment_ahead.h - fetches segments ahead of who makes them again, on threads with connections of their own, so that neither waits for
 * the other and the store's answer is not waited for segment by segment. Service floor, on s3, segment.
 * Bounds: at most SEGMENT_AHEAD objects are held, and none more is begun while they are SEGMENT_AHEAD_BYTES or more.
 * Thread: one owner; `stopping` of conf is asked by several at once. */
#ifndef TAP_SEGMENT_AHEAD_H
#define TAP_SEGMENT_AHEAD_H

#include <stdint.h>

#include "attr.h"
#include "buf.h"
#include "s3.h"

enum { SEGMENT_AHEAD = 128, SEGMENT_AHEAD_BYTES = 16 << 20, SEGMENT_AHEAD_THREADS = 32 };

struct segment_ahead;
/* From number `from` on. conf's bytes_per_second is that of all together. */
MUST_CHECK int segment_ahead_open(struct segment_ahead **ret, const struct s3_conf *conf, const char *prefix, int64_t from);
struct segment_ahead *segment_ahead_close(struct segment_ahead *a);
/* The next one's bytes, whose memory is exchanged for the caller's; result and sentence as s3_get_buf's. After another than 0 there is
 * no more. */
MUST_CHECK int segment_ahead_next(struct segment_ahead *a, struct buf *bytes);

#endif
