#include "referee_path.h"

#include <nettle/sha2.h>
#include <string.h>

#include "redis.h"

enum { W_MS = 5000, GAP_MS = 3000, HEARD_MS = 180000, TICKS_MAX = 4096,
	FAR_MS = 1000000, STEPS_MS = 70000 /* by so much a clock that steps may have put ticks out of order */ };

static void add(struct sha256_ctx *h, int64_t v)
{
	uint8_t b[8];
	for (int i = 0; i < 8; i++)
		b[i] = (uint8_t) ((uint64_t) v >> (56 - 8 * i));
	sha256_update(h, sizeof b, b);
}

static int64_t newest_heard(void)
{
	for (size_t i = redis_ticks(); i-- > 0;)
		if (redis_tick(i)->heard)
			return redis_tick(i)->tick.t_ms;
	return INT64_MIN;
}

/* The path's ticks in order of t, the anchor first. At one t both witnesses have the same tick: it was published once. */
static int gather(int64_t from_ms, bool read, struct tick *ticks, bool *ret_anchored)
{
	struct tick anchor = { .t_ms = INT64_MIN };
	int64_t heard_from = newest_heard() - HEARD_MS;
	int n = 1;
	for (size_t i = redis_ticks(); i-- > 0;) {
		const struct seen_tick *s = redis_tick(i);
		const struct tick t = s->tick;
		if (t.t_ms < from_ms - (anchor.t_ms == INT64_MIN ? FAR_MS : STEPS_MS))
			break;
		if (!((read && s->recorded) || (s->heard && t.t_ms >= heard_from)) || t.t_ms >= from_ms + W_MS)
			continue;
		if (t.t_ms < from_ms) {
			if (t.t_ms > anchor.t_ms)
				anchor = t;
			continue;
		}
		int at = n++;
		for (; at > 1 && ticks[at - 1].t_ms < t.t_ms; at--)
			ticks[at] = ticks[at - 1];
		ticks[at] = t;
	}
	for (int i = 1, j = n - 1; i < j; i++, j--) { /* they came newest first */
		struct tick t = ticks[i];
		ticks[i] = ticks[j];
		ticks[j] = t;
	}
	ticks[0] = anchor;
	*ret_anchored = anchor.t_ms != INT64_MIN;
	return n;
}

static bool has_gap(const struct tick *ticks, int n, int64_t end_ms)
{
	for (int i = 1; i < n; i++)
		if (ticks[i].t_ms - ticks[i - 1].t_ms > GAP_MS)
			return true;
	return end_ms - ticks[n - 1].t_ms > GAP_MS;
}

struct verdict verdict_of(int64_t t0_s, bool read, const uint8_t prev_digest[32])
{
	static struct tick room[TICKS_MAX];
	struct verdict v = { .t0_s = t0_s, .read = read };
	struct tick *ticks = room;
	struct sha256_ctx h;
	int n = gather(t0_s * 1000, read, ticks, &v.anchored);
	if (v.anchored) {
		v.anchor_t = ticks[0].t_ms;
		v.anchor_p = ticks[0].p_cents;
	} else {
		ticks++;
		n--;
	}
	v.n = n;
	v.is_void = !v.anchored || has_gap(ticks, n, t0_s * 1000 + W_MS);
	for (int i = 0; i < n; i++) {
		v.low = i == 0 || ticks[i].p_cents < v.low ? ticks[i].p_cents : v.low;
		v.high = i == 0 || ticks[i].p_cents > v.high ? ticks[i].p_cents : v.high;
	}
	sha256_init(&h);
	sha256_update(&h, 32, prev_digest);
	add(&h, t0_s * 1000);
	for (int i = 0; i < n; i++) {
		add(&h, ticks[i].t_ms);
		add(&h, ticks[i].p_cents);
	}
	sha256_digest(&h, sizeof v.digest, v.digest);
	return v;
}
