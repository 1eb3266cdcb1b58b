/* Columns, outcomes, payouts: against a plain model, twice, void, beyond 64 bits, and with a fault at every step. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "../support/folder.h"
#include "../support/audits.h"
#include "book.h"
#include "buf.h"
#include "err.h"
#include "fault.h"
#include "ledger.h"
#include "settle.h"
#include "week.h"

enum { USERS = 7, COLUMNS = 60, BETS_MAX = 4000, W = 5, H = 2000, GAP_MS = 3000 };
#define START_S INT64_C(1763700000)
#define START_MS (START_S * 1000)

static const struct settings rules = { .column_s = W, .row_cents = H, .max_tick_gap_ms = GAP_MS };

struct world {
	char dir[64];
	struct week *week;
	int64_t users[USERS];
	int64_t balance[USERS], seq[USERS]; /* the model's */
	struct bet bets[BETS_MAX];
	size_t n_bets;
	unsigned rnd;
	/* told by the callback */
	size_t told;
	int64_t told_seq[USERS];
};

static unsigned dice(struct world *w, unsigned below)
{
	w->rnd = w->rnd * 1103515245u + 12345u;
	return (w->rnd >> 8) % below;
}

static struct store *begin(struct world *w)
{
	struct store *db;
	assert_int_equal(week_begin(w->week, &db), 0);
	return db;
}

static void fund(struct world *w, int user, int64_t micros)
{
	char ref[32];
	struct account a;
	struct wallet wallet = { .b = { 1, (uint8_t) user } };
	struct store *db = begin(w);
	int r = ledger_account_open(db, &wallet, START_MS, &a);
	assert_true(r == 0 || r == LEDGER_E_EXISTS);
	(void) snprintf(ref, sizeof ref, "fund-%d-%lld", user, (long long) w->seq[user]);
	const struct posting p = { .user = a.user, .amount = { micros }, .ref_type = LEDGER_DEPOSIT, .ref_id = ref,
		.at_ms = START_MS };
	assert_int_equal(ledger_post(db, &p, &a), 0);
	assert_int_equal(week_commit(w->week), 0);
	w->users[user] = a.user;
	w->balance[user] += micros;
	w->seq[user]++;
	assert_int_equal(a.balance.micros, w->balance[user]);
}

static int world_up(void **state)
{
	struct world *w = calloc(1, sizeof *w);
	(void) strcpy(w->dir, "/tmp/tap-settle-XXXXXX");
	if (!mkdtemp(w->dir) || week_open(&w->week, w->dir, STORE_WRITE, START_MS) != 0)
		return -1;
	w->rnd = 42;
	const char *seed = getenv("TAP_TEST_SEED");
	if (seed)
		w->rnd = (unsigned) strtoul(seed, NULL, 10);
	for (int i = 0; i < USERS; i++)
		fund(w, i, 100000 * INT64_C(1000000));
	*state = w;
	return 0;
}

static int world_down(void **state)
{
	struct world *w = *state;
	week_close(w->week);
	int r = folder_remove(w->dir);
	free(w);
	return r;
}

static bool place(struct world *w, int user, int64_t t0_s, int64_t low, int64_t stake, int32_t rate)
{
	struct bet b = { .user = w->users[user], .cell = { t0_s, low, low + H }, .stake = money_of(stake), .rate = { rate },
		.rate_min = { RATE_LEAST }, .placed_ms = t0_s * 1000 - 12000, .signed_s = t0_s - 12, .state = BET_CONFIRMED };
	struct account a;
	int64_t row;
	for (size_t i = 0; i < w->n_bets; i++)
		if (w->bets[i].user == b.user && cell_eq(&w->bets[i].cell, &b.cell))
			return false;
	struct store *db = begin(w);
	assert_int_equal(ledger_stake(db, &b, &a, &row), 0);
	assert_int_equal(book_put_bet(db, &b, row), 0);
	assert_int_equal(week_commit(w->week), 0);
	w->balance[user] -= stake;
	w->seq[user]++;
	assert_true(w->n_bets < BETS_MAX);
	w->bets[w->n_bets++] = b;
	return true;
}

