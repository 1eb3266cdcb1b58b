/* Exposure: the caps at their edges, and a long random run against a plain list of bets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>

#include "attr.h"
#include "exposure.h"

static const struct exposure_caps caps = {
	.player_column = { 1000 }, .player_open = { 5000 }, .cell = { 25000 }, .column = { 50000 }, .open = { 200000 },
};

static struct bet bet_of(int64_t user, int64_t t0, int64_t low, int64_t stake, int32_t rate)
{
	return (struct bet){ .user = user, .cell = { t0, low, low + 2000 }, .stake = { stake }, .rate = { rate },
		.state = BET_CONFIRMED };
}

static void add(struct exposure *e, struct bet b)
{
	assert_int_equal(exposure_add(e, &b), 0);
}

enum verdict { EXPOSURE_OK, EXPOSURE_PLAYER_LIMIT, EXPOSURE_HOUSE_FULL };

static enum verdict verdict(const struct exposure *e, struct bet b, int64_t open)
{
	if (!exposure_player_fits(e, &b, money_of(open)))
		return EXPOSURE_PLAYER_LIMIT;
	return exposure_house_fits(e, &b) ? EXPOSURE_OK : EXPOSURE_HOUSE_FULL;
}

static void caps_hold_at_their_edges(void **state)
{
	(void) state;
	struct exposure *e;
	assert_int_equal(exposure_new(&e, &caps), 0);
	/* the player's */
	assert_int_equal(verdict(e, bet_of(1, 10, 0, 1000, 10100), 0), EXPOSURE_OK);
	assert_int_equal(verdict(e, bet_of(1, 10, 0, 1001, 10100), 0), EXPOSURE_PLAYER_LIMIT);
	assert_int_equal(verdict(e, bet_of(1, 10, 0, 1000, 10100), 4000), EXPOSURE_OK);
	assert_int_equal(verdict(e, bet_of(1, 10, 0, 1000, 10100), 4001), EXPOSURE_PLAYER_LIMIT);
	assert_int_equal(verdict(e, bet_of(1, 10, 0, 1, 10100), INT64_MAX), EXPOSURE_PLAYER_LIMIT);
	add(e, bet_of(1, 10, 0, 600, 10100));
	assert_int_equal(verdict(e, bet_of(1, 10, 2000, 400, 10100), 0), EXPOSURE_OK);
	assert_int_equal(verdict(e, bet_of(1, 10, 2000, 401, 10100), 0), EXPOSURE_PLAYER_LIMIT);
	assert_int_equal(verdict(e, bet_of(1, 15, 2000, 1000, 10100), 0), EXPOSURE_OK);
	assert_int_equal(verdict(e, bet_of(2, 10, 2000, 1000, 10100), 0), EXPOSURE_OK);
	/* the house's cell: payouts of 20000 and 5000 fill it */
	add(e, bet_of(3, 20, 4000, 1000, 200000));
	assert_int_equal(exposure_column(e, 20).micros, 20000);
	assert_int_equal(exposure_room(e, 20, 4000).micros, 5000);
	assert_int_equal(exposure_room(e, 20, 6000).micros, 25000);
	assert_int_equal(exposure_room(e, 25, 4000).micros, 25000);
	assert_int_equal(verdict(e, bet_of(4, 20, 4000, 500, 100000), 0), EXPOSURE_OK);
	assert_int_equal(verdict(e, bet_of(4, 20, 4000, 501, 100000), 0), EXPOSURE_HOUSE_FULL);
	assert_int_equal(verdict(e, bet_of(4, 20, 6000, 501, 100000), 0), EXPOSURE_OK);
	/* its column: 50000 */
	add(e, bet_of(4, 20, 6000, 1000, 200000));
	assert_int_equal(verdict(e, bet_of(5, 20, 8000, 1000, 100000), 0), EXPOSURE_OK);
	assert_int_equal(verdict(e, bet_of(5, 20, 8000, 1000, 100010), 0), EXPOSURE_HOUSE_FULL);
	/* all open: 200000, of which 40606 are taken */
	assert_int_equal(exposure_open(e).micros, 606 + 40000);
	for (int i = 0; i < 7; i++)
		add(e, bet_of(6, 100 + 5 * i, 0, 1000, 200000));
	assert_int_equal(verdict(e, bet_of(7, 200, 0, 1000, 193940), 0), EXPOSURE_OK);
	assert_int_equal(verdict(e, bet_of(7, 200, 0, 1000, 193950), 0), EXPOSURE_HOUSE_FULL);
	/* both: the player's limit is told */
	assert_int_equal(verdict(e, bet_of(6, 100, 0, 1, 200000), 0), EXPOSURE_PLAYER_LIMIT);
	/* what cannot be counted cannot be taken */
	assert_int_equal(exposure_house_fits(e, &(struct bet){ .stake = { INT64_MAX }, .rate = { 20000 } }), false);
	e = exposure_free(e);
	assert_null(e);
}

