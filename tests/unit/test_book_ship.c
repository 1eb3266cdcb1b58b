/* A book told commit by commit and made again from the bytes is the same book, row by row of every table: over random operations,
 * spans cut anywhere, snapshots from the middle, spans told and made twice. TAP_SHIP_OPS and TAP_SHIP_SEED change the run. */
#include "books.h"

#include <inttypes.h>

#include "book_quotes.h"
#include "book_ship.h"
#include "clk.h"
#include "err.h"
#include "limits_book.h"
#include "schema.h"
#include "session_keys.h"
#include "settle.h"
#include "withdraw.h"

enum { USERS = 24, ROWS = 8, TICKS = 51, FIRST_ROW = 4868, OPS_PRESET = 1500 };
static const struct settings rules = { .column_s = COLUMN_S, .row_cents = ROW_CENTS, .max_tick_gap_ms = 3000 };

static uint64_t seed;
static int64_t done, users, next_t0_s, serial;
static char copy_dir[64];

static uint64_t draw(uint64_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed % below;
}

static int64_t any_user(void)
{
	return 1 + (int64_t) draw((uint64_t) users);
}

/* ---- operations, each a commit as the product makes it */

static void open_in(struct store *db, bool credit)
{
	if (users < USERS)
		users++;
	else
		credit = false;
	struct account a;
	struct wallet wallet = books_wallet((int) users);
	char ref[32];
	int r = ledger_account_open(db, &wallet, NOW_MS + done, &a);
	(void) snprintf(ref, sizeof ref, "welcome-%" PRId64, a.user);
	if (r == 0 && credit)
		assert_int_equal(ledger_post(db, &(struct posting){ .user = a.user, .amount = { 1000 * MICROS_PER_USD },
				.ref_type = LEDGER_DEPOSIT, .ref_id = ref, .at_ms = NOW_MS + done }, &a), 0);
}

static void key_in(struct store *db)
{
	struct account a;
	struct session_key k;
	struct wallet key = books_wallet(100 + (int) draw(5));
	assert_int_equal(ledger_account_by_id(db, any_user(), &a), 0);
	assert_int_equal(session_keys_put(db, &a, &key, &(struct key_caps){ money_of((int64_t) draw(1000)), money_of(5000) },
			NOW_MS + done, NOW_MS + done + (int64_t) draw(5000), &k), 0);
}

static void limit_in(struct store *db)
{
	struct account a;
	struct limits l;
	assert_int_equal(ledger_account_by_id(db, any_user(), &a), 0);
	int r = limits_change(db, &a, &(struct limit_wish){ LIMIT_OPEN, (int64_t) draw(5000) * MICROS_PER_USD }, 1, "player",
			NOW_MS + done, &l);
	assert_true(r == 0 || r == LIMITS_BOOK_E_OFTEN);
}

static void bets_in(struct store *db, int64_t n)
{
	char made[8] = "quote";
	assert_int_equal(book_put_quote(db, NOW_MS + done, NOW_MS + done, made, sizeof made), 0);
	for (; n > 0; n--) {
		struct account a;
		int64_t user = any_user();
		struct bet b = books_bet(user, next_t0_s + COLUMN_S * (int64_t) draw(4), FIRST_ROW + (int64_t) draw(ROWS),
				1 + (int64_t) draw(5));
		b.placed_ms = NOW_MS + done;
		assert_int_equal(ledger_account_by_id(db, user, &a), 0);
		if (a.suspended || a.balance.micros < b.stake.micros || book_may_put(db, user, &b.cell) != 0)
			continue;
		b.signer = a.keys_row;
		assert_int_equal(books_place(db, &b, &a), 0);
	}
}

static void withdrawal_in(struct store *db)
{
	struct account a;
	struct withdrawal made;
	struct withdraw asked = { .amount = money_of(MICROS_PER_USD + (int64_t) draw(1000)), .to = books_wallet(9),
		.timestamp_s = NOW_MS / 1000 + done, .nonce = { (uint8_t) serial, (uint8_t) (serial >> 8), 7 } };
	serial++;
	wallet_format(asked.to_text, &asked.to);
	int r = withdraw_request(db, any_user(), &asked, NOW_MS + done, &made, &a);
	assert_true(r == 0 || r == WITHDRAW_E_FUNDS || r == WITHDRAW_E_SUSPENDED);
}

