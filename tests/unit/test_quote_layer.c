/* The fitted layer: its file has one spelling, its mixture keeps what a touch probability keeps; and the log of quotes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "attr.h"
#include "err.h"
#include "layer.h"
#include "quote_log.h"

static const char good[] =
	"tap-trading quote layer\nversion 7\nhalf_lives 20 60 180 600\nblend 0.100000 0.200000 0.300000 0.400000\neven 0.010000\n"
	"rough 0.200000\nlean 1.000000\nscale -0.050000\nfade 0.500000\nstill 0.150000\nfitted 2026-11-21\nloss_plain 0.300000\n"
	"loss 0.250000\nsource ticks.csv sha256 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef from_s 0 to_s 10"
	" ticks 100 cells 50 row_cents 2000 scale 1\n";

static void the_file_has_one_spelling(void **state)
{
	(void) state;
	struct quote_layer l;
	const char *why = NULL;
	struct buf again = BUF_INIT(LAYER_FILE_MAX);
	assert_true(layer_parse(&l, good, sizeof good - 1, &why));
	assert_int_equal(l.version, 7);
	assert_int_equal(l.blend_e6[3], 400000);
	assert_int_equal(l.scale_e6, -50000);
	assert_string_equal(l.fitted, "2026-11-21");
	assert_int_equal(l.sources, 1);
	layer_format(&again, &l);
	assert_int_equal(again.n, sizeof good - 1);
	assert_memory_equal(again.p, good, again.n);
	buf_free(&again);
	/* every shorter text is refused, and says why */
	for (size_t n = 0; n < sizeof good - 1; n++) {
		why = NULL;
		assert_false(layer_parse(&l, good, n, &why));
		assert_non_null(why);
	}
}

/* The good file with `from` replaced. */
static void refused(const char *from, const char *to)
{
	char text[LAYER_FILE_MAX];
	struct quote_layer l;
	const char *why = NULL, *at = strstr(good, from);
	assert_non_null(at);
	int n = snprintf(text, sizeof text, "%.*s%s%s", (int) (at - good), good, to, at + strlen(from));
	if (layer_parse(&l, text, (size_t) n, &why) || !why)
		fail_msg("taken: %s instead of %s", to, from);
}

/* Form 2 has two lines more, in their place, and a bound more. */
static void the_second_form_has_one_spelling(void **state)
{
	(void) state;
	static const char head[] = "tap-trading quote layer", still[] = "still 0.150000\n", more[] = "bounce 0.100000\npause 1.000000\n";
	char text[LAYER_FILE_MAX];
	struct quote_layer l;
	const char *why = NULL, *at = strstr(good, still) + sizeof still - 1;
	struct buf again = BUF_INIT(LAYER_FILE_MAX);
	int n = snprintf(text, sizeof text, "%s, form 2%.*s%s%s", head, (int) (at - good - (long) sizeof head + 1), good + sizeof head - 1,
			more, at);
	assert_true(layer_parse(&l, text, (size_t) n, &why));
	assert_int_equal(l.form, 2);
	assert_int_equal(l.bounce_e6, 100000);
	assert_int_equal(l.pause_e6, 1000000);
	layer_format(&again, &l);
	assert_int_equal(again.n, n);
	assert_memory_equal(again.p, text, again.n);
	buf_free(&again);
	for (int cut = 0; cut < n; cut++)
		assert_false(layer_parse(&l, text, (size_t) cut, &why));
	memcpy(strstr(text, "still 0.1"), "still 0.0", 9);
	assert_false(layer_parse(&l, text, (size_t) n, &why));
	refused("tap-trading quote layer\n", "tap-trading quote layer, form 2\n");
	refused("tap-trading quote layer\n", "tap-trading quote layer, form 3\n");
	refused("still 0.150000\n", "still 0.150000\nbounce 0.100000\npause 1.000000\n");
}

static void strange_files_are_refused(void **state)
{
	(void) state;
	static const char *const swaps[][2] = {
		{ "layer\n", "layer \n" }, { "version 7", "version 0" }, { "version 7", "version 07" }, { "version 7", "version 1000000" },
		{ "version 7", "version -7" }, { "20 60 180 600", "20 60 180 601" }, { "0.100000 0.2", "0.100001 0.2" },
		{ "0.100000 0.2", "-0.100000 0.2" }, { "even 0.010000", "even 0.01" }, { "even 0.010000", "even 1.000001" },
		{ "even 0.010000", "even -0.010000" }, { "rough 0.200000", "rough nan" }, { "rough 0.200000", "rough 0.2000000" },
		{ "lean 1.000000", "lean 3.000001" }, { "scale -0.050000", "scale -0.000000" }, { "scale -0.050000", "scale 00.050000" },
		{ "fade 0.500000", "fade  0.500000" }, { "still 0.150000", "still 1.100000" }, { "fitted 2026-11-21", "fitted 21.11.2026" },
		{ "loss 0.250000\n", "" }, { "loss 0.250000\n", "loss 0.250000\r\n" }, { "source ticks", "source ../ticks" },
		{ "0123456789abcdef", "0123456789ABCDEF" }, { "ticks 100", "ticks 10000000000" }, { "scale 1\n", "scale 1" },
		{ "scale 1\n", "scale 1\n\n" },
	};
	for (size_t i = 0; i < ARRAY_LEN(swaps); i++)
		refused(swaps[i][0], swaps[i][1]);
}

