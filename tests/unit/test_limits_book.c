/* Players' own limits and session keys as rows: written once, audited, carried from week to week, there again after a migration down
 * and up. */
#include "books.h"

#include "clk.h"
#include "limits_book.h"
#include "schema.h"
#include "session_keys.h"

enum { USD = 1000000, DAY_MS = 86400000 };

static const struct wallet key_one = { { 0x11, 1 } }, key_two = { { 0x22, 2 } };
static const struct key_caps wide = { { 1000 * (int64_t) USD }, { 5000 * (int64_t) USD } };
static const struct key_caps narrow = { { 10 * USD }, { 20 * USD } };

static int wish_in(struct store *db, int64_t user, enum limit limit, int64_t value, int64_t now_ms)
{
	struct account a;
	struct limits l;
	assert_int_equal(ledger_account_by_id(db, user, &a), 0);
	return limits_change(db, &a, &(struct limit_wish){ limit, value }, 1, "player", now_ms, &l);
}

static void wish(struct week *w, int64_t user, enum limit limit, int64_t value, int64_t now_ms)
{
	struct store *db = books_begin(w);
	assert_int_equal(wish_in(db, user, limit, value, now_ms), 0);
	assert_int_equal(week_commit(w), 0);
}

static struct limits limits_of(struct week *w, int64_t user)
{
	struct store *db = books_begin(w);
	struct account a;
	struct limits l;
	assert_int_equal(ledger_account_by_id(db, user, &a), 0);
	assert_int_equal(limits_load(db, &a, &l), 0);
	week_rollback(w);
	return l;
}

static int64_t sign_in(struct week *w, int64_t user, const struct wallet *key, const struct key_caps *caps, int64_t expires_ms)
{
	struct store *db = books_begin(w);
	struct account a;
	struct session_key k;
	assert_int_equal(ledger_account_by_id(db, user, &a), 0);
	assert_int_equal(session_keys_put(db, &a, key, caps, NOW_MS, expires_ms, &k), 0);
	assert_int_equal(a.keys_row, k.id);
	assert_int_equal(week_commit(w), 0);
	return k.id;
}

static void audits(struct week *w, bool whole)
{
	struct limits_audit l;
	struct session_keys_audit k;
	struct store *db = books_begin(w);
	int r = limits_audit(db, &l);
	int s = session_keys_audit(db, &k);
	week_rollback(w);
	if (whole && (r != 0 || s != 0))
		fail_msg("%s%s", l.finding, k.finding);
	assert_true(whole == (r == 0 && s == 0));
	if (whole)
		assert_int_equal(books_audit(w, true), 0);
}

static struct week *two_players(void)
{
	struct week *w = books_open(STORE_WRITE);
	struct store *db = books_begin(w);
	(void) books_account(db, 1, 100);
	(void) books_account(db, 2, 100);
	assert_int_equal(week_commit(w), 0);
	return w;
}

static void changes_are_read_back(void **state)
{
	(void) state;
	struct week *w = two_players();
	wish(w, 1, LIMIT_OPEN, 50 * USD, NOW_MS);
	wish(w, 2, LIMIT_COOL_OFF, NOW_MS + DAY_MS, NOW_MS);
	wish(w, 1, LIMIT_OPEN, 60 * USD, NOW_MS + 1);
	wish(w, 1, LIMIT_OPEN, 60 * USD, NOW_MS + 2); /* changes nothing, writes nothing */
	struct limits one = limits_of(w, 1), two = limits_of(w, 2);
	assert_int_equal(limits_cap(&one, LIMIT_OPEN, NOW_MS + 2).now, 50 * USD);
	assert_int_equal(limits_cap(&one, LIMIT_OPEN, NOW_MS + 2).next_ms, NOW_MS + 1 + DAY_MS);
	assert_true(limits_paused_until(&two, NOW_MS) == NOW_MS + DAY_MS);
	assert_int_equal(limits_paused_until(&one, NOW_MS), 0);
	struct store *db = books_begin(w);
	struct limits_audit l;
	assert_int_equal(limits_audit(db, &l), 0);
	assert_int_equal(l.changes, 3);
	week_rollback(w);
	audits(w, true);
	(void) week_close(w);
}

