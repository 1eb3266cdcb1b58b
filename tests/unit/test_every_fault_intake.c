/* intake with each fault that it can meet: the n-th statement fails or finds the disk full, the n-th commit, gate, command to Redis,
 * answer from it, allocation or call on a file fails, once or from then on, for each n until none is left. Its threads have ended and
 * their loops are run by the test, so that the n-th call is the same one each time. Each time: what was confirmed is in the
 * book, what was refused is not, the books are whole, and the same tap sent again to a process without the fault is placed or
 * shown, never placed twice. TAP_EVERY_FAULT: each n once and from then on, not in turns. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "../support/intake_still.h"
#include "../support/thin_libc.h"
#include "auth.h"
#include "err.h"
#include "limits_book.h"
#include "session_keys.h"

enum { NO_MEMORY = FAULT_KINDS, NO_FILES, DAY_MS = 86400000, FUNDS = 1000 };

/* Who plays in one try. The keys: in Redis and in the book; in the book alone; in Redis alone, as of an older release. */
static struct wallet player, key_known, key_forgotten, key_older, stranger;
static uint16_t serial;

static struct wallet fresh_wallet(uint8_t kind)
{
	return (struct wallet){ { kind, (uint8_t) (serial >> 8), (uint8_t) serial, 3 } };
}

/* The account of the try, with limits of his own and two keys. */
static int settle_in(struct intake_job *j, struct store *db, int64_t now_ms)
{
	(void) j;
	const struct key_caps caps = { money_of(500 * USD), money_of(900 * USD) };
	struct account a;
	struct limits l;
	struct session_key k;
	char ref[32];
	(void) snprintf(ref, sizeof ref, "try-%u", (unsigned) serial);
	int r = ledger_account_open(db, &player, now_ms, &a);
	if (r == 0)
		r = ledger_post(db, &(struct posting){ .user = a.user, .amount = { FUNDS * USD }, .ref_type = LEDGER_DEPOSIT,
				.ref_id = ref, .at_ms = now_ms }, &a);
	if (r == 0)
		r = limits_change(db, &a, &(struct limit_wish){ LIMIT_DAY_STAKE, 400 * USD }, 1, "player", now_ms, &l);
	if (r == 0)
		r = session_keys_put(db, &a, &key_known, &caps, now_ms, now_ms + DAY_MS, &k);
	if (r == 0)
		r = session_keys_put(db, &a, &key_forgotten, &caps, now_ms, now_ms + DAY_MS, &k);
	return r;
}

static int answer_no(struct intake_job *j, struct store *db, int64_t now_ms)
{
	(void) j, (void) db, (void) now_ms;
	return LEDGER_E_ABSENT;
}

static void tap_answered(struct intake_tap *t)
{
	t->u = t;
}

static struct intake_tap tap_by(struct wallet w, struct wallet signer, int column, int row, int64_t usd)
{
	struct intake_tap t = tap_of(w, cell_at(column, row), usd);
	t.signer = signer;
	t.done = tap_answered;
	return t;
}

enum { FIRST_KNOWN, FIRST_FORGOTTEN, FIRSTS };
static struct intake_tap firsts[FIRSTS];

static void prepare(void)
{
	serial++;
	intake = intake_stop(intake);
	remove_books(); /* or each try would meet more accounts than the one before */
	flush_redis();
	go_still();
	player = fresh_wallet(0x11);
	key_known = fresh_wallet(0x22);
	key_forgotten = fresh_wallet(0x33);
	key_older = fresh_wallet(0x44);
	stranger = fresh_wallet(0x55);
	publish(RATE);
	assert_int_equal(run_still(settle_in), 0);
	redis_key(&player, &key_known, true);
	redis_key(&player, &key_forgotten, true);
	redis_key(&player, &key_older, true);
	firsts[FIRST_KNOWN] = tap_by(player, key_known, 3, 1, 5);
	firsts[FIRST_FORGOTTEN] = tap_by(player, key_forgotten, 3, 2, 5);
	for (int i = 0; i < FIRSTS; i++)
		assert_true(submit(&firsts[i]));
	turn();
	for (int i = 0; i < FIRSTS; i++)
		assert_int_equal(firsts[i].result, INTAKE_CONFIRMED);
	redis_key(&player, &key_forgotten, false);
	intake = intake_stop(intake); /* nothing of it is in memory */
	go_still();
	publish(RATE);
}

