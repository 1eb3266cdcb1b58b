/* archiver.h - the archiver as a daemon: what the skeleton calls, and what operators see. The work runs on jobs' thread. */
#ifndef TAP_ARCHIVER_H
#define TAP_ARCHIVER_H

#include <stdbool.h>
#include <stdio.h>

#include "buf.h"
#include "ops.h"
#include "settings.h"

int archiver_check(const struct settings *s, FILE *report);
int archiver_start(const struct settings *s);
int archiver_turn(void);
void archiver_stop(void);
bool archiver_alive(void);
void archiver_health(struct ops_health *h, void *u);
bool archiver_ready(void *u);
void archiver_metrics(struct buf *out, void *u);

#endif