static bool first_open(void *u, const struct withdrawal *w)
{
	*(struct ulid *) u = w->id;
	return false;
}

static void decide_in(struct store *db)
{
	struct ulid id;
	struct withdrawal w;
	struct account a;
	bool more, changed;
	memset(&id, 0, sizeof id);
	assert_int_equal(withdraw_list(db, &(struct withdraw_query){ .to_ms = INT64_MAX, .state = WITHDRAW_REQUESTED, .limit = 1 },
			first_open, &id, &more), 0);
	int r = withdraw_decide(db, &id, draw(2), NOW_MS + done, &w, &a, &changed);
	assert_true(r == 0 || r == WITHDRAW_E_ABSENT);
}

/* The intake's batch: sign-ins, keys, limits, withdrawals and bets in one commit. */
static void batch(struct store *db)
{
	int64_t bets = 1 + (int64_t) draw(30);
	if (draw(4) == 0)
		open_in(db, draw(2));
	if (draw(4) == 0)
		key_in(db);
	if (draw(8) == 0)
		limit_in(db);
	if (draw(8) == 0)
		open_in(db, true);
	if (draw(6) == 0)
		withdrawal_in(db);
	bets_in(db, bets);
}

static void operators(struct store *db)
{
	struct account a;
	char ref[32];
	switch (draw(4)) {
	case 0:
		assert_int_equal(ledger_suspend(db, any_user(), draw(3) == 0), 0);
		break;
	case 1:
		(void) snprintf(ref, sizeof ref, "gift-%" PRId64, ++serial);
		assert_int_equal(ledger_post(db, &(struct posting){ .user = any_user(), .amount = { 1 + (int64_t) draw(50000000) },
				.ref_type = LEDGER_ADJUSTMENT, .ref_id = ref, .at_ms = NOW_MS + done }, &a), 0);
		break;
	case 2:
		decide_in(db);
		break;
	default:
		open_in(db, false);
	}
}

static struct path path_of(struct tick ticks[TICKS], int64_t t0_s)
{
	int64_t p = (FIRST_ROW - 2) * ROW_CENTS + (int64_t) draw((ROWS + 3) * ROW_CENTS);
	for (int i = 0; i < TICKS; i++, p += (int64_t) draw(401) - 200)
		ticks[i] = (struct tick){ t0_s * 1000 - 100 + 100 * i, p };
	return path_cut(ticks, draw(6) == 0 ? 3 : TICKS, t0_s, COLUMN_S, 3000);
}

/* Slice by slice, with bets on other columns between them, so that a mark is often open where a span ends. */
static void settle(struct week *w)
{
	struct tick ticks[TICKS];
	struct path path = path_of(ticks, next_t0_s);
	struct settle_slice slice = { .bets = 1 + draw(9), .us = INT64_MAX };
	struct settle_result result;
	int64_t t0_s = next_t0_s;
	int r;
	next_t0_s += COLUMN_S;
	while ((r = settle_one_slice(w, &rules, &path, t0_s * 1000 + 6000 + done, &slice, &result, NULL, NULL)) == SETTLE_E_MORE) {
		slice.bets = 1 + draw(9);
		if (draw(3) == 0) {
			struct store *db = books_begin(w);
			bets_in(db, 4);
			assert_int_equal(week_commit(w), 0);
		}
		if (draw(40) == 0)
			return; /* a crash: another goes on later */
	}
	assert_int_equal(r, 0);
}

static void go_on(struct week *w)
{
	struct settle_result result;
	int64_t t0_s;
	struct store *db = books_begin(w);
	int r = book_oldest_open(db, next_t0_s - COLUMN_S, &t0_s);
	week_rollback(w);
	if (r == 0)
		assert_int_equal(settle_go_on(w, &rules, t0_s, t0_s * 1000 + 9000, &result, NULL, NULL), 0);
}

