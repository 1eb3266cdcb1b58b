/* shim_vfs.h - SQLite's unix VFS with ears: tests hear each call that changes a file, may let it fail, and may act in the
 * middle of a checkpoint. Registered as the default, so the store under test needs no door of its own. */
#ifndef TAP_TEST_SHIM_VFS_H
#define TAP_TEST_SHIM_VFS_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum shim_op { SHIM_CREATE, SHIM_WRITE, SHIM_TRUNCATE, SHIM_SYNC, SHIM_DELETE };

struct shim_hooks {
	/* Before the call; what it returns other than SQLITE_OK is the call's result. */
	int (*before)(enum shim_op op, const char *path, sqlite3_int64 at, const void *bytes, int n);
	/* Between a checkpoint's look at the WAL's header and its copying, when the header has changed since its last look. */
	void (*in_checkpoint)(void);
};
static struct shim_hooks shim_hooks;

struct shim_file {
	sqlite3_file base;
	const char *path;
	sqlite3_file *real; /* behind this struct */
};

static sqlite3_vfs *shim_real;

static struct shim_file *shim_of(sqlite3_file *f)
{
	return (struct shim_file *) (void *) f;
}

static sqlite3_file *shim_under(sqlite3_file *f)
{
	return shim_of(f)->real;
}

static int shim_hear(enum shim_op op, const char *path, sqlite3_int64 at, const void *bytes, int n)
{
	return shim_hooks.before && path ? shim_hooks.before(op, path, at, bytes, n) : SQLITE_OK;
}

static int shim_close(sqlite3_file *f)
{
	return shim_under(f)->pMethods->xClose(shim_under(f));
}

static int shim_read(sqlite3_file *f, void *p, int n, sqlite3_int64 at)
{
	return shim_under(f)->pMethods->xRead(shim_under(f), p, n, at);
}

static int shim_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
	int rc = shim_hear(SHIM_WRITE, shim_of(f)->path, at, p, n);
	return rc ? rc : shim_under(f)->pMethods->xWrite(shim_under(f), p, n, at);
}

static int shim_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	int rc = shim_hear(SHIM_TRUNCATE, shim_of(f)->path, size, NULL, 0);
	return rc ? rc : shim_under(f)->pMethods->xTruncate(shim_under(f), size);
}

static int shim_sync(sqlite3_file *f, int flags)
{
	int rc = shim_hear(SHIM_SYNC, shim_of(f)->path, 0, NULL, 0);
	return rc ? rc : shim_under(f)->pMethods->xSync(shim_under(f), flags);
}

static int shim_size(sqlite3_file *f, sqlite3_int64 *ret)
{
	return shim_under(f)->pMethods->xFileSize(shim_under(f), ret);
}

static int shim_lock(sqlite3_file *f, int level)
{
	return shim_under(f)->pMethods->xLock(shim_under(f), level);
}

static int shim_unlock(sqlite3_file *f, int level)
{
	return shim_under(f)->pMethods->xUnlock(shim_under(f), level);
}

static int shim_reserved(sqlite3_file *f, int *ret)
{
	return shim_under(f)->pMethods->xCheckReservedLock(shim_under(f), ret);
}

static int shim_control(sqlite3_file *f, int op, void *arg)
{
	return shim_under(f)->pMethods->xFileControl(shim_under(f), op, arg);
}

static int shim_sector(sqlite3_file *f)
{
	return shim_under(f)->pMethods->xSectorSize(shim_under(f));
}

static int shim_device(sqlite3_file *f)
{
	return shim_under(f)->pMethods->xDeviceCharacteristics(shim_under(f));
}

static int shim_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **ret)
{
	return shim_under(f)->pMethods->xShmMap(shim_under(f), page, size, extend, ret);
}

static int shim_shm_lock(sqlite3_file *f, int offset, int n, int flags)
{
	return shim_under(f)->pMethods->xShmLock(shim_under(f), offset, n, flags);
}

static void shim_shm_barrier(sqlite3_file *f)
{
	shim_under(f)->pMethods->xShmBarrier(shim_under(f));
}

static int shim_shm_unmap(sqlite3_file *f, int drop)
{
	return shim_under(f)->pMethods->xShmUnmap(shim_under(f), drop);
}

static int shim_fetch(sqlite3_file *f, sqlite3_int64 at, int n, void **ret)
{
	return shim_under(f)->pMethods->xFetch(shim_under(f), at, n, ret);
}

static int shim_unfetch(sqlite3_file *f, sqlite3_int64 at, void *p)
{
	if (!p && shim_hooks.in_checkpoint)
		shim_hooks.in_checkpoint();
	return shim_under(f)->pMethods->xUnfetch(shim_under(f), at, p);
}

static const sqlite3_io_methods shim_methods = {
	3, shim_close, shim_read, shim_write, shim_truncate, shim_sync, shim_size, shim_lock, shim_unlock, shim_reserved,
	shim_control, shim_sector, shim_device, shim_shm_map, shim_shm_lock, shim_shm_barrier, shim_shm_unmap, shim_fetch,
	shim_unfetch,
};

static int shim_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *f, int flags, int *ret_flags)
{
	struct shim_file *s = shim_of(f);
	int there = 1;
	(void) vfs;
	s->base.pMethods = NULL;
	s->path = path;
	s->real = (sqlite3_file *) (void *) (s + 1);
	if (path)
		(void) shim_real->xAccess(shim_real, path, SQLITE_ACCESS_EXISTS, &there);
	if (!there && (flags & SQLITE_OPEN_CREATE)) {
		int rc = shim_hear(SHIM_CREATE, path, 0, NULL, 0);
		if (rc)
			return rc;
	}
	int rc = shim_real->xOpen(shim_real, path, s->real, flags, ret_flags);
	if (s->real->pMethods)
		s->base.pMethods = &shim_methods;
	return rc;
}

static int shim_delete(sqlite3_vfs *vfs, const char *path, int sync_dir)
{
	(void) vfs;
	int rc = shim_hear(SHIM_DELETE, path, sync_dir, NULL, 0);
	return rc ? rc : shim_real->xDelete(shim_real, path, sync_dir);
}

static sqlite3_vfs shim_vfs;

static void shim_install(void)
{
	if (!shim_real) {
		shim_real = sqlite3_vfs_find("unix");
		shim_vfs = *shim_real;
		shim_vfs.zName = "shim";
		shim_vfs.szOsFile = (int) sizeof(struct shim_file) + shim_real->szOsFile;
		shim_vfs.xOpen = shim_open;
		shim_vfs.xDelete = shim_delete;
		shim_vfs.pNext = NULL;
	}
	(void) sqlite3_vfs_register(&shim_vfs, 1);
}

static inline void shim_remove(void)
{
	(void) sqlite3_vfs_register(shim_real, 1);
}

#endif
