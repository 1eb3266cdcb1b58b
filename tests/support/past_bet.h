/* past_bet.h - a bet of a book that a test makes before the product runs over it. For tests only. */
#ifndef TAP_TEST_PAST_BET_H
#define TAP_TEST_PAST_BET_H

#include "bet.h"
#include "book.h"
#include "ledger.h"
#include "rnd.h"

/* 5 USD at 2.0 on the row of 20 USD from low_cents, placed 10 s before its column; its id. In a transaction. */
static inline void past_bet_put(struct store *db, int64_t user, int64_t t0_s, int64_t low_cents, char id_text[ULID_TEXT_SIZE])
{
	int64_t row;
	struct ulid id;
	struct account a;
	struct bet b = { .user = user, .cell = { t0_s, low_cents, low_cents + 2000 }, .stake = { 5 * MICROS_PER_USD }, .rate = { 20000 },
		.rate_min = { 10100 }, .placed_ms = (t0_s - 10) * 1000, .signed_s = t0_s - 10, .state = BET_CONFIRMED };
	const struct bet_key key = { .placed_ms = b.placed_ms, .t0_s = t0_s, .low_cents = low_cents, .user = user };
	rnd_bytes(b.nonce, sizeof b.nonce);
	assert_int_equal(ledger_stake(db, &b, &a, &row), 0);
	assert_int_equal(book_put_bet(db, &b, row), 0);
	assert_true(bet_id(&id, &key));
	ulid_format(id_text, &id);
}

#endif
