/* Segments: written, read, chained; each byte that is changed or missing is found. And the file that says how far shipping is. */
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
#include "check.h"
#include "err.h"
#include "segment.h"
#include "ship_place.h"

static struct hash some_hash(int n)
{
	return sha256_of(&n, sizeof n);
}

static struct segment some_segment(struct buf *span, int64_t number)
{
	_cleanup_(buf_free) struct buf book = BUF_INIT(4096);
	int64_t at_ms = 0;
	for (int i = 0; i < 300; i++)
		buf_putc(&book, (char) (i * number));
	segment_span_begin(span, &book);
	segment_span_log(span, &(struct audit_row){ .at_ms = 1771234565123, .who = "one", .what = "deposit", .why = "" }, &at_ms);
	segment_span_log(span, &(struct audit_row){ .at_ms = 1771234565100, .who = "two", .what = "x", .why = "because" }, &at_ms);
	return (struct segment){ .number = number, .before = some_hash(1), .week = { 2026, 8 }, .as_of_ms = 1771234566000,
		.from = { 10, 5, 7, some_hash(2), some_hash(3) }, .to = { 12, 6, 8, some_hash(4), some_hash(5) }, .log_from = 3,
		.log_to = 5, .span = span->p, .span_n = span->n };
}

static void written_and_read(void **state)
{
	(void) state;
	_cleanup_(buf_free) struct buf span = BUF_INIT(65536), out = BUF_INIT(65536), unpacked = { 0 }, texts = { 0 };
	struct segment s = some_segment(&span, 42), got;
	struct hash hash, read_hash;
	assert_int_equal(segment_write(&s, &out, &hash), 0);
	assert_int_equal(segment_read(out.p, out.n, &got, &read_hash, &unpacked), 0);
	assert_memory_equal(&hash, &read_hash, sizeof hash);
	assert_int_equal(got.number, 42);
	assert_memory_equal(&got.before, &s.before, sizeof s.before);
	assert_memory_equal(&got.from, &s.from, sizeof s.from);
	assert_memory_equal(&got.to, &s.to, sizeof s.to);
	assert_int_equal(got.week.year, 2026);
	assert_int_equal(got.week.week, 8);
	assert_int_equal(got.as_of_ms, s.as_of_ms);
	assert_int_equal(got.span_n, s.span_n);
	assert_memory_equal(got.span, s.span, s.span_n);

	struct segment_span parts;
	struct audit_row row;
	assert_int_equal(segment_span_open(&got, &parts), 0);
	assert_int_equal(parts.book_n, 300);
	assert_int_equal(segment_span_next_log(&parts, &row, &texts), 1);
	assert_int_equal(row.id, 4);
	assert_string_equal(row.who, "one");
	assert_string_equal(row.why, "");
	assert_int_equal(segment_span_next_log(&parts, &row, &texts), 1);
	assert_int_equal(row.id, 5);
	assert_int_equal(row.at_ms, 1771234565100);
	assert_string_equal(row.why, "because");
	assert_int_equal(segment_span_next_log(&parts, &row, &texts), 0);
}

static void the_same_span_gives_the_same_bytes(void **state)
{
	(void) state;
	_cleanup_(buf_free) struct buf span = BUF_INIT(65536), one = BUF_INIT(65536), two = BUF_INIT(65536);
	struct segment s = some_segment(&span, 7);
	struct hash a, b;
	assert_int_equal(segment_write(&s, &one, &a), 0);
	assert_int_equal(segment_write(&s, &two, &b), 0);
	assert_int_equal(one.n, two.n);
	assert_memory_equal(one.p, two.p, one.n);
	assert_memory_equal(&a, &b, sizeof a);
}

/* Head, packed span, hash: every bit of every byte, and every length. */
static void each_changed_byte_is_found(void **state)
{
	(void) state;
	_cleanup_(buf_free) struct buf span = BUF_INIT(65536), out = BUF_INIT(65536), unpacked = { 0 };
	struct segment s = some_segment(&span, 3), got;
	struct hash hash;
	assert_int_equal(segment_write(&s, &out, &hash), 0);
	for (size_t i = 0; i < out.n; i++) {
		for (int bit = 0; bit < 8; bit++) {
			out.p[i] = (char) (out.p[i] ^ 1 << bit);
			assert_int_equal(segment_read(out.p, out.n, &got, &hash, &unpacked), -EBADMSG);
			out.p[i] = (char) (out.p[i] ^ 1 << bit);
		}
		char *cut = malloc(i ? i : 1);
		memcpy(cut, out.p, i);
		assert_int_equal(segment_read(cut, i, &got, &hash, &unpacked), -EBADMSG);
		free(cut);
	}
	assert_int_equal(segment_read(out.p, out.n, &got, &hash, &unpacked), 0);
}

