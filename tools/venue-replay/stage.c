#include "stage.h"

#include <string.h>

void stage_init(struct stage *s, const struct mischief *wrong, stage_sink *sink, void *u, uint64_t seed, int64_t id)
{
	*s = (struct stage){ .wrong = wrong, .sink = sink, .u = u, .dice = seed * 2 + 1, .id = id };
	for (int v = 0; v < VENUES; v++)
		s->held[v][0] = s->held[v][1] = (struct buf) BUF_INIT(FRAME_MAX);
}

void stage_free(struct stage *s)
{
	for (int v = 0; v < VENUES; v++) {
		buf_free(&s->held[v][0]);
		buf_free(&s->held[v][1]);
	}
}

/* A 64-bit linear congruence; its high half is what is used. */
static uint32_t roll(struct stage *s)
{
	s->dice = s->dice * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t) (s->dice >> 32);
}

/* A venue's own deviation at this point: the same however often it is asked. */
static int64_t noise_of(const struct stage *s, enum venue_id v)
{
	uint64_t mixed = ((uint64_t) s->id * VENUES + v) * 0x9e3779b97f4a7c15u;
	mixed ^= mixed >> 29;
	return s->noise_cents ? (int64_t) (mixed % (uint64_t) (2 * s->noise_cents + 1)) - s->noise_cents : 0;
}

static struct market market_of(struct stage *s, enum venue_id v, int64_t mono_ms, int64_t now_ms)
{
	if (s->seen[v].bid_cents == 0 || !mischief_on(s->wrong, v, MISCHIEF_FREEZE, mono_ms)) {
		s->seen[v] = s->now;
		s->seen[v].bid_cents += noise_of(s, v);
		s->seen[v].ask_cents += noise_of(s, v);
	}
	int64_t off = 10000 + mischief_amount(s->wrong, v, MISCHIEF_OUTLIER, mono_ms) + (v == VENUE_BINANCE ? s->basis_bp : 0);
	struct market m = { .bid_cents = s->seen[v].bid_cents * off / 10000, .ask_cents = s->seen[v].ask_cents * off / 10000,
		.id = s->id, .now_ms = now_ms - mischief_amount(s->wrong, v, MISCHIEF_CLOCK, mono_ms) };
	if (m.ask_cents <= m.bid_cents)
		m.ask_cents = m.bid_cents + 1;
	return m;
}

static void emit(struct stage *s, struct staged *frame)
{
	if (!frame->text->failed)
		s->sink(s->u, frame);
}

/* Of two books the later one first: the earlier waits. */
static void emit_shuffled(struct stage *s, struct staged *frame)
{
	struct buf *held = &s->held[frame->venue][frame->combined];
	if (held->n == 0) {
		buf_put(held, frame->text->p, frame->text->n);
		return;
	}
	struct staged earlier = *frame;
	earlier.text = held;
	emit(s, frame);
	emit(s, &earlier);
	buf_clear(held);
}

static void speak(struct stage *s, struct staged *frame, int64_t mono_ms)
{
	enum venue_id v = frame->venue;
	if (mischief_on(s->wrong, v, MISCHIEF_STALL, mono_ms) ||
			(frame->topic == TOPIC_BOOK && mischief_on(s->wrong, v, MISCHIEF_MUTE, mono_ms)))
		return;
	if ((int64_t) (roll(s) % 1000000) < mischief_amount(s->wrong, v, MISCHIEF_DROP, mono_ms))
		return;
	if (mischief_on(s->wrong, v, MISCHIEF_GARBLE, mono_ms))
		frame_garble(frame->text, roll(s));
	frame->delay_ms = mischief_amount(s->wrong, v, MISCHIEF_LAG, mono_ms);
	s->spoke_ms[v] = mono_ms;
	if (frame->topic == TOPIC_BOOK && mischief_on(s->wrong, v, MISCHIEF_SHUFFLE, mono_ms)) {
		emit_shuffled(s, frame);
		return;
	}
	emit(s, frame);
	if (mischief_on(s->wrong, v, MISCHIEF_REPEAT, mono_ms))
		emit(s, frame);
}

/* Binance's frames in both wrappings, the others' in none. */
static void say(struct stage *s, enum venue_id v, enum topic topic, frame_writer *write, int64_t mono_ms, int64_t now_ms)
{
	if (!write)
		return;
	struct market m = market_of(s, v, mono_ms, now_ms);
	for (int combined = 0; combined < (v == VENUE_BINANCE ? 2 : 1); combined++) {
		_cleanup_(buf_free) struct buf text = BUF_INIT(FRAME_MAX);
		struct staged frame = { .venue = v, .topic = topic, .combined = combined, .text = &text };
		write(&text, &m, combined);
		speak(s, &frame, mono_ms);
	}
}

void stage_point(struct stage *s, const struct tape_point *p, int64_t mono_ms, int64_t now_ms)
{
	s->now = *p;
	s->id++;
	for (enum venue_id v = 0; v < VENUES; v++) {
		say(s, v, TOPIC_BOOK, dialect_of(v)->book, mono_ms, now_ms);
		say(s, v, TOPIC_TRADE, dialect_of(v)->trade, mono_ms, now_ms);
	}
}

static bool beat_is_due(const struct stage *s, enum venue_id v, int64_t mono_ms)
{
	int after_ms = dialect_of(v)->heartbeat_after_ms;
	return mono_ms - s->beat_ms[v] >= 1000 && (after_ms == 0 || mono_ms - s->spoke_ms[v] >= after_ms);
}

void stage_turn(struct stage *s, int64_t mono_ms, int64_t now_ms)
{
	for (enum venue_id v = 0; v < VENUES; v++) {
		if (s->now.bid_cents && beat_is_due(s, v, mono_ms)) {
			s->beat_ms[v] = mono_ms;
			say(s, v, TOPIC_HEARTBEAT, dialect_of(v)->heartbeat, mono_ms, now_ms);
		}
		if (s->wrong->once[v][MISCHIEF_RETIRE])
			say(s, v, TOPIC_BOOK, dialect_of(v)->retire, mono_ms, now_ms);
	}
}

bool stage_snapshot(struct stage *s, struct buf *out, enum venue_id v, bool combined, int64_t mono_ms, int64_t now_ms)
{
	if (s->now.bid_cents == 0 || mischief_on(s->wrong, v, MISCHIEF_STALL, mono_ms))
		return false;
	struct market m = market_of(s, v, mono_ms, now_ms);
	dialect_of(v)->book(out, &m, combined);
	return !out->failed;
}
