/* A column's path: its cut, its void rules, its digest, its bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "attr.h"
#include "grid.h"
#include "hex.h"
#include "json.h"
#include "outcome.h"
#include "path.h"

enum { T0 = 1000, W = 5, GAP = 3000 };

static struct path cut(const struct tick *t, size_t n)
{
	return path_cut(t, n, T0, W, GAP);
}

static void the_path_is_the_anchor_and_the_columns_ticks(void **state)
{
	(void) state;
	const struct tick t[] = {
		{ 999000, 10 }, { 999900, 50 }, { 1000000, 70 }, { 1002500, 40 }, { 1004999, 60 }, { 1005000, 5 }, { 1005100, 500 },
	};
	struct path p = cut(t, ARRAY_LEN(t));
	assert_true(p.has_anchor);
	assert_false(p.is_void);
	assert_int_equal(p.n, 4);
	assert_ptr_equal(p.ticks, t + 1);
	assert_int_equal(p.low_cents, 40);
	assert_int_equal(p.high_cents, 70);
	assert_int_equal(p.t0_s, T0);
	assert_int_equal(p.column_s, W);
}

/* Each case: ticks, and what must come out. */
static void void_rules_at_their_edges(void **state)
{
	(void) state;
	static const struct {
		const char *what;
		struct tick t[6];
		size_t n;
		bool is_void, has_anchor;
		size_t path_n;
		int64_t low, high;
	} cases[] = {
		{ "nothing", { { 0, 0 } }, 0, true, false, 0, 0, 0 },
		{ "only later ticks", { { 1005000, 9 }, { 1005100, 9 } }, 2, true, false, 0, 0, 0 },
		{ "no anchor", { { 1000000, 9 }, { 1002000, 4 }, { 1004000, 7 } }, 3, true, false, 3, 4, 9 },
		{ "an anchor alone, too old", { { 999999, 9 } }, 1, true, true, 1, 9, 9 },
		{ "an anchor far away", { { 1, 3 }, { 1000000, 9 }, { 1002500, 8 }, { 1004000, 8 } }, 4, true, true, 4, 3, 9 },
		{ "anchor gap at the limit", { { 998000, 3 }, { 1001000, 9 }, { 1004000, 8 } }, 3, false, true, 3, 3, 9 },
		{ "anchor gap over", { { 997999, 3 }, { 1001000, 9 }, { 1004000, 8 } }, 3, true, true, 3, 3, 9 },
		{ "inner gap over", { { 999000, 3 }, { 1000500, 9 }, { 1003501, 8 } }, 3, true, true, 3, 3, 9 },
		{ "inner gap at the limit", { { 999000, 3 }, { 1000500, 9 }, { 1003500, 8 } }, 3, false, true, 3, 3, 9 },
		{ "end gap at the limit", { { 999500, 3 }, { 1002000, 9 } }, 2, false, true, 2, 3, 9 },
		{ "end gap over", { { 999500, 3 }, { 1001999, 9 } }, 2, true, true, 2, 3, 9 },
		{ "a later tick closes no gap", { { 999500, 3 }, { 1001999, 9 }, { 1005000, 1 } }, 3, true, true, 2, 3, 9 },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct path p = cut(cases[i].t, cases[i].n);
		if (p.is_void != cases[i].is_void || p.has_anchor != cases[i].has_anchor || p.n != cases[i].path_n ||
				p.low_cents != cases[i].low || p.high_cents != cases[i].high)
			fail_msg("%s", cases[i].what);
	}
	/* a column without a tick of its own lives when the limit allows it */
	const struct tick anchor = { 999999, 9 };
	struct path p = path_cut(&anchor, 1, T0, W, 6000);
	assert_false(p.is_void);
	assert_int_equal(p.n, 1);
}

