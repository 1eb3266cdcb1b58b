/* What happens on this machine: the copy, its compression, the purge. */
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

enum { CHUNK = 65536 };

/* ---- the copy ---- */

static int between(void *u)
{
	return archive_pace(u);
}

static int vacuum(struct job *j)
{
	struct store *db;
	int r = week_open_past(j->w, j->info.week, &db);
	if (r == STORE_E_ABSENT) {
		(void) err_say(-ENOENT, "%s is not here and was never archived", j->local);
		return ARCHIVE_E_BAD;
	}
	if (r == -EBADMSG)
		return ARCHIVE_E_BAD;
	if (r != 0)
		return r < 0 ? err_trace(r) : err_say(-EPROTO, "%s: result %d", j->local, r);
	archive_makes(j, j->copy);
	store_between(db, between, j);
	r = store_copy_to(db, j->copy);
	(void) store_close(db);
	archive_makes(j, NULL);
	if (r == -EBADMSG)
		return ARCHIVE_E_BAD;
	return r == STORE_E_FULL ? ARCHIVE_E_FULL : err_trace(r);
}

static int look_into(struct job *j, struct store *db)
{
	char found[256];
	int r = store_check(db, false, found, sizeof found);
	if (r > 0) {
		(void) err_say(-EBADMSG, "%s: %s", j->local, found);
		return ARCHIVE_E_BAD;
	}
	if (r == 0)
		r = store_begin(db);
	if (r != 0)
		return err_trace(r);
	struct stmt *st = store_stmt(db, "SELECT count(*) FROM bets");
	r = stmt_step(st);
	if (r == STMT_ROW) {
		j->a.bets = stmt_col_int(st, 0);
		stmt_reset(st);
		r = 0;
	}
	store_rollback(db);
	return err_trace(r);
}

/* Reads a file whole, in order: its hash, its length. take may be NULL. */
static int read_all(struct job *j, const char *path, struct hash *ret, int64_t *ret_n, zst_put *take, void *u)
{
	struct sha256 h;
	static _Thread_local uint8_t chunk[CHUNK];
	int fd = open(path, O_RDONLY | O_CLOEXEC), r = 0;
	ssize_t n = 1;
	if (fd < 0)
		return -errno;
	sha256_start(&h);
	*ret_n = 0;
	while (r == 0 && n > 0) {
		n = read(fd, chunk, sizeof chunk);
		if (n < 0)
			r = err_say(-errno, "%s: %s", path, strerror(errno));
		if (n > 0) {
			sha256_add(&h, chunk, (size_t) n);
			*ret_n += n;
			archive_passed(j, n, false);
			r = take ? take(u, chunk, (size_t) n) : 0;
		}
		if (r == 0)
			r = archive_pace(j);
	}
	*ret = sha256_end(&h);
	(void) close(fd);
	return r;
}

static int make_copy(struct job *j)
{
	struct store *db;
	int r = vacuum(j);
	if (r != 0)
		return r;
	r = store_open(&db, j->copy, STORE_READ, &schema_week);
	if (r != 0)
		return r < 0 ? err_trace(r) : err_say(-EBADMSG, "%s: result %d", j->copy, r);
	r = look_into(j, db);
	(void) store_close(db);
	return r == 0 ? read_all(j, j->copy, &j->a.db_hash, &j->a.db_bytes, NULL, NULL) : r;
}

int archive_copy(struct job *j)
{
	int r = archive_remove_book(j->copy);
	if (r == 0)
		r = archive_remove(j->packed);
	if (r == 0)
		r = archive_aside(j, make_copy);
	if (r != 0)
		return r;
	int64_t purged_ms = j->a.purged_ms, fetched_ms = j->a.fetched_ms;
	week_archive_free(&j->a);
	j->a = (struct week_archive){ .week_id = j->info.id, .state = WEEK_ARCHIVE_COPIED, .bets = j->a.bets,
		.form = WEEK_ARCHIVE_PLAIN, .db_bytes = j->a.db_bytes, .db_hash = j->a.db_hash, .purged_ms = purged_ms,
		.fetched_ms = fetched_ms };
	r = archive_record(j);
	if (r == 0)
		archive_told(j, "copied");
	return r;
}

/* ---- compression ---- */

struct packing {
	struct job *j;
	struct zst *z;
	int fd;
	struct sha256 block;
	int64_t in_block;
	size_t room;               /* of j->a.blocks */
};

static int end_block(struct packing *p)
{
	struct week_archive *a = &p->j->a;
	if (a->n_blocks == ARCHIVE_BLOCKS_MAX)
		return err_say(-EFBIG, "%s: longer than %d blocks", p->j->packed, ARCHIVE_BLOCKS_MAX);
	if (a->n_blocks == p->room) {
		size_t room = p->room ? 2 * p->room : 64;
		struct hash *more = realloc(a->blocks, room * sizeof *more);
		if (!more)
			return -ENOMEM;
		a->blocks = more;
		p->room = room;
	}
	a->blocks[a->n_blocks++] = sha256_end(&p->block);
	sha256_start(&p->block);
	p->in_block = 0;
	return 0;
}

