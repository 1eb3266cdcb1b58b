#include "tap.h"

#include <inttypes.h>
#include <stdio.h>

#include "check.h"
#include "hex.h"

/* Where the hyphens of 8-4-4-4-12 stand, in bytes before them. */
static bool hyphen_before_byte(size_t i)
{
	return i == 4 || i == 6 || i == 8 || i == 10;
}

bool nonce_parse(uint8_t ret[NONCE_SIZE], const char *text, size_t len)
{
	uint8_t nonce[NONCE_SIZE];
	if (len != UUID_TEXT_SIZE - 1)
		return false;
	for (size_t i = 0; i < len; i++)
		if (text[i] >= 'A' && text[i] <= 'F')
			return false; /* the signed text has one spelling */
	for (size_t i = 0, at = 0; i < NONCE_SIZE; i++, at += 2) {
		if (hyphen_before_byte(i) && text[at++] != '-')
			return false;
		if (!hex_decode(&nonce[i], 1, text + at))
			return false;
	}
	if (nonce[6] >> 4 != 4 || nonce[8] >> 6 != 2) /* version and variant, RFC 9562 */
		return false;
	for (size_t i = 0; i < NONCE_SIZE; i++)
		ret[i] = nonce[i];
	return true;
}

void nonce_format(char out[UUID_TEXT_SIZE], const uint8_t nonce[NONCE_SIZE])
{
	size_t at = 0;
	for (size_t i = 0; i < NONCE_SIZE; i++, at += 2) {
		if (hyphen_before_byte(i))
			out[at++] = '-';
		hex_encode(out + at, nonce + i, 1);
	}
}

size_t tap_text(char out[TAP_TEXT_MAX], const struct tap *tap)
{
	char cell[CELL_TEXT_SIZE], nonce[UUID_TEXT_SIZE];
	cell_format(cell, &tap->cell);
	nonce_format(nonce, tap->nonce);
	int n = snprintf(out, TAP_TEXT_MAX,
			"Tap Trading Bet\n"
			"Action: place_bet\n"
			"Cell: %s\n"
			"Stake: %" PRId64 "\n"
			"Rate: %" PRId32 "\n"
			"Nonce: %s\n"
			"Timestamp: %" PRId64 "\n"
			"Chain: %" PRId64 "\n"
			"Version: %d",
			cell, tap->stake.micros, tap->rate_min.e4, nonce, tap->timestamp_s, tap->chain_id, TAP_VERSION);
	CHECK(n > 0 && n < TAP_TEXT_MAX);
	return (size_t) n;
}

size_t withdraw_text(char out[TAP_TEXT_MAX], const struct withdraw *w)
{
	char nonce[UUID_TEXT_SIZE];
	nonce_format(nonce, w->nonce);
	int n = snprintf(out, TAP_TEXT_MAX,
			"Tap Trading Withdrawal\n"
			"Action: withdraw\n"
			"Amount: %" PRId64 "\n"
			"To: %s\n"
			"Nonce: %s\n"
			"Timestamp: %" PRId64 "\n"
			"Chain: %" PRId64 "\n"
			"Version: %d",
			w->amount.micros, w->to_text, nonce, w->timestamp_s, w->chain_id, TAP_VERSION);
	CHECK(n > 0 && n < TAP_TEXT_MAX);
	return (size_t) n;
}

bool signed_in_time(int64_t timestamp_s, int64_t now_ms)
{
	int64_t signed_ms, off_ms;
	if (__builtin_mul_overflow(timestamp_s, 1000, &signed_ms) || __builtin_sub_overflow(signed_ms, now_ms, &off_ms))
		return false;
	return off_ms >= -SIGNED_WINDOW_S * 1000 && off_ms <= SIGNED_WINDOW_S * 1000;
}
