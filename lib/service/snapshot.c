#include "snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "err.h"
#include "hex.h"
#include "store.h"
#include "zst.h"

enum { LEVEL = 3, WINDOW_LOG = 27, MANIFEST_MAX = 8192, KEY_SIZE = 160, PATH_SIZE = 512, HEX = 2 * HASH_SIZE };

static const char first_line[] = "tap-trading snapshot 1\n";

int ship_s3(int r, const char *key)
{
	static const int codes[] = { [S3_E_EXISTS] = -EEXIST, [S3_E_NOT_FOUND] = -ENOENT, [S3_E_DENIED] = -EACCES,
		[S3_E_FULL] = -EDQUOT, [S3_E_PARTS] = -EIO, [S3_E_SETUP] = -ENXIO, [S3_E_BIG] = -EBADMSG };
	if (r <= 0)
		return err_trace(r);
	char why[ERR_TEXT_MAX];
	(void) snprintf(why, sizeof why, "%s", err_text());
	return err_say(r < (int) ARRAY_LEN(codes) ? codes[r] : -EIO, "%s: %.300s", key, why);
}

static void key_of(char out[KEY_SIZE], const char *stamp, const char *name, const char *suffix)
{
	(void) snprintf(out, KEY_SIZE, SHIP_PREFIX "snapshots/%s/%s%s", stamp, name, suffix);
}

/* ---- sending */

struct packing {
	int fd;
	struct sha256 hash;
	int64_t bytes;
};

static int put_packed(void *u, const void *bytes, size_t n)
{
	struct packing *p = u;
	sha256_add(&p->hash, bytes, n);
	p->bytes += (int64_t) n;
	for (size_t done = 0; done < n;) {
		ssize_t w = write(p->fd, (const char *) bytes + done, n - done);
		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0)
			return err_say(-errno, "writing: %s", strerror(errno));
		done += (size_t) w;
	}
	return 0;
}

/* The file's bytes through the packer, hashed on both sides. */
static int pack(int from, struct packing *to, struct snapshot_file *f)
{
	_cleanup_(zst_closep) struct zst *z = NULL;
	char piece[ZST_CHUNK];
	struct sha256 hash;
	ssize_t n;
	sha256_start(&hash);
	sha256_start(&to->hash);
	int r = zst_packer(&z, LEVEL, 0, put_packed, to);
	while (r == 0 && (n = read(from, piece, sizeof piece)) != 0) {
		if (n < 0)
			return err_say(-errno, "%s: %s", f->name, strerror(errno));
		sha256_add(&hash, piece, (size_t) n);
		f->bytes += n;
		r = zst_feed(z, piece, (size_t) n);
	}
	if (r == 0)
		r = zst_end(z);
	f->hash = sha256_end(&hash);
	f->stored_hash = sha256_end(&to->hash);
	f->stored_bytes = to->bytes;
	return err_trace(r);
}

static int send(struct s3 *s3, const char *stamp, const struct snapshot_file *f, int fd)
{
	char key[KEY_SIZE];
	const struct s3_put put = { .body = { .fd = fd, .n = f->stored_bytes } };
	key_of(key, stamp, f->name, ".zst");
	return ship_s3(s3_put(s3, key, &put), key);
}

static int put_file(struct s3 *s3, const char *folder, const char *stamp, struct snapshot_file *f)
{
	char path[PATH_SIZE];
	(void) snprintf(path, sizeof path, "%s/%s", folder, f->name);
	int from = open(path, O_RDONLY | O_CLOEXEC);
	if (from < 0)
		return err_say(-errno, "%s: %s", path, strerror(errno));
	/* beside the backups, where there is room for a copy; without a name, so that nothing is ever left over */
	(void) snprintf(path, sizeof path, "%s/..", folder);
	struct packing to = { .fd = open(path, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600) };
	int r = to.fd < 0 ? err_say(-errno, "%s: %s", path, strerror(errno)) : pack(from, &to, f);
	if (r == 0)
		r = send(s3, stamp, f, to.fd);
	if (to.fd >= 0)
		(void) close(to.fd);
	(void) close(from);
	return r;
}

