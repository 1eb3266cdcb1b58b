#include "query.h"

#include <stdio.h>
#include <string.h>

#include "api.h"

/* A cursor is the row after which the next page begins, under a letter that names its form. */
static const char cursor_form = 'r';

bool number_parse(int64_t *ret, const char *text)
{
	int64_t v = 0;
	if (!*text)
		return false;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return false;
		if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, *text - '0', &v))
			return false;
	}
	*ret = v;
	return true;
}

bool query_number(const struct httpd_req *req, const char *name, int64_t *ret)
{
	const char *text = httpd_query(req, name);
	return !text || number_parse(ret, text);
}

const char *query_read_list(const struct httpd_req *req, struct list_query *q)
{
	int64_t limit = LIST_LIMIT;
	const char *cursor = httpd_query(req, "cursor");

	*q = (struct list_query){ .from_ms = 0, .to_ms = INT64_MAX };
	if (!httpd_query_ok(req))
		return "The query is not well encoded, or names something twice.";
	if (!query_number(req, "from", &q->from_ms) || !query_number(req, "to", &q->to_ms))
		return "from and to are milliseconds since the Unix epoch.";
	if (q->from_ms > q->to_ms)
		return "from must not be after to.";
	if (!query_number(req, "limit", &limit) || limit < 1 || limit > LIST_LIMIT_MAX)
		return "limit is 1 to 500.";
	q->limit = (size_t) limit;
	if (cursor && (cursor[0] != cursor_form || !number_parse(&q->before_row, cursor + 1) || q->before_row < 1))
		return "cursor is none that was given out.";
	return NULL;
}

bool query_list(struct httpd_req *req, struct list_query *ret)
{
	const char *wrong = query_read_list(req, ret);
	if (wrong)
		api_malformed(req, wrong);
	return !wrong;
}

void write_cursor(struct json_out *w, bool more, int64_t last_row)
{
	char text[24];
	if (!more) {
		jw_null(w, "next_cursor");
		return;
	}
	(void) snprintf(text, sizeof text, "%c%lld", cursor_form, (long long) last_row);
	jw_str(w, "next_cursor", text);
}

void write_archived(struct json_out *w, const struct week_missing *missing)
{
	jw_array(w, "archived_weeks");
	for (size_t i = 0; i < missing->n; i++) {
		char label[WEEK_LABEL_SIZE];
		week_label(label, missing->weeks[i]);
		jw_str(w, NULL, label);
	}
	jw_end_array(w);
}
