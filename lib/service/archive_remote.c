/* What happens at the object store: the object is sent, in parts when it is long; fetched back and compared. */
#include "archive_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "err.h"
#include "hex.h"
#include "schema.h"
#include "zst.h"

/* ---- sending ---- */

static int64_t part_size(const struct job *j)
{
	int64_t least = (j->a.packed_bytes + S3_PARTS_MAX - 1) / S3_PARTS_MAX;
	return j->conf->part_bytes > least ? j->conf->part_bytes : least;
}

static int64_t part_length(const struct job *j, int64_t i)
{
	int64_t left = j->a.packed_bytes - i * part_size(j);
	return left < part_size(j) ? left : part_size(j);
}

static size_t part_count(const struct job *j)
{
	return (size_t) ((j->a.packed_bytes + part_size(j) - 1) / part_size(j));
}

/* The packed file as it was recorded? -EUCLEAN: it is not, or not there. */
static int check_packed(struct job *j, int fd)
{
	char chunk[S3_CHUNK];
	struct stat st;
	int r = fstat(fd, &st) < 0 || st.st_size != j->a.packed_bytes ? -EUCLEAN : 0;
	for (size_t i = 0; r == 0 && i < j->a.n_blocks; i++) {
		struct sha256 h;
		ssize_t n = sizeof chunk;
		sha256_start(&h);
		for (off_t at = 0; r == 0 && n > 0 && at < ARCHIVE_BLOCK; at += n) {
			n = pread(fd, chunk, sizeof chunk, (off_t) (i * ARCHIVE_BLOCK) + at);
			sha256_add(&h, chunk, n > 0 ? (size_t) n : 0);
			archive_passed(j, n > 0 ? n : 0, false);
			r = archive_pace(j);
		}
		const struct hash hash = sha256_end(&h);
		if (r == 0 && memcmp(hash.b, j->a.blocks[i].b, HASH_SIZE) != 0)
			r = -EUCLEAN;
	}
	return r;
}

