/* The fairness tool: recordings are read as ingest would have ticked, the grid is played by the product's own modules, the sums are
 * right; and on prices that follow the formula the house keeps its margin. */
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
#include "recording.h"
#include "setup.h"
#include "tally.h"

/* A layer that adds nothing to the formula but its own measure of volatility: the mean of the slowest. */
static const char formula[] =
	"tap-trading quote layer\nversion 9\nhalf_lives 20 60 180 600\nblend 0.000000 0.000000 0.000000 1.000000\neven 0.000000\n"
	"rough 0.000000\nlean 0.000000\nscale 0.000000\nfade 0.000000\nstill 0.000000\nfitted 2026-11-21\nloss_plain 0.000000\n"
	"loss 0.000000\nsource none sha256 0000000000000000000000000000000000000000000000000000000000000000 from_s 0 to_s 0"
	" ticks 0 cells 0 row_cents 2000 scale 1\n";

static char path[64];

static void write_file(const char *text)
{
	(void) snprintf(path, sizeof path, "/tmp/test_fairness.XXXXXX");
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	(void) close(fd);
}

static struct recording recorded(const char *text, int64_t tick_ms, int64_t scale)
{
	struct recording r;
	write_file(text);
	int got = recording_read(&r, path, tick_ms, scale);
	(void) unlink(path);
	if (got < 0)
		fail_msg("%s", err_text());
	return r;
}

static void assert_ticks(struct recording r, const struct tick *want, size_t n)
{
	assert_int_equal(r.n, n);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(r.ticks[i].t_ms, want[i].t_ms);
		assert_int_equal(r.ticks[i].p_cents, want[i].p_cents);
	}
	recording_free(&r);
}

static void recordings_are_read_as_ingest_would_tick(void **state)
{
	(void) state;
	const struct tick official[] = { { 1000, 500 }, { 1100, 501 } };
	assert_ticks(recorded("t_ms,p_cents\n1000,500\n1100,501\n", 100, 1), official, 2);
	assert_ticks(recorded("{\"ticks\": [[1000, 500],[1100,501]]}", 100, 1), official, 2);
	/* the newest book at each tenth of a second, half a cent rounded up, none from a book older than two seconds */
	const struct tick mids[] = { { 200, 101 }, { 300, 101 }, { 400, 103 } };
	assert_ticks(recorded("ms,bid_cents,ask_cents\n130,99,100\n180,100,101\n350,103,103\n420,1,1\n", 100, 1), mids, 3);
	struct recording gap = recorded("ms,bid_cents,ask_cents\n100,100,100\n5000,100,100\n", 100, 1);
	assert_int_equal(gap.n, 21 - 1 + 1); /* 200 .. 2100, and 5000 */
	assert_int_equal(gap.ticks[gap.n - 2].t_ms, 2100);
	recording_free(&gap);
	/* 2016-10-07 00:00:04 UTC; the close is held, and scaled */
	const struct tick bars[] = { { 1475798405000, 6118700 }, { 1475798406000, 6119000 } };
	assert_ticks(recorded("date_utc,ms_of_day,open,high,low,close,volume\n20161007,4000,611.78,611.87,611.78,611.87,0.6\n"
			"20161007,6000,611.9,611.9,611.9,611.9,0.5\n", 1000, 100), bars, 2);
}

static void strange_recordings_are_refused(void **state)
{
	(void) state;
	static const char *const bad[] = { "", "x\n1,2\n", "t_ms,p_cents\n", "t_ms,p_cents\n1,0\n", "t_ms,p_cents\n2,5\n2,5\n",
		"t_ms,p_cents\n1;5\n", "ms,bid_cents,ask_cents\n100,5,4\n", "{\"ticks\":[[5,1],[4,1]]}", "{\"ticks\":[]}",
		"date_utc,ms_of_day,open,high,low,close,volume\n20161007,4000,1,1,1,-1,1\n" };
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct recording r;
		write_file(bad[i]);
		int got = recording_read(&r, path, 100, 1);
		(void) unlink(path);
		if (got >= 0)
			fail_msg("taken: %s", bad[i]);
		err_clear();
	}
	static const char *const spans[] = { "", ",from_s=1", "f,from_s", "f,from_s=", "f,from_s=-1", "f,other=1", "f,from_s=1x",
		"f,tick_ms=2000" };
	struct span s;
	for (size_t i = 0; i < ARRAY_LEN(spans); i++)
		assert_true(span_parse(&s, spans[i]) < 0);
	err_clear();
	assert_int_equal(span_parse(&s, "a/b.csv,from_s=3,to_s=9,scale=100"), 0);
	assert_string_equal(s.path, "a/b.csv");
	assert_int_equal(s.from_s + s.to_s + s.scale, 112);
}

