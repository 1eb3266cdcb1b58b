/* referee.h - what must come of everything, by a plain model of the contract that shares no code with the product: paths, digests,
 * outcomes and payouts from the ticks that were published, answers to taps, balances, and what may be known after a crash. Each thing
 * that the product says or writes is held against it at once; the first that is otherwise ends the world (sim_fail). */
#ifndef TAP_SIM_REFEREE_H
#define TAP_SIM_REFEREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "intake.h"
#include "ledger.h"
#include "settings.h"

enum { WALLETS = 24, STRANGER = WALLETS /* one that never signed in */ };

void referee_begin(const struct settings *s, const char *dir);
void referee_end(void);
struct wallet referee_wallet(int w);
int64_t referee_balance(int w);
int referee_withdraws(int w, int64_t micros); /* what such a request must be answered: 0, WITHDRAW_E_SUSPENDED, WITHDRAW_E_FUNDS */

/* A resolver was started, and what the book had for it is known (referee_look). */
void referee_resolver_began(void);
/* The resolver asks for a column's ticks: what it will decide by is known now. */
void referee_asked(int64_t t0_s, bool answered);
void referee_history_away(void); /* it asked which columns have any, in vain */
/* It told a player of a decided bet. */
void referee_told(const struct account *a, const struct bet *b);
/* It has done something: is it in the book, and as it must be? */
void referee_look(void);

/* Each tap of a batch has its answer. may_be_undone: there was a reason for which a batch is. */
void referee_taps_done(const struct intake_tap *taps, size_t n, bool may_be_undone);
/* What an operator or the sign-in did, once it is on disk. */
void referee_opened(int w, int64_t user);
void referee_posted(int w, int64_t micros);
void referee_suspended(int w, bool suspended);
void referee_limited(int w, int64_t cap_column, int64_t cap_open);

/* The api was started again, after something was committed since: what it could not tell is asked for. */
void referee_api_restarted(void);
/* The reader of the books lets go of them, before a power cut takes effect, and comes back. */
void referee_close_books(void);
void referee_open_books(void);

/* All balances, sequences and open bets against the book. */
void referee_compare(void);
/* Every rule of every local week's book, and that they follow each other. */
void referee_audit(void);

struct referee_counts {
	int64_t columns, voids, unread, passed_over, bets, won, lost, refunded, staked, paid, unknown, results[INTAKE_UNKNOWN + 1];
};
const struct referee_counts *referee_counts(void);
int64_t referee_next_column(void); /* the first that is not recorded */

#endif
