/* s3_impl.h - what the files of s3 share. Private to s3*.c. */
#ifndef TAP_S3_IMPL_H
#define TAP_S3_IMPL_H

#include "s3.h"

enum { S3_HEADERS_MAX = 6, S3_HEADER_MAX = 640, S3_QUERY_MAX = 4096, S3_ANSWER_MAX = 4 << 20 };

struct s3_request {
	const char *method;            /* GET HEAD PUT POST DELETE */
	const char *key;               /* NULL: the bucket itself */
	char query[S3_QUERY_MAX];      /* names sorted, values encoded, as the signature wants it */
	char headers[S3_HEADERS_MAX][S3_HEADER_MAX];
	size_t n_headers;
	struct s3_body body;
	s3_take *take;                 /* of a good answer's body; NULL: it goes to `answer` */
	void *u;
	/* what came back */
	long status;                   /* of HTTP; 0: none came */
	struct buf answer;
	struct s3_info info;
	int64_t skip;                  /* of the body, before `take` gets any */
	int64_t taken;                 /* bytes that `take` got, over all tries */
	int take_failed;               /* what it answered, <0 */
	char payload[2 * HASH_SIZE + 1]; /* the hash of what is sent */
};

#define S3_REQUEST(m, k) { .method = (m), .key = (k), .body = { .bytes = "" }, .answer = BUF_INIT(S3_ANSWER_MAX) }
static inline void s3_request_end(struct s3_request *q)
{
	buf_free(&q->answer);
}

PRINTF_LIKE(2, 3) void s3_header(struct s3_request *q, const char *fmt, ...);
/* Appends name=value; the caller keeps the names sorted. */
void s3_query(struct s3_request *q, const char *name, const char *value);
void s3_put_headers(struct s3_request *q, const struct s3_put *put);
bool s3_key_ok(const char *key);

/* One request, with its repetitions. */
MUST_CHECK int s3_do(struct s3 *s, struct s3_request *q);
/* One try; <0 is weather. */
MUST_CHECK int s3_once(struct s3 *s, struct s3_request *q);
MUST_CHECK int s3_hash_body(struct s3_request *q);
/* After the try number `done` (from 1) answered r: true when there is to be another; it has waited for it by then. */
bool s3_again(struct s3 *s, const struct s3_request *q, int done, int r);
/* What an answer that is no success means: S3_E_* or <0, with its sentence. */
int s3_refused(const struct s3_request *q);

/* The text of the first <tag> in [p, end), entities resolved, cut to size: where it ended, or NULL when there is none. */
const char *s3_xml_text(const char *p, const char *end, const char *tag, char *out, size_t size);
/* The first <tag>...</tag> in [p, end): its inside; returns where to look on, or NULL. */
const char *s3_xml_block(const char *p, const char *end, const char *tag, const char **ret_from, const char **ret_to);

#endif
