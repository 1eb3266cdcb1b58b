/* sig.h - who signed a text: EIP-191 personal_sign over secp256k1; the one module that includes libsecp256k1. Infra floor.
 * Source: https://eips.ethereum.org/EIPS/eip-191 (version 0x45), SEC 1 4.1.6 recovery, EIP-2 low s.
 * Thread: any, one shared const context made by sig_init (call once before threads; idempotent). */
#ifndef TAP_SIG_H
#define TAP_SIG_H

#include <stddef.h>
#include <stdint.h>

#include "attr.h"
#include "hash.h"
#include "wallet.h"

enum { SIG_SIZE = 65, SIG_TEXT_MAX = 8192 /* no request carries more */ };

struct sig {
	uint8_t b[SIG_SIZE]; /* r, s, v */
};

enum { SIG_E_FORM = 1, SIG_E_INVALID };

MUST_CHECK int sig_init(void);

/* 0x and 130 hex digits: 0 or SIG_E_FORM. */
MUST_CHECK int sig_parse(struct sig *ret, const char *text, size_t len);

/* Keccak-256 of "\x19Ethereum Signed Message:\n" || decimal length || text, of at most SIG_TEXT_MAX bytes. */
struct hash sig_message_hash(const char *text, size_t len);

/* The signer's address: 0, or SIG_E_INVALID for r or s out of range, high s, v other than 0, 1, 27, 28, no such point,
 * or a text longer than SIG_TEXT_MAX. */
MUST_CHECK int sig_recover(struct wallet *ret, const struct sig *sig, const char *text, size_t len);

/* For tools, tests and the load generator: signs with a 32 byte secret key, v 27 or 28; and the key's address.
 * 0, or SIG_E_INVALID for a key out of range. */
MUST_CHECK int sig_sign(struct sig *ret, const uint8_t secret[32], const char *text, size_t len);
MUST_CHECK int sig_address(struct wallet *ret, const uint8_t secret[32]);

#endif
