/* Any bytes are refused with a sentence or taken; what is taken is written again and read again as the same document. */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "json.h"

static void write_value(struct json_out *w, const char *name, const struct json_value *v);

static void write_children(struct json_out *w, const struct json_value *v)
{
	for (const struct json_value *e = json_first(v); e; e = json_next(e))
		write_value(w, NULL, e);
}

/* Names are not kept by the reader's interface, so objects are written as arrays: form and values are what is compared. */
static void write_value(struct json_out *w, const char *name, const struct json_value *v)
{
	const char *number = json_number_text(v), *text = json_string(v, NULL);
	bool b;
	int64_t i;
	CHECK(!(number && text));
	if (json_is_object(v) || json_is_array(v)) {
		jw_array(w, name);
		write_children(w, v);
		jw_end_array(w);
	} else if (json_int(v, &i) && number[strlen(number) - 1] != '0') {
		jw_int(w, name, i);
	} else if (number) {
		jw_raw(w, name, number, strlen(number));
	} else if (text) {
		jw_str(w, name, text);
	} else if (json_bool(v, &b)) {
		jw_bool(w, name, b);
	} else {
		CHECK(json_is_null(v));
		jw_null(w, name);
	}
}

static void write_document(struct buf *b, const struct json *j)
{
	struct json_out w;
	jw_begin(&w, b);
	write_value(&w, NULL, json_root(j));
	CHECK(!b->failed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct json *j = NULL, *again = NULL;
	const char *why;
	int r = json_parse(&j, (const char *) data, size, &why);
	CHECK(r == 0 ? j && !why : r == 1 && !j && why);
	if (r != 0)
		return 0;
	_cleanup_(buf_free) struct buf first = BUF_INIT(64 * size + 64), second = BUF_INIT(64 * size + 64);
	write_document(&first, j);
	CHECK(json_parse(&again, first.p, first.n, &why) == 0);
	write_document(&second, again);
	CHECK(first.n == second.n && memcmp(first.p, second.p, first.n) == 0);
	json_free(j);
	json_free(again);
	return 0;
}
