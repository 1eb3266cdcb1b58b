/* hex.h - bytes and their hex text. Base floor. Thread: any. */
#ifndef TAP_HEX_H
#define TAP_HEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attr.h"

/* 0 to 15 for a digit of either case, -1 for any other character. */
int hex_digit(char c);

/* Lower case, no prefix; out holds 2 * n characters and a NUL. */
void hex_encode(char *out, const uint8_t *bytes, size_t n);

/* Exactly 2 * n hex digits of either case from text (which need not end there); false leaves out undefined. */
MUST_CHECK bool hex_decode(uint8_t *out, size_t n, const char *text);

/* The same with the prefix 0x and nothing behind: text has len characters. */
MUST_CHECK bool hex_decode_0x(uint8_t *out, size_t n, const char *text, size_t len);

#endif
