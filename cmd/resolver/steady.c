#include "steady.h"

static int64_t believe(struct steady *s, int64_t wall_ms, int64_t mono_ms)
{
	s->begun = true;
	s->doubting = false;
	s->wall_ms = wall_ms;
	s->mono_ms = mono_ms;
	return wall_ms;
}

int64_t steady_now(struct steady *s, int64_t wall_ms, int64_t mono_ms)
{
	int64_t expected = s->wall_ms + (mono_ms - s->mono_ms);
	if (!s->begun || wall_ms <= expected + STEADY_STEP_MS)
		return believe(s, wall_ms, mono_ms);
	int64_t ahead_ms = wall_ms - mono_ms, moved_ms = ahead_ms - s->doubt_ahead_ms;
	if (!s->doubting || moved_ms > STEADY_STEP_MS || moved_ms < -STEADY_STEP_MS) {
		s->doubting = true;
		s->doubt_from_ms = mono_ms;
		s->doubt_ahead_ms = ahead_ms;
	}
	if (mono_ms - s->doubt_from_ms >= STEADY_DOUBT_MS)
		return believe(s, wall_ms, mono_ms);
	return expected;
}
