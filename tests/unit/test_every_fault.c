/* Each operation of ledger, book, week and settle, with each fault that it can meet: the n-th statement fails or finds the disk
 * full, the n-th commit, gate, allocation or call on a file fails, once or from then on, for each n until none is left. Each time
 * the operation says so, the books are whole and say what they said before (or, of several commits, what the last one left), and
 * the next try without a fault does it. TAP_EVERY_FAULT: each n once and from then on, not in turns. */
#include "books.h"

#include "clk.h"
#include "err.h"
#include "fault.h"
#include "limits_book.h"
#include "schema.h"
#include "session_keys.h"
#include "settle.h"
#include "withdraw.h"

#include "../support/thin_libc.h"

enum { TICKS = 51, NO_MEMORY = FAULT_KINDS, NO_FILES };
static const int64_t WEEK_MS = INT64_C(7) * 86400000;
static const struct settings rules = { .column_s = COLUMN_S, .row_cents = ROW_CENTS, .max_tick_gap_ms = 3000 };
static const int64_t ROW = 4871;

static struct {
	struct week *w;
	int64_t t0_s;    /* a column for each try */
	int64_t now_ms;
	int serial;
	struct tick ticks[TICKS];
	struct path path;
} stage;

static struct path path_at(int64_t t0_s, int64_t row)
{
	for (int i = 0; i < TICKS; i++)
		stage.ticks[i] = (struct tick){ t0_s * 1000 - 100 + 100 * i, row * ROW_CENTS + 5 + 37 * i };
	return path_cut(stage.ticks, TICKS, t0_s, COLUMN_S, 3000);
}

static int place(struct store *db, int64_t user, int64_t t0_s, int64_t row)
{
	struct account a;
	struct bet b = books_bet(user, t0_s, row, 5);
	b.placed_ms = t0_s * 1000 - 12000;
	return books_place(db, &b, &a);
}

static void place_three(int64_t t0_s)
{
	struct store *db = books_begin(stage.w);
	for (int64_t user = 1; user <= 3; user++)
		assert_int_equal(place(db, user, t0_s, ROW + user - 1), 0);
	assert_int_equal(week_commit(stage.w), 0);
}

static void settle_some(int64_t t0_s, size_t slices, bool is_void)
{
	static const struct settle_slice one = { .bets = 1, .us = INT64_MAX };
	struct settle_result got;
	struct path path = is_void ? path_cut(NULL, 0, t0_s, COLUMN_S, 3000) : path_at(t0_s, ROW);
	for (size_t i = 0; i < slices; i++)
		if (settle_one_slice(stage.w, &rules, &path, t0_s * 1000 + 6000, &one, &got, NULL, NULL) < 0)
			fail_msg("%s", err_text());
}

static void withdrawn(int64_t user, uint8_t nonce)
{
	struct store *db = books_begin(stage.w);
	struct withdraw request = { .amount = money_of(MICROS_PER_USD), .to = books_wallet(77), .timestamp_s = NOW_MS / 1000,
		.nonce = { nonce } };
	struct withdrawal got;
	struct account a;
	wallet_format(request.to_text, &request.to);
	assert_int_equal(withdraw_request(db, user, &request, NOW_MS, &got, &a), 0);
	assert_int_equal(week_commit(stage.w), 0);
}

static void allowed(int64_t user)
{
	struct limits limits;
	struct session_key key;
	struct account a;
	struct wallet address = books_wallet(50);
	struct store *db = books_begin(stage.w);
	assert_int_equal(ledger_account_by_id(db, user, &a), 0);
	assert_int_equal(limits_change(db, &a, &(struct limit_wish){ LIMIT_OPEN, (1000 - ++stage.serial) * MICROS_PER_USD }, 1,
			"player", stage.now_ms, &limits), 0);
	assert_int_equal(session_keys_put(db, &a, &address, &(struct key_caps){ money_of(1), money_of(1) }, stage.now_ms,
			stage.now_ms + 3 * WEEK_MS, &key), 0);
	assert_int_equal(week_commit(stage.w), 0);
}

/* Two weeks that are over and one that goes on, with a bit of everything in each. */
static void live_a_week(int64_t t0_s, bool first)
{
	place_three(t0_s);
	place_three(t0_s + 5);
	place_three(t0_s + 10);
	settle_some(t0_s, 3, false);
	settle_some(t0_s + 5, 3, true);
	settle_some(t0_s + 10, first ? 3 : 1, false); /* the rest in the week after */
	withdrawn(2, (uint8_t) (t0_s / 7 % 250));
	allowed(3);
}

