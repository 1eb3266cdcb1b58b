/* A crash at every write. A story of money operations is played once while each call that changes a file is written down;
 * then, for every point in that log, the files are put together as a crash there could have left them: as a killed process
 * leaves them, as a power cut leaves them that drops all that was not synced, and that keeps a random part of it in any order,
 * torn. Each time the book is opened again: it must be exactly as after the last acknowledged operation, or as after the one
 * that was under way; all audits pass, and it takes the next operation.
 * TAP_CRASH_SEEDS: random power cuts for each point. TAP_CRASH_SEED: the first seed. */
#include "books.h"

#include <inttypes.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "clk.h"
#include "err.h"
#include "limits_book.h"
#include "session_keys.h"
#include "shim_vfs.h"

enum { SYNC_DIR = SHIM_DELETE + 1 }; /* one more kind of call */
enum { FILES_MAX = 16, LOG_MAX = 8192, STORY_MAX = 64, SECTOR = 512 };

struct call {
	int op; /* enum shim_op, SYNC_DIR */
	int file, n;
	sqlite3_int64 at;
	uint8_t *bytes;
};

static struct {
	char names[FILES_MAX][64]; /* below the directory */
	int files;
	struct call calls[LOG_MAX];
	int n;
	int end_of[STORY_MAX];     /* calls that were made when the operation was acknowledged */
	struct hash after[STORY_MAX];
	int operations;
} story;

static uint64_t seed;

static uint64_t draw(uint64_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed % below;
}

static int file_of(const char *path)
{
	/* A week's file is made in DIR/next and renamed, alone: its WAL of then is another file than that of now. */
	char name[64];
	const char *base = strrchr(path, '/') + 1;
	bool aside = strstr(path, "/next/") && strcmp(base + strlen(base) - 3, ".db") != 0;
	(void) snprintf(name, sizeof name, "%s%s", aside ? "next-" : "", base);
	for (int i = 0; i < story.files; i++)
		if (strcmp(story.names[i], name) == 0)
			return i;
	assert_true(story.files < FILES_MAX);
	(void) snprintf(story.names[story.files], sizeof story.names[0], "%s", name);
	return story.files++;
}

static int write_down(enum shim_op op, const char *path, sqlite3_int64 at, const void *bytes, int n)
{
	if (strstr(path, "-shm") || strncmp(path, books_dir, strlen(books_dir)) != 0)
		return SQLITE_OK;
	assert_true(story.n < LOG_MAX);
	struct call *c = &story.calls[story.n++];
	*c = (struct call){ .op = (int) op, .file = file_of(path), .n = n, .at = at };
	if (n > 0) {
		c->bytes = malloc((size_t) n);
		memcpy(c->bytes, bytes, (size_t) n);
	}
	return SQLITE_OK;
}

/* Directories are synced past the VFS's file calls, by SQLite and by us: in a test program these two stand before libc's. */
static bool listening;

static void hear_directory(int fd)
{
	struct stat st;
	if (listening && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
		assert_true(story.n < LOG_MAX);
		story.calls[story.n++] = (struct call){ .op = SYNC_DIR };
	}
}

int fsync(int fd)
{
	hear_directory(fd);
	return (int) syscall(SYS_fsync, fd);
}

int fdatasync(int fd)
{
	hear_directory(fd);
	return (int) syscall(SYS_fdatasync, fd);
}

/* All that the book says, as one hash. */
static void hash_table(struct sha256 *h, sqlite3 *db, const char *sql)
{
	sqlite3_stmt *st;
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK);
	int rc;
	while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
		for (int i = 0; i < sqlite3_column_count(st); i++) {
			int type = sqlite3_column_type(st, i), n = sqlite3_column_bytes(st, i);
			sha256_add_be64(h, type);
			sha256_add_be64(h, type == SQLITE_INTEGER ? sqlite3_column_int64(st, i) : n);
			if (type != SQLITE_INTEGER)
				sha256_add(h, sqlite3_column_blob(st, i), (size_t) n);
		}
	}
	assert_int_equal(rc, SQLITE_DONE);
	(void) sqlite3_finalize(st);
}

