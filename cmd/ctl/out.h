/* out.h - one answer, as JSON for machines or as lines for people, from the same calls. Nothing is printed before out_print.
 * Members stand in the order of the calls. Text: `name: value` a line; a list's rows are one line each, `name=value`.
 * One owner. Bound: OUT_MAX bytes. */
#ifndef TAP_CTL_OUT_H
#define TAP_CTL_OUT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "attr.h"
#include "buf.h"
#include "json.h"

enum { OUT_MAX = 64 << 20 };

struct out {
	bool json;
	struct buf b;
	struct json_out w;
	int depth;     /* groups that are open */
	bool in_row, first;
};

void out_begin(struct out *o, bool json);
void out_int(struct out *o, const char *name, int64_t v);
void out_money(struct out *o, const char *name, int64_t micros); /* JSON: micro-USD; text: dollars */
void out_time(struct out *o, const char *name, int64_t ms);      /* JSON: ms; text: RFC 3339; 0: null, "-" */
void out_text(struct out *o, const char *name, const char *v);   /* NULL: null, "-" */
void out_bool(struct out *o, const char *name, bool v);
/* A JSON value as it stands; in text it is left out. */
void out_json(struct out *o, const char *name, const char *json, size_t n);
void out_group(struct out *o, const char *name);
void out_end_group(struct out *o);
void out_list(struct out *o, const char *name);
void out_row(struct out *o);
void out_end_row(struct out *o);
void out_end_list(struct out *o);
/* A remark for people; JSON leaves it out. */
PRINTF_LIKE(2, 3) void out_say(struct out *o, const char *fmt, ...);
/* Ends the answer and writes it: false when it could not be written whole. */
MUST_CHECK bool out_print(struct out *o, FILE *to);
void out_free(struct out *o);

#endif