static int set_up(void **state)
{
	struct week_rolled rolled;
	if (books_set_up(state) < 0)
		return -1;
	stage.w = books_open(STORE_WRITE);
	struct store *db = books_begin(stage.w);
	for (int i = 1; i <= 3; i++)
		(void) books_account(db, i, 1000000);
	(void) books_account(db, 4, 0);
	assert_int_equal(week_commit(stage.w), 0);
	(void) store_checkpointer(week_store(stage.w));
	stage.t0_s = T0_S;
	stage.now_ms = NOW_MS;
	for (int week = 0; week < 3; week++) {
		if (week > 0) {
			stage.now_ms += WEEK_MS;
			stage.t0_s += WEEK_MS / 1000;
			assert_int_equal(week_roll(stage.w, stage.now_ms, &rolled), 0);
		}
		live_a_week(stage.t0_s, week == 0);
	}
	stage.t0_s += 600;
	return 0;
}

static int tear_down(void **state)
{
	stage.w = week_close(stage.w);
	return books_tear_down(state);
}

struct sums {
	int64_t balance, seq, bets, open, rows, columns;
};

static struct sums sums_now(void)
{
	struct sums s;
	struct store *db = books_begin(stage.w);
	struct stmt *st = store_stmt(db, "SELECT (SELECT sum(balance) FROM users), (SELECT sum(version) FROM users),"
			" (SELECT count(*) FROM bets), (SELECT sum(open_bets) FROM users), (SELECT count(*) FROM transaction_ledger),"
			" (SELECT count(*) FROM columns)");
	assert_int_equal(stmt_step(st), STMT_ROW);
	s = (struct sums){ stmt_col_int(st, 0), stmt_col_int(st, 1), stmt_col_int(st, 2), stmt_col_int(st, 3), stmt_col_int(st, 4),
		stmt_col_int(st, 5) };
	week_rollback(stage.w);
	return s;
}

/* An operation: prepare sets the stage, run meets the fault. */
struct operation {
	const char *name;
	void (*prepare)(void);
	int (*run)(void);
	bool commits;       /* several times or once: what was committed stays */
	bool lives_with_it; /* a part may fail without the whole */
};

static void arm(int kind, int nth, bool sticky)
{
	if (kind < FAULT_KINDS)
		fault_arm((enum fault_kind) kind, nth, sticky);
	else
		thin_arm(kind == NO_MEMORY ? THIN_MEMORY : THIN_FILES, nth, sticky);
}

static bool disarm(int kind)
{
	return kind < FAULT_KINDS ? fault_disarm((enum fault_kind) kind) :
			thin_disarm(kind == NO_MEMORY ? THIN_MEMORY : THIN_FILES);
}

/* Nothing of the past stays open, so that each try opens it. */
static void reopen(void)
{
	stage.w = week_close(stage.w);
	assert_int_equal(week_open(&stage.w, books_dir, STORE_WRITE, stage.now_ms), 0);
	(void) store_checkpointer(week_store(stage.w));
}

static void try_with(const struct operation *op, int kind, int nth, bool sticky, bool *ret_fired)
{
	struct sums before = { 0 };
	if (op->prepare)
		op->prepare();
	if (!op->commits)
		before = sums_now();
	arm(kind, nth, sticky);
	int r = op->run();
	*ret_fired = disarm(kind);
	if (*ret_fired ? r == 0 && !op->lives_with_it : r != 0)
		fail_msg("%s: fault %d of kind %d%s: %d %s", op->name, nth, kind, sticky ? " and on" : "", r, err_text());
	err_clear();
	if (op->commits) { /* after such an error the process ends, and the next one opens what the disk holds */
		reopen();
		if ((!*ret_fired || nth % 4 == 0) && books_audit(stage.w, true) != 0)
			fail_msg("%s: fault %d of kind %d%s leaves no whole books", op->name, nth, kind, sticky ? " and on" : "");
	} else {
		struct sums after = sums_now();
		assert_memory_equal(&after, &before, sizeof after);
	}
}

