#include "wallet.h"

#include <string.h>

#include "hash.h"
#include "hex.h"

void wallet_format(char out[WALLET_TEXT_SIZE], const struct wallet *w)
{
	char *digits = out + 2;
	out[0] = '0';
	out[1] = 'x';
	hex_encode(digits, w->b, WALLET_SIZE);
	struct hash h = keccak256_of(digits, 2 * WALLET_SIZE);
	for (size_t i = 0; i < 2 * WALLET_SIZE; i++) {
		unsigned nibble = i % 2 ? h.b[i / 2] & 15u : h.b[i / 2] >> 4;
		if (digits[i] >= 'a' && nibble >= 8)
			digits[i] = (char) (digits[i] - 'a' + 'A');
	}
}

bool wallet_parse(struct wallet *ret, const char *text, size_t len)
{
	struct wallet w;
	bool upper = false, lower = false;
	char checked[WALLET_TEXT_SIZE];

	if (!hex_decode_0x(w.b, sizeof w.b, text, len))
		return false;
	for (size_t i = 2; i < len; i++) {
		upper |= text[i] >= 'A' && text[i] <= 'F';
		lower |= text[i] >= 'a' && text[i] <= 'f';
	}
	if (upper && lower) {
		wallet_format(checked, &w);
		if (memcmp(checked, text, len) != 0)
			return false;
	}
	*ret = w;
	return true;
}

bool wallet_eq(const struct wallet *a, const struct wallet *b)
{
	return memcmp(a->b, b->b, WALLET_SIZE) == 0;
}
