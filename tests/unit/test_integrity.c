/* What a hand, a broken disk or a bug changes in the books behind our back is found: random bytes, deleted rows, added rows, in every
 * table of the current week, of a past one, and of meta.db. TAP_FLIPS: how many bytes are changed, one at a time; TAP_SEED. */
#include "books.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sqlite3.h>

#include "clk.h"
#include "err.h"
#include "integrity.h"
#include "limits_book.h"
#include "session_keys.h"
#include "settle.h"
#include "withdraw.h"

enum { FILES = 3, NAMES_MAX = 32, PAGES_MAX = 512 };
static const int64_t WEEK_MS = INT64_C(7) * 86400000;

static char paths[FILES][160];
static uint64_t seed;

static uint64_t dice(uint64_t below)
{
	seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
	return (seed >> 11) % below;
}

static void withdraw(struct store *db, int64_t user, int nth, bool decide, bool approve, int64_t now_ms)
{
	struct withdrawal made;
	struct account after;
	bool changed;
	struct withdraw request = { .amount = money_of(1000000 + nth), .timestamp_s = now_ms / 1000 };
	(void) snprintf(request.to_text, sizeof request.to_text, "0x%040d", nth);
	memset(request.nonce, nth, sizeof request.nonce);
	assert_int_equal(withdraw_request(db, user, &request, now_ms, &made, &after), 0);
	if (decide)
		assert_int_equal(withdraw_decide(db, &made.id, approve, now_ms + 1, &made, &after, &changed), 0);
}

/* What the player of an account allows and forbids. */
static void own(struct store *db, int64_t user, int nth, int64_t now_ms)
{
	const struct key_caps caps = { money_of(50000000), money_of(90000000) };
	struct wallet key = books_wallet(1000 + nth);
	struct account a;
	struct session_key k;
	struct limits limits;
	assert_int_equal(ledger_account_by_id(db, user, &a), 0);
	assert_int_equal(session_keys_put(db, &a, &key, &caps, now_ms, now_ms + WEEK_MS, &k), 0);
	assert_int_equal(limits_change(db, &a, &(struct limit_wish){ LIMIT_OPEN, 100000000 + nth }, 1, "player", now_ms, &limits), 0);
}

static void settle(struct week *w, int64_t t0_s, bool slice)
{
	static const struct settings rules = { .column_s = COLUMN_S, .row_cents = ROW_CENTS, .max_tick_gap_ms = 3000 };
	static const struct settle_slice one = { .bets = 1, .us = 1000000 };
	struct settle_result got;
	struct tick ticks[52];
	for (int i = 0; i < 52; i++)
		ticks[i] = (struct tick){ t0_s * 1000 - 100 + 100 * i, 4862 * ROW_CENTS + 30 * i };
	struct path path = path_cut(ticks, t0_s % 3 ? 52 : 10, t0_s, COLUMN_S, 3000);
	int r = slice ? settle_one_slice(w, &rules, &path, t0_s * 1000 + 6000, &one, &got, NULL, NULL) :
			settle_column(w, &rules, &path, t0_s * 1000 + 6000, &got, NULL, NULL);
	assert_int_equal(r, slice ? SETTLE_E_MORE : 0);
}

/* Something of everything; the last column stays in the middle of its settlement, some bets stay open. */
static void a_week_of_life(struct week *w, int nth, int64_t now_ms)
{
	struct account a;
	int64_t t0_s = now_ms / 1000 / COLUMN_S * COLUMN_S + 20;
	struct store *db = books_begin(w);
	for (int i = 1; i <= 3; i++)
		(void) books_account(db, 10 * nth + i, i == 3 ? 0 : 5000);
	assert_int_equal(ledger_suspend(db, 3 * nth, true), 0);
	for (int i = 1; i <= 3; i++)
		withdraw(db, 3 * nth - 2, 10 * nth + i, i > 1, i > 2, now_ms);
	for (int i = 0; i < 3; i++)
		own(db, 3 * nth - i, 10 * nth + i, now_ms);
	assert_int_equal(week_commit(w), 0);
	assert_int_equal(week_audit_log(w, "an operator", "user suspend", "a reason", now_ms), 0);
	for (int c = 0; c < 12; c++) {
		db = books_begin(w);
		for (int i = 0; i < 6 && c != 4; i++) {
			struct bet b = books_bet(3 * nth - 2 + i % 2, t0_s + COLUMN_S * c, 4860 + i, 1);
			b.placed_ms = now_ms + c;
			assert_int_equal(books_place(db, &b, &a), 0);
		}
		assert_int_equal(week_commit(w), 0);
	}
	for (int c = 0; c < 9; c++)
		settle(w, t0_s + COLUMN_S * c, c == 8);
	assert_int_equal(week_audit_log(w, "an operator", "breaker open", "", now_ms + 5), 0);
}