static int64_t balance_now(void)
{
	return account_of(player).balance.micros;
}

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

/* A process that failed ends, and another takes its place; one that lives on waits until Redis is asked again. */
static void recover(bool pause)
{
	if (intake_failed(intake)) {
		intake = intake_stop(intake);
		go_still();
	} else if (pause) {
		(void) clk_sleep_until_ms(clk_mono_ms() + 2 * BUS_RETRY_MS);
	}
	err_clear();
	publish(RATE);
}

static const int kinds[] = { FAULT_STORE_STEP, FAULT_STORE_FULL, FAULT_STORE_COMMIT, FAULT_GATE, FAULT_BUS_SEND, FAULT_BUS_REPLY,
	FAULT_MEMORY, NO_MEMORY, NO_FILES };

static void each_fault_of(void (*try)(int kind, int nth, bool sticky, bool *ret_fired))
{
	const bool twice = getenv("TAP_EVERY_FAULT") != NULL;
	for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
		bool fired = true;
		for (int nth = 1; fired; nth += kinds[k] == FAULT_STORE_FULL && nth > 10 && !twice ? 7 : 1) {
			try(kinds[k], nth, nth & 1, &fired);
			if (fired && twice)
				try(kinds[k], nth, !(nth & 1), &fired);
		}
	}
}

enum { BY_KEY, BY_OLDER, BY_WALLET, SAME_KNOWN, SAME_FORGOTTEN, ON_THE_CELL, NO_ACCOUNT, BY_STRANGER, TAPS };

static bool new_bet(int i)
{
	return i == BY_KEY || i == BY_OLDER || i == BY_WALLET;
}

static const enum intake_result without_fault[TAPS] = { INTAKE_CONFIRMED, INTAKE_CONFIRMED, INTAKE_CONFIRMED, INTAKE_REPLAYED,
	INTAKE_REPLAYED, INTAKE_BET_EXISTS, INTAKE_NO_FUNDS, INTAKE_NOT_SIGNER };