static void put_hash(struct buf *out, const struct hash *h)
{
	char hex[HEX + 1];
	hex_encode(hex, h->b, HASH_SIZE);
	buf_puts(out, hex);
}

static int put_manifest(struct s3 *s3, const struct snapshot *s)
{
	_cleanup_(buf_free) struct buf text = BUF_INIT(MANIFEST_MAX), there = BUF_INIT(MANIFEST_MAX);
	char key[KEY_SIZE];
	buf_puts(&text, first_line);
	ship_place_format(&text, &s->place);
	for (size_t i = 0; i < SNAPSHOT_FILES; i++) {
		buf_printf(&text, "file %s %" PRId64 " ", s->files[i].name, s->files[i].bytes);
		put_hash(&text, &s->files[i].hash);
		buf_printf(&text, " %" PRId64 " ", s->files[i].stored_bytes);
		put_hash(&text, &s->files[i].stored_hash);
		buf_putc(&text, '\n');
	}
	struct hash hash = sha256_of(text.p, text.n);
	buf_puts(&text, "sha256 ");
	put_hash(&text, &hash);
	buf_putc(&text, '\n');
	if (text.failed)
		return -ENOMEM;
	key_of(key, s->stamp, "manifest", "");
	const struct s3_put put = { .body = { .bytes = text.p, .n = (int64_t) text.n }, .content_type = "text/plain", .once = true };
	int r = s3_put(s3, key, &put);
	if (r != S3_E_EXISTS)
		return ship_s3(r, key);
	/* our own, from before an answer was lost: the files beside it are what it says, or it is not ours to change */
	r = ship_s3(s3_get_buf(s3, key, &there, NULL), key);
	if (r == 0 && (there.n != text.n || memcmp(there.p, text.p, text.n) != 0))
		r = err_say(-EEXIST, "%s: another snapshot has this name", key);
	return r;
}

int snapshot_put(struct s3 *s3, const char *folder, const struct ship_place *place, struct snapshot *ret)
{
	const char *stamp = strrchr(folder, '/');
	CHECK(stamp && strlen(stamp + 1) < SNAPSHOT_STAMP_SIZE);
	*ret = (struct snapshot){ .place = *place };
	(void) snprintf(ret->stamp, sizeof ret->stamp, "%s", stamp + 1);
	week_file_name(ret->files[0].name, place->week);
	(void) snprintf(ret->files[1].name, sizeof ret->files[1].name, "meta.db");
	int r = 0;
	for (size_t i = 0; r == 0 && i < SNAPSHOT_FILES; i++)
		r = put_file(s3, folder, ret->stamp, &ret->files[i]);
	return r == 0 ? put_manifest(s3, ret) : err_trace(r);
}

/* ---- finding */

enum { STAMPS_MAX = 1 << 16, CLOCK_SLACK_MS = 3600000 };

/* Of the snapshots that are whole: rising, as the keys do. */
struct stamps {
	char (*v)[SNAPSHOT_STAMP_SIZE];
	size_t n, cap;
	bool failed;
};

static bool on_item(void *u, const struct s3_item *item)
{
	struct stamps *s = u;
	const char *stamp = item->key + strlen(SHIP_PREFIX "snapshots/"), *end = strchr(stamp, '/');
	if (!end || strcmp(end, "/manifest") != 0 || (size_t) (end - stamp) >= sizeof s->v[0])
		return true;
	if (s->n == s->cap) {
		size_t cap = s->cap ? 2 * s->cap : 256;
		void *more = cap <= STAMPS_MAX ? reallocarray(s->v, cap, sizeof s->v[0]) : NULL;
		s->failed = !more;
		if (!more)
			return false;
		s->v = more;
		s->cap = cap;
	}
	(void) snprintf(s->v[s->n++], sizeof s->v[0], "%.*s", (int) (end - stamp), stamp);
	return true;
}

static int list(struct s3 *s3, struct stamps *s)
{
	int r = ship_s3(s3_list(s3, SHIP_PREFIX "snapshots/", "", on_item, s), SHIP_PREFIX "snapshots/");
	return r == 0 && s->failed ? err_say(-ENOMEM, "more snapshots than can be looked at") : r;
}

