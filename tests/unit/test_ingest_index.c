/* The index: who counts, and what the price is. Prices in 1e-4 USD. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "index.h"

enum { NOW = 1000000, USD = 10000 };

static const struct index_rules rules = { .stale_ms = 2000, .band_bp = 20, .pair_bp = 5, .min_venues = 1 };

static struct index_input usd(int64_t dollars, int64_t age_ms)
{
	return (struct index_input){ QUOTED_USD, dollars * USD, NOW - age_ms };
}

static struct index_input usdt(int64_t dollars, int64_t age_ms)
{
	return (struct index_input){ QUOTED_USDT, dollars * USD, NOW - age_ms };
}

static int64_t price(struct index *ix, const struct index_input *in, size_t n)
{
	int64_t e4 = -1;
	return index_price(ix, in, n, NOW, &e4) ? e4 : 0;
}

static void the_median_of_the_live(void **state)
{
	(void) state;
	static const struct { int64_t mid[3], age[3], expected; int live; } rows[] = {
		{ { 60000, 60010, 60020 }, { 0, 0, 0 }, 60010, 3 },
		{ { 60000, 60010, 60020 }, { 0, 0, 2000 }, 60005, 2 },   /* the third is stale */
		{ { 60000, 60010, 60020 }, { 0, 0, 1999 }, 60010, 3 },
		{ { 60000, 60010, 60020 }, { 0, 9000, 9000 }, 60000, 1 },
		{ { 60000, 60010, 60020 }, { 2000, 2001, 9000 }, 0, 0 },
		{ { 60000, 60010, 61000 }, { 0, 0, 0 }, 60005, 2 },      /* an outlier is left out, and does not pull */
		{ { 60000, 60130, 60000 }, { 0, 0, 0 }, 60000, 2 },
		{ { 60000, 60120, 60000 }, { 0, 0, 0 }, 60000, 3 },      /* 20 bp exactly is inside */
		{ { 60000, 61000, 0 }, { 0, 0, 0 }, 0, 0 },              /* two that disagree: nobody knows who is right */
		{ { 60000, 60031, 0 }, { 0, 0, 0 }, 0, 0 },              /* by more than five basis points */
		{ { 60000, 60030, 0 }, { 0, 0, 0 }, 60015, 2 },
		{ { 60000, 60040, 60020 }, { 0, 0, 2000 }, 0, 0 },       /* who had a majority loses it with the third */
		{ { 60000, 60040, 61000 }, { 0, 0, 0 }, 60020, 2 },      /* of three that speak, two are one */
		{ { 0, 60000, 0 }, { 0, 0, 0 }, 60000, 1 },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct index ix;
		struct index_input in[3];
		index_init(&ix, &rules);
		for (int k = 0; k < 3; k++)
			in[k] = usd(rows[i].mid[k], rows[i].age[k]);
		assert_int_equal(price(&ix, in, 3), rows[i].expected * USD);
		assert_int_equal(ix.live, rows[i].live);
	}
}

static void standings_say_why(void **state)
{
	(void) state;
	struct index ix;
	struct index_input in[5] = { usd(60000, 0), usd(60010, 0), usd(61000, 0), usd(60000, 5000), usd(0, 0) };
	index_init(&ix, &rules);
	assert_true(price(&ix, in, 5) > 0);
	assert_int_equal(ix.standing[0], VENUE_LIVE);
	assert_int_equal(ix.standing[1], VENUE_LIVE);
	assert_int_equal(ix.standing[2], VENUE_OFF_BAND);
	assert_int_equal(ix.standing[3], VENUE_STALE);
	assert_int_equal(ix.standing[4], VENUE_SILENT);
}

static void too_few_make_no_price(void **state)
{
	(void) state;
	struct index ix;
	struct index_input in[2] = { usd(60000, 0), usd(60010, 5000) };
	index_init(&ix, &(struct index_rules){ .stale_ms = 2000, .band_bp = 20, .pair_bp = 5, .min_venues = 2 });
	assert_int_equal(price(&ix, in, 2), 0);
	in[1].heard_mono_ms = NOW;
	assert_int_equal(price(&ix, in, 2), 60005 * USD);
	assert_int_equal(price(&ix, in, 0), 0);
}

