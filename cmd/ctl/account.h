/* account.h - the account that --wallet names, for verbs that show it or change it. */
#ifndef TAP_CTL_ACCOUNT_H
#define TAP_CTL_ACCOUNT_H

#include "ctl.h"
#include "ledger.h"

/* The book stays open until account_leave, the transaction until the week is committed or closed. */
struct account_of {
	struct week *w;
	struct store *db;
	char wallet[WALLET_TEXT_SIZE];
	struct account account;
};

/* Both: 0, or the exit code after ctl_fail. */
MUST_CHECK int account_read(struct ctl *c, struct account_of *ret);
/* For a change: `<verb> wallet=<W><more>` goes into the audit log first, and after it that there is no account, when there is none. */
MUST_CHECK int account_write(struct ctl *c, const char *more, struct account_of *ret);
/* Ends a change whose last step answered r: 0, or the exit code. */
MUST_CHECK int account_commit(struct ctl *c, struct account_of *a, int r);
void account_leave(struct account_of *a); /* also of one that is zeros */

#endif
