/* The texts of a request: target, routes, media type, bearer. The first byte chooses; what was decoded is printable ASCII. */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "httpd_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void handle(struct httpd_req *req, void *ctx)
{
	(void) req;
	(void) ctx;
}

static const struct httpd_route routes[] = {
	{ "GET", "/api/v1/bets/{id}", handle, 0 }, { "GET", "/api/v1/bets", handle, 0 }, { "POST", "/api/v1/bets", handle, 1 },
	{ "DELETE", "/api/v1/auth/session", handle, 0 }, { "GET", "/a/{x}/b", handle, 0 }, { 0 },
};

static void check_printable(const char *text)
{
	for (; *text; text++)
		CHECK(*text >= 0x20 && *text <= 0x7e);
}

static void try_target(char *text)
{
	static const char *const methods[] = { "GET", "HEAD", "POST", "PUT" };
	struct target t;
	const struct httpd_route *route;
	char param[HTTPD_PARAM_MAX], allow[ALLOW_TEXT_SIZE];
	if (!target_parse(&t, text))
		return;
	CHECK(t.path[0] == '/' && !strchr(t.path, '?') && t.n_query <= QUERY_MAX);
	for (size_t i = 0; i < t.n_query; i++) {
		CHECK(*t.query[i].name && target_query(&t, t.query[i].name) == t.query[i].value); /* no name twice */
		check_printable(t.query[i].name);
		check_printable(t.query[i].value);
	}
	for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
		enum route_find found = route_find(routes, methods[i], t.path, &route, param, allow);
		CHECK(found != ROUTE_NO_METHOD || *allow);
		if (found == ROUTE_FOUND)
			check_printable(param);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	char *text = malloc(size);
	CHECK(text);
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	switch (data[0] % 3) {
	case 0:
		try_target(text);
		break;
	case 1:
		(void) media_is_json(text);
		break;
	default: {
		const char *token = bearer_of(text);
		if (token) {
			CHECK(*token && token >= text && token < text + size);
			check_printable(token);
		}
	}
	}
	free(text);
	return 0;
}
