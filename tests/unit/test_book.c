/* The book: bets by key, columns with their evidence, what is open and what is due. */
#include "books.h"

#include "err.h"

static void a_cell_is_bet_on_once(void **state)
{
	(void) state;
	struct week *w = books_open(STORE_WRITE);
	struct store *db = books_begin(w);
	struct account a;
	int64_t one = books_account(db, 1, 100), two = books_account(db, 2, 100), row;
	struct bet b = books_bet(one, T0_S, 4871, 5), got;
	assert_int_equal(book_bet(db, one, &b.cell, &got), BOOK_E_ABSENT);
	assert_int_equal(books_place(db, &b, &a), 0);
	assert_int_equal(book_bet(db, one, &b.cell, &got), 0);
	assert_true(bet_same_request(&got, &b));
	assert_int_equal(got.rate.e4, b.rate.e4);
	assert_int_equal(got.placed_ms, b.placed_ms);
	assert_int_equal(got.cell.high_cents, b.cell.high_cents);
	assert_int_equal(got.state, BET_CONFIRMED);
	assert_int_equal(got.payout.micros, 0);
	assert_int_equal(got.resolved_ms, 0);
	assert_int_equal(books_place(db, &b, &a), 100 + BOOK_E_EXISTS);
	b.user = two;
	assert_int_equal(books_place(db, &b, &a), 0);
	assert_int_equal(week_commit(w), 0);
	/* a caller that did not ask first is stopped by the key; the transaction lives, and is then rolled back */
	db = books_begin(w);
	assert_int_equal(ledger_stake(db, &b, &a, &row), 0);
	assert_int_equal(book_put_bet(db, &b, row), BOOK_E_EXISTS);
	assert_true(store_in_tx(db));
	week_rollback(w);
	assert_int_equal(books_audit(w, true), 0);
	(void) week_close(w);
}

static void a_bet_is_found_by_its_id(void **state)
{
	(void) state;
	struct week *w = books_open(STORE_WRITE);
	struct store *db = books_begin(w);
	struct account a;
	int64_t user = books_account(db, 1, 100);
	struct bet b = books_bet(user, T0_S, 4871, 5), got;
	struct bet_key key = { b.placed_ms, T0_S, b.cell.low_cents, user };
	struct ulid id;
	assert_int_equal(books_place(db, &b, &a), 0);
	assert_true(bet_id(&id, &key));
	assert_int_equal(book_bet_by_id(db, &id, ROW_CENTS, &got), 0);
	assert_true(cell_eq(&got.cell, &b.cell));
	key.placed_ms++;
	assert_true(bet_id(&id, &key));
	assert_int_equal(book_bet_by_id(db, &id, ROW_CENTS, &got), BOOK_E_ABSENT);
	key.placed_ms--;
	key.user++;
	assert_true(bet_id(&id, &key));
	assert_int_equal(book_bet_by_id(db, &id, ROW_CENTS, &got), BOOK_E_ABSENT);
	week_rollback(w);
	(void) week_close(w);
}

static struct tick *ticks_for(struct tick *ticks, int64_t t0_s, int64_t p_cents)
{
	for (int i = 0; i < 51; i++)
		ticks[i] = (struct tick){ t0_s * 1000 - 100 + 100 * i, p_cents };
	return ticks;
}