static void name_file(char out[160], int64_t ms)
{
	char name[WEEK_NAME_SIZE];
	week_file_name(name, clk_iso_week(ms));
	(void) snprintf(out, 160, "%s/%s", books_dir, name);
}

static sqlite3 *open_raw(const char *path, int flags)
{
	sqlite3 *db;
	assert_int_equal(sqlite3_open_v2(path, &db, flags, NULL), SQLITE_OK);
	return db;
}

static void must(sqlite3 *db, const char *sql)
{
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
}

/* Two weeks, whose WALs are in their files. */
static int set_up(void **state)
{
	struct week_rolled rolled;
	int r = books_set_up(state);
	if (r != 0)
		return r;
	const char *text = getenv("TAP_SEED");
	seed = text ? strtoull(text, NULL, 10) : (uint64_t) clk_mono_us() | 1;
	print_message("TAP_SEED=%" PRIu64 "\n", seed);
	struct week *w = books_open(STORE_WRITE);
	a_week_of_life(w, 1, NOW_MS);
	assert_int_equal(week_roll(w, NOW_MS + WEEK_MS, &rolled), 0);
	assert_true(rolled.open_bets > 0);
	a_week_of_life(w, 2, NOW_MS + WEEK_MS);
	(void) week_close(w);
	name_file(paths[0], NOW_MS);
	name_file(paths[1], NOW_MS + WEEK_MS);
	(void) snprintf(paths[2], sizeof paths[2], "%s/meta.db", books_dir);
	for (int f = 0; f < FILES; f++) {
		sqlite3 *db = open_raw(paths[f], SQLITE_OPEN_READWRITE);
		must(db, "PRAGMA wal_checkpoint(TRUNCATE)");
		(void) sqlite3_close(db);
	}
	return 0;
}

static char finding[320];

static void take_finding(void *u, const struct week_info *week, const struct integrity *found)
{
	int *n = u;
	(void) week;
	if (found->finding[0] && !finding[0])
		(void) snprintf(finding, sizeof finding, "%s", found->finding);
	++*n;
}

static bool integrity_finds(void)
{
	struct week *w = NULL;
	int weeks = 0;
	finding[0] = '\0';
	int r = week_open(&w, books_dir, STORE_READ, NOW_MS + WEEK_MS);
	if (r == 0)
		r = integrity_check_weeks(w, true, take_finding, &weeks);
	(void) week_close(w);
	err_clear();
	if (r == 0)
		assert_int_equal(weeks, 2);
	return r != 0;
}

struct tables {
	char names[NAMES_MAX][32];
	size_t n;
};

static struct tables tables_of(sqlite3 *db)
{
	struct tables t = { .n = 0 };
	sqlite3_stmt *st = NULL;
	assert_int_equal(sqlite3_prepare_v2(db, "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name", -1, &st, NULL),
			SQLITE_OK);
	while (sqlite3_step(st) == SQLITE_ROW) {
		assert_true(t.n < NAMES_MAX);
		(void) snprintf(t.names[t.n++], sizeof t.names[0], "%s", (const char *) sqlite3_column_text(st, 0));
	}
	(void) sqlite3_finalize(st);
	return t;
}

static bool say_table(struct sha256 *h, sqlite3 *db, const char *table)
{
	char sql[96];
	sqlite3_stmt *st = NULL;
	(void) snprintf(sql, sizeof sql, "SELECT * FROM %s", table);
	int rc = sqlite3_prepare_v2(db, sql, -1, &st, NULL);
	while (rc == SQLITE_OK && (rc = sqlite3_step(st)) == SQLITE_ROW) {
		for (int i = 0; i < sqlite3_column_count(st); i++) {
			sha256_add_be64(h, sqlite3_column_type(st, i));
			const void *p = sqlite3_column_blob(st, i);
			sha256_add_be64(h, sqlite3_column_bytes(st, i));
			sha256_add(h, p ? p : "", (size_t) sqlite3_column_bytes(st, i));
		}
		rc = SQLITE_OK;
	}
	(void) sqlite3_finalize(st);
	return rc == SQLITE_DONE;
}

