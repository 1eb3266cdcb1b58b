/* archive: closed weeks go to a real S3 endpoint and come back; nothing here is removed before it was compared, whatever fails, and
 * whoever is killed at whatever step is gone on from. */
#include <sys/file.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>

#include "books.h"
#include "../support/s3_server.h"
#include "archive.h"
#include "archives.h"
#include "backup.h"
#include "clk.h"
#include "err.h"
#include "integrity.h"
#include "log.h"
#include "remote.h"
#include "rnd.h"
#include "schema.h"
#include "shipper.h"
#include "snapshot.h"

enum { USERS = 20, BETS = 1500 };
static const int64_t WEEK_MS = INT64_C(7) * 86400000;
static const struct clk_week FIRST = { 2026, 8 };

static struct s3_server server;
static struct s3 *s3;

static struct archive_conf conf_of(void)
{
	struct archive_conf c = { .data_dir = books_dir, .s3 = s3_server_conf(&server), .level = 3, .window_log = 20,
		.cpu_percent = 100, .multipart_bytes = 1 << 30, .part_bytes = 16384, .keep_weeks = 4 };
	c.s3.tries = 2;
	return c;
}

/* A week of bets with unpredictable nonces, and the one after it. */
static int set_up(void **state)
{
	if (books_set_up(state) != 0)
		return -1;
	struct week *w = books_open(STORE_WRITE);
	struct store *db = books_begin(w);
	struct week_rolled rolled;
	for (int i = 0; i < USERS; i++)
		(void) books_account(db, i, 100000);
	for (int i = 0; i < BETS; i++) {
		struct account a;
		struct bet b = books_bet(1 + i % USERS, T0_S, 4860 + i / USERS, 1);
		rnd_bytes(b.nonce, sizeof b.nonce);
		assert_int_equal(books_place(db, &b, &a), 0);
	}
	assert_int_equal(week_commit(w), 0);
	assert_int_equal(week_roll(w, NOW_MS + WEEK_MS, &rolled), 0);
	(void) week_close(w);
	assert_int_equal(s3_delete(s3, "bets/bets_2026_w08.db.zst"), 0);
	return 0;
}

static int tear_down(void **state)
{
	(void) s3_server_faults(&server, "[]");
	return books_tear_down(state);
}

static void is(int r, int expected)
{
	if (r != expected)
		fail_msg("%d, not %d: %s", r, expected, err_text());
}

static bool is_local(void)
{
	char path[128];
	(void) snprintf(path, sizeof path, "%s/bets_2026_w08.db", books_dir);
	return access(path, F_OK) == 0;
}

static int run_at(const struct archive_conf *c, int64_t now_ms, struct archive_done *done)
{
	struct week *w = books_open(STORE_WRITE);
	int r = archive_run(c, w, now_ms, done);
	(void) week_close(w);
	return r;
}

static int run(const struct archive_conf *c)
{
	struct archive_done done;
	return run_at(c, NOW_MS + WEEK_MS + 1000, &done);
}

static int fetch(const struct archive_conf *c)
{
	struct week *w = books_open(STORE_WRITE);
	int r = archive_fetch(c, w, FIRST, NOW_MS + WEEK_MS + 2000);
	(void) week_close(w);
	return r;
}

struct shown {
	int64_t bets;
};

static bool count_bet(void *u, const struct bet *b, int64_t row)
{
	struct shown *s = u;
	(void) b, (void) row;
	s->bets++;
	return true;
}

/* What user 1 is shown of his bets, and whether a week is missing for it. */
static int64_t bets_shown(size_t *ret_missing)
{
	struct week *w = books_open(STORE_READ);
	struct store *db = books_begin(w);
	struct week_missing missing;
	struct shown s = { 0 };
	bool more;
	const struct bet_query q = { .user = 1, .from_ms = 0, .to_ms = INT64_MAX, .limit = 1000, .row_cents = ROW_CENTS };
	(void) db;
	assert_int_equal(week_bets(w, &q, count_bet, &s, &more, &missing), 0);
	week_rollback(w);
	(void) week_close(w);
	*ret_missing = missing.n;
	return s.bets;
}

