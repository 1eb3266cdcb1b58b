/* Backups: made whole or not at all, verified, pruned; and the integrity check that verifies them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "../support/folder.h"
#include "backup.h"
#include "ledger.h"
#include "week.h"

#define NOW_MS INT64_C(1771234565123)

struct world {
	char dir[64], backups[96];
	struct week *week;
};

static void deposit(struct world *w, int n)
{
	struct store *db;
	struct account a;
	struct wallet wallet = { .b = { 0xab, 0xcd, 0xef, (uint8_t) (n >> 8), (uint8_t) n } };
	char ref[32];
	(void) snprintf(ref, sizeof ref, "d%d", n);
	assert_int_equal(week_begin(w->week, &db), 0);
	assert_int_equal(ledger_account_open(db, &wallet, NOW_MS, &a), 0);
	const struct posting p = { .user = a.user, .amount = { 1000000 + n }, .ref_type = LEDGER_DEPOSIT, .ref_id = ref,
		.at_ms = NOW_MS };
	assert_int_equal(ledger_post(db, &p, &a), 0);
	assert_int_equal(week_commit(w->week), 0);
}

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof *w);
	*state = w;
	(void) snprintf(w->dir, sizeof w->dir, "/tmp/tap-backup-XXXXXX");
	if (!mkdtemp(w->dir))
		return -1;
	(void) snprintf(w->backups, sizeof w->backups, "%s/backups", w->dir);
	assert_int_equal(week_open(&w->week, w->dir, STORE_WRITE, NOW_MS), 0);
	for (int i = 0; i < 20; i++)
		deposit(w, i);
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;
	week_close(w->week);
	int r = folder_remove(w->dir);
	free(w);
	return r;
}

static int entries(const char *path)
{
	int n = 0;
	DIR *d = opendir(path);
	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d));)
		n += e->d_name[0] != '.' || strncmp(e->d_name, ".partial-", 9) == 0;
	(void) closedir(d);
	return n;
}

static void a_backup_is_a_data_folder(void **state)
{
	struct world *w = *state;
	struct backup b;
	struct integrity found;
	struct week *copy;
	int64_t at_ms;
	assert_int_equal(backup_newest(w->backups, &at_ms), 1);
	assert_int_equal(backup_make(w->dir, w->backups, NOW_MS, &b), 0);
	deposit(w, 1000); /* afterwards: not in it */
	assert_int_equal(entries(b.path), 2);
	assert_true(b.bytes > 0);
	assert_int_equal(b.found.rows, 20);
	assert_int_equal(backup_newest(w->backups, &at_ms), 0);
	assert_int_equal(at_ms, NOW_MS);
	/* it can be worked on as one */
	assert_int_equal(week_open(&copy, b.path, STORE_WRITE, NOW_MS), 0);
	struct week *ours = w->week;
	w->week = copy;
	deposit(w, 2000);
	w->week = ours;
	week_close(copy);
	assert_int_equal(week_open(&copy, b.path, STORE_READ, NOW_MS), 0);
	assert_int_equal(integrity_check(copy, true, &found), 0);
	assert_int_equal(found.rows, 21);
	week_close(copy);
}

static void the_oldest_go(void **state)
{
	struct world *w = *state;
	struct backup b;
	int64_t at_ms;
	for (int i = 0; i < 5; i++)
		assert_int_equal(backup_make(w->dir, w->backups, NOW_MS + i * 3600000, &b), 0);
	char foreign[160];
	(void) snprintf(foreign, sizeof foreign, "%s/20200101", w->backups); /* not ours */
	assert_int_equal(mkdir(foreign, 0700), 0);
	assert_int_equal(backup_prune(w->backups, 3), 0);
	assert_int_equal(entries(w->backups), 4);
	assert_int_equal(backup_newest(w->backups, &at_ms), 0);
	assert_int_equal(at_ms, NOW_MS + 4 * 3600000);
	assert_int_equal(backup_prune(w->backups, 3), 0);
	assert_int_equal(entries(w->backups), 4);
}

