#include "log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "clk.h"
#include "err.h"

enum { LINE_MAX_BYTES = 2048, MESSAGE_MAX_BYTES = 1024 };

static const char *component = "tap";
static enum log_level most_verbose = LOG_LEVEL_INFO;
static log_sink_fn *sink;
static atomic_ulong counts[LOG_LEVEL_DEBUG + 1];

static const char *const level_names[] = {
	[LOG_LEVEL_CRIT] = "crit", [LOG_LEVEL_ERR] = "err", [LOG_LEVEL_WARN] = "warning",
	[LOG_LEVEL_NOTICE] = "notice", [LOG_LEVEL_INFO] = "info", [LOG_LEVEL_DEBUG] = "debug",
};

void log_init(const char *name, enum log_level verbose)
{
	component = name;
	most_verbose = verbose;
}

void log_set_sink(log_sink_fn *fn)
{
	sink = fn;
}

unsigned long log_count(enum log_level level)
{
	return atomic_load(&counts[level]);
}

/* Appends s as the inside of a JSON string; stops, whole characters only, where the line would not fit. */
static size_t put_escaped(char *line, size_t at, const char *s)
{
	for (; *s && at + 8 < LINE_MAX_BYTES; s++) {
		unsigned char c = (unsigned char) *s;
		if (c == '"' || c == '\\') {
			line[at++] = '\\';
			line[at++] = (char) c;
		} else if (c < 0x20 || c == 0x7f) {
			at += (size_t) snprintf(line + at, LINE_MAX_BYTES - at, "\\u%04x", c);
		} else {
			line[at++] = (char) c;
		}
	}
	return at;
}

static size_t put_member(char *line, size_t at, const char *key, const char *value)
{
	if (!value || at + strlen(key) + 8 >= LINE_MAX_BYTES)
		return at;
	at += (size_t) snprintf(line + at, LINE_MAX_BYTES - at, ",\"%s\":\"", key);
	at = put_escaped(line, at, value);
	line[at++] = '"';
	return at;
}

static void write_json_line(enum log_level level, const struct log_ctx *ctx, const char *message)
{
	char line[LINE_MAX_BYTES + 16];
	size_t at = (size_t) snprintf(line, LINE_MAX_BYTES, "{\"t\":%lld,\"level\":\"%s\",\"component\":\"%s\"",
			(long long) clk_now_ms(), level_names[level], component);
	if (ctx) {
		at = put_member(line, at, "request_id", ctx->request_id);
		at = put_member(line, at, "bet_id", ctx->bet_id);
		at = put_member(line, at, "wallet", ctx->wallet);
	}
	at = put_member(line, at, "msg", message);
	line[at++] = '}';
	line[at++] = '\n';
	ssize_t unused = write(STDERR_FILENO, line, at); /* nowhere to tell that the log is gone */
	(void) unused;
}

static void emit(enum log_level level, const struct log_ctx *ctx, const char *message)
{
	atomic_fetch_add_explicit(&counts[level], 1, memory_order_relaxed);
	if (level > most_verbose)
		return;
	if (sink)
		sink(level, component, ctx, message);
	else
		write_json_line(level, ctx, message);
}

bool log_wants(enum log_level level)
{
	return level <= most_verbose;
}

PRINTF_LIKE(3, 0) static void emit_format(enum log_level level, const struct log_ctx *ctx, const char *fmt, va_list ap)
{
	char message[MESSAGE_MAX_BYTES];
	(void) vsnprintf(message, sizeof message, fmt, ap);
	emit(level, ctx, message);
}

void log_msg(enum log_level level, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	emit_format(level, NULL, fmt, ap);
	va_end(ap);
}

void log_with(enum log_level level, const struct log_ctx *ctx, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	emit_format(level, ctx, fmt, ap);
	va_end(ap);
}

PRINTF_LIKE(3, 0) static void emit_errno(int r, const struct log_ctx *ctx, const char *fmt, va_list ap)
{
	char message[MESSAGE_MAX_BYTES];
	char reason[128];
	int n = vsnprintf(message, sizeof message, fmt, ap);
	if (n > 0 && (size_t) n < sizeof message) {
		size_t at = (size_t) n;
		(void) snprintf(message + at, sizeof message - at, ": %s%s%s",
				r < 0 ? strerror_r(-r, reason, sizeof reason) : "unexpected result",
				*err_text() ? ": " : "", err_text());
	}
	err_clear();
	emit(LOG_LEVEL_ERR, ctx, message);
}

int log_errno(int r, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	emit_errno(r, NULL, fmt, ap);
	va_end(ap);
	return r;
}

int log_errno_with(int r, const struct log_ctx *ctx, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	emit_errno(r, ctx, fmt, ap);
	va_end(ap);
	return r;
}