static void overflow_changes_nothing(void **state)
{
	(void) state;
	struct exposure *e;
	assert_int_equal(exposure_new(&e, &caps), 0);
	struct bet most = bet_of(1, 10, 0, INT64_MAX, 10000), one = bet_of(2, 15, 0, 1, 10000),
		double_most = bet_of(3, 20, 0, INT64_MAX, 20000);
	add(e, most);
	assert_int_equal(exposure_add(e, &one), -EOVERFLOW);
	assert_int_equal(exposure_add(e, &double_most), -EOVERFLOW);
	assert_true(exposure_open(e).micros == INT64_MAX);
	int64_t columns[4];
	assert_int_equal(exposure_columns_before(e, INT64_MAX, columns, 4), 1);
	exposure_undo(e, &most);
	assert_int_equal(exposure_open(e).micros, 0);
	(void) exposure_free(e);
}

static void columns_are_bounded(void **state)
{
	(void) state;
	struct exposure *e;
	assert_int_equal(exposure_new(&e, &caps), 0);
	for (int i = 0; i < EXPOSURE_COLUMNS_MAX; i++)
		add(e, bet_of(1, 5 * ((i * 7) % EXPOSURE_COLUMNS_MAX), 0, 1, 10100)); /* 7 and 4096 share no factor: each once */
	struct bet late = bet_of(1, 5 * EXPOSURE_COLUMNS_MAX, 0, 1, 10100);
	assert_int_equal(exposure_add(e, &late), -ENOBUFS);
	int64_t columns[3];
	assert_int_equal(exposure_columns_before(e, 1000, columns, 3), 3);
	assert_true(columns[0] == 0 && columns[1] == 5 && columns[2] == 10);
	assert_int_equal(exposure_columns_before(e, 10, columns, 3), 2);
	exposure_drop_column(e, 5);
	assert_int_equal(exposure_add(e, &late), 0);
	assert_int_equal(exposure_columns_before(e, 1000, columns, 3), 3);
	assert_true(columns[0] == 0 && columns[1] == 10 && columns[2] == 15);
	(void) exposure_free(e);
}

/* The model: every bet there is, added up anew for each question. */
enum { MODEL_MAX = 4000 };
struct model {
	struct bet bets[MODEL_MAX];
	size_t n;
};

static int64_t payout(const struct bet *b)
{
	return b->stake.micros * b->rate.e4 / 10000;
}

static enum verdict model_verdict(const struct model *m, const struct bet *b, int64_t open)
{
	int64_t stake = b->stake.micros, cell = payout(b), column = cell, all = cell;
	for (size_t i = 0; i < m->n; i++) {
		const struct bet *o = &m->bets[i];
		bool same_column = o->cell.t0_s == b->cell.t0_s;
		all += payout(o);
		column += same_column ? payout(o) : 0;
		cell += same_column && o->cell.low_cents == b->cell.low_cents ? payout(o) : 0;
		stake += same_column && o->user == b->user ? o->stake.micros : 0;
	}
	if (stake > caps.player_column.micros || open + b->stake.micros > caps.player_open.micros)
		return EXPOSURE_PLAYER_LIMIT;
	return cell > caps.cell.micros || column > caps.column.micros || all > caps.open.micros ? EXPOSURE_HOUSE_FULL
											 : EXPOSURE_OK;
}

