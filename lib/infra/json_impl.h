/* json_impl.h - what the files of json share. */
#ifndef TAP_JSON_IMPL_H
#define TAP_JSON_IMPL_H

#include <stddef.h>

#include "buf.h"

/* The scanner rewrites each value so that cJSON sees strings only, the first byte saying what stood there. A text of the
 * sender's is marked as well, so nothing that can be sent looks like a number that was not one. */
enum { JSON_MARK_TEXT = 's', JSON_MARK_NUMBER = 'n' };

/* Checks text against RFC 8259 and our limits and writes the marked form to *out. NULL when it is good (out->failed then says
 * whether there was memory), else a sentence. */
const char *json_scan(struct buf *out, const char *text, size_t len);

/* Length of the well-formed UTF-8 sequence at p (of n > 0 bytes), 0 when there is none. */
size_t json_utf8(const unsigned char *p, size_t n);

#endif
