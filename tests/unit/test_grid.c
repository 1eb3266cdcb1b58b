/* The grid: cell ids, which columns may be bet on, the rows around a price, the published rates. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "attr.h"
#include "grid.h"

static const struct grid_rules rules = { .column_s = 5, .row_cents = 2000, .columns = 12, .rows = 24 };

static bool parses(const char *text)
{
	struct cell c;
	return cell_parse(&c, text, strlen(text), &rules);
}

static void a_cell_has_one_spelling(void **state)
{
	(void) state;
	static const char *const good[] = {
		"1771234565_9742000_9744000", "0_0_2000", "5_2000_4000", "281474976710_0_2000",
		"5_9223372036854772000_9223372036854774000",
	};
	static const char *const bad[] = {
		"", "_", "__", "1771234565", "1771234565_9742000", "1771234565_9742000_", "1771234565_9742000_9744000_",
		"1771234565_9742000_9744000 ", " 1771234565_9742000_9744000", "01771234565_9742000_9744000", "00_0_2000",
		"5_00_2000", "5_02000_4000", "5_2000_04000", "+5_0_2000", "-5_0_2000", "5_-2000_0", "5_0_+2000",
		"6_0_2000",            /* t0 off its multiple */
		"5_1000_3000",         /* low off its multiple */
		"5_2000_4001", "5_2000_2000", "5_2000_6000", "5_4000_2000",
		"5__2000", "5_0_2e3", "5_0_2000.0", "0x5_0_2000", "5_0-2000", "5_0_2000_4000",
		"281474976715_0_2000", /* beyond 48 bits of milliseconds */
		"9223372036854775805_0_2000", "9223372036854775808_0_2000", "99999999999999999999_0_2000",
		"5_9223372036854774000_9223372036854776000", /* high overflows */
		"5_9223372036854774000_-9223372036854775616", "5_18446744073709552000_18446744073709554000",
	};
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		struct cell c;
		char text[CELL_TEXT_SIZE];
		assert_true(cell_parse(&c, good[i], strlen(good[i]), &rules));
		cell_format(text, &c);
		assert_string_equal(text, good[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (parses(bad[i]))
			fail_msg("'%s' was taken for a cell", bad[i]);
	/* the length counts, not a NUL */
	struct cell c;
	assert_true(cell_parse(&c, "5_0_20009", 8, &rules));
	assert_false(cell_parse(&c, "5_0_2000", 9, &rules));
}

static void the_widest_cell_fits_its_text(void **state)
{
	(void) state;
	char text[CELL_TEXT_SIZE];
	cell_format(text, &(struct cell){ INT64_MIN, INT64_MIN, INT64_MIN });
	assert_int_equal(strlen(text), 62);
}

static void past_current_and_next_are_closed(void **state)
{
	(void) state;
	const int64_t c = 1771234565;
	for (int64_t ms = 0; ms < 5000; ms += 999) {
		int64_t now = c * 1000 + ms;
		assert_int_equal(column_of_ms(&rules, now), c);
		assert_int_equal(column_first_placeable(&rules, now), c + 10);
		assert_int_equal(column_placeable(&rules, c - 5, now), COLUMN_CLOSED);
		assert_int_equal(column_placeable(&rules, c, now), COLUMN_CLOSED);
		assert_int_equal(column_placeable(&rules, c + 5, now), COLUMN_CLOSED);
		for (int64_t t0 = c + 10; t0 <= c + 65; t0 += 5)
			assert_int_equal(column_placeable(&rules, t0, now), COLUMN_PLACEABLE);
		assert_int_equal(column_placeable(&rules, c + 70, now), COLUMN_BEYOND);
	}
	assert_int_equal(column_placeable(&rules, c + 10, (c + 5) * 1000), COLUMN_CLOSED);
	assert_int_equal(column_placeable(&rules, 0, INT64_C(1771234565000)), COLUMN_CLOSED);
	assert_int_equal(column_placeable(&rules, 281474976710, 0), COLUMN_BEYOND);
	assert_int_equal(column_of_ms(&rules, -1), -5);
	assert_int_equal(column_of_ms(&rules, 4999), 0);
}

static void rows_are_centred_on_the_price(void **state)
{
	(void) state;
	for (int rows = 1; rows <= 41; rows++) {
		struct grid_rules r = rules;
		r.rows = rows;
		for (int64_t p = 9740000; p <= 9744000; p += 7) {
			int64_t low = grid_lowest(&r, p);
			int64_t off = 2 * p - (2 * low + rows * r.row_cents); /* twice the distance from the middle */
			assert_int_equal(low % r.row_cents, 0);
			assert_true(off >= -r.row_cents && off <= r.row_cents);
			assert_true(low <= p && p <= low + rows * r.row_cents);
		}
	}
	assert_int_equal(grid_lowest(&rules, 1), 0);
	assert_int_equal(grid_lowest(&rules, 24000), 0);
	assert_int_equal(grid_lowest(&rules, 25000), 2000);
}

static void a_rate_is_found_by_its_cell(void **state)
{
	(void) state;
	struct quote_grid g = { .columns = 2, .rows = 3, .t0_s = { 10, 15 }, .low_cents = 4000, .row_cents = 2000,
		.rates = { { 11, 12, 13 }, { 21, 22, 0 } } };
	struct rate r = { -1 };
	assert_int_equal(grid_rate(&g, &(struct cell){ 15, 6000, 8000 }, &r), GRID_FOUND);
	assert_int_equal(r.e4, 22);
	assert_int_equal(grid_rate(&g, &(struct cell){ 10, 4000, 6000 }, &r), GRID_FOUND);
	assert_int_equal(r.e4, 11);
	assert_int_equal(grid_rate(&g, &(struct cell){ 15, 8000, 10000 }, &r), GRID_FOUND);
	assert_int_equal(r.e4, 0);
	r.e4 = -1;
	assert_int_equal(grid_rate(&g, &(struct cell){ 20, 6000, 8000 }, &r), GRID_NO_COLUMN);
	assert_int_equal(grid_rate(&g, &(struct cell){ 15, 2000, 4000 }, &r), GRID_NO_ROW);
	assert_int_equal(grid_rate(&g, &(struct cell){ 15, 10000, 12000 }, &r), GRID_NO_ROW);
	assert_int_equal(grid_rate(&g, &(struct cell){ 15, 5000, 7000 }, &r), GRID_NO_ROW);
	assert_int_equal(grid_rate(&g, &(struct cell){ 15, 6000, 7000 }, &r), GRID_NO_ROW);
	assert_int_equal(r.e4, -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_cell_has_one_spelling),
		cmocka_unit_test(the_widest_cell_fits_its_text),
		cmocka_unit_test(past_current_and_next_are_closed),
		cmocka_unit_test(rows_are_centred_on_the_price),
		cmocka_unit_test(a_rate_is_found_by_its_cell),
	};
	return cmocka_run_group_tests_name("grid", tests, NULL, NULL);
}
