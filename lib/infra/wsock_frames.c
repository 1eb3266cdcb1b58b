#include "wsock_frames.h"

#include <string.h>

/* Well-formed UTF-8 by Unicode's table 3-7: no overlong forms, no surrogates, nothing above U+10FFFF. */
bool wsock_utf8(const char *text, size_t n)
{
	const uint8_t *p = (const uint8_t *) text, *end = p + n;
	while (p < end) {
		uint8_t c = *p++;
		if (c < 0x80)
			continue;
		size_t more = c >= 0xc2 && c <= 0xdf ? 1 : (c & 0xf0) == 0xe0 ? 2 : c >= 0xf0 && c <= 0xf4 ? 3 : 0;
		if (more == 0 || (size_t) (end - p) < more)
			return false;
		uint8_t least = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
		uint8_t most = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
		if (p[0] < least || p[0] > most)
			return false;
		for (size_t i = 1; i < more; i++)
			if ((p[i] & 0xc0) != 0x80)
				return false;
		p += more;
	}
	return true;
}

void wsock_in_free(struct wsock_in *in)
{
	buf_free(&in->message);
}

size_t wsock_head_before(uint8_t *end, unsigned opcode, size_t n)
{
	size_t len = n < 126 ? 2 : n <= UINT16_MAX ? 4 : 10;
	uint8_t *p = end - len;
	p[0] = (uint8_t) (0x80 | opcode);
	p[1] = (uint8_t) (len == 2 ? n : len == 4 ? 126 : 127);
	for (size_t i = len; i-- > 2; n >>= 8)
		p[i] = (uint8_t) n;
	return len;
}

/* Length of the head that begins with these two bytes. */
static size_t head_length(const uint8_t *head)
{
	unsigned n = head[1] & 127u;
	return 2 + (n == 126 ? 2 : n == 127 ? 8 : 0) + 4;
}

/* 0, or the code to close with. */
static unsigned judge_start(const struct wsock_in *in)
{
	unsigned opcode = in->head[0] & 15u, n = in->head[1] & 127u;
	bool is_final = in->head[0] & 0x80;
	if (in->head[0] & 0x70 || !(in->head[1] & 0x80))
		return 1002; /* no extension was agreed on; a client masks */
	switch (opcode) {
	case WSOCK_OP_MORE:
		return in->is_in_message ? 0 : 1002;
	case WSOCK_OP_TEXT:
		return in->is_in_message ? 1002 : 0;
	case WSOCK_OP_BINARY:
		return in->is_in_message ? 1002 : 1003;
	case WSOCK_OP_CLOSE:
	case WSOCK_OP_PING:
	case WSOCK_OP_PONG:
		return is_final && n <= WSOCK_CONTROL_MAX ? 0 : 1002;
	default:
		return 1002;
	}
}

/* The whole head is there. */
static unsigned start_frame(struct wsock_in *in)
{
	size_t len = head_length(in->head);
	unsigned n = in->head[1] & 127u;
	in->opcode = in->head[0] & 15u;
	in->is_final = in->head[0] & 0x80;
	in->left = n;
	if (n >= 126) {
		in->left = 0;
		for (size_t i = 2; i < len - 4; i++)
			in->left = in->left << 8 | in->head[i];
		if (in->left >> 63 || in->left <= (n == 126 ? 125u : UINT16_MAX))
			return 1002; /* RFC 6455 5.2: the shortest form, and the highest bit is zero */
	}
	in->mask_at = 0;
	in->is_in_frame = true;
	in->n_control = 0;
	if (in->opcode >= WSOCK_OP_CLOSE)
		return 0;
	if (in->opcode == WSOCK_OP_TEXT) {
		in->is_in_message = true;
		buf_clear(&in->message);
	}
	return in->left > in->message.max - in->message.n ? 1009 : 0;
}

/* Bytes of the head: true when it is whole, or broken (*code). */
static bool take_head(struct wsock_in *in, const uint8_t *p, size_t n, size_t *at, unsigned *code)
{
	while (*at < n) {
		in->head[in->n_head++] = p[(*at)++];
		if (in->n_head == 2)
			*code = judge_start(in);
		if (*code)
			return true;
		if (in->n_head >= 2 && in->n_head == head_length(in->head)) {
			*code = start_frame(in);
			return true;
		}
	}
	return false;
}

static bool take_payload(struct wsock_in *in, uint8_t *p, size_t n, size_t *at)
{
	size_t len = in->left < n - *at ? (size_t) in->left : n - *at;
	const uint8_t *mask = in->head + in->n_head - 4;
	uint8_t *bytes = p + *at;
	for (size_t i = 0; i < len; i++)
		bytes[i] ^= mask[(in->mask_at + i) & 3];
	in->mask_at = (uint8_t) ((in->mask_at + len) & 3);
	if (in->opcode >= WSOCK_OP_CLOSE) {
		memcpy(in->control + in->n_control, bytes, len);
		in->n_control = (uint8_t) (in->n_control + len);
	} else if (len)
		buf_put(&in->message, bytes, len);
	in->left -= len;
	*at += len;
	return in->left == 0;
}

static enum wsock_event end_frame(struct wsock_in *in, unsigned *code)
{
	in->is_in_frame = false;
	in->n_head = 0;
	in->control[in->n_control] = '\0';
	if (in->opcode == WSOCK_OP_CLOSE) {
		*code = in->n_control == 1 ? 1002 : 0;
		return *code ? WSOCK_BROKEN : WSOCK_CLOSE;
	}
	if (in->opcode >= WSOCK_OP_CLOSE)
		return in->opcode == WSOCK_OP_PING ? WSOCK_PING : WSOCK_PONG;
	if (!in->is_final)
		return WSOCK_NOTHING;
	in->is_in_message = false;
	*code = in->message.failed ? 1011 : wsock_utf8(in->message.n ? in->message.p : "", in->message.n) ? 0 : 1007;
	return *code ? WSOCK_BROKEN : WSOCK_TEXT;
}

enum wsock_event wsock_in_feed(struct wsock_in *in, uint8_t *p, size_t n, size_t *taken, unsigned *ret_code)
{
	enum wsock_event event = WSOCK_NOTHING;
	unsigned code = 0;
	size_t at = 0;
	while (event == WSOCK_NOTHING) {
		if (!in->is_in_frame && !take_head(in, p, n, &at, &code))
			break;
		if (code)
			event = WSOCK_BROKEN;
		else if (!take_payload(in, p, n, &at))
			break;
		else
			event = end_frame(in, &code);
	}
	*taken = at;
	*ret_code = code;
	return event;
}
