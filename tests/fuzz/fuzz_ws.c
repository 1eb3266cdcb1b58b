/* What a stranger can say to ws: the head that opens a connection, and frames. The first byte chooses, and gives the sizes of the
 * pieces that frames come in: in whichever pieces, the events are the same. */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "hash.h"
#include "wsock_frames.h"

enum { MESSAGE_MAX = 512, PIECES = 64 };

static void try_head(const char *text, size_t n, bool exact)
{
	struct wsock_head head;
	size_t end = wsock_head_end(text, n);
	unsigned status = end ? wsock_head_parse(&head, text, end, exact) : 400;
	CHECK(end <= n && (status == 0 || (status >= 400 && status < 500)));
	if (status)
		return;
	CHECK(head.key_n == 24 && head.target_n > 0 && head.target[0] == '/');
	CHECK(head.target >= text && head.target + head.target_n <= text + end);
	CHECK(!head.origin || (head.origin >= text && head.origin + head.origin_n <= text + end));
	CHECK(!memchr(head.target, '\r', head.target_n) && !memchr(head.target, ' ', head.target_n));
}

/* All events in order, hashed, when the bytes come in pieces of the size (0: all at once). */
static struct hash events_of(const uint8_t *data, size_t n, size_t piece)
{
	struct wsock_in in = { .message = BUF_INIT(MESSAGE_MAX) };
	struct sha256 all;
	enum wsock_event event = WSOCK_NOTHING;
	sha256_start(&all);
	for (size_t at = 0; at < n && event != WSOCK_BROKEN;) {
		size_t len = piece && piece < n - at ? piece : n - at, taken = 0;
		uint8_t *bytes = malloc(len);
		unsigned code = 0;
		CHECK(bytes);
		memcpy(bytes, data + at, len);
		event = wsock_in_feed(&in, bytes, len, &taken, &code);
		free(bytes);
		at += taken;
		CHECK(taken <= len && (event != WSOCK_NOTHING || taken == len));
		CHECK((event == WSOCK_BROKEN) == (code >= 1002 && code <= 1011));
		CHECK(in.message.n <= MESSAGE_MAX && in.n_control <= WSOCK_CONTROL_MAX);
		if (event == WSOCK_NOTHING)
			continue;
		uint8_t what[2] = { (uint8_t) event, (uint8_t) code };
		sha256_add(&all, what, sizeof what);
		if (event == WSOCK_TEXT) {
			CHECK(wsock_utf8(in.message.n ? in.message.p : "", in.message.n));
			sha256_add(&all, in.message.n ? in.message.p : "", in.message.n);
		} else if (event != WSOCK_BROKEN)
			sha256_add(&all, in.control, in.n_control);
	}
	wsock_in_free(&in);
	return sha256_end(&all);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	if (data[0] % 3 == 0) {
		try_head((const char *) data + 1, size - 1, data[0] & 64);
		return 0;
	}
	struct hash whole = events_of(data + 1, size - 1, 0);
	struct hash pieces = events_of(data + 1, size - 1, 1 + data[0] % PIECES);
	CHECK(memcmp(whole.b, pieces.b, sizeof whole.b) == 0);
	return 0;
}
