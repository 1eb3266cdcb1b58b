#include "varint.h"

/* Seven bits a byte, lowest first, the top bit says that more follow. */
void varint_put(struct buf *out, uint64_t v)
{
	for (; v >= 0x80; v >>= 7)
		buf_putc(out, (char) (uint8_t) (v | 0x80));
	buf_putc(out, (char) (uint8_t) v);
}

void varint_put_difference(struct buf *out, int64_t now, int64_t before)
{
	uint64_t d = (uint64_t) now - (uint64_t) before;
	varint_put(out, d << 1 ^ (0 - (d >> 63)));
}

bool varint_get(struct varint_reader *r, uint64_t *ret)
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

bool varint_get_up_to(struct varint_reader *r, uint64_t most, int64_t *ret)
{
	uint64_t v;
	if (!varint_get(r, &v) || v > most || v > INT64_MAX)
		return false;
	*ret = (int64_t) v;
	return true;
}

bool varint_get_difference(struct varint_reader *r, int64_t before, int64_t *ret)
{
	uint64_t z;
	if (!varint_get(r, &z))
		return false;
	*ret = (int64_t) ((uint64_t) before + (z >> 1 ^ (0 - (z & 1))));
	return true;
}
