#include "err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static _Thread_local char text[ERR_TEXT_MAX];

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

int err_trace_at(int r, const char *file, int line)
{
	if (r < 0) {
		size_t n = strlen(text);
		(void) snprintf(text + n, sizeof text - n, " <%s:%d>", base_name(file), line);
	}
	return r;
}

int (err_say)(int r, const char *fmt, ...) /* cmake/analyzer.h has a macro of that name */
{
	va_list ap;
	va_start(ap, fmt);
	(void) vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	return r;
}

const char *err_text(void)
{
	return text;
}

void err_clear(void)
{
	text[0] = '\0';
}
