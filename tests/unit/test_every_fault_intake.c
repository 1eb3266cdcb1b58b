/* intake with each fault that it can meet: the n-th statement fails or finds the disk full, the n-th commit, gate, command to Redis,
 * answer from it, allocation or call on a file fails, once or from then on, for each n until none is left. Its threads have ended and
 * their loops are run by the test, so that the n-th call is the same one each time. Each time: what was confirmed is in the
 * book, what was refused is not, the books are whole, and the same tap sent again to a process without the fault is placed or
 * shown, never placed twice. TAP_EVERY_FAULT: each n once and from then on, not in turns. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "../support/intake_world.h"
#include "../support/thin_libc.h"
#include "auth.h"
#include "err.h"
#include "intake_impl.h"
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

/* The threads of intake are gone; what is submitted waits for a turn. */
static void still(void)
{
	intake_drain(intake);
}

static void go_still(void)
{
	go();
	still();
}

static void turn(void)
{
	intake->stopping = intake->announcer.stopping = true;
	(void) intake_writer_run(intake);
	(void) intake_announcer_run(intake);
}

static bool submit(struct intake_tap *t)
{
	intake->stopping = false;
	bool taken = intake_submit(intake, t) == 0;
	intake->stopping = true;
	return taken;
}

static bool submit_job(struct intake_job *j)
{
	intake->stopping = false;
	bool taken = intake_submit_job(intake, j) == 0;
	intake->stopping = true;
	return taken;
}

/* The account of the try, with limits of his own and two keys. */
struct settling_in {
	struct intake_job job;
	int result;
};

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

static void job_done(struct intake_job *j, int result)
{
	((struct settling_in *) j)->result = result;
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

static void redis_knows(const struct wallet *key, bool knows)
{
	struct bus *b;
	const struct bus_reply *r;
	char at[KEY_MAX], who[WALLET_TEXT_SIZE];
	assert_int_equal(bus_open(&b, &bus_conf), 0);
	wallet_format(who, &player);
	if (knows)
		assert_int_equal(bus_command(b, &r, "SET %s %s", key_session_key(at, key), who), 0);
	else
		assert_int_equal(bus_command(b, &r, "DEL %s", key_session_key(at, key)), 0);
	(void) bus_close(b);
}

static void one_job(struct settling_in *s)
{
	s->job.done = job_done;
	s->result = -1;
	assert_true(submit_job(&s->job));
	turn();
}

enum { FIRST_KNOWN, FIRST_FORGOTTEN, FIRSTS };
static struct intake_tap firsts[FIRSTS];

static void prepare(void)
{
	struct settling_in in = { .job.fn = settle_in };
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
	one_job(&in);
	assert_int_equal(in.result, 0);
	redis_knows(&key_known, true);
	redis_knows(&key_forgotten, true);
	redis_knows(&key_older, true);
	firsts[FIRST_KNOWN] = tap_by(player, key_known, 3, 1, 5);
	firsts[FIRST_FORGOTTEN] = tap_by(player, key_forgotten, 3, 2, 5);
	for (int i = 0; i < FIRSTS; i++)
		assert_true(submit(&firsts[i]));
	turn();
	for (int i = 0; i < FIRSTS; i++)
		assert_int_equal(firsts[i].result, INTAKE_CONFIRMED);
	redis_knows(&key_forgotten, false);
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
	struct settling_in no = { .job = { .fn = answer_no, .done = job_done } };
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
		assert_true(submit(&t[i]));
		turn();
		enum intake_result is = t[i].result;
		if (was == INTAKE_CONFIRMED ? is != INTAKE_REPLAYED :
				is != INTAKE_CONFIRMED && is != INTAKE_REPLAYED && is != INTAKE_REPLAY_DETECTED)
			fail_msg("tap %d: %d, again %d, kind %d fault %d", i, (int) was, (int) is, kind, nth);
		if (is != INTAKE_REPLAY_DETECTED)
			placed += t[i].tap.stake.micros;
	}
	assert_int_equal(balance_now(), before - placed);
}

static void a_turn_of_bets(void **state)
{
	(void) state;
	still();
	each_fault_of(try_bets);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_turn_of_bets),
	};
	return cmocka_run_group_tests_name("every fault of intake", tests, start, stop);
}
