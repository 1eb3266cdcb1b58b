/* wsock_frames.h - the words of the protocol, without a socket: the request head that opens a connection and the frames that a
 * player sends (RFC 6455). Private to wsock, and to its fuzzer.
 * Whatever is fed in whichever pieces: a message is at most message_max bytes, a control frame at most 125, nothing is stored of
 * what is refused, and the same bytes give the same events. */
#ifndef TAP_WSOCK_FRAMES_H
#define TAP_WSOCK_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"

enum { WSOCK_CONTROL_MAX = 125, WSOCK_FRAME_HEAD_MAX = 14, WSOCK_SERVER_HEAD_MAX = 10 };
enum { WSOCK_OP_MORE = 0, WSOCK_OP_TEXT = 1, WSOCK_OP_BINARY = 2, WSOCK_OP_CLOSE = 8, WSOCK_OP_PING = 9, WSOCK_OP_PONG = 10 };

/* A request head, in pieces that point into it. */
struct wsock_head {
	const char *target, *origin, *real_ip, *key;
	size_t target_n, origin_n, real_ip_n, key_n;
};

/* Judges a head that ends with an empty line: 0 and *ret, or the HTTP status to refuse it with. exact_upgrade: the value must be
 * `websocket` in just this case, as the proxy in front writes it. */
unsigned wsock_head_parse(struct wsock_head *ret, const char *text, size_t n, bool exact_upgrade);
/* Length up to and with the empty line, 0 when it is not there yet. */
size_t wsock_head_end(const char *text, size_t n);

bool wsock_utf8(const char *text, size_t n);

/* A client's frames being taken apart. Zero-initialised it is ready, with message.max set. */
struct wsock_in {
	struct buf message;     /* the text that is being put together */
	uint8_t head[WSOCK_FRAME_HEAD_MAX];
	uint8_t n_head, mask_at;
	uint8_t opcode;         /* of the frame whose payload is being read */
	bool is_in_frame, is_final, is_in_message;
	uint64_t left;          /* of its payload */
	uint8_t control[WSOCK_CONTROL_MAX + 1];
	uint8_t n_control;
};

enum wsock_event {
	WSOCK_NOTHING, /* all bytes were taken, more are needed */
	WSOCK_TEXT,    /* in->message, NUL-terminated, until the next call */
	WSOCK_PING, WSOCK_PONG, WSOCK_CLOSE, /* in->control, n_control bytes of it */
	WSOCK_BROKEN   /* *ret_code says with which code to close; in must not be fed again */
};

/* Takes bytes off the front up to the next event; *taken says how many. p is unmasked in place. */
enum wsock_event wsock_in_feed(struct wsock_in *in, uint8_t *p, size_t n, size_t *taken, unsigned *ret_code);
void wsock_in_free(struct wsock_in *in);
/* Writes a server's frame head right before `end`; its length. */
size_t wsock_head_before(uint8_t *end, unsigned opcode, size_t n);

#endif