static double normal(void)
{
	double u = (rand() + 1.0) / ((double) RAND_MAX + 2), v = rand() / ((double) RAND_MAX + 1);
	return sqrt(-2 * log(u)) * cos(2 * M_PI * v);
}

static struct tick *walk(double sigma, int n)
{
	struct tick *t = calloc((size_t) n, sizeof *t);
	double log_p = log(6000000);
	assert_non_null(t);
	for (int i = 0; i < n; i++) {
		t[i] = (struct tick){ 1771234500000 + 100 * i, llround(exp(log_p)) };
		log_p += sigma * sqrt(0.1 / QUOTE_YEAR_S) * normal();
	}
	return t;
}

static struct play_rules rules_of_the_product(int64_t quote_ms)
{
	struct settings s;
	char *none[] = { NULL };
	assert_int_equal(settings_load(&s, none, NULL), 0);
	struct play_rules r = play_rules_of(&s, &(struct span){ .scale = 1, .quote_ms = quote_ms }, 0);
	return r;
}

static struct quote_layer formula_layer(void)
{
	struct quote_layer l;
	const char *why;
	assert_true(layer_parse(&l, formula, sizeof formula - 1, &why));
	return l;
}

/* One walk of twenty minutes; the bounds are four of the standard errors that the tool itself finds. */
static void a_walk_leaves_the_house_its_margin(void **state)
{
	(void) state;
	srand(21);
	struct tick *t = walk(0.6, 12000);
	struct quote_layer layer = formula_layer();
	struct play_rules rules = rules_of_the_product(3000);
	struct play_counts counts;
	struct tally *tally;
	rules.from_ms = t[1200].t_ms; /* two minutes to learn the volatility */
	rules.vol_start = 0.6;
	assert_int_equal(tally_new(&tally, 60000, 1000000), 0);
	play(&rules, &layer, t, 12000, tally_cell, tally, &counts);
	assert_int_equal(tally_end(tally), 0);
	assert_int_equal(counts.grids, 1080 / 3 - 1);
	assert_int_equal(counts.stale, 0);
	assert_int_equal(counts.stopped, 0);
	assert_int_equal(counts.void_columns, 0);
	assert_in_range(tally_blocks(tally), 18, 20);
	struct tally_row all = tally_row(tally, TALLY_LAYER, TALLY_ALL);
	assert_true(all.bets > 20000 && all.edge_se > 0 && all.edge_se < 0.1);
	if (fabs(all.edge - 0.05) > 4 * all.edge_se)
		fail_msg("edge %.3f, error %.3f", all.edge, all.edge_se);
	double bets = 0, by_place = 0;
	for (int i = 0; i < TALLY_BUCKETS; i++) {
		struct tally_row r = tally_row(tally, TALLY_LAYER, TALLY_BUCKET + i);
		bets += r.bets;
		assert_true(r.bets == 0 || (r.p >= tally_bucket_from[i] && r.p <= tally_bucket_from[i + 1]));
		if (r.bets > 1000 && fabs(r.hit - r.p) > 0.25 * r.p + 0.03)
			fail_msg("bucket %d: %.3f predicted, %.3f hit", i, r.p, r.hit);
	}
	for (int g = TALLY_PLACE; g < TALLY_GROUPS; g++)
		by_place += tally_row(tally, TALLY_LAYER, g).bets > 0 ? tally_row(tally, TALLY_LAYER, g).bets : 0;
	assert_true(bets == all.bets && by_place == all.bets); /* each bet is in one bucket and in one place */
	(void) tally_free(tally);
	free(t);
}

enum { MARKET_TICKS = 36000 };

/* Other markets than a walk: one that stands and jumps, one whose volatility wanders, one whose moves go on. */
static double jumps(int i)
{
	(void) i;
	return rand() % 200 == 0 ? 0.5 * sqrt(200) * normal() : 0;
}

static double wanders(int i)
{
	static double level;
	level = i ? level * (1 - 1.0 / 9000) + 0.5 * sqrt(2.0 / 9000) * normal() : 0;
	return 0.5 * exp(level - 0.25) * normal();
}