/* Somebody who changes a byte of the head and makes the hash anew is found where the next segment names the old one; what the head
 * then says still makes sense, or is refused. */
static void a_forged_head_has_another_hash(void **state)
{
	(void) state;
	_cleanup_(buf_free) struct buf span = BUF_INIT(65536), out = BUF_INIT(65536), unpacked = { 0 };
	struct segment s = some_segment(&span, 3), got;
	struct hash hash, forged;
	assert_int_equal(segment_write(&s, &out, &hash), 0);
	for (size_t i = 8; i < SEGMENT_HEAD; i++) {
		out.p[i] = (char) (out.p[i] ^ 0x80);
		struct hash fresh = sha256_of(out.p, out.n - HASH_SIZE);
		memcpy(out.p + out.n - HASH_SIZE, fresh.b, HASH_SIZE);
		if (segment_read(out.p, out.n, &got, &forged, &unpacked) == 0)
			assert_memory_not_equal(&forged, &hash, sizeof hash);
		out.p[i] = (char) (out.p[i] ^ 0x80);
	}
}

static void keys_sort_by_number(void **state)
{
	(void) state;
	char a[SEGMENT_KEY_SIZE], b[SEGMENT_KEY_SIZE];
	segment_key(a, "backups/", 99);
	segment_key(b, "backups/", 100);
	assert_string_equal(a, "backups/segments/000000000099");
	assert_true(strcmp(a, b) < 0);
}

static void the_place_outlives_its_writer(void **state)
{
	(void) state;
	char dir[] = "/tmp/tap-place-XXXXXX", path[64];
	struct ship_place p = { .number = 77, .hash = some_hash(1), .week = { 2026, 8 }, .at = { 3, 4, 5, some_hash(2), some_hash(3) },
		.log = 6, .as_of_ms = 1000000, .based = true }, got;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(ship_place_read(dir, &got), SHIP_PLACE_E_ABSENT);
	assert_int_equal(ship_lag_ms(dir, 1000000), INT64_MAX);
	assert_int_equal(ship_place_write(dir, &p), 0);
	assert_int_equal(ship_place_read(dir, &got), 0);
	assert_int_equal(got.number, 77);
	assert_memory_equal(&got.hash, &p.hash, sizeof p.hash);
	assert_memory_equal(&got.at, &p.at, sizeof p.at);
	assert_int_equal(got.log, 6);
	assert_true(got.based);
	assert_int_equal(ship_lag_ms(dir, 1000000), 0);
	assert_int_equal(ship_lag_ms(dir, 1030000), 30000);
	assert_int_equal(ship_lag_ms(dir, 990000), INT64_MAX); /* a moment that has not come: the clock was set back */
	/* cut anywhere it is no place, so that nobody goes on from half of one */
	_cleanup_(buf_free) struct buf text = BUF_INIT(2048);
	ship_place_format(&text, &p);
	(void) snprintf(path, sizeof path, "%s/ship.position", dir);
	for (size_t n = 0; n < text.n - 2; n++) {
		FILE *f = fopen(path, "we");
		assert_non_null(f);
		assert_int_equal(fwrite(text.p, 1, n, f), n);
		assert_int_equal(fclose(f), 0);
		assert_int_equal(ship_place_read(dir, &got), SHIP_PLACE_E_ABSENT);
	}
	assert_int_equal(folder_remove(dir), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(written_and_read),
		cmocka_unit_test(the_same_span_gives_the_same_bytes),
		cmocka_unit_test(each_changed_byte_is_found),
		cmocka_unit_test(a_forged_head_has_another_hash),
		cmocka_unit_test(keys_sort_by_number),
		cmocka_unit_test(the_place_outlives_its_writer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
