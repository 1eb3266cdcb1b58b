/* hash.h - SHA-256 and Keccak-256, over nettle: the one module that includes it. Base floor.
 * SHA-256 is FIPS 180-4 (digests, chains). Keccak-256 is the original Keccak submission with 0x01 padding and rate 136, as
 * Ethereum uses it, not FIPS 202's SHA3-256; nettle gives its permutation.
 * Thread: any; a struct sha256 has one owner. */
#ifndef TAP_HASH_H
#define TAP_HASH_H

#include <stddef.h>
#include <stdint.h>

enum { HASH_SIZE = 32 };

struct hash {
	uint8_t b[HASH_SIZE];
};

struct sha256 {
	_Alignas(16) uint8_t opaque[128];
};

void sha256_start(struct sha256 *h);
void sha256_add(struct sha256 *h, const void *bytes, size_t n);
void sha256_add_be64(struct sha256 *h, int64_t v);
struct hash sha256_end(struct sha256 *h);
struct hash sha256_of(const void *bytes, size_t n);

struct hash keccak256_of(const void *bytes, size_t n);

#endif
