/* deposit: credits an account; adjust: corrects one, up or down, with a reason. Each once for each external id. */
#include <inttypes.h>
#include <string.h>

#include "ctl.h"
#include "ledger.h"
#include "tell.h"

struct deposit {
	struct wallet wallet;
	char wallet_text[WALLET_TEXT_SIZE];
	int64_t amount;
	const char *verb;
	enum ledger_ref type;
	const char *ref;
	bool opened, already;
	struct account account;
};

/* In the transaction: 0, or a positive result of the ledger's. */
static int post(struct ctl *c, struct store *db, struct deposit *d)
{
	bool may_open = d->type == LEDGER_DEPOSIT;
	int r = may_open ? ledger_account_open(db, &d->wallet, c->now_ms, &d->account) : ledger_account(db, &d->wallet, &d->account);
	if (r != 0 && !(may_open && r == LEDGER_E_EXISTS))
		return r;
	d->opened = may_open && r == 0;
	const struct posting p = { .user = d->account.user, .amount = { d->amount },
		.ref_type = d->type, .ref_id = d->ref, .at_ms = c->now_ms };
	r = ledger_post(db, &p, &d->account);
	d->already = r == LEDGER_E_EXISTS;
	return d->already ? 0 : r;
}

static int refuse(struct ctl *c, struct week *w, struct deposit *d, int r)
{
	int code = ctl_audit(c, w, "%s ref=%s refused", d->verb, d->ref);
	if (code)
		return code;
	switch (r) {
	case LEDGER_E_CONFLICT:
		return ctl_fail(c, EX_DATAERR, "ref %s was used before, for another wallet or amount", d->ref);
	case LEDGER_E_ABSENT:
		return ctl_fail(c, EX_NOUSER, "%s has no account", d->wallet_text);
	case LEDGER_E_FUNDS:
		return ctl_fail(c, EX_DATAERR, "the balance does not cover it");
	case LEDGER_E_OVERFLOW:
		return ctl_fail(c, EX_DATAERR, "the balance would pass 64 bits");
	default:
		return ctl_fail(c, EX_DATAERR, "the ledger refuses it (%d)", r);
	}
}

static int write_down(struct ctl *c, struct week *w, struct deposit *d)
{
	struct store *db;
	int code = ctl_audit(c, w, "%s wallet=%s amount=%" PRId64 " ref=%s", d->verb, d->wallet_text, d->amount, d->ref);
	if (code)
		return code;
	int r = week_begin(w, &db);
	if (r == 0) {
		r = post(c, db, d);
		if (r > 0) {
			week_rollback(w);
			return refuse(c, w, d, r);
		}
		if (r < 0)
			week_rollback(w);
		else
			r = week_commit(w);
	}
	if (r > 0)
		return ctl_fail(c, EX_TEMPFAIL, "the disk is full");
	if (r < 0)
		return ctl_fail_errno(c, r, d->verb);
	return d->already ? ctl_audit(c, w, "%s ref=%s was there already", d->verb, d->ref) : 0;
}

/* Printable, without blanks or quotes: an id that can be typed again. */
static bool ref_is_good(const char *ref)
{
	size_t n = strlen(ref);
	for (size_t i = 0; i < n; i++)
		if (ref[i] <= ' ' || ref[i] > '~' || ref[i] == '"' || ref[i] == '\\')
			return false;
	return n > 0 && n < LEDGER_REF_ID_MAX;
}

/* A thousand million USD: thousands of such fit into the 64 bits of every sum over accounts, so that no slip of the hand makes
 * the books unaddable for ever. */
#define AMOUNT_MOST INT64_C(1000000000000000)

static int run(struct ctl *c, struct deposit d)
{
	int code;
	d.ref = ctl_option(c, "ref");
	if (d.amount > AMOUNT_MOST || d.amount < -AMOUNT_MOST)
		return ctl_fail(c, EX_DATAERR, "--amount: at most %lld at a time", (long long) AMOUNT_MOST);
	if (!ref_is_good(d.ref))
		return ctl_fail(c, EX_USAGE, "--ref: must be 1 to %d printable characters without blanks, quotes and backslashes",
				LEDGER_REF_ID_MAX - 1);
	wallet_format(d.wallet_text, &d.wallet);
	_cleanup_(week_closep) struct week *w = ctl_book(c, STORE_WRITE, &code);
	if (!w)
		return code;
	code = write_down(c, w, &d);
	if (code)
		return code;
	if (!d.already)
		tell_balance(c, &d.account, d.type);
	if (d.already)
		out_say(&c->out, "this %s was made already; nothing was changed", d.verb);
	if (d.opened)
		out_say(&c->out, "the wallet is new: an account was opened");
	out_text(&c->out, "wallet", d.wallet_text);
	out_text(&c->out, "ref", d.ref);
	out_money(&c->out, "amount", d.amount);
	out_bool(&c->out, "already", d.already);
	out_bool(&c->out, "opened", d.opened);
	out_money(&c->out, "balance", d.account.balance.micros);
	out_int(&c->out, "seq", d.account.seq);
	return 0;
}

int verb_deposit(struct ctl *c)
{
	struct deposit d = { .verb = "deposit", .type = LEDGER_DEPOSIT };
	if (!ctl_wallet(c, &d.wallet) || !ctl_number(c, "amount", 1, INT64_MAX, 0, &d.amount))
		return EX_USAGE;
	return run(c, d);
}

int verb_adjust(struct ctl *c)
{
	struct deposit d = { .verb = "adjust", .type = LEDGER_ADJUSTMENT };
	if (!ctl_wallet(c, &d.wallet) || !ctl_number(c, "amount", -INT64_MAX, INT64_MAX, 0, &d.amount))
		return EX_USAGE;
	if (d.amount == 0)
		return ctl_fail(c, EX_USAGE, "--amount: 0 corrects nothing");
	if (strspn(ctl_option(c, "reason"), " ") == strlen(ctl_option(c, "reason")))
		return ctl_fail(c, EX_USAGE, "--reason: an adjustment must say why");
	return run(c, d);
}
