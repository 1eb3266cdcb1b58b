/* check.h - a bug stops the process; weather (I/O, clients) is returned. Base floor.
 * CHECK stays on in release: a daemon that found its own state impossible must not touch money again. systemd starts it
 * anew, and the write-ahead log holds what was acknowledged. */
#ifndef TAP_CHECK_H
#define TAP_CHECK_H

#include "attr.h"

#define CHECK(c) ((c) ? (void) 0 : check_failed(#c, __FILE__, __LINE__))

/* Logs the condition with its place, then aborts. Any thread. */
NORETURN void check_failed(const char *what, const char *file, int line);

#endif