static void hash_file(struct sha256 *h, const char *name, const char *const *queries)
{
	char path[160];
	sqlite3 *db;
	(void) snprintf(path, sizeof path, "%s/%s", books_dir, name);
	if (access(path, F_OK) < 0)
		return;
	assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, "unix"), SQLITE_OK);
	for (; *queries; queries++)
		hash_table(h, db, *queries);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static struct hash hash_books(void)
{
	static const char *const week[] = { "SELECT * FROM book", "SELECT * FROM users", "SELECT * FROM transaction_ledger",
		"SELECT * FROM chain", "SELECT * FROM bets", "SELECT * FROM columns", "SELECT * FROM player_limits",
		"SELECT * FROM session_keys", NULL };
	static const char *const meta[] = { "SELECT * FROM weeks", "SELECT * FROM audit", NULL };
	struct sha256 h;
	char name[WEEK_NAME_SIZE];
	sha256_start(&h);
	week_file_name(name, clk_iso_week(NOW_MS));
	hash_file(&h, name, week);
	hash_file(&h, "meta.db", meta);
	return sha256_end(&h);
}

static void acknowledged(void)
{
	story.end_of[story.operations] = story.n;
	story.after[story.operations++] = hash_books();
}

static void batch_of_bets(struct week *w, int64_t from_s, int first, int n)
{
	struct store *db = books_begin(w);
	struct account a;
	for (int i = 0; i < n; i++) {
		struct bet b = books_bet(1 + (first + i) % 3, from_s + 5 * (i % 4), 4860 + first + i, 5);
		assert_int_equal(books_place(db, &b, &a), 0);
	}
	assert_int_equal(week_commit(w), 0);
	acknowledged();
}

static void settled(struct week *w, int64_t t0_s, bool is_void)
{
	struct tick ticks[51];
	struct store *db = books_begin(w);
	for (int i = 0; i < 51; i++)
		ticks[i] = (struct tick){ t0_s * 1000 - 100 + 100 * i, 4862 * ROW_CENTS + 3 * i };
	assert_int_equal(books_settle(db, ticks, is_void ? 0 : 51, t0_s, NOW_MS + 60000, NULL), 0);
	assert_int_equal(week_commit(w), 0);
	acknowledged();
}

static void posted(struct week *w, enum ledger_ref type, int64_t micros, const char *ref)
{
	struct store *db = books_begin(w);
	struct account a;
	assert_int_equal(ledger_post(db, &(struct posting){ .user = 2, .amount = { micros }, .ref_type = type, .ref_id = ref,
			.at_ms = NOW_MS }, &a), 0);
	assert_int_equal(week_commit(w), 0);
	acknowledged();
}

/* Two limits and a session key in one transaction: all of it or none. */
static void limited(struct week *w, int64_t user, int64_t cap)
{
	struct store *db = books_begin(w);
	struct account a;
	struct limits l;
	struct session_key k;
	const struct limit_wish wishes[] = { { LIMIT_OPEN, cap }, { LIMIT_COOL_OFF, NOW_MS + cap } };
	const struct key_caps caps = { money_of(cap), money_of(cap) };
	assert_int_equal(ledger_account_by_id(db, user, &a), 0);
	assert_int_equal(limits_change(db, &a, wishes, 2, "player", NOW_MS, &l), 0);
	assert_int_equal(session_keys_put(db, &a, &a.wallet, &caps, NOW_MS, NOW_MS + 1, &k), 0);
	assert_int_equal(week_commit(w), 0);
	acknowledged();
}

static void limits_still_hold(struct week *w)
{
	struct limits_audit la;
	struct session_keys_audit ka;
	struct store *db = books_begin(w);
	if (limits_audit(db, &la) != 0 || session_keys_audit(db, &ka) != 0)
		fail_msg("%s%s", la.finding, ka.finding);
	week_rollback(w);
}