/* A turn of bets of every kind, with what the writer does beside them. */
static void try_bets(int kind, int nth, bool sticky, bool *ret_fired)
{
	static struct intake_tap t[TAPS];
	struct still_job no = { .job = { .fn = answer_no, .done = still_job_done } };
	prepare();
	const int64_t before = balance_now();
	t[BY_KEY] = tap_by(player, key_known, 4, 1, 10);
	t[BY_OLDER] = tap_by(player, key_older, 4, 2, 10);
	t[BY_WALLET] = tap_by(player, player, 4, 3, 10);
	t[SAME_KNOWN] = firsts[FIRST_KNOWN];
	t[SAME_FORGOTTEN] = firsts[FIRST_FORGOTTEN];
	t[ON_THE_CELL] = tap_by(player, player, 4, 1, 10);
	t[ON_THE_CELL].tap.cell = firsts[FIRST_KNOWN].tap.cell;
	t[NO_ACCOUNT] = tap_by(stranger, stranger, 4, 3, 10);
	t[BY_STRANGER] = tap_by(player, stranger, 4, 4, 10);
	intake->housekeeping_ms = intake->room_ms = 0;
	intake->meta_ms = INT64_MIN / 2;
	struct bet long_ago = firsts[FIRST_KNOWN].bet; /* of columns that should be decided by now */
	for (int i = 0; i < 2; i++) {
		long_ago.cell.t0_s -= 600;
		assert_int_equal(exposure_add(intake->exposure, &long_ago), 0);
	}
	for (int i = 0; i < TAPS; i++)
		assert_true(submit(&t[i]));
	assert_true(submit_job(&no.job));
	struct buf event = BUF_INIT(64);
	buf_puts(&event, "{}");
	intake_announce(intake, &(struct account){ .wallet = player }, &event);

	arm(kind, nth, sticky);
	turn();
	*ret_fired = disarm(kind);

	int64_t confirmed = 0;
	bool unknown = false, unavailable = false;
	for (int i = 0; i < TAPS; i++) {
		assert_ptr_equal(t[i].u, &t[i]); /* each was answered */
		if (!*ret_fired && t[i].result != without_fault[i])
			fail_msg("tap %d: %d without a fault", i, (int) t[i].result);
		if (new_bet(i) && t[i].result == INTAKE_CONFIRMED)
			confirmed += t[i].tap.stake.micros;
		else if (t[i].result != without_fault[i] && t[i].result != INTAKE_UNAVAILABLE && t[i].result != INTAKE_UNKNOWN &&
				t[i].result != INTAKE_OVERLOADED)
			fail_msg("tap %d: %d, kind %d fault %d", i, (int) t[i].result, kind, nth);
		unknown |= t[i].result == INTAKE_UNKNOWN;
		unavailable |= t[i].result == INTAKE_UNAVAILABLE;
	}
	if (intake_failed(intake)) {
		assert_false(submit(&t[0]));
		assert_false(submit_job(&no.job));
	}
	recover(unavailable);
	if (!unknown)
		assert_int_equal(balance_now(), before - confirmed);
	if (!*ret_fired)
		return;

	/* what was placed is shown again, what was not is placed; after a restart a nonce that Redis holds may be a spent one */
	int64_t placed = 0;
	for (int i = 0; i < TAPS; i++) {
		if (!new_bet(i))
			continue;
		enum intake_result was = t[i].result;
		enum intake_result is = place_still(&t[i]);
		if (was == INTAKE_CONFIRMED ? is != INTAKE_REPLAYED :
				is != INTAKE_CONFIRMED && is != INTAKE_REPLAYED && is != INTAKE_REPLAY_DETECTED)
			fail_msg("tap %d: %d, again %d, kind %d fault %d", i, (int) was, (int) is, kind, nth);
		if (is != INTAKE_REPLAY_DETECTED)
			placed += t[i].tap.stake.micros;
	}
	assert_int_equal(balance_now(), before - placed);
}

/* Starting: whole, or not at all. There are open bets and accounts to be read. */
static void try_start(int kind, int nth, bool sticky, bool *ret_fired)
{
	intake = intake_stop(intake);
	struct intake_market market = { .grid = give_grid, .betting = give_betting, .made = give_made };
	arm(kind, nth, sticky);
	int r = intake_start(&intake, &settings, &bus_conf, &market);
	*ret_fired = disarm(kind);
	err_clear();
	if (r < 0) {
		assert_true(*ret_fired);
		intake = NULL;
		go();
	}
	intake_drain(intake);
}

static void a_start(void **state)
{
	(void) state;
	prepare();
	each_fault_of(try_start);
	for (bool fired = true; fired;) { /* before there is a book */
		static int nth;
		remove_books();
		try_start(FAULT_STORE_FULL, ++nth, true, &fired);
	}
}

/* More open bets than the set of their nonces holds at first. */
static int stake_many(struct intake_job *j, struct store *db, int64_t now_ms)
{
	(void) j;
	int r = 0;
	for (int i = 0; i < 600 && r == 0; i++) {
		struct account a;
		int64_t row;
		struct cell c = cell_at(i / 20 % 10, i % 20);
		struct bet b = { .user = 1 + i / 200, .cell = c, .stake = money_of(USD), .rate = { RATE }, .rate_min = { RATE_LEAST },
			.placed_ms = now_ms, .signed_s = now_ms / 1000, .state = BET_CONFIRMED,
			.nonce = { (uint8_t) i, (uint8_t) (i >> 8), [6] = 0x40 } };
		if (i % 200 == 0) {
			struct wallet w = { { 0x66, (uint8_t) i } };
			char ref[32];
			(void) snprintf(ref, sizeof ref, "many-%d", i);
			r = ledger_account_open(db, &w, now_ms, &a);
			if (r == 0)
				r = ledger_post(db, &(struct posting){ .user = a.user, .amount = { FUNDS * USD },
						.ref_type = LEDGER_DEPOSIT, .ref_id = ref, .at_ms = now_ms }, &a);
		}
		if (r == 0)
			r = ledger_stake(db, &b, &a, &row);
		if (r == 0)
			r = book_put_bet(db, &b, row);
	}
	return r;
}

