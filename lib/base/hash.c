#include "hash.h"

#include <nettle/sha2.h>
#include <nettle/sha3.h>
#include <string.h>

#include "buf.h"

_Static_assert(sizeof(struct sha256_ctx) <= sizeof(struct sha256), "struct sha256 holds nettle's context");

static struct sha256_ctx *ctx_of(struct sha256 *h)
{
	return (struct sha256_ctx *) (void *) h->opaque;
}

void sha256_start(struct sha256 *h)
{
	sha256_init(ctx_of(h));
}

void sha256_add(struct sha256 *h, const void *bytes, size_t n)
{
	sha256_update(ctx_of(h), n, bytes);
}

void sha256_add_be64(struct sha256 *h, int64_t v)
{
	uint8_t b[8];
	be64_put(b, (uint64_t) v);
	sha256_add(h, b, sizeof b);
}

struct hash sha256_end(struct sha256 *h)
{
	struct hash out;
	sha256_digest(ctx_of(h), sizeof out.b, out.b);
	return out;
}

struct hash sha256_of(const void *bytes, size_t n)
{
	struct sha256 h;
	sha256_start(&h);
	sha256_add(&h, bytes, n);
	return sha256_end(&h);
}

enum { KECCAK_RATE = 136 };

/* XORs a block of the rate into the state; lanes are little-endian. */
static void absorb(struct sha3_state *s, const uint8_t *block)
{
	for (size_t lane = 0; lane < KECCAK_RATE / 8; lane++) {
		uint64_t v = 0;
		for (size_t i = 0; i < 8; i++)
			v |= (uint64_t) block[8 * lane + i] << (8 * i);
		s->a[lane] ^= v;
	}
	sha3_permute(s);
}

struct hash keccak256_of(const void *bytes, size_t n)
{
	const uint8_t *p = bytes;
	struct sha3_state s = { 0 };
	uint8_t last[KECCAK_RATE] = { 0 };
	struct hash out;

	for (; n >= KECCAK_RATE; p += KECCAK_RATE, n -= KECCAK_RATE)
		absorb(&s, p);
	if (n)
		memcpy(last, p, n);
	last[n] = 0x01;
	last[KECCAK_RATE - 1] |= 0x80;
	absorb(&s, last);
	for (size_t i = 0; i < HASH_SIZE; i++)
		out.b[i] = (uint8_t) (s.a[i / 8] >> (8 * (i % 8)));
	return out;
}
