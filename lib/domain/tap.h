/* tap.h - a bet request as it is signed: its fields, its bytes, its limits. Domain floor, pure. Thread: any. */
#ifndef TAP_TAP_H
#define TAP_TAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attr.h"
#include "bet.h"
#include "grid.h"
#include "money.h"
#include "rate.h"
#include "wallet.h"

enum { UUID_TEXT_SIZE = 37, TAP_TEXT_MAX = 512, SIGNED_WINDOW_S = 30, TAP_VERSION = 1 };

struct tap {
	struct wallet wallet;
	struct cell cell;
	struct money stake;
	struct rate rate_min;
	uint8_t nonce[NONCE_SIZE];
	int64_t timestamp_s;
	int64_t chain_id;
};

/* A withdrawal request, signed in the same shape; `to` is kept as written, because it is signed as in the body. */
struct withdraw {
	struct wallet wallet;
	struct money amount;
	struct wallet to;
	char to_text[WALLET_TEXT_SIZE];
	uint8_t nonce[NONCE_SIZE];
	int64_t timestamp_s;
	int64_t chain_id;
};

/* Lower case UUID version 4, RFC 9562. */
MUST_CHECK bool nonce_parse(uint8_t ret[NONCE_SIZE], const char *text, size_t len);
void nonce_format(char out[UUID_TEXT_SIZE], const uint8_t nonce[NONCE_SIZE]);

/* The text that is signed ("Tap Trading Bet\nAction: ...", see docs/clients.md), without EIP-191's prefix; returns its length. */
size_t tap_text(char out[TAP_TEXT_MAX], const struct tap *tap);
size_t withdraw_text(char out[TAP_TEXT_MAX], const struct withdraw *w);

/* At most SIGNED_WINDOW_S off the clock, either way. */
bool signed_in_time(int64_t timestamp_s, int64_t now_ms);

#endif