static void week_is_whole(void)
{
	struct week *w = books_open(STORE_READ);
	struct store *db;
	struct integrity found;
	assert_int_equal(week_open_past(w, FIRST, &db), 0);
	is(integrity_check_store(db, true, &found), 0);
	assert_int_equal(found.bets, BETS);
	(void) store_close(db);
	(void) week_close(w);
}

static bool take_archive(void *u, const struct week_info *info, const struct week_archive *a)
{
	struct week_archive *to = u;
	(void) info;
	*to = *a;
	to->blocks = NULL;
	return true;
}

static struct week_archive recorded(void)
{
	struct week_archive a = { 0 };
	struct week *w = books_open(STORE_READ);
	assert_int_equal(archive_list(w, take_archive, &a), 0);
	(void) week_close(w);
	return a;
}

static void a_week_goes_and_comes_back(void **state)
{
	(void) state;
	struct archive_conf c = conf_of();
	struct archive_done done;
	struct s3_info info;
	size_t missing;
	int64_t opened = NOW_MS + WEEK_MS;
	is(run_at(&c, opened + 1000, &done), 0);
	assert_true(done.verified == 1 && done.purged == 0 && done.waiting == 0 && is_local());
	struct week_archive a = recorded();
	assert_int_equal(a.state, WEEK_ARCHIVE_VERIFIED);
	assert_int_equal(a.bets, BETS);
	assert_true(a.db_bytes > a.packed_bytes && a.verified_ms > opened + 1000); /* then, not when it began */
	assert_int_equal(a.form, WEEK_ARCHIVE_PRESSED);
	is(s3_head(s3, "bets/bets_2026_w08.db.zst", &info), 0);
	assert_int_equal(info.size, a.packed_bytes);
	assert_string_equal(info.class, "STANDARD_IA");
	is(run_at(&c, opened + 4 * WEEK_MS - 1, &done), 0); /* not yet, and nothing twice */
	assert_true(done.verified == 0 && done.purged == 0 && is_local());
	int64_t before = bets_shown(&missing);
	assert_true(before > 0 && missing == 0);
	is(run_at(&c, opened + 4 * WEEK_MS, &done), 0);
	assert_true(done.purged == 1 && !is_local());
	(void) bets_shown(&missing);
	assert_int_equal(missing, 1);
	is(fetch(&c), 0);
	assert_true(is_local());
	assert_int_equal(bets_shown(&missing), before);
	assert_int_equal(missing, 0);
	week_is_whole();
	is(fetch(&c), 0); /* it is here */
	/* It stays for as long as if it had ended when it was fetched. */
	is(run_at(&c, opened + 4 * WEEK_MS, &done), 0);
	assert_true(done.purged == 0 && is_local());
	is(run_at(&c, opened + 5 * WEEK_MS, &done), 0);
	assert_true(done.purged == 1 && !is_local());
}

/* A reader that has the week open, as the api does, sees it go and come without being opened anew. */
static void a_reader_sees_it_go_and_come(void **state)
{
	(void) state;
	struct archive_conf c = conf_of();
	c.keep_weeks = 0;
	struct week *reader = books_open(STORE_READ);
	const struct bet_query q = { .user = 1, .from_ms = 0, .to_ms = INT64_MAX, .limit = 1000, .row_cents = ROW_CENTS };
	const size_t missing_then[] = { 0, 1, 0 };
	for (int i = 0; i < 3; i++) {
		struct week_missing missing;
		struct store *db = books_begin(reader);
		struct shown s = { 0 };
		bool more;
		(void) db;
		assert_int_equal(week_bets(reader, &q, count_bet, &s, &more, &missing), 0);
		week_rollback(reader);
		assert_int_equal(missing.n, missing_then[i]);
		is(i == 0 ? run(&c) : i == 1 ? fetch(&c) : 0, 0);
	}
	(void) week_close(reader);
}

