/* The fit: the same ticks give the same layer, it is never worse than where it began, and it says what it saw. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>

#include "fit.h"
#include "layer.h"
#include "setup.h"

enum { TICKS = 3000 };

static double normal(void)
{
	double u = (rand() + 1.0) / ((double) RAND_MAX + 2), v = rand() / ((double) RAND_MAX + 1);
	return sqrt(-2 * log(u)) * cos(2 * M_PI * v);
}

/* Five seconds of rest, five of unrest: what no single volatility describes. */
static struct tick ticks[TICKS];

static void make_ticks(void)
{
	double log_p = log(6000000);
	srand(31);
	for (int i = 0; i < TICKS; i++) {
		ticks[i] = (struct tick){ 1771234500000 + 100 * i, llround(exp(log_p)) };
		log_p += (i / 50 % 2 ? 0.1 : 0.8) * sqrt(0.1 / QUOTE_YEAR_S) * normal();
	}
}

static struct play_rules rules_for_the_fit(void)
{
	struct settings s;
	char *none[] = { NULL };
	assert_int_equal(settings_load(&s, none, NULL), 0);
	return play_rules_of(&s, &(struct span){ .scale = 1, .quote_ms = 17000, .from_s = 60 }, ticks[0].t_ms);
}

static struct quote_layer fitted(int sources)
{
	struct play_rules rules = rules_for_the_fit();
	struct play_counts counts;
	struct quote_layer l;
	struct fit *f;
	assert_int_equal(layer_open(&l, ""), 0);
	assert_int_equal(fit_new(&f), 0);
	for (int i = 0; i < sources; i++) {
		assert_int_equal(fit_source(f, &(struct layer_source){ .name = "walk", .to_s = 300, .ticks = TICKS, .row_cents = 2000,
				.scale = 1 }), 0);
		play(&rules, &l, ticks, TICKS, fit_cell, f, &counts);
	}
	fit_begin(&l, LAYER_FORMS);
	assert_int_equal(fit_run(f, &l), 0);
	(void) fit_free(f);
	return l;
}

static void the_same_ticks_give_the_same_layer(void **state)
{
	(void) state;
	struct buf one = BUF_INIT(LAYER_FILE_MAX), two = BUF_INIT(LAYER_FILE_MAX);
	struct quote_layer a = fitted(1), b = fitted(1), again;
	const char *why;
	layer_format(&one, &a);
	layer_format(&two, &b);
	assert_int_equal(one.n, two.n);
	assert_memory_equal(one.p, two.p, one.n);
	assert_true(layer_parse(&again, one.p, one.n, &why)); /* within the file's bounds */
	assert_int_equal(a.sources, 1);
	assert_true(a.source[0].cells > 500);
	assert_true(a.loss_e6 <= a.plain_loss_e6);
	buf_free(&one);
	buf_free(&two);
}

/* A source that is given twice weighs no more than once, but for the order of the sums. */
static void each_source_weighs_alike(void **state)
{
	(void) state;
	struct quote_layer a = fitted(1), b = fitted(2);
	assert_int_equal(b.sources, 2);
	assert_in_range(b.loss_e6 - a.loss_e6 + 10, 0, 20);
	assert_int_equal(a.plain_loss_e6, b.plain_loss_e6);
}

static void without_cells_there_is_no_layer(void **state)
{
	(void) state;
	struct quote_layer l;
	struct fit *f;
	assert_int_equal(layer_open(&l, ""), 0);
	assert_int_equal(fit_new(&f), 0);
	assert_true(fit_run(f, &l) < 0);
	for (int i = 0; i < LAYER_SOURCES_MAX; i++)
		assert_int_equal(fit_source(f, &(struct layer_source){ .name = "empty" }), 0);
	assert_true(fit_source(f, &(struct layer_source){ .name = "one too many" }) < 0);
	assert_true(fit_run(f, &l) < 0);
	(void) fit_free(f);
}

static int set_up(void **state)
{
	(void) state;
	make_ticks();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_ticks_give_the_same_layer),
		cmocka_unit_test(each_source_weighs_alike),
		cmocka_unit_test(without_cells_there_is_no_layer),
	};
	return cmocka_run_group_tests_name("refit", tests, set_up, NULL);
}
