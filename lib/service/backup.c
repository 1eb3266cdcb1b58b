#include "backup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "clk.h"
#include "err.h"
#include "schema.h"

#define PARTIAL ".partial-"
enum { NAMES_MAX = 4096 };

void backup_dir(const struct settings *s, char out[BACKUP_PATH_MAX])
{
	if (s->backup_dir.v[0])
		(void) snprintf(out, BACKUP_PATH_MAX, "%s", s->backup_dir.v);
	else
		(void) snprintf(out, BACKUP_PATH_MAX, "%s/backups", s->data_dir.v);
}

void backup_stamp(char out[BACKUP_STAMP_SIZE], int64_t ms)
{
	char text[CLK_RFC3339_SIZE];
	size_t n = 0;
	clk_rfc3339(text, ms);
	for (const char *p = text; *p && n < BACKUP_STAMP_SIZE - 1; p++)
		if (*p != '-' && *p != ':')
			out[n++] = *p;
	out[n] = '\0';
}

/* False for a name that is no stamp. */
static bool stamp_parse(int64_t *ret_ms, const char *name)
{
	static const char shape[] = "ddddddddTdddddd.dddZ";
	if (strlen(name) != sizeof shape - 1)
		return false;
	for (size_t i = 0; shape[i]; i++)
		if (shape[i] == 'd' ? name[i] < '0' || name[i] > '9' : name[i] != shape[i])
			return false;
	struct tm tm = { 0 };
	int ms;
	if (sscanf(name, "%4d%2d%2dT%2d%2d%2d.%3dZ", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour, &tm.tm_min, &tm.tm_sec,
			    &ms) != 7)
		return false;
	tm.tm_year -= 1900;
	tm.tm_mon--;
	*ret_ms = (int64_t) timegm(&tm) * 1000 + ms;
	return true;
}

static int fail_at(const char *path, const char *what)
{
	int e = errno;
	return err_say(-e, "%s: %s: %s", path, what, strerror(e));
}

/* A folder of plain files. What is not there is fine. */
static int remove_folder(const char *path)
{
	DIR *d = opendir(path);
	if (!d)
		return errno == ENOENT ? 0 : fail_at(path, "open");
	int r = 0;
	for (struct dirent *e; r == 0 && (e = readdir(d));) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (unlinkat(dirfd(d), e->d_name, 0) < 0)
			r = fail_at(path, "remove");
	}
	(void) closedir(d);
	if (r == 0 && rmdir(path) < 0)
		r = fail_at(path, "remove");
	return r;
}

struct names {
	char (*v)[BACKUP_STAMP_SIZE];
	size_t n;
};

static int compare_names(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* The finished backups, oldest first. The caller frees v. */
static int list(const char *dir, struct names *ret)
{
	int64_t ms;
	*ret = (struct names){ 0 };
	DIR *d = opendir(dir);
	if (!d)
		return errno == ENOENT ? 0 : fail_at(dir, "open");
	ret->v = calloc(NAMES_MAX, sizeof *ret->v);
	for (struct dirent *e; ret->v && ret->n < NAMES_MAX && (e = readdir(d));)
		if (stamp_parse(&ms, e->d_name))
			(void) snprintf(ret->v[ret->n++], BACKUP_STAMP_SIZE, "%.20s", e->d_name);
	(void) closedir(d);
	if (!ret->v)
		return -ENOMEM;
	qsort(ret->v, ret->n, sizeof *ret->v, compare_names);
	return 0;
}

int backup_newest(const char *dir, int64_t *ret_ms)
{
	struct names names;
	int r = list(dir, &names);
	if (r == 0)
		r = names.n && stamp_parse(ret_ms, names.v[names.n - 1]) ? 0 : 1;
	free(names.v);
	return r;
}

int backup_prune(const char *dir, int64_t keep)
{
	struct names names;
	int r = list(dir, &names);
	for (size_t i = 0; r == 0 && i < names.n && (int64_t) (names.n - i) > keep; i++) {
		char path[BACKUP_PATH_MAX + BACKUP_STAMP_SIZE];
		(void) snprintf(path, sizeof path, "%s/%s", dir, names.v[i]);
		r = remove_folder(path);
	}
	free(names.v);
	return err_trace(r);
}

/* What a crash left behind: nobody makes one now, we hold the lock. */
static int clear_partials(const char *dir)
{
	DIR *d = opendir(dir);
	if (!d)
		return fail_at(dir, "open");
	int r = 0;
	for (struct dirent *e; r == 0 && (e = readdir(d));) {
		char path[BACKUP_PATH_MAX + 256];
		if (strncmp(e->d_name, PARTIAL, strlen(PARTIAL)) != 0)
			continue;
		(void) snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
		r = remove_folder(path);
	}
	(void) closedir(d);
	return r;
}

static int lock_dir(const char *dir, int *ret_fd)
{
	char path[BACKUP_PATH_MAX + 8];
	if (mkdir(dir, 0770) < 0 && errno != EEXIST)
		return fail_at(dir, "make");
	(void) snprintf(path, sizeof path, "%s/.lock", dir);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0660);
	if (fd < 0)
		return fail_at(path, "open");
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		int r = errno == EWOULDBLOCK ? BACKUP_E_BUSY : fail_at(path, "lock");
		(void) close(fd);
		return r;
	}
	*ret_fd = fd;
	return 0;
}

