/* The archiver's jobs: backups at their distance, old ones gone, the schedule and the verdict kept over a restart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "../support/folder.h"
#include "archiver.h"
#include "backup.h"
#include "clk.h"
#include "jobs.h"
#include "last_check.h"
#include "log.h"
#include "week.h"

enum { FIRST_MS = 100 };

struct world {
	char backups[128];
	struct settings s;
};

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof *w);
	*state = w;
	char *dir = w->s.data_dir.v;
	(void) snprintf(dir, CONF_TEXT_MAX, "/tmp/tap-archiver-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	(void) snprintf(w->backups, sizeof w->backups, "%.64s/backups", dir);
	w->s.backup_s = 1;
	w->s.backups_kept = 2;
	w->s.integrity_s = 3600;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;
	int r = folder_remove(w->s.data_dir.v);
	free(w);
	return r;
}

static void make_book(struct world *w)
{
	struct week *week;
	assert_int_equal(week_open(&week, w->s.data_dir.v, STORE_WRITE, clk_now_ms()), 0);
	week_close(week);
}

static int folders(const char *path)
{
	int n = 0;
	DIR *d = opendir(path);
	for (struct dirent *e; d && (e = readdir(d));)
		n += e->d_name[0] == '2';
	if (d)
		(void) closedir(d);
	return n;
}

static struct jobs_report await_backups(struct jobs *j, uint64_t n, int64_t limit_ms)
{
	struct jobs_report r;
	int64_t by_ms = clk_mono_ms() + limit_ms;
	do {
		(void) clk_sleep_until_ms(clk_mono_ms() + 20);
		jobs_report(j, &r);
	} while (r.backups < n && clk_mono_ms() < by_ms);
	return r;
}

static void backups_come_and_the_oldest_go(void **state)
{
	struct world *w = *state;
	struct jobs *j;
	make_book(w);
	assert_int_equal(jobs_start(&j, &w->s, FIRST_MS), 0);
	struct jobs_report r = await_backups(j, 4, FIRST_MS + 10000);
	jobs_stop(j); /* after it nothing is half done */
	assert_true(r.backups >= 4);
	assert_int_equal(r.backup_failures, 0);
	assert_true(r.checked && r.integrity_ok);
	assert_int_equal(r.checks, 1);
	assert_int_equal(folders(w->backups), 2);
}

static void a_restart_remembers(void **state)
{
	struct world *w = *state;
	struct backup b;
	struct jobs *j;
	struct jobs_report r;
	int64_t now_ms = clk_now_ms();
	make_book(w);
	w->s.backup_s = 3600;
	assert_int_equal(backup_make(w->s.data_dir.v, w->backups, now_ms - 60000, &b), 0);
	assert_int_equal(last_check_write(w->backups, now_ms - 50000, true), 0);
	assert_int_equal(jobs_start(&j, &w->s, FIRST_MS), 0);
	r = await_backups(j, 1, FIRST_MS + 1500);
	jobs_stop(j);
	assert_int_equal(r.backups, 0); /* neither is due */
	assert_int_equal(r.checks, 0);
	assert_int_equal(r.backup_ms, now_ms - 60000);
	assert_int_equal(r.checked_ms, now_ms - 50000);
	assert_true(r.integrity_ok);
	/* drift is not slept over */
	assert_int_equal(last_check_write(w->backups, now_ms - 50000, false), 0);
	assert_int_equal(jobs_start(&j, &w->s, FIRST_MS), 0);
	jobs_report(j, &r);
	assert_true(r.checked && !r.integrity_ok);
	for (int i = 0; i < 300 && r.checks == 0; i++) {
		(void) clk_sleep_until_ms(clk_mono_ms() + 20);
		jobs_report(j, &r);
	}
	jobs_stop(j);
	assert_int_equal(r.checks, 1);
	assert_true(r.integrity_ok);
}

static void without_a_book_it_waits_for_one(void **state)
{
	struct world *w = *state;
	struct jobs *j;
	assert_int_equal(jobs_start(&j, &w->s, FIRST_MS), 0);
	struct jobs_report r = await_backups(j, 1, FIRST_MS + 1000);
	assert_int_equal(r.backups, 0);
	assert_int_equal(r.backup_failures, 0);
	make_book(w);
	r = await_backups(j, 1, 5000);
	jobs_stop(j);
	assert_true(r.backups >= 1);
}

static int check(struct world *w, const char *secret, char *said, size_t size)
{
	char *path = w->s.s3_credentials_file.v;
	(void) snprintf(path, CONF_TEXT_MAX, "%.64s/s3", w->s.data_dir.v);
	(void) unlink(path);
	if (secret) {
		FILE *f = fopen(path, "w");
		assert_non_null(f);
		assert_true(fputs(secret, f) >= 0);
		assert_int_equal(fclose(f), 0);
	}
	memset(said, 0, size);
	FILE *report = fmemopen(said, size, "w");
	assert_non_null(report);
	int wrong = archiver_check(&w->s, report);
	(void) fclose(report);
	assert_int_equal(wrong, strncmp(said, "TAP_S3_CREDENTIALS_FILE=", 24) == 0);
	return wrong;
}

static void credentials_are_looked_at_before_the_start(void **state)
{
	struct world *w = *state;
	char said[1024];
	assert_int_equal(unsetenv("CREDENTIALS_DIRECTORY"), 0);
	assert_int_equal(check(w, NULL, said, sizeof said), 0); /* without an endpoint nobody needs any */
	(void) snprintf(w->s.s3_endpoint.v, CONF_TEXT_MAX, "http://127.0.0.1:1");
	assert_int_equal(check(w, NULL, said, sizeof said), 1);
	assert_int_equal(check(w, "", said, sizeof said), 1);
	assert_int_equal(check(w, "access-without-a-key", said, sizeof said), 1);
	assert_int_equal(check(w, ":key", said, sizeof said), 1);
	assert_non_null(strstr(said, "must be ACCESS_KEY:SECRET_KEY"));
	assert_int_equal(check(w, "access:key\n", said, sizeof said), 0);
	w->s.s3_credentials_file.v[0] = '\0'; /* the service manager may give them */
	assert_int_equal(archiver_check(&w->s, stderr), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(backups_come_and_the_oldest_go, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_restart_remembers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(credentials_are_looked_at_before_the_start, set_up, tear_down),
		cmocka_unit_test_setup_teardown(without_a_book_it_waits_for_one, set_up, tear_down),
	};
	log_init("test", LOG_LEVEL_ERR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
