/* Whole objects: put, looked at, read, deleted, listed. */
#include "s3_impl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "err.h"

void s3_put_headers(struct s3_request *q, const struct s3_put *put)
{
	s3_header(q, "Content-Type: %s", put->content_type ? put->content_type : "application/octet-stream");
	if (put->class == S3_STANDARD_IA)
		s3_header(q, "x-amz-storage-class: STANDARD_IA");
	if (put->once)
		s3_header(q, "If-None-Match: *");
}

int s3_put(struct s3 *s, const char *key, const struct s3_put *put)
{
	struct s3_request q = S3_REQUEST("PUT", key);
	q.body = put->body;
	s3_put_headers(&q, put);
	int r = s3_do(s, &q);
	s3_request_end(&q);
	return err_trace(r);
}

int s3_head(struct s3 *s, const char *key, struct s3_info *ret)
{
	struct s3_request q = S3_REQUEST("HEAD", key);
	int r = s3_do(s, &q);
	if (r == 0)
		*ret = q.info;
	s3_request_end(&q);
	return err_trace(r);
}

int s3_delete(struct s3 *s, const char *key)
{
	struct s3_request q = S3_REQUEST("DELETE", key);
	int r = s3_do(s, &q);
	s3_request_end(&q);
	return r == S3_E_NOT_FOUND ? 0 : err_trace(r);
}

/* ---- reading ---- */

/* One try of a read: from where the one before came to. */
static int read_on(struct s3 *s, struct s3_request *q, int64_t from, int64_t to, char etag[S3_TEXT_MAX])
{
	int64_t at = from + q->taken;
	q->n_headers = 0;
	q->skip = 0;
	if (at > 0 || to >= 0) {
		if (to >= 0)
			s3_header(q, "Range: bytes=%lld-%lld", (long long) at, (long long) to - 1);
		else
			s3_header(q, "Range: bytes=%lld-", (long long) at);
	}
	if (etag[0])
		s3_header(q, "If-Match: %s", etag);
	int r = s3_once(s, q);
	if (q->status / 100 == 2 && !etag[0])
		(void) snprintf(etag, S3_TEXT_MAX, "%s", q->info.etag);
	return r;
}

int s3_get(struct s3 *s, const char *key, int64_t from, int64_t to, s3_take *take, void *u, struct s3_info *ret)
{
	struct s3_request q = S3_REQUEST("GET", key);
	char etag[S3_TEXT_MAX] = "";
	int r = 0;
	CHECK(s3_key_ok(key) && from >= 0 && (to < 0 || to >= from));
	q.take = take;
	q.u = u;
	if (to >= 0 && to == from)
		return 0;
	r = s3_hash_body(&q);
	for (int done = 1; r == 0; done++) {
		r = read_on(s, &q, from, to, etag);
		if (q.status == 416) /* nothing is left, or never was */
			r = 0;
		if (r == 0 && ret)
			*ret = q.info;
		if (!s3_again(s, &q, done, r))
			break;
		r = 0;
	}
	s3_request_end(&q);
	return err_trace(r);
}

static int take_to_buf(void *u, const void *bytes, size_t n)
{
	struct buf *b = u;
	buf_put(b, bytes, n);
	return b->failed ? -ENOBUFS : 0;
}

int s3_get_buf(struct s3 *s, const char *key, struct buf *ret, struct s3_info *info)
{
	int r = s3_get(s, key, 0, -1, take_to_buf, ret, info);
	if (r == -ENOBUFS) {
		(void) err_say(r, "%s: longer than %zu bytes", key, ret->max);
		return S3_E_BIG;
	}
	return err_trace(r);
}

static int take_to_file(void *u, const void *bytes, size_t n)
{
	const int *fd = u;
	for (size_t at = 0; at < n;) {
		ssize_t did = write(*fd, (const char *) bytes + at, n - at);
		if (did < 0)
			return err_say(-errno, "what is fetched cannot be written: %s", strerror(errno));
		at += (size_t) did;
	}
	return 0;
}

int s3_get_file(struct s3 *s, const char *key, int fd, struct s3_info *info)
{
	struct s3_info there;
	off_t have = lseek(fd, 0, SEEK_END);
	if (have < 0)
		return err_say(-errno, "the file for %s: %s", key, strerror(errno));
	int r = s3_head(s, key, &there);
	if (r != 0)
		return err_trace(r);
	if (have > there.size)
		return err_say(-ESTALE, "%s has %lld bytes, of which %lld were fetched", key, (long long) there.size, (long long) have);
	if (have < there.size)
		r = s3_get(s, key, have, there.size, take_to_file, &fd, NULL);
	if (r == 0 && info)
		*info = there;
	return err_trace(r);
}

/* ---- listing ---- */

static int64_t ms_of_iso(const char *text)
{
	struct tm t = { 0 };
	const char *end = strptime(text, "%Y-%m-%dT%H:%M:%S", &t);
	return end ? (int64_t) timegm(&t) * 1000 : 0;
}

/* False: enough. */
static bool give_items(const struct buf *page, s3_item_cb *cb, void *u)
{
	const char *p = page->p, *end = p ? p + page->n : NULL, *from, *to;
	while ((p = s3_xml_block(p, end, "Contents", &from, &to)) != NULL) {
		char key[S3_KEY_MAX + 1] = "", size[24] = "", modified[40] = "";
		(void) s3_xml_text(from, to, "Key", key, sizeof key);
		(void) s3_xml_text(from, to, "Size", size, sizeof size);
		(void) s3_xml_text(from, to, "LastModified", modified, sizeof modified);
		const struct s3_item item = { .key = key, .size = strtoll(size, NULL, 10), .modified_ms = ms_of_iso(modified) };
		if (!cb(u, &item))
			return false;
	}
	return true;
}

int s3_list(struct s3 *s, const char *prefix, const char *after, s3_item_cb *cb, void *u)
{
	char next[1024] = "", more[8] = "true";
	bool go_on = true;
	int r = 0;
	while (r == 0 && go_on && strcmp(more, "true") == 0) {
		struct s3_request q = S3_REQUEST("GET", NULL);
		if (next[0])
			s3_query(&q, "continuation-token", next);
		s3_query(&q, "list-type", "2");
		s3_query(&q, "max-keys", "1000");
		s3_query(&q, "prefix", prefix);
		if (after[0])
			s3_query(&q, "start-after", after);
		r = s3_do(s, &q);
		if (r == 0) {
			const char *end = q.answer.p ? q.answer.p + q.answer.n : NULL;
			go_on = give_items(&q.answer, cb, u);
			more[0] = next[0] = '\0';
			(void) s3_xml_text(q.answer.p, end, "IsTruncated", more, sizeof more);
			(void) s3_xml_text(q.answer.p, end, "NextContinuationToken", next, sizeof next);
			if (strcmp(more, "true") == 0 && !next[0])
				r = err_say(-EREMOTEIO, "the list of %s goes on, but does not say where", prefix);
		}
		s3_request_end(&q);
	}
	return err_trace(r);
}