/* The bytes as the contract lists them, put together by hand. */
static void the_digest_is_over_the_listed_bytes(void **state)
{
	(void) state;
	const struct tick t[] = { { 999900, 9742000 }, { 1000000, 9743999 } };
	struct path p = cut(t, 2);
	static const char listed[] =
		"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
		"00000000000f4240"                 /* t0 1000 s in ms */
		"00000000000f41dc" "000000000094a6b0"
		"00000000000f4240" "000000000094ae7f";
	uint8_t bytes[32 + 8 + 32];
	assert_true(hex_decode(bytes, sizeof bytes, listed));
	struct hash prev, want = sha256_of(bytes, sizeof bytes);
	memcpy(prev.b, bytes, sizeof prev.b);
	struct hash got = path_digest(&p, &prev);
	assert_memory_equal(got.b, want.b, HASH_SIZE);

	struct path empty = cut(NULL, 0);
	got = path_digest(&empty, &prev);
	want = sha256_of(bytes, 40);
	assert_memory_equal(got.b, want.b, HASH_SIZE);
}

static struct tick random_tick(struct tick before)
{
	int64_t step = rand() % 8 ? 100 : 1 + rand() % 100000;
	int64_t p = before.p_cents + rand() % 4001 - 2000;
	return (struct tick){ before.t_ms + step, p > 0 ? p : 1 };
}

static void evidence_round_trips(void **state)
{
	(void) state;
	static struct tick t[PATH_TICKS_MAX], back[PATH_TICKS_MAX];
	srand(7);
	for (int round = 0; round < 200; round++) {
		size_t n = round == 0 ? PATH_TICKS_MAX : (size_t) (rand() % 60), got;
		for (size_t i = 0; i < n; i++)
			t[i] = i ? random_tick(t[i - 1]) : (struct tick){ 1771234565000, 9742000 };
		struct buf b = BUF_INIT(1 << 20);
		path_encode(&(struct path){ .ticks = t, .n = n }, &b);
		assert_false(b.failed);
		assert_true(b.n <= 12 + 6 * n); /* compact */
		assert_true(path_decode((const uint8_t *) b.p, b.n, back, PATH_TICKS_MAX, &got));
		assert_int_equal(got, n);
		for (size_t i = 0; i < n; i++)
			assert_true(back[i].t_ms == t[i].t_ms && back[i].p_cents == t[i].p_cents);
		if (n > 0)
			assert_false(path_decode((const uint8_t *) b.p, b.n, back, n - 1, &got));
		buf_free(&b);
	}
	const struct tick extremes[] = { { 0, INT64_MAX }, { INT64_MAX, 1 } };
	struct buf b = BUF_INIT(100);
	size_t got;
	path_encode(&(struct path){ .ticks = extremes, .n = 2 }, &b);
	assert_true(path_decode((const uint8_t *) b.p, b.n, back, 2, &got));
	assert_true(back[0].p_cents == INT64_MAX && back[1].t_ms == INT64_MAX && back[1].p_cents == 1);
	buf_free(&b);
}

/* Whatever is decoded must be just what encoding it again gives: nothing else was ever written. */
static void hostile_evidence_is_refused(void **state)
{
	(void) state;
	struct tick back[64];
	size_t got;
	static const struct { const uint8_t b[12]; size_t n; } bad[] = {
		{ { 0 }, 0 },                               /* not even a count */
		{ { 1 }, 1 },                               /* cut */
		{ { 1, 2 }, 2 },
		{ { 1, 2, 2, 0 }, 4 },                      /* a byte too much */
		{ { 0x81, 0x00, 2, 2 }, 4 },                /* overlong count */
		{ { 1, 0x82, 0x00, 2 }, 4 },                /* overlong difference */
		{ { 1, 1, 2 }, 3 },                         /* before the epoch */
		{ { 1, 2, 0 }, 3 },                         /* price zero */
		{ { 2, 2, 2, 0, 2 }, 5 },                   /* time stands still */
		{ { 65, 2, 2 }, 3 },                        /* more than fit */
		{ { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01 }, 10 },
		{ { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02 }, 10 },
		{ { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1 }, 11 },
	};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (path_decode(bad[i].b, bad[i].n, back, 64, &got))
			fail_msg("hostile bytes %zu were taken", i);

	srand(11);
	unsigned taken = 0;
	for (int round = 0; round < 200000; round++) {
		uint8_t bytes[24];
		size_t len = (size_t) (rand() % 24);
		for (size_t i = 0; i < len; i++)
			bytes[i] = (uint8_t) (rand() % 4 ? rand() % 8 : rand());
		if (!path_decode(bytes, len, back, 64, &got))
			continue;
		taken++;
		assert_true(ticks_valid(back, got));
		struct buf b = BUF_INIT(1000);
		path_encode(&(struct path){ .ticks = back, .n = got }, &b);
		assert_int_equal(b.n, len);
		assert_memory_equal(b.p, bytes, len);
		buf_free(&b);
	}
	assert_true(taken > 100);
}

