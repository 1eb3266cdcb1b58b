/* Stores that read and write as their thread may: SQLite's own files, with a question after each piece. The file object is the one of
 * the VFS below; only what reads and writes it is another. */
#include <pthread.h>
#include <string.h>

#include "check.h"
#include "store_impl.h"

static const char NAME[] = "tap-paced";
static sqlite3_vfs paced;
static sqlite3_vfs *below;
static sqlite3_io_methods paced_methods;
static const sqlite3_io_methods *methods_below;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of the two tables, until the first file is opened */

static _Thread_local struct {
	store_pace_cb *cb;
	void *u;
} asked;

static void ask(int bytes, bool written)
{
	if (asked.cb)
		asked.cb(asked.u, bytes, written);
}

static int paced_read(sqlite3_file *f, void *to, int n, sqlite3_int64 at)
{
	int rc = methods_below->xRead(f, to, n, at);
	ask(n, false);
	return rc;
}

static int paced_write(sqlite3_file *f, const void *from, int n, sqlite3_int64 at)
{
	int rc = methods_below->xWrite(f, from, n, at);
	ask(n, true);
	return rc;
}

static int paced_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *ret_flags)
{
	(void) vfs;
	int rc = below->xOpen(below, name, f, flags, ret_flags);
	if (rc != SQLITE_OK || !(flags & SQLITE_OPEN_MAIN_DB)) /* what lies beside a file is small, or not there */
		return rc;
	(void) pthread_mutex_lock(&lock);
	if (!methods_below) {
		paced_methods = *f->pMethods;
		paced_methods.xRead = paced_read;
		paced_methods.xWrite = paced_write;
		methods_below = f->pMethods;
	}
	(void) pthread_mutex_unlock(&lock);
	CHECK(f->pMethods == methods_below); /* SQLite chooses them by the kind of file */
	f->pMethods = &paced_methods;
	return rc;
}

static void set_up(void)
{
	below = sqlite3_vfs_find(NULL);
	CHECK(below);
	paced = *below;
	paced.zName = NAME;
	paced.pNext = NULL;
	paced.xOpen = paced_open;
	CHECK(sqlite3_vfs_register(&paced, 0) == SQLITE_OK);
}

void store_pace(store_pace_cb *cb, void *u)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	(void) pthread_once(&once, set_up);
	asked.cb = cb;
	asked.u = u;
}

const char *store_vfs(void)
{
	return asked.cb ? NAME : NULL;
}