static int bad(const char *key, const char *what)
{
	(void) err_say(0, "%s: %s", key, what);
	return SNAPSHOT_E_BAD;
}

static bool hash_parse(struct hash *ret, const char *hex)
{
	return strlen(hex) == HEX && hex_decode(ret->b, HASH_SIZE, hex);
}

static bool file_parse(const char **at, struct snapshot_file *f)
{
	char hash[HEX + 1], stored[HEX + 1];
	int end = 0;
	if (sscanf(*at, "file %31s %" SCNd64 " %64s %" SCNd64 " %64s\n%n", f->name, &f->bytes, hash, &f->stored_bytes, stored,
			    &end) != 5 || end == 0 || strchr(f->name, '/') || f->name[0] == '.')
		return false;
	*at += end;
	return hash_parse(&f->hash, hash) && hash_parse(&f->stored_hash, stored);
}

static bool manifest_parse(const struct buf *text, struct snapshot *ret)
{
	static const char last[] = "sha256 ";
	const size_t tail = sizeof last - 1 + HEX + 1;
	struct hash said;
	if (text->n < tail + sizeof first_line || strlen(text->p) != text->n || text->p[text->n - 1] != '\n' ||
			strncmp(text->p, first_line, sizeof first_line - 1) != 0 ||
			strncmp(text->p + text->n - tail, last, sizeof last - 1) != 0 ||
			!hex_decode(said.b, HASH_SIZE, text->p + text->n - HEX - 1))
		return false;
	struct hash hash = sha256_of(text->p, text->n - tail);
	const char *at = strstr(text->p, "\nfile ");
	if (memcmp(&hash, &said, sizeof hash) != 0 || !at || !ship_place_parse(text->p + sizeof first_line - 1, &ret->place))
		return false;
	at++;
	for (size_t i = 0; i < SNAPSHOT_FILES; i++)
		if (!file_parse(&at, &ret->files[i]))
			return false;
	char week[WEEK_NAME_SIZE];
	week_file_name(week, ret->place.week);
	return strcmp(ret->files[0].name, week) == 0 && strcmp(ret->files[1].name, "meta.db") == 0;
}

static int read_manifest(struct s3 *s3, const char *stamp, struct snapshot *ret)
{
	_cleanup_(buf_free) struct buf text = BUF_INIT(MANIFEST_MAX);
	char key[KEY_SIZE];
	*ret = (struct snapshot){ 0 };
	key_of(key, stamp, "manifest", "");
	int r = s3_get_buf(s3, key, &text, NULL);
	if (r == S3_E_NOT_FOUND)
		return SNAPSHOT_E_ABSENT;
	if (r != 0 && r != S3_E_BIG)
		return ship_s3(r, key);
	(void) snprintf(ret->stamp, sizeof ret->stamp, "%s", stamp);
	return r == 0 && manifest_parse(&text, ret) ? 0 : bad(key, "it is no manifest, or was changed");
}

int snapshot_find(struct s3 *s3, const char *stamp, struct snapshot *ret)
{
	struct stamps all = { .n = 0 };
	if (stamp[0])
		return read_manifest(s3, stamp, ret);
	int r = list(s3, &all);
	if (r == 0)
		r = all.n > 0 ? read_manifest(s3, all.v[all.n - 1], ret) : SNAPSHOT_E_ABSENT;
	free(all.v);
	return r;
}

static int compare_weeks(struct clk_week a, struct clk_week b)
{
	return a.year != b.year ? a.year - b.year : a.week - b.week;
}

int snapshot_find_week(struct s3 *s3, struct clk_week week, int64_t closed_ms, struct snapshot *ret)
{
	struct stamps all = { .n = 0 };
	char until[BACKUP_STAMP_SIZE];
	backup_stamp(until, closed_ms + CLOCK_SLACK_MS);
	int r = list(s3, &all);
	bool found = false;
	for (size_t i = all.n; r == 0 && !found && i > 0; i--) {
		if (strcmp(all.v[i - 1], until) > 0)
			continue; /* a book that is closed is not copied any more */
		r = read_manifest(s3, all.v[i - 1], ret);
		int order = r == 0 ? compare_weeks(ret->place.week, week) : 1;
		found = order == 0;
		if (order < 0)
			break;
		if (r > 0)
			r = 0;
	}
	free(all.v);
	return r < 0 ? err_trace(r) : found ? 0 : SNAPSHOT_E_ABSENT;
}

