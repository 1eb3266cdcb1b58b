/* Shipping to a real object store and back: segments, snapshots, restores; kills at the worst moment, weather, two archivers, another
 * book's bucket, tampering with every kind of object, the week's end. TAP_SHIP_SEED repeats a run. */
#include "book_life.h"

#include "../support/s3_server.h"
#include "backup.h"
#include "err.h"
#include "integrity.h"
#include "restore.h"
#include "segment.h"
#include "shipper.h"

static struct s3_server server;
static struct s3_conf conf;
static struct settings settings;
static char other_dir[64];
static struct s3 *s3;

static void is(int r, int expected)
{
	if (r != expected)
		fail_msg("%d, not %d: %s", r, expected, err_text());
	err_clear();
}

struct keys {
	char v[256][128];
	size_t n;
};

static bool take_key(void *u, const struct s3_item *item)
{
	struct keys *k = u;
	(void) snprintf(k->v[k->n++], sizeof k->v[0], "%s", item->key);
	return k->n < ARRAY_LEN(k->v);
}

static struct keys *keys_of(const char *prefix)
{
	static struct keys k;
	k.n = 0;
	is(s3_list(s3, prefix, "", take_key, &k), 0);
	return &k;
}

static int set_up(void **state)
{
	struct keys *k = keys_of("backups/");
	for (; k->n > 0; k = keys_of("backups/"))
		for (size_t i = 0; i < k->n; i++)
			is(s3_delete(s3, k->v[i]), 0);
	(void) snprintf(other_dir, sizeof other_dir, "/tmp/tap-ship-other-XXXXXX");
	if (!mkdtemp(other_dir) || books_set_up(state) != 0)
		return -1;
	settings = the_rules;
	(void) snprintf(settings.data_dir.v, sizeof settings.data_dir.v, "%s", books_dir);
	begin_run();
	return 0;
}

static int tear_down(void **state)
{
	return folder_remove(other_dir) | books_tear_down(state);
}

static struct shipper *open_shipper(void)
{
	struct shipper *sh = NULL;
	is(shipper_open(&sh, &settings, &conf), 0);
	return sh;
}

static void level(struct shipper *sh)
{
	bool more = true;
	while (more)
		is(shipper_turn(sh, 3, &more), 0);
}

static void live(struct week *w, int64_t n)
{
	for (; n > 0; n--)
		one_operation(w);
}

/* As the archiver's job does it: the place first, then the copy. */
static void snapshot(void)
{
	static int64_t at_ms = INT64_C(1771300000000);
	char dir[128];
	struct ship_place place;
	struct snapshot made;
	struct backup b;
	is(ship_place_read(settings.data_dir.v, &place), 0);
	(void) snprintf(dir, sizeof dir, "%.60s/backups", settings.data_dir.v);
	is(backup_make(settings.data_dir.v, dir, at_ms += 1000, &b), 0);
	is(snapshot_put(s3, b.path, &place, &made), 0);
	is(snapshot_note_write(settings.data_dir.v, at_ms, place.week), 0);
}

static int restore(const char *dir, bool accept_loss, struct restored *ret)
{
	const struct restore_conf c = { .s = &the_rules, .s3 = s3, .s3_conf = &conf, .stamp = "", .accept_loss = accept_loss };
	return restore_run(&c, dir, NOW_MS, ret);
}

static void restored_is_the_same(struct week *w)
{
	struct restored r;
	struct week *made = NULL;
	is(restore(other_dir, false, &r), 0);
	assert_string_equal(r.lost, "");
	is(week_open(&made, other_dir, STORE_READ, NOW_MS), 0);
	struct store *a = books_begin(w), *b = books_begin(made);
	assert_true(same_books(a, b) > 0);
	week_rollback(made);
	week_rollback(w);
	struct integrity found;
	is(integrity_check(made, true, &found), 0);
	assert_true(found.audit_rows > 0);
	(void) week_close(made);
}

static struct week *begin_life(void)
{
	struct week *w = books_open(STORE_WRITE);
	prepare(w);
	is(week_audit_log(w, "operator", "began", "", NOW_MS), 0);
	return w;
}

/* What the operations count outside of the book: to go on from an earlier state of it. */
struct counts {
	int64_t users, serial, next_t0_s;
};

static struct counts counts_now(void)
{
	return (struct counts){ users, serial, next_t0_s };
}

