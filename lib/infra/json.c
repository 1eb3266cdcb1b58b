#include "json.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "err.h"
#include "json_impl.h"

/* A document is its cJSON root; a value is a cJSON item. The struct names exist for the compiler's sake alone. */
static const cJSON *item_of(const struct json_value *v)
{
	return (const cJSON *) (const void *) v;
}

static const struct json_value *value_of(const cJSON *item)
{
	return (const struct json_value *) (const void *) item;
}

/* An object has at most JSON_MEMBERS_MAX members, which bounds this; recursion is bounded by JSON_DEPTH_MAX. Names are
 * compared as cJSON decoded them, so that an escaped spelling of the same name is found. */
static bool has_twice(const cJSON *item)
{
	for (const cJSON *a = item->child; a; a = a->next) {
		if (cJSON_IsObject(item))
			for (const cJSON *b = a->next; b; b = b->next)
				if (strcmp(a->string, b->string) == 0)
					return true;
		if (has_twice(a))
			return true;
	}
	return false;
}

int json_parse(struct json **ret, const char *text, size_t len, const char **why)
{
	/* The worst growth is of "[1,1,...": two bytes become five. */
	if (len > (SIZE_MAX - 64) / 4)
		return err_say(-ENOMEM, "json: a text of %zu bytes", len);
	_cleanup_(buf_free) struct buf marked = BUF_INIT(4 * len + 64);
	*why = json_scan(&marked, text, len);
	if (*why)
		return 1;
	if (marked.failed)
		return err_say(-ENOMEM, "json: no memory for a text of %zu bytes", len);
	cJSON *root = cJSON_ParseWithLength(marked.p, marked.n);
	if (!root)
		return err_say(-ENOMEM, "json: no memory for a text of %zu bytes", len);
	if (has_twice(root)) {
		cJSON_Delete(root);
		*why = "a member is given twice";
		return 1;
	}
	*ret = (struct json *) (void *) root;
	return 0;
}

struct json *json_free(struct json *j)
{
	cJSON_Delete((cJSON *) (void *) j);
	return NULL;
}

const struct json_value *json_root(const struct json *j)
{
	return (const struct json_value *) (const void *) j;
}

bool json_is_object(const struct json_value *v)
{
	return v && cJSON_IsObject(item_of(v));
}

bool json_is_array(const struct json_value *v)
{
	return v && cJSON_IsArray(item_of(v));
}

bool json_is_null(const struct json_value *v)
{
	return v && cJSON_IsNull(item_of(v));
}

const struct json_value *json_get(const struct json_value *v, const char *name)
{
	return json_is_object(v) ? value_of(cJSON_GetObjectItemCaseSensitive(item_of(v), name)) : NULL;
}

const struct json_value *json_first(const struct json_value *v)
{
	return json_is_object(v) || json_is_array(v) ? value_of(item_of(v)->child) : NULL;
}

const struct json_value *json_next(const struct json_value *v)
{
	return v ? value_of(item_of(v)->next) : NULL;
}

size_t json_count(const struct json_value *v)
{
	size_t n = 0;
	for (v = json_first(v); v; v = json_next(v))
		n++;
	return n;
}

/* What stands behind the mark, NULL when the value has another one. */
static const char *marked_text(const struct json_value *v, char mark)
{
	if (!v || !cJSON_IsString(item_of(v)))
		return NULL;
	const char *text = item_of(v)->valuestring;
	return text[0] == mark ? text + 1 : NULL;
}

const char *json_string(const struct json_value *v, size_t *ret_len)
{
	const char *text = marked_text(v, JSON_MARK_TEXT);
	if (ret_len)
		*ret_len = text ? strlen(text) : 0;
	return text;
}

const char *json_number_text(const struct json_value *v)
{
	return marked_text(v, JSON_MARK_NUMBER);
}

bool json_int(const struct json_value *v, int64_t *ret)
{
	const char *p = json_number_text(v);
	int64_t sum = 0;
	if (!p)
		return false;
	bool negative = *p == '-';
	for (p += negative; *p; p++) {
		if (*p < '0' || *p > '9')
			return false; /* a fraction or an exponent */
		int64_t digit = negative ? -(*p - '0') : *p - '0';
		if (__builtin_mul_overflow(sum, 10, &sum) || __builtin_add_overflow(sum, digit, &sum))
			return false;
	}
	*ret = sum;
	return true;
}

bool json_bool(const struct json_value *v, bool *ret)
{
	if (!v || !cJSON_IsBool(item_of(v)))
		return false;
	*ret = cJSON_IsTrue(item_of(v));
	return true;
}
