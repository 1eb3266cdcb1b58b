/* Random operations on the book against a plain model in memory, with rollbacks and restarts in between: the same answers, the
 * same balances, the same bets. TAP_MODEL_OPS and TAP_MODEL_SEED change the run; the seed is printed. */
#include "books.h"

#include <inttypes.h>

#include "clk.h"
#include "err.h"

enum { USERS = 40, ROWS = 6, WINDOW = 32, FIRST_ROW = 4868, OPS_PRESET = 100000 };

struct model_bet {
	enum bet_state state; /* 0: none */
	int64_t stake, payout, placed_ms;
};

struct model_user {
	bool opened, suspended;
	int64_t balance, seq, open_bets, open_stake, rows;
};

struct model {
	struct model_user users[USERS + 1];
	struct model_bet bets[WINDOW][ROWS][USERS + 1]; /* by column modulo WINDOW: the rest is decided long ago */
	int64_t columns_recorded[WINDOW];               /* t0 that is recorded in this place */
	int64_t n_users, next_t0_s, newest_recorded_s, deposits, rows, bets_total;
};

static struct model now, before;
static uint64_t seed;
static int64_t done;

static uint64_t draw(uint64_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed % below;
}

static size_t place_of(int64_t t0_s)
{
	return (size_t) (t0_s / COLUMN_S) % WINDOW;
}

static void op_open(struct store *db)
{
	struct account a;
	int64_t n = now.n_users < USERS ? now.n_users + 1 : 1 + (int64_t) draw(USERS);
	struct wallet wallet = books_wallet((int) n);
	int r = ledger_account_open(db, &wallet, NOW_MS, &a);
	assert_int_equal(r, now.users[n].opened ? LEDGER_E_EXISTS : 0);
	assert_int_equal(a.user, n);
	if (r == 0) {
		now.users[n].opened = true;
		now.n_users = n;
	}
}

static void op_post(struct store *db)
{
	static const enum ledger_ref types[] = { LEDGER_DEPOSIT, LEDGER_WITHDRAWAL, LEDGER_WITHDRAWAL_REVERSAL,
		LEDGER_ADJUSTMENT };
	enum ledger_ref type = types[draw(ARRAY_LEN(types))];
	int64_t user = 1 + (int64_t) draw(USERS), micros = 1 + (int64_t) draw(30000000);
	struct model_user *u = &now.users[user];
	struct account a;
	char ref[32];
	if (type == LEDGER_WITHDRAWAL || (type == LEDGER_ADJUSTMENT && draw(2)))
		micros = -micros;
	(void) snprintf(ref, sizeof ref, "r%" PRId64, now.deposits);
	int r = ledger_post(db, &(struct posting){ .user = user, .amount = { micros }, .ref_type = type, .ref_id = ref,
			.at_ms = NOW_MS + done }, &a);
	int expected = 0;
	if (!u->opened)
		expected = LEDGER_E_ABSENT;
	else if (u->suspended && type == LEDGER_WITHDRAWAL)
		expected = LEDGER_E_SUSPENDED;
	else if (u->balance + micros < 0)
		expected = LEDGER_E_FUNDS;
	assert_int_equal(r, expected);
	if (r != 0)
		return;
	u->balance += micros;
	u->seq++;
	u->rows++;
	now.deposits++;
	assert_int_equal(a.balance.micros, u->balance);
	assert_int_equal(ledger_post(db, &(struct posting){ .user = user, .amount = { micros }, .ref_type = type, .ref_id = ref },
			&a), LEDGER_E_EXISTS);
}

static void op_suspend(struct store *db)
{
	int64_t user = 1 + (int64_t) draw(USERS);
	bool suspended = draw(3) == 0;
	int r = ledger_suspend(db, user, suspended);
	assert_int_equal(r, now.users[user].opened ? 0 : LEDGER_E_ABSENT);
	if (r == 0)
		now.users[user].suspended = suspended;
}

