/* Any bytes are refused as a segment, or as a span, with a sentence; a span that was taken is read to its end within its bounds. The
 * first byte chooses: a segment as it came; one whose hash is made right, so that what is behind it is reached; a span alone. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "book_ship.h"
#include "check.h"
#include "err.h"
#include "segment.h"

static void read_span(const struct segment *s)
{
	_cleanup_(buf_free) struct buf texts = { 0 };
	struct segment_span parts;
	struct book_span counts;
	struct audit_row row;
	int r = segment_span_open(s, &parts);
	CHECK(r == 0 || r == -EBADMSG);
	if (r != 0)
		return;
	r = book_span_read(parts.book, parts.book_n, &counts);
	CHECK(r == 0 || (r == -EBADMSG && err_text()[0]));
	CHECK(counts.bets <= counts.rows && counts.columns <= counts.sealed && (size_t) counts.rows <= parts.book_n);
	while ((r = segment_span_next_log(&parts, &row, &texts)) == 1)
		CHECK(row.who && row.what && row.why);
	CHECK(r == 0 || r == -EBADMSG);
}

static void read_segment(const uint8_t *bytes, size_t n)
{
	_cleanup_(buf_free) struct buf span = { 0 };
	struct segment s;
	struct hash hash;
	int r = segment_read(bytes, n, &s, &hash, &span);
	CHECK(r == 0 || (r == -EBADMSG && err_text()[0]));
	if (r == 0)
		read_span(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	if (data[0] % 3 == 0) {
		read_segment(data + 1, size - 1);
	} else if (data[0] % 3 == 1) {
		uint8_t *whole = malloc(size - 1 + HASH_SIZE);
		CHECK(whole);
		memcpy(whole, data + 1, size - 1);
		struct hash hash = sha256_of(whole, size - 1);
		memcpy(whole + size - 1, hash.b, HASH_SIZE);
		read_segment(whole, size - 1 + HASH_SIZE);
		free(whole);
	} else {
		read_span(&(struct segment){ .span = data + 1, .span_n = size - 1 });
	}
	return 0;
}
