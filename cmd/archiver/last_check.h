/* last_check.h - what the newest integrity check said, kept in a small file over restarts. */
#ifndef TAP_ARCHIVER_LAST_CHECK_H
#define TAP_ARCHIVER_LAST_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "attr.h"

/* 0; 1 when there is none (or it cannot be understood: then the book is checked anew). */
MUST_CHECK int last_check_read(const char *dir, int64_t *ret_ms, bool *ret_ok);
MUST_CHECK int last_check_write(const char *dir, int64_t ms, bool ok);

#endif
