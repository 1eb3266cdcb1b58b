/* json.h - strict reading with exact integers, and a small writer; over cJSON, the one module that includes it. Infra floor.
 * Reading: RFC 8259 and nothing else (UTF-8, no BOM, no control characters in strings, no trailing bytes, depth at most
 * JSON_DEPTH_MAX), a member given twice is refused. Numbers are kept as their text, so no double ever touches money.
 * Thread: a document has one owner. Memory: json_parse gives, json_free takes; pointers into it live as long. */
#ifndef TAP_JSON_H
#define TAP_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attr.h"
#include "buf.h"

enum { JSON_DEPTH_MAX = 16, JSON_MEMBERS_MAX = 256 };

struct json;       /* a document */
struct json_value; /* a value inside one */

/* 0; 1 when the text is not what it must be, with a sentence in *why (a literal); <0 no memory. */
MUST_CHECK int json_parse(struct json **ret, const char *text, size_t len, const char **why);
struct json *json_free(struct json *j);
DEFINE_CLEANUP(struct json, json_free)

const struct json_value *json_root(const struct json *j);
bool json_is_object(const struct json_value *v);
bool json_is_array(const struct json_value *v);
/* NULL when there is none (or v is no object). */
const struct json_value *json_get(const struct json_value *v, const char *name);
size_t json_count(const struct json_value *v);
const struct json_value *json_first(const struct json_value *v); /* of an array or an object */
const struct json_value *json_next(const struct json_value *v);

/* The string's bytes, NUL-terminated and without NUL inside; NULL when v is NULL or no string. */
const char *json_string(const struct json_value *v, size_t *ret_len);
/* The spelling of a number, "-12.50"; NULL when v is NULL or no number. */
const char *json_number_text(const struct json_value *v);
/* An integer without fraction or exponent that fits int64; false otherwise. -0 is 0. */
MUST_CHECK bool json_int(const struct json_value *v, int64_t *ret);
bool json_bool(const struct json_value *v, bool *ret);
bool json_is_null(const struct json_value *v);

/* Writing: members in the order of the calls; the caller opens and closes. Commas are the writer's. */
struct json_out {
	struct buf *b;
	bool comma;
};
void jw_begin(struct json_out *w, struct buf *b);
void jw_object(struct json_out *w, const char *name); /* name NULL: as an element or the root */
void jw_array(struct json_out *w, const char *name);
void jw_end_object(struct json_out *w);
void jw_end_array(struct json_out *w);
void jw_int(struct json_out *w, const char *name, int64_t v);
void jw_str(struct json_out *w, const char *name, const char *v); /* escaped; NULL writes null */
void jw_bool(struct json_out *w, const char *name, bool v);
void jw_null(struct json_out *w, const char *name);
void jw_raw(struct json_out *w, const char *name, const char *json, size_t n); /* JSON as it stands */

#endif
