/* ulid.h - 128 bit ids: 48 bits of milliseconds, 80 bits of the maker's choice. Base floor.
 * Text is 26 characters of Crockford's base 32, upper case (github.com/ulid/spec); order of text is order of time.
 * Thread: any. */
#ifndef TAP_ULID_H
#define TAP_ULID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attr.h"

enum { ULID_SIZE = 16, ULID_TEXT_SIZE = 27 };

struct ulid {
	uint8_t b[ULID_SIZE];
};

/* A fresh id: random below the time. */
struct ulid ulid_new(int64_t now_ms);
/* time_ms, then hi (16 bits) and lo (64 bits): for ids that carry a key. */
struct ulid ulid_make(int64_t time_ms, uint16_t hi, uint64_t lo);
void ulid_split(const struct ulid *u, int64_t *time_ms, uint16_t *hi, uint64_t *lo);
void ulid_format(char out[ULID_TEXT_SIZE], const struct ulid *u);
/* Upper case only, no aliases: an id has one spelling. */
MUST_CHECK bool ulid_parse(struct ulid *ret, const char *text, size_t len);

#endif