static void op_place(struct store *db)
{
	int64_t user = 1 + (int64_t) draw(USERS), row = (int64_t) draw(ROWS), usd = 1 + (int64_t) draw(10);
	int64_t t0_s = now.next_t0_s + COLUMN_S * ((int64_t) draw(15) - 1);
	struct model_user *u = &now.users[user];
	struct model_bet *m = &now.bets[place_of(t0_s)][row][user];
	struct bet b = books_bet(user, t0_s, FIRST_ROW + row, usd);
	struct account a;
	b.placed_ms = t0_s * 1000 - 30000;
	int r = books_place(db, &b, &a), expected = 0;
	if (m->state != 0)
		expected = 100 + BOOK_E_EXISTS;
	else if (t0_s <= now.newest_recorded_s)
		expected = 100 + BOOK_E_DECIDED;
	else if (!u->opened)
		expected = LEDGER_E_ABSENT;
	else if (u->suspended)
		expected = LEDGER_E_SUSPENDED;
	else if (u->balance < b.stake.micros)
		expected = LEDGER_E_FUNDS;
	assert_int_equal(r, expected);
	if (r != 0)
		return;
	*m = (struct model_bet){ .state = BET_CONFIRMED, .stake = b.stake.micros, .placed_ms = b.placed_ms };
	u->balance -= b.stake.micros;
	u->open_stake += b.stake.micros;
	u->open_bets++;
	u->seq++;
	u->rows++;
	now.bets_total++;
	assert_int_equal(a.balance.micros, u->balance);
	assert_int_equal(a.seq, u->seq);
}

static void settle_model(int64_t t0_s, bool is_void, int64_t low, int64_t high)
{
	for (int64_t row = 0; row < ROWS; row++) {
		for (int64_t user = 1; user <= USERS; user++) {
			struct model_bet *m = &now.bets[place_of(t0_s)][row][user];
			struct model_user *u = &now.users[user];
			if (m->state != BET_CONFIRMED)
				continue;
			bool hit = high >= (FIRST_ROW + row) * ROW_CENTS && low <= (FIRST_ROW + row + 1) * ROW_CENTS;
			m->state = is_void ? BET_VOID : hit ? BET_WON : BET_LOST;
			m->payout = is_void ? m->stake : hit ? m->stake * 23500 / 10000 : 0;
			u->balance += m->payout;
			u->open_stake -= m->stake;
			u->open_bets--;
			u->seq++;
			u->rows += m->payout > 0;
		}
	}
	now.columns_recorded[place_of(t0_s)] = t0_s;
	if (t0_s > now.newest_recorded_s)
		now.newest_recorded_s = t0_s;
}

static void settle_one(struct store *db, int64_t t0_s)
{
	struct tick ticks[51];
	int64_t p = FIRST_ROW * ROW_CENTS - ROW_CENTS + (int64_t) draw((ROWS + 2) * ROW_CENTS), low = p, high = p;
	bool is_void = draw(6) == 0;
	for (int i = 0; i < 51; i++) {
		ticks[i] = (struct tick){ t0_s * 1000 - 100 + 100 * i, p };
		low = p < low ? p : low;
		high = p > high ? p : high;
		p += (int64_t) draw(201) - 100;
	}
	int r = books_settle(db, ticks, is_void ? draw(2) : 51, t0_s, t0_s * 1000 + 6000, NULL);
	assert_int_equal(r, 0);
	settle_model(t0_s, is_void, low, high);
}

/* The next column, or the one after it first. Places of the window are emptied before they are used again. */
static void op_settle(struct store *db)
{
	int64_t t0_s = now.next_t0_s;
	bool swapped = draw(5) == 0;
	settle_one(db, swapped ? t0_s + COLUMN_S : t0_s);
	if (swapped)
		settle_one(db, t0_s);
	now.next_t0_s += swapped ? 2 * COLUMN_S : COLUMN_S;
	for (int i = 13; i < 16; i++)
		memset(now.bets[place_of(now.next_t0_s + COLUMN_S * i)], 0, sizeof now.bets[0]);
}

static void check_due(struct store *db)
{
	int64_t oldest = INT64_MAX, t0_s;
	for (int i = 0; i < 15 && oldest == INT64_MAX; i++)
		for (int64_t cell = 0; cell < ROWS * (USERS + 1); cell++)
			if (now.bets[place_of(now.next_t0_s + COLUMN_S * i)][cell % ROWS][cell / ROWS].state == BET_CONFIRMED)
				oldest = now.next_t0_s + COLUMN_S * i;
	int r = book_oldest_open(db, INT64_MAX, &t0_s);
	assert_int_equal(r, oldest == INT64_MAX ? BOOK_E_ABSENT : 0);
	if (r == 0)
		assert_int_equal(t0_s, oldest);
}

