/* replay.h - a recording played through the domain's code, told in a few bytes an hour: two programs that tell the same decide, pay,
 * chain and price alike. Every column is cut, judged, digested and encoded as evidence; in it each of 24 cells around the anchor is
 * decided and, at the newest grid's rate, paid for a stake of 10 USD; a grid is made at each minute.
 * The rules are the contract's and stand in replay.c: a changed default is no changed history. The layer is version 1 of those that
 * were released.
 * Rates follow from floating point: to the same bytes where libm gives the same doubles, as one machine's old and new program have it. */
#ifndef GOLDEN_REPLAY_H
#define GOLDEN_REPLAY_H

#include <stdint.h>

#include "attr.h"
#include "buf.h"

/* Adds the file's lines to *out: one for the source, one for each hour, one for the whole. scale: as recording_read takes it.
 * Negative errno with err_say. */
MUST_CHECK int replay_file(struct buf *out, const char *path, const char *name, int64_t scale);

#endif
