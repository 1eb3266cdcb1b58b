/* s3.h - objects in one bucket of an S3 endpoint; the one module that includes libcurl. Infra floor.
 * A struct s3 is one connection that is kept open, owned by one thread. Requests are path-style (ENDPOINT/BUCKET/KEY) and signed by
 * AWS Signature Version 4 with the payload's real SHA-256, so that a body that changed on its way is refused by the endpoint.
 * Credentials: one secret, ACCESS_KEY:SECRET_KEY in one file, so that a rotation is one rename. It is read anew for each request: a
 *   rotation needs no restart.
 * Keys: 1 to 512 of A-Z a-z 0-9 . _ - / (CHECK): they stand in signed paths as they are.
 * Time: each try has a limit for connecting, one for standing still, and one in all that grows with the bytes; weather is tried again
 *   as the caller chose, after a pause that doubles, with full jitter. While it works `stopping` is asked ten times a second; true
 *   ends the call with -ECANCELED.
 * Results: 0 done; S3_E_* expected, handle them; <0 weather that outlasted the tries (-ECANCELED: told to stop), with a sentence. For
 *   the S3_E_* too err_text() says what the endpoint said. After a <0 from a write it is not known whether it was done: all of them
 *   may be repeated.
 * Memory: a request holds S3_CHUNK bytes of a file's body, whatever its size. */
#ifndef TAP_S3_H
#define TAP_S3_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attr.h"
#include "buf.h"
#include "hash.h"

enum {
	S3_KEY_MAX = 512,
	S3_TEXT_MAX = 256,             /* an ETag, an upload's id */
	S3_CHUNK = 65536,
	S3_PARTS_MAX = 10000,          /* the protocol's: of one upload */
	S3_PART_LEAST = 5 * 1048576    /* the protocol's: each part but the last */
};

enum {
	S3_E_EXISTS = 1,   /* S3_ONCE: there is an object of that key. After a repeated try it may be our own: compare */
	S3_E_NOT_FOUND,    /* no such object; no such upload */
	S3_E_DENIED,       /* the credentials: missing, unknown, expired, not allowed */
	S3_E_FULL,         /* the bucket's quota */
	S3_E_PARTS,        /* the parts named are not those that the endpoint has */
	S3_E_SETUP,        /* no such bucket, or the endpoint does not know such a request: trying again does not help */
	S3_E_BIG           /* more bytes than the caller's buffer takes */
};

/* Texts are borrowed and outlive the handle. */
struct s3_conf {
	const char *endpoint;          /* http[s]://host[:port] */
	const char *bucket, *region;
	const char *credentials_file;  /* "": only $CREDENTIALS_DIRECTORY/S3_CREDENTIALS */
	int64_t bytes_per_second;      /* of each direction; 0: no bound */
	int64_t still_ms;              /* a connection on which nothing moves for as long is given up; also the limit of connecting */
	int tries;                     /* of each request, at least 1 */
	int64_t pause_ms;              /* before the second try; then twice as long, at most S3_PAUSE_MAX_MS */
	bool (*stopping)(void *u);     /* NULL: never */
	void (*moved)(void *u, int64_t bytes); /* told of a body's bytes as they go and come; NULL: nobody */
	void *u;
};
enum { S3_PAUSE_MAX_MS = 10000 };

/* Are there any, in their form? 0; S3_E_DENIED, <0: a sentence says what is wrong. No one is asked whether they are good. */
MUST_CHECK int s3_look_at_credentials(const struct s3_conf *conf);

struct s3;
MUST_CHECK int s3_open(struct s3 **ret, const struct s3_conf *conf);
struct s3 *s3_close(struct s3 *s);
DEFINE_CLEANUP(struct s3, s3_close)
/* From the next request on. */
void s3_set_tries(struct s3 *s, int tries);
/* Counted since the open: requests that were sent, those of them that were a repetition, bytes of bodies. */
struct s3_stats {
	uint64_t requests, repeated, sent_bytes, received_bytes;
};
void s3_stats(const struct s3 *s, struct s3_stats *ret);

