#include "ship_beyond.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "buf.h"
#include "err.h"
#include "segment.h"
#include "snapshot.h"

struct newest {
	int64_t number;
};

static bool on_segment(void *u, const struct s3_item *item)
{
	struct newest *newest = u;
	int64_t number;
	if (sscanf(item->key, SHIP_PREFIX "segments/%" SCNd64, &number) == 1 && number > newest->number)
		newest->number = number;
	return true;
}

static int read_newest(struct s3 *s3, struct ship_place *place, int64_t *ret_until_ms)
{
	_cleanup_(buf_free) struct buf bytes = BUF_INIT(SEGMENT_MAX), span = BUF_INIT(BOOK_SHIP_BYTES_MAX);
	char key[SEGMENT_KEY_SIZE];
	struct segment s;
	segment_key(key, SHIP_PREFIX, place->number);
	int r = ship_s3(s3_get_buf(s3, key, &bytes, NULL), key);
	if (r == 0)
		r = segment_read(bytes.p, bytes.n, &s, &place->hash, &span);
	if (r == 0)
		*ret_until_ms = s.as_of_ms;
	if (r != -EBADMSG)
		return err_trace(r);
	err_clear(); /* nobody goes on from it: what comes next only has to say that it knew these bytes */
	place->hash = sha256_of(bytes.p, bytes.n);
	return 0;
}

int ship_beyond(struct s3 *s3, struct ship_place *place, int64_t *ret_until_ms)
{
	struct newest newest = { place->number };
	char from[SEGMENT_KEY_SIZE];
	segment_key(from, SHIP_PREFIX, place->number);
	*ret_until_ms = 0;
	int r = ship_s3(s3_list(s3, SHIP_PREFIX "segments/", from, on_segment, &newest), SHIP_PREFIX "segments/");
	if (r < 0)
		return err_trace(r);
	place->based = false;
	if (newest.number == place->number)
		return 0;
	place->number = newest.number;
	return read_newest(s3, place, ret_until_ms);
}