/* Every failure of the line, the endpoint and the credentials: while it lasts, and after. */
static void nothing_is_removed_before_it_was_compared(void **state)
{
	static const struct {
		const char *what, *rules;
		bool passes; /* it is no obstacle */
	} faults[] = {
		{ "500 to writes", "[{\"kind\":\"500\",\"method\":\"PUT\"}]", false },
		{ "500 to reads", "[{\"kind\":\"500\",\"method\":\"GET\"}]", false },
		{ "no answer", "[{\"kind\":\"hang\"}]", false },
		{ "no answer to reads", "[{\"kind\":\"hang\",\"method\":\"GET\"}]", false },
		{ "writes are cut", "[{\"kind\":\"cut\",\"method\":\"PUT\"}]", false },
		{ "answers to writes are lost", "[{\"kind\":\"lost\",\"method\":\"PUT\",\"times\":2}]", true },
		{ "reads are cut", "[{\"kind\":\"cut-answer\",\"method\":\"GET\"}]", false },
		{ "another byte is read", "[{\"kind\":\"corrupt\",\"method\":\"GET\"}]", false },
		{ "wrong ETag", "[{\"kind\":\"etag\"}]", true },
		{ "slow", "[{\"kind\":\"slow\",\"rate\":400000}]", true },
		{ "not found", "[{\"kind\":\"404\",\"method\":\"GET\",\"code\":\"NoSuchKey\"}]", false },
		{ "expired", "[{\"kind\":\"400\",\"code\":\"ExpiredToken\"}]", false },
	};
	struct archive_conf c = conf_of(), impatient = conf_of();
	c.keep_weeks = impatient.keep_weeks = 0;
	impatient.s3.still_ms = 1000;
	for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
		assert_true(s3_server_faults(&server, faults[i].rules));
		int r = run(&impatient);
		assert_true(s3_server_faults(&server, "[]"));
		if (!faults[i].passes && (r == 0 || !is_local()))
			fail_msg("%s: %d, and the file is %s", faults[i].what, r, is_local() ? "here" : "gone");
		is(run(&c), 0);
		assert_false(is_local());
		is(fetch(&c), 0); /* and it is all there */
		week_is_whole();
		assert_int_equal(tear_down(state), 0);
		assert_int_equal(set_up(state), 0);
	}
}

static void who_is_not_let_in_removes_nothing(void **state)
{
	(void) state;
	struct archive_conf c = conf_of();
	c.keep_weeks = 0;
	assert_true(s3_server_credentials(&server, server.access, "expired"));
	is(run(&c), ARCHIVE_E_REFUSED);
	assert_true(is_local());
	assert_true(s3_server_credentials(&server, server.access, server.secret));
	assert_true(s3_server_admin(&server, "quota set --uid=test --quota-scope=bucket --max-size=4096"));
	assert_true(s3_server_admin(&server, "quota enable --uid=test --quota-scope=bucket"));
	is(run(&c), ARCHIVE_E_REFUSED);
	assert_non_null(strstr(err_text(), "QuotaExceeded"));
	assert_true(is_local());
	assert_true(s3_server_admin(&server, "quota disable --uid=test --quota-scope=bucket"));
	is(run(&c), 0);
	assert_false(is_local());
	c.s3.endpoint = "";
	is(run(&c), ARCHIVE_E_OFF);
}

/* The object with one byte of it changed, or the first n bytes of it. */
static void meddle(bool cut)
{
	struct buf b = BUF_INIT(1 << 24);
	is(s3_get_buf(s3, "bets/bets_2026_w08.db.zst", &b, NULL), 0);
	if (!cut)
		b.p[b.n / 2] ^= 1;
	const struct s3_put put = { .body = { .bytes = b.p, .n = (int64_t) (cut ? b.n - 100 : b.n) } };
	is(s3_put(s3, "bets/bets_2026_w08.db.zst", &put), 0);
	buf_free(&b);
}

static void what_was_tampered_with_is_refused(void **state)
{
	(void) state;
	struct archive_conf c = conf_of();
	struct archive_done done;
	is(run(&c), 0);
	meddle(false);
	is(run_at(&c, NOW_MS + 10 * WEEK_MS, &done), ARCHIVE_E_TAMPERED);
	assert_non_null(strstr(err_text(), "bets/bets_2026_w08.db.zst is not what was archived: its bytes 0 to "));
	assert_true(is_local());
	meddle(false); /* and back */
	is(run_at(&c, NOW_MS + 10 * WEEK_MS, &done), 0);
	assert_false(is_local());
	meddle(true);
	is(fetch(&c), ARCHIVE_E_TAMPERED);
	assert_false(is_local());
	is(s3_delete(s3, "bets/bets_2026_w08.db.zst"), 0);
	is(fetch(&c), ARCHIVE_E_ABSENT);
}