static void one_operation(struct week *w)
{
	uint64_t what = draw(100);
	done++;
	if (what < 12) {
		settle(w);
	} else if (what < 14) {
		go_on(w);
	} else if (what < 16) {
		assert_int_equal(week_audit_log(w, "operator", "suspend", "a test", NOW_MS + done), 0);
	} else {
		struct store *db = books_begin(w);
		if (what < 26)
			operators(db);
		else
			batch(db);
		assert_int_equal(week_commit(w), 0);
	}
}

/* ---- comparing */

static const struct {
	const char *name, *sql;
	int columns;
} tables[] = {
	{ "book", "SELECT * FROM book", 6 },
	{ "users", "SELECT * FROM users ORDER BY id", 12 },
	{ "transaction_ledger", "SELECT * FROM transaction_ledger ORDER BY id", 8 },
	{ "external_refs", "SELECT * FROM external_refs ORDER BY ref_id, ref_type", 5 },
	{ "chain", "SELECT * FROM chain ORDER BY id", 4 },
	{ "bets", "SELECT * FROM bets ORDER BY t0, low, user", 13 },
	{ "columns", "SELECT * FROM columns ORDER BY t0", 12 },
	{ "withdrawals", "SELECT * FROM withdrawals ORDER BY id", 10 },
	{ "settling", "SELECT * FROM settling ORDER BY t0", 4 },
	{ "player_limits", "SELECT * FROM player_limits ORDER BY id", 8 },
	{ "session_keys", "SELECT * FROM session_keys ORDER BY id", 6 },
	{ "seals", "SELECT * FROM seals ORDER BY id", 5 },
	{ "anchors", "SELECT * FROM anchors ORDER BY id", 2 },
	{ "quotes", "SELECT * FROM quotes ORDER BY id", 3 },
};

static void same_value(struct stmt *a, struct stmt *b, int column, const char *table, int64_t row)
{
	size_t n = 0, m = 0;
	enum stmt_type type = stmt_col_type(a, column);
	bool same = type == stmt_col_type(b, column);
	if (same && type == STMT_INT) {
		same = stmt_col_int(a, column) == stmt_col_int(b, column);
	} else if (same && type != STMT_NULL) {
		const void *p = type == STMT_TEXT ? stmt_col_text(a, column, &n) : stmt_col_blob(a, column, &n);
		const void *q = type == STMT_TEXT ? stmt_col_text(b, column, &m) : stmt_col_blob(b, column, &m);
		same = n == m && (n == 0 || memcmp(p, q, n) == 0);
	}
	if (!same)
		fail_msg("%s: row %" PRId64 ", column %d differs", table, row, column);
}

/* Both in a transaction. The number of tables is the schema's: one that is new is not forgotten here. */
static int64_t same_books(struct store *a, struct store *b)
{
	int64_t rows = 0;
	struct stmt *count = store_stmt(a, "SELECT count(*) FROM sqlite_schema WHERE type = 'table'");
	assert_int_equal(stmt_step(count), STMT_ROW);
	assert_int_equal(stmt_col_int(count, 0), ARRAY_LEN(tables));
	stmt_reset(count);
	for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
		struct stmt *x = store_stmt(a, tables[i].sql), *y = store_stmt(b, tables[i].sql);
		for (int64_t row = 1;; row++) {
			int r = stmt_step(x), s = stmt_step(y);
			if (r != s)
				fail_msg("%s: only one book has row %" PRId64, tables[i].name, row);
			assert_true(r >= 0);
			if (r == STMT_DONE)
				break;
			for (int c = 0; c < tables[i].columns; c++)
				same_value(x, y, c, tables[i].name, row);
			rows++;
		}
	}
	return rows;
}

/* ---- telling and making */

struct span {
	struct book_pos from, to;
	struct buf bytes;
};

static struct span tell(struct store *db, const struct book_pos *from, int64_t rows_max, bool *ret_more)
{
	struct span s = { .from = *from, .bytes = BUF_INIT(BOOK_SHIP_BYTES_MAX) };
	struct book_span told, read;
	int r = book_tell(db, from, rows_max, &s.bytes, &s.to, &told, ret_more);
	if (r != 0)
		fail_msg("telling: %d %s", r, err_text());
	r = book_span_read(s.bytes.p, s.bytes.n, &read);
	if (r != 0)
		fail_msg("reading: %d %s", r, err_text());
	assert_memory_equal(&told, &read, sizeof told);
	return s;
}

