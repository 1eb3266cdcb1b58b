/* ship_place.h - how far the book was shipped, in a small file of the data folder. Service floor.
 * DIR/ship.position is written by the archiver after each turn of shipping, whole or not at all; the api and operators read it. It is
 * not the record of what was shipped (that is the bucket: a lost or older file is made up from there), only where to go on.
 * Always true: what was committed before as_of_ms is in the bucket and can be restored from there. as_of_ms stands still while it is
 *   not: so a dead archiver, an endpoint that is away and a snapshot that is missing all show as lag. */
#ifndef TAP_SHIP_PLACE_H
#define TAP_SHIP_PLACE_H

#include <stdbool.h>
#include <stdint.h>

#include "attr.h"
#include "book_ship.h"
#include "buf.h"
#include "clk.h"
#include "hash.h"

struct ship_place {
	int64_t number;        /* of the newest segment; 0: none yet */
	struct hash hash;      /* its */
	struct clk_week week;
	struct book_pos at;    /* in that week's book */
	int64_t log;           /* newest row of the operators' log that was shipped */
	int64_t as_of_ms;
	bool based;            /* there is a snapshot of that week to go on from */
};

/* As lines of text, and back. False: they are none. */
void ship_place_format(struct buf *out, const struct ship_place *p);
MUST_CHECK bool ship_place_parse(const char *text, struct ship_place *ret);

/* 0; SHIP_PLACE_E_ABSENT: no file, or one that cannot be understood. */
enum { SHIP_PLACE_E_ABSENT = 1 };
MUST_CHECK int ship_place_read(const char *data_dir, struct ship_place *ret);
MUST_CHECK int ship_place_write(const char *data_dir, const struct ship_place *p);

/* How long ago the newest moment was of which all is shipped; INT64_MAX: not known, which is to be taken as too long. */
int64_t ship_lag_ms(const char *data_dir, int64_t now_ms);

#endif