static void go_back_to(struct counts c)
{
	users = c.users;
	serial = c.serial;
	next_t0_s = c.next_t0_s;
}

/* The other folder becomes the one that lives, and there is a third. */
static struct week *move_to_the_restored(struct week *w)
{
	(void) week_close(w);
	is(folder_remove(settings.data_dir.v), 0);
	(void) snprintf(settings.data_dir.v, sizeof settings.data_dir.v, "%s", other_dir);
	(void) snprintf(other_dir, sizeof other_dir, "/tmp/tap-ship-third-XXXXXX");
	assert_non_null(mkdtemp(other_dir));
	is(week_open(&w, settings.data_dir.v, STORE_WRITE, NOW_MS), 0);
	return w;
}

static void what_was_shipped_is_restored(void **state)
{
	(void) state;
	struct week *w = begin_life();
	struct shipper *sh = open_shipper();
	live(w, 50);
	level(sh);
	assert_int_equal(ship_lag_ms(books_dir, clk_now_ms()), INT64_MAX); /* without a snapshot nothing could be restored */
	snapshot();
	live(w, 50);
	level(sh);
	assert_true(ship_lag_ms(books_dir, clk_now_ms()) < 60000);
	live(w, 20);
	level(sh);
	restored_is_the_same(w);
	struct restored r;
	is(restore(other_dir, false, &r), RESTORE_E_EXISTS);
	(void) shipper_close(sh);
	(void) week_close(w);
}

/* The restored books are played on, and shipped on in the same chain. */
static void life_goes_on_after_a_restore(void **state)
{
	(void) state;
	struct week *w = begin_life();
	struct shipper *sh = open_shipper();
	struct shipper_report report;
	level(sh);
	snapshot();
	live(w, 40);
	level(sh);
	shipper_report(sh, &report);
	sh = shipper_close(sh);
	restored_is_the_same(w);
	w = move_to_the_restored(w);
	live(w, 40);
	sh = open_shipper();
	level(sh);
	int64_t before = report.place.number;
	shipper_report(sh, &report);
	assert_true(report.place.number > before);
	restored_is_the_same(w);
	(void) shipper_close(sh);
	(void) week_close(w);
	is(folder_remove(settings.data_dir.v), 0);
}

static void copy_file(const char *from, const char *to)
{
	char command[400];
	(void) snprintf(command, sizeof command, "cp -a '%s' '%s'", from, to);
	is(system(command), 0);
}

/* Killed after a segment was written and before that was noted; and with the note lost altogether. */
static void a_note_that_was_not_written_is_made_up_for(void **state)
{
	(void) state;
	char place[128], kept[128];
	struct week *w = begin_life();
	struct shipper *sh = open_shipper();
	(void) snprintf(place, sizeof place, "%s/ship.position", books_dir);
	(void) snprintf(kept, sizeof kept, "%s/kept", books_dir);
	level(sh);
	snapshot();
	for (int i = 0; i < 3; i++) {
		copy_file(place, kept);
		live(w, 5);
		level(sh);
		sh = shipper_close(sh);
		if (i == 2)
			is(unlink(place), 0);
		else
			copy_file(kept, place);
		live(w, 5);
		sh = open_shipper();
		level(sh);
	}
	restored_is_the_same(w);
	(void) shipper_close(sh);
	(void) week_close(w);
}

static void weather_is_outlasted(void **state)
{
	(void) state;
	static const char *const kinds[] = { "[{\"kind\":503,\"times\":1}]", "[{\"kind\":\"cut\",\"times\":1}]",
		"[{\"kind\":\"lost\",\"method\":\"PUT\",\"times\":1}]", "[{\"kind\":\"cut-answer\",\"times\":1}]",
		"[{\"kind\":\"hang\",\"times\":1}]" };
	struct week *w = begin_life();
	struct s3_conf usual = conf;
	conf.tries = 1;
	conf.still_ms = 500;
	struct shipper *sh = open_shipper();
	level(sh);
	snapshot();
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		live(w, 5);
		assert_true(s3_server_faults(&server, kinds[i]));
		bool more = true;
		for (int turns = 0; more || turns < 2; turns++) {
			int r = shipper_turn(sh, 3, &more);
			if (r > 0 || turns > 20)
				fail_msg("%zu: %d %s", i, r, err_text());
			more = more || r < 0;
			err_clear();
		}
	}
	assert_true(s3_server_faults(&server, "[]"));
	restored_is_the_same(w);
	(void) shipper_close(sh);
	(void) week_close(w);
	conf = usual;
}

