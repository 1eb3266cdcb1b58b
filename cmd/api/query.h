/* query.h - what the list calls share: [from, to), limit, cursor, read strictly. */
#ifndef TAP_API_QUERY_H
#define TAP_API_QUERY_H

#include <stdbool.h>
#include <stdint.h>

#include "attr.h"
#include "buf.h"
#include "httpd.h"
#include "json.h"
#include "week.h"

enum { LIST_LIMIT = 50, LIST_LIMIT_MAX = 500 };

struct list_query {
	int64_t from_ms, to_ms;
	size_t limit;
	int64_t before_row; /* 0: from the newest */
};

/* A decimal number of digits alone that fits int64. */
MUST_CHECK bool number_parse(int64_t *ret, const char *text);
/* The query's number; *ret stays when it is absent. False when it is none. */
MUST_CHECK bool query_number(const struct httpd_req *req, const char *name, int64_t *ret);
/* NULL, or what is wrong. */
const char *query_read_list(const struct httpd_req *req, struct list_query *ret);
/* False: answered with malformed_request. */
MUST_CHECK bool query_list(struct httpd_req *req, struct list_query *ret);
/* "archived_weeks": weeks of the span that are no longer on this disk, newest first. */
void write_archived(struct json_out *w, const struct week_missing *missing);
/* "next_cursor": opaque text, or null when there is no more. */
void write_cursor(struct json_out *w, bool more, int64_t last_row);

#endif