static void each_fault_of(const struct operation *ops, size_t n)
{
	static const int kinds[] = { FAULT_STORE_STEP, FAULT_STORE_FULL, FAULT_STORE_COMMIT, FAULT_GATE, NO_MEMORY, NO_FILES };
	const bool twice = getenv("TAP_EVERY_FAULT") != NULL;
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
			bool fired = true;
			for (int nth = 1; fired; nth += kinds[k] == FAULT_STORE_FULL && nth > 20 && !twice ? 5 : 1) {
				try_with(&ops[i], kinds[k], nth, nth & 1, &fired);
				if (fired && (twice || kinds[k] >= FAULT_KINDS))
					try_with(&ops[i], kinds[k], nth, !(nth & 1), &fired);
			}
		}
	}
}

/* What is read. */

static int in_transaction(int (*ask)(struct store *db))
{
	struct store *db;
	int r = week_begin(stage.w, &db);
	if (r == 0)
		r = ask(db);
	week_rollback(stage.w);
	return r;
}

static bool any_account(void *u, const struct account *a)
{
	(void) u, (void) a;
	return true;
}

static bool any_entry(void *u, const struct entry *e)
{
	(void) u, (void) e;
	return true;
}

static bool any_bet(void *u, const struct bet *b, int64_t row)
{
	(void) u, (void) b, (void) row;
	return true;
}

static bool any_column(void *u, const struct column *c)
{
	(void) u, (void) c;
	return true;
}

static bool any_week(void *u, const struct week_info *info)
{
	(void) u, (void) info;
	return true;
}

static bool any_quote(void *u, const struct quote_made *made)
{
	(void) u, (void) made;
	return true;
}

static struct ulid id_of_bet(int64_t user, int64_t t0_s)
{
	struct ulid id;
	assert_true(bet_id(&id, &(struct bet_key){ t0_s * 1000 - 12000, t0_s, (ROW + user - 1) * ROW_CENTS, user }));
	return id;
}

static int ask_accounts(struct store *db)
{
	struct account a;
	struct wallet one = books_wallet(1);
	int r = ledger_account(db, &one, &a);
	if (r == 0)
		r = ledger_account_by_id(db, 2, &a);
	if (r == 0)
		r = ledger_account_open(db, &one, NOW_MS, &a) == LEDGER_E_EXISTS ? 0 : -EIO;
	return r == 0 ? ledger_accounts(db, any_account, NULL) : r;
}

static int ask_entries(struct store *db)
{
	struct ledger_query q = { .user = 1, .to_ms = INT64_MAX, .limit = 50 };
	bool more;
	char name[ULID_TEXT_SIZE];
	struct ulid id = id_of_bet(1, stage.t0_s - 600);
	ulid_format(name, &id);
	int r = ledger_list(db, &q, any_entry, NULL, &more);
	q.before_row = 6; /* another's row, so that the walk looks for it */
	if (r == 0)
		r = ledger_list(db, &q, any_entry, NULL, &more);
	q.before_row = 0;
	q.ref_id = name;
	return r == 0 ? ledger_list(db, &q, any_entry, NULL, &more) : r;
}

static int ask_bets(struct store *db)
{
	struct bet_query q = { .user = 2, .to_ms = INT64_MAX, .limit = 50, .row_cents = ROW_CENTS };
	struct bet b;
	bool more;
	int64_t n;
	struct ulid id = id_of_bet(2, stage.t0_s - 600);
	int r = book_bets(db, &q, any_bet, NULL, &more);
	if (r == 0)
		r = book_bet_by_id(db, &id, ROW_CENTS, &b);
	if (r == 0)
		r = book_open_bets(db, ROW_CENTS, any_bet, NULL);
	if (r == 0)
		r = book_count_open(db, stage.t0_s - 600, &n);
	if (r == 0)
		r = book_column_bets(db, stage.t0_s - 590, ROW_CENTS, -1, 0, 10, any_bet, NULL);
	return r == 0 ? book_column_all(db, stage.t0_s - 600, ROW_CENTS, any_bet, NULL) : r;
}

static int ask_columns(struct store *db)
{
	struct tick ticks[64];
	struct column c;
	struct settling at;
	int64_t t0;
	size_t n;
	int r = book_column(db, stage.t0_s - 600, &c);
	if (r == 0)
		r = book_columns(db, 0, INT64_MAX, any_column, NULL);
	if (r == 0)
		r = book_evidence(db, stage.t0_s - 600, ticks, ARRAY_LEN(ticks), &n);
	if (r == 0)
		r = book_last_column(db, &t0);
	if (r == 0)
		r = book_oldest_open(db, INT64_MAX, &t0);
	return r == 0 ? book_settling(db, stage.t0_s - 590, &at) : r;
}