static int take_packed(void *u, const void *bytes, size_t n)
{
	struct packing *p = u;
	const uint8_t *at = bytes;
	int r = archive_write(p->j, p->fd, bytes, n);
	p->j->a.packed_bytes += (int64_t) n;
	while (r == 0 && n > 0) {
		size_t room = (size_t) (ARCHIVE_BLOCK - p->in_block), used = n < room ? n : room;
		sha256_add(&p->block, at, used);
		p->in_block += (int64_t) used;
		at += used;
		n -= used;
		if (p->in_block == ARCHIVE_BLOCK)
			r = end_block(p);
	}
	return r;
}

static int take_plain(void *u, const void *bytes, size_t n)
{
	struct packing *p = u;
	return zst_feed(p->z, bytes, n);
}

static bool is_the_copy(const struct job *j, int64_t n, const struct hash *hash)
{
	return n == j->a.db_bytes && memcmp(hash->b, j->a.db_hash.b, HASH_SIZE) == 0;
}

/* -EUCLEAN: the copy is not what was recorded. */
static int press(struct job *j)
{
	struct hash hash;
	int64_t n;
	int r = read_all(j, j->copy, &hash, &n, NULL, NULL);
	if (r == -ENOENT || (r == 0 && !is_the_copy(j, n, &hash)))
		return -EUCLEAN;
	return r == 0 ? archive_press(j) : r;
}

static int compress(struct packing *p)
{
	struct job *j = p->j;
	bool plain = j->a.form == WEEK_ARCHIVE_PLAIN;
	int r = read_all(j, plain ? j->copy : j->pressed, &j->a.inner_hash, &j->a.inner_bytes, take_plain, p);
	if (r == 0 && plain && !is_the_copy(j, j->a.inner_bytes, &j->a.inner_hash))
		return -EUCLEAN;
	if (r == 0)
		r = zst_end(p->z);
	if (r == 0 && p->in_block > 0)
		r = end_block(p);
	return r == 0 && fsync(p->fd) < 0 ? err_say(-errno, "%s: sync: %s", j->packed, strerror(errno)) : err_trace(r);
}

static int make_packed(struct job *j)
{
	struct packing p = { .j = j };
	int r = press(j);
	if (r != 0)
		return r;
	week_archive_free(&j->a);
	j->a.packed_bytes = 0;
	sha256_start(&p.block);
	archive_makes(j, j->packed);
	p.fd = open(j->packed, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (p.fd < 0)
		return archive_fail(j->packed, "open");
	r = zst_packer(&p.z, (int) j->conf->level, (int) j->conf->window_log, take_packed, &p);
	if (r == 0)
		r = compress(&p);
	p.z = zst_close(p.z);
	(void) close(p.fd);
	return r == 0 ? archive_sync_dir(j->dir) : r;
}

int archive_pack(struct job *j)
{
	int r = archive_aside(j, make_packed);
	if (r == -EUCLEAN) {
		j->a.state = 0;
		return 0;
	}
	if (r != 0)
		return r == -ENOSPC ? ARCHIVE_E_FULL : r;
	j->a.state = WEEK_ARCHIVE_PACKED;
	r = archive_record(j);
	if (r == 0)
		r = archive_remove_book(j->pressed);
	if (r == 0)
		r = archive_remove_book(j->copy);
	if (r == 0)
		archive_told(j, "packed");
	return r;
}

/* ---- the purge ---- */

static int compare_alone(struct job *j)
{
	return archive_compare(j, -1);
}

static int remove_local(struct job *j)
{
	int r = archive_remove_book(j->local);
	return r == 0 ? archive_sync_dir(j->conf->data_dir) : r;
}

int archive_purge(struct job *j)
{
	char what[128];
	int r = archive_aside(j, compare_alone);
	if (r == ARCHIVE_E_ABSENT) { /* gone from there, but still here */
		(void) snprintf(what, sizeof what, "archive of %s: the object is gone from the store, it is sent anew", j->label);
		r = archive_audit(j, what);
		week_archive_free(&j->a);
		j->a.state = WEEK_ARCHIVE_COPIED; /* of which there is no copy any more: it is made anew */
		j->a.packed_bytes = j->a.verified_ms = 0;
		if (r == 0)
			r = archive_record(j);
		return r == 0 ? err_say(-EAGAIN, "%s is gone from the store: it is sent anew", j->key) : r;
	}
	if (r != 0)
		return r;
	(void) snprintf(what, sizeof what, "archive of %s was compared: the file here is purged", j->label);
	r = archive_audit(j, what);
	if (r == 0)
		r = remove_local(j);
	if (r != 0)
		return r;
	j->a.purged_ms = archive_now_ms(j);
	j->info.local = false;
	r = archive_record(j);
	if (r == 0)
		archive_told(j, "purged");
	return r;
}
