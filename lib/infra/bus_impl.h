/* bus_impl.h - what bus.c and bus_sub.c share: one non-blocking connection to Redis. Private to the bus.
 * Every wait has a deadline in monotonic milliseconds. The library parses replies; sockets are ours, because a limit on each
 * read alone lets a slow peer hold a pipeline for as long as it likes, and because a write must never raise SIGPIPE. */
#ifndef TAP_BUS_IMPL_H
#define TAP_BUS_IMPL_H

#include <hiredis.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "bus.h"

enum {
	LINK_OUT_MAX = 64 << 20,   /* bytes of one pipeline */
	LINK_IN_MAX = 256 << 20,   /* bytes of its replies */
	LINK_ADDRESS_MAX = 256,
	LINK_SECRET_MAX = 512
};

/* The caller's configuration, copied: a reconnection comes long after bus_open returned. */
struct link_conf {
	char address[LINK_ADDRESS_MAX];
	char user[LINK_ADDRESS_MAX];
	char password[LINK_SECRET_MAX];
	int timeout_ms;
};

struct link {
	int fd; /* -1: down */
	redisReader *reader;
	struct buf out;
	size_t sent;     /* of out */
	size_t received; /* since the owner last set it to 0 */
};

#define LINK_DOWN { .fd = -1, .out = BUF_INIT(LINK_OUT_MAX) }

MUST_CHECK int link_conf_copy(struct link_conf *ret, const struct bus_conf *conf);

/* Connects, signs in and asks for a PONG: a server that still loads its file counts as down. cancel_fd (-1: none) becoming
 * readable ends it with -ECANCELED. */
MUST_CHECK int link_open(struct link *l, const struct link_conf *conf, int64_t deadline_ms, int cancel_fd);
void link_close(struct link *l); /* forgets what was not sent; keeps the buffer's memory */
void link_free(struct link *l);

/* The peer closed, or said something unasked: the next command would be lost. Never blocks. */
bool link_stale(const struct link *l);

/* Each moves what it can without waiting: 0, or negative errno with a sentence. */
MUST_CHECK int link_push(struct link *l);
MUST_CHECK int link_pull(struct link *l); /* 0 also when there was nothing */
/* Waits until something can be received, or sent while out is not empty: 0, -ETIMEDOUT, -ECANCELED. */
MUST_CHECK int link_wait(struct link *l, int64_t deadline_ms, int cancel_fd);
/* The next reply that came in whole: 0 with NULL when there is none yet. */
MUST_CHECK int link_reply(struct link *l, redisReply **ret);

/* A command in Redis' protocol, appended to b. */
void resp_count(struct buf *b, size_t n_args);
void resp_arg(struct buf *b, const char *p, size_t n);

/* SHA-1 as 40 hex digits and a NUL: the name under which Redis keeps a script. */
void bus_sha1(char out[41], const char *text, size_t n);

#endif