static void another_ones_object_is_not_written_over(void **state)
{
	(void) state;
	struct archive_conf c = conf_of();
	struct buf b = BUF_INIT(100);
	c.keep_weeks = 0;
	const struct s3_put put = { .body = { .bytes = "another's", .n = 9 } };
	is(s3_put(s3, "bets/bets_2026_w08.db.zst", &put), 0);
	for (int64_t parts = 0; parts < 2; parts++) {
		c.multipart_bytes = parts ? 1 : 1 << 30;
		is(run(&c), ARCHIVE_E_TAMPERED);
		assert_true(is_local());
	}
	is(s3_get_buf(s3, "bets/bets_2026_w08.db.zst", &b, NULL), 0);
	assert_memory_equal(b.p, "another's", 9);
	buf_free(&b);
}

static void an_object_that_is_gone_is_sent_anew(void **state)
{
	(void) state;
	struct archive_conf c = conf_of();
	struct archive_done done;
	is(run(&c), 0);
	is(s3_delete(s3, "bets/bets_2026_w08.db.zst"), 0);
	c.keep_weeks = 0;
	is(run(&c), -EAGAIN);
	assert_true(is_local());
	is(run_at(&c, NOW_MS + WEEK_MS + 3000, &done), 0);
	assert_true(done.verified == 1 && done.purged == 1 && !is_local());
	is(fetch(&c), 0);
}

static void a_damaged_week_is_not_archived(void **state)
{
	(void) state;
	struct archive_conf c = conf_of();
	struct s3_info info;
	char path[128], page[4096];
	c.keep_weeks = 0;
	(void) snprintf(path, sizeof path, "%s/bets_2026_w08.db", books_dir);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	memset(page, 0x5a, sizeof page);
	for (off_t at = lseek(fd, 0, SEEK_END) / 2 / 4096; at > 8; at--)
		assert_int_equal(pwrite(fd, page, sizeof page, at * 4096), sizeof page);
	(void) close(fd);
	is(run(&c), ARCHIVE_E_BAD);
	assert_true(is_local());
	is(s3_head(s3, "bets/bets_2026_w08.db.zst", &info), S3_E_NOT_FOUND);
}

static void change(const char *name, const struct store_schema *schema, const char *sql)
{
	char path[128];
	struct store *db;
	(void) snprintf(path, sizeof path, "%s/%s", books_dir, name);
	is(store_open(&db, path, STORE_WRITE, schema), 0);
	is(store_begin(db), 0);
	is(store_script(db, sql), 0);
	is(store_commit(db), 0);
	(void) store_close(db);
}

/* A book whose chain is not what follows from its rows is archived as it stands: what is wrong with it is to be seen for ever. Such an
 * object is what an older release made of every week. */
static void a_book_that_does_not_follow_goes_as_it_is(void **state)
{
	(void) state;
	struct archive_conf c = conf_of();
	struct store *db;
	struct integrity found;
	c.keep_weeks = 0;
	change("bets_2026_w08.db", &schema_week, "DROP TRIGGER chain_no_update; UPDATE chain SET hash = zeroblob(32) WHERE id = 1;"
			"CREATE TRIGGER chain_no_update BEFORE UPDATE ON chain BEGIN SELECT RAISE(ABORT, 'the chain is for ever'); END");
	is(run(&c), 0);
	assert_false(is_local());
	assert_int_equal(recorded().form, WEEK_ARCHIVE_PLAIN);
	is(fetch(&c), 0);
	struct week *w = books_open(STORE_READ);
	assert_int_equal(week_open_past(w, FIRST, &db), 0);
	assert_int_equal(integrity_check_store(db, true, &found), INTEGRITY_E_DRIFT);
	assert_non_null(strstr(found.finding, "commit 1"));
	(void) store_close(db);
	(void) week_close(w);
}

