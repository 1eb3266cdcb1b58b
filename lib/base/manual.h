/* manual.h - one text of help in two forms: lines for a terminal, or a page for man(1) in the macros of man(7). Base floor.
 * --help and the manual page come from the same calls, so they cannot part. Texts are plain: what roff would take for a
 * command is escaped here. In a text an empty line begins a paragraph; a line that begins with two spaces stands as it is.
 * One owner. Nothing is kept; whether all was written is asked of the FILE at the end. */
#ifndef TAP_MANUAL_H
#define TAP_MANUAL_H

#include <stdbool.h>
#include <stdio.h>

struct manual {
	FILE *to;
	bool roff;
};

/* name and summary are the page's first line; release is what the footer names. */
void manual_begin(const struct manual *p, const char *name, const char *summary, const char *release);
void manual_section(const struct manual *p, const char *title);
void manual_text(const struct manual *p, const char *text);
/* What is typed or set, and what it means. */
void manual_item(const struct manual *p, const char *tag, const char *text);
/* Lines that stand as they are; each ends with \n. */
void manual_lines(const struct manual *p, const char *lines);

#endif
