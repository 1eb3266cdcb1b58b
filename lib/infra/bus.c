#include "bus_impl.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "clk.h"
#include "err.h"

/* A script's call in the pipeline: where its bytes stand, so that it alone can be sent again. */
struct call {
	const struct bus_script *script; /* NULL: an ordinary command */
	size_t from, to;
};

struct bus {
	struct link link;
	struct link_conf conf;
	struct buf next;          /* the pipeline being built */
	struct call calls[BUS_PIPELINE_MAX];
	size_t n_calls;
	redisReply *replies[BUS_PIPELINE_MAX];
	size_t n_replies;
	int64_t retry_at_ms;      /* after a failed attempt: not before */
};

int bus_open(struct bus **ret, const struct bus_conf *conf)
{
	struct bus *b = calloc(1, sizeof *b);
	if (!b)
		return -ENOMEM;
	b->link = (struct link) LINK_DOWN;
	b->next = (struct buf) BUF_INIT(LINK_OUT_MAX);
	int r = link_conf_copy(&b->conf, conf);
	if (r < 0) {
		free(b);
		return r;
	}
	*ret = b;
	return 0;
}

static void drop_replies(struct bus *b)
{
	for (size_t i = 0; i < b->n_replies; i++)
		freeReplyObject(b->replies[i]);
	b->n_replies = 0;
}

static void drop_pipeline(struct bus *b)
{
	buf_clear(&b->next);
	b->n_calls = 0;
}

struct bus *bus_close(struct bus *b)
{
	if (!b)
		return NULL;
	drop_replies(b);
	link_free(&b->link);
	buf_free(&b->next);
	explicit_bzero(&b->conf, sizeof b->conf);
	free(b);
	return NULL;
}

static int connect_by(struct bus *b, int64_t deadline_ms)
{
	/* A server that went away while nothing was in flight is seen here, before a command is lost to it. */
	if (b->link.fd >= 0 && !link_stale(&b->link))
		return 0;
	link_close(&b->link);
	if (clk_mono_ms() < b->retry_at_ms)
		return err_say(-ENOTCONN, "redis: %s: not connected, tried a moment ago", b->conf.address);
	int r = link_open(&b->link, &b->conf, deadline_ms, -1);
	if (r < 0) {
		b->retry_at_ms = clk_mono_ms() + BUS_RETRY_MS;
		return err_trace(r);
	}
	return 0;
}

int bus_ready(struct bus *b)
{
	return connect_by(b, clk_mono_ms() + b->conf.timeout_ms);
}

/* A place for one more command; what was answered before is given up. */
static int begin_call(struct bus *b, const struct bus_script *script)
{
	drop_replies(b);
	if (b->n_calls == BUS_PIPELINE_MAX)
		return err_say(-ENOBUFS, "redis: a pipeline holds at most %d commands", BUS_PIPELINE_MAX);
	b->calls[b->n_calls] = (struct call){ .script = script, .from = b->next.n };
	return 0;
}

static int end_call(struct bus *b)
{
	struct call *c = &b->calls[b->n_calls];
	if (b->next.failed) {
		/* The bytes before this call are whole: only it is dropped. */
		b->next.failed = false;
		b->next.n = c->from;
		return err_say(-ENOBUFS, "redis: a pipeline holds at most %d bytes", LINK_OUT_MAX);
	}
	c->to = b->next.n;
	b->n_calls++;
	return 0;
}

int bus_add(struct bus *b, const struct bus_arg *args, size_t n)
{
	CHECK(n > 0 && n <= BUS_ARGS_MAX);
	int r = begin_call(b, NULL);
	if (r < 0)
		return r;
	resp_count(&b->next, n);
	for (size_t i = 0; i < n; i++)
		resp_arg(&b->next, args[i].p, args[i].n);
	return end_call(b);
}