static void layers_come_from_files_and_from_the_release(void **state)
{
	(void) state;
	struct quote_layer l, found;
	char path[] = "/tmp/test_layer.XXXXXX";
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, good, sizeof good - 1), sizeof good - 1);
	assert_int_equal(layer_open(&l, path), 0);
	assert_int_equal(l.version, 7);
	assert_int_equal(layer_find(&found, path, l.id), 0);
	assert_int_equal(layer_find(&found, "", l.id), 1);
	assert_int_equal(write(fd, "x", 1), 1);
	assert_true(layer_open(&l, path) < 0);
	assert_non_null(strstr(err_text(), "source NAME"));
	err_clear();
	(void) close(fd);
	(void) unlink(path);
	assert_true(layer_open(&l, path) < 0);
	err_clear();
	/* the release's own: each is in its one spelling, is named by its version, and is found by its id */
	assert_true(quote_layers_n > 0);
	for (size_t i = 0; i < quote_layers_n; i++) {
		const char *why;
		char name[32];
		assert_true(layer_parse(&l, quote_layers[i].text, strlen(quote_layers[i].text), &why));
		(void) snprintf(name, sizeof name, "%lld.layer", (long long) l.version);
		assert_string_equal(quote_layers[i].name, name);
		assert_int_equal(layer_find(&found, "", l.id), 0);
		assert_int_equal(found.version, l.version);
		assert_true(l.loss_e6 < l.plain_loss_e6);
	}
}

static int64_t below(int64_t n)
{
	return rand() % n;
}

static struct quote_layer some_layer(void)
{
	struct quote_layer l = { .form = (int) below(2) + 1, .version = 1 };
	int64_t rest = 1000000;
	for (int i = 0; i < QUOTE_VOLS - 1; i++)
		rest -= l.blend_e6[i] = below(333333);
	l.blend_e6[QUOTE_VOLS - 1] = rest;
	l.even_e6 = below(200000);
	l.rough_e6 = below(600000);
	l.lean_e6 = below(3000000) - 1000000;
	l.scale_e6 = below(600000) - 300000;
	l.fade_e6 = below(2000000);
	l.still_e6 = LAYER_STILL_LEAST_E6 + below(400000);
	if (l.form == 2) {
		l.bounce_e6 = below(300000);
		l.pause_e6 = below(1000001);
	}
	return l;
}

static struct quote_state some_state(void)
{
	struct quote_state s = { .uneven_ppm = below(QUOTE_UNEVEN_MAX) };
	if (below(4)) {
		s.reach_ppm = QUOTE_REACH_MIN + below(QUOTE_REACH_MAX - QUOTE_REACH_MIN);
		s.idle_ppm = below(1000001);
	}
	for (int i = 0; i < QUOTE_VOLS; i++)
		s.vol_ppm[i] = 50000 + below(1500000);
	return s;
}

/* Whatever the coefficients: within [0, 1]; less, the further the cell; more, the higher it is. */
static void the_mixture_is_a_touch_probability(void **state)
{
	(void) state;
	srand(9);
	for (int turn = 0; turn < 100; turn++) {
		struct quote_layer l = some_layer();
		struct quote_state s = some_state();
		double price = 3000000 + (double) below(7000000), h = 500 + (double) below(4000), t1 = 5 + (double) below(60);
		struct layer_mix mix = layer_mix_of(&l, &s, t1 + 2.5);
		double before = 2;
		for (int row = 0; row < 30; row++) {
			double low = price + 1 + row * h / 3, p = layer_touch(&mix, price, low, low + h, t1, t1 + 5, 0.1);
			double mirror = layer_touch(&mix, price, price * price / (low + h), price * price / low, t1, t1 + 5, 0.1);
			assert_true(p >= 0 && p <= before && p <= 1);
			assert_true(fabs(p - mirror) < 1e-9); /* log price has no drift: as far below as above */
			/* without the ticks' shift, which keeps but the middle of a cell that is thin for its volatility */
			struct layer_mix seen = mix;
			seen.pause_s = 0;
			assert_true(layer_touch(&seen, price, low, low + 2 * h, t1, t1 + 5, 0) >=
					layer_touch(&seen, price, low, low + h, t1, t1 + 5, 0) - 1e-12);
			before = p;
		}
	}
}