static void play_story(void)
{
	shim_install();
	shim_hooks.before = write_down;
	listening = true;
	struct week *w = books_open(STORE_WRITE);
	acknowledged();
	struct store *db = books_begin(w);
	for (int i = 1; i <= 3; i++)
		(void) books_account(db, i, 1000);
	assert_int_equal(week_commit(w), 0);
	acknowledged();
	(void) store_checkpointer(week_store(w));
	for (int i = 0; i < 3; i++) {
		batch_of_bets(w, T0_S, 10 * i, 3 + 4 * i);
		if (i == 1) /* a checkpoint changes nothing that is seen, but has its own points to die at */
			assert_int_equal(store_checkpoint(week_store(w), 1), 0);
	}
	posted(w, LEDGER_DEPOSIT, 7000000, "late");
	limited(w, 1, 5000000);
	limited(w, 2, 6000000);
	settled(w, T0_S, false);
	posted(w, LEDGER_WITHDRAWAL, -3000000, "away");
	settled(w, T0_S + 5, true);
	assert_int_equal(store_checkpoint(week_store(w), 1), 0);
	posted(w, LEDGER_WITHDRAWAL_REVERSAL, 3000000, "away");
	assert_int_equal(week_audit_log(w, "root", "suspend 1", "a reason", NOW_MS), 0);
	acknowledged();
	batch_of_bets(w, T0_S + 10, 60, 5);
	(void) week_close(w);
	shim_hooks.before = NULL;
	listening = false;
	shim_remove();
}

/* A file as it may stand after a crash: what is sure, and what was not synced yet. */
struct image {
	uint8_t *bytes;
	size_t n, cap;
	bool there, sure_there, maybe_gone; /* its name is not synced yet; its deletion is not */
	int unsynced[LOG_MAX], n_unsynced;
};

static void reach(struct image *f, size_t n)
{
	if (n > f->cap) {
		f->cap = n * 2;
		f->bytes = realloc(f->bytes, f->cap);
	}
	if (n > f->n) {
		memset(f->bytes + f->n, 0, n - f->n);
		f->n = n;
	}
}

static void apply(struct image *f, const struct call *c, size_t from, size_t to)
{
	if (c->op == SHIM_TRUNCATE) {
		reach(f, (size_t) c->at);
		f->n = (size_t) c->at;
	} else if (to > from) {
		reach(f, (size_t) c->at + to);
		memcpy(f->bytes + c->at + from, c->bytes + from, to - from);
	}
}

enum crash { CRASH_KILL, CRASH_DROP_ALL, CRASH_RANDOM };

static void lose_some(struct image *f, enum crash how)
{
	if (how == CRASH_RANDOM) { /* any order */
		for (int i = f->n_unsynced - 1; i > 0; i--) {
			int j = (int) draw((uint64_t) i + 1), keep = f->unsynced[i];
			f->unsynced[i] = f->unsynced[j];
			f->unsynced[j] = keep;
		}
	}
	for (int i = 0; i < f->n_unsynced; i++) {
		const struct call *c = &story.calls[f->unsynced[i]];
		size_t from = 0, to = (size_t) c->n;
		if (how == CRASH_DROP_ALL || (how == CRASH_RANDOM && draw(2)))
			continue;
		if (how == CRASH_RANDOM && to > SECTOR && draw(3) == 0) /* torn at a sector */
			to = SECTOR * draw(to / SECTOR);
		apply(f, c, from, to);
	}
	if (f->maybe_gone && (how == CRASH_KILL || (how == CRASH_RANDOM && draw(2))))
		f->there = false;
	if (!f->sure_there && how != CRASH_KILL && (how == CRASH_DROP_ALL || draw(2)))
		f->there = false;
}

static void sync_file(struct image *f)
{
	for (int i = 0; i < f->n_unsynced; i++)
		apply(f, &story.calls[f->unsynced[i]], 0, (size_t) story.calls[f->unsynced[i]].n);
	f->n_unsynced = 0;
	f->sure_there = true; /* as ext4 and xfs have it for a new file */
}

static void forget(struct image *f)
{
	*f = (struct image){ .bytes = f->bytes, .cap = f->cap };
}

static void take(struct image *f, int at)
{
	const struct call *c = &story.calls[at];
	if (c->op == SHIM_CREATE) {
		forget(f);
		f->there = true;
	} else if (c->op == SHIM_WRITE || c->op == SHIM_TRUNCATE) {
		f->unsynced[f->n_unsynced++] = at;
	} else if (c->op == SHIM_SYNC) {
		sync_file(f);
	} else if (c->op == SHIM_DELETE && c->at) { /* with its directory */
		forget(f);
	} else if (c->op == SHIM_DELETE) {
		f->maybe_gone = true;
	}
}

