/* A list call's query string, from the request's target to the page that is asked of the book: refused with a sentence, or within
 * every bound that the contract names. */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "httpd_impl.h"
#include "query.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_numbers(const struct httpd_req *req)
{
	static const char *const names[] = { "from", "to", "limit", "t0" };
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const char *text = httpd_query(req, names[i]);
		int64_t v = -7;
		bool good = query_number(req, names[i], &v);
		CHECK(text || (good && v == -7));
		CHECK(!text || !good || (v >= 0 && strspn(text, "0123456789") == strlen(text) && *text));
		CHECK(good || v == -7);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char path[] = "/api/v1/bets?";
	struct list_query q;
	struct httpd_req req = { .n_set = 0 };
	char *text = malloc(sizeof path + size);
	CHECK(text);
	memcpy(text, path, sizeof path - 1);
	if (size)
		memcpy(text + sizeof path - 1, data, size);
	text[sizeof path - 1 + size] = '\0';
	if (target_parse(&req.target, text)) {
		check_numbers(&req);
		const char *cursor = httpd_query(&req, "cursor");
		if (!query_read_list(&req, &q)) {
			CHECK(httpd_query_ok(&req) && q.from_ms >= 0 && q.from_ms <= q.to_ms);
			CHECK(q.limit >= 1 && q.limit <= LIST_LIMIT_MAX);
			CHECK(cursor ? q.before_row >= 1 && cursor[0] == 'r' : q.before_row == 0);
		}
	}
	free(text);
	return 0;
}
