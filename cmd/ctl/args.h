/* args.h - the command line against the verbs' usage lines. */
#ifndef TAP_CTL_ARGS_H
#define TAP_CTL_ARGS_H

#include "ctl.h"

enum args { ARGS_VERB, ARGS_HELP, ARGS_MANUAL, ARGS_COMPLETION, ARGS_VERSION, ARGS_WRONG };

/* Begins c->out, sets c->verb, c->asked and c->args. ARGS_HELP: about c->asked, a verb or the first word of several; "" for all.
 * ARGS_WRONG: said on stderr. */
enum args args_read(struct ctl *c, int argc, char **argv, const struct ctl_verb *verbs);

#endif
