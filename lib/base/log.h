/* log.h - one line for each thing worth telling. Base floor.
 * Without a sink, lines are JSON objects on stderr; under systemd the daemon skeleton sets a sink that sends journald fields.
 * Libraries below `daemon` stay silent and return; cmd/ and the skeleton log, once. Never log a secret, signature or token.
 * Thread: any. A line is written with one write(2). Async-signal: no. */
#ifndef TAP_LOG_H
#define TAP_LOG_H

#include <stdbool.h>
#include <stddef.h>

#include "attr.h"

enum log_level { /* syslog's numbers, as journald wants them */
	LOG_LEVEL_CRIT = 2,
	LOG_LEVEL_ERR = 3,
	LOG_LEVEL_WARN = 4,
	LOG_LEVEL_NOTICE = 5,
	LOG_LEVEL_INFO = 6,
	LOG_LEVEL_DEBUG = 7
};

/* What a line can be found by. NULL members are left out. */
struct log_ctx {
	const char *request_id;
	const char *bet_id;
	const char *wallet;
};

typedef void log_sink_fn(enum log_level level, const char *component, const struct log_ctx *ctx, const char *message);

/* component is borrowed for ever (a literal). Call once, before threads. */
void log_init(const char *component, enum log_level most_verbose);
void log_set_sink(log_sink_fn *sink);

PRINTF_LIKE(2, 3) void log_msg(enum log_level level, const char *fmt, ...);
PRINTF_LIKE(3, 4) void log_with(enum log_level level, const struct log_ctx *ctx, const char *fmt, ...);

/* Logs the message, what errno -r means and the thread's err_text(), clears that text, and returns r. */
PRINTF_LIKE(2, 3) int log_errno(int r, const char *fmt, ...);
PRINTF_LIKE(3, 4) int log_errno_with(int r, const struct log_ctx *ctx, const char *fmt, ...);

/* A line of this level would be written: asked before a line that costs something to make. */
bool log_wants(enum log_level level);

#define log_info(...)   log_msg(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_notice(...) log_msg(LOG_LEVEL_NOTICE, __VA_ARGS__)
#define log_warn(...)   log_msg(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_err(...)    log_msg(LOG_LEVEL_ERR, __VA_ARGS__)
#define log_debug(...)  log_msg(LOG_LEVEL_DEBUG, __VA_ARGS__)

/* Lines written since the start, by level at most 7: for the metric tap_log_lines_total. */
unsigned long log_count(enum log_level level);

#endif
