/* user show, suspend, resume. */
#include "account.h"

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
	_cleanup_(account_leave) struct account_of a = { 0 };
	int code = account_read(c, &a);
	if (code == 0)
		show(c, &a.account);
	return code;
}

static int set_suspended(struct ctl *c, bool suspended)
{
	_cleanup_(account_leave) struct account_of a = { 0 };
	int code = account_write(c, "", &a);
	if (code == 0)
		code = account_commit(c, &a, ledger_suspend(a.db, a.account.user, suspended));
	if (code)
		return code;
	if (a.account.suspended == suspended)
		out_say(&c->out, "it was so already");
	a.account.suspended = suspended;
	show(c, &a.account);
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