static int user_of(const struct world *w, int64_t id)
{
	for (int i = 0; i < USERS; i++)
		if (w->users[i] == id)
			return i;
	fail();
	return -1;
}

static void on_settled(void *u, const struct settled_bet *sb)
{
	struct world *w = u;
	int user = user_of(w, sb->bet.user);
	w->told++;
	/* in the order of their seq, one by one */
	if (w->told_seq[user])
		assert_int_equal(sb->account.seq, w->told_seq[user] + 1);
	w->told_seq[user] = sb->account.seq;
	assert_true(sb->bet.state != BET_CONFIRMED);
}

static void check_accounts(struct world *w)
{
	struct store *db = begin(w);
	for (int i = 0; i < USERS; i++) {
		struct account a;
		assert_int_equal(ledger_account_by_id(db, w->users[i], &a), 0);
		assert_int_equal(a.balance.micros, w->balance[i]);
		assert_int_equal(a.seq, w->seq[i]);
	}
	week_rollback(w->week);
}

/* What the contract says, in the fewest words: over the ticks of the path. */
struct model {
	bool is_void;
	int64_t low, high;
};

static struct model judge(const struct tick *t, size_t n, int64_t t0_s)
{
	for (; n > 1 && t[1].t_ms < t0_s * 1000; n--)
		t++; /* the anchor is the last one before t0 */
	struct model m = { .is_void = n == 0 || t[0].t_ms >= t0_s * 1000, .low = INT64_MAX, .high = 0 };
	for (size_t i = 0; i < n; i++) {
		int64_t next = i + 1 < n ? t[i + 1].t_ms : (t0_s + W) * 1000;
		m.is_void = m.is_void || next - t[i].t_ms > GAP_MS;
		m.low = t[i].p_cents < m.low ? t[i].p_cents : m.low;
		m.high = t[i].p_cents > m.high ? t[i].p_cents : m.high;
	}
	return m;
}

/* A path with or without an anchor, with gaps around the limit. */
static size_t random_path(struct world *w, int64_t t0_s, struct tick *out)
{
	size_t n = 0;
	int64_t p = 9700000 + dice(w, 12000), t = t0_s * 1000 - 1 - dice(w, 300);
	bool anchor = dice(w, 10) != 0, gappy = dice(w, 5) == 0;
	if (!anchor)
		t = t0_s * 1000 + dice(w, 100);
	while (t < (t0_s + W) * 1000) {
		out[n++] = (struct tick){ t, p };
		p += (int64_t) dice(w, 401) - 200;
		t += gappy ? 2900 + dice(w, 200) : 50 + dice(w, 200);
	}
	return n;
}

static void settle_by_model(struct world *w, int64_t t0_s, const struct model *m, const struct settle_result *got)
{
	int64_t stakes = 0, paid = 0, bets = 0;
	struct store *db = begin(w);
	for (size_t i = 0; i < w->n_bets; i++) {
		struct bet *b = &w->bets[i], there;
		if (b->cell.t0_s != t0_s)
			continue;
		bool touched = m->high >= b->cell.low_cents && m->low <= b->cell.low_cents + H;
		int64_t payout = m->is_void ? b->stake.micros : touched ? b->stake.micros * b->rate.e4 / 10000 : 0;
		int user = user_of(w, b->user);
		w->balance[user] += payout;
		w->seq[user]++;
		stakes += b->stake.micros;
		paid += payout;
		bets++;
		assert_int_equal(book_bet(db, b->user, &b->cell, &there), 0);
		assert_int_equal(there.state, m->is_void ? BET_VOID : touched ? BET_WON : BET_LOST);
		assert_int_equal(there.payout.micros, payout);
		assert_true(there.resolved_ms > 0);
	}
	week_rollback(w->week);
	assert_int_equal(got->stakes.micros, stakes);
	assert_int_equal(got->paid.micros, paid);
	assert_int_equal(got->column.bets, bets);
	assert_int_equal(got->won + got->lost + got->refunded, bets);
	assert_int_equal(got->column.status, m->is_void ? COLUMN_VOID : COLUMN_SETTLED);
	assert_int_equal(w->told, bets);
}