static int make(struct week *w, const struct span *s)
{
	struct store *db = books_begin(w);
	int r = book_make_again(db, &rules, &s->from, &s->to, s->bytes.p, s->bytes.n);
	if (r == 0)
		return week_commit(w);
	week_rollback(w);
	return r;
}

static void must_make(struct week *w, const struct span *s)
{
	int r = make(w, s);
	if (r != 0)
		fail_msg("making: %d %s", r, err_text());
}

static struct week *open_copy(void)
{
	struct week *w = NULL;
	assert_int_equal(week_open(&w, copy_dir, STORE_WRITE, NOW_MS), 0);
	return w;
}

static void follow(struct store *db, struct week *copy, struct book_pos *at, int64_t rows_max)
{
	bool more = true;
	while (more) {
		struct span s = tell(db, at, rows_max, &more), again = tell(db, at, rows_max, &more);
		assert_int_equal(s.bytes.n, again.bytes.n);
		assert_memory_equal(s.bytes.p, again.bytes.p, s.bytes.n);
		must_make(copy, &s);
		if (draw(4) == 0)
			must_make(copy, &s);
		*at = s.to;
		buf_free(&s.bytes);
		buf_free(&again.bytes);
	}
}

static struct book_pos start_of(struct store *db)
{
	struct book_pos pos;
	assert_int_equal(book_pos_start(db, &pos), 0);
	return pos;
}

static void begin_run(void)
{
	const char *given = getenv("TAP_SHIP_SEED");
	seed = given ? strtoull(given, NULL, 10) : (uint64_t) clk_mono_us() * 2654435761u | 1;
	print_message("TAP_SHIP_SEED=%" PRIu64 "\n", seed);
	done = users = serial = 0;
	next_t0_s = T0_S;
}

static int64_t ops(void)
{
	const char *given = getenv("TAP_SHIP_OPS");
	return given ? strtoll(given, NULL, 10) : OPS_PRESET;
}

static void prepare(struct week *w)
{
	struct store *db = books_begin(w);
	for (int i = 0; i < 4; i++)
		open_in(db, true);
	assert_int_equal(week_commit(w), 0);
}

static void what_is_told_is_made_again(void **state)
{
	(void) state;
	begin_run();
	struct week *w = books_open(STORE_WRITE), *copy = open_copy();
	struct store *db = books_begin(w);
	struct book_pos at = start_of(db);
	week_rollback(w);
	prepare(w);
	for (int64_t n = 0; n < ops(); n++) {
		one_operation(w);
		if (draw(10) == 0) {
			db = books_begin(w);
			follow(db, copy, &at, 1 + (int64_t) draw(200));
			week_rollback(w);
		}
	}
	go_on(w);
	db = books_begin(w);
	follow(db, copy, &at, 100);
	struct store *made = books_begin(copy);
	int64_t rows = same_books(db, made);
	assert_true(rows > ops());
	struct book_pos end;
	assert_int_equal(book_pos_end(made, &end), 0);
	assert_memory_equal(&end, &at, sizeof end);
	week_rollback(copy);
	week_rollback(w);
	assert_int_equal(books_audit(copy, true), 0);
	(void) week_close(copy);
	(void) week_close(w);
}