static void a_column_is_decided_once_with_its_bets(void **state)
{
	(void) state;
	struct week *w = books_open(STORE_WRITE);
	struct store *db = books_begin(w);
	struct account a;
	struct tick ticks[51], back[64];
	struct column c;
	size_t n;
	int64_t user = books_account(db, 1, 1000), bets = 0;
	/* more than a page of the settling walk */
	for (int i = 0; i < 130; i++) {
		struct bet b = books_bet(user, T0_S, 4800 + i, 1);
		assert_int_equal(books_place(db, &b, &a), 0);
	}
	assert_int_equal(week_commit(w), 0);
	db = books_begin(w);
	assert_int_equal(book_column(db, T0_S, &c), BOOK_E_ABSENT);
	assert_int_equal(books_settle(db, ticks_for(ticks, T0_S, 4871 * ROW_CENTS + 1), 51, T0_S, NOW_MS + 30000, &bets), 0);
	assert_int_equal(bets, 130);
	assert_int_equal(week_commit(w), 0);
	assert_int_equal(books_audit(w, true), 0);

	db = books_begin(w);
	assert_int_equal(books_settle(db, ticks, 51, T0_S, NOW_MS + 30000, NULL), BOOK_E_EXISTS);
	assert_int_equal(book_column(db, T0_S, &c), 0);
	assert_int_equal(c.bets, 130);
	assert_int_equal(c.n_ticks, 51);
	assert_true(c.has_anchor);
	assert_int_equal(c.anchor.t_ms, T0_S * 1000 - 100);
	assert_int_equal(book_evidence(db, T0_S, back, ARRAY_LEN(back), &n), 0);
	assert_int_equal(n, 51);
	assert_memory_equal(back, ticks, sizeof ticks);
	struct bet b = books_bet(user, T0_S, 4871, 1), got;
	assert_int_equal(book_bet(db, user, &b.cell, &got), 0);
	assert_int_equal(got.state, BET_WON);
	assert_int_equal(got.payout.micros, 2350000);
	assert_int_equal(got.resolved_ms, NOW_MS + 30000);
	b.state = BET_LOST;
	assert_int_equal(book_decide_bets(db, &b, 1, &(int64_t){ 0 }), BOOK_E_ABSENT);
	/* nothing is placed in a recorded column or before it, whatever the clock says */
	struct bet late = books_bet(user, T0_S, 4700, 1), later = books_bet(user, T0_S - 5, 4700, 1);
	assert_int_equal(book_may_put(db, user, &late.cell), BOOK_E_DECIDED);
	assert_int_equal(book_put_bet(db, &late, 1), BOOK_E_DECIDED);
	assert_int_equal(books_place(db, &later, &a), 100 + BOOK_E_DECIDED);
	late.cell.t0_s += 5;
	assert_int_equal(books_place(db, &late, &a), 0);
	week_rollback(w);
	(void) week_close(w);
}

static bool count_bet(void *u, const struct bet *b, int64_t row)
{
	(void) b, (void) row;
	++*(int *) u;
	return true;
}

static int open_count(struct store *db)
{
	int n = 0;
	assert_int_equal(book_open_bets(db, ROW_CENTS, count_bet, &n), 0);
	return n;
}

static void what_is_due_is_found_also_out_of_order(void **state)
{
	(void) state;
	struct week *w = books_open(STORE_WRITE);
	struct store *db = books_begin(w);
	struct account a;
	struct tick ticks[51];
	int64_t user = books_account(db, 1, 1000), t0;
	assert_int_equal(book_oldest_open(db, INT64_MAX, &t0), BOOK_E_ABSENT);
	assert_int_equal(book_last_column(db, &t0), BOOK_E_ABSENT);
	for (int i = 0; i < 4; i++) {
		struct bet b = books_bet(user, T0_S + 10 * i, 4871, 1);
		assert_int_equal(books_place(db, &b, &a), 0);
	}
	assert_int_equal(book_oldest_open(db, T0_S - 1, &t0), BOOK_E_ABSENT);
	assert_int_equal(book_oldest_open(db, T0_S, &t0), 0);
	assert_int_equal(t0, T0_S);
	assert_int_equal(open_count(db), 4);
	/* the second before the first */
	assert_int_equal(books_settle(db, ticks_for(ticks, T0_S + 10, 100), 51, T0_S + 10, NOW_MS + 1, NULL), 0);
	assert_int_equal(book_oldest_open(db, INT64_MAX, &t0), 0);
	assert_int_equal(t0, T0_S);
	assert_int_equal(open_count(db), 3);
	/* an empty one that is older than all */
	assert_int_equal(books_settle(db, ticks, 0, T0_S - 5, NOW_MS + 1, NULL), 0);
	assert_int_equal(books_settle(db, ticks_for(ticks, T0_S, 100), 51, T0_S, NOW_MS + 2, NULL), 0);
	assert_int_equal(book_oldest_open(db, INT64_MAX, &t0), 0);
	assert_int_equal(t0, T0_S + 20);
	assert_int_equal(open_count(db), 2);
	assert_int_equal(book_last_column(db, &t0), 0);
	assert_int_equal(t0, T0_S + 10);
	assert_int_equal(week_commit(w), 0);
	assert_int_equal(books_audit(w, true), 0);
	(void) week_close(w);
}