static void the_second_archiver_notices(void **state)
{
	(void) state;
	struct week *w = begin_life(), *twin = NULL;
	struct shipper *sh = open_shipper(), *second = NULL;
	bool more;
	level(sh);
	snapshot();
	assert_int_equal(shipper_open(&second, &settings, &conf), SHIPPER_E_BUSY);

	/* a second machine with the same books, which then goes its own way */
	char command[256];
	(void) snprintf(command, sizeof command, "cp -a '%s'/. '%s'", books_dir, other_dir);
	is(system(command), 0);
	struct settings there = settings;
	(void) snprintf(there.data_dir.v, sizeof there.data_dir.v, "%s", other_dir);
	is(week_open(&twin, other_dir, STORE_WRITE, NOW_MS), 0);
	struct counts before = counts_now();
	live(w, 10);
	level(sh);
	go_back_to(before);
	live(twin, 10);
	is(shipper_open(&second, &there, &conf), 0);
	assert_int_equal(shipper_turn(second, 3, &more), SHIPPER_E_OTHER);
	assert_non_null(strstr(err_text(), "another archiver"));
	assert_int_equal(shipper_turn(second, 3, &more), SHIPPER_E_OTHER); /* for good */
	(void) shipper_close(second);
	(void) week_close(twin);
	(void) shipper_close(sh);
	(void) week_close(w);
}

static void another_books_bucket_is_left_alone(void **state)
{
	(void) state;
	struct week *w = begin_life(), *stranger = NULL;
	struct shipper *sh = open_shipper();
	bool more;
	live(w, 5);
	level(sh);
	snapshot();
	live(w, 5);
	level(sh);
	struct settings there = settings;
	(void) snprintf(there.data_dir.v, sizeof there.data_dir.v, "%s", other_dir);
	is(week_open(&stranger, other_dir, STORE_WRITE, NOW_MS + 1), 0);
	struct shipper *second = NULL;
	is(shipper_open(&second, &there, &conf), 0);
	assert_int_equal(shipper_turn(second, 3, &more), SHIPPER_E_OTHER);
	assert_non_null(strstr(err_text(), "another book"));
	(void) shipper_close(second);

	/* unless the operator says that this is the one from now on: nothing that is there is touched */
	struct ship_place place, before;
	struct keys *k = keys_of("backups/");
	size_t n = k->n;
	is(ship_place_read(books_dir, &before), 0);
	is(shipper_open(&second, &there, &conf), 0);
	is(shipper_begin_anew(second, &place), 0);
	assert_int_equal(place.number, before.number);
	assert_false(place.based);
	level(second);
	(void) shipper_close(second);
	(void) shipper_close(sh);
	(void) week_close(w);
	settings = there;
	snapshot();
	assert_true(keys_of("backups/")->n >= n + 3);
	(void) snprintf(other_dir, sizeof other_dir, "/tmp/tap-ship-third-XXXXXX");
	assert_non_null(mkdtemp(other_dir));
	struct restored r;
	is(restore(other_dir, false, &r), 0);
	assert_string_equal(r.lost, "");
	assert_int_equal(r.found.accounts, 0);
	(void) week_close(stranger);
	is(folder_remove(settings.data_dir.v), 0);
}

static void change_object(const char *key, size_t at_percent)
{
	struct buf b = BUF_INIT(64 << 20);
	is(s3_get_buf(s3, key, &b, NULL), 0);
	size_t at = (b.n - 1) * at_percent / 100;
	b.p[at] = (char) (b.p[at] ^ 1);
	is(s3_put(s3, key, &(struct s3_put){ .body = { .bytes = b.p, .n = (int64_t) b.n } }), 0);
	buf_free(&b);
}

static void put_back(const char *key, const struct buf *b)
{
	is(s3_put(s3, key, &(struct s3_put){ .body = { .bytes = b->p, .n = (int64_t) b->n } }), 0);
}

