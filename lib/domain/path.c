#include "path.h"

#include "check.h"
#include "varint.h"

static bool gap_within(const struct path *p, int64_t end_ms, int64_t max_gap_ms)
{
	for (size_t i = 1; i < p->n; i++)
		if (p->ticks[i].t_ms - p->ticks[i - 1].t_ms > max_gap_ms)
			return false;
	return end_ms - p->ticks[p->n - 1].t_ms <= max_gap_ms;
}

struct path path_cut(const struct tick *ticks, size_t n, int64_t t0_s, int64_t column_s, int64_t max_gap_ms)
{
	int64_t start_ms = t0_s * 1000, end_ms = (t0_s + column_s) * 1000;
	size_t first = ticks_find(ticks, n, start_ms), end = ticks_find(ticks, n, end_ms);
	struct path p = { .t0_s = t0_s, .column_s = column_s, .has_anchor = first > 0, .is_void = true };

	if (p.has_anchor)
		first--;
	p.n = end - first;
	if (p.n == 0)
		return p;
	p.ticks = ticks + first;
	p.low_cents = p.high_cents = p.ticks[0].p_cents;
	for (size_t i = 1; i < p.n; i++) {
		int64_t at = p.ticks[i].p_cents;
		p.low_cents = at < p.low_cents ? at : p.low_cents;
		p.high_cents = at > p.high_cents ? at : p.high_cents;
	}
	p.is_void = !p.has_anchor || !gap_within(&p, end_ms, max_gap_ms);
	return p;
}

struct hash path_digest(const struct path *path, const struct hash *prev)
{
	struct sha256 h;
	sha256_start(&h);
	sha256_add(&h, prev->b, HASH_SIZE);
	sha256_add_be64(&h, path->t0_s * 1000);
	for (size_t i = 0; i < path->n; i++) {
		sha256_add_be64(&h, path->ticks[i].t_ms);
		sha256_add_be64(&h, path->ticks[i].p_cents);
	}
	return sha256_end(&h);
}

void path_encode(const struct path *path, struct buf *out)
{
	struct tick before = { 0, 0 };
	CHECK(path->n <= PATH_TICKS_MAX);
	varint_put(out, path->n);
	for (size_t i = 0; i < path->n; i++) {
		varint_put_difference(out, path->ticks[i].t_ms, before.t_ms);
		varint_put_difference(out, path->ticks[i].p_cents, before.p_cents);
		before = path->ticks[i];
	}
}

bool path_decode(const uint8_t *bytes, size_t len, struct tick *ticks, size_t max, size_t *ret_n)
{
	struct varint_reader r = { bytes, bytes + len };
	struct tick before = { 0, 0 };
	uint64_t n;

	if (!varint_get(&r, &n) || n > max || n > PATH_TICKS_MAX)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!varint_get_difference(&r, before.t_ms, &ticks[i].t_ms) ||
				!varint_get_difference(&r, before.p_cents, &ticks[i].p_cents))
			return false;
		before = ticks[i];
	}
	if (r.at != r.end || !ticks_valid(ticks, (size_t) n))
		return false;
	*ret_n = (size_t) n;
	return true;
}
