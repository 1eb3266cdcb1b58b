/* buf.h - bounded, growing bytes. Base floor.
 * A write that would pass `max` or that finds no memory sets `failed` and is dropped whole; check once, at the end. p is
 * always NUL-terminated when n > 0. Zero-initialised with a max it is ready: struct buf b = BUF_INIT(4096).
 * Thread: one owner. Memory: buf_free() or _cleanup_(buf_free). */
#ifndef TAP_BUF_H
#define TAP_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attr.h"

struct buf {
	char *p;
	size_t n, cap, max;
	bool failed;
};

#define BUF_INIT(most) { .max = (most) }

void buf_put(struct buf *b, const void *bytes, size_t n);
void buf_puts(struct buf *b, const char *s);
void buf_putc(struct buf *b, char c);
void buf_put_i64(struct buf *b, int64_t v); /* decimal */
PRINTF_LIKE(2, 3) void buf_printf(struct buf *b, const char *fmt, ...);
void buf_clear(struct buf *b);              /* keeps the memory, forgets failed */
void buf_free(struct buf *b);
/* Gives the bytes to the caller (free()) and empties b; NULL when failed or empty. */
char *buf_take(struct buf *b, size_t *ret_n);

/* Big-endian integers into and out of plain bytes. */
static inline void be64_put(uint8_t out[8], uint64_t v)
{
	for (int i = 7; i >= 0; i--, v >>= 8)
		out[i] = (uint8_t) v;
}

static inline uint64_t be64_get(const uint8_t in[8])
{
	uint64_t v = 0;
	for (int i = 0; i < 8; i++)
		v = v << 8 | in[i];
	return v;
}

#endif
