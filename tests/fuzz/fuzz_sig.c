/* A signature's text and the text it signs, split at the first zero byte: parsed or refused; a signer is found or not, and the
 * same both times; the twin with the other s never counts as well. */
#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "check.h"
#include "sig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_hex(const char *text, size_t n)
{
	if (n != 2 + 2 * SIG_SIZE || text[0] != '0' || text[1] != 'x')
		return false;
	for (size_t i = 2; i < n; i++)
		if (!isxdigit((unsigned char) text[i]))
			return false;
	return true;
}

static void negate_s(struct sig *sig)
{
	static const uint8_t order[32] = {
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe,
		0xba, 0xae, 0xdc, 0xe6, 0xaf, 0x48, 0xa0, 0x3b, 0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36, 0x41, 0x41,
	};
	int borrow = 0;
	for (int i = 31; i >= 0; i--) {
		int d = order[i] - sig->b[32 + i] - borrow;
		borrow = d < 0;
		sig->b[32 + i] = (uint8_t) (d & 0xff);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *) data;
	const char *zero = size ? memchr(text, 0, size) : NULL;
	size_t n = zero ? (size_t) (zero - text) : size;
	const char *message = zero ? zero + 1 : "";
	size_t message_len = zero ? size - n - 1 : 0;
	struct sig sig;
	struct wallet a, b;

	CHECK(sig_init() == 0);
	if (sig_parse(&sig, text, n) != 0) {
		CHECK(!is_hex(text, n));
		if (size < SIG_SIZE)
			return 0;
		memcpy(sig.b, data, SIG_SIZE); /* raw bytes reach the curve sooner than hex does */
		message = text + SIG_SIZE;
		message_len = size - SIG_SIZE;
	}
	int r = sig_recover(&a, &sig, message, message_len);
	CHECK(r == 0 || r == SIG_E_INVALID);
	CHECK(sig_recover(&b, &sig, message, message_len) == r);
	if (r != 0)
		return 0;
	CHECK(wallet_eq(&a, &b));
	negate_s(&sig);
	CHECK(sig_recover(&b, &sig, message, message_len) == SIG_E_INVALID);
	return 0;
}