/* Each kind of object, at its beginning, in its middle and at its end; missing; in another's place. The place is named. */
static void tampering_is_refused_and_named(void **state)
{
	(void) state;
	struct week *w = begin_life();
	struct shipper *sh = open_shipper();
	struct restored r;
	level(sh);
	snapshot();
	struct counts before_last = counts_now();
	for (int i = 0; i < 4; i++) {
		before_last = counts_now();
		live(w, 8);
		level(sh);
	}
	struct keys *k = keys_of("backups/");
	assert_true(k->n >= 7);
	size_t segments = 0;
	for (size_t i = 0; i < k->n; i++) {
		struct buf good = BUF_INIT(64 << 20);
		segments += strstr(k->v[i], "segments/") != NULL;
		is(s3_get_buf(s3, k->v[i], &good, NULL), 0);
		for (size_t at = 0; at <= 100; at += 50) {
			change_object(k->v[i], at);
			assert_int_equal(restore(other_dir, false, &r), RESTORE_E_TAMPERED);
			if (!strstr(err_text(), k->v[i]))
				fail_msg("%s is not named: %s", k->v[i], err_text());
			put_back(k->v[i], &good);
		}
		buf_free(&good);
	}
	assert_true(segments >= 4);

	/* a hole, and what is behind it accepted as lost */
	char hole[SEGMENT_KEY_SIZE], next[SEGMENT_KEY_SIZE];
	struct ship_place place;
	struct buf one = BUF_INIT(64 << 20);
	is(ship_place_read(books_dir, &place), 0);
	segment_key(hole, "backups/", place.number - 1);
	segment_key(next, "backups/", place.number);
	is(s3_get_buf(s3, hole, &one, NULL), 0);
	is(s3_delete(s3, hole), 0);
	assert_int_equal(restore(other_dir, false, &r), RESTORE_E_TAMPERED);
	assert_non_null(strstr(err_text(), hole));
	put_back(hole, &one);
	put_back(next, &one); /* one in another's place */
	assert_int_equal(restore(other_dir, false, &r), RESTORE_E_TAMPERED);
	assert_non_null(strstr(err_text(), next));
	is(restore(other_dir, true, &r), 0);
	assert_int_equal(r.place.number, place.number - 1);
	assert_non_null(strstr(r.lost, next));
	buf_free(&one);

	/* what is behind it stays where it is, and shipping goes on beyond */
	sh = shipper_close(sh);
	w = move_to_the_restored(w);
	go_back_to(before_last);
	live(w, 10);
	sh = open_shipper();
	level(sh);
	struct ship_place there;
	is(ship_place_read(settings.data_dir.v, &there), 0);
	assert_false(there.based);
	snapshot();
	live(w, 10);
	level(sh);
	restored_is_the_same(w);
	(void) shipper_close(sh);
	(void) week_close(w);
	is(folder_remove(settings.data_dir.v), 0);
}

enum { WEEK_MS = 7 * 86400000 };

static void the_past_week_is_the_same(struct week *w, struct clk_week past)
{
	struct week *made = NULL;
	struct store *a = NULL, *b = NULL;
	is(week_open(&made, other_dir, STORE_READ, NOW_MS), 0);
	is(week_open_past(w, past, &a), 0);
	is(week_open_past(made, past, &b), 0);
	is(store_begin(a), 0);
	is(store_begin(b), 0);
	assert_true(same_books(a, b) > 0);
	(void) store_close(a);
	(void) store_close(b);
	(void) week_close(made);
}

static void the_weeks_end_is_shipped_over(void **state)
{
	(void) state;
	struct week *w = begin_life();
	struct shipper *sh = open_shipper();
	struct week_rolled rolled;
	struct ship_place place;
	struct clk_week past = week_current(w);
	live(w, 40);
	level(sh);
	snapshot();
	live(w, 10);
	is(week_roll(w, NOW_MS + WEEK_MS, &rolled), 0);
	live(w, 10);
	level(sh);
	is(ship_place_read(books_dir, &place), 0);
	assert_int_equal(place.week.week, week_current(w).week);
	assert_false(place.based);
	/* before the new week's snapshot: the old week to its end, once it is accepted that the rest is missing, which is told */
	struct restored r;
	assert_int_equal(restore(other_dir, false, &r), RESTORE_E_TAMPERED);
	assert_non_null(strstr(err_text(), "of which there is no snapshot"));
	is(restore(other_dir, true, &r), 0);
	assert_non_null(strstr(r.lost, "of which there is no snapshot"));
	assert_non_null(strstr(r.lost, "what was committed after "));
	is(folder_remove(other_dir), 0);
	snapshot();
	live(w, 10);
	level(sh);
	is(ship_place_read(books_dir, &place), 0);
	assert_true(place.based);
	restored_is_the_same(w);
	the_past_week_is_the_same(w, past); /* which no archive holds yet */
	(void) shipper_close(sh);
	(void) week_close(w);
}

