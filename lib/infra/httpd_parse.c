#include "httpd_parse.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "hex.h"

bool percent_decode(char *text)
{
	char *out = text;
	for (const char *in = text; *in; in++) {
		int c = (unsigned char) *in;
		if (c == '%') {
			int hi = hex_digit(in[1]);
			int lo = hi < 0 ? -1 : hex_digit(in[2]);
			if (lo < 0)
				return false;
			c = hi << 4 | lo;
			in += 2;
		}
		if (c < 0x20 || c > 0x7e)
			return false;
		*out++ = (char) c;
	}
	*out = '\0';
	return true;
}

const char *target_query(const struct target *t, const char *name)
{
	for (size_t i = 0; i < t->n_query; i++)
		if (strcmp(t->query[i].name, name) == 0)
			return t->query[i].value;
	return NULL;
}

/* One name=value; in a query a plus is a space, as browsers' forms write it. */
static bool add_pair(struct target *t, char *pair)
{
	char *value = strchr(pair, '=');
	for (char *p = pair; *p; p++)
		if (*p == '+')
			*p = ' ';
	if (value)
		*value++ = '\0';
	else
		value = pair + strlen(pair);
	if (t->n_query == QUERY_MAX || !percent_decode(pair) || !percent_decode(value) || !*pair || target_query(t, pair))
		return false;
	t->query[t->n_query].name = pair;
	t->query[t->n_query++].value = value;
	return true;
}

static bool query_parse(struct target *t, char *query)
{
	while (query && *query) {
		char *next = strchr(query, '&');
		if (next)
			*next++ = '\0';
		if (!add_pair(t, query))
			return false;
		query = next;
	}
	return true;
}

bool target_parse(struct target *ret, char *text)
{
	*ret = (struct target){ .query_ok = true };
	if (strncasecmp(text, "http://", 7) == 0 || strncasecmp(text, "https://", 8) == 0) {
		text = strchr(strstr(text, "//") + 2, '/');
		if (!text)
			return false;
	}
	if (*text != '/')
		return false;
	ret->path = text;
	char *query = strchr(text, '?');
	if (query)
		*query++ = '\0';
	ret->query_ok = query_parse(ret, query);
	return true;
}

/* Copies the segment at path into param; false when it is empty, too long or not well encoded. */
static bool take_param(char param[HTTPD_PARAM_MAX], const char *path, size_t n)
{
	if (n == 0 || n >= HTTPD_PARAM_MAX)
		return false;
	memcpy(param, path, n);
	param[n] = '\0';
	return percent_decode(param);
}

static bool path_matches(const char *pattern, const char *path, char param[HTTPD_PARAM_MAX])
{
	param[0] = '\0';
	while (*pattern) {
		if (*pattern == '{') {
			size_t n = strcspn(path, "/");
			if (!take_param(param, path, n))
				return false;
			path += n;
			pattern += strcspn(pattern, "}") + 1;
		} else if (*pattern++ != *path++) {
			return false;
		}
	}
	return !*path;
}

static void allow_add(char allow[ALLOW_TEXT_SIZE], const char *method)
{
	size_t n = strlen(allow);
	(void) snprintf(allow + n, ALLOW_TEXT_SIZE - n, "%s%s%s", n ? ", " : "", method,
			strcmp(method, "GET") == 0 ? ", HEAD" : "");
}

enum route_find route_find(const struct httpd_route *routes, const char *method, const char *path,
		const struct httpd_route **ret, char param[HTTPD_PARAM_MAX], char allow[ALLOW_TEXT_SIZE])
{
	const char *wanted = strcmp(method, "HEAD") == 0 ? "GET" : method;
	allow[0] = '\0';
	for (; routes->method; routes++) {
		if (!path_matches(routes->path, path, param))
			continue;
		if (strcmp(routes->method, wanted) == 0) {
			*ret = routes;
			return ROUTE_FOUND;
		}
		allow_add(allow, routes->method);
	}
	return *allow ? ROUTE_NO_METHOD : ROUTE_NO_PATH;
}

static const char *skip_blanks(const char *p)
{
	return p + strspn(p, " \t");
}

/* One `; name=value`, behind the semicolon: the value may be quoted. Moves *p behind it. */
static bool media_parameter_ok(const char **p)
{
	const char *name = skip_blanks(*p);
	size_t n = strcspn(name, "= \t;");
	if (name[n] != '=' || n == 0)
		return false;
	const char *value = name + n + 1;
	bool quoted = *value == '"';
	value += quoted;
	size_t len = strcspn(value, quoted ? "\"" : "; \t");
	if (len == 0 || (quoted && value[len] != '"'))
		return false;
	*p = skip_blanks(value + len + quoted);
	if (n != strlen("charset") || strncasecmp(name, "charset", n) != 0)
		return true;
	return len == strlen("utf-8") && strncasecmp(value, "utf-8", len) == 0;
}

bool media_is_json(const char *type)
{
	static const char json[] = "application/json";
	if (!type || strncasecmp(type, json, sizeof json - 1) != 0)
		return false;
	const char *p = skip_blanks(type + sizeof json - 1);
	while (*p == ';') {
		p++;
		if (!*skip_blanks(p))
			return true; /* a last semicolon with nothing behind it is common and harmless */
		if (!media_parameter_ok(&p))
			return false;
	}
	return !*p;
}

const char *bearer_of(const char *authorization)
{
	static const char token68[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/";
	if (!authorization || strncasecmp(authorization, "Bearer ", 7) != 0)
		return NULL;
	const char *token = authorization + 7 + strspn(authorization + 7, " ");
	size_t n = strspn(token, token68);
	return n && !token[n + strspn(token + n, "=")] ? token : NULL;
}
