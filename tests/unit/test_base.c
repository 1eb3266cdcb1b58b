/* The base floor: hashes, ids, wallets, money, decimal text, weeks, configuration. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "clk.h"
#include "conf.h"
#include "hash.h"
#include "hex.h"
#include "money.h"
#include "price.h"
#include "rate.h"
#include "ulid.h"
#include "wallet.h"

static void hashes_match_their_vectors(void **state)
{
	(void) state;
	char hex[2 * HASH_SIZE + 1];
	struct hash h = keccak256_of("", 0);
	hex_encode(hex, h.b, HASH_SIZE);
	assert_string_equal(hex, "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470");
	h = sha256_of("abc", 3);
	hex_encode(hex, h.b, HASH_SIZE);
	assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	/* around the rate of 136: one block, exactly one, one and a byte */
	char long_text[300];
	memset(long_text, 'a', sizeof long_text);
	static const struct { size_t n; const char *digest; } around[] = {
		{ 135, "34367dc248bbd832f4e3e69dfaac2f92638bd0bbd18f2912ba4ef454919cf446" },
		{ 136, "a6c4d403279fe3e0af03729caada8374b5ca54d8065329a3ebcaeb4b60aa386e" },
		{ 137, "d869f639c7046b4929fc92a4d988a8b22c55fbadb802c0c66ebcd484f1915f39" },
	};
	for (size_t i = 0; i < ARRAY_LEN(around); i++) {
		h = keccak256_of(long_text, around[i].n);
		hex_encode(hex, h.b, HASH_SIZE);
		assert_string_equal(hex, around[i].digest);
	}
}

static void wallets_pass_eip55(void **state)
{
	(void) state;
	static const char *const good[] = { /* EIP-55's own */
		"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
		"0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB", "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
	};
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		struct wallet w;
		char text[WALLET_TEXT_SIZE];
		assert_true(wallet_parse(&w, good[i], 42));
		wallet_format(text, &w);
		assert_string_equal(text, good[i]);
	}
	struct wallet w;
	assert_false(wallet_parse(&w, "0x5aaeb6053F3E94C9b9A09f33669435E7Ef1BeAed", 42)); /* mixed, wrong */
	assert_true(wallet_parse(&w, "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed", 42));
	assert_true(wallet_parse(&w, "0x5AAEB6053F3E94C9B9A09F33669435E7EF1BEAED", 42));
	assert_false(wallet_parse(&w, "0X5aaeb6053f3e94c9b9a09f33669435e7ef1beaed", 42));
	assert_false(wallet_parse(&w, "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beae", 41));
}

static void ulids_round_trip_and_sort(void **state)
{
	(void) state;
	struct ulid a = ulid_make(1771234565123, 0xffff, 0x0123456789abcdefULL), b;
	char text[ULID_TEXT_SIZE], later[ULID_TEXT_SIZE];
	ulid_format(text, &a);
	assert_true(ulid_parse(&b, text, 26));
	assert_memory_equal(&a, &b, sizeof a);
	int64_t t;
	uint16_t hi;
	uint64_t lo;
	ulid_split(&b, &t, &hi, &lo);
	assert_int_equal(t, 1771234565123);
	assert_int_equal(hi, 0xffff);
	assert_true(lo == 0x0123456789abcdefULL);
	struct ulid next = ulid_make(1771234565124, 0, 0);
	ulid_format(later, &next);
	assert_true(strcmp(text, later) < 0);
	assert_false(ulid_parse(&b, "01ARZ3NDEKTSV4RRFFQ69G5FAI", 26)); /* I is no digit */
	assert_false(ulid_parse(&b, "81ARZ3NDEKTSV4RRFFQ69G5FAV", 26)); /* more than 128 bits */
	assert_false(ulid_parse(&b, "01arz3ndektsv4rrffq69g5fav", 26));
}

