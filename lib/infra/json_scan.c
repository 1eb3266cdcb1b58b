#include "json.h"

#include <string.h>

#include "json_impl.h"

struct scan {
	const unsigned char *p, *end;
	struct buf *out;
	const char *why; /* set by the first thing that is wrong */
};

static bool wrong(struct scan *s, const char *why)
{
	if (!s->why)
		s->why = why;
	return false;
}

static int peek(const struct scan *s)
{
	return s->p < s->end ? *s->p : -1;
}

static void skip_space(struct scan *s)
{
	while (s->p < s->end && (*s->p == ' ' || *s->p == '\t' || *s->p == '\n' || *s->p == '\r'))
		s->p++;
}

/* Table 3-7 of the Unicode standard: no overlong forms, no surrogates, nothing above U+10FFFF. */
size_t json_utf8(const unsigned char *p, size_t n)
{
	unsigned char low = 0x80, high = 0xbf;
	size_t len;
	if (p[0] < 0x80)
		return 1;
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	len = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (p[0] == 0xe0)
		low = 0xa0;
	else if (p[0] == 0xed)
		high = 0x9f;
	else if (p[0] == 0xf0)
		low = 0x90;
	else if (p[0] == 0xf4)
		high = 0x8f;
	if (len > n || p[1] < low || p[1] > high)
		return 0;
	for (size_t i = 2; i < len; i++)
		if (p[i] < 0x80 || p[i] > 0xbf)
			return 0;
	return len;
}

/* The four digits behind \u, or -1. */
static int hex4(const struct scan *s, const unsigned char *at)
{
	int v = 0;
	if (s->end - at < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		int c = at[i];
		int digit = c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
		if (digit < 0)
			return -1;
		v = v << 4 | digit;
	}
	return v;
}

/* At the u of an escape; leaves p behind it, and behind its second half when it is a pair. */
static bool scan_unicode(struct scan *s)
{
	int v = hex4(s, s->p + 1);
	if (v < 0)
		return wrong(s, "an escape \\u needs four hex digits");
	if (v == 0)
		return wrong(s, "a string holds the character U+0000");
	s->p += 5;
	if (v >= 0xdc00 && v <= 0xdfff)
		return wrong(s, "a string holds half of a surrogate pair");
	if (v >= 0xd800 && v <= 0xdbff) {
		int second = s->end - s->p >= 6 && s->p[0] == '\\' && s->p[1] == 'u' ? hex4(s, s->p + 2) : -1;
		if (second < 0xdc00 || second > 0xdfff)
			return wrong(s, "a string holds half of a surrogate pair");
		s->p += 6;
	}
	return true;
}

static bool scan_escape(struct scan *s)
{
	s->p++;
	switch (peek(s)) {
	case '"':
	case '\\':
	case '/':
	case 'b':
	case 'f':
	case 'n':
	case 'r':
	case 't':
		s->p++;
		return true;
	case 'u':
		return scan_unicode(s);
	default:
		return wrong(s, "there is no such escape in a string");
	}
}

/* At the opening quote. A value is marked, a member's name is not. */
static bool scan_string(struct scan *s, bool is_value)
{
	const unsigned char *inside = ++s->p;
	for (;;) {
		int c = peek(s);
		if (c < 0)
			return wrong(s, "a string has no end");
		if (c == '"')
			break;
		if (c < 0x20)
			return wrong(s, "a string holds a control character that is not escaped");
		if (c == '\\') {
			if (!scan_escape(s))
				return false;
			continue;
		}
		size_t len = json_utf8(s->p, (size_t) (s->end - s->p));
		if (len == 0)
			return wrong(s, "a string is not UTF-8");
		s->p += len;
	}
	buf_putc(s->out, '"');
	if (is_value)
		buf_putc(s->out, JSON_MARK_TEXT);
	buf_put(s->out, inside, (size_t) (s->p - inside));
	buf_putc(s->out, '"');
	s->p++;
	return true;
}