static double trends(int i)
{
	static double drift;
	double e = normal();
	drift = i ? 0.98 * drift + e : e;
	return 0.5 * (e + 0.004 * drift);
}

static double walks(int i)
{
	(void) i;
	return 0.6 * normal();
}

/* The released layer, on an hour of each: nothing there for a player, by three of the errors that the tool finds. */
static void nobody_gains_from_another_market(void **state)
{
	(void) state;
	static const struct {
		const char *name;
		double (*step)(int i);
	} markets[] = { { "walks", walks }, { "jumps", jumps }, { "wanders", wanders }, { "trends", trends } };
	static struct tick t[MARKET_TICKS];
	struct quote_layer layer;
	struct play_rules rules = rules_of_the_product(7000);
	struct play_counts counts;
	assert_int_equal(layer_open(&layer, ""), 0);
	for (size_t m = 0; m < ARRAY_LEN(markets); m++) {
		struct tally *tally;
		double log_p = log(6000000);
		srand(22);
		for (int i = 0; i < MARKET_TICKS; i++, log_p += markets[m].step(i) * sqrt(0.1 / QUOTE_YEAR_S))
			t[i] = (struct tick){ 1771234500000 + 100 * (int64_t) i, llround(exp(log_p)) };
		rules.from_ms = t[3000].t_ms;
		assert_int_equal(tally_new(&tally, 150000, 1000000), 0);
		play(&rules, &layer, t, MARKET_TICKS, tally_cell, tally, &counts);
		assert_int_equal(tally_end(tally), 0);
		assert_true(tally_row(tally, TALLY_LAYER, TALLY_ALL).bets > 20000);
		for (int i = 0; i < TALLY_BUCKETS; i++) {
			struct tally_row r = tally_row(tally, TALLY_LAYER, TALLY_BUCKET + i);
			if (r.bets > 1000 && r.edge + 3 * r.edge_se < 0)
				fail_msg("%s, bucket %d: edge %.3f, error %.3f", markets[m].name, i, r.edge, r.edge_se);
		}
		(void) tally_free(tally);
	}
}

struct seen {
	int64_t cells, voided, won;
	int columns;
};

static void see(void *u, const struct play_cell *c)
{
	struct seen *s = u;
	s->cells++;
	s->voided += c->outcome == OUTCOME_VOID;
	s->won += c->outcome == OUTCOME_WON;
	s->columns = c->column > s->columns ? c->column : s->columns;
}

/* A gap voids its columns, a stale price makes no grid, a jump closes it. */
static void gaps_and_jumps_are_what_they_are_in_the_product(void **state)
{
	(void) state;
	struct tick *t = walk(0.3, 2400), *from = t;
	struct quote_layer layer = formula_layer();
	struct play_rules rules = rules_of_the_product(1000);
	struct play_counts counts;
	struct seen seen = { 0 };
	for (int i = 1200; i < 2400; i++)
		t[i].t_ms += 7000;
	for (int i = 2000; i < 2400; i++)
		t[i].p_cents += 60000; /* a percent at once */
	play(&rules, &layer, from, 2400, see, &seen, &counts);
	assert_int_equal(counts.stale, 6); /* of the seven seconds, one is within a quote's life */
	assert_int_equal(counts.void_columns, 2);
	assert_in_range(counts.stopped, 3, 4);
	assert_int_equal(seen.columns, 11);
	assert_true(seen.voided > 0 && seen.won > 0 && seen.cells < counts.grids * 12 * 24);
	free(t);
}