static void settling_follows_the_model(void **state)
{
	struct world *w = *state;
	struct hash before = { 0 };
	for (int c = 0; c < COLUMNS; c++) {
		struct tick ticks[256];
		struct settle_result got, again;
		int64_t t0_s = START_S + c * W;
		unsigned bets = c == 7 ? 600 : dice(w, 40); /* one column has more than a page */
		for (unsigned i = 0; i < bets; i++)
			(void) place(w, (int) dice(w, USERS), t0_s, 9680000 + H * (int64_t) dice(w, c == 7 ? 400 : 20),
					INT64_C(1000000) * (1 + dice(w, 25)) + dice(w, 3), 10100 + (int32_t) dice(w, 150000));
		size_t n = random_path(w, t0_s, ticks);
		struct path path = path_cut(ticks, n, t0_s, W, GAP_MS);
		struct model m = judge(ticks, n, t0_s);
		w->told = 0;
		memset(w->told_seq, 0, sizeof w->told_seq);
		assert_int_equal(settle_column(w->week, &rules, &path, t0_s * 1000 + 5700, &got, on_settled, w), 0);
		settle_by_model(w, t0_s, &m, &got);
		check_accounts(w);
		assert_memory_equal(&got.column.prev_digest, &before, sizeof before);
		before = got.column.digest;

		/* once more, by another path: nothing changes */
		struct path other = path_cut(ticks, n / 2, t0_s, W, GAP_MS);
		w->told = 0;
		assert_int_equal(settle_column(w->week, &rules, &other, t0_s * 1000 + 9000, &again, on_settled, w), SETTLE_E_DONE);
		assert_int_equal(w->told, 0);
		assert_memory_equal(&again.column.digest, &got.column.digest, sizeof before);
		check_accounts(w);

		char text[256] = "";
		struct store *db = begin(w);
		assert_int_equal(settle_verify(db, &rules, t0_s, text, sizeof text), 0);
		week_rollback(w->week);
	}
	audits_pass(w->week);
}

static struct path steady_path(struct tick *ticks, int64_t t0_s)
{
	for (int i = 0; i <= 10; i++)
		ticks[i] = (struct tick){ t0_s * 1000 - 100 + i * 500, 9700000 + i };
	return path_cut(ticks, 11, t0_s, W, GAP_MS);
}

static void a_column_without_its_predecessor_chains_to_zeros(void **state)
{
	struct world *w = *state;
	static const struct hash zeros;
	struct tick ticks[16];
	struct settle_result a, b;
	struct path path = steady_path(ticks, START_S);
	assert_int_equal(settle_column(w->week, &rules, &path, START_MS + 5700, &a, NULL, NULL), 0);
	path = steady_path(ticks, START_S + 2 * W);
	assert_int_equal(settle_column(w->week, &rules, &path, START_MS + 15700, &b, NULL, NULL), 0);
	assert_memory_equal(&a.column.prev_digest, &zeros, sizeof zeros);
	assert_memory_equal(&b.column.prev_digest, &zeros, sizeof zeros);
	char text[256];
	struct store *db = begin(w);
	assert_int_equal(settle_verify(db, &rules, START_S + W, text, sizeof text), SETTLE_E_ABSENT);
	week_rollback(w->week);
}

static void a_column_without_any_tick_is_void(void **state)
{
	struct world *w = *state;
	struct settle_result got;
	struct column there;
	assert_true(place(w, 0, START_S, 9700000, 1000000, 20000));
	struct path path = path_cut(NULL, 0, START_S, W, GAP_MS);
	assert_int_equal(settle_column(w->week, &rules, &path, START_MS + 5700, &got, NULL, NULL), 0);
	assert_int_equal(got.refunded, 1);
	w->balance[0] += 1000000;
	w->seq[0]++;
	check_accounts(w);
	struct store *db = begin(w);
	assert_int_equal(book_column(db, START_S, &there), 0);
	week_rollback(w->week);
	assert_int_equal(there.status, COLUMN_VOID);
	assert_int_equal(there.n_ticks, 0);
	assert_false(there.has_anchor);
	audits_pass(w->week);
}

