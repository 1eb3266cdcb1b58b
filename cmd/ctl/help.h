/* help.h - the verbs' table as text, as a manual page and as the shell's completion. */
#ifndef TAP_CTL_HELP_H
#define TAP_CTL_HELP_H

#include <stdio.h>

#include "ctl.h"
#include "manual.h"

/* All of it: what --help prints, and with p->roff the manual page. */
void help_all(const struct ctl_verb *verbs, const struct manual *p);
/* The verb, or the verbs that begin with the word. */
void help_about(const struct ctl_verb *verbs, const char *asked, const struct manual *p);
/* A script for bash. */
void help_completion(const struct ctl_verb *verbs, FILE *to);

/* What an option of any verb means, and the words that it takes ("" when they are not a few); NULL: no verb has it. */
struct option_help {
	const char *name, *says, *words;
};
const struct option_help *help_option(const char *name);

#endif
