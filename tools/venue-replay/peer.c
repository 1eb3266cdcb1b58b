#include "peer.h"

#include <stdlib.h>

struct peer *peer_new(struct wsock_conn *c, const char *path, int64_t now_ms, struct buf *said)
{
	struct peer *p = calloc(1, sizeof *p);
	if (!p)
		return NULL;
	p->conn = c;
	p->venue = venue_of_path(path);
	p->opened_ms = now_ms;
	dialect_of(p->venue)->open(&p->sub, path, said);
	return p;
}

struct peer *peer_free(struct peer *p)
{
	if (!p)
		return NULL;
	for (; p->n; p->n--, p->head = (p->head + 1) % PEER_QUEUE_MAX)
		(void) wsock_frame_unref(p->queue[p->head].frame);
	free(p);
	return NULL;
}

/* What the venue allows its clients to say in a second. */
static bool too_chatty(struct peer *p, int64_t now_ms)
{
	int most = dialect_of(p->venue)->messages_a_second;
	if (now_ms - p->second_ms >= 1000) {
		p->second_ms = now_ms;
		p->messages = 0;
	}
	return ++p->messages > most && most > 0;
}

bool peer_hear(struct peer *p, const char *text, size_t n, int64_t now_ms, struct buf *answer)
{
	_cleanup_(json_freep) struct json *doc = NULL;
	const char *why;
	if (too_chatty(p, now_ms))
		return false;
	const struct json_value *root = json_parse(&doc, text, n, &why) == 0 ? json_root(doc) : NULL;
	return dialect_of(p->venue)->hear(&p->sub, root, answer);
}

bool peer_push(struct peer *p, struct wsock_frame *frame, int64_t due_ms)
{
	if (p->n == PEER_QUEUE_MAX)
		return false;
	size_t tail = (p->head + p->n++) % PEER_QUEUE_MAX;
	p->queue[tail].frame = wsock_frame_ref(frame);
	p->queue[tail].due_ms = due_ms;
	return true;
}

bool peer_due(const struct peer *p, int64_t now_ms)
{
	return p->n > 0 && p->queue[p->head].due_ms <= now_ms;
}

struct wsock_frame *peer_pop(struct peer *p, int64_t now_ms)
{
	if (!peer_due(p, now_ms))
		return NULL;
	struct wsock_frame *frame = p->queue[p->head].frame;
	p->head = (p->head + 1) % PEER_QUEUE_MAX;
	p->n--;
	return frame;
}
