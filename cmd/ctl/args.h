/* args.h - the command line against the verbs' usage lines. */
#ifndef TAP_CTL_ARGS_H
#define TAP_CTL_ARGS_H

#include "ctl.h"

enum args { ARGS_VERB, ARGS_HELP, ARGS_VERSION, ARGS_WRONG };

/* Begins c->out, sets c->verb and c->args. ARGS_WRONG: said on stderr. */
enum args args_read(struct ctl *c, int argc, char **argv, const struct ctl_verb *verbs);

#endif