/* All that the tables say, read past our code, to know whether a changed byte changed a row at all. */
static struct hash said(const char *path, const struct tables *tables, bool *ret_readable)
{
	struct sha256 h;
	sqlite3 *db = open_raw(path, SQLITE_OPEN_READONLY);
	sha256_start(&h);
	*ret_readable = true;
	for (size_t i = 0; *ret_readable && i < tables->n; i++)
		*ret_readable = say_table(&h, db, tables->names[i]);
	(void) sqlite3_close(db);
	return sha256_end(&h);
}

/* A table's pages, from SQLite's own accounting. */
static size_t pages_of(sqlite3 *db, const char *table, uint32_t pages[PAGES_MAX])
{
	sqlite3_stmt *st = NULL;
	size_t n = 0;
	assert_int_equal(sqlite3_prepare_v2(db, "SELECT pageno FROM dbstat WHERE name = ?1", -1, &st, NULL), SQLITE_OK);
	(void) sqlite3_bind_text(st, 1, table, -1, SQLITE_STATIC);
	while (sqlite3_step(st) == SQLITE_ROW && n < PAGES_MAX)
		pages[n++] = (uint32_t) sqlite3_column_int64(st, 0);
	(void) sqlite3_finalize(st);
	return n;
}

struct victim { /* a file, its tables and their pages */
	struct tables tables;
	uint32_t pages[NAMES_MAX][PAGES_MAX];
	size_t n_pages[NAMES_MAX];
	struct hash whole;
};

static void look_at(struct victim *v, const char *path)
{
	bool readable;
	sqlite3 *db = open_raw(path, SQLITE_OPEN_READONLY);
	v->tables = tables_of(db);
	for (size_t t = 0; t < v->tables.n; t++)
		v->n_pages[t] = pages_of(db, v->tables.names[t], v->pages[t]);
	(void) sqlite3_close(db);
	v->whole = said(path, &v->tables, &readable);
	assert_true(readable);
}

/* True: the byte was part of what the table says. */
static bool flip(const struct victim *v, const char *path, size_t table)
{
	uint8_t was, is;
	bool readable;
	off_t at = (off_t) (v->pages[table][dice(v->n_pages[table])] - 1) * 4096 + (off_t) dice(4096);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &was, 1, at), 1);
	is = (uint8_t) (was ^ (1 + dice(255)));
	assert_int_equal(pwrite(fd, &is, 1, at), 1);
	struct hash now = said(path, &v->tables, &readable);
	bool changed = !readable || memcmp(&now, &v->whole, sizeof now) != 0;
	if (changed && !integrity_finds())
		fail_msg("%s, table %s: byte %lld changed from %02x to %02x: not found", path, v->tables.names[table],
				(long long) at, was, is);
	assert_int_equal(pwrite(fd, &was, 1, at), 1);
	(void) close(fd);
	return changed;
}

/* Tables in turn, the small ones as often as the large. A table without a row has no byte that says something. */
static void a_changed_byte_is_found(void **state)
{
	(void) state;
	static struct victim victims[FILES];
	const char *flips_text = getenv("TAP_FLIPS");
	int flips = flips_text ? atoi(flips_text) : 1000, changed = 0;
	for (int f = 0; f < FILES; f++)
		look_at(&victims[f], paths[f]);
	assert_false(integrity_finds());
	while (changed < flips) {
		for (int f = 0; f < FILES && changed < flips; f++)
			for (size_t t = 0; t < victims[f].tables.n && changed < flips; t++)
				changed += flip(&victims[f], paths[f], t);
	}
	assert_false(integrity_finds());
	print_message("%d bytes changed, %d found\n", changed, changed);
}

static char *whole_file(const char *path, size_t *ret_n)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	off_t n = lseek(fd, 0, SEEK_END);
	char *bytes = malloc((size_t) n);
	assert_non_null(bytes);
	assert_int_equal(pread(fd, bytes, (size_t) n, 0), n);
	(void) close(fd);
	*ret_n = (size_t) n;
	return bytes;
}