static void wishes_are_written_all_or_none(void **state)
{
	(void) state;
	struct week *w = two_players();
	struct store *db = books_begin(w);
	struct account a;
	struct limits l;
	const struct limit_wish wishes[] = { { LIMIT_OPEN, 5 }, { LIMIT_COLUMN, -1 } };
	assert_int_equal(ledger_account_by_id(db, 1, &a), 0);
	assert_int_equal(limits_change(db, &a, wishes, 2, "player", NOW_MS, &l), LIMITS_BOOK_E_RANGE);
	assert_int_equal(a.limits_row, 0);
	assert_int_equal(week_commit(w), 0);
	l = limits_of(w, 1);
	assert_true(limits_cap(&l, LIMIT_OPEN, NOW_MS).now == LIMIT_NONE);
	(void) week_close(w);
}

static void changes_have_a_bound_a_day(void **state)
{
	(void) state;
	struct week *w = two_players();
	struct store *db = books_begin(w);
	for (int i = 0; i < LIMITS_CHANGES_A_DAY; i++)
		assert_int_equal(wish_in(db, 1, LIMIT_OPEN, 1000 - i, NOW_MS + i), 0);
	assert_int_equal(wish_in(db, 1, LIMIT_OPEN, 1, NOW_MS + 200), LIMITS_BOOK_E_OFTEN);
	assert_int_equal(wish_in(db, 1, LIMIT_COOL_OFF, NOW_MS + DAY_MS, NOW_MS + 200), LIMITS_BOOK_E_OFTEN);
	assert_int_equal(wish_in(db, 2, LIMIT_OPEN, 1, NOW_MS + 200), 0); /* another's */
	assert_int_equal(wish_in(db, 1, LIMIT_EXCLUSION, NOW_MS + 200 * (int64_t) DAY_MS, NOW_MS + 200), 0);
	assert_int_equal(wish_in(db, 1, LIMIT_OPEN, 1, NOW_MS + DAY_MS + 300), 0);
	assert_int_equal(week_commit(w), 0);
	audits(w, true);
	(void) week_close(w);
}

static void the_file_refuses_changes_of_them(void **state)
{
	(void) state;
	static const char *const changes[] = { "UPDATE player_limits SET value = 1", "DELETE FROM player_limits",
		"UPDATE session_keys SET player_open = 1", "DELETE FROM session_keys", "UPDATE bets SET signer = signer + 1" };
	struct week *w = two_players();
	wish(w, 1, LIMIT_OPEN, 50 * USD, NOW_MS);
	(void) sign_in(w, 1, &key_one, &wide, NOW_MS + DAY_MS);
	struct store *db = books_begin(w);
	struct bet b = books_bet(1, T0_S, 4871, 5);
	struct account a;
	assert_int_equal(books_place(db, &b, &a), 0);
	for (size_t i = 0; i < ARRAY_LEN(changes); i++)
		assert_int_equal(stmt_run(store_stmt(db, changes[i])), STORE_E_CONSTRAINT);
	week_rollback(w);
	(void) week_close(w);
}

static void spoil(struct week *w, const char *sql)
{
	struct store *db = books_begin(w);
	assert_int_equal(store_script(db, sql), 0);
	assert_int_equal(week_commit(w), 0);
}

