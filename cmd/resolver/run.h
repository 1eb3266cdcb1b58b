/* run.h - the resolver as a daemon: what the skeleton calls, and what operators see. */
#ifndef TAP_RESOLVER_RUN_H
#define TAP_RESOLVER_RUN_H

#include <stdbool.h>

#include "buf.h"
#include "ops.h"
#include "settings.h"

int run_start(const struct settings *s);
int run_turn(void);
void run_stop(void);
void run_health(struct ops_health *h, void *u);
bool run_ready(void *u);
void run_metrics(struct buf *out, void *u);

#endif