/* Where all venues quote in tether, tether is the currency; where one does not, it never counts raw. */
static void tether_is_never_taken_for_a_dollar(void **state)
{
	(void) state;
	struct index ix;
	struct index_input alone[1] = { usdt(60000, 0) }, in[2] = { usd(0, 0), usdt(60060, 0) };
	index_init(&ix, &rules);
	assert_int_equal(price(&ix, alone, 1), 60000 * USD);
	index_init(&ix, &rules);
	assert_int_equal(price(&ix, in, 2), 0);
	assert_int_equal(ix.standing[1], VENUE_NO_BASIS);
	in[0] = usd(60000, 0);
	assert_int_equal(price(&ix, in, 2), 60000 * USD);
	assert_int_equal(ix.standing[1], VENUE_LIVE);
	assert_int_equal(ix.value_e4[1], 60000 * USD);
}

/* What an earlier run learned is where this one begins; it is learned on, and never believed beyond reason. */
static void a_basis_is_recalled(void **state)
{
	(void) state;
	struct index ix;
	struct index_input in[2] = { usd(0, 0), usdt(60060, 0) };
	index_init(&ix, &rules);
	index_recall(&ix, 1, INDEX_BASIS_ONE / 1000 * 1001);
	assert_int_equal(price(&ix, in, 2), 60000 * USD);
	in[0] = usd(60006, 0); /* tether fell by one basis point meanwhile */
	for (int i = 0; i < 8 * INDEX_RECALLED_SAMPLES; i++)
		(void) price(&ix, in, 2);
	assert_in_range(ix.value_e4[1], 60005 * USD, 60006 * USD);
	index_recall(&ix, 1, INDEX_BASIS_ONE); /* later than what was learned */
	assert_in_range(ix.value_e4[1], 60005 * USD, 60006 * USD);
	index_init(&ix, &rules);
	index_recall(&ix, 1, INDEX_BASIS_ONE / 100 * 102);
	index_recall(&ix, 1, 0);
	assert_int_equal(ix.basis[1].e9, 0);
}

/* Tether at 0.999: its price is 60 USD higher, three rows. It must move the index neither when it comes nor when the dollar goes. */
static void tether_is_converted_by_its_basis(void **state)
{
	(void) state;
	struct index ix;
	struct index_input in[2] = { usd(60000, 0), usdt(60060, 0) };
	index_init(&ix, &rules);
	for (int i = 0; i < 50; i++)
		assert_int_equal(price(&ix, in, 2), 60000 * USD);
	assert_int_equal(ix.live, 2);
	in[0].heard_mono_ms = NOW - 5000;
	assert_in_range(price(&ix, in, 2), 60000 * USD - 1, 60000 * USD + 1);
	in[1].mid_e4 = 60160 * USD; /* and follows the venue that is left */
	assert_in_range(price(&ix, in, 2), 60099 * USD, 60100 * USD);
}

/* One dollar venue goes wild: its basis is not learned from that, so the others keep their price. */
static void a_basis_is_not_learned_from_an_outlier(void **state)
{
	(void) state;
	struct index ix;
	struct index_input in[3] = { usd(60000, 0), usd(60002, 0), usdt(60061, 0) };
	index_init(&ix, &rules);
	for (int i = 0; i < 100; i++)
		(void) price(&ix, in, 3);
	int64_t before = ix.basis[2].e9;
	in[0].mid_e4 = 60400 * USD;
	for (int i = 0; i < 100; i++)
		assert_in_range(price(&ix, in, 3), 60000 * USD, 60003 * USD);
	assert_int_equal(ix.standing[0], VENUE_OFF_BAND);
	assert_in_range(ix.basis[2].e9, before - 40000, before + 40000); /* 0.4 bp */
}

/* Two of three dollar venues are away: the one that is left cannot make tether agree with it, however patient it is. */
static void one_dollar_venue_teaches_no_basis(void **state)
{
	(void) state;
	struct index ix;
	int64_t e4;
	struct index_input in[4] = { usd(60000, 0), usd(0, 0), usd(0, 0), usdt(60060, 0) };
	index_init(&ix, &rules);
	assert_int_equal(price(&ix, in, 4), 60000 * USD);
	assert_int_equal(ix.standing[3], VENUE_NO_BASIS);
	in[1] = in[2] = in[0];
	assert_int_equal(price(&ix, in, 4), 60000 * USD);
	assert_int_equal(ix.live, 4);
	in[1].heard_mono_ms = in[2].heard_mono_ms = NOW - 5000;
	in[0].mid_e4 = 60100 * USD;
	for (int64_t t = NOW; t < NOW + 3 * INDEX_RELEARN_MS; t += 100) {
		in[0].heard_mono_ms = in[3].heard_mono_ms = t;
		assert_false(index_price(&ix, in, 4, t, &e4));
	}
	assert_int_equal(ix.standing[0], VENUE_OFF_BAND);
	assert_int_equal(ix.standing[3], VENUE_OFF_BAND);
	assert_int_equal(ix.basis[3].e9, INDEX_BASIS_ONE / 1000 * 1001);
}

