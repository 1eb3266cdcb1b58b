#include "segment.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "err.h"
#include "zst.h"

static const char magic[8] = "TAPSEG1\n";
enum { LEVEL = 3, WINDOW_LOG = 27, WEEKS = 53 };

static int take(void *u, const void *bytes, size_t n)
{
	struct buf *out = u;
	buf_put(out, bytes, n);
	return out->failed ? err_say(-EBADMSG, "no segment: its content has another length") : 0;
}

static int through(struct zst *z, const void *bytes, size_t n)
{
	int r = zst_feed(z, bytes, n);
	return r == 0 ? err_trace(zst_end(z)) : err_trace(r);
}

static int pack(const void *bytes, size_t n, struct buf *out)
{
	_cleanup_(zst_closep) struct zst *z = NULL;
	int r = zst_packer(&z, LEVEL, 0, take, out);
	return r == 0 ? through(z, bytes, n) : err_trace(r);
}

static int unpack(const void *bytes, size_t n, struct buf *out)
{
	_cleanup_(zst_closep) struct zst *z = NULL;
	int r = zst_unpacker(&z, WINDOW_LOG, take, out);
	return r == 0 ? through(z, bytes, n) : err_trace(r);
}

static void put_int(struct buf *out, int64_t v)
{
	uint8_t b[8];
	be64_put(b, (uint64_t) v);
	buf_put(out, b, sizeof b);
}

static void put_pos(struct buf *out, const struct book_pos *p)
{
	put_int(out, p->chain);
	put_int(out, p->seal);
	put_int(out, p->quote);
	buf_put(out, p->chain_hash.b, HASH_SIZE);
	buf_put(out, p->seal_hash.b, HASH_SIZE);
}

int segment_write(const struct segment *s, struct buf *out, struct hash *ret_hash)
{
	_cleanup_(buf_free) struct buf packed = BUF_INIT(BOOK_SHIP_BYTES_MAX);
	CHECK(out->n == 0);
	int r = pack(s->span, s->span_n, &packed);
	if (r < 0)
		return err_trace(r);
	buf_put(out, magic, sizeof magic);
	put_int(out, s->number);
	buf_put(out, s->before.b, HASH_SIZE);
	put_int(out, s->week.year);
	put_int(out, s->week.week);
	put_int(out, s->as_of_ms);
	put_pos(out, &s->from);
	put_pos(out, &s->to);
	put_int(out, s->log_from);
	put_int(out, s->log_to);
	put_int(out, (int64_t) s->span_n);
	put_int(out, (int64_t) packed.n);
	CHECK(out->failed || out->n == SEGMENT_HEAD - 8);
	put_int(out, 0); /* version of what follows */
	buf_put(out, packed.p, packed.n);
	if (out->failed)
		return err_say(-ENOMEM, "segment %" PRId64 ": no memory", s->number);
	*ret_hash = sha256_of(out->p, out->n);
	buf_put(out, ret_hash->b, HASH_SIZE);
	return out->failed ? err_say(-ENOMEM, "segment %" PRId64 ": no memory", s->number) : 0;
}

static int64_t get_int(const uint8_t **at)
{
	int64_t v = (int64_t) be64_get(*at);
	*at += 8;
	return v;
}

static void get_hash(const uint8_t **at, struct hash *ret)
{
	memcpy(ret->b, *at, HASH_SIZE);
	*at += HASH_SIZE;
}

static void get_pos(const uint8_t **at, struct book_pos *ret)
{
	ret->chain = get_int(at);
	ret->seal = get_int(at);
	ret->quote = get_int(at);
	get_hash(at, &ret->chain_hash);
	get_hash(at, &ret->seal_hash);
}

static bool sane(const struct segment *s)
{
	return s->number > 0 && s->week.year > 1970 && s->week.year < 10000 && s->week.week > 0 && s->week.week <= WEEKS &&
			s->from.chain >= 0 && s->from.seal >= 0 && s->to.chain >= s->from.chain && s->to.seal >= s->from.seal &&
			s->log_from >= 0 && s->log_to >= s->log_from;
}

static int bad(const char *what)
{
	return err_say(-EBADMSG, "no segment: %s", what);
}