/* Two blocks by hand: a cell at p 0.5 that is hit in one and missed in the other. */
static void sums_are_right(void **state)
{
	(void) state;
	struct tally *t;
	struct quote_made made = { .rules = rules_of_the_product(200).quote, .p_cents = 9743000, .t_ms = 30000 };
	struct play_cell c = { .made = &made, .column = 2, .row = 12, .low_cents = 9742000, .p = 0.5, .plain_p = 0.03, .rate = 19000,
		.plain_rate = 0, .outcome = OUTCOME_WON };
	assert_int_equal(tally_new(&t, 60000, 1000000), 0);
	tally_cell(t, &c);
	made.t_ms = 90000;
	c.outcome = OUTCOME_LOST;
	tally_cell(t, &c);
	c.outcome = OUTCOME_VOID;
	tally_cell(t, &c);
	assert_int_equal(tally_end(t), 0);
	assert_int_equal(tally_blocks(t), 2);
	const int groups[] = { TALLY_ALL, TALLY_BUCKET + 6, TALLY_COLUMN + 2, TALLY_DISTANCE, TALLY_PLACE + 2 * TALLY_DISTANCES };
	for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
		struct tally_row r = tally_row(t, TALLY_LAYER, groups[i]);
		assert_true(r.bets == 2 && r.p == 0.5 && r.hit == 0.5 && fabs(r.edge - 0.05) < 1e-12);
		assert_true(fabs(r.loss - log(2)) < 1e-12 && r.brier == 0.25);
		/* residuals of 0.95 and -0.95, twice counted for want of a degree, over two bets; Student's factor of one degree */
		assert_true(fabs(r.edge_se - 4.954 * 0.95) < 0.001);
		assert_int_equal(tally_verdict(&r, 0.05), TALLY_OPEN);
	}
	struct tally_row plain = tally_row(t, TALLY_PLAIN, TALLY_ALL);
	assert_true(plain.bets == 0 && plain.cells == 2);
	assert_true(fabs(plain.loss - 0.5 * (-log(0.03) - log(0.97))) < 1e-12);
	struct tally_row all = tally_row(t, TALLY_LAYER, TALLY_ALL), bucket = tally_row(t, TALLY_LAYER, TALLY_BUCKET + 6);
	assert_true(fabs(all.gain - (plain.loss - all.loss)) < 1e-12 && all.gain_se > 0 && isnan(bucket.gain));
	(void) tally_free(t);
}

/* n blocks of one minute each, in which a cell at p 0.5 is hit as `hit` says. */
static struct tally_row row_of(int n, bool (*hit)(int i), int64_t apart)
{
	struct tally *t;
	struct quote_made made = { .rules = rules_of_the_product(200).quote, .p_cents = 9743000 };
	struct play_cell c = { .made = &made, .column = 2, .row = 12, .low_cents = 9742000, .p = 0.5, .plain_p = 0.5, .rate = 19000,
		.plain_rate = 19000 };
	assert_int_equal(tally_new(&t, 60000, 1000000), 0);
	for (int i = 0; i < n; i++) {
		made.t_ms = 60000 * apart * i;
		c.outcome = hit(i) ? OUTCOME_WON : OUTCOME_LOST;
		tally_cell(t, &c);
	}
	assert_int_equal(tally_end(t), 0);
	struct tally_row r = tally_row(t, TALLY_LAYER, TALLY_ALL);
	(void) tally_free(t);
	return r;
}

static bool by_turns(int i)
{
	return i % 2;
}

static bool by_threes(int i)
{
	return i / 3 % 2;
}

static bool always(int i)
{
	(void) i;
	return true;
}

/* What neighbours share makes the error more, never less, and only where they are neighbours. */
static void errors_know_of_neighbours(void **state)
{
	(void) state;
	const double alone = 0.95 / sqrt(1199); /* of a fair coin's 1200 throws: a deviation of 0.95 each */
	assert_true(fabs(row_of(1200, by_turns, 1).edge_se / alone - 1) < 0.01);
	assert_true(fabs(row_of(1200, by_threes, 2).edge_se / alone - 1) < 0.01);
	/* of three alike, two pairs agree and one does not: a covariance of a third of the variance, on both sides */
	assert_true(fabs(row_of(1200, by_threes, 1).edge_se / alone - sqrt(5.0 / 3)) < 0.01);
	assert_true(isnan(row_of(1, always, 1).edge_se));
	struct tally_row row = row_of(1200, by_turns, 1);
	assert_int_equal(tally_verdict(&row, 0.05), TALLY_OPEN); /* 0.05 with an error of 0.027: not sure within three points */
	row.edge_se = 0.01;
	assert_int_equal(tally_verdict(&row, 0.05), TALLY_WITHIN);
	row.edge = -0.019;
	assert_int_equal(tally_verdict(&row, 0.05), TALLY_OFF);
	row.edge = -0.021;
	assert_int_equal(tally_verdict(&row, 0.05), TALLY_EXPLOITABLE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(recordings_are_read_as_ingest_would_tick),
		cmocka_unit_test(strange_recordings_are_refused),
		cmocka_unit_test(a_walk_leaves_the_house_its_margin),
		cmocka_unit_test(nobody_gains_from_another_market),
		cmocka_unit_test(gaps_and_jumps_are_what_they_are_in_the_product),
		cmocka_unit_test(sums_are_right),
		cmocka_unit_test(errors_know_of_neighbours),
	};
	return cmocka_run_group_tests_name("fairness", tests, NULL, NULL);
}