static int ask_audits(struct store *db)
{
	struct ledger_audit la;
	struct book_audit ba;
	int r = ledger_audit(db, &la);
	return r == 0 ? book_audit(db, &ba) : r;
}

static int ask_verdicts(struct store *db)
{
	char text[256];
	int r = settle_verify(db, &rules, stage.t0_s - 595, text, sizeof text);
	return r == 0 ? settle_verify(db, &rules, stage.t0_s - 590, text, sizeof text) : r;
}

static int ask_history(struct store *db)
{
	struct bet_query q = { .user = 3, .to_ms = INT64_MAX, .limit = 50, .row_cents = ROW_CENTS };
	struct ledger_query lq = { .user = 3, .to_ms = INT64_MAX, .limit = 50 };
	struct week_missing missing;
	struct bet b;
	bool more;
	struct ulid id = id_of_bet(3, T0_S + 10);
	(void) db;
	int r = week_list(stage.w, any_week, NULL);
	if (r == 0)
		r = week_bets(stage.w, &q, any_bet, NULL, &more, &missing);
	if (r == 0)
		r = week_ledger(stage.w, &lq, any_entry, NULL, &more, &missing);
	if (r == 0)
		r = week_quotes(stage.w, NOW_MS, stage.now_ms, any_quote, NULL);
	return r == 0 ? week_bet_by_id(stage.w, &id, ROW_CENTS, &b) : r;
}

static int ask_old_columns(struct store *db)
{
	struct column c;
	int r = week_column(stage.w, T0_S, &c, &db);
	if (r == 0)
		r = week_column(stage.w, T0_S + 10, &c, &db);
	if (r == 0)
		r = week_column(stage.w, T0_S + WEEK_MS / 1000 + 10, &c, &db);
	return r;
}

#define ASK(what) static int run_##what(void) { return in_transaction(what); }
ASK(ask_accounts)
ASK(ask_entries)
ASK(ask_bets)
ASK(ask_columns)
ASK(ask_audits)
ASK(ask_verdicts)
ASK(ask_history)
ASK(ask_old_columns)

static int run_audit_read(void)
{
	char finding[128];
	return week_audit_read(stage.w, NULL, NULL, finding, sizeof finding);
}

static void reopen_to_read(void)
{
	stage.w = week_close(stage.w);
	assert_int_equal(week_open(&stage.w, books_dir, STORE_READ, stage.now_ms), 0);
}

static void reading_may_fail(void **state)
{
	(void) state;
	static const struct operation ops[] = {
		{ .name = "accounts", .run = run_ask_accounts }, { .name = "entries", .run = run_ask_entries },
		{ .name = "bets", .run = run_ask_bets }, { .name = "columns", .run = run_ask_columns },
		{ .name = "audits", .run = run_ask_audits }, { .name = "verdicts", .run = run_ask_verdicts },
		/* without memory a past week's accounts are read again each time */
		{ .name = "history", .run = run_ask_history, .prepare = reopen, .lives_with_it = true },
		{ .name = "history of a reader", .run = run_ask_history, .prepare = reopen_to_read, .lives_with_it = true },
		/* a past file that cannot be seen counts as purged: what was carried on answers */
		{ .name = "old columns", .run = run_ask_old_columns, .prepare = reopen, .lives_with_it = true },
		{ .name = "audit log", .run = run_audit_read, .lives_with_it = true },
		{ .name = "audit log of a reader", .run = run_audit_read, .lives_with_it = true },
	};
	each_fault_of(ops, ARRAY_LEN(ops));
}

/* What is written in one transaction. */

static int write_accounts(struct store *db)
{
	struct account a;
	struct wallet next = books_wallet(1000);
	int r = ledger_account_open(db, &next, NOW_MS, &a);
	if (r == 0)
		r = ledger_suspend(db, 2, true);
	if (r == 0)
		r = ledger_post(db, &(struct posting){ .user = 1, .amount = { 7 }, .ref_type = LEDGER_DEPOSIT, .ref_id = "seven",
				.at_ms = NOW_MS }, &a);
	return r;
}