static void a_start_with_many_open_bets(void **state)
{
	(void) state;
	bool fired = true;
	intake_drain(intake);
	assert_int_equal(run_still(stake_many), 0);
	for (int nth = 1; fired; nth++)
		try_start(NO_MEMORY, nth, false, &fired);
}

/* What cannot be moved out of the WAL ends the process, which then reads it. */
static void a_checkpoint(void **state)
{
	(void) state;
	struct week *w;
	struct store *db;
	bool fired = true;
	intake_drain(intake);
	assert_int_equal(run_still(settle_in), 0);
	assert_int_equal(week_open(&w, dir, STORE_WRITE, clk_now_ms()), 0);
	for (int i = 0; store_wal_bytes(week_store(w)) < CHECKPOINT_BYTES + CHECKPOINT_BYTES / 10; i++) {
		struct account a;
		char ref[32];
		(void) snprintf(ref, sizeof ref, "cent-%d", i);
		assert_int_equal(week_begin(w, &db), 0);
		assert_int_equal(ledger_post(db, &(struct posting){ .user = 1, .amount = { 1 }, .ref_type = LEDGER_DEPOSIT, .ref_id = ref,
				.at_ms = clk_now_ms() }, &a), 0);
		assert_int_equal(week_commit(w), 0);
	}
	(void) week_close(w);
	for (int nth = 1; fired; nth++) {
		struct still_job no = { .job = { .fn = answer_no, .done = still_job_done } };
		intake = intake_stop(intake);
		go_still();
		intake->meta_ms = INT64_MIN / 2;
		intake->housekeeping_ms = clk_mono_ms();
		assert_true(submit_job(&no.job));
		arm(FAULT_GATE, nth, false);
		turn();
		fired = disarm(FAULT_GATE);
		assert_int_equal(intake_failed(intake), fired);
	}
}

/* Redis was emptied: all accounts go there again, more than fit into one trip. */
static int open_many(struct intake_job *j, struct store *db, int64_t now_ms)
{
	struct account a;
	int r = 0;
	(void) j;
	for (int i = 0; i < ANNOUNCE_BATCH + 100 && r >= 0; i++)
		r = ledger_account_open(db, &(struct wallet){ { 0x77, (uint8_t) (i >> 8), (uint8_t) i } }, now_ms, &a);
	return r;
}

static void try_rebuild(int kind, int nth, bool sticky, bool *ret_fired)
{
	if (kind == FAULT_MEMORY) { /* what has grown grows no more */
		msg_group_free(&intake->announcer.group);
		msg_group_begin(&intake->announcer.group, intake->announcer.bus);
	}
	flush_redis();
	intake->announcer.stopping = true;
	(void) clk_sleep_until_ms(clk_mono_ms() + (nth > 1 ? BUS_RETRY_MS : 0));
	arm(kind, nth, sticky);
	(void) intake_announcer_run(intake);
	*ret_fired = disarm(kind);
	if (*ret_fired)
		assert_false(atomic_load(&intake->redis_up));
	else
		assert_true(atomic_load(&intake->redis_up));
}

static void a_cache_made_again(void **state)
{
	static const int some[] = { FAULT_BUS_SEND, FAULT_BUS_REPLY, FAULT_STORE_STEP, FAULT_MEMORY };
	(void) state;
	intake_drain(intake);
	assert_int_equal(run_still(open_many), 0);
	for (size_t k = 0; k < ARRAY_LEN(some); k++) {
		bool fired = true;
		for (int nth = 1; fired; nth += some[k] == FAULT_STORE_STEP && nth > 10 ? 50 : 1)
			try_rebuild(some[k], nth, nth & 1, &fired);
	}
}

