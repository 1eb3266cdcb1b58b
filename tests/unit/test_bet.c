/* Bets: legal moves, names, ids that carry their key. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include <stdlib.h>

#include "bet.h"

static void a_bet_is_decided_once(void **state)
{
	(void) state;
	for (int from = 0; from <= BET_STATES; from++)
		for (int to = 0; to <= BET_STATES; to++)
			assert_int_equal(bet_may_move((enum bet_state) from, (enum bet_state) to),
					from == BET_CONFIRMED && (to == BET_WON || to == BET_LOST || to == BET_VOID));
	struct bet b = { .state = BET_CONFIRMED };
	bet_move(&b, BET_VOID);
	assert_int_equal(b.state, BET_VOID);
}

static void states_have_their_names_and_numbers(void **state)
{
	(void) state;
	enum bet_state s;
	assert_string_equal(bet_state_name(BET_CONFIRMED), "confirmed");
	assert_string_equal(bet_state_name(BET_WON), "won");
	assert_string_equal(bet_state_name(BET_LOST), "lost");
	assert_string_equal(bet_state_name(BET_VOID), "void");
	for (int i = BET_CONFIRMED; i < BET_STATES; i++) {
		assert_true(bet_state_parse(&s, bet_state_name((enum bet_state) i)));
		assert_int_equal(s, i);
	}
	assert_false(bet_state_parse(&s, ""));
	assert_false(bet_state_parse(&s, "Won"));
	assert_false(bet_state_parse(&s, "lost "));
	assert_int_equal(BET_VOID, 4); /* stored */
}

static bool round_trips(struct bet_key k)
{
	struct ulid id, again;
	char text[ULID_TEXT_SIZE];
	struct bet_key back;
	if (!bet_id(&id, &k))
		return false;
	ulid_format(text, &id);
	assert_true(ulid_parse(&again, text, strlen(text)));
	bet_key_of(&back, &again);
	assert_true(back.placed_ms == k.placed_ms && back.t0_s == k.t0_s && back.low_cents == k.low_cents &&
			back.user == k.user);
	return true;
}

static void an_id_carries_its_key(void **state)
{
	(void) state;
	const int64_t ms_max = ((int64_t) 1 << 48) - 1, s_max = ms_max / 1000;
	assert_true(round_trips((struct bet_key){ 1771234565123, 1771234575, 9742000, 17 }));
	assert_true(round_trips((struct bet_key){ 0, 0, 0, 0 }));
	assert_true(round_trips((struct bet_key){ 999, 0, 0, 0 }));
	assert_true(round_trips((struct bet_key){ ms_max, s_max, UINT32_MAX, UINT32_MAX }));
	assert_true(round_trips((struct bet_key){ ms_max, s_max + UINT16_MAX, UINT32_MAX, UINT32_MAX }));
	assert_false(round_trips((struct bet_key){ ms_max + 1, s_max + 1, 0, 0 }));
	assert_false(round_trips((struct bet_key){ -1, 0, 0, 0 }));
	assert_false(round_trips((struct bet_key){ 5000, 4, 0, 0 }));
	assert_false(round_trips((struct bet_key){ 5000, 5 + UINT16_MAX + 1, 0, 0 }));
	assert_false(round_trips((struct bet_key){ 5000, INT64_MAX, 0, 0 }));
	assert_false(round_trips((struct bet_key){ 5000, 5, (int64_t) UINT32_MAX + 1, 0 }));
	assert_false(round_trips((struct bet_key){ 5000, 5, -1, 0 }));
	assert_false(round_trips((struct bet_key){ 5000, 5, 0, (int64_t) UINT32_MAX + 1 }));
	assert_false(round_trips((struct bet_key){ 5000, 5, 0, -1 }));
	srand(3);
	for (int i = 0; i < 10000; i++) {
		int64_t ms = (int64_t) rand() * 1000 + rand() % 1000;
		assert_true(round_trips((struct bet_key){ ms, ms / 1000 + rand() % 65536, rand(), rand() }));
	}
}

static void the_same_request_is_seen_field_by_field(void **state)
{
	(void) state;
	const struct bet a = { .user = 1, .cell = { 5, 2000, 4000 }, .stake = { 1000000 }, .rate = { 20000 },
		.rate_min = { 10100 }, .signed_s = 77, .nonce = { 1, 2, 3 }, .state = BET_CONFIRMED };
	struct bet b = a;
	b.rate.e4 = 30000; /* the server's part does not count */
	b.state = BET_WON;
	b.placed_ms = 5;
	assert_true(bet_same_request(&a, &b));
	struct bet other[6] = { a, a, a, a, a, a };
	other[0].cell.t0_s++;
	other[1].cell.low_cents++;
	other[2].stake.micros++;
	other[3].rate_min.e4++;
	other[4].signed_s++;
	other[5].nonce[15]++;
	for (int i = 0; i < 6; i++)
		assert_false(bet_same_request(&a, &other[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bet_is_decided_once),
		cmocka_unit_test(states_have_their_names_and_numbers),
		cmocka_unit_test(an_id_carries_its_key),
		cmocka_unit_test(the_same_request_is_seen_field_by_field),
	};
	return cmocka_run_group_tests_name("bet", tests, NULL, NULL);
}
