/* intake: what the player forbade himself and what his session key's message named; who signed the first is known after Redis was
 * emptied and the process is another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "../support/intake_world.h"
#include "auth.h"
#include "limits_book.h"
#include "session_keys.h"

enum { DAY_MS = 86400000 };

/* As the api writes it: by a job. */
struct setting {
	struct intake_job job;
	struct wallet wallet, key;
	struct limit_wish wish;
	struct key_caps caps;
	bool sign_in, ago; /* ago: as if it had been asked for more than a day ago */
	int result;
};

static int set_fn(struct intake_job *j, struct store *db, int64_t now_ms)
{
	struct setting *s = (struct setting *) j;
	struct account a;
	struct limits l;
	struct session_key k;
	int r = ledger_account(db, &s->wallet, &a);
	if (r != 0)
		return r;
	if (s->sign_in)
		return session_keys_put(db, &a, &s->key, &s->caps, now_ms, now_ms + DAY_MS, &k);
	if (s->wish.limit >= LIMIT_CAPS_END)
		s->wish.value += now_ms;
	return limits_change(db, &a, &s->wish, 1, "player", s->ago ? now_ms - DAY_MS - 1 : now_ms, &l);
}

static void set_done(struct intake_job *j, int result)
{
	((struct setting *) j)->result = result;
	one_more();
}

static void run_setting(struct setting *s)
{
	s->job = (struct intake_job){ .fn = set_fn, .done = set_done };
	assert_int_equal(intake_submit_job(intake, &s->job), 0);
	wait_for(1);
	assert_int_equal(s->result, 0);
}

static void limit(struct wallet w, enum limit which, int64_t value)
{
	run_setting(&(struct setting){ .wallet = w, .wish = { which, value } });
}

static void limit_ago(struct wallet w, enum limit which, int64_t value)
{
	run_setting(&(struct setting){ .wallet = w, .wish = { which, value }, .ago = true });
}

static enum intake_result bet(struct wallet w, int column, int row, int64_t usd, struct intake_tap *ret)
{
	*ret = tap_of(w, cell_at(column, row), usd);
	return place(ret);
}

static void own_caps_hold_from_the_next_bet_on(void **state)
{
	(void) state;
	struct wallet w = funded(1, 1000 * USD, false), v = funded(2, 1000 * USD, false);
	struct intake_tap t;
	assert_int_equal(bet(w, 3, 1, 5, &t), INTAKE_CONFIRMED);
	limit(w, LIMIT_COLUMN, 10 * USD);
	assert_int_equal(bet(w, 3, 2, 10, &t), INTAKE_LIMIT_REACHED);
	assert_int_equal(t.reached, LIMIT_COLUMN);
	assert_int_equal(bet(w, 3, 2, 5, &t), INTAKE_CONFIRMED);
	assert_int_equal(bet(w, 3, 3, 1, &t), INTAKE_LIMIT_REACHED);
	assert_int_equal(bet(w, 4, 2, 10, &t), INTAKE_CONFIRMED); /* another column */
	assert_int_equal(bet(v, 3, 2, 25, &t), INTAKE_CONFIRMED); /* another player */
	limit(w, LIMIT_OPEN, 21 * USD);
	assert_int_equal(bet(w, 5, 2, 5, &t), INTAKE_LIMIT_REACHED);
	assert_int_equal(t.reached, LIMIT_OPEN);
	restart();
	publish(RATE);
	assert_int_equal(bet(w, 5, 2, 5, &t), INTAKE_LIMIT_REACHED);
	assert_int_equal(bet(w, 5, 2, 1, &t), INTAKE_CONFIRMED);
	limit(w, LIMIT_OPEN, 100 * USD); /* a raise waits */
	assert_int_equal(bet(w, 5, 3, 1, &t), INTAKE_LIMIT_REACHED);
	assert_int_equal(account_of(w).open_stake.micros, 21 * USD);
}

static void a_raise_holds_after_its_day(void **state)
{
	(void) state;
	struct wallet w = funded(1, 1000 * USD, false);
	struct intake_tap t;
	limit_ago(w, LIMIT_OPEN, 5 * USD);
	limit_ago(w, LIMIT_OPEN, 10 * USD);
	assert_int_equal(bet(w, 3, 1, 10, &t), INTAKE_CONFIRMED);
	assert_int_equal(bet(w, 3, 2, 1, &t), INTAKE_LIMIT_REACHED);
}

