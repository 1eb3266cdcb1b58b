#include "bbo.h"

enum { SECOND_MS = 1000 };

void bbo_init(struct bbo *b, const struct venue_adapter *adapter)
{
	*b = (struct bbo){ .adapter = adapter };
}

void bbo_begin(struct bbo *b)
{
	b->last_id = b->trade_id = b->owed_trade_id = 0;
	b->useless_in_row = 0;
}

static enum bbo_verdict useless(struct bbo *b, enum bbo_verdict verdict)
{
	if (++b->useless_in_row < BBO_USELESS_MAX)
		return verdict;
	b->useless_in_row = 0;
	return BBO_USELESS;
}

static enum bbo_verdict take(struct bbo *b, const struct venue_event *event, int64_t mono_ms)
{
	if (event->id < b->last_id || (event->id == b->last_id && !b->adapter->id_may_stand)) {
		b->counts.out_of_order++;
		return useless(b, BBO_OLD);
	}
	b->last_id = event->id;
	if (event->trade_id > b->trade_id)
		b->trade_id = event->trade_id;
	b->useless_in_row = 0;
	b->counts.books++;
	b->mid_e4 = event->mid_e4;
	b->heard_mono_ms = mono_ms;
	return BBO_TAKEN;
}

/* The venue names its newest trade about each second. What it named the last time must have been told of by now. */
static enum bbo_verdict check_newest(struct bbo *b, const struct venue_event *event)
{
	bool lost = b->trade_id && b->trade_id < b->owed_trade_id;
	b->owed_trade_id = lost ? 0 : event->trade_id;
	b->counts.gaps += lost;
	return lost ? BBO_GAP : BBO_NOTHING;
}

static bool floods(struct bbo *b, size_t n, int64_t mono_ms)
{
	if (mono_ms - b->second_ms >= SECOND_MS) {
		b->second_ms = mono_ms;
		b->texts = b->bytes = 0;
	}
	b->texts++;
	b->bytes += (int64_t) n;
	return b->texts > BBO_TEXTS_A_SECOND_MAX || b->bytes > BBO_BYTES_A_SECOND_MAX;
}

enum bbo_verdict bbo_hear(struct bbo *b, const char *text, size_t n, int64_t mono_ms)
{
	struct venue_event event = { 0 };

	b->counts.messages++;
	if (floods(b, n, mono_ms)) {
		b->counts.floods++;
		return BBO_FLOOD;
	}
	switch (b->adapter->hear(text, n, &event)) {
	case VENUE_BOOK:
		return take(b, &event, mono_ms);
	case VENUE_NEWEST:
		return check_newest(b, &event);
	case VENUE_RENEW:
		return BBO_RENEW;
	case VENUE_REJECT:
		return BBO_REFUSED;
	case VENUE_BAD:
		b->counts.bad++;
		return useless(b, BBO_NOTHING);
	case VENUE_NOISE:
		break;
	}
	return BBO_NOTHING;
}
