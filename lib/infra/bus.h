/* bus.h - Redis: commands in pipelines, scripts, subscriptions, reconnect; the one module that includes hiredis. Infra floor.
 * Redis is a doorbell, not a record. Every call has a time limit. A connection that failed is closed, and the next call
 * connects again (at most every BUS_RETRY_MS); whatever was in flight is answered with -ENOTCONN or -ETIMEDOUT: the command
 * may or may not have been carried out.
 * Thread: a struct bus has one owner; a struct bus_sub runs its own thread. Memory: replies live until the next call on the bus. */
#ifndef TAP_BUS_H
#define TAP_BUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "attr.h"

enum { BUS_RETRY_MS = 100, BUS_PIPELINE_MAX = 1024, BUS_ARGS_MAX = 256 };

struct bus_conf {
	const char *address;  /* unix:/path or host:port; borrowed */
	const char *user;     /* "" for none */
	const char *password; /* "" for none; never logged */
	int timeout_ms;       /* connecting, and each pipeline */
};

struct bus;
struct bus_reply;

/* One argument: bytes, not necessarily text. */
struct bus_arg {
	const char *p;
	size_t n;
};

#define BUS_LITERAL(text) { (text), sizeof(text) - 1 }

static inline struct bus_arg bus_arg_of(const char *text)
{
	return (struct bus_arg){ text, strlen(text) };
}

/* Never connects yet: 0, -ENOMEM, or -EINVAL for an address, user or password that is too long. */
MUST_CHECK int bus_open(struct bus **ret, const struct bus_conf *conf);
struct bus *bus_close(struct bus *b);
/* The connection is up, or came up now: 0 or negative errno. */
MUST_CHECK int bus_ready(struct bus *b);

/* Appends a command to the pipeline (copied); bus_flush sends all and makes the replies readable in order. A pipeline takes
 * at most BUS_PIPELINE_MAX commands: -ENOBUFS beyond. */
MUST_CHECK int bus_add(struct bus *b, const struct bus_arg *args, size_t n);
/* printf-like for literal command words: %s text, %b pointer and size_t, %lld; as hiredis' format. */
MUST_CHECK int bus_addf(struct bus *b, const char *fmt, ...);
MUST_CHECK int bus_flush(struct bus *b); /* 0: bus_reply(b, 0 .. n-1) are valid */
size_t bus_replies(const struct bus *b);
const struct bus_reply *bus_reply(const struct bus *b, size_t i);

/* One command and its reply, behind what was added before: 0, or negative errno. */
MUST_CHECK int bus_command(struct bus *b, const struct bus_reply **ret, const char *fmt, ...);

/* A Lua script, sent by its SHA-1 and loaded when Redis does not know it. Declared once, static. bus_add_script counts as one
 * command; when bus_flush finds NOSCRIPT it loads the script and sends just that call again. */
struct bus_script {
	const char *lua;
	char sha1[41]; /* filled by the bus */
};
MUST_CHECK int bus_add_script(struct bus *b, struct bus_script *script, const struct bus_arg *keys, size_t n_keys,
		const struct bus_arg *args, size_t n_args);

enum bus_kind { BUS_NIL, BUS_INT, BUS_TEXT, BUS_ARRAY, BUS_ERROR };
enum bus_kind bus_kind(const struct bus_reply *r);
int64_t bus_int(const struct bus_reply *r);                        /* an integer, or a text that is one; 0 otherwise */
const char *bus_text(const struct bus_reply *r, size_t *ret_len);  /* text, status or error; "" otherwise */
size_t bus_count(const struct bus_reply *r);
const struct bus_reply *bus_at(const struct bus_reply *r, size_t i);

/* Subscriptions: a thread of their own, reconnecting, jittered. Callbacks run on that thread, one at a time. */
struct bus_sub;
struct bus_sub_ops {
	void (*message)(void *u, const char *channel, const char *payload, size_t n);
	/* subscribed again after a (re)connection (up), or the connection was lost (down) */
	void (*state)(void *u, bool up);
	/* a channel that was asked for with bus_sub_add is now listened to; may be NULL */
	void (*added)(void *u, const char *channel);
};
/* channels: the first ones, NULL-terminated. */
MUST_CHECK int bus_sub_open(struct bus_sub **ret, const struct bus_conf *conf, const char *const *channels,
		const struct bus_sub_ops *ops, void *u);
/* Any thread; asynchronous; kept over reconnections. */
MUST_CHECK int bus_sub_add(struct bus_sub *s, const char *channel);
MUST_CHECK int bus_sub_remove(struct bus_sub *s, const char *channel);
/* Stops and joins its thread: no callback runs afterwards. */
struct bus_sub *bus_sub_close(struct bus_sub *s);

#endif