static bool count_column(void *u, const struct column *c)
{
	int64_t *last = u;
	assert_true(c->t0_s > *last);
	*last = c->t0_s;
	return c->t0_s < T0_S + 15;
}

static void columns_come_in_order_and_chain(void **state)
{
	(void) state;
	struct week *w = books_open(STORE_WRITE);
	struct store *db = books_begin(w);
	struct tick ticks[51];
	int64_t last = 0;
	for (int i = 0; i < 5; i++)
		assert_int_equal(books_settle(db, ticks_for(ticks, T0_S + 5 * i, 5), i == 2 ? 0 : 51, T0_S + 5 * i, NOW_MS, NULL), 0);
	assert_int_equal(book_columns(db, T0_S, T0_S + 10, count_column, &last), 0);
	assert_int_equal(last, T0_S + 5);
	last = 0;
	assert_int_equal(book_columns(db, 0, INT64_MAX, count_column, &last), 0);
	assert_int_equal(last, T0_S + 15);
	struct column a, b;
	assert_int_equal(book_column(db, T0_S + 5, &a), 0);
	assert_int_equal(book_column(db, T0_S + 10, &b), 0);
	assert_memory_equal(&b.prev_digest, &a.digest, sizeof a.digest);
	assert_int_equal(b.status, COLUMN_VOID);
	assert_false(b.has_anchor);
	assert_int_equal(b.n_ticks, 0);
	week_rollback(w);
	(void) week_close(w);
}

struct seen {
	struct bet b[64];
	int64_t row[64];
	size_t n;
};

static bool on_bet(void *u, const struct bet *b, int64_t row)
{
	struct seen *s = u;
	s->b[s->n] = *b;
	s->row[s->n++] = row;
	return true;
}

static void a_users_bets_come_newest_first(void **state)
{
	(void) state;
	struct week *w = books_open(STORE_WRITE);
	struct store *db = books_begin(w);
	struct account a;
	struct tick ticks[51];
	bool more;
	int64_t user = books_account(db, 1, 1000), other = books_account(db, 2, 1000);
	for (int i = 0; i < 10; i++) {
		struct bet b = books_bet(user, T0_S + 5 * (i % 3), 4870 + i, 1), o = books_bet(other, T0_S, 4870 + i, 1);
		b.placed_ms = NOW_MS + 100 * i;
		assert_int_equal(books_place(db, &b, &a), 0);
		assert_int_equal(books_place(db, &o, &a), 0);
	}
	assert_int_equal(books_settle(db, ticks_for(ticks, T0_S, 4870 * ROW_CENTS + 5), 51, T0_S, NOW_MS + 30000, NULL), 0);
	struct bet_query q = { .user = user, .to_ms = INT64_MAX, .limit = 50, .row_cents = ROW_CENTS };
	struct seen s = { .n = 0 };
	assert_int_equal(book_bets(db, &q, on_bet, &s, &more), 0);
	assert_int_equal(s.n, 10);
	assert_false(more);
	for (size_t i = 0; i < s.n; i++) {
		assert_int_equal(s.b[i].placed_ms, NOW_MS + 100 * (9 - (int) i));
		assert_int_equal(s.b[i].user, user);
		assert_int_equal(s.b[i].cell.high_cents, s.b[i].cell.low_cents + ROW_CENTS);
	}
	struct seen p = { .n = 0 };
	q.limit = 4;
	assert_int_equal(book_bets(db, &q, on_bet, &p, &more), 0);
	assert_int_equal(p.n, 4);
	assert_true(more);
	q.before_row = p.row[3];
	q.limit = 6;
	assert_int_equal(book_bets(db, &q, on_bet, &p, &more), 0);
	assert_int_equal(p.n, 10);
	assert_false(more);
	for (size_t i = 0; i < 10; i++)
		assert_int_equal(p.row[i], s.row[i]);
	q = (struct bet_query){ .user = user, .to_ms = INT64_MAX, .limit = 50, .row_cents = ROW_CENTS, .status = BET_WON };
	p.n = 0;
	assert_int_equal(book_bets(db, &q, on_bet, &p, &more), 0);
	assert_int_equal(p.n, 1);
	assert_int_equal(p.b[0].payout.micros, 2350000);
	q = (struct bet_query){ .user = user, .from_ms = NOW_MS + 200, .to_ms = NOW_MS + 500, .limit = 50 };
	p.n = 0;
	assert_int_equal(book_bets(db, &q, on_bet, &p, &more), 0);
	assert_int_equal(p.n, 3);
	week_rollback(w);
	(void) week_close(w);
}