/* Spans that begin before the snapshot was made, as they come in when it was made while others were told. */
static void a_snapshot_goes_on_from_its_middle(void **state)
{
	(void) state;
	begin_run();
	struct week *w = books_open(STORE_WRITE);
	struct span spans[64];
	size_t n = 0, from = 0;
	bool more;
	struct store *db = books_begin(w);
	struct book_pos at = start_of(db);
	week_rollback(w);
	prepare(w);
	for (; n < ARRAY_LEN(spans); n++) {
		int64_t some = 1 + (int64_t) draw((uint64_t) ops() / 60 + 1);
		for (int64_t i = 0; i < some; i++) {
			one_operation(w);
			if (n == 30 && i == some / 2) {
				char path[128], name[WEEK_NAME_SIZE];
				struct store *meta = NULL;
				week_file_name(name, week_current(w));
				(void) snprintf(path, sizeof path, "%s/%s", copy_dir, name);
				assert_int_equal(store_copy_to(week_store(w), path), 0);
				(void) snprintf(path, sizeof path, "%s/meta.db", books_dir);
				assert_int_equal(store_open(&meta, path, STORE_READ, &schema_meta), 0);
				(void) snprintf(path, sizeof path, "%s/meta.db", copy_dir);
				assert_int_equal(store_copy_to(meta, path), 0);
				meta = store_close(meta);
				from = draw(20);
			}
		}
		db = books_begin(w);
		spans[n] = tell(db, &at, INT64_MAX, &more);
		at = spans[n].to;
		week_rollback(w);
	}
	struct week *copy = open_copy();
	for (size_t i = from; i < n; i++)
		must_make(copy, &spans[i]);
	struct store *made = books_begin(copy);
	db = books_begin(w);
	assert_true(same_books(db, made) > 0);
	week_rollback(w);
	week_rollback(copy);
	assert_int_equal(books_audit(copy, true), 0);
	for (size_t i = 0; i < n; i++)
		buf_free(&spans[i].bytes);
	(void) week_close(copy);
	(void) week_close(w);
}

/* A span over a book that it does not follow, or with an end that it does not come to, changes nothing. */
static void another_book_is_refused(void **state)
{
	(void) state;
	begin_run();
	struct week *w = books_open(STORE_WRITE), *copy = open_copy();
	bool more;
	prepare(w);
	for (int i = 0; i < 40; i++)
		one_operation(w);
	struct store *db = books_begin(w);
	struct book_pos start = start_of(db);
	struct span first = tell(db, &start, 20, &more);
	assert_true(more);
	struct span second = tell(db, &first.to, 20, &more);
	week_rollback(w);
	assert_int_equal(make(copy, &second), BOOK_SHIP_E_OTHER);
	assert_non_null(strstr(err_text(), "the book has no commit"));
	struct span wrong = first;
	wrong.to.chain_hash.b[0] ^= 1;
	assert_int_equal(make(copy, &wrong), BOOK_SHIP_E_OTHER);
	wrong = first;
	wrong.to.chain++;
	assert_int_equal(make(copy, &wrong), -EBADMSG);
	db = books_begin(copy);
	struct book_pos end;
	assert_int_equal(book_pos_end(db, &end), 0);
	assert_int_equal(end.chain, 0);
	week_rollback(copy);
	must_make(copy, &first);
	must_make(copy, &second);
	buf_free(&first.bytes);
	buf_free(&second.bytes);
	(void) week_close(copy);
	(void) week_close(w);
}

/* Cut anywhere, or with any byte changed, the bytes are refused or read as something; they never lead beyond themselves. */
static void damaged_bytes_are_read_safely(void **state)
{
	(void) state;
	begin_run();
	struct week *w = books_open(STORE_WRITE);
	bool more;
	prepare(w);
	for (int i = 0; i < 30; i++)
		one_operation(w);
	struct store *db = books_begin(w);
	struct book_pos start = start_of(db);
	struct span s = tell(db, &start, INT64_MAX, &more);
	week_rollback(w);
	size_t refused = 0;
	for (size_t n = 0; n < s.bytes.n; n++) {
		struct book_span read;
		char *cut = malloc(n ? n : 1); /* its end is its own: a read beyond it is seen */
		memcpy(cut, s.bytes.p, n);
		assert_int_equal(book_span_read(cut, n, &read), -EBADMSG);
		free(cut);
		s.bytes.p[n] = (char) (s.bytes.p[n] ^ 1 << draw(8));
		refused += book_span_read(s.bytes.p, s.bytes.n, &read) != 0;
	}
	assert_true(refused > 0);
	buf_free(&s.bytes);
	(void) week_close(w);
}

static int set_up(void **state)
{
	(void) snprintf(copy_dir, sizeof copy_dir, "%s/tap-books-copy-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	return mkdtemp(copy_dir) ? books_set_up(state) : -1;
}

static int tear_down(void **state)
{
	return folder_remove(copy_dir) | books_tear_down(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_is_told_is_made_again, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_snapshot_goes_on_from_its_middle, set_up, tear_down),
		cmocka_unit_test_setup_teardown(another_book_is_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(damaged_bytes_are_read_safely, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
