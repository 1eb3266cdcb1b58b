/* sessions.h - ends the sessions of a wallet, and their sockets with them. Never fails loudly: what Redis lost is over anyway. */
#ifndef TAP_CTL_SESSIONS_H
#define TAP_CTL_SESSIONS_H

#include <stdint.h>

#include "ctl.h"

/* How many were ended. When Redis is away it says so on stderr. */
int64_t sessions_end(struct ctl *c, const struct wallet *wallet);

#endif