/* Each cell with bets is told once, with what it would cost, oldest column first; and no more than there is room for. */
static void cells_agree(const struct model *m, const struct exposure *e)
{
	static int64_t cost[40][24];
	static struct exposure_cell cells[40 * 24 + 1];
	size_t held = 0;
	memset(cost, 0, sizeof cost);
	for (size_t i = 0; i < m->n; i++) {
		int64_t *at = &cost[m->bets[i].cell.t0_s / 5][m->bets[i].cell.low_cents / 2000];
		held += *at == 0;
		*at += payout(&m->bets[i]);
	}
	assert_int_equal(exposure_cells(e, cells, 0), held);
	assert_int_equal(exposure_cells(e, cells, ARRAY_LEN(cells)), held);
	for (size_t i = 0; i < held; i++) {
		assert_true(i == 0 || cells[i].t0_s >= cells[i - 1].t0_s);
		assert_int_equal(cells[i].payout.micros, cost[cells[i].t0_s / 5][cells[i].low_cents / 2000]);
		cost[cells[i].t0_s / 5][cells[i].low_cents / 2000] = -1; /* told once */
	}
}

static void model_agrees(const struct model *m, const struct exposure *e)
{
	cells_agree(m, e);
	int64_t all = 0, column[40] = { 0 }, held[40], before[40];
	size_t n = 0;
	for (size_t i = 0; i < m->n; i++) {
		all += payout(&m->bets[i]);
		column[m->bets[i].cell.t0_s / 5] += payout(&m->bets[i]);
	}
	assert_int_equal(exposure_open(e).micros, all);
	for (int64_t c = 0; c < 40; c++) {
		assert_int_equal(exposure_column(e, 5 * c).micros, column[c]);
		if (column[c] > 0 && 5 * c < 100)
			before[n++] = 5 * c;
	}
	assert_int_equal(exposure_columns_before(e, 100, held, ARRAY_LEN(held)), n);
	assert_memory_equal(held, before, n * sizeof held[0]);
}

static void model_drop(struct model *m, int64_t t0)
{
	size_t kept = 0;
	for (size_t i = 0; i < m->n; i++)
		if (m->bets[i].cell.t0_s != t0)
			m->bets[kept++] = m->bets[i];
	m->n = kept;
}

static void a_long_run_agrees_with_the_model(void **state)
{
	(void) state;
	for (unsigned seed = 1; seed <= 10; seed++) {
		static struct model m;
		struct exposure *e;
		unsigned seen[3] = { 0 };
		srand(seed);
		m.n = 0;
		assert_int_equal(exposure_new(&e, &caps), 0);
		for (int step = 0; step < 6000; step++) {
			int64_t t0 = 5 * (rand() % 40), open = rand() % 5200;
			struct bet b = bet_of(rand() % 50, t0, 2000 * (rand() % 24), 1 + rand() % 400, 10100 + rand() % 190000);
			int what = rand() % 100;
			if (what < 90) {
				enum verdict v = verdict(e, b, open);
				assert_int_equal(v, model_verdict(&m, &b, open));
				seen[v]++;
				if (v == EXPOSURE_OK && m.n < MODEL_MAX) {
					add(e, b);
					m.bets[m.n++] = b;
				}
			} else if (what < 99 && m.n > 0) { /* a batch rolls back: its bets leave, newest first */
				for (int k = rand() % 3; k >= 0 && m.n > 0; k--)
					exposure_undo(e, &m.bets[--m.n]);
			} else {
				exposure_drop_column(e, t0);
				model_drop(&m, t0);
			}
			model_agrees(&m, e);
		}
		assert_true(seen[EXPOSURE_OK] > 100 && seen[EXPOSURE_PLAYER_LIMIT] > 100 && seen[EXPOSURE_HOUSE_FULL] > 10);
		(void) exposure_free(e);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(caps_hold_at_their_edges),
		cmocka_unit_test(overflow_changes_nothing),
		cmocka_unit_test(columns_are_bounded),
		cmocka_unit_test(a_long_run_agrees_with_the_model),
	};
	return cmocka_run_group_tests_name("exposure", tests, NULL, NULL);
}
