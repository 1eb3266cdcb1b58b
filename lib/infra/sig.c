#include "sig.h"

#include <errno.h>
#include <pthread.h>
#include <secp256k1.h>
#include <secp256k1_recovery.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "err.h"
#include "hex.h"
#include "rnd.h"

static const char prefix[] = "\x19" "Ethereum Signed Message:\n";

/* Half of the group's order, SEC 2: a signature with a greater s has a twin with a smaller one, and only one may count. */
static const uint8_t half_order[32] = {
	0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	0x5d, 0x57, 0x6e, 0x73, 0x57, 0xa4, 0x50, 0x1d, 0xdf, 0xe9, 0x2f, 0x46, 0x68, 0x1b, 0x20, 0xa0,
};

static secp256k1_context *shared; /* not written after sig_init: the library then allows any number of threads */
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void make_context(void)
{
	uint8_t seed[32];
	shared = secp256k1_context_create(SECP256K1_CONTEXT_NONE);
	if (!shared)
		return;
	rnd_bytes(seed, sizeof seed);
	CHECK(secp256k1_context_randomize(shared, seed)); /* blinds signing against timing */
}

int sig_init(void)
{
	if (pthread_once(&once, make_context) != 0 || !shared)
		return err_say(-ENOMEM, "sig: no memory for the curve's context");
	return 0;
}

int sig_parse(struct sig *ret, const char *text, size_t len)
{
	return hex_decode_0x(ret->b, sizeof ret->b, text, len) ? 0 : SIG_E_FORM;
}

struct hash sig_message_hash(const char *text, size_t len)
{
	char whole[sizeof prefix + 20 + SIG_TEXT_MAX];
	CHECK(len <= SIG_TEXT_MAX);
	int n = snprintf(whole, sizeof whole, "%s%zu", prefix, len);
	memcpy(whole + n, text, len);
	return keccak256_of(whole, (size_t) n + len);
}

static void address_of(struct wallet *ret, const secp256k1_pubkey *key)
{
	uint8_t point[65];
	size_t n = sizeof point;
	CHECK(secp256k1_ec_pubkey_serialize(shared, point, &n, key, SECP256K1_EC_UNCOMPRESSED) && n == sizeof point);
	struct hash h = keccak256_of(point + 1, sizeof point - 1); /* without the 0x04 that says "uncompressed" */
	memcpy(ret->b, h.b + HASH_SIZE - WALLET_SIZE, WALLET_SIZE);
}

/* 0 or 1, or -1 for a v that is none of the four that wallets write. */
static int recovery_id(uint8_t v)
{
	if (v == 27 || v == 28)
		v = (uint8_t) (v - 27);
	return v <= 1 ? v : -1;
}

int sig_recover(struct wallet *ret, const struct sig *sig, const char *text, size_t len)
{
	secp256k1_ecdsa_recoverable_signature parsed;
	secp256k1_pubkey key;
	int id = recovery_id(sig->b[64]);

	CHECK(shared);
	if (len > SIG_TEXT_MAX || id < 0 || memcmp(sig->b + 32, half_order, sizeof half_order) > 0)
		return SIG_E_INVALID;
	if (!secp256k1_ecdsa_recoverable_signature_parse_compact(shared, &parsed, sig->b, id))
		return SIG_E_INVALID;
	struct hash h = sig_message_hash(text, len);
	if (!secp256k1_ecdsa_recover(shared, &key, &parsed, h.b))
		return SIG_E_INVALID;
	address_of(ret, &key);
	return 0;
}

int sig_sign(struct sig *ret, const uint8_t secret[32], const char *text, size_t len)
{
	secp256k1_ecdsa_recoverable_signature made;
	int id;

	CHECK(shared && len <= SIG_TEXT_MAX);
	struct hash h = sig_message_hash(text, len);
	if (!secp256k1_ecdsa_sign_recoverable(shared, &made, h.b, secret, NULL, NULL))
		return SIG_E_INVALID;
	CHECK(secp256k1_ecdsa_recoverable_signature_serialize_compact(shared, ret->b, &id, &made));
	ret->b[64] = (uint8_t) (27 + id);
	return 0;
}

int sig_address(struct wallet *ret, const uint8_t secret[32])
{
	secp256k1_pubkey key;
	CHECK(shared);
	if (!secp256k1_ec_pubkey_create(shared, &key, secret))
		return SIG_E_INVALID;
	address_of(ret, &key);
	return 0;
}