static int write_bets(struct store *db)
{
	struct account a;
	struct bet b = books_bet(1, stage.t0_s, ROW, 5);
	b.placed_ms = stage.t0_s * 1000 - 12000;
	int r = place(db, 1, stage.t0_s, ROW);
	if (r == 0)
		r = place(db, 2, stage.t0_s, ROW);
	if (r == 0) /* past book_may_put */
		r = book_put_bet(db, &b, 1) == BOOK_E_EXISTS ? 0 : -EIO;
	return r == 0 ? books_decide(db, &b, OUTCOME_WON, NOW_MS, &a) : r;
}

static int write_settling(struct store *db)
{
	struct settling at = { .t0_s = stage.t0_s - 590, .after_low = (ROW + 1) * ROW_CENTS, .after_user = 2, .open_bets = 1 };
	int r = book_put_settling(db, &at);
	at.t0_s = stage.t0_s;
	if (r == 0)
		r = book_put_settling(db, &at);
	at.open_bets = 0;
	return r == 0 ? book_put_settling(db, &at) : r;
}

ASK(write_accounts)
ASK(write_bets)
ASK(write_settling)

static void writing_may_fail(void **state)
{
	(void) state;
	static const struct operation ops[] = {
		/* that the names of what changed found no memory is seen at the commit, which these do not reach */
		{ .name = "accounts", .run = run_write_accounts, .prepare = reopen, .lives_with_it = true },
		{ .name = "bets", .run = run_write_bets, .prepare = reopen, .lives_with_it = true },
		{ .name = "settling", .run = run_write_settling, .prepare = reopen, .lives_with_it = true },
	};
	each_fault_of(ops, ARRAY_LEN(ops));
}

/* What commits. */

static void next_column(void)
{
	reopen();
	stage.t0_s += 30;
	place_three(stage.t0_s);
	stage.path = path_at(stage.t0_s, ROW);
}

static void empty_column(void)
{
	reopen();
	stage.t0_s += 30;
	stage.path = path_at(stage.t0_s, ROW);
}

static void begun_column(void)
{
	next_column();
	settle_some(stage.t0_s, 1, false);
}

static int run_batch(void)
{
	struct store *db;
	int r = week_begin(stage.w, &db);
	if (r == 0)
		r = place(db, 1, stage.t0_s, ROW + 20);
	if (r == 0)
		return week_commit(stage.w);
	week_rollback(stage.w);
	return r;
}

static int run_settle(void)
{
	struct settle_result got;
	return settle_column(stage.w, &rules, &stage.path, stage.t0_s * 1000 + 6000, &got, NULL, NULL);
}

static int run_go_on(void)
{
	struct settle_result got;
	return settle_go_on(stage.w, &rules, stage.t0_s, stage.t0_s * 1000 + 7000, &got, NULL, NULL);
}

static int run_audit_log(void)
{
	return week_audit_log(stage.w, "root", "try", "because", stage.now_ms);
}

static void long_audit_log(void)
{
	reopen();
	for (int i = 0; i < 40; i++)
		assert_int_equal(run_audit_log(), 0);
}

static int run_checkpoint_meta(void)
{
	return week_checkpoint_meta(stage.w);
}

static void committing_may_fail(void **state)
{
	(void) state;
	static const struct operation ops[] = {
		{ .name = "a batch", .prepare = next_column, .run = run_batch, .commits = true },
		{ .name = "a column", .prepare = next_column, .run = run_settle, .commits = true },
		{ .name = "the rest of a column", .prepare = begun_column, .run = run_go_on, .commits = true },
		{ .name = "a column without bets", .prepare = empty_column, .run = run_settle, .commits = true },
		{ .name = "the audit log", .prepare = reopen, .run = run_audit_log, .commits = true },
		{ .name = "meta.db's checkpoint", .prepare = long_audit_log, .run = run_checkpoint_meta, .commits = true },
	};
	each_fault_of(ops, ARRAY_LEN(ops));
}

/* What makes files. The books are opened anew for each try. */

static void start_anew(void)
{
	stage.w = week_close(stage.w);
	(void) books_tear_down(NULL);
	assert_int_equal(books_set_up(NULL), 0);
	stage.now_ms = NOW_MS;
}

static int run_open(void)
{
	return week_open(&stage.w, books_dir, STORE_WRITE, stage.now_ms);
}

static void first_books(void)
{
	start_anew();
	assert_int_equal(run_open(), 0);
}

