/* control.h - a unix socket that takes mischief's commands, a line each, and answers each with a line. Polled by its owner, so that
 * everything stays on one thread:  printf 'stall coinbase 15s\n' | nc -NU PATH */
#ifndef REPLAY_CONTROL_H
#define REPLAY_CONTROL_H

#include "attr.h"
#include "mischief.h"

struct control;
/* Replaces a socket that an earlier run left behind at the path. */
MUST_CHECK int control_open(struct control **ret, const char *path);
struct control *control_close(struct control *c);
/* Accepts, reads and answers what is there; never waits. */
void control_poll(struct control *c, struct mischief *m);

#endif