/* What is sent: n bytes of memory, or, when bytes is NULL, n bytes of the file fd from `at` on (read twice: once for the hash). */
struct s3_body {
	const void *bytes;
	int fd;
	int64_t at, n;
};
enum s3_class { S3_STANDARD, S3_STANDARD_IA };
struct s3_put {
	struct s3_body body;
	const char *content_type;      /* NULL: application/octet-stream */
	enum s3_class class;
	bool once;                     /* If-None-Match: *  - never over another object */
};
/* The object is whole and there when it answers 0. */
MUST_CHECK int s3_put(struct s3 *s, const char *key, const struct s3_put *put);

struct s3_info {
	int64_t size;                  /* of the whole object */
	int64_t modified_ms;           /* 0: not said */
	char etag[S3_TEXT_MAX];        /* as it was sent, with its quotes */
	char class[32];                /* "" when the endpoint does not name it: STANDARD */
};
MUST_CHECK int s3_head(struct s3 *s, const char *key, struct s3_info *ret);

/* The bytes [from, to) of an object, to -1: to its end, are given to `take` in order, each once, also when a connection broke in between
 * (it goes on from there, if the object is still the same; else <0). A take that answers <0 ends it: that is passed up. An object
 * that ends before `from` gives no bytes. ret may be NULL. */
typedef int s3_take(void *u, const void *bytes, size_t n);
MUST_CHECK int s3_get(struct s3 *s, const char *key, int64_t from, int64_t to, s3_take *take, void *u, struct s3_info *ret);
/* The whole object, appended to a buffer; S3_E_BIG beyond its max. */
MUST_CHECK int s3_get_buf(struct s3 *s, const char *key, struct buf *ret, struct s3_info *info);
/* The bytes from the file's present length on, appended: an interrupted fetch is so resumed. Not synced. */
MUST_CHECK int s3_get_file(struct s3 *s, const char *key, int fd, struct s3_info *info);

/* 0 also when there is none. */
MUST_CHECK int s3_delete(struct s3 *s, const char *key);

/* Every object whose key begins with prefix, from the first after `after` ("": all), in the keys' order, page by page. False from cb
 * ends it. */
struct s3_item {
	const char *key;               /* lives inside the callback */
	int64_t size, modified_ms;
};
typedef bool s3_item_cb(void *u, const struct s3_item *item);
MUST_CHECK int s3_list(struct s3 *s, const char *prefix, const char *after, s3_item_cb *cb, void *u);

/* Multipart: begun, parts put in any order and again, then named all at once and there as one object. What was put stays until it is
 * completed or aborted, also over our own death. */
struct s3_part {
	int number;                    /* 1 .. S3_PARTS_MAX */
	int64_t size;
	char etag[S3_TEXT_MAX];
};
MUST_CHECK int s3_multi_create(struct s3 *s, const char *key, const struct s3_put *put, char upload[S3_TEXT_MAX]);
MUST_CHECK int s3_multi_part(struct s3 *s, const char *key, const char *upload, int number, const struct s3_body *body,
		struct s3_part *ret);
/* Parts rising. S3_E_PARTS, S3_E_NOT_FOUND: no such upload (any more): it may have been completed before. */
MUST_CHECK int s3_multi_complete(struct s3 *s, const char *key, const char *upload, const struct s3_part *parts, size_t n);
MUST_CHECK int s3_multi_abort(struct s3 *s, const char *key, const char *upload); /* 0 also when there is none */
/* The parts that the endpoint has, rising. */
typedef bool s3_part_cb(void *u, const struct s3_part *part);
MUST_CHECK int s3_multi_parts(struct s3 *s, const char *key, const char *upload, s3_part_cb *cb, void *u);
/* The uploads of exactly that key which are begun and neither completed nor aborted. */
typedef bool s3_upload_cb(void *u, const char *upload);
MUST_CHECK int s3_multi_uploads(struct s3 *s, const char *key, s3_upload_cb *cb, void *u);

#endif