static void what_thaws_to_another_book_is_refused(void **state)
{
	(void) state;
	struct archive_conf c = conf_of();
	c.keep_weeks = 0;
	is(run(&c), 0);
	assert_false(is_local());
	change("meta.db", &schema_meta, "UPDATE archive_forms SET rows_hash = zeroblob(32)");
	is(fetch(&c), ARCHIVE_E_TAMPERED);
	assert_non_null(strstr(err_text(), "bets/bets_2026_w08.db.zst does not thaw to the rows that were archived"));
	assert_false(is_local());
	change("meta.db", &schema_meta, "UPDATE archive_forms SET inner_hash = zeroblob(32)");
	is(fetch(&c), ARCHIVE_E_TAMPERED);
	assert_false(is_local());
}

static void one_at_a_time(void **state)
{
	(void) state;
	struct archive_conf c = conf_of();
	char path[128];
	(void) snprintf(path, sizeof path, "%s/archive", books_dir);
	assert_int_equal(mkdir(path, 0700), 0);
	(void) snprintf(path, sizeof path, "%s/archive/.lock", books_dir);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	is(run(&c), ARCHIVE_E_BUSY);
	(void) close(fd);
	is(run(&c), 0);
}

/* ---- the daemon's thread ---- */

static struct archives_report await(struct archives *a, bool (*there)(const struct archives_report *r))
{
	struct archives_report r;
	for (int i = 0; i < 3000; i++) {
		archives_report(a, &r);
		if (there(&r))
			return r;
		(void) clk_sleep_until_ms(clk_mono_ms() + 10);
	}
	fail_msg("nothing came of it: %s", r.problem);
	return r;
}

static bool has_failed(const struct archives_report *r)
{
	return r->failures > 0;
}

static bool has_purged(const struct archives_report *r)
{
	return r->purged > 0;
}

static bool knows_when(const struct archives_report *r)
{
	return r->verified_ms > 0;
}

static bool stands_still(const struct archives_report *r)
{
	return strcmp(r->step, "2026_w08: being sent") == 0 && r->still_ms >= 1000;
}

static void daemon_settings(struct settings *ret, const char *more)
{
	char dir[128], endpoint[96], file[128], other[64];
	char *env[] = { dir, endpoint, file, other, NULL };
	(void) snprintf(dir, sizeof dir, "TAP_DATA_DIR=%s", books_dir);
	(void) snprintf(endpoint, sizeof endpoint, "TAP_S3_ENDPOINT=%s", server.endpoint);
	(void) snprintf(file, sizeof file, "TAP_S3_CREDENTIALS_FILE=%s", server.credentials_file);
	(void) snprintf(other, sizeof other, "%s", more);
	assert_int_equal(settings_load(ret, env, stderr), 0);
}

/* Long before it is given up. */
static void an_upload_that_hangs_is_told(void **state)
{
	(void) state;
	static struct settings s;
	struct archives *a;
	daemon_settings(&s, "TAP_S3_STILL_MS=600000");
	assert_true(s3_server_faults(&server, "[{\"kind\":\"hang\",\"method\":\"PUT\"}]"));
	is(archives_start(&a, &s, 0), 0);
	struct archives_report r = await(a, stands_still);
	assert_true(r.failures == 0 && r.step_since_ms > 0 && r.moved_bytes > 0);
	(void) archives_stop(a);
}

static void the_daemon_does_it_and_remembers(void **state)
{
	(void) state;
	static struct settings s;
	struct archives *a;
	daemon_settings(&s, "TAP_S3_TRIES=1");
	assert_true(s3_server_faults(&server, "[{\"kind\":\"500\"}]"));
	is(archives_start(&a, &s, 0), 0);
	struct archives_report r = await(a, has_failed);
	(void) archives_stop(a);
	assert_true(r.on && r.failing_since_ms > 0 && r.problem[0] && r.waiting == 1 && r.verified_ms == 0 && is_local());
	assert_true(s3_server_faults(&server, "[]"));
	is(archives_start(&a, &s, 0), 0);
	r = await(a, has_purged); /* by the clock on the wall it ended long ago */
	(void) archives_stop(a);
	assert_true(r.verified == 1 && r.failures == 0 && r.failing_since_ms == 0 && r.waiting == 0 && !is_local());
	assert_true(r.step[0] == '\0' && r.still_ms == 0 && r.moved_bytes > 0);
	int64_t verified_ms = r.verified_ms;
	is(archives_start(&a, &s, 0), 0);
	r = await(a, knows_when);
	(void) archives_stop(a);
	assert_int_equal(r.verified_ms, verified_ms);
	assert_int_equal(r.verified, 0);
}