static void money_never_wraps(void **state)
{
	(void) state;
	struct money m = money_of(7);
	assert_false(money_add(&m, money_of(INT64_MAX), money_of(1)));
	assert_false(money_sub(&m, money_of(1), money_of(2)));
	assert_int_equal(m.micros, 7);
	assert_true(rate_payout(&m, money_of(1000001), (struct rate){ 23500 }));
	assert_int_equal(m.micros, 2350002); /* floor of 2350002.35 */
	assert_false(rate_payout(&m, money_of(INT64_MAX), (struct rate){ 10001 }));
	assert_true(rate_payout(&m, money_of(INT64_MAX), (struct rate){ 10000 }));
	assert_true(m.micros == INT64_MAX);
}

static void prices_are_decimal_text(void **state)
{
	(void) state;
	static const struct { const char *text; int64_t e4; } good[] = {
		{ "61837.63000000", 618376300 }, { "1", 10000 }, { "0.0001", 1 }, { "105944.20", 1059442000 },
		{ "1.00005", 10001 }, { "1.00004999", 10000 }, { "10000000", 100000000000 },
	};
	static const char *const bad[] = { "", ".", ".5", "5.", "-1", "+1", "1e5", "0", "0.00000", "10000001", "1,5", " 1", "1 ",
		"NaN", "99999999999999999999", "1.2.3" };
	int64_t e4;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		assert_true(price_parse_e4(&e4, good[i].text, strlen(good[i].text)));
		assert_int_equal(e4, good[i].e4);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(price_parse_e4(&e4, bad[i], strlen(bad[i])));
	assert_int_equal(price_from_e4(618376350).cents, 6183764);
}

static void weeks_are_iso(void **state)
{
	(void) state;
	static const struct { int64_t s; int year, week; } days[] = {
		{ 0, 1970, 1 },                 /* Thursday 1970-01-01 */
		{ 1767225600, 2026, 1 },        /* 2026-01-01, Thursday */
		{ 1798761600, 2026, 53 },       /* 2027-01-01, Friday: still 2026's 53rd */
		{ 1799020799, 2026, 53 },       /* 2027-01-03T23:59:59 */
		{ 1799020800, 2027, 1 },        /* Monday 2027-01-04 */
		{ 1609459200, 2020, 53 },       /* 2021-01-01 */
		{ 1795219200, 2026, 47 },       /* 2026-11-21 */
	};
	for (size_t i = 0; i < ARRAY_LEN(days); i++) {
		struct clk_week w = clk_iso_week(days[i].s * 1000);
		assert_int_equal(w.year, days[i].year);
		assert_int_equal(w.week, days[i].week);
		int64_t end = clk_week_start_ms(w) + INT64_C(604800000);
		assert_true(clk_week_start_ms(w) <= days[i].s * 1000 && days[i].s * 1000 < end);
		assert_true(clk_week_start_ms(clk_iso_week(end)) == end);
	}
}

static void configuration_names_each_wrong_key(void **state)
{
	(void) state;
	int64_t n = 0, ppm = 0;
	struct conf_listen at;
	struct conf_ints list;
	const struct conf_row rows[] = {
		{ "TAP_N", CONF_INT, &n, "5", 1, 10, "things", "how many", 1 },
		{ "TAP_P", CONF_PPM, &ppm, "0.04", 0, 1000000, "probability", "p", 1 },
		{ "TAP_AT", CONF_LISTEN, &at, "127.0.0.1:8080", 0, 0, "host:port", "where", 1 },
		{ "TAP_L", CONF_INTS, &list, "1,5,10", 1, 100, "x", "list", 1 },
		{ 0 },
	};
	char *none[] = { NULL };
	assert_int_equal(conf_load(rows, none, NULL), 0);
	assert_int_equal(n, 5);
	assert_int_equal(ppm, 40000);
	assert_int_equal(at.port, 8080);
	assert_int_equal(list.n, 3);
	char *wrong[] = { "TAP_N=11", "TAP_P=x", "TAP_AT=8080", "TAP_L=5,1", "TAP_TYPO=1", "HOME=/", NULL };
	assert_int_equal(conf_load(rows, wrong, NULL), 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hashes_match_their_vectors),
		cmocka_unit_test(wallets_pass_eip55),
		cmocka_unit_test(ulids_round_trip_and_sort),
		cmocka_unit_test(money_never_wraps),
		cmocka_unit_test(prices_are_decimal_text),
		cmocka_unit_test(weeks_are_iso),
		cmocka_unit_test(configuration_names_each_wrong_key),
	};
	return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