static void a_day_counts_stakes_and_losses(void **state)
{
	(void) state;
	struct wallet w = funded(1, 1000 * USD, false);
	struct intake_tap t;
	if (clk_now_ms() % DAY_MS > DAY_MS - 60000) /* the sums begin anew at midnight */
		clk_sleep_until_ms(clk_mono_ms() + 61000);
	assert_int_equal(bet(w, 3, 1, 25, &t), INTAKE_CONFIRMED);
	limit(w, LIMIT_DAY_STAKE, 30 * USD);
	assert_int_equal(bet(w, 3, 2, 10, &t), INTAKE_LIMIT_REACHED);
	assert_int_equal(t.reached, LIMIT_DAY_STAKE);
	assert_int_equal(bet(w, 3, 2, 5, &t), INTAKE_CONFIRMED);
	assert_int_equal(bet(w, 4, 2, 1, &t), INTAKE_LIMIT_REACHED);

	struct wallet v = funded(2, 1000 * USD, false);
	limit(v, LIMIT_DAY_LOSS, 5 * USD);
	assert_int_equal(bet(v, 3, 1, 5, &t), INTAKE_CONFIRMED);
	struct intake_tap more;
	assert_int_equal(bet(v, 4, 1, 1, &more), INTAKE_LIMIT_REACHED);
	assert_int_equal(more.reached, LIMIT_DAY_LOSS);
	/* the resolver pays 11.75 for it: what was won can be lost again */
	struct week *week;
	struct store *db;
	struct account a;
	int64_t row;
	assert_int_equal(week_open(&week, dir, STORE_WRITE, clk_now_ms()), 0);
	assert_int_equal(week_begin(week, &db), 0);
	struct bet won = t.bet;
	bet_move(&won, BET_WON);
	assert_true(rate_payout(&won.payout, won.stake, won.rate));
	won.resolved_ms = clk_now_ms();
	assert_int_equal(ledger_settle_bets(db, &won, 1, &a, &row), 0);
	assert_int_equal(week_commit(week), 0);
	(void) week_close(week);
	assert_int_equal(bet(v, 4, 1, 10, &more), INTAKE_CONFIRMED);
	assert_int_equal(bet(v, 4, 2, 5, &more), INTAKE_LIMIT_REACHED);
	assert_int_equal(bet(v, 4, 2, 1, &more), INTAKE_CONFIRMED);
	restart(); /* the sums are made from the ledger */
	publish(RATE);
	assert_int_equal(bet(v, 5, 2, 5, &more), INTAKE_LIMIT_REACHED);
}

static void a_pause_takes_no_bet(void **state)
{
	(void) state;
	struct wallet w = funded(1, 1000 * USD, false), v = funded(2, 1000 * USD, false);
	struct intake_tap t, first, r;
	assert_int_equal(bet(w, 3, 1, 5, &first), INTAKE_CONFIRMED);
	limit(w, LIMIT_COOL_OFF, 3600000 + 60000);
	assert_int_equal(bet(w, 3, 2, 5, &t), INTAKE_FORBIDDEN);
	assert_in_range(t.until_ms, clk_now_ms() + 3600000, clk_now_ms() + 3600000 + 60000);
	assert_int_equal(again(&first, &r), INTAKE_REPLAYED); /* it is placed already */
	limit(v, LIMIT_EXCLUSION, LIMITS_EXCLUSION_MIN_MS + 60000);
	assert_int_equal(bet(v, 3, 2, 5, &t), INTAKE_FORBIDDEN);
	restart();
	publish(RATE);
	assert_int_equal(bet(v, 3, 3, 5, &t), INTAKE_FORBIDDEN);
	assert_int_equal(account_of(v).balance.micros, 1000 * USD);
}

/* --- session keys --- */

static const struct wallet key = { { 0x55, 9 } };

static void redis_learns_key(struct wallet owner)
{
	struct bus *b;
	const struct bus_reply *r;
	char at[KEY_MAX], who[WALLET_TEXT_SIZE];
	assert_int_equal(bus_open(&b, &bus_conf), 0);
	wallet_format(who, &owner);
	assert_int_equal(bus_command(b, &r, "SET %s %s", key_session_key(at, &key), who), 0);
	(void) bus_close(b);
}

static void sign_in(struct wallet w, int64_t column, int64_t open)
{
	run_setting(&(struct setting){ .wallet = w, .key = key, .caps = { money_of(column), money_of(open) }, .sign_in = true });
	redis_learns_key(w);
}

static enum intake_result bet_by_key(struct wallet w, int column, int row, int64_t usd, struct intake_tap *ret)
{
	*ret = tap_of(w, cell_at(column, row), usd);
	ret->signer = key;
	return place(ret);
}

static void a_key_stays_within_what_its_message_named(void **state)
{
	(void) state;
	struct wallet w = funded(1, 5000 * (int64_t) USD, false);
	struct intake_tap t;
	sign_in(w, 10 * USD, 30 * USD);
	settings.cap_player_column = 5000 * (int64_t) USD; /* the server's are raised: that changes nothing */
	restart();
	publish(RATE);
	assert_int_equal(bet_by_key(w, 3, 1, 10, &t), INTAKE_CONFIRMED);
	assert_true(t.bet.signer > 0);
	assert_int_equal(bet_by_key(w, 3, 2, 1, &t), INTAKE_LIMIT_REACHED);
	assert_int_equal(t.reached, INTAKE_REACHED_KEY);
	assert_int_equal(bet(w, 3, 2, 25, &t), INTAKE_CONFIRMED); /* the wallet itself may */
	assert_int_equal(t.bet.signer, 0);
	assert_int_equal(bet_by_key(w, 4, 1, 1, &t), INTAKE_LIMIT_REACHED); /* 35 of 30 are open */
	struct wallet v = funded(2, 1000 * USD, false);
	assert_int_equal(bet(v, 4, 1, 25, &t), INTAKE_CONFIRMED);
	sign_in(w, 1000 * USD, 1000 * USD); /* a further session: the first still lives */
	assert_int_equal(bet_by_key(w, 4, 1, 1, &t), INTAKE_LIMIT_REACHED);
	(void) account_of(w);
}