static bool count_rows(void *u, const struct entry *e)
{
	(void) e;
	++*(int64_t *) u;
	return true;
}

enum { ROWS_WALKED = 200 }; /* of each user, between; at the end all */

static void compare(struct week *w, size_t walk)
{
	struct store *db = books_begin(w);
	for (int64_t user = 1; user <= USERS; user++) {
		const struct model_user *u = &now.users[user];
		struct account a;
		int64_t rows = 0;
		bool more;
		int r = ledger_account_by_id(db, user, &a);
		assert_int_equal(r, u->opened ? 0 : LEDGER_E_ABSENT);
		if (r != 0)
			continue;
		assert_int_equal(a.balance.micros, u->balance);
		assert_int_equal(a.seq, u->seq);
		assert_int_equal(a.open_bets, u->open_bets);
		assert_int_equal(a.open_stake.micros, u->open_stake);
		assert_int_equal(a.suspended, u->suspended);
		assert_int_equal(ledger_list(db, &(struct ledger_query){ .user = user, .to_ms = INT64_MAX, .limit = walk },
				count_rows, &rows, &more), 0);
		assert_int_equal(rows, (size_t) u->rows < walk ? u->rows : (int64_t) walk);
		assert_int_equal(more, (size_t) u->rows > walk);
	}
	for (int i = -10; i < 14; i++) {
		int64_t t0_s = now.next_t0_s + COLUMN_S * i;
		for (int64_t row = 0; row < ROWS; row++) {
			for (int64_t user = 1; user <= USERS; user++) {
				const struct model_bet *m = &now.bets[place_of(t0_s)][row][user];
				struct cell cell = { t0_s, (FIRST_ROW + row) * ROW_CENTS, (FIRST_ROW + row + 1) * ROW_CENTS };
				struct bet b;
				int r = book_bet(db, user, &cell, &b);
				assert_int_equal(r, m->state ? 0 : BOOK_E_ABSENT);
				if (r != 0)
					continue;
				assert_int_equal(b.state, m->state);
				assert_int_equal(b.stake.micros, m->stake);
				assert_int_equal(b.payout.micros, m->payout);
			}
		}
	}
	week_rollback(w);
}

static void one_transaction(struct week *w)
{
	struct store *db = books_begin(w);
	uint64_t ops = 1 + draw(40);
	before = now;
	for (uint64_t i = 0; i < ops; i++, done++) {
		uint64_t what = draw(100);
		if (what < 4)
			op_open(db);
		else if (what < 24)
			op_post(db);
		else if (what < 26)
			op_suspend(db);
		else if (what < 29)
			op_settle(db);
		else
			op_place(db);
	}
	check_due(db);
	if (draw(20) == 0) {
		week_rollback(w);
		now = before;
	} else {
		assert_int_equal(week_commit(w), 0);
	}
}

static void the_book_and_the_model_agree(void **state)
{
	(void) state;
	const char *ops = getenv("TAP_MODEL_OPS"), *given = getenv("TAP_MODEL_SEED");
	int64_t until = ops ? strtoll(ops, NULL, 10) : OPS_PRESET, transactions = 0, audited = 0;
	seed = given ? strtoull(given, NULL, 10) : (uint64_t) clk_mono_us() * 2654435761u | 1;
	print_message("TAP_MODEL_SEED=%" PRIu64 " TAP_MODEL_OPS=%" PRId64 "\n", seed, until);
	now = (struct model){ .next_t0_s = T0_S, .newest_recorded_s = INT64_MIN };
	struct week *w = books_open(STORE_WRITE);
	(void) store_checkpointer(week_store(w));
	while (done < until) {
		one_transaction(w);
		if (++transactions % 50 == 0) {
			compare(w, ROWS_WALKED);
			(void) week_close(w);
			w = books_open(STORE_WRITE);
			(void) store_checkpointer(week_store(w));
		}
		assert_int_equal(store_checkpoint(week_store(w), 500), 0);
		if (done > audited + until / 5) {
			assert_int_equal(books_audit(w, true), 0);
			audited = done;
		}
	}
	compare(w, SIZE_MAX);
	assert_int_equal(books_audit(w, true), 0);
	assert_true(now.bets_total > until / 50);
	(void) week_close(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_book_and_the_model_agree, books_set_up, books_tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
