/* nearest.h - the verb that somebody meant. */
#ifndef TAP_CTL_NEAREST_H
#define TAP_CTL_NEAREST_H

#include "ctl.h"

/* The verb with the fewest letters to change, add, take away or swap; NULL when that would be more than a third of them. */
const char *nearest_verb(const struct ctl_verb *verbs, const char *said);

#endif