static size_t skip_digits(struct scan *s)
{
	const unsigned char *from = s->p;
	while (s->p < s->end && *s->p >= '0' && *s->p <= '9')
		s->p++;
	return (size_t) (s->p - from);
}

static bool scan_number(struct scan *s)
{
	const unsigned char *from = s->p;
	if (peek(s) == '-')
		s->p++;
	bool zero = peek(s) == '0';
	size_t digits = skip_digits(s);
	if (digits == 0 || (zero && digits > 1))
		return wrong(s, "a number is not well formed");
	if (peek(s) == '.') {
		s->p++;
		if (skip_digits(s) == 0)
			return wrong(s, "a number is not well formed");
	}
	if (peek(s) == 'e' || peek(s) == 'E') {
		s->p++;
		if (peek(s) == '+' || peek(s) == '-')
			s->p++;
		if (skip_digits(s) == 0)
			return wrong(s, "a number is not well formed");
	}
	buf_putc(s->out, '"');
	buf_putc(s->out, JSON_MARK_NUMBER);
	buf_put(s->out, from, (size_t) (s->p - from));
	buf_putc(s->out, '"');
	return true;
}

static bool scan_word(struct scan *s, const char *word)
{
	size_t n = strlen(word);
	if ((size_t) (s->end - s->p) < n || memcmp(s->p, word, n) != 0)
		return wrong(s, "a value is expected");
	s->p += n;
	buf_put(s->out, word, n);
	return true;
}

static bool scan_value(struct scan *s, int depth);

static bool scan_member(struct scan *s, int depth)
{
	if (peek(s) != '"')
		return wrong(s, "a member's name is expected");
	if (!scan_string(s, false))
		return false;
	skip_space(s);
	if (peek(s) != ':')
		return wrong(s, "a colon is expected");
	s->p++;
	buf_putc(s->out, ':');
	return scan_value(s, depth);
}

/* At the opening bracket of an array or an object. */
static bool scan_container(struct scan *s, int depth)
{
	bool object = *s->p++ == '{';
	int close = object ? '}' : ']';
	if (depth > JSON_DEPTH_MAX)
		return wrong(s, "the nesting is too deep");
	buf_putc(s->out, object ? '{' : '[');
	skip_space(s);
	for (int n = 1; peek(s) != close; n++) {
		if (object && n > JSON_MEMBERS_MAX)
			return wrong(s, "an object has too many members");
		if (!(object ? scan_member(s, depth) : scan_value(s, depth)))
			return false;
		if (peek(s) == close)
			break;
		if (peek(s) != ',')
			return wrong(s, "a comma or a closing bracket is expected");
		s->p++;
		buf_putc(s->out, ',');
		skip_space(s);
		if (peek(s) == close)
			return wrong(s, "nothing follows a comma");
	}
	s->p++;
	buf_putc(s->out, (char) close);
	return true;
}

/* A value with the space around it; depth is that of what holds it. */
static bool scan_value(struct scan *s, int depth)
{
	bool ok;
	skip_space(s);
	switch (peek(s)) {
	case '{':
	case '[':
		ok = scan_container(s, depth + 1);
		break;
	case '"':
		ok = scan_string(s, true);
		break;
	case 't':
		ok = scan_word(s, "true");
		break;
	case 'f':
		ok = scan_word(s, "false");
		break;
	case 'n':
		ok = scan_word(s, "null");
		break;
	case '-':
	case '0' ... '9':
		ok = scan_number(s);
		break;
	default:
		ok = wrong(s, "a value is expected");
		break;
	}
	if (ok)
		skip_space(s);
	return ok;
}

const char *json_scan(struct buf *out, const char *text, size_t len)
{
	const unsigned char *p = (const unsigned char *) text;
	struct scan s = { .p = p, .end = p + len, .out = out };
	if (!scan_value(&s, 0))
		return s.why;
	return s.p == s.end ? NULL : "something follows the value";
}