static void a_payout_beyond_64_bits_changes_nothing(void **state)
{
	struct world *w = *state;
	struct tick ticks[16];
	struct settle_result got;
	struct column there;
	int64_t rest = INT64_MAX - w->balance[1];
	fund(w, 1, rest);
	assert_true(place(w, 0, START_S, 9700000, 1000000, 20000));
	assert_true(place(w, 1, START_S, 9700000, 1000000, 20000));
	struct path path = steady_path(ticks, START_S);
	assert_int_equal(settle_column(w->week, &rules, &path, START_MS + 5700, &got, on_settled, w), -EOVERFLOW);
	assert_int_equal(w->told, 0);
	check_accounts(w);
	struct store *db = begin(w);
	assert_int_equal(book_column(db, START_S, &there), BOOK_E_ABSENT);
	week_rollback(w->week);
}

/* Each payout and balance fits, or one does not: the sums that are told never wrap. */
static void sums_beyond_64_bits_change_nothing(void **state)
{
	static const struct { int64_t stake; int32_t rate; bool is_void; const char *says; } cases[] = {
		{ INT64_C(5000000000000000000), 20000, true, "its sum" },  /* the stakes' */
		{ INT64_C(4000000000000000000), 20000, false, "its sum" }, /* the payouts' */
		{ INT64_C(5000000000000000000), 20000, false, "a payout" },
	};
	struct world *w = *state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct tick ticks[16];
		struct settle_result got;
		struct column there;
		int64_t t0_s = START_S + 2 * W * (int64_t) i;
		for (int user = 0; user < 2; user++) {
			fund(w, 2 * (int) i + user, cases[i].stake);
			assert_true(place(w, 2 * (int) i + user, t0_s, 9700000, cases[i].stake, cases[i].rate));
		}
		struct path path = cases[i].is_void ? path_cut(NULL, 0, t0_s, W, GAP_MS) : steady_path(ticks, t0_s);
		assert_int_equal(settle_column(w->week, &rules, &path, t0_s * 1000 + 5700, &got, on_settled, w), -EOVERFLOW);
		if (!strstr(err_text(), cases[i].says))
			fail_msg("%s: %s", cases[i].says, err_text());
		assert_int_equal(w->told, 0);
		check_accounts(w);
		struct store *db = begin(w);
		assert_int_equal(book_column(db, t0_s, &there), BOOK_E_ABSENT);
		week_rollback(w->week);
	}
}

/* A column as settle would have put it, but for what `spoil` did. */
static void put_spoilt(struct world *w, int64_t t0_s, void (*spoil)(struct column *c))
{
	struct tick ticks[16];
	struct path path = steady_path(ticks, t0_s);
	struct buf evidence = BUF_INIT(4096);
	struct column c = { .t0_s = t0_s, .status = COLUMN_SETTLED, .has_anchor = true, .anchor = ticks[0],
		.low_cents = path.low_cents, .high_cents = path.high_cents, .n_ticks = (int64_t) path.n,
		.settled_ms = START_MS };
	c.digest = path_digest(&path, &c.prev_digest);
	spoil(&c);
	path_encode(&path, &evidence);
	struct store *db = begin(w);
	assert_int_equal(book_put_column(db, &c, evidence.p, evidence.n), 0);
	assert_int_equal(week_commit(w->week), 0);
	buf_free(&evidence);
}

static void spoil_nothing(struct column *c)
{
	(void) c;
}

static void spoil_digest(struct column *c)
{
	c->digest.b[31] ^= 1;
}

static void spoil_status(struct column *c)
{
	c->status = COLUMN_VOID;
}

static void spoil_bounds(struct column *c)
{
	c->high_cents++;
}

static void spoil_anchor(struct column *c)
{
	c->anchor.p_cents--;
}

static void spoil_count(struct column *c)
{
	c->n_ticks--;
}

static int verify(struct world *w, const struct settings *s, int64_t t0_s, char text[static 256])
{
	struct store *db = begin(w);
	text[0] = '\0';
	int r = settle_verify(db, s, t0_s, text, 256);
	week_rollback(w->week);
	return r;
}

