/* tell.h - a change of a balance, spoken after its commit. Redis may be away: the change stands, and the page sees it later. */
#ifndef TAP_CTL_TELL_H
#define TAP_CTL_TELL_H

#include "ctl.h"
#include "ledger.h"

void tell_balance(struct ctl *c, const struct account *a, enum ledger_ref why);

#endif
