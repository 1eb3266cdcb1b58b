#include "account.h"

#include <stdio.h>

static int open_book(struct ctl *c, enum store_mode mode, struct wallet *ret_wallet, struct account_of *ret)
{
	int code = 0;
	if (!ctl_wallet(c, ret_wallet))
		return EX_USAGE;
	wallet_format(ret->wallet, ret_wallet);
	ret->w = ctl_book(c, mode, &code);
	return code;
}

static int find(struct account_of *a, const struct wallet *wallet)
{
	int r = week_begin(a->w, &a->db);
	return r ? r : ledger_account(a->db, wallet, &a->account);
}

static int no_account(struct ctl *c)
{
	return ctl_fail(c, EX_NOUSER, "%s has no account", ctl_option(c, "wallet"));
}

int account_read(struct ctl *c, struct account_of *ret)
{
	struct wallet wallet;
	int code = open_book(c, STORE_READ, &wallet, ret);
	if (code)
		return code;
	int r = find(ret, &wallet);
	if (r == LEDGER_E_ABSENT)
		return no_account(c);
	return r ? ctl_fail_errno(c, r, "the account") : 0;
}

int account_write(struct ctl *c, const char *more, struct account_of *ret)
{
	struct wallet wallet;
	int code = open_book(c, STORE_WRITE, &wallet, ret);
	if (code == 0)
		code = ctl_audit(c, ret->w, "%s wallet=%s%s", c->verb->name, ret->wallet, more);
	if (code)
		return code;
	int r = find(ret, &wallet);
	if (r == LEDGER_E_ABSENT) {
		week_rollback(ret->w);
		code = ctl_audit(c, ret->w, "%s wallet=%s: no account", c->verb->name, ret->wallet);
		return code ? code : no_account(c);
	}
	return r ? ctl_fail_errno(c, r, "the account") : 0;
}

int account_commit(struct ctl *c, struct account_of *a, int r)
{
	if (r == 0)
		r = week_commit(a->w);
	if (r > 0)
		return ctl_fail(c, EX_TEMPFAIL, "the disk is full");
	return r < 0 ? ctl_fail_errno(c, r, "the account") : 0;
}

void account_leave(struct account_of *a)
{
	(void) week_close(a->w);
	a->w = NULL;
}
