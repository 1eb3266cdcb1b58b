/* wallet.h - a 20 byte account address and its text. Base floor.
 * Text is 0x and 40 hex digits; of one case it is taken as it is, a mixed-case one must pass EIP-55's checksum; it is always
 * written in EIP-55 form (https://eips.ethereum.org/EIPS/eip-55). Thread: any. */
#ifndef TAP_WALLET_H
#define TAP_WALLET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attr.h"

enum { WALLET_SIZE = 20, WALLET_TEXT_SIZE = 43 };

struct wallet {
	uint8_t b[WALLET_SIZE];
};

MUST_CHECK bool wallet_parse(struct wallet *ret, const char *text, size_t len);
void wallet_format(char out[WALLET_TEXT_SIZE], const struct wallet *w);
bool wallet_eq(const struct wallet *a, const struct wallet *b);

#endif
