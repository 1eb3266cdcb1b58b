#include "wsock_frames.h"

#include <string.h>
#include <strings.h>

enum { TARGET_MAX = 1024 };

size_t wsock_head_end(const char *text, size_t n)
{
	const char *at = n >= 4 ? memmem(text, n, "\r\n\r\n", 4) : NULL;
	return at ? (size_t) (at - text) + 4 : 0;
}

struct span {
	const char *p;
	size_t n;
};

static bool is(struct span s, const char *word)
{
	return s.n == strlen(word) && strncasecmp(s.p, word, s.n) == 0;
}

static bool is_exactly(struct span s, const char *word)
{
	return s.n == strlen(word) && memcmp(s.p, word, s.n) == 0;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static struct span trim(struct span s)
{
	while (s.n && is_blank(s.p[0])) {
		s.p++;
		s.n--;
	}
	while (s.n && is_blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

/* RFC 9110 5.6.2 */
static bool is_token(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
		if (!letter && (c == '\0' || !strchr("!#$%&'*+-.^_`|~", c)))
			return false;
	}
	return s.n > 0;
}

/* Visible ASCII, blanks and the upper half: no control characters in a value. */
static bool is_value(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char) s.p[i];
		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return false;
	}
	return true;
}

static bool list_has(struct span s, const char *word)
{
	while (s.n) {
		const char *comma = memchr(s.p, ',', s.n);
		size_t n = comma ? (size_t) (comma - s.p) : s.n;
		if (is(trim((struct span){ s.p, n }), word))
			return true;
		n += comma ? 1 : 0;
		s = (struct span){ s.p + n, s.n - n };
	}
	return false;
}

/* 16 bytes in base64: 22 characters and "==" (RFC 6455 4.1). */
static bool is_key(struct span s)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	if (s.n != 24 || s.p[22] != '=' || s.p[23] != '=')
		return false;
	for (size_t i = 0; i < 22; i++)
		if (s.p[i] == '\0' || !strchr(digits, s.p[i]))
			return false;
	return true;
}

enum field { F_HOST, F_UPGRADE, F_CONNECTION, F_KEY, F_VERSION, F_ORIGIN, F_REAL_IP, F_LENGTH, F_CODING, FIELDS };

static const char *const field_names[FIELDS] = { "host", "upgrade", "connection", "sec-websocket-key",
	"sec-websocket-version", "origin", "x-real-ip", "content-length", "transfer-encoding" };

/* One field each, at most: a second one could be read differently by whoever stands in front. */
static bool take_field(struct span fields[FIELDS], struct span line)
{
	const char *colon = memchr(line.p, ':', line.n);
	if (!colon)
		return false;
	struct span name = { line.p, (size_t) (colon - line.p) };
	struct span value = trim((struct span){ colon + 1, line.n - name.n - 1 });
	if (!is_token(name) || !is_value(value))
		return false;
	for (size_t i = 0; i < FIELDS; i++) {
		if (!is(name, field_names[i]))
			continue;
		if (fields[i].p)
			return false;
		fields[i] = value;
	}
	return true;
}

/* "GET <target> HTTP/1.1" */
static unsigned take_request_line(struct span line, struct span *target)
{
	const char *first = memchr(line.p, ' ', line.n);
	const char *last = memrchr(line.p, ' ', line.n);
	if (!first || first == last || !is_token((struct span){ line.p, (size_t) (first - line.p) }))
		return 400;
	*target = (struct span){ first + 1, (size_t) (last - first - 1) };
	struct span version = { last + 1, line.n - (size_t) (last + 1 - line.p) };
	if (target->n == 0 || target->p[0] != '/' || memchr(target->p, ' ', target->n) || !is_value(*target))
		return 400;
	if (!is_exactly(version, "HTTP/1.1"))
		return is_exactly(version, "HTTP/1.0") ? 426 : 400;
	if (!is_exactly((struct span){ line.p, (size_t) (first - line.p) }, "GET"))
		return 405;
	return target->n > TARGET_MAX ? 414 : 0;
}

static unsigned judge(const struct span f[FIELDS], bool exact_upgrade)
{
	if (!f[F_HOST].p || f[F_CODING].p || (f[F_LENGTH].p && !is_exactly(f[F_LENGTH], "0")))
		return 400;
	if (!f[F_UPGRADE].p)
		return 426;
	if (!(exact_upgrade ? is_exactly(f[F_UPGRADE], "websocket") : is(f[F_UPGRADE], "websocket")))
		return 400;
	if (!list_has(f[F_CONNECTION], "upgrade") || !is_key(f[F_KEY]))
		return 400;
	return is_exactly(f[F_VERSION], "13") ? 0 : 426;
}

unsigned wsock_head_parse(struct wsock_head *ret, const char *text, size_t n, bool exact_upgrade)
{
	struct span fields[FIELDS] = { { 0 } }, target = { 0 };
	const char *at = text, *end = text + n;
	unsigned first_line = 0;
	for (bool is_first = true; at < end; is_first = false) {
		const char *eol = memmem(at, (size_t) (end - at), "\r\n", 2);
		if (!eol)
			return 400;
		struct span line = { at, (size_t) (eol - at) };
		at = eol + 2;
		if (line.n == 0)
			break;
		if (is_first)
			first_line = take_request_line(line, &target);
		else if (!take_field(fields, line))
			return 400;
	}
	if (!target.p || first_line)
		return first_line ? first_line : 400;
	unsigned status = judge(fields, exact_upgrade);
	if (status)
		return status;
	*ret = (struct wsock_head){ .target = target.p, .target_n = target.n,
		.origin = fields[F_ORIGIN].p, .origin_n = fields[F_ORIGIN].n,
		.real_ip = fields[F_REAL_IP].p, .real_ip_n = fields[F_REAL_IP].n,
		.key = fields[F_KEY].p, .key_n = fields[F_KEY].n };
	return 0;
}