/* --- data/column_vectors.json --- */

static struct json *read_vectors(void)
{
	static char text[1 << 16];
	const char *why;
	struct json *j = NULL;
	FILE *f = fopen(TAP_SOURCE_DIR "/data/column_vectors.json", "r");
	assert_non_null(f);
	size_t n = fread(text, 1, sizeof text, f);
	assert_true(n < sizeof text);
	assert_int_equal(fclose(f), 0);
	if (json_parse(&j, text, n, &why) != 0)
		fail_msg("the vectors: %s", why);
	return j;
}

static int64_t int_of(const struct json_value *o, const char *name)
{
	int64_t v;
	return json_int(json_get(o, name), &v) ? v : 0; /* null is 0, as in struct path */
}

static void check_cells(const struct json_value *column, const struct path *p)
{
	static const char *const names[] = { [OUTCOME_WON] = "won", [OUTCOME_LOST] = "lost", [OUTCOME_VOID] = "void" };
	for (const struct json_value *v = json_first(json_get(column, "cells")); v; v = json_next(v)) {
		struct cell cell;
		const char *text = json_string(json_first(v), NULL);
		assert_int_equal(sscanf(text, "%" SCNd64 "_%" SCNd64 "_%" SCNd64, &cell.t0_s, &cell.low_cents, &cell.high_cents), 3);
		if (strcmp(names[outcome_of(p, &cell)], json_string(json_next(json_first(v)), NULL)) != 0)
			fail_msg("%s: %s", text, names[outcome_of(p, &cell)]);
	}
}

static void columns_are_as_the_vectors_say(void **state)
{
	(void) state;
	_cleanup_(json_freep) struct json *j = read_vectors();
	const struct json_value *columns = json_get(json_root(j), "columns");
	assert_true(json_count(columns) >= 10);
	for (const struct json_value *column = json_first(columns); column; column = json_next(column)) {
		struct tick t[128];
		struct hash prev;
		char hex[2 * HASH_SIZE + 1];
		size_t n = 0;
		for (const struct json_value *v = json_first(json_get(column, "ticks")); v; v = json_next(v), n++) {
			assert_true(n < ARRAY_LEN(t));
			assert_true(json_int(json_first(v), &t[n].t_ms) && json_int(json_next(json_first(v)), &t[n].p_cents));
		}
		struct path p = path_cut(t, n, int_of(column, "t0"), W, GAP);
		assert_int_equal(p.n, int_of(column, "n"));
		assert_int_equal(p.low_cents, int_of(column, "path_low"));
		assert_int_equal(p.high_cents, int_of(column, "path_high"));
		assert_int_equal(p.is_void, strcmp(json_string(json_get(column, "status"), NULL), "void") == 0);
		assert_true(hex_decode(prev.b, HASH_SIZE, json_string(json_get(column, "prev_digest"), NULL)));
		struct hash digest = path_digest(&p, &prev);
		hex_encode(hex, digest.b, HASH_SIZE);
		assert_string_equal(hex, json_string(json_get(column, "digest"), NULL));
		check_cells(column, &p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_path_is_the_anchor_and_the_columns_ticks),
		cmocka_unit_test(void_rules_at_their_edges),
		cmocka_unit_test(the_digest_is_over_the_listed_bytes),
		cmocka_unit_test(evidence_round_trips),
		cmocka_unit_test(hostile_evidence_is_refused),
		cmocka_unit_test(columns_are_as_the_vectors_say),
	};
	return cmocka_run_group_tests_name("path", tests, NULL, NULL);
}
