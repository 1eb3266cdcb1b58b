/* venue_frames.h - what a venue can say to ingest: texts, a line each, heard in their order on one connection. Whatever they are: what is
 * taken has a price and an id, neither order nor counts are ever broken, and the same text twice changes nothing. */
#ifndef TAP_FUZZ_VENUE_FRAMES_H
#define TAP_FUZZ_VENUE_FRAMES_H

#include <stdlib.h>
#include <string.h>

#include "bbo.h"
#include "check.h"
#include "price.h"

static void hear_text(struct bbo *b, const char *text, size_t n, int64_t mono_ms)
{
	struct bbo before = *b;
	enum bbo_verdict verdict = bbo_hear(b, text, n, mono_ms);
	CHECK(b->counts.messages == before.counts.messages + 1);
	CHECK(b->useless_in_row >= 0 && b->useless_in_row < BBO_USELESS_MAX);
	if (verdict != BBO_TAKEN) {
		CHECK(b->mid_e4 == before.mid_e4 && b->heard_mono_ms == before.heard_mono_ms && b->last_id == before.last_id);
		return;
	}
	CHECK(b->mid_e4 > 0 && b->mid_e4 <= (int64_t) PRICE_MAX_CENTS * 100);
	CHECK(b->heard_mono_ms == mono_ms);
	CHECK(b->last_id >= before.last_id && (b->last_id > before.last_id || b->adapter->id_may_stand));
	int64_t mid_e4 = b->mid_e4;
	verdict = bbo_hear(b, text, n, mono_ms);
	CHECK(verdict == (b->adapter->id_may_stand ? BBO_TAKEN : BBO_OLD) || verdict == BBO_USELESS);
	CHECK(b->mid_e4 == mid_e4);
}

static int hear_lines(const struct venue_adapter *adapter, const uint8_t *data, size_t n)
{
	struct bbo b;
	int64_t mono_ms = 1000000;
	bbo_init(&b, adapter);
	bbo_begin(&b);
	while (n > 0) {
		const uint8_t *end = memchr(data, '\n', n);
		size_t len = end ? (size_t) (end - data) : n;
		char *text = malloc(len + 1); /* a copy of its own: what reads beyond it is seen */
		CHECK(text);
		memcpy(text, data, len);
		text[len] = '\0';
		hear_text(&b, text, len, mono_ms += 10);
		free(text);
		data += len + (end != NULL);
		n -= len + (end != NULL);
	}
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define FUZZ_VENUE(adapter)                                              \
	int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)        \
	{                                                                \
		return hear_lines(&(adapter), data, n);                  \
	}

#endif