static int add_format(struct bus *b, const char *fmt, va_list ap)
{
	int r = begin_call(b, NULL);
	if (r < 0)
		return r;
	char *bytes = NULL;
	int n = redisvFormatCommand(&bytes, fmt, ap);
	CHECK(n != -2); /* the format itself is wrong: a bug of ours */
	if (n < 0)
		return -ENOMEM;
	buf_put(&b->next, bytes, (size_t) n);
	redisFreeCommand(bytes);
	return end_call(b);
}

int bus_addf(struct bus *b, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int r = add_format(b, fmt, ap);
	va_end(ap);
	return r;
}

static void script_name(char out[41], struct bus_script *script)
{
	/* Scripts are static and shared by the buses of several threads. */
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	(void) pthread_mutex_lock(&lock);
	if (!script->sha1[0])
		bus_sha1(script->sha1, script->lua, strlen(script->lua));
	memcpy(out, script->sha1, sizeof script->sha1);
	(void) pthread_mutex_unlock(&lock);
}

int bus_add_script(struct bus *b, struct bus_script *script, const struct bus_arg *keys, size_t n_keys,
		const struct bus_arg *args, size_t n_args)
{
	CHECK(n_keys + n_args <= BUS_ARGS_MAX);
	char sha1[41];
	int r = begin_call(b, script);
	if (r < 0)
		return r;
	script_name(sha1, script);
	resp_count(&b->next, 3 + n_keys + n_args);
	resp_arg(&b->next, "EVALSHA", 7);
	resp_arg(&b->next, sha1, 40);
	char count[24];
	resp_arg(&b->next, count, (size_t) snprintf(count, sizeof count, "%zu", n_keys));
	for (size_t i = 0; i < n_keys; i++)
		resp_arg(&b->next, keys[i].p, keys[i].n);
	for (size_t i = 0; i < n_args; i++)
		resp_arg(&b->next, args[i].p, args[i].n);
	return end_call(b);
}

/* Sends what the link holds and reads n replies into out; on failure none is kept. */
static int trip(struct bus *b, redisReply **out, size_t n, int64_t deadline_ms)
{
	size_t got = 0;
	int r = 0;
	while (r == 0 && got < n) {
		redisReply *reply = NULL;
		r = link_reply(&b->link, &reply);
		if (r == 0 && reply) {
			out[got++] = reply;
			continue;
		}
		if (r == 0)
			r = link_push(&b->link);
		if (r == 0)
			r = link_wait(&b->link, deadline_ms, -1);
		if (r == -ETIMEDOUT)
			r = err_say(r, "redis: no answer in %d ms", b->conf.timeout_ms);
		if (r == 0)
			r = link_pull(&b->link);
	}
	buf_clear(&b->link.out);
	b->link.sent = b->link.received = 0;
	if (r < 0) {
		for (size_t i = 0; i < got; i++)
			freeReplyObject(out[i]);
		link_close(&b->link);
	}
	return r;
}

static bool unknown_script(const redisReply *reply)
{
	return reply->type == REDIS_REPLY_ERROR && strncmp(reply->str, "NOSCRIPT", 8) == 0;
}

static bool is_among(const struct bus_script *const *known, size_t n, const struct bus_script *script)
{
	for (size_t i = 0; i < n; i++)
		if (known[i] == script)
			return true;
	return false;
}

/* Redis forgot scripts (it was restarted or flushed): loads each of them once, and sends just the calls again that it did not
 * carry out, in their order. */
