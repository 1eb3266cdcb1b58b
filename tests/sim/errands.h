/* errands.h - what the api's writer does besides bets: sign-ins, deposits, suspensions, players' own limits, withdrawals. Whoever hears
 * no answer asks again, and is told that it was done; so each is in the book once. */
#ifndef TAP_SIM_ERRANDS_H
#define TAP_SIM_ERRANDS_H

#include <stdint.h>

/* restart: the api died of a job, and is to come back. */
typedef void errands_restart(void);
void errands_begin(errands_restart *restart);
void errands_sign_in(int w);
/* One column's, by dice. */
void errands_run(void);
/* Something is committed after a death. */
void errands_after_death(void);
int64_t errands_withdrawals(void); /* decided so far */

#endif