static void verifying_sees_what_is_not_from_the_evidence(void **state)
{
	static const struct { void (*spoil)(struct column *c); const char *finds; } cases[] = {
		{ spoil_nothing, NULL }, { spoil_digest, "digest" }, { spoil_status, "status" }, { spoil_bounds, "path_high" },
		{ spoil_anchor, "anchor" }, { spoil_count, "ticks" },
	};
	struct world *w = *state;
	struct tick ticks[16];
	struct settle_result got;
	char text[256];
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int64_t t0_s = START_S + 2 * W * (int64_t) i; /* apart, so that none follows another */
		put_spoilt(w, t0_s, cases[i].spoil);
		assert_int_equal(verify(w, &rules, t0_s, text), cases[i].finds ? SETTLE_E_DIFFERS : 0);
		if (cases[i].finds && !strstr(text, cases[i].finds))
			fail_msg("%s: %s", cases[i].finds, text);
	}
	/* one that does not name its predecessor's digest */
	put_spoilt(w, START_S + W, spoil_nothing);
	assert_int_equal(verify(w, &rules, START_S + W, text), SETTLE_E_DIFFERS);
	assert_non_null(strstr(text, "prev_digest"));
	/* bets that were decided otherwise than the rules say now */
	int64_t t0_s = START_S + 100 * W;
	assert_true(place(w, 0, t0_s, 9680000, 1000000, 20000));
	struct path path = steady_path(ticks, t0_s);
	assert_int_equal(settle_column(w->week, &rules, &path, t0_s * 1000 + 5700, &got, NULL, NULL), 0);
	assert_int_equal(verify(w, &rules, t0_s, text), 0);
	struct settings taller = rules;
	taller.row_cents = 30000;
	assert_int_equal(verify(w, &taller, t0_s, text), SETTLE_E_DIFFERS);
	assert_non_null(strstr(text, "recorded lost, computed won"));
}

#ifdef TAP_FAULTS
static void each_step_can_fail_and_nothing_is_half_done(void **state)
{
	static const enum fault_kind kinds[] = { FAULT_STORE_STEP, FAULT_STORE_COMMIT, FAULT_GATE };
	static const struct settle_slice all = { .bets = 100, .us = INT64_MAX }; /* however slow the machine */
	struct world *w = *state;
	struct tick ticks[16];
	int64_t t0_s = START_S;
	for (size_t k = 0; k < ARRAY_LEN(kinds); k++, t0_s += W) {
		struct path path = steady_path(ticks, t0_s);
		for (int i = 0; i < 4; i++) {
			assert_true(place(w, i, t0_s, 9700000, 5000000, 20000)); /* touched */
			assert_true(place(w, i, t0_s, 9800000, 5000000, 20000)); /* missed */
		}
		int fired = 0;
		for (int nth = 1;; nth++) {
			struct settle_result got;
			w->told = 0;
			memset(w->told_seq, 0, sizeof w->told_seq);
			fault_arm(kinds[k], nth, false);
			int r = settle_one_slice(w->week, &rules, &path, t0_s * 1000 + 5700, &all, &got, on_settled, w);
			if (!fault_disarm(kinds[k])) {
				assert_int_equal(r, 0);
				break;
			}
			fired++;
			assert_true(r < 0);
			assert_int_equal(w->told, 0);
			check_accounts(w);
		}
		assert_true(fired > 0);
		assert_int_equal(w->told, 8);
		for (int i = 0; i < 4; i++) {
			w->balance[i] += 10000000;
			w->seq[i] += 2;
		}
		check_accounts(w);
	}
	audits_pass(w->week);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(settling_follows_the_model, world_up, world_down),
		cmocka_unit_test_setup_teardown(a_column_without_its_predecessor_chains_to_zeros, world_up, world_down),
		cmocka_unit_test_setup_teardown(a_column_without_any_tick_is_void, world_up, world_down),
		cmocka_unit_test_setup_teardown(a_payout_beyond_64_bits_changes_nothing, world_up, world_down),
		cmocka_unit_test_setup_teardown(sums_beyond_64_bits_change_nothing, world_up, world_down),
		cmocka_unit_test_setup_teardown(verifying_sees_what_is_not_from_the_evidence, world_up, world_down),
#ifdef TAP_FAULTS
		cmocka_unit_test_setup_teardown(each_step_can_fail_and_nothing_is_half_done, world_up, world_down),
#endif
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