static void a_wrong_basis_is_forgotten(void **state)
{
	(void) state;
	struct index ix;
	int64_t e4;
	struct index_input in[2] = { usd(60000, 0), usdt(60300, 0) }; /* learned while the dollar venue was 50 bp off */
	index_init(&ix, &rules);
	assert_true(index_price(&ix, in, 2, NOW, &e4));
	in[0].mid_e4 = 60300 * USD;
	in[0].heard_mono_ms = in[1].heard_mono_ms = NOW + INDEX_RELEARN_MS + 2;
	assert_false(index_price(&ix, in, 2, NOW + 1, &e4));
	assert_false(index_price(&ix, in, 2, NOW + INDEX_RELEARN_MS + 1, &e4));
	assert_false(index_price(&ix, in, 2, NOW + INDEX_RELEARN_MS + 2, &e4));
	assert_true(index_price(&ix, in, 2, NOW + INDEX_RELEARN_MS + 3, &e4));
	assert_int_equal(e4, 60300 * USD);
}

/* Tether jumped, or it is another tether than that of the earlier run: within the band, but not what was learned. */
static void a_basis_that_moved_is_learned_anew(void **state)
{
	(void) state;
	struct index ix;
	int64_t e4;
	struct index_input in[3] = { usd(60000, 0), usd(60000, 0), usdt(60048, 0) };
	index_init(&ix, &rules);
	index_recall(&ix, 2, INDEX_BASIS_ONE);
	for (int64_t t = NOW; t <= NOW + INDEX_RELEARN_MS + 200; t += 100) {
		for (int i = 0; i < 3; i++)
			in[i].heard_mono_ms = t;
		assert_true(index_price(&ix, in, 3, t, &e4));
		assert_int_equal(e4, 60000 * USD); /* the others outvote it meanwhile */
		if (t == NOW + INDEX_RELEARN_MS)
			assert_true(ix.value_e4[2] > 60020 * USD);
	}
	assert_in_range(ix.value_e4[2], 60000 * USD - 1, 60000 * USD + 1);
}

/* Further than a hundred basis points from the dollar is no basis. */
static void a_broken_tether_is_left_out(void **state)
{
	(void) state;
	struct index ix;
	struct index_input in[2] = { usd(60000, 0), usdt(61000, 0) };
	index_init(&ix, &rules);
	assert_int_equal(price(&ix, in, 2), 60000 * USD);
	assert_int_equal(ix.standing[1], VENUE_OFF_BAND);
	assert_int_equal(ix.live, 1);
}

static void the_highest_prices_do_not_overflow(void **state)
{
	(void) state;
	struct index ix;
	struct index_input in[3] = { usd(10000000, 0), usd(10000000, 0), usdt(10000000, 0) };
	index_init(&ix, &rules);
	for (int i = 0; i < 5000; i++)
		assert_int_equal(price(&ix, in, 3), 10000000LL * USD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_median_of_the_live),
		cmocka_unit_test(standings_say_why),
		cmocka_unit_test(too_few_make_no_price),
		cmocka_unit_test(tether_is_never_taken_for_a_dollar),
		cmocka_unit_test(a_basis_is_recalled),
		cmocka_unit_test(tether_is_converted_by_its_basis),
		cmocka_unit_test(a_basis_is_not_learned_from_an_outlier),
		cmocka_unit_test(one_dollar_venue_teaches_no_basis),
		cmocka_unit_test(a_wrong_basis_is_forgotten),
		cmocka_unit_test(a_basis_that_moved_is_learned_anew),
		cmocka_unit_test(a_broken_tether_is_left_out),
		cmocka_unit_test(the_highest_prices_do_not_overflow),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