static int load_and_repeat(struct bus *b, int64_t deadline_ms)
{
	enum { LOADS_MAX = 64 };
	const struct bus_script *loads[LOADS_MAX];
	size_t again[BUS_PIPELINE_MAX];
	size_t n_loads = 0, n_again = 0;
	for (size_t i = 0; i < b->n_calls; i++) {
		const struct bus_script *script = b->calls[i].script;
		if (!script || !unknown_script(b->replies[i]))
			continue;
		again[n_again++] = i;
		if (is_among(loads, n_loads, script) || n_loads == LOADS_MAX)
			continue;
		loads[n_loads++] = script;
		resp_count(&b->link.out, 3);
		resp_arg(&b->link.out, "SCRIPT", 6);
		resp_arg(&b->link.out, "LOAD", 4);
		resp_arg(&b->link.out, script->lua, strlen(script->lua));
	}
	if (n_again == 0)
		return 0;
	for (size_t i = 0; i < n_again; i++) {
		const struct call *c = &b->calls[again[i]];
		buf_put(&b->link.out, b->next.p + c->from, c->to - c->from);
	}
	if (b->link.out.failed) {
		link_close(&b->link);
		return err_say(-ENOBUFS, "redis: scripts and calls do not fit a pipeline");
	}
	redisReply *replies[LOADS_MAX + BUS_PIPELINE_MAX];
	int r = trip(b, replies, n_loads + n_again, deadline_ms);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n_loads; i++)
		freeReplyObject(replies[i]);
	for (size_t i = 0; i < n_again; i++) {
		freeReplyObject(b->replies[again[i]]);
		b->replies[again[i]] = replies[n_loads + i];
	}
	return 0;
}

int bus_flush(struct bus *b)
{
	drop_replies(b);
	if (b->n_calls == 0)
		return 0;
	int64_t deadline_ms = clk_mono_ms() + b->conf.timeout_ms;
	int r = connect_by(b, deadline_ms);
	if (r == 0) {
		buf_put(&b->link.out, b->next.p, b->next.n);
		r = b->link.out.failed ? -ENOMEM : trip(b, b->replies, b->n_calls, deadline_ms);
	}
	if (r == 0) {
		b->n_replies = b->n_calls;
		r = load_and_repeat(b, deadline_ms);
	}
	if (r < 0) {
		drop_replies(b);
		link_close(&b->link);
	}
	drop_pipeline(b);
	return err_trace(r);
}

size_t bus_replies(const struct bus *b)
{
	return b->n_replies;
}

const struct bus_reply *bus_reply(const struct bus *b, size_t i)
{
	CHECK(i < b->n_replies);
	return (const struct bus_reply *) b->replies[i];
}

int bus_command(struct bus *b, const struct bus_reply **ret, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int r = add_format(b, fmt, ap);
	va_end(ap);
	if (r == 0)
		r = bus_flush(b);
	if (r < 0)
		return r;
	*ret = bus_reply(b, b->n_replies - 1);
	return 0;
}

/* A reply is the library's own object behind our name. */
static const redisReply *own(const struct bus_reply *r)
{
	return (const redisReply *) r;
}

enum bus_kind bus_kind(const struct bus_reply *r)
{
	switch (own(r)->type) {
	case REDIS_REPLY_INTEGER:
		return BUS_INT;
	case REDIS_REPLY_STRING:
	case REDIS_REPLY_STATUS:
		return BUS_TEXT;
	case REDIS_REPLY_ARRAY:
		return BUS_ARRAY;
	case REDIS_REPLY_ERROR:
		return BUS_ERROR;
	default:
		return BUS_NIL;
	}
}

int64_t bus_int(const struct bus_reply *r)
{
	if (own(r)->type == REDIS_REPLY_INTEGER)
		return own(r)->integer;
	if (own(r)->type != REDIS_REPLY_STRING || own(r)->len == 0)
		return 0;
	char *end;
	errno = 0;
	long long v = strtoll(own(r)->str, &end, 10);
	return errno || end != own(r)->str + own(r)->len ? 0 : (int64_t) v;
}

const char *bus_text(const struct bus_reply *r, size_t *ret_len)
{
	enum bus_kind kind = bus_kind(r);
	bool is_text = kind == BUS_TEXT || kind == BUS_ERROR;
	if (ret_len)
		*ret_len = is_text ? own(r)->len : 0;
	return is_text ? own(r)->str : "";
}

size_t bus_count(const struct bus_reply *r)
{
	return own(r)->type == REDIS_REPLY_ARRAY ? own(r)->elements : 0;
}

const struct bus_reply *bus_at(const struct bus_reply *r, size_t i)
{
	CHECK(i < bus_count(r));
	return (const struct bus_reply *) own(r)->element[i];
}