static void the_audit_finds_what_a_hand_changed(void **state)
{
	(void) state;
	static const char *const hands[][2] = {
		{ "UPDATE player_limits SET value = 100000000 WHERE id = 1", "UPDATE player_limits SET value = 50000000 WHERE id = 1" },
		{ "UPDATE player_limits SET at = at - 1 WHERE id = 2", "UPDATE player_limits SET at = at + 1 WHERE id = 2" },
		{ "UPDATE player_limits SET who = 'other' WHERE id = 2", "UPDATE player_limits SET who = 'player' WHERE id = 2" },
		{ "UPDATE users SET limits_row = 0 WHERE id = 2", "UPDATE users SET limits_row = 2 WHERE id = 2" },
		{ "UPDATE users SET limits_row = 1 WHERE id = 2", "UPDATE users SET limits_row = 2 WHERE id = 2" },
		{ "UPDATE users SET keys_row = 0 WHERE id = 1", "UPDATE users SET keys_row = 1 WHERE id = 1" },
		{ "UPDATE bets SET signer = 7", "UPDATE bets SET signer = 1" },
		{ "UPDATE session_keys SET user = 2", "UPDATE session_keys SET user = 1" },
		{ "DELETE FROM player_limits WHERE id = 1", NULL },
	};
	struct week *w = two_players();
	wish(w, 1, LIMIT_OPEN, 50 * USD, NOW_MS);
	wish(w, 2, LIMIT_EXCLUSION, NOW_MS + 200 * (int64_t) DAY_MS, NOW_MS);
	struct store *db;
	struct bet b = books_bet(1, T0_S, 4871, 5);
	struct account a;
	b.signer = sign_in(w, 1, &key_one, &wide, NOW_MS + DAY_MS);
	db = books_begin(w);
	assert_int_equal(books_place(db, &b, &a), 0);
	assert_int_equal(week_commit(w), 0);
	audits(w, true);
	spoil(w, "DROP TRIGGER player_limits_no_update; DROP TRIGGER player_limits_no_delete; DROP TRIGGER session_keys_no_update;"
			" DROP TRIGGER bets_signer_same; DROP TRIGGER bets_decided_once");
	for (size_t i = 0; i < ARRAY_LEN(hands); i++) {
		spoil(w, hands[i][0]);
		audits(w, false);
		if (hands[i][1]) {
			spoil(w, hands[i][1]);
			audits(w, true);
		}
	}
	(void) week_close(w);
}

static void a_key_allows_no_more_than_any_living_message_of_it(void **state)
{
	(void) state;
	struct session_key k;
	struct week *w = two_players();
	(void) sign_in(w, 1, &key_one, &narrow, NOW_MS + DAY_MS);
	int64_t id = sign_in(w, 1, &key_one, &wide, NOW_MS + 1);
	struct store *db = books_begin(w);
	assert_int_equal(session_keys_find(db, 1, &key_one, &k), 0);
	assert_int_equal(k.id, id);
	assert_int_equal(k.caps.column.micros, narrow.column.micros);
	assert_int_equal(k.caps.open.micros, narrow.open.micros);
	assert_int_equal(k.expires_ms, NOW_MS + DAY_MS);
	assert_int_equal(session_keys_find(db, 2, &key_one, &k), SESSION_KEYS_E_ABSENT);
	assert_int_equal(session_keys_is(db, id, 1, &key_one), 0);
	assert_int_equal(session_keys_is(db, id, 2, &key_one), SESSION_KEYS_E_ABSENT);
	assert_int_equal(session_keys_is(db, id, 1, &key_two), SESSION_KEYS_E_ABSENT);
	assert_int_equal(session_keys_is(db, 0, 1, &key_one), SESSION_KEYS_E_ABSENT);
	week_rollback(w);
	(void) sign_in(w, 2, &key_two, &narrow, NOW_MS); /* over by now */
	(void) sign_in(w, 2, &key_two, &wide, NOW_MS + DAY_MS);
	db = books_begin(w);
	assert_int_equal(session_keys_find(db, 2, &key_two, &k), 0);
	assert_int_equal(k.caps.open.micros, wide.open.micros);
	week_rollback(w);
	audits(w, true);
	(void) week_close(w);
}

