#include "ulid.h"

#include <string.h>

#include "buf.h"
#include "rnd.h"

static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

struct ulid ulid_make(int64_t time_ms, uint16_t hi, uint64_t lo)
{
	struct ulid u;
	be64_put(u.b, (uint64_t) time_ms << 16 | hi);
	be64_put(u.b + 8, lo);
	return u;
}

void ulid_split(const struct ulid *u, int64_t *time_ms, uint16_t *hi, uint64_t *lo)
{
	uint64_t top = be64_get(u->b);
	*time_ms = (int64_t) (top >> 16);
	*hi = (uint16_t) top;
	*lo = be64_get(u->b + 8);
}

struct ulid ulid_new(int64_t now_ms)
{
	uint8_t r[10];
	rnd_bytes(r, sizeof r);
	return ulid_make(now_ms, (uint16_t) (r[0] << 8 | r[1]), be64_get(r + 2));
}

/* 26 characters are 130 bits: the first holds the top three bits alone. */
void ulid_format(char out[ULID_TEXT_SIZE], const struct ulid *u)
{
	uint64_t hi = be64_get(u->b), lo = be64_get(u->b + 8);
	for (int i = 25; i >= 0; i--) {
		out[i] = alphabet[lo & 31];
		lo = lo >> 5 | hi << 59;
		hi >>= 5;
	}
	out[26] = '\0';
}

bool ulid_parse(struct ulid *ret, const char *text, size_t len)
{
	uint64_t hi = 0, lo = 0;
	if (len != 26 || text[0] > '7')
		return false;
	for (size_t i = 0; i < 26; i++) {
		const char *at = text[i] ? strchr(alphabet, text[i]) : NULL;
		if (!at)
			return false;
		hi = hi << 5 | lo >> 59;
		lo = lo << 5 | (uint64_t) (at - alphabet);
	}
	be64_put(ret->b, hi);
	be64_put(ret->b + 8, lo);
	return true;
}
