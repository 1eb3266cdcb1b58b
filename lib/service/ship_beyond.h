/* ship_beyond.h - shipping begins anew in a bucket that holds segments which do not lead to this book: after them, in their chain, and
 * from a snapshot that is yet to be made. Service floor, on ship_place, segment, s3.
 * So nothing in the bucket has to be moved or deleted: a restore goes on from the newest snapshot, and never looks at what lies before. */
#ifndef TAP_SHIP_BEYOND_H
#define TAP_SHIP_BEYOND_H

#include <stdint.h>

#include "attr.h"
#include "s3.h"
#include "ship_place.h"

/* *place, which says where in the book, gets the number and the hash of the bucket's newest segment, and no snapshot. *ret_until_ms: the
 * moment up to which that segment told; 0: it cannot be read, or there is none. */
MUST_CHECK int ship_beyond(struct s3 *s3, struct ship_place *place, int64_t *ret_until_ms);

#endif