static struct image images[FILES_MAX];

static void sync_directory(void)
{
	for (int i = 0; i < story.files; i++) {
		if (images[i].maybe_gone)
			forget(&images[i]);
		images[i].sure_there = images[i].there;
	}
}

static void put_together(int calls, enum crash how)
{
	for (int i = 0; i < story.files; i++)
		forget(&images[i]);
	for (int i = 0; i < calls; i++) {
		if (story.calls[i].op != SYNC_DIR)
			take(&images[story.calls[i].file], i);
		else
			sync_directory();
	}
	for (int i = 0; i < story.files; i++) {
		char path[160];
		struct image *f = &images[i];
		lose_some(f, how);
		if (!f->there)
			continue;
		(void) snprintf(path, sizeof path, "%s/%s", books_dir, story.names[i]);
		FILE *out = fopen(path, "wb");
		assert_non_null(out);
		if (f->n > 0)
			assert_int_equal(fwrite(f->bytes, 1, f->n, out), f->n);
		assert_int_equal(fclose(out), 0);
	}
}

static void books_still_hold(int calls, enum crash how)
{
	int last = -1;
	struct week *w = NULL;
	while (last + 1 < story.operations && story.end_of[last + 1] <= calls)
		last++;
	int r = week_open(&w, books_dir, STORE_WRITE, NOW_MS);
	if (r != 0)
		fail_msg("call %d, crash %d: %d %s", calls, (int) how, r, err_text());
	struct hash now = hash_books();
	bool as_before = last >= 0 && memcmp(&now, &story.after[last], sizeof now) == 0;
	bool as_after = last + 1 < story.operations && memcmp(&now, &story.after[last + 1], sizeof now) == 0;
	if (!as_before && !as_after)
		fail_msg("call %d, crash %d: neither as operation %d left it nor the next", calls, (int) how, last);
	assert_int_equal(books_audit(w, true), 0);
	limits_still_hold(w);
	struct store *db = books_begin(w);
	(void) books_account(db, 99, 5);
	assert_int_equal(week_commit(w), 0);
	assert_int_equal(books_audit(w, true), 0);
	(void) week_close(w);
}

static void empty_directory(void)
{
	static const char *const suffixes[] = { "", "-wal", "-shm" };
	for (int i = 0; i < story.files; i++) {
		for (size_t k = 0; k < ARRAY_LEN(suffixes); k++) {
			char path[160];
			(void) snprintf(path, sizeof path, "%s/%s%s", books_dir, story.names[i], suffixes[k]);
			(void) unlink(path);
		}
	}
}

/* The rename that makes a week's file is not SQLite's, so the story's log does not hold it: a crash is played from there on
 * where the file has its name, that is after the first acknowledgement. */
static void a_crash_at_every_write_loses_nothing(void **state)
{
	(void) state;
	const char *seeds_text = getenv("TAP_CRASH_SEEDS"), *first = getenv("TAP_CRASH_SEED");
	int seeds = seeds_text ? atoi(seeds_text) : 5;
	uint64_t start = first ? strtoull(first, NULL, 10) : (uint64_t) clk_mono_us() | 1;
	play_story();
	print_message("%d calls, %d operations, TAP_CRASH_SEED=%" PRIu64 "\n", story.n, story.operations, start);
	for (int calls = story.end_of[0]; calls <= story.n; calls++) {
		for (int how = 0; how < 2 + seeds; how++) {
			enum crash crash = how < 2 ? (enum crash) how : CRASH_RANDOM;
			seed = start + (uint64_t) calls * 1000003u + (uint64_t) how;
			empty_directory();
			put_together(calls, crash);
			books_still_hold(calls, crash);
		}
	}
	for (int i = 0; i < story.n; i++)
		free(story.calls[i].bytes);
	for (int i = 0; i < story.files; i++)
		free(images[i].bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_crash_at_every_write_loses_nothing, books_set_up, books_tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
