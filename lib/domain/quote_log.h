/* quote_log.h - compact bytes of what grids were made from, so that any rate can be made again. Domain floor, pure.
 * A record is a run of quotes under the same rules and layer: those once, then each quote as differences to the one before, the
 * skews as runs. One spelling: what quote_log_decode takes, quote_log_encode writes. Thread: any. */
#ifndef TAP_QUOTE_LOG_H
#define TAP_QUOTE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attr.h"
#include "buf.h"
#include "quote.h"

enum { QUOTE_LOG_RUN = 16, QUOTE_LOG_MAX = 65536 /* bytes of a record */ };

/* May the two stand in one record? */
bool quote_log_same(const struct quote_made *a, const struct quote_made *b);
/* n of them, 1 to QUOTE_LOG_RUN, all quote_log_same as the first. */
void quote_log_encode(struct buf *out, const struct quote_made *made, size_t n);
/* False for bytes that quote_log_encode never wrote; made holds QUOTE_LOG_RUN. What it gives is fit for quote_fill. */
MUST_CHECK bool quote_log_decode(const uint8_t *bytes, size_t len, struct quote_made *made, size_t *ret_n);

#endif