int segment_read(const void *bytes, size_t n, struct segment *ret, struct hash *ret_hash, struct buf *span)
{
	const uint8_t *at = bytes;
	*ret = (struct segment){ 0 };
	if (n < SEGMENT_HEAD + HASH_SIZE || memcmp(at, magic, sizeof magic) != 0)
		return bad("it does not begin as one");
	*ret_hash = sha256_of(bytes, n - HASH_SIZE);
	if (memcmp(ret_hash->b, at + n - HASH_SIZE, HASH_SIZE) != 0)
		return bad("its bytes are not those that its SHA-256 is of");
	at += sizeof magic;
	ret->number = get_int(&at);
	get_hash(&at, &ret->before);
	ret->week.year = (int) get_int(&at);
	ret->week.week = (int) get_int(&at);
	ret->as_of_ms = get_int(&at);
	get_pos(&at, &ret->from);
	get_pos(&at, &ret->to);
	ret->log_from = get_int(&at);
	ret->log_to = get_int(&at);
	int64_t unpacked = get_int(&at), packed = get_int(&at), version = get_int(&at);
	if (!sane(ret) || version != 0 || packed != (int64_t) (n - SEGMENT_HEAD - HASH_SIZE) || unpacked < 0 ||
			unpacked > BOOK_SHIP_BYTES_MAX)
		return bad("its head makes no sense");
	buf_clear(span);
	span->max = (size_t) unpacked + 1;
	int r = unpack(at, (size_t) packed, span);
	if (r < 0)
		return err_trace(r);
	if (span->n != (size_t) unpacked)
		return bad("its content has another length");
	ret->span = span->p;
	ret->span_n = span->n;
	return 0;
}

void segment_span_begin(struct buf *span, const struct buf *book)
{
	varint_put(span, book->n);
	buf_put(span, book->p, book->n);
}

static void put_text(struct buf *span, const char *text)
{
	size_t n = strlen(text);
	varint_put(span, n);
	buf_put(span, text, n);
}

void segment_span_log(struct buf *span, const struct audit_row *row, int64_t *at_before)
{
	varint_put_difference(span, row->at_ms, *at_before);
	*at_before = row->at_ms;
	put_text(span, row->who);
	put_text(span, row->what);
	put_text(span, row->why);
}

static bool get_bytes(struct varint_reader *in, const uint8_t **ret, size_t *ret_n)
{
	int64_t n;
	if (!varint_get_up_to(in, (uint64_t) (in->end - in->at), &n) || n > in->end - in->at)
		return false;
	*ret = in->at;
	*ret_n = (size_t) n;
	in->at += n;
	return true;
}

int segment_span_open(const struct segment *s, struct segment_span *ret)
{
	const uint8_t *book;
	const uint8_t *from = s->span_n ? s->span : (const uint8_t *) "";
	*ret = (struct segment_span){ .log = { from, from + s->span_n }, .log_id = s->log_from };
	if (!get_bytes(&ret->log, &book, &ret->book_n))
		return bad("its span has no book");
	ret->book = book;
	return 0;
}

int segment_span_next_log(struct segment_span *s, struct audit_row *ret, struct buf *texts)
{
	const uint8_t *text[3];
	size_t n[3];
	if (s->log.at == s->log.end)
		return 0;
	if (!varint_get_difference(&s->log, s->at_ms, &s->at_ms))
		return bad("a row of the operators' log");
	for (int i = 0; i < 3; i++)
		if (!get_bytes(&s->log, &text[i], &n[i]) || memchr(text[i], '\0', n[i]))
			return bad("a row of the operators' log");
	buf_clear(texts);
	texts->max = n[0] + n[1] + n[2] + 4;
	for (int i = 0; i < 3; i++) {
		buf_put(texts, text[i], n[i]);
		buf_putc(texts, '\0');
	}
	if (texts->failed)
		return -ENOMEM;
	*ret = (struct audit_row){ .id = ++s->log_id, .at_ms = s->at_ms, .who = texts->p, .what = texts->p + n[0] + 1,
		.why = texts->p + n[0] + n[1] + 2 };
	return 1;
}

void segment_key(char out[SEGMENT_KEY_SIZE], const char *prefix, int64_t number)
{
	(void) snprintf(out, SEGMENT_KEY_SIZE, "%ssegments/%012" PRId64, prefix, number);
}