static int copy_week(const char *data_dir, const char *to, int64_t now_ms)
{
	char name[WEEK_NAME_SIZE], path[BACKUP_PATH_MAX + 64];
	struct week *w;
	int r = week_open(&w, data_dir, STORE_READ, now_ms);
	if (r != 0)
		return r < 0 ? err_trace(r) : err_say(-ENOENT, "%s: there is no book to copy (%d)", data_dir, r);
	week_file_name(name, week_current(w));
	(void) snprintf(path, sizeof path, "%s/%s", to, name);
	r = store_copy_to(week_store(w), path);
	week_close(w);
	return err_trace(r);
}

static int copy_meta(const char *data_dir, const char *to)
{
	char path[BACKUP_PATH_MAX + 64];
	struct store *meta;
	(void) snprintf(path, sizeof path, "%s/meta.db", data_dir);
	int r = store_open(&meta, path, STORE_READ, &schema_meta);
	if (r != 0)
		return r < 0 ? err_trace(r) : err_say(-ENOENT, "%s cannot be opened (%d)", path, r);
	(void) snprintf(path, sizeof path, "%s/meta.db", to);
	r = store_copy_to(meta, path);
	store_close(meta);
	return err_trace(r);
}

/* Opened as the data folder that it is to be able to become. */
static int verify(const char *copy, int64_t now_ms, struct integrity *found)
{
	struct week *w;
	int r = week_open(&w, copy, STORE_READ, now_ms);
	if (r != 0) {
		(void) snprintf(found->finding, sizeof found->finding, "the copy cannot be opened (%d): %.200s", r, err_text());
		return BACKUP_E_BAD;
	}
	r = integrity_check(w, false, found);
	week_close(w);
	return r == INTEGRITY_E_DRIFT ? BACKUP_E_BAD : err_trace(r);
}

int64_t backup_bytes_in(const char *path)
{
	int64_t sum = 0;
	struct stat st;
	DIR *d = opendir(path);
	if (!d)
		return 0;
	for (struct dirent *e; (e = readdir(d));)
		if (fstatat(dirfd(d), e->d_name, &st, 0) == 0 && S_ISREG(st.st_mode))
			sum += st.st_size;
	(void) closedir(d);
	return sum;
}

/* The copy gets its name in one step, and keeps it over a power cut. */
static int publish(const char *dir, const char *partial, const char *final)
{
	char lock[BACKUP_PATH_MAX + 64];
	(void) snprintf(lock, sizeof lock, "%s/gate.lock", partial); /* the verifying reader's, no part of a backup */
	(void) unlink(lock);
	if (rename(partial, final) < 0)
		return fail_at(final, "rename");
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) < 0) {
		int r = fail_at(dir, "sync");
		if (fd >= 0)
			(void) close(fd);
		return r;
	}
	(void) close(fd);
	return 0;
}

static int make_locked(const char *data_dir, const char *dir, int64_t now_ms, struct backup *ret)
{
	char stamp[BACKUP_STAMP_SIZE], partial[BACKUP_PATH_MAX];
	backup_stamp(stamp, now_ms);
	if ((size_t) snprintf(partial, sizeof partial, "%s/" PARTIAL "%s", dir, stamp) >= sizeof partial)
		return err_say(-ENAMETOOLONG, "%s is too long", dir);
	(void) snprintf(ret->path, sizeof ret->path, "%s/%s", dir, stamp);
	int r = clear_partials(dir);
	if (r == 0 && mkdir(partial, 0770) < 0)
		r = fail_at(partial, "make");
	if (r < 0)
		return r;
	r = copy_week(data_dir, partial, now_ms);
	if (r == 0)
		r = copy_meta(data_dir, partial);
	if (r == STORE_E_FULL || r == -ENOSPC)
		r = BACKUP_E_FULL;
	if (r == 0)
		r = verify(partial, now_ms, &ret->found);
	if (r == 0)
		r = publish(dir, partial, ret->path);
	if (r == 0) {
		ret->bytes = backup_bytes_in(ret->path);
		return 0;
	}
	char why[ERR_TEXT_MAX]; /* what went wrong, not what the clearing says */
	(void) snprintf(why, sizeof why, "%s", err_text());
	if (remove_folder(partial) < 0)
		(void) err_say(r, "%s; and %s is left over", why, partial);
	else
		(void) err_say(r, "%s", why);
	return r;
}

int backup_make(const char *data_dir, const char *dir, int64_t now_ms, struct backup *ret)
{
	int fd = -1;
	int64_t from_ms = clk_mono_ms();
	*ret = (struct backup){ 0 };
	int r = lock_dir(dir, &fd);
	if (r != 0)
		return r;
	r = make_locked(data_dir, dir, now_ms, ret);
	(void) close(fd);
	ret->took_ms = clk_mono_ms() - from_ms;
	return r;
}
