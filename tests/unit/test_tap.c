/* What is signed: nonces, the texts byte for byte, the 30 seconds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "attr.h"
#include "tap.h"

static const char uuid[] = "0f1e2d3c-4b5a-4978-8a9b-acbdcedfe0f1";

static void a_nonce_is_a_lower_case_uuid_4(void **state)
{
	(void) state;
	uint8_t n[NONCE_SIZE];
	char text[UUID_TEXT_SIZE];
	assert_true(nonce_parse(n, uuid, 36));
	nonce_format(text, n);
	assert_string_equal(text, uuid);
	assert_int_equal(n[0], 0x0f);
	assert_int_equal(n[15], 0xf1);
	static const char *const bad[] = {
		"", "0f1e2d3c4b5a49788a9bacbdcedfe0f1", "0F1e2d3c-4b5a-4978-8a9b-acbdcedfe0f1",
		"0f1e2d3c-4b5a-1978-8a9b-acbdcedfe0f1", "0f1e2d3c-4b5a-4978-7a9b-acbdcedfe0f1",
		"0f1e2d3c-4b5a-4978-ca9b-acbdcedfe0f1", "0f1e2d3c-4b5a-4978-8a9b-acbdcedfe0f",
		"0f1e2d3c-4b5a-4978-8a9b-acbdcedfe0f12", "0f1e2d3c-4b5a-4978-8a9b-acbdcedfe0fg",
		"0f1e2d3c_4b5a-4978-8a9b-acbdcedfe0f1", "0f1e2d3-c4b5a-4978-8a9b-acbdcedfe0f1",
		"{0f1e2d3c-4b5a-4978-8a9b-acbdcedfe0f}",
	};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(nonce_parse(n, bad[i], strlen(bad[i])));
	for (const char *v = "89ab"; *v; v++) {
		char good[] = "0f1e2d3c-4b5a-4978-8a9b-acbdcedfe0f1";
		good[19] = *v;
		assert_true(nonce_parse(n, good, 36));
	}
}

static void the_bets_text_is_the_contracts(void **state)
{
	(void) state;
	struct tap t = { .cell = { 1771234565, 9742000, 9744000 }, .stake = { 5000000 }, .rate_min = { 23500 },
		.timestamp_s = 1771234501, .chain_id = 1 };
	char text[TAP_TEXT_MAX];
	assert_true(nonce_parse(t.nonce, uuid, 36));
	static const char want[] = "Tap Trading Bet\nAction: place_bet\nCell: 1771234565_9742000_9744000\nStake: 5000000\n"
			"Rate: 23500\nNonce: 0f1e2d3c-4b5a-4978-8a9b-acbdcedfe0f1\nTimestamp: 1771234501\nChain: 1\nVersion: 1";
	assert_int_equal(tap_text(text, &t), sizeof want - 1);
	assert_string_equal(text, want);
}

static void the_withdrawals_text_keeps_the_address_as_written(void **state)
{
	(void) state;
	struct withdraw w = { .amount = { 1500000 }, .to_text = "0x2C7536e3605d9c16A7a3d7b1898e529396A65C23",
		.timestamp_s = 1771234501, .chain_id = 137 };
	char text[TAP_TEXT_MAX];
	assert_true(nonce_parse(w.nonce, uuid, 36));
	static const char want[] = "Tap Trading Withdrawal\nAction: withdraw\nAmount: 1500000\n"
			"To: 0x2C7536e3605d9c16A7a3d7b1898e529396A65C23\nNonce: 0f1e2d3c-4b5a-4978-8a9b-acbdcedfe0f1\n"
			"Timestamp: 1771234501\nChain: 137\nVersion: 1";
	assert_int_equal(withdraw_text(text, &w), sizeof want - 1);
	assert_string_equal(text, want);
}

static void the_longest_texts_fit(void **state)
{
	(void) state;
	char text[TAP_TEXT_MAX];
	struct tap t = { .cell = { INT64_MIN, INT64_MIN, INT64_MIN }, .stake = { INT64_MIN }, .rate_min = { INT32_MIN },
		.timestamp_s = INT64_MIN, .chain_id = INT64_MIN };
	assert_in_range(tap_text(text, &t), 200, TAP_TEXT_MAX - 1);
	struct withdraw w = { .amount = { INT64_MIN }, .to_text = "0x2C7536e3605d9c16A7a3d7b1898e529396A65C23",
		.timestamp_s = INT64_MIN, .chain_id = INT64_MIN };
	assert_in_range(withdraw_text(text, &w), 200, TAP_TEXT_MAX - 1);
}

static void thirty_seconds_either_way(void **state)
{
	(void) state;
	assert_true(signed_in_time(1000, 1000000));
	assert_true(signed_in_time(1000, 1030000));
	assert_false(signed_in_time(1000, 1030001));
	assert_true(signed_in_time(1000, 970000));
	assert_false(signed_in_time(1000, 969999));
	assert_false(signed_in_time(INT64_MAX, 1000));
	assert_false(signed_in_time(INT64_MIN, 1000));
	assert_false(signed_in_time(INT64_MIN / 1000, INT64_MAX));
	assert_false(signed_in_time(1771234565000, 1771234565000)); /* milliseconds by mistake */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_nonce_is_a_lower_case_uuid_4),
		cmocka_unit_test(the_bets_text_is_the_contracts),
		cmocka_unit_test(the_withdrawals_text_keeps_the_address_as_written),
		cmocka_unit_test(the_longest_texts_fit),
		cmocka_unit_test(thirty_seconds_either_way),
	};
	return cmocka_run_group_tests_name("tap", tests, NULL, NULL);
}
