#include "json.h"

#include <string.h>

#include "json_impl.h"

/* A run of plain bytes goes out at once; what JSON forbids is escaped, and what is not UTF-8 becomes U+FFFD, so that what we
 * send can always be read. */
static void put_text(struct buf *b, const char *text)
{
	static const char short_forms[0x20] = { ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r' };
	const unsigned char *p = (const unsigned char *) text, *end = p + strlen(text), *plain = p;
	buf_putc(b, '"');
	while (p < end) {
		size_t len = json_utf8(p, (size_t) (end - p));
		if (len && *p >= 0x20 && *p != '"' && *p != '\\') {
			p += len;
			continue;
		}
		buf_put(b, plain, (size_t) (p - plain));
		if (len == 0)
			buf_puts(b, "\xef\xbf\xbd");
		else if (*p >= 0x20)
			buf_printf(b, "\\%c", *p);
		else if (short_forms[*p])
			buf_printf(b, "\\%c", short_forms[*p]);
		else
			buf_printf(b, "\\u%04x", *p);
		plain = ++p;
	}
	buf_put(b, plain, (size_t) (p - plain));
	buf_putc(b, '"');
}

/* What stands before any value: the comma and the name. */
static void begin_value(struct json_out *w, const char *name)
{
	if (w->comma)
		buf_putc(w->b, ',');
	w->comma = true;
	if (name) {
		put_text(w->b, name);
		buf_putc(w->b, ':');
	}
}

void jw_begin(struct json_out *w, struct buf *b)
{
	*w = (struct json_out){ .b = b };
}

static void open_with(struct json_out *w, const char *name, char bracket)
{
	begin_value(w, name);
	buf_putc(w->b, bracket);
	w->comma = false;
}

static void close_with(struct json_out *w, char bracket)
{
	buf_putc(w->b, bracket);
	w->comma = true;
}

void jw_object(struct json_out *w, const char *name)
{
	open_with(w, name, '{');
}

void jw_array(struct json_out *w, const char *name)
{
	open_with(w, name, '[');
}

void jw_end_object(struct json_out *w)
{
	close_with(w, '}');
}

void jw_end_array(struct json_out *w)
{
	close_with(w, ']');
}

void jw_int(struct json_out *w, const char *name, int64_t v)
{
	begin_value(w, name);
	buf_put_i64(w->b, v);
}

void jw_str(struct json_out *w, const char *name, const char *v)
{
	begin_value(w, name);
	if (v)
		put_text(w->b, v);
	else
		buf_puts(w->b, "null");
}

void jw_bool(struct json_out *w, const char *name, bool v)
{
	begin_value(w, name);
	buf_puts(w->b, v ? "true" : "false");
}

void jw_null(struct json_out *w, const char *name)
{
	begin_value(w, name);
	buf_puts(w->b, "null");
}

void jw_raw(struct json_out *w, const char *name, const char *json, size_t n)
{
	begin_value(w, name);
	buf_put(w->b, json, n);
}