static void what_a_crash_left_is_cleared(void **state)
{
	struct world *w = *state;
	struct backup b;
	char partial[160], file[200];
	assert_int_equal(mkdir(w->backups, 0700), 0);
	(void) snprintf(partial, sizeof partial, "%s/.partial-20260101T000000.000Z", w->backups);
	(void) snprintf(file, sizeof file, "%s/meta.db", partial);
	assert_int_equal(mkdir(partial, 0700), 0);
	int fd = open(file, O_CREAT | O_WRONLY, 0600);
	assert_true(fd >= 0);
	(void) close(fd);
	assert_int_equal(backup_make(w->dir, w->backups, NOW_MS, &b), 0);
	assert_int_equal(entries(w->backups), 1);
	/* and none counts that is not whole */
	assert_int_not_equal(access(partial, F_OK), 0);
}

static void one_at_a_time(void **state)
{
	struct world *w = *state;
	struct backup b;
	char lock[160];
	assert_int_equal(mkdir(w->backups, 0700), 0);
	(void) snprintf(lock, sizeof lock, "%s/.lock", w->backups);
	int fd = open(lock, O_CREAT | O_RDWR, 0600);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	assert_int_equal(backup_make(w->dir, w->backups, NOW_MS, &b), BACKUP_E_BUSY);
	(void) close(fd);
	assert_int_equal(backup_make(w->dir, w->backups, NOW_MS, &b), 0);
}

static void there_must_be_a_book(void **state)
{
	struct world *w = *state;
	struct backup b;
	char empty[160];
	(void) snprintf(empty, sizeof empty, "%s/empty", w->dir);
	assert_int_equal(mkdir(empty, 0700), 0);
	assert_true(backup_make(empty, w->backups, NOW_MS, &b) < 0);
	assert_int_equal(entries(w->backups), 0);
}

/* A bit of the book turns over on the disk: the copy is a faithful one of a book that is not whole, so it gets no name. */
static void a_damaged_book_gives_no_backup(void **state)
{
	static const uint8_t wallet[] = { 0xab, 0xcd, 0xef, 0, 7 };
	struct world *w = *state;
	struct backup b;
	struct integrity found;
	struct week *reader;
	char path[160], name[WEEK_NAME_SIZE];
	static char bytes[1 << 20];
	struct store *book = week_store(w->week);
	assert_true(store_checkpointer(book));
	assert_int_equal(store_checkpoint(book, 1), 0);
	week_file_name(name, week_current(w->week));
	(void) snprintf(path, sizeof path, "%s/%s", w->dir, name);
	week_close(w->week);
	w->week = NULL;
	FILE *f = fopen(path, "r+");
	assert_non_null(f);
	size_t n = fread(bytes, 1, sizeof bytes, f);
	bool damaged = false;
	for (size_t i = 0; i + sizeof wallet < n; i++) {
		if (memcmp(bytes + i, wallet, sizeof wallet) == 0) {
			assert_int_equal(fseek(f, (long) i + 10, SEEK_SET), 0);
			(void) fputc(0x40, f);
			damaged = true;
		}
	}
	assert_true(damaged);
	assert_int_equal(fclose(f), 0);
	(void) snprintf(path, sizeof path, "%s/%s-wal", w->dir, name);
	(void) unlink(path);
	assert_int_equal(week_open(&reader, w->dir, STORE_READ, NOW_MS), 0);
	assert_int_equal(integrity_check(reader, true, &found), INTEGRITY_E_DRIFT);
	assert_true(found.finding[0]);
	week_close(reader);
	assert_int_equal(backup_make(w->dir, w->backups, NOW_MS, &b), BACKUP_E_BAD);
	assert_true(b.found.finding[0]);
	assert_int_equal(entries(w->backups), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_backup_is_a_data_folder, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_oldest_go, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_a_crash_left_is_cleared, set_up, tear_down),
		cmocka_unit_test_setup_teardown(one_at_a_time, set_up, tear_down),
		cmocka_unit_test_setup_teardown(there_must_be_a_book, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_damaged_book_gives_no_backup, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
