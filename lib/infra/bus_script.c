#include "bus_impl.h"

#include <string.h>

#include "hex.h"

/* Redis names a script by the SHA-1 of its text. Nothing rests on this hash's strength, and a wrong one only costs a trip
 * (NOSCRIPT, then loaded); FIPS 180-4. */
static uint32_t rol(uint32_t v, unsigned by)
{
	return v << by | v >> (32 - by);
}

static void sha1_block(uint32_t h[5], const uint8_t block[64])
{
	uint32_t w[80];
	for (size_t i = 0; i < 16; i++)
		w[i] = (uint32_t) block[4 * i] << 24 | (uint32_t) block[4 * i + 1] << 16 |
				(uint32_t) block[4 * i + 2] << 8 | block[4 * i + 3];
	for (size_t i = 16; i < 80; i++)
		w[i] = rol(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
	uint32_t a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
	for (size_t i = 0; i < 80; i++) {
		uint32_t f, k;
		if (i < 20) {
			f = (b & c) | (~b & d);
			k = 0x5a827999;
		} else if (i < 40) {
			f = b ^ c ^ d;
			k = 0x6ed9eba1;
		} else if (i < 60) {
			f = (b & c) | (b & d) | (c & d);
			k = 0x8f1bbcdc;
		} else {
			f = b ^ c ^ d;
			k = 0xca62c1d6;
		}
		uint32_t next = rol(a, 5) + f + e + k + w[i];
		e = d;
		d = c;
		c = rol(b, 30);
		b = a;
		a = next;
	}
	h[0] += a;
	h[1] += b;
	h[2] += c;
	h[3] += d;
	h[4] += e;
}

void bus_sha1(char out[41], const char *text, size_t n)
{
	uint32_t h[5] = { 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0 };
	uint8_t block[64], digest[20];
	size_t at = 0;
	for (; n - at >= sizeof block; at += sizeof block) {
		memcpy(block, text + at, sizeof block);
		sha1_block(h, block);
	}
	memset(block, 0, sizeof block);
	memcpy(block, text + at, n - at);
	block[n - at] = 0x80;
	if (n - at >= 56) {
		sha1_block(h, block);
		memset(block, 0, sizeof block);
	}
	be64_put(block + 56, (uint64_t) n * 8);
	sha1_block(h, block);
	for (size_t i = 0; i < 20; i++)
		digest[i] = (uint8_t) (h[i / 4] >> (24 - 8 * (i % 4)));
	hex_encode(out, digest, sizeof digest);
}