/* ---- the drill ---- */

static void ship_all(const struct settings *s)
{
	struct shipper *sh;
	const struct s3_conf conf = s3_server_conf(&server);
	is(shipper_open(&sh, s, &conf), 0);
	for (bool more = true; more;)
		is(shipper_turn(sh, 10, &more), 0);
	(void) shipper_close(sh);
}

static void send_snapshot(const struct settings *s)
{
	char dir[160];
	struct ship_place place;
	struct backup b;
	is(ship_place_read(books_dir, &place), 0);
	(void) snprintf(dir, sizeof dir, "%s/backups", books_dir);
	is(backup_make(books_dir, dir, clk_now_ms(), &b), 0);
	is(remote_snapshot(s, b.path, &place, clk_now_ms(), NULL, NULL), 0);
}

static int drill(const struct settings *s, struct drill *ret)
{
	char dir[160];
	struct drill d = { 0 };
	(void) snprintf(dir, sizeof dir, "%s/backups", books_dir);
	int r = remote_drill(s, dir, clk_now_ms(), NULL, NULL, &d);
	int unknown = remote_drill_read(dir, ret);
	assert_int_equal(unknown, ret->at_ms == 0);
	assert_true(r == REMOTE_PUT_OFF || ret->at_ms == d.at_ms);
	return r;
}

/* What could not be restored because its snapshot is yet to come is tried again soon, and is not remembered as a failure. */
static void a_drill_that_a_weeks_end_cuts_through_is_put_off(void **state)
{
	(void) state;
	static struct settings s;
	struct drill d = { 0 };
	struct week_rolled rolled;
	daemon_settings(&s, "TAP_S3_TRIES=2");
	ship_all(&s);
	is(drill(&s, &d), REMOTE_PUT_OFF);
	send_snapshot(&s);
	is(drill(&s, &d), 0);
	assert_true(d.good);
	int64_t good_ms = d.at_ms;

	struct week *w = books_open(STORE_WRITE);
	is(week_roll(w, NOW_MS + 2 * WEEK_MS, &rolled), 0);
	(void) books_account(books_begin(w), USERS, 1);
	is(week_commit(w), 0);
	(void) week_close(w);
	ship_all(&s);
	is(drill(&s, &d), REMOTE_PUT_OFF);
	assert_true(d.good && d.at_ms == good_ms);
	send_snapshot(&s);
	is(drill(&s, &d), 0);
	assert_true(d.good && d.at_ms >= good_ms);

	/* none is wanted, and yet it fails */
	assert_true(s3_server_faults(&server, "[{\"kind\":\"404\",\"method\":\"GET\",\"code\":\"NoSuchKey\"}]"));
	assert_true(drill(&s, &d) < 0);
	assert_false(d.good);
}

/* ---- kill -9 ---- */

static int steps_left;

static void die_at_last(void *u, const char *text)
{
	(void) u, (void) text;
	if (--steps_left == 0)
		(void) raise(SIGKILL);
}

/* True: it ended by itself. */
static bool run_killed_at(const struct archive_conf *conf, int n)
{
	int status;
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct archive_conf c = *conf;
		steps_left = n;
		c.step = die_at_last;
		_exit(run(&c) == 0 ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFSIGNALED(status))
		return false;
	assert_int_equal(WEXITSTATUS(status), 0);
	return true;
}

static void killed_at_every_step(struct archive_conf *c, void **state)
{
	c->keep_weeks = 0;
	for (int n = 1;; n++) {
		bool ended = run_killed_at(c, n);
		is(run(c), 0);
		assert_false(is_local());
		is(fetch(c), 0);
		week_is_whole();
		struct week_archive a = recorded();
		assert_true(a.state == WEEK_ARCHIVE_VERIFIED && a.purged_ms > 0 && a.fetched_ms > 0);
		if (ended)
			break;
		assert_int_equal(tear_down(state), 0);
		assert_int_equal(set_up(state), 0);
		assert_true(n < 40);
	}
}