static int open_packed(struct job *j, int *ret_fd)
{
	int fd = open(j->packed, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -EUCLEAN : archive_fail(j->packed, "open");
	int r = check_packed(j, fd);
	if (r == 0)
		*ret_fd = fd;
	else
		(void) close(fd);
	return r;
}

static int send_whole(struct job *j)
{
	int fd;
	int r = open_packed(j, &fd);
	if (r != 0)
		return r;
	const struct s3_put put = { .body = { .fd = fd, .n = j->a.packed_bytes }, .content_type = "application/zstd",
		.class = S3_STANDARD_IA, .once = true };
	r = s3_put(j->s3, j->key, &put);
	(void) close(fd);
	return r == S3_E_EXISTS ? 0 : r; /* ours, or else the comparison will say so */
}

struct parts {
	const struct job *j;
	struct s3_part *all;       /* by number - 1; size 0: not there */
	size_t n;
};

static bool take_part(void *u, const struct s3_part *part)
{
	struct parts *p = u;
	if (part->number >= 1 && (size_t) part->number <= p->n && part->size == part_length(p->j, part->number - 1))
		p->all[part->number - 1] = *part;
	return true;
}

/* What is there is kept; the rest is sent; what is then listed is named. */
static int send_missing(struct job *j, struct parts *p, int fd)
{
	int r = s3_multi_parts(j->s3, j->key, j->a.upload, take_part, p);
	for (size_t i = 0; r == 0 && i < p->n; i++) {
		const struct s3_body body = { .fd = fd, .at = (int64_t) i * part_size(j), .n = part_length(j, (int64_t) i) };
		struct s3_part sent;
		if (p->all[i].size > 0)
			continue;
		r = s3_multi_part(j->s3, j->key, j->a.upload, (int) i + 1, &body, &sent);
		if (r == 0)
			archive_told(j, "part sent");
	}
	if (r == 0)
		r = s3_multi_parts(j->s3, j->key, j->a.upload, take_part, p);
	for (size_t i = 0; r == 0 && i < p->n; i++)
		if (p->all[i].size == 0)
			r = err_say(-EREMOTEIO, "%s: part %zu was taken, but is not listed", j->key, i + 1);
	return r;
}

static int send_parts(struct job *j)
{
	struct parts p = { .j = j, .n = part_count(j) };
	int fd;
	int r = open_packed(j, &fd);
	if (r != 0)
		return r;
	p.all = calloc(p.n, sizeof *p.all);
	r = p.all ? send_missing(j, &p, fd) : -ENOMEM;
	if (r == 0)
		r = s3_multi_complete(j->s3, j->key, j->a.upload, p.all, p.n);
	free(p.all);
	(void) close(fd);
	return r;
}

struct uploads {
	char all[8][S3_TEXT_MAX];
	size_t n;
};

static bool take_upload(void *u, const char *upload)
{
	struct uploads *up = u;
	(void) snprintf(up->all[up->n++], S3_TEXT_MAX, "%s", upload);
	return up->n < ARRAY_LEN(up->all);
}

/* Forgotten ones first: their parts cost money for ever. The new one is recorded before anything is put into it. */
static int begin_upload(struct job *j)
{
	const struct s3_put how = { .content_type = "application/zstd", .class = S3_STANDARD_IA };
	struct uploads up = { .n = 0 };
	int r = s3_multi_uploads(j->s3, j->key, take_upload, &up);
	for (size_t i = 0; r == 0 && i < up.n; i++)
		r = s3_multi_abort(j->s3, j->key, up.all[i]);
	if (r == 0)
		r = s3_multi_create(j->s3, j->key, &how, j->a.upload);
	if (r == 0)
		r = archive_record(j);
	if (r == 0)
		archive_told(j, "upload begun");
	return r;
}

static int send_long(struct job *j)
{
	struct s3_info there;
	int r = s3_head(j->s3, j->key, &there);
	if (r != S3_E_NOT_FOUND)
		return r; /* 0: ours, completed just before an end, or else the comparison will say so */
	r = j->a.upload[0] ? 0 : begin_upload(j);
	if (r == 0)
		r = archive_aside(j, send_parts);
	if (r == S3_E_NOT_FOUND) { /* the upload is gone: completed after all, or aborted */
		j->a.upload[0] = '\0';
		return -EAGAIN;
	}
	return r == S3_E_PARTS ? -EREMOTEIO : r;
}

int archive_send(struct job *j)
{
	bool is_long = j->a.packed_bytes > j->conf->multipart_bytes;
	int r = is_long ? send_long(j) : archive_aside(j, send_whole);
	if (r == -EAGAIN)
		return 0; /* once more */
	if (r == -EUCLEAN) { /* what was packed is lost: made anew from the copy, or from the week itself */
		if (j->a.upload[0] && s3_multi_abort(j->s3, j->key, j->a.upload) < 0)
			err_clear(); /* begin_upload finds it */
		j->a.upload[0] = '\0';
		j->a.state = WEEK_ARCHIVE_COPIED;
		return 0;
	}
	if (r != 0)
		return archive_of_s3(r);
	j->a.state = WEEK_ARCHIVE_SENT;
	j->a.upload[0] = '\0';
	r = archive_record(j);
	if (r == 0)
		archive_told(j, "sent");
	return r;
}

/* ---- comparing ---- */

struct comparing {
	struct job *j;
	struct zst *z;
	uint8_t *block;
	struct sha256 of_block;
	size_t in_block, at_block;
	struct sha256 content;
	int64_t content_n;
	int fd;
};

static int tampered(struct comparing *c, size_t n)
{
	int64_t from = (int64_t) c->at_block * ARCHIVE_BLOCK;
	return err_say(-EBADMSG, "%s is not what was archived: its bytes %lld to %lld differ", c->j->key, (long long) from,
			(long long) (from + (int64_t) n - 1));
}

/* A block is unpacked only once it is known to be ours. */
static int end_block(struct comparing *c)
{
	const struct week_archive *a = &c->j->a;
	size_t n = c->in_block;
	struct hash hash = sha256_end(&c->of_block);
	sha256_start(&c->of_block);
	if (c->at_block >= a->n_blocks || memcmp(hash.b, a->blocks[c->at_block].b, HASH_SIZE) != 0)
		return tampered(c, n);
	c->at_block++;
	c->in_block = 0;
	return zst_feed(c->z, c->block, n);
}

static int take_fetched(void *u, const void *bytes, size_t n)
{
	struct comparing *c = u;
	const uint8_t *at = bytes;
	int r = 0;
	while (r == 0 && n > 0) {
		size_t room = ARCHIVE_BLOCK - c->in_block, used = n < room ? n : room;
		memcpy(c->block + c->in_block, at, used);
		sha256_add(&c->of_block, at, used);
		c->in_block += used;
		at += used;
		n -= used;
		r = c->in_block == ARCHIVE_BLOCK ? end_block(c) : archive_pace(c->j);
	}
	return r;
}

static int take_content(void *u, const void *bytes, size_t n)
{
	struct comparing *c = u;
	sha256_add(&c->content, bytes, n);
	c->content_n += (int64_t) n;
	return c->fd < 0 ? archive_pace(c->j) : archive_write(c->j, c->fd, bytes, n);
}

static int compare_end(struct comparing *c)
{
	const struct job *j = c->j;
	int64_t came = (int64_t) (c->at_block * ARCHIVE_BLOCK + c->in_block);
	if (came != j->a.packed_bytes)
		return err_say(-EBADMSG, "%s is not what was archived: it ends after %lld of %lld bytes", j->key, (long long) came,
				(long long) j->a.packed_bytes);
	int r = c->in_block > 0 ? end_block(c) : 0;
	if (r == 0)
		r = zst_end(c->z);
	const struct hash hash = sha256_end(&c->content);
	if (r == 0 && (c->content_n != j->a.inner_bytes || memcmp(hash.b, j->a.inner_hash.b, HASH_SIZE) != 0))
		r = err_say(-EBADMSG, "%s unpacks to other bytes than were archived", j->key);
	return r;
}

int archive_compare(struct job *j, int fd)
{
	struct comparing c = { .j = j, .fd = fd, .block = malloc(ARCHIVE_BLOCK) };
	sha256_start(&c.content);
	sha256_start(&c.of_block);
	int r = c.block ? zst_unpacker(&c.z, ZST_WINDOW_LOG_MAX, take_content, &c) : -ENOMEM;
	if (r == 0)
		r = s3_get(j->s3, j->key, 0, -1, take_fetched, &c, NULL);
	if (r == 0)
		r = compare_end(&c);
	(void) zst_close(c.z);
	free(c.block);
	if (r == -EBADMSG)
		return ARCHIVE_E_TAMPERED;
	return r == -ENOSPC ? ARCHIVE_E_FULL : archive_of_s3(r);
}

static int compare_alone(struct job *j)
{
	return archive_compare(j, -1);
}

int archive_verify(struct job *j)
{
	char what[256], hash[2 * HASH_SIZE + 1], rows[2 * HASH_SIZE + 1] = "";
	int r = archive_aside(j, compare_alone);
	if (r == ARCHIVE_E_ABSENT) { /* the endpoint lost what it took */
		j->a.state = WEEK_ARCHIVE_PACKED;
		return 0;
	}
	if (r != 0)
		return r;
	hex_encode(hash, j->a.inner_hash.b, HASH_SIZE);
	if (j->a.form == WEEK_ARCHIVE_PRESSED)
		hex_encode(rows, j->a.rows_hash.b, HASH_SIZE);
	(void) snprintf(what, sizeof what, "archive of %s was sent and compared: %lld bytes, sha256 %s%s%s", j->label,
			(long long) j->a.inner_bytes, hash, rows[0] ? ", thaws to rows " : "", rows);
	r = archive_audit(j, what);
	if (r != 0)
		return r;
	j->a.state = WEEK_ARCHIVE_VERIFIED;
	j->a.verified_ms = archive_now_ms(j);
	r = archive_record(j);
	if (r == 0)
		archive_told(j, "verified");
	return r;
}

/* ---- the way back ---- */

/* Opened as what it is to be: its check, and this program's version. */
static int prepare(struct job *j)
{
	char found[256];
	struct store *db;
	archive_makes(j, j->copy);
	int r = store_open(&db, j->copy, STORE_WRITE, &schema_week);
	if (r == STORE_E_FULL)
		return ARCHIVE_E_FULL;
	if (r != 0)
		return r < 0 ? err_trace(r) : err_say(-EPROTO, "%s is of a newer release than this program", j->label);
	r = store_check(db, false, found, sizeof found);
	if (r > 0)
		r = err_say(-EBADMSG, "%s: %s", j->label, found);
	if (r == 0)
		return err_trace(store_close_whole(db));
	(void) store_close(db);
	return err_trace(r);
}

static int fetch_into(struct job *j)
{
	bool plain = j->a.form == WEEK_ARCHIVE_PLAIN;
	const char *path = plain ? j->copy : j->pressed;
	archive_makes(j, path);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return archive_fail(path, "open");
	int r = archive_compare(j, fd);
	if (r == 0 && fsync(fd) < 0)
		r = archive_fail(path, "sync");
	(void) close(fd);
	if (r == 0 && !plain)
		r = archive_thaw(j);
	return r == 0 ? prepare(j) : r;
}

static int put_in_place(struct job *j)
{
	int r = archive_remove_beside(j->local); /* of the file that was purged: they are not this one's */
	if (r == 0)
		r = store_sync(j->copy);
	if (r == 0 && rename(j->copy, j->local) < 0)
		r = archive_fail(j->local, "rename");
	return r == 0 ? archive_sync_dir(j->conf->data_dir) : r;
}

int archive_bring_back(struct job *j)
{
	char what[128];
	int r = archive_aside(j, fetch_into);
	if (r != 0) {
		char why[ERR_TEXT_MAX]; /* what went wrong, not what the clearing says */
		(void) snprintf(why, sizeof why, "%s", err_text());
		if (archive_remove_book(j->copy) != 0 || archive_remove_book(j->pressed) != 0)
			err_clear(); /* the next run removes it */
		(void) err_say(r < 0 ? r : -EIO, "%s", why);
		return r;
	}
	(void) snprintf(what, sizeof what, "archive of %s was fetched and compared", j->label);
	r = archive_audit(j, what);
	j->a.fetched_ms = archive_now_ms(j); /* before the file is there, so that it is not purged at once */
	if (r == 0)
		r = archive_record(j);
	if (r == 0)
		r = put_in_place(j);
	if (r == 0)
		r = archive_remove_book(j->pressed);
	if (r == 0)
		archive_told(j, "fetched");
	return r;
}