/* The week ends: all changes go on, and the keys that live, that signed an open bet, or that an account names. */
static void a_new_week_takes_them_over(void **state)
{
	(void) state;
	const int64_t later = NOW_MS + 7 * (int64_t) DAY_MS;
	struct week_rolled rolled;
	struct account a;
	struct week *w = two_players();
	wish(w, 1, LIMIT_OPEN, 50 * USD, NOW_MS);
	wish(w, 2, LIMIT_EXCLUSION, NOW_MS + 200 * (int64_t) DAY_MS, NOW_MS);
	struct bet b = books_bet(1, T0_S, 4871, 5);
	(void) sign_in(w, 1, &key_two, &wide, NOW_MS + 1); /* over, superseded, signed nothing: left behind */
	b.signer = sign_in(w, 1, &key_one, &wide, NOW_MS + 1);
	int64_t last = sign_in(w, 1, &key_two, &narrow, NOW_MS + 1);
	struct store *db = books_begin(w);
	assert_int_equal(books_place(db, &b, &a), 0);
	assert_int_equal(week_commit(w), 0);
	assert_int_equal(week_roll(w, later, &rolled), 0);
	audits(w, true);
	struct limits one = limits_of(w, 1), two = limits_of(w, 2);
	assert_int_equal(limits_cap(&one, LIMIT_OPEN, later).now, 50 * USD);
	assert_true(limits_excluded_until(&two, later) == NOW_MS + 200 * (int64_t) DAY_MS);
	db = books_begin(w);
	assert_int_equal(session_keys_is(db, b.signer, 1, &key_one), 0);
	assert_int_equal(session_keys_is(db, last, 1, &key_two), 0);
	assert_int_equal(session_keys_is(db, 1, 1, &key_two), SESSION_KEYS_E_ABSENT);
	week_rollback(w);
	wish(w, 1, LIMIT_OPEN, 60 * USD, later); /* the chain goes on */
	assert_int_equal(sign_in(w, 2, &key_two, &wide, later + DAY_MS), last + 1);
	assert_int_equal(week_roll(w, later + 7 * (int64_t) DAY_MS, &rolled), 0);
	audits(w, true);
	one = limits_of(w, 1);
	assert_int_equal(limits_cap(&one, LIMIT_OPEN, later + DAY_MS).now, 60 * USD);
	(void) week_close(w);
}

static void an_exclusion_outlives_a_migration_down_and_up(void **state)
{
	(void) state;
	struct week *w = two_players();
	struct account a;
	wish(w, 2, LIMIT_EXCLUSION, NOW_MS + 200 * (int64_t) DAY_MS, NOW_MS);
	wish(w, 1, LIMIT_OPEN, 50 * USD, NOW_MS);
	struct bet b = books_bet(1, T0_S, 4871, 5);
	b.signer = sign_in(w, 1, &key_one, &wide, NOW_MS + DAY_MS);
	struct store *db = books_begin(w);
	assert_int_equal(books_place(db, &b, &a), 0);
	assert_int_equal(week_commit(w), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(store_migrate(week_store(w), 4), 0);
		assert_int_equal(store_migrate(week_store(w), 5), 0);
	}
	w = week_close(w);
	w = books_open(STORE_WRITE);
	audits(w, true);
	struct limits one = limits_of(w, 1), two = limits_of(w, 2);
	assert_true(limits_excluded_until(&two, NOW_MS) == NOW_MS + 200 * (int64_t) DAY_MS);
	assert_int_equal(limits_cap(&one, LIMIT_OPEN, NOW_MS).now, 50 * USD);
	db = books_begin(w);
	assert_int_equal(ledger_account_by_id(db, 1, &a), 0);
	assert_int_equal(a.keys_row, 0); /* what the older release could not hold */
	assert_int_equal(book_bet(db, 1, &b.cell, &b), 0);
	assert_int_equal(b.signer, 0);
	assert_int_equal(stmt_run(store_stmt(db, "DELETE FROM player_limits")), STORE_E_CONSTRAINT);
	week_rollback(w);
	(void) week_close(w);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, books_set_up, books_tear_down)
	const struct CMUnitTest tests[] = {
		CASE(changes_are_read_back),
		CASE(wishes_are_written_all_or_none),
		CASE(changes_have_a_bound_a_day),
		CASE(the_file_refuses_changes_of_them),
		CASE(the_audit_finds_what_a_hand_changed),
		CASE(a_key_allows_no_more_than_any_living_message_of_it),
		CASE(a_new_week_takes_them_over),
		CASE(an_exclusion_outlives_a_migration_down_and_up),
	};
	return cmocka_run_group_tests_name("limits book", tests, NULL, NULL);
}
