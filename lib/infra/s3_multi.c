/* Objects put in parts. */
#include "s3_impl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "err.h"

enum { COMPLETE_MAX = S3_PARTS_MAX * 400 };

int s3_multi_create(struct s3 *s, const char *key, const struct s3_put *put, char upload[S3_TEXT_MAX])
{
	struct s3_request q = S3_REQUEST("POST", key);
	s3_query(&q, "uploads", "");
	s3_put_headers(&q, put);
	upload[0] = '\0';
	int r = s3_do(s, &q);
	if (r == 0 && (!q.answer.p || !s3_xml_text(q.answer.p, q.answer.p + q.answer.n, "UploadId", upload, S3_TEXT_MAX)))
		r = err_say(-EREMOTEIO, "%s: the endpoint names no upload", key);
	s3_request_end(&q);
	return err_trace(r);
}

int s3_multi_part(struct s3 *s, const char *key, const char *upload, int number, const struct s3_body *body, struct s3_part *ret)
{
	struct s3_request q = S3_REQUEST("PUT", key);
	char text[16];
	CHECK(number >= 1 && number <= S3_PARTS_MAX);
	(void) snprintf(text, sizeof text, "%d", number);
	s3_query(&q, "partNumber", text);
	s3_query(&q, "uploadId", upload);
	q.body = *body;
	int r = s3_do(s, &q);
	if (r == 0 && !q.info.etag[0])
		r = err_say(-EREMOTEIO, "%s, part %d: the endpoint gives no ETag", key, number);
	if (r == 0) {
		*ret = (struct s3_part){ .number = number, .size = body->n };
		memcpy(ret->etag, q.info.etag, sizeof ret->etag);
	}
	s3_request_end(&q);
	return err_trace(r);
}

static void put_escaped(struct buf *b, const char *text)
{
	for (; *text; text++) {
		if (*text == '"')
			buf_puts(b, "&quot;");
		else if (*text == '&')
			buf_puts(b, "&amp;");
		else if (*text == '<')
			buf_puts(b, "&lt;");
		else
			buf_putc(b, *text);
	}
}

/* An endpoint may begin its answer before it knows: a refusal then comes with 200. */
static int complete(struct s3 *s, struct s3_request *q)
{
	int r = s3_hash_body(q);
	for (int done = 1; r == 0; done++) {
		r = s3_once(s, q);
		if (r == 0 && (!q->answer.p || !memmem(q->answer.p, q->answer.n, "<CompleteMultipartUploadResult", 30)))
			r = s3_refused(q);
		if (!s3_again(s, q, done, r))
			return err_trace(r);
		r = 0;
	}
	return err_trace(r);
}

int s3_multi_complete(struct s3 *s, const char *key, const char *upload, const struct s3_part *parts, size_t n)
{
	struct s3_request q = S3_REQUEST("POST", key);
	struct buf body = BUF_INIT(COMPLETE_MAX);
	CHECK(n > 0 && n <= S3_PARTS_MAX && s3_key_ok(key));
	buf_puts(&body, "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
	for (size_t i = 0; i < n; i++) {
		buf_printf(&body, "<Part><PartNumber>%d</PartNumber><ETag>", parts[i].number);
		put_escaped(&body, parts[i].etag);
		buf_puts(&body, "</ETag></Part>");
	}
	buf_puts(&body, "</CompleteMultipartUpload>");
	s3_query(&q, "uploadId", upload);
	s3_header(&q, "Content-Type: application/xml");
	q.body = (struct s3_body){ .bytes = body.p, .n = (int64_t) body.n };
	int r = body.failed ? -ENOMEM : complete(s, &q);
	buf_free(&body);
	s3_request_end(&q);
	return err_trace(r);
}

int s3_multi_abort(struct s3 *s, const char *key, const char *upload)
{
	struct s3_request q = S3_REQUEST("DELETE", key);
	s3_query(&q, "uploadId", upload);
	int r = s3_do(s, &q);
	s3_request_end(&q);
	return r == S3_E_NOT_FOUND ? 0 : err_trace(r);
}

static bool give_parts(const struct buf *page, s3_part_cb *cb, void *u)
{
	const char *p = page->p, *end = p ? p + page->n : NULL, *from, *to;
	while ((p = s3_xml_block(p, end, "Part", &from, &to)) != NULL) {
		struct s3_part part = { 0 };
		char number[16] = "", size[24] = "";
		(void) s3_xml_text(from, to, "PartNumber", number, sizeof number);
		(void) s3_xml_text(from, to, "Size", size, sizeof size);
		(void) s3_xml_text(from, to, "ETag", part.etag, sizeof part.etag);
		part.number = (int) strtol(number, NULL, 10);
		part.size = strtoll(size, NULL, 10);
		if (!cb(u, &part))
			return false;
	}
	return true;
}

int s3_multi_parts(struct s3 *s, const char *key, const char *upload, s3_part_cb *cb, void *u)
{
	char marker[16] = "0", more[8] = "true", next[16];
	bool go_on = true;
	int r = 0;
	while (r == 0 && go_on && strcmp(more, "true") == 0) {
		struct s3_request q = S3_REQUEST("GET", key);
		s3_query(&q, "max-parts", "1000");
		s3_query(&q, "part-number-marker", marker);
		s3_query(&q, "uploadId", upload);
		r = s3_do(s, &q);
		if (r == 0) {
			const char *end = q.answer.p ? q.answer.p + q.answer.n : NULL;
			go_on = give_parts(&q.answer, cb, u);
			more[0] = next[0] = '\0';
			(void) s3_xml_text(q.answer.p, end, "IsTruncated", more, sizeof more);
			(void) s3_xml_text(q.answer.p, end, "NextPartNumberMarker", next, sizeof next);
			if (strcmp(more, "true") == 0 && strtol(next, NULL, 10) <= strtol(marker, NULL, 10))
				r = err_say(-EREMOTEIO, "%s: the list of parts goes on, but does not say where", key);
			memcpy(marker, next, sizeof marker);
		}
		s3_request_end(&q);
	}
	return err_trace(r);
}

int s3_multi_uploads(struct s3 *s, const char *key, s3_upload_cb *cb, void *u)
{
	struct s3_request q = S3_REQUEST("GET", NULL);
	CHECK(s3_key_ok(key));
	s3_query(&q, "max-uploads", "1000");
	s3_query(&q, "prefix", key);
	s3_query(&q, "uploads", "");
	int r = s3_do(s, &q);
	const char *p = r == 0 ? q.answer.p : NULL, *end = p ? p + q.answer.n : NULL, *from, *to;
	while (p && (p = s3_xml_block(p, end, "Upload", &from, &to)) != NULL) {
		char its_key[S3_KEY_MAX + 1] = "", upload[S3_TEXT_MAX] = "";
		(void) s3_xml_text(from, to, "Key", its_key, sizeof its_key);
		(void) s3_xml_text(from, to, "UploadId", upload, sizeof upload);
		if (strcmp(its_key, key) == 0 && upload[0] && !cb(u, upload))
			break;
	}
	s3_request_end(&q);
	return err_trace(r);
}