/* Restored in between, the old week is closed once more, and shipping goes on beyond what is there of the other new week. */
static void a_restore_amid_the_weeks_end_is_shipped_on(void **state)
{
	(void) state;
	struct week *w = begin_life();
	struct shipper *sh = open_shipper();
	struct shipper_report report;
	struct week_rolled rolled;
	struct restored r;
	struct ship_place place;
	level(sh);
	snapshot();
	live(w, 30);
	is(week_roll(w, NOW_MS + WEEK_MS, &rolled), 0);
	struct counts at_the_end = counts_now();
	live(w, 10);
	level(sh);
	shipper_report(sh, &report);
	sh = shipper_close(sh);
	is(restore(other_dir, true, &r), 0);
	assert_non_null(strstr(r.lost, "of which there is no snapshot"));
	w = move_to_the_restored(w);
	is(ship_place_read(settings.data_dir.v, &place), 0);
	assert_int_equal(place.number, report.place.number);
	assert_false(place.based);
	is(week_roll(w, NOW_MS + WEEK_MS + 5000, &rolled), 0);
	go_back_to(at_the_end);
	sh = open_shipper();
	level(sh);
	snapshot();
	live(w, 10);
	level(sh);
	assert_true(ship_lag_ms(settings.data_dir.v, clk_now_ms()) < 60000);
	restored_is_the_same(w);
	(void) shipper_close(sh);
	(void) week_close(w);
	is(folder_remove(settings.data_dir.v), 0);
}

/* A closed week that cannot be made whole does not keep the others back, once that is accepted; and it is told. */
static void a_past_week_with_a_hole_is_named(void **state)
{
	(void) state;
	struct week *w = begin_life();
	struct shipper *sh = open_shipper();
	struct week_rolled rolled;
	struct restored r;
	struct ship_place place;
	char hole[SEGMENT_KEY_SIZE], label[WEEK_LABEL_SIZE];
	week_label(label, week_current(w));
	level(sh);
	snapshot();
	live(w, 20);
	level(sh);
	is(ship_place_read(books_dir, &place), 0);
	segment_key(hole, "backups/", place.number);
	live(w, 20);
	is(week_roll(w, NOW_MS + WEEK_MS, &rolled), 0);
	level(sh);
	snapshot();
	live(w, 5);
	level(sh);
	is(s3_delete(s3, hole), 0);
	assert_int_equal(restore(other_dir, false, &r), RESTORE_E_TAMPERED);
	assert_non_null(strstr(err_text(), hole));
	is(restore(other_dir, true, &r), 0);
	assert_non_null(strstr(r.lost, label));
	assert_non_null(strstr(r.lost, "which is not its end"));
	assert_int_equal(r.past_weeks, 0);
	is(folder_remove(other_dir), 0);
	struct keys *k = keys_of("backups/snapshots/");
	for (size_t i = 0; i < 3; i++) /* the older of the two */
		is(s3_delete(s3, k->v[i]), 0);
	is(restore(other_dir, false, &r), 0);
	assert_non_null(strstr(r.lost, label));
	assert_non_null(strstr(r.lost, "no snapshot of it"));
	(void) shipper_close(sh);
	(void) week_close(w);
}

static int group_set_up(void **state)
{
	(void) state;
	if (!s3_server_start(&server))
		return -1;
	conf = s3_server_conf(&server);
	return s3_open(&s3, &conf);
}

static int group_tear_down(void **state)
{
	(void) state;
	s3 = s3_close(s3);
	s3_server_stop(&server);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_was_shipped_is_restored, set_up, tear_down),
		cmocka_unit_test_setup_teardown(life_goes_on_after_a_restore, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_note_that_was_not_written_is_made_up_for, set_up, tear_down),
		cmocka_unit_test_setup_teardown(weather_is_outlasted, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_second_archiver_notices, set_up, tear_down),
		cmocka_unit_test_setup_teardown(another_books_bucket_is_left_alone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(tampering_is_refused_and_named, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_weeks_end_is_shipped_over, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_restore_amid_the_weeks_end_is_shipped_on, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_past_week_with_a_hole_is_named, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, group_set_up, group_tear_down);
}