/* The sets of nonces grow in the middle of a batch: what finds no memory is refused, and may come again. */
static void fill_to_growth(struct nonces *n, uint32_t has)
{
	for (uint32_t i = has; i < 511; i++) {
		uint8_t v[NONCE_SIZE] = { [6] = 0x40 };
		memcpy(v + 8, &i, sizeof i);
		assert_int_equal(nonces_add(n, v), 0);
	}
}

static void try_growth(int kind, int nth, bool sticky, bool *ret_fired)
{
	prepare();
	struct intake_tap t = tap_by(player, player, 4, 1, 10), again_by_key = firsts[FIRST_KNOWN];
	/* that his last bets were recalled is remembered; or those bets are; or, when they were recalled before, this one */
	if (nth % 3 == 1) {
		struct intake_tap other = tap_by(player, player, 5, 1, 10);
		assert_int_equal(place_still(&other), INTAKE_CONFIRMED);
	}
	fill_to_growth(nth % 3 == 0 ? intake->recalled : intake->decided, nth % 3 == 0 ? 0 : nth % 3 == 1 ? FIRSTS + 1u : FIRSTS);
	const int64_t before = balance_now();
	intake->housekeeping_ms = 0;
	assert_true(submit(&t) && submit(&again_by_key));
	arm(kind, (nth + 2) / 3, sticky);
	turn();
	*ret_fired = disarm(kind);
	bool placed = t.result == INTAKE_CONFIRMED;
	if (!placed && t.result != INTAKE_OVERLOADED && t.result != INTAKE_UNAVAILABLE)
		fail_msg("%d, fault %d", (int) t.result, nth);
	assert_true(placed || *ret_fired);
	assert_int_equal(balance_now(), before - (placed ? 10 * USD : 0));
	recover(t.result == INTAKE_UNAVAILABLE);
	enum intake_result is = place_still(&t);
	assert_true(placed ? is == INTAKE_REPLAYED : is == INTAKE_CONFIRMED || is == INTAKE_REPLAY_DETECTED);
}

static void a_growing_memory(void **state)
{
	(void) state;
	bool fired[3] = { true };
	intake_drain(intake);
	for (int nth = 1; fired[0] || fired[1] || fired[2]; nth += 3)
		for (int i = 0; i < 3; i++)
			try_growth(NO_MEMORY, nth + i, false, &fired[i]);
}

static void a_set_that_turns_without_memory(void **state)
{
	(void) state;
	struct nonces *n;
	const uint8_t one[NONCE_SIZE] = { 1, [6] = 0x40 }, two[NONCE_SIZE] = { 2, [6] = 0x40 };
	intake_drain(intake);
	assert_int_equal(nonces_new(&n, 1000, 0), 0);
	assert_int_equal(nonces_add(n, one), 0);
	arm(NO_MEMORY, 1, true);
	nonces_turn(n, 1000);
	assert_true(nonces_has(n, one));
	assert_int_equal(nonces_add(n, two), 0);
	nonces_turn(n, 2000);
	assert_true(disarm(NO_MEMORY));
	assert_false(nonces_has(n, one));
	assert_true(nonces_has(n, two));
	(void) nonces_free(n);
}

static void an_event_without_memory_is_counted(void **state)
{
	(void) state;
	struct intake_stats before, after;
	struct buf event = BUF_INIT(64);
	intake_drain(intake);
	intake_stats(intake, &before);
	buf_puts(&event, "{}");
	arm(NO_MEMORY, 1, false);
	intake_announce(intake, &(struct account){ .wallet = player }, &event);
	assert_true(disarm(NO_MEMORY));
	intake_stats(intake, &after);
	assert_int_equal(after.announce_dropped, before.announce_dropped + 1);
}

static void a_turn_of_bets(void **state)
{
	(void) state;
	intake_drain(intake);
	each_fault_of(try_bets);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_start),
		CASE(a_start_with_many_open_bets),
		CASE(a_checkpoint),
		CASE(a_set_that_turns_without_memory),
		CASE(an_event_without_memory_is_counted),
		CASE(a_cache_made_again),
		CASE(a_growing_memory),
		CASE(a_turn_of_bets),
	};
	return cmocka_run_group_tests_name("every fault of intake", tests, start, stop);
}