static int run_first_posting(void)
{
	struct store *db;
	struct account a;
	struct wallet wallet = books_wallet(1);
	int r = week_begin(stage.w, &db);
	if (r == 0)
		r = ledger_account_open(db, &wallet, NOW_MS, &a);
	if (r == 0)
		r = ledger_post(db, &(struct posting){ .user = a.user, .amount = { 5 }, .ref_type = LEDGER_DEPOSIT, .ref_id = "five",
				.at_ms = NOW_MS }, &a);
	if (r == 0)
		return week_commit(stage.w);
	week_rollback(stage.w);
	return r;
}

static void close_books(void)
{
	stage.w = week_close(stage.w);
}

/* As after a first start that was cut short: a book that no meta.db names, without an account. */
static void lose_meta(void)
{
	char command[160];
	start_anew();
	assert_int_equal(run_open(), 0);
	stage.w = week_close(stage.w);
	(void) snprintf(command, sizeof command, "rm %s/meta.db*", books_dir);
	assert_int_equal(system(command), 0);
}

static int run_open_to_read(void)
{
	return week_open(&stage.w, books_dir, STORE_READ, stage.now_ms);
}

/* A past week of an older release. */
static void age_a_past_week(void)
{
	char path[160], name[WEEK_NAME_SIZE];
	struct store *db;
	stage.w = week_close(stage.w);
	week_file_name(name, clk_iso_week(NOW_MS));
	(void) snprintf(path, sizeof path, "%s/%s", books_dir, name);
	assert_int_equal(store_open(&db, path, STORE_WRITE, &schema_week), 0);
	assert_int_equal(store_migrate(db, 2), 0);
	(void) store_close(db);
	assert_int_equal(week_open(&stage.w, books_dir, STORE_WRITE, stage.now_ms), 0);
}

static int run_bring_up_past(void)
{
	return week_bring_up_past(stage.w);
}

static void bringing_up_may_fail(void **state)
{
	(void) state;
	static const struct operation ops[] = {
		/* what cannot be read is left for the next start */
		{ .name = "a past week", .prepare = age_a_past_week, .run = run_bring_up_past, .commits = true, .lives_with_it = true },
	};
	struct store *db;
	each_fault_of(ops, ARRAY_LEN(ops));
	assert_int_equal(week_open_past(stage.w, clk_iso_week(NOW_MS), &db), 0);
	(void) store_close(db);
}

static void opening_may_fail(void **state)
{
	(void) state;
	static const struct operation ops[] = {
		{ .name = "the first books", .prepare = start_anew, .run = run_open, .commits = true, .lives_with_it = true },
		{ .name = "books without meta.db", .prepare = lose_meta, .run = run_open, .commits = true, .lives_with_it = true },
		{ .name = "the first posting", .prepare = first_books, .run = run_first_posting, .commits = true },
		/* a file that the group may write is made before SQLite makes it; one that is there is not made */
		{ .name = "books", .prepare = close_books, .run = run_open, .commits = true, .lives_with_it = true },
		{ .name = "books to read", .prepare = close_books, .run = run_open_to_read, .commits = true },
	};
	each_fault_of(ops, ARRAY_LEN(ops));
}

/* The week's end, with what changes between its passes only in test_week_roll.c. */

static void next_week(void)
{
	reopen();
	stage.t0_s += 700; /* few columns are new enough to be carried on */
	place_three(stage.t0_s);
	settle_some(stage.t0_s, 3, false);
	stage.now_ms = clk_week_start_ms(week_current(stage.w)) + WEEK_MS + 1000;
}

static int run_roll(void)
{
	struct week_rolled rolled;
	struct store *db;
	int r = week_roll(stage.w, stage.now_ms, &rolled);
	if (r < 0 && week_begin(stage.w, &db) == 0) /* it may be without a book now, and says so */
		week_rollback(stage.w);
	return r == WEEK_E_FULL ? STORE_E_FULL : r;
}

static void rolling_may_fail(void **state)
{
	(void) state;
	static const struct operation ops[] = {
		{ .name = "the week's end", .prepare = next_week, .run = run_roll, .commits = true, .lives_with_it = true },
	};
	each_fault_of(ops, ARRAY_LEN(ops));
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CASE(reading_may_fail),
		CASE(writing_may_fail),
		CASE(committing_may_fail),
		CASE(bringing_up_may_fail),
		CASE(opening_may_fail),
		CASE(rolling_may_fail),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