/* ---- fetching */

struct fetching {
	struct zst *z;
	struct sha256 stored;
	struct packing to;
};

static int take(void *u, const void *bytes, size_t n)
{
	struct fetching *f = u;
	sha256_add(&f->stored, bytes, n);
	return err_trace(zst_feed(f->z, bytes, n));
}

static int fetch_into(struct s3 *s3, const char *key, const struct snapshot_file *f, int fd)
{
	struct fetching into = { .to = { .fd = fd } };
	sha256_start(&into.stored);
	sha256_start(&into.to.hash);
	int r = zst_unpacker(&into.z, WINDOW_LOG, put_packed, &into.to);
	if (r < 0)
		return err_trace(r);
	r = s3_get(s3, key, 0, -1, take, &into, NULL);
	if (r == 0)
		r = zst_end(into.z);
	into.z = zst_close(into.z);
	struct hash stored = sha256_end(&into.stored), hash = sha256_end(&into.to.hash);
	if (r == -EBADMSG)
		return bad(key, "it is damaged");
	if (r != 0)
		return r == S3_E_NOT_FOUND ? bad(key, "it is missing") : ship_s3(r, key);
	if (memcmp(&stored, &f->stored_hash, sizeof stored) != 0 || memcmp(&hash, &f->hash, sizeof hash) != 0 ||
			into.to.bytes != f->bytes)
		return bad(key, "it is not what the manifest names");
	return 0;
}

int snapshot_fetch(struct s3 *s3, const struct snapshot *s, const char *dir)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < SNAPSHOT_FILES; i++) {
		char path[PATH_SIZE], key[KEY_SIZE];
		(void) snprintf(path, sizeof path, "%s/%s", dir, s->files[i].name);
		key_of(key, s->stamp, s->files[i].name, ".zst");
		int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
		if (fd < 0)
			return err_say(-errno, "%s: %s", path, strerror(errno));
		r = fetch_into(s3, key, &s->files[i], fd);
		(void) close(fd);
		if (r == 0)
			r = store_sync(path);
	}
	return r;
}

/* ---- the note */

static void note_path(char out[PATH_SIZE], const char *dir, const char *suffix)
{
	(void) snprintf(out, PATH_SIZE, "%s/ship.snapshot%s", dir, suffix);
}

int snapshot_note_read(const char *data_dir, int64_t *ret_ms, struct clk_week *ret)
{
	char path[PATH_SIZE];
	note_path(path, data_dir, "");
	FILE *f = fopen(path, "re");
	if (!f)
		return 1;
	int n = fscanf(f, "%" SCNd64 " %d %d", ret_ms, &ret->year, &ret->week);
	(void) fclose(f);
	return n == 3 ? 0 : 1;
}

int snapshot_note_write(const char *data_dir, int64_t ms, struct clk_week week)
{
	char path[PATH_SIZE], fresh[PATH_SIZE];
	note_path(path, data_dir, "");
	note_path(fresh, data_dir, ".new");
	FILE *f = fopen(fresh, "we");
	if (!f)
		return err_say(-errno, "%s: %s", fresh, strerror(errno));
	bool good = fprintf(f, "%" PRId64 " %d %d\n", ms, week.year, week.week) > 0;
	good = fclose(f) == 0 && good;
	return good && rename(fresh, path) == 0 ? 0 : err_say(-EIO, "%s: %s", path, strerror(errno));
}

int snapshot_note_forget(const char *data_dir)
{
	char path[PATH_SIZE];
	note_path(path, data_dir, "");
	return unlink(path) == 0 || errno == ENOENT ? 0 : err_say(-errno, "%s: %s", path, strerror(errno));
}
