/* api_proc.h - the api's process: intake's own door, writer, exposure and book, without its threads: what waits is done in the
 * caller's. Who announces is the referee's ear. */
#ifndef TAP_SIM_API_PROC_H
#define TAP_SIM_API_PROC_H

#include <stdbool.h>
#include <stddef.h>

#include "intake.h"

void api_proc_start(const struct settings *s, const struct intake_market *market);
void api_proc_stop(void); /* also after a kill */
bool api_proc_up(void);
/* All in one turn of the writer: each has its answer. False: the process died of it. */
bool api_proc_run(struct intake_tap *taps, size_t n);
/* One job: its result, or -EIO when the process died of it (ret_alive). */
int api_proc_job(struct intake_job *job, bool *ret_alive);

/* What was said of confirmed bets since it was asked last, oldest first. */
struct said {
	int64_t balance, seq;
};
size_t api_proc_said(struct said *ret, size_t max);

#endif