static void put_back(const char *path, const char *bytes, size_t n)
{
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, bytes, n, 0), n);
	(void) close(fd);
}

static int drop_trigger(void *u, int n, char **values, char **names)
{
	char sql[96];
	(void) n, (void) names;
	(void) snprintf(sql, sizeof sql, "DROP TRIGGER %s", values[0]);
	must(u, sql);
	return 0;
}

/* With the shell, past all guards. Returns how many rows it changed. */
static int tamper(const char *path, const char *sql)
{
	sqlite3 *db = open_raw(path, SQLITE_OPEN_READWRITE), *names = open_raw(path, SQLITE_OPEN_READONLY);
	must(db, "PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON");
	(void) sqlite3_exec(names, "SELECT name FROM sqlite_schema WHERE type = 'trigger'", drop_trigger, db, NULL);
	(void) sqlite3_close(names);
	must(db, sql);
	int changed = sqlite3_changes(db);
	must(db, "PRAGMA wal_checkpoint(TRUNCATE)");
	(void) sqlite3_close(db);
	return changed;
}

static void tampered_is_found(const char *path, const char *sql)
{
	size_t n;
	char *bytes = whole_file(path, &n);
	if (tamper(path, sql) > 0 && !integrity_finds())
		fail_msg("%s: %s: not found", path, sql);
	put_back(path, bytes, n);
	free(bytes);
}

static void a_deleted_row_is_found(void **state)
{
	(void) state;
	for (int f = 0; f < FILES; f++) {
		sqlite3 *db = open_raw(paths[f], SQLITE_OPEN_READONLY);
		struct tables t = tables_of(db);
		(void) sqlite3_close(db);
		for (size_t i = 0; i < t.n; i++) {
			const char *key = strcmp(t.names[i], "bets") == 0 ? "(t0, low, user)" :
					strcmp(t.names[i], "external_refs") == 0 ? "(ref_id, ref_type)" : "rowid";
			char columns[32], sql[192];
			(void) snprintf(columns, sizeof columns, "%s", key[0] == '(' ? key + 1 : key);
			columns[strcspn(columns, ")")] = '\0';
			static const char *const orders[] = { "1", "1 DESC", "random()", "random()", "random()" };
			for (size_t o = 0; o < ARRAY_LEN(orders); o++) {
				(void) snprintf(sql, sizeof sql, "DELETE FROM %s WHERE %s IN (SELECT %s FROM %s ORDER BY %s LIMIT 1)",
						t.names[i], key, columns, t.names[i], orders[o]);
				tampered_is_found(paths[f], sql);
			}
		}
	}
	assert_false(integrity_finds());
}

/* A random row again, under another key. */
static void an_added_row_is_found(void **state)
{
	(void) state;
	static const struct {
		int file;
		const char *table, *change;
	} adds[] = {
		{ 1, "users", "id = (SELECT max(id) + 1 FROM users), wallet = randomblob(20), balance = 0, version = 0, last_row = 0,"
			" open_bets = 0, open_stake = 0, opened_version = 0" },
		{ 1, "transaction_ledger", "id = (SELECT max(id) + 1 FROM transaction_ledger), ref_id = ref_id || 'A'" },
		{ 1, "chain", "id = (SELECT max(id) + 1 FROM chain), first_row = (SELECT max(last_row) + 1 FROM chain),"
			" last_row = (SELECT max(last_row) FROM chain)" },
		{ 1, "bets", "low = low + 900000" },
		{ 1, "columns", "t0 = t0 + 1" },
		{ 1, "columns", "t0 = (SELECT max(t0) + 5 FROM columns), bets = 0" },
		{ 1, "settling", "t0 = (SELECT min(t0) FROM columns)" },
		{ 1, "external_refs", "ref_id = ref_id || 'A'" },
		{ 1, "withdrawals", "id = (SELECT max(id) + 1 FROM withdrawals), ref = substr(hex(randomblob(13)), 1, 26),"
			" nonce = randomblob(16)" },
		{ 1, "player_limits", "id = (SELECT max(id) + 1 FROM player_limits)" },
		{ 1, "session_keys", "id = (SELECT max(id) + 1 FROM session_keys)" },
		{ 1, "seals", "id = (SELECT max(id) + 1 FROM seals)" },
		{ 1, "anchors", "id = (SELECT max(id) + 1 FROM anchors)" },
		{ 2, "audit", "id = (SELECT max(id) + 1 FROM audit)" },
		{ 2, "weeks", "id = (SELECT max(id) + 1 FROM weeks), week = 1" },
	};
	for (size_t i = 0; i < ARRAY_LEN(adds); i++) {
		char sql[640];
		(void) snprintf(sql, sizeof sql, "CREATE TEMP TABLE x AS SELECT * FROM %s ORDER BY random() LIMIT 1; UPDATE x SET %s;"
				" INSERT INTO main.%s SELECT * FROM x; DROP TABLE x", adds[i].table, adds[i].change, adds[i].table);
		tampered_is_found(paths[adds[i].file], sql);
		if (adds[i].file == 1)
			tampered_is_found(paths[0], sql);
	}
	assert_false(integrity_finds());
}

