/* user show, suspend, resume. */
#include "book.h"
#include "ctl.h"
#include "ledger.h"

static int no_account(struct ctl *c)
{
	return ctl_fail(c, EX_NOUSER, "%s has no account", ctl_option(c, "wallet"));
}

static void show(struct ctl *c, const struct account *a)
{
	out_wallet(&c->out, "wallet", &a->wallet);
	out_int(&c->out, "user", a->user);
	out_money(&c->out, "balance", a->balance.micros);
	out_int(&c->out, "seq", a->seq);
	out_int(&c->out, "open_bets", a->open_bets);
	out_money(&c->out, "open_stake", a->open_stake.micros);
	out_bool(&c->out, "suspended", a->suspended);
	out_time(&c->out, "created_at", a->created_ms);
}

int verb_user_show(struct ctl *c)
{
	struct wallet wallet;
	struct account a;
	struct store *db;
	int code;
	if (!ctl_wallet(c, &wallet))
		return EX_USAGE;
	_cleanup_(week_closep) struct week *w = ctl_book(c, STORE_READ, &code);
	if (!w)
		return code;
	int r = week_begin(w, &db);
	if (r == 0)
		r = ledger_account(db, &wallet, &a);
	if (r == LEDGER_E_ABSENT)
		return no_account(c);
	if (r != 0)
		return ctl_fail_errno(c, r, "the account");
	show(c, &a);
	return 0;
}

static int set_suspended(struct ctl *c, bool suspended)
{
	struct wallet wallet;
	struct account a;
	struct store *db;
	char text[WALLET_TEXT_SIZE];
	int code;
	if (!ctl_wallet(c, &wallet))
		return EX_USAGE;
	wallet_format(text, &wallet);
	_cleanup_(week_closep) struct week *w = ctl_book(c, STORE_WRITE, &code);
	if (!w)
		return code;
	code = ctl_audit(c, w, "user %s wallet=%s", suspended ? "suspend" : "resume", text);
	if (code)
		return code;
	int r = week_begin(w, &db);
	if (r == 0)
		r = ledger_account(db, &wallet, &a);
	if (r == LEDGER_E_ABSENT) {
		week_rollback(w);
		code = ctl_audit(c, w, "user wallet=%s: no account", text);
		return code ? code : no_account(c);
	}
	bool was = r == 0 && a.suspended;
	if (r == 0)
		r = ledger_suspend(db, a.user, suspended);
	if (r == 0)
		r = week_commit(w);
	if (r > 0)
		return ctl_fail(c, EX_TEMPFAIL, "the disk is full");
	if (r < 0)
		return ctl_fail_errno(c, r, "the account");
	if (was == suspended)
		out_say(&c->out, "it was so already");
	a.suspended = suspended;
	show(c, &a);
	return 0;
}

int verb_user_suspend(struct ctl *c)
{
	return set_suspended(c, true);
}

int verb_user_resume(struct ctl *c)
{
	return set_suspended(c, false);
}