static void a_key_of_an_older_release_has_the_server_s_caps(void **state)
{
	(void) state;
	struct wallet w = funded(1, 5000 * (int64_t) USD, false);
	struct intake_tap t;
	redis_learns_key(w);
	assert_int_equal(bet_by_key(w, 3, 1, 100, &t), INTAKE_CONFIRMED);
	int64_t id = t.bet.signer;
	assert_true(id > 0);
	assert_int_equal(bet_by_key(w, 3, 2, 100, &t), INTAKE_CONFIRMED);
	assert_int_equal(t.bet.signer, id);
	assert_int_equal(account_of(w).keys_row, id);
}

static void the_first_signer_is_known_for_ever(void **state)
{
	(void) state;
	struct wallet w = funded(1, 1000 * USD, false);
	struct intake_tap t, r, own;
	sign_in(w, 1000 * USD, 1000 * USD);
	assert_int_equal(bet_by_key(w, 3, 1, 5, &t), INTAKE_CONFIRMED);
	assert_int_equal(bet(w, 3, 2, 5, &own), INTAKE_CONFIRMED);
	flush_redis();
	assert_int_equal(again(&t, &r), INTAKE_REPLAYED);
	restart();
	redis_learns_key(w);
	assert_int_equal(again(&t, &r), INTAKE_REPLAYED);
	flush_redis();
	restart(); /* both at once: the book alone knows */
	assert_int_equal(again(&t, &r), INTAKE_REPLAYED);
	assert_int_equal(r.bet.placed_ms, t.bet.placed_ms);
	assert_int_equal(r.balance.micros, t.balance.micros);
	/* but nobody else, nor he for another bet */
	struct intake_tap stranger = t;
	stranger.signer = (struct wallet){ { 0x66 } };
	assert_int_equal(place(&stranger), INTAKE_NOT_SIGNER);
	own.signer = key;
	assert_int_equal(again(&own, &r), INTAKE_NOT_SIGNER);
	t.tap.nonce[0] ^= 1;
	assert_int_equal(again(&t, &r), INTAKE_NOT_SIGNER);
	assert_int_equal(account_of(w).balance.micros, 990 * USD);
}

static int64_t commits(struct store *db)
{
	struct stmt *st = store_stmt(db, "SELECT count(*) FROM chain");
	assert_int_equal(stmt_step(st), STMT_ROW);
	int64_t n = stmt_col_int(st, 0);
	stmt_reset(st);
	return n;
}

/* What waits while somebody holds the gate is written at once when it is free. */
static void jobs_that_wait_share_a_commit(void **state)
{
	(void) state;
	static struct fund many[50];
	struct week *week;
	struct store *db;
	assert_int_equal(week_open(&week, dir, STORE_WRITE, clk_now_ms()), 0);
	assert_int_equal(week_begin(week, &db), 0);
	int64_t before = commits(db);
	for (size_t i = 0; i < ARRAY_LEN(many); i++) {
		many[i] = (struct fund){ .job = { .fn = fund_fn, .done = fund_done }, .wallet = { { (uint8_t) (i + 1), 8 } },
			.micros = USD };
		assert_int_equal(intake_submit_job(intake, &many[i].job), 0);
	}
	week_rollback(week);
	wait_for((int) ARRAY_LEN(many));
	for (size_t i = 0; i < ARRAY_LEN(many); i++)
		assert_int_equal(many[i].result, 0);
	assert_int_equal(week_begin(week, &db), 0);
	assert_in_range(commits(db) - before, 1, 2); /* the turn that met the gate, and the next */
	week_rollback(week);
	(void) week_close(week);
	assert_int_equal(account_of(many[49].wallet).balance.micros, USD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(own_caps_hold_from_the_next_bet_on),
		CASE(a_raise_holds_after_its_day),
		CASE(a_day_counts_stakes_and_losses),
		CASE(a_pause_takes_no_bet),
		CASE(a_key_stays_within_what_its_message_named),
		CASE(a_key_of_an_older_release_has_the_server_s_caps),
		CASE(the_first_signer_is_known_for_ever),
		CASE(jobs_that_wait_share_a_commit),
	};
	return cmocka_run_group_tests_name("intake own", tests, start, stop);
}
