#include "disk.h"

#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <unistd.h>

#include "../unit/shim_vfs.h"
#include "attr.h"
#include "sim.h"

enum { SECTOR = 512, CALLS_MAX = 4096, PATH_SIZE = 320 };

struct call { /* one that was not synced yet */
	char path[PATH_SIZE];
	sqlite3_int64 at, size_before;
	int n, n_before;
	uint8_t *bytes, *before; /* bytes NULL: cut to `at` */
};

static struct {
	const char *dir;
	enum disk_fault armed, met;
	int countdown;
	bool full, dead, power;
	long count[DISK_FAULTS];
	struct call calls[CALLS_MAX]; /* kept from the arming of a power cut on: between transactions all is synced */
	int n;
} disk;

static void keep_call(const char *path, sqlite3_int64 at, const void *bytes, int n)
{
	struct call *c = &disk.calls[disk.n++];
	MUST(disk.n < CALLS_MAX, "more than %d calls without a sync", CALLS_MAX);
	*c = (struct call){ .at = at, .n = bytes ? n : 0 };
	(void) snprintf(c->path, sizeof c->path, "%s", path);
	int fd = open(path, O_RDONLY);
	c->size_before = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
	int length = bytes ? n : (int) (c->size_before > at ? c->size_before - at : 0);
	c->before = malloc((size_t) length + 1);
	c->n_before = fd < 0 ? 0 : (int) pread(fd, c->before, (size_t) length, at);
	if (fd >= 0)
		(void) close(fd);
	if (bytes) {
		c->bytes = malloc((size_t) n + 1);
		memcpy(c->bytes, bytes, (size_t) n);
	}
}

static void free_call(struct call *c)
{
	free(c->bytes);
	free(c->before);
	c->bytes = c->before = NULL;
	c->path[0] = '\0';
}

static void forget_synced(const char *path)
{
	int kept = 0;
	for (int i = 0; i < disk.n; i++) {
		if (strcmp(disk.calls[i].path, path) == 0)
			free_call(&disk.calls[i]);
		else
			disk.calls[kept++] = disk.calls[i];
	}
	disk.n = kept;
}

static void forget_all(void)
{
	for (int i = 0; i < disk.n; i++)
		free_call(&disk.calls[i]);
	disk.n = 0;
}

static void undo(const struct call *c)
{
	int fd = open(c->path, O_RDWR);
	if (fd < 0)
		return;
	MUST(pwrite(fd, c->before, (size_t) c->n_before, c->at) == c->n_before, "the fake disk cannot be written");
	MUST(ftruncate(fd, c->size_before) == 0, "the fake disk cannot be cut");
	(void) close(fd);
}

static void redo(const struct call *c, int n)
{
	int fd = open(c->path, O_RDWR);
	if (fd < 0)
		return;
	if (c->bytes)
		MUST(pwrite(fd, c->bytes, (size_t) n, c->at) == n, "the fake disk cannot be written");
	else
		MUST(ftruncate(fd, c->at) == 0, "the fake disk cannot be cut");
	(void) close(fd);
}

static void lose_unsynced(void)
{
	uint64_t kept_of_4 = dice(5); /* 0: none, 4: all */
	for (int i = disk.n - 1; i >= 0; i--)
		undo(&disk.calls[i]);
	for (int left = disk.n; left > 0; left--) {
		int i = kept_of_4 == 4 ? disk.n - left : (int) dice((uint64_t) left);
		struct call *c = &disk.calls[i];
		bool torn = c->bytes && c->n > SECTOR && one_in(4);
		if (dice(4) < kept_of_4)
			redo(c, torn && kept_of_4 < 4 ? SECTOR * (int) dice((uint64_t) (c->n / SECTOR)) : c->n);
		if (kept_of_4 < 4) { /* any order: the place is taken by the last */
			struct call last = disk.calls[left - 1];
			disk.calls[left - 1] = *c;
			disk.calls[i] = last;
		}
	}
}

/* Nobody's shared memory outlives a power cut. */
static void drop_shared_memory(void)
{
	char pattern[PATH_SIZE];
	glob_t found;
	(void) snprintf(pattern, sizeof pattern, "%s/*-shm", disk.dir);
	if (glob(pattern, 0, NULL, &found) == 0)
		for (size_t i = 0; i < found.gl_pathc; i++)
			(void) unlink(found.gl_pathv[i]);
	globfree(&found);
}

static int error_of(enum shim_op op)
{
	static const int errors[] = { [SHIM_CREATE] = SQLITE_CANTOPEN, [SHIM_WRITE] = SQLITE_IOERR_WRITE,
		[SHIM_TRUNCATE] = SQLITE_IOERR_TRUNCATE, [SHIM_SYNC] = SQLITE_IOERR_FSYNC, [SHIM_DELETE] = SQLITE_IOERR_DELETE };
	return errors[op];
}

static int meet(enum shim_op op, const char *path, sqlite3_int64 at, const void *bytes, int n)
{
	disk.met = disk.armed;
	disk.armed = DISK_NONE;
	disk.count[disk.met]++;
	sim.faults++;
	if (disk.met == DISK_KILL || disk.met == DISK_POWER) {
		disk.dead = true;
		disk.power = disk.met == DISK_POWER;
		if (op == SHIM_WRITE && n > SECTOR && one_in(2)) { /* a part of it was done */
			struct call c = { .bytes = (uint8_t *) (uintptr_t) bytes, .at = at, .n = n };
			(void) snprintf(c.path, sizeof c.path, "%s", path);
			if (disk.power)
				keep_call(path, at, bytes, n);
			redo(&c, SECTOR * (int) dice((uint64_t) (n / SECTOR)));
		}
	}
	return error_of(op);
}

static bool is_met(enum shim_op op)
{
	if (disk.armed == DISK_NONE || (disk.armed == DISK_SYNC_FAILS && op != SHIM_SYNC) ||
			(disk.armed == DISK_WRITE_FAILS && op != SHIM_WRITE))
		return false;
	return --disk.countdown <= 0;
}

static int before(enum shim_op op, const char *path, sqlite3_int64 at, const void *bytes, int n)
{
	if (strncmp(path, disk.dir, strlen(disk.dir)) != 0)
		return SQLITE_OK;
	if (disk.dead)
		return error_of(op);
	if (is_met(op))
		return meet(op, path, at, bytes, n);
	if (disk.full && op == SHIM_WRITE)
		return SQLITE_FULL;
	if (disk.armed == DISK_POWER) {
		if (op == SHIM_WRITE || op == SHIM_TRUNCATE)
			keep_call(path, at, bytes, n);
		else if (op == SHIM_SYNC || op == SHIM_DELETE)
			forget_synced(path);
	}
	return SQLITE_OK;
}

void disk_begin(const char *dir)
{
	disk.dir = dir;
	shim_hooks.before = before;
	shim_install();
}

void disk_arm(enum disk_fault fault, int n)
{
	forget_all();
	disk.armed = fault;
	disk.countdown = n;
}

void disk_full(bool full)
{
	disk.full = full;
}

bool disk_is_full(void)
{
	return disk.full;
}

long disk_count(enum disk_fault fault)
{
	return disk.count[fault];
}

enum disk_fault disk_met(void)
{
	enum disk_fault met = disk.met;
	disk.met = DISK_NONE;
	return met;
}

bool disk_dead(void)
{
	return disk.dead;
}

bool disk_power_is_cut(void)
{
	return disk.dead && disk.power;
}

void disk_restore(void)
{
	if (disk.power) {
		lose_unsynced();
		drop_shared_memory();
	}
	forget_all();
	disk.dead = disk.power = false;
}