static void who_is_killed_is_gone_on_from(void **state)
{
	struct archive_conf c = conf_of();
	killed_at_every_step(&c, state);
}

static void who_is_killed_between_parts_too(void **state)
{
	struct archive_conf c = conf_of();
	c.multipart_bytes = 1;
	killed_at_every_step(&c, state);
}

/* copied, pressed, packed, upload begun, part sent: then a kill. The part stays, and is not sent again. */
static void parts_that_were_sent_stay(void **state)
{
	(void) state;
	struct archive_conf c = conf_of();
	c.multipart_bytes = 1;
	assert_false(run_killed_at(&c, 5));
	assert_true(s3_server_forget(&server));
	is(run(&c), 0);
	assert_int_equal(s3_server_seen(&server, "partNumber=1&"), 0);
	assert_int_equal(s3_server_seen(&server, "partNumber=2&"), 1);
	assert_int_equal(s3_server_seen(&server, "POST /tap-trading/bets/bets_2026_w08.db.zst?uploads"), 0);
	/* Parts go through the same weather as the rest, a wrong ETag included: what is listed is what counts. */
	assert_int_equal(tear_down(state), 0);
	assert_int_equal(set_up(state), 0);
	assert_true(s3_server_faults(&server, "[{\"kind\":\"etag\",\"method\":\"PUT\"},{\"kind\":\"500\",\"method\":\"POST\",\"times\":1}]"));
	is(run(&c), 0);
	assert_int_equal(recorded().state, WEEK_ARCHIVE_VERIFIED);
}

static int start(void **state)
{
	(void) state;
	if (!s3_server_start(&server))
		return -1;
	static struct s3_conf conf;
	conf = s3_server_conf(&server);
	conf.endpoint = server.direct;
	return s3_open(&s3, &conf);
}

static int stop(void **state)
{
	(void) state;
	s3 = s3_close(s3);
	s3_server_stop(&server);
	return 0;
}

/* meta.db leaves with snapshots alone: one that does not know of an archive is to be followed by another soon. */
static void a_new_archive_wants_a_snapshot(void **state)
{
	(void) state;
	struct settings s = { .s3_endpoint.v = "http://127.0.0.1:1" };
	(void) snprintf(s.data_dir.v, sizeof s.data_dir.v, "%s", books_dir);
	struct week *w = books_open(STORE_WRITE);
	is(snapshot_note_write(books_dir, 5000, FIRST), 0);
	assert_false(remote_archive_is_newer(&s));
	is(week_archive_put(w, &(struct week_archive){ .week_id = 1, .state = WEEK_ARCHIVE_VERIFIED, .bets = BETS, .db_bytes = 1,
			.packed_bytes = 1, .verified_ms = 6000 }), 0);
	assert_true(remote_archive_is_newer(&s));
	is(snapshot_note_write(books_dir, 7000, FIRST), 0);
	assert_false(remote_archive_is_newer(&s));
	(void) week_close(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_new_archive_wants_a_snapshot, set_up, tear_down),
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		T(a_week_goes_and_comes_back),
		T(a_reader_sees_it_go_and_come),
		T(nothing_is_removed_before_it_was_compared),
		T(who_is_not_let_in_removes_nothing),
		T(what_was_tampered_with_is_refused),
		T(another_ones_object_is_not_written_over),
		T(an_object_that_is_gone_is_sent_anew),
		T(a_damaged_week_is_not_archived),
		T(a_book_that_does_not_follow_goes_as_it_is),
		T(what_thaws_to_another_book_is_refused),
		T(one_at_a_time),
		T(the_daemon_does_it_and_remembers),
		T(an_upload_that_hangs_is_told),
		T(a_drill_that_a_weeks_end_cuts_through_is_put_off),
		T(who_is_killed_is_gone_on_from),
		T(who_is_killed_between_parts_too),
		T(parts_that_were_sent_stay),
	};
	log_init("test", LOG_LEVEL_CRIT);
	return cmocka_run_group_tests(tests, start, stop);
}