static bool no_bet(void *u, const struct bet *b, int64_t row)
{
	(void) u, (void) b, (void) row;
	fail();
	return false;
}

static void what_no_bet_may_be_is_refused(void **state)
{
	(void) state;
	struct week *w = books_open(STORE_WRITE);
	struct store *db = books_begin(w);
	struct bet_query q = { .user = 99, .to_ms = INT64_MAX, .limit = 5, .row_cents = ROW_CENTS };
	bool more = true;
	int64_t user = books_account(db, 1, 100);
	struct bet b = books_bet(user, T0_S, 4871, 0);
	assert_int_equal(book_put_bet(db, &b, 1), -EINVAL); /* no stake: not "the cell is taken" */
	assert_non_null(strstr(err_text(), "a constraint refused the bet"));
	assert_int_equal(book_bets(db, &q, no_bet, NULL, &more), 0);
	assert_false(more);
	week_rollback(w);
	/* settlement goes on, never back */
	struct settling at = { .t0_s = T0_S, .after_low = 5, .after_user = 1, .open_bets = 3 };
	db = books_begin(w);
	assert_int_equal(book_put_settling(db, &at), 0);
	assert_int_equal(book_put_settling(db, &at), -EINVAL);
	assert_non_null(strstr(err_text(), "a constraint refused it"));
	week_rollback(w);
	(void) week_close(w);
}

/* Each column's own digest is right, but it names another predecessor than the one that is there. */
static void a_column_of_another_chain_is_found(void **state)
{
	(void) state;
	struct week *w = books_open(STORE_WRITE);
	struct store *db = books_begin(w);
	struct tick ticks[51];
	struct book_audit ba;
	assert_int_equal(books_settle(db, ticks_for(ticks, T0_S, 100), 51, T0_S, NOW_MS, NULL), 0);
	(void) ticks_for(ticks, T0_S + 5, 100);
	struct path path = path_cut(ticks, 51, T0_S + 5, COLUMN_S, 3000);
	struct column c = { .t0_s = T0_S + 5, .status = COLUMN_SETTLED, .has_anchor = true, .anchor = ticks[0], .low_cents = 100,
		.high_cents = 100, .n_ticks = 51, .settled_ms = NOW_MS, .prev_digest = { { 1, 2, 3 } } };
	struct buf evidence = BUF_INIT(65536);
	path_encode(&path, &evidence);
	c.digest = path_digest(&path, &c.prev_digest);
	assert_int_equal(book_put_column(db, &c, evidence.p, evidence.n), 0);
	buf_free(&evidence);
	assert_int_equal(book_audit(db, &ba), 1);
	assert_non_null(strstr(ba.finding, "prev_digest is not the digest before it"));
	week_rollback(w);
	(void) week_close(w);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, books_set_up, books_tear_down)
	const struct CMUnitTest tests[] = {
		CASE(a_cell_is_bet_on_once),
		CASE(a_bet_is_found_by_its_id),
		CASE(a_column_is_decided_once_with_its_bets),
		CASE(what_is_due_is_found_also_out_of_order),
		CASE(columns_come_in_order_and_chain),
		CASE(a_users_bets_come_newest_first),
		CASE(what_no_bet_may_be_is_refused),
		CASE(a_column_of_another_chain_is_found),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
