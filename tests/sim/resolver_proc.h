/* resolver_proc.h - the resolver's process: cmd/resolver's own step, started, killed and started again. */
#ifndef TAP_SIM_RESOLVER_PROC_H
#define TAP_SIM_RESOLVER_PROC_H

#include <stdbool.h>

#include "settings.h"

struct heard;

void resolver_proc_start(const struct settings *s);
void resolver_proc_stop(void); /* also after a kill */
bool resolver_proc_up(void);
struct heard *resolver_proc_heard(void); /* NULL while it is down */
/* Steps until nothing is due that can be decided. False: it died. */
bool resolver_proc_turn(void);

#endif
