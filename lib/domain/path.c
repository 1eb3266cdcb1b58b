#include "path.h"

#include "check.h"

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

/* LEB128: seven bits a byte, lowest first, the top bit says that more follow. */
static void put_varint(struct buf *out, uint64_t v)
{
	for (; v >= 0x80; v >>= 7)
		buf_putc(out, (char) (uint8_t) (v | 0x80));
	buf_putc(out, (char) (uint8_t) v);
}

/* Differences wrap modulo 2^64 in both directions, so that any pair of int64 survives. */
static void put_difference(struct buf *out, int64_t now, int64_t before)
{
	uint64_t d = (uint64_t) now - (uint64_t) before;
	put_varint(out, d << 1 ^ (0 - (d >> 63)));
}

void path_encode(const struct path *path, struct buf *out)
{
	struct tick before = { 0, 0 };
	CHECK(path->n <= PATH_TICKS_MAX);
	put_varint(out, path->n);
	for (size_t i = 0; i < path->n; i++) {
		put_difference(out, path->ticks[i].t_ms, before.t_ms);
		put_difference(out, path->ticks[i].p_cents, before.p_cents);
		before = path->ticks[i];
	}
}

struct reader {
	const uint8_t *at, *end;
};

/* One spelling for each number: no overlong form, nothing above 64 bits. */
static bool get_varint(struct reader *r, uint64_t *ret)
{
	uint64_t v = 0;
	for (unsigned shift = 0; shift < 64; shift += 7) {
		if (r->at == r->end)
			return false;
		uint8_t byte = *r->at++;
		if (shift == 63 && byte > 1)
			return false;
		v |= (uint64_t) (byte & 0x7f) << shift;
		if (byte & 0x80)
			continue;
		*ret = v;
		return byte != 0 || shift == 0;
	}
	return false;
}

static bool get_difference(struct reader *r, int64_t before, int64_t *ret)
{
	uint64_t z;
	if (!get_varint(r, &z))
		return false;
	*ret = (int64_t) ((uint64_t) before + (z >> 1 ^ (0 - (z & 1))));
	return true;
}

bool path_decode(const uint8_t *bytes, size_t len, struct tick *ticks, size_t max, size_t *ret_n)
{
	struct reader r = { bytes, bytes + len };
	struct tick before = { 0, 0 };
	uint64_t n;

	if (!get_varint(&r, &n) || n > max || n > PATH_TICKS_MAX)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!get_difference(&r, before.t_ms, &ticks[i].t_ms) ||
				!get_difference(&r, before.p_cents, &ticks[i].p_cents))
			return false;
		before = ticks[i];
	}
	if (r.at != r.end || !ticks_valid(ticks, (size_t) n))
		return false;
	*ret_n = (size_t) n;
	return true;
}
