#include "out.h"

#include <inttypes.h>
#include <stdarg.h>

#include "clk.h"
#include "money.h"

void out_begin(struct out *o, bool json)
{
	*o = (struct out){ .json = json, .b = BUF_INIT(OUT_MAX) };
	if (json) {
		jw_begin(&o->w, &o->b);
		jw_object(&o->w, NULL);
	}
}

static void text_indent(struct out *o)
{
	for (int i = 0; i < o->depth; i++)
		buf_puts(&o->b, "  ");
}

/* What stands before a value, and after it. */
static void text_name(struct out *o, const char *name)
{
	if (o->in_row) {
		buf_puts(&o->b, o->first ? "" : "  ");
		o->first = false;
		buf_printf(&o->b, "%s=", name);
		return;
	}
	text_indent(o);
	buf_printf(&o->b, "%s: ", name);
}

static void text_end(struct out *o)
{
	if (!o->in_row)
		buf_putc(&o->b, '\n');
}

PRINTF_LIKE(3, 4) static void text_value(struct out *o, const char *name, const char *fmt, ...)
{
	char value[512];
	va_list ap;
	va_start(ap, fmt);
	(void) vsnprintf(value, sizeof value, fmt, ap);
	va_end(ap);
	text_name(o, name);
	buf_puts(&o->b, value);
	text_end(o);
}

void out_int(struct out *o, const char *name, int64_t v)
{
	if (o->json)
		jw_int(&o->w, name, v);
	else
		text_value(o, name, "%" PRId64, v);
}

void out_money(struct out *o, const char *name, int64_t micros)
{
	if (o->json) {
		jw_int(&o->w, name, micros);
		return;
	}
	uint64_t size = micros < 0 ? 0 - (uint64_t) micros : (uint64_t) micros;
	text_value(o, name, "%s%" PRIu64 ".%06" PRIu64 " USD", micros < 0 ? "-" : "", size / MICROS_PER_USD,
			size % MICROS_PER_USD);
}

void out_time(struct out *o, const char *name, int64_t ms)
{
	char stamp[CLK_RFC3339_SIZE] = "-";
	if (o->json && ms)
		jw_int(&o->w, name, ms);
	else if (o->json)
		jw_null(&o->w, name);
	if (o->json)
		return;
	if (ms)
		clk_rfc3339(stamp, ms);
	text_value(o, name, "%s", stamp);
}

void out_text(struct out *o, const char *name, const char *v)
{
	if (o->json)
		jw_str(&o->w, name, v);
	else
		text_value(o, name, "%s", v ? v : "-");
}

void out_bool(struct out *o, const char *name, bool v)
{
	if (o->json)
		jw_bool(&o->w, name, v);
	else
		text_value(o, name, "%s", v ? "yes" : "no");
}

void out_json(struct out *o, const char *name, const char *json, size_t n)
{
	if (o->json)
		jw_raw(&o->w, name, json, n);
}

void out_group(struct out *o, const char *name)
{
	if (o->json) {
		jw_object(&o->w, name);
	} else {
		text_indent(o);
		buf_printf(&o->b, "%s:\n", name);
	}
	o->depth++;
}

void out_end_group(struct out *o)
{
	o->depth--;
	if (o->json)
		jw_end_object(&o->w);
}

void out_list(struct out *o, const char *name)
{
	if (o->json)
		jw_array(&o->w, name);
}

void out_row(struct out *o)
{
	if (o->json)
		jw_object(&o->w, NULL);
	o->in_row = o->first = true;
}

void out_end_row(struct out *o)
{
	o->in_row = false;
	if (o->json)
		jw_end_object(&o->w);
	else
		buf_putc(&o->b, '\n');
}

void out_end_list(struct out *o)
{
	if (o->json)
		jw_end_array(&o->w);
}

void out_say(struct out *o, const char *fmt, ...)
{
	char text[512];
	if (o->json)
		return;
	va_list ap;
	va_start(ap, fmt);
	(void) vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	buf_puts(&o->b, text);
	buf_putc(&o->b, '\n');
}

bool out_print(struct out *o, FILE *to)
{
	if (o->json) {
		jw_end_object(&o->w);
		buf_putc(&o->b, '\n');
	}
	bool whole = !o->b.failed && (o->b.n == 0 || fwrite(o->b.p, 1, o->b.n, to) == o->b.n);
	return fflush(to) == 0 && whole;
}

void out_free(struct out *o)
{
	buf_free(&o->b);
}