/* Over the rows p sums to 1 + E[range] / H, with the range of the mixture: nothing for the part that stands still. */
static void the_mixture_sums_as_one_path_does(void **state)
{
	(void) state;
	srand(10);
	for (int turn = 0; turn < 12; turn++) {
		struct quote_layer l = some_layer();
		struct quote_state s = some_state();
		const double price = 9743000, h = 2000, t1 = 5 + 8.0 * turn;
		struct layer_mix mix = layer_mix_of(&l, &s, t1 + 2.5);
		mix.pause_s = 0; /* seen without a pause: the shift is a correction, not a path */
		double moved = 0, sum = 0;
		for (int k = 0; k < LAYER_NODES; k++) {
			static const double weight[] = { 0.011257411327720688, 0.22207592200561266, 0.53333333333333333,
				0.22207592200561266, 0.011257411327720688 };
			moved += weight[k] * mix.sigma[k] * sqrt(8 * 5 / (M_PI * QUOTE_YEAR_S)) * price;
		}
		for (double low = price - 1000.25 - 600 * h; low < price + 600 * h; low += h / 64) /* 64 places within the row */
			sum += layer_touch(&mix, price, low, low + h, t1, t1 + 5, 0) / 64;
		double want = 1 + (1 - mix.still) * moved / h;
		if (fabs(sum / want - 1) > 2e-3)
			fail_msg("%.6f, not %.6f", sum, want);
	}
}

static struct quote_made some_quote(const struct quote_made *like)
{
	struct quote_made m = *like;
	m.t_ms += below(400) + 1;
	m.quote_id = m.t_ms + below(3);
	m.p_cents += below(2000) - 1000;
	bool measured = like->state.reach_ppm != 0;
	do
		m.state = some_state();
	while ((m.state.reach_ppm != 0) != measured); /* all of a record, or none */
	m.stopped = below(5) == 0;
	memset(m.skew, 0, sizeof m.skew);
	for (int i = 0; below(3) == 0 && i < m.rules.grid.columns; i++)
		for (int j = 0; j < m.rules.grid.rows; j++)
			m.skew[i][j] = (uint8_t) (below(4) ? 0 : below(9) ? below(QUOTE_SKEW_STEPS + 1) : QUOTE_SKEW_CLOSED);
	return m;
}

static void what_was_logged_is_read_again(void **state)
{
	(void) state;
	static struct quote_made run[QUOTE_LOG_RUN], back[QUOTE_LOG_RUN];
	struct buf bytes = BUF_INIT(QUOTE_LOG_MAX);
	size_t n;
	srand(12);
	for (int turn = 0; turn < 300; turn++) {
		struct quote_made m = { .rules = { .grid = { 5, 2000, (int) below(GRID_COLUMNS_MAX) + 1, (int) below(GRID_ROWS_MAX) + 1 },
				.margin_bp = 500, .max_rate_e4 = 200000, .min_p_ppm = 40000, .tick_ms = 100 },
			.layer = { 1, 2, 3, 4, 5, 6, 7, 8 }, .t_ms = 1771234560000, .p_cents = 9743210 };
		m.state = some_state();
		size_t want = (size_t) below(QUOTE_LOG_RUN) + 1;
		for (size_t i = 0; i < want; i++)
			run[i] = m = some_quote(&m);
		buf_clear(&bytes);
		quote_log_encode(&bytes, run, want);
		assert_false(bytes.failed);
		assert_true(quote_log_decode((const uint8_t *) bytes.p, bytes.n, back, &n));
		assert_int_equal(n, want);
		for (size_t i = 0; i < n; i++) {
			assert_true(quote_log_same(&run[i], &back[i]));
			assert_int_equal(back[i].t_ms, run[i].t_ms);
			assert_int_equal(back[i].quote_id, run[i].quote_id);
			assert_int_equal(back[i].p_cents, run[i].p_cents);
			assert_int_equal(back[i].stopped, run[i].stopped);
			assert_memory_equal(&back[i].state, &run[i].state, sizeof run[i].state);
			assert_memory_equal(back[i].skew, run[i].skew, sizeof run[i].skew);
		}
		for (size_t cut = 0; turn < 20 && cut < bytes.n; cut++)
			assert_false(quote_log_decode((const uint8_t *) bytes.p, cut, back, &n));
	}
	buf_free(&bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_file_has_one_spelling),
		cmocka_unit_test(the_second_form_has_one_spelling),
		cmocka_unit_test(strange_files_are_refused),
		cmocka_unit_test(layers_come_from_files_and_from_the_release),
		cmocka_unit_test(the_mixture_is_a_touch_probability),
		cmocka_unit_test(the_mixture_sums_as_one_path_does),
		cmocka_unit_test(what_was_logged_is_read_again),
	};
	return cmocka_run_group_tests_name("quote_layer", tests, NULL, NULL);
}