static void a_careful_hand_is_found(void **state)
{
	(void) state;
	static const char *const of_week[] = {
		"UPDATE withdrawals SET status = 2, decided_at = requested_at + 1 WHERE status = 1",
		"UPDATE withdrawals SET status = 3 WHERE status = 2",
		"UPDATE withdrawals SET amount = amount + 1 WHERE status = 2",
		"UPDATE withdrawals SET user = user + 1 WHERE status = 2",
		"UPDATE columns SET status = 3 - status WHERE bets = 0",
		"UPDATE columns SET settled_at = settled_at + 1 WHERE bets = 0",
		"UPDATE users SET suspended = 1 - suspended WHERE id = 1",
		"UPDATE session_keys SET player_open = player_open + 1 WHERE id = 1",
		"UPDATE player_limits SET starts = starts + 1 WHERE id = (SELECT max(id) FROM player_limits)",
		"UPDATE book SET settled_until = settled_until - 1",
		"DELETE FROM seals WHERE id > (SELECT max(id) - 3 FROM seals)",
		"DELETE FROM seals WHERE id > 0",
		"DELETE FROM seals",
	};
	static const char *const of_meta[] = {
		"DELETE FROM audit WHERE id > (SELECT max(id) - 2 FROM audit)",
		"DELETE FROM audit",
		"UPDATE weeks SET opened_at = opened_at + 1 WHERE id = 1",
		"UPDATE weeks SET closed_at = closed_at + 1 WHERE id = 1",
	};
	for (size_t i = 0; i < ARRAY_LEN(of_week); i++)
		tampered_is_found(paths[1], of_week[i]);
	for (size_t i = 0; i < ARRAY_LEN(of_meta); i++)
		tampered_is_found(paths[2], of_meta[i]);
	assert_false(integrity_finds());
}

/* A file that comes from before the seals is sealed by the next commit of that kind; until then it is not wrong. */
static void an_older_file_is_sealed_by_its_next_commit(void **state)
{
	(void) state;
	struct account a;
	struct wallet wallet = books_wallet(99);
	struct week *w = NULL;
	assert_int_equal(week_open(&w, books_dir, STORE_WRITE, NOW_MS + WEEK_MS), 0);
	int version = store_version(week_store(w));
	for (int round = 0; round < 2; round++) {
		assert_int_equal(store_migrate(week_store(w), 4), 0);
		assert_int_equal(store_migrate(week_store(w), version), 0);
		assert_false(integrity_finds());
	}
	struct store *db = books_begin(w);
	assert_int_equal(ledger_account_open(db, &wallet, NOW_MS + WEEK_MS, &a), 0);
	assert_int_equal(week_commit(w), 0);
	assert_int_equal(store_checkpoint(week_store(w), 1), 0);
	(void) week_close(w);
	assert_false(integrity_finds());
	tampered_is_found(paths[1], "UPDATE users SET suspended = 1 - suspended WHERE id = 1");
	tampered_is_found(paths[1], "UPDATE columns SET settled_at = settled_at + 1");
	assert_false(integrity_finds());
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, books_tear_down)
	const struct CMUnitTest tests[] = {
		CASE(a_changed_byte_is_found),
		CASE(a_deleted_row_is_found),
		CASE(an_added_row_is_found),
		CASE(a_careful_hand_is_found),
		CASE(an_older_file_is_sealed_by_its_next_commit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
