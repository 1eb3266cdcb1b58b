/* Jobs of the api's writer. */
#include "errands.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "api_proc.h"
#include "disk.h"
#include "limits_book.h"
#include "referee.h"
#include "sim.h"
#include "withdraw.h"

enum { DEPOSIT_USD = 5000 };

struct work {
	struct intake_job job;
	int w;
	int64_t micros;
	char ref[32];
	bool open, suspend, suspended;
	int64_t cap_column, cap_open;
	bool withdraws, decides, approves;
	struct withdraw asked;
	struct withdrawal made;
	struct account account;
};

static struct {
	errands_restart *restart;
	int64_t deposits, withdrawals;
	struct work withdrawal; /* the newest */
} errands;

void errands_begin(errands_restart *restart)
{
	memset(&errands, 0, sizeof errands);
	errands.restart = restart;
}

int64_t errands_withdrawals(void)
{
	return errands.withdrawals;
}

static int limit(struct store *db, struct work *k, int64_t now_ms)
{
	const struct limit_wish wishes[] = { { LIMIT_COLUMN, k->cap_column }, { LIMIT_OPEN, k->cap_open } };
	struct limits after;
	return limits_change(db, &k->account, wishes, 2, "player", now_ms, &after);
}

static int decide(struct store *db, struct work *k, int64_t now_ms)
{
	const struct ulid id = k->made.id;
	bool changed;
	return withdraw_decide(db, &id, k->approves, now_ms, &k->made, &k->account, &changed);
}

static int do_work(struct intake_job *j, struct store *db, int64_t now_ms)
{
	struct work *k = (struct work *) j;
	struct wallet wallet = referee_wallet(k->w);
	int x = k->open ? ledger_account_open(db, &wallet, now_ms, &k->account) : ledger_account(db, &wallet, &k->account);
	if (x == LEDGER_E_EXISTS)
		x = 0;
	if (x == 0 && k->micros)
		x = ledger_post(db, &(struct posting){ .user = k->account.user, .amount = { k->micros }, .ref_type = LEDGER_DEPOSIT,
				.ref_id = k->ref, .at_ms = now_ms }, &k->account);
	if (x == 0 && k->suspend)
		x = ledger_suspend(db, k->account.user, k->suspended);
	if (x == 0 && k->cap_column)
		x = limit(db, k, now_ms);
	if (x == 0 && k->withdraws)
		x = withdraw_request(db, k->account.user, &k->asked, now_ms, &k->made, &k->account);
	if (x == 0 && k->decides)
		x = decide(db, k, now_ms);
	return x;
}

/* Until it is done: who does not hear an answer asks again, and the ref says that it is the same. So something is committed before
 * anybody asks what became of the unanswered: from then on that is on disk too. */
static int work(struct work *k)
{
	bool alive = false, died = false;
	int x = -1;
	k->job.fn = do_work;
	while (!alive || x < 0) {
		x = api_proc_job(&k->job, &alive);
		MUST(x >= 0 || !alive || disk_is_full(), "a job answers %d", x);
		disk_full(false);
		if (!alive)
			errands.restart();
		died = died || !alive;
	}
	if (died)
		referee_api_restarted();
	return x;
}

static void work_done(struct work *k)
{
	int x = work(k);
	MUST(x == 0, "a job answers %d", x);
}

static void deposit(int w, int64_t usd)
{
	struct work k = { .w = w, .micros = usd * MICROS_PER_USD };
	(void) snprintf(k.ref, sizeof k.ref, "deposit-%" PRId64, ++errands.deposits);
	int x = work(&k);
	MUST(x == 0 || x == LEDGER_E_EXISTS, "a deposit answers %d", x);
	referee_posted(w, k.micros);
	if (one_in(4)) /* the operator's script runs twice */
		MUST(work(&k) == LEDGER_E_EXISTS, "a deposit is made twice");
}

void errands_sign_in(int w)
{
	struct work k = { .w = w, .open = true };
	work_done(&k);
	referee_opened(w, k.account.user);
	deposit(w, w < 4 ? 20000 : DEPOSIT_USD / (1 + w));
	if (w % 6 == 5) {
		struct work own = { .w = w, .cap_column = 30 * MICROS_PER_USD, .cap_open = 200 * MICROS_PER_USD };
		work_done(&own);
		referee_limited(w, own.cap_column, own.cap_open);
	}
}

/* The wallet's request; what was asked for earlier is paid out, or given back. */
static void withdraw(int w)
{
	struct work *k = &errands.withdrawal;
	if (k->made.state == WITHDRAW_REQUESTED) {
		k->withdraws = false;
		k->decides = true;
		k->approves = one_in(2);
		work_done(k);
		if (!k->approves)
			referee_posted(k->w, k->asked.amount.micros);
		errands.withdrawals++;
	}
	*k = (struct work){ .w = w, .withdraws = true, .asked = { .wallet = referee_wallet(w), .to = referee_wallet(w), .chain_id = 1,
		.amount = money_of((1 + (int64_t) dice(100)) * MICROS_PER_USD), .timestamp_s = sim_wall_ms(PROC_API) / 1000 } };
	wallet_format(k->asked.to_text, &k->asked.to);
	memcpy(k->asked.nonce, &sim.true_ms, sizeof sim.true_ms);
	int expected = referee_withdraws(w, k->asked.amount.micros), x = work(k);
	MUST(x == expected || (expected == 0 && x == WITHDRAW_E_REPLAYED), "wallet %d's withdrawal answers %d, must be %d", w, x, expected);
	if (expected == 0)
		referee_posted(w, -k->asked.amount.micros);
	else
		k->made.state = WITHDRAW_REJECTED;
}

void errands_run(void)
{
	int w = (int) dice(WALLETS);
	if (w % 8 != 7 && referee_balance(w) < 50 * MICROS_PER_USD && one_in(4)) /* some stay poor */
		deposit(w, 1 + (int64_t) dice(DEPOSIT_USD));
	if (one_in(100))
		withdraw(w);
	if (one_in(3000)) {
		struct work k = { .w = w, .suspend = true, .suspended = one_in(3) };
		work_done(&k);
		referee_suspended(w, k.suspended);
	}
}

void errands_after_death(void)
{
	struct work k = { .w = (int) dice(WALLETS), .micros = MICROS_PER_USD };
	(void) snprintf(k.ref, sizeof k.ref, "deposit-%" PRId64, ++errands.deposits);
	int x = work(&k);
	MUST(x == 0 || x == LEDGER_E_EXISTS, "a deposit answers %d", x);
	referee_api_restarted(); /* what was not answered came before this */
	referee_posted(k.w, k.micros);
}
