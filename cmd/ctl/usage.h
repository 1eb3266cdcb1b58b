/* usage.h - a verb's usage line, one item at a time: what reads the arguments, writes the help and completes the words. */
#ifndef TAP_CTL_USAGE_H
#define TAP_CTL_USAGE_H

#include <stdbool.h>

enum { USAGE_WORD_MAX = 24 };

struct usage_item {
	char name[USAGE_WORD_MAX]; /* an option's, without --; "" for a positional one */
	char arg[USAGE_WORD_MAX];  /* what its value is called; "" for a flag */
	bool optional;
};

/* Takes the item that *at points to and goes on behind it; false at the end of the line. */
bool usage_next(const char **at, struct usage_item *ret);

#endif
