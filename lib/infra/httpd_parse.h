/* httpd_parse.h - the texts of a request: its target, routes, media types. Private to httpd; pure, so that fuzzers reach it. */
#ifndef TAP_HTTPD_PARSE_H
#define TAP_HTTPD_PARSE_H

#include <stdbool.h>
#include <stddef.h>

#include "httpd.h"

enum { TARGET_MAX = 2048, QUERY_MAX = 32 };

struct target {
	const char *path; /* as sent, without the query */
	struct {
		const char *name, *value; /* decoded */
	} query[QUERY_MAX];
	size_t n_query;
	bool query_ok;
};

/* Cuts the target of a request line in place; false when it names no path. Absolute form (RFC 9112 3.2.2) is understood. */
bool target_parse(struct target *ret, char *text);
const char *target_query(const struct target *t, const char *name);

/* Undoes %XX in place. False for a broken escape or for a byte outside printable ASCII: nothing in this API needs one. */
bool percent_decode(char *text);

enum route_find { ROUTE_FOUND, ROUTE_NO_PATH, ROUTE_NO_METHOD };
enum { ALLOW_TEXT_SIZE = 96 };
/* HEAD finds the route of GET. On ROUTE_NO_METHOD allow holds the methods of the path; param holds the {name} segment. */
enum route_find route_find(const struct httpd_route *routes, const char *method, const char *path,
		const struct httpd_route **ret, char param[HTTPD_PARAM_MAX], char allow[ALLOW_TEXT_SIZE]);

/* application/json, with no charset or with UTF-8 (RFC 9110 8.3.1, RFC 8259 11). type may be NULL. */
bool media_is_json(const char *type);

/* What stands behind `Bearer `, NULL when the header is another scheme's or holds no token68 (RFC 6750 2.1). */
const char *bearer_of(const char *authorization);

#endif
