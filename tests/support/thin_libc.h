/* thin_libc.h - the n-th allocation (threads among them), or the n-th call on a file, of the product's own code fails. For tests only: the program is
 * linked with --wrap for each function below (THIN_LIBC in tests/CMakeLists.txt), which leaves SQLite's and cmocka's calls alone.
 * Not armed, each is the real one. Thread: armed by one, hit by any. */
#ifndef TAP_TEST_THIN_LIBC_H
#define TAP_TEST_THIN_LIBC_H

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum thin { THIN_MEMORY, THIN_FILES, THIN_KINDS };

static struct {
	atomic_int countdown; /* 0: not armed */
	atomic_bool sticky, fired;
} thin[THIN_KINDS];

static inline void thin_arm(enum thin kind, int nth, bool and_all_after)
{
	atomic_store(&thin[kind].sticky, and_all_after);
	atomic_store(&thin[kind].fired, false);
	atomic_store(&thin[kind].countdown, nth);
}

static inline bool thin_disarm(enum thin kind)
{
	atomic_store(&thin[kind].countdown, 0);
	return atomic_load(&thin[kind].fired);
}

static bool thin_hits(enum thin kind, int error)
{
	int left = atomic_load(&thin[kind].countdown);
	if (left == 0 || (left > 1 && atomic_fetch_sub(&thin[kind].countdown, 1) > 1))
		return false;
	if (!atomic_load(&thin[kind].sticky))
		atomic_store(&thin[kind].countdown, 0);
	atomic_store(&thin[kind].fired, true);
	errno = error;
	return true;
}

#define THIN(kind, error, failure, type, name, parameters, arguments)                        \
	type __real_##name parameters;                                                       \
	type __wrap_##name parameters;                                                       \
	type __wrap_##name parameters                                                        \
	{                                                                                    \
		return thin_hits(kind, error) ? (failure) : __real_##name arguments;         \
	}
#define THIN_ALLOCATION(type, name, parameters, arguments) THIN(THIN_MEMORY, ENOMEM, NULL, type, name, parameters, arguments)
#define THIN_CALL(name, parameters, arguments) THIN(THIN_FILES, EIO, -1, int, name, parameters, arguments)

THIN_ALLOCATION(void *, malloc, (size_t n), (n))
THIN_ALLOCATION(void *, calloc, (size_t n, size_t each), (n, each))
THIN_ALLOCATION(void *, realloc, (void *p, size_t n), (p, n))
THIN_ALLOCATION(void *, reallocarray, (void *p, size_t n, size_t each), (p, n, each))
THIN_ALLOCATION(char *, strdup, (const char *text), (text))
THIN_CALL(rename, (const char *from, const char *to), (from, to))
THIN_CALL(unlink, (const char *path), (path))
THIN_CALL(mkdir, (const char *path, mode_t mode), (path, mode))
THIN_CALL(fsync, (int fd), (fd))
THIN_CALL(access, (const char *path, int mode), (path, mode))
THIN(THIN_MEMORY, EAGAIN, EAGAIN, int, pthread_create,
		(pthread_t *ret, const pthread_attr_t *attr, void *(*run)(void *), void *u), (ret, attr, run, u))
THIN(THIN_MEMORY, ENOMEM, ENOMEM, int, pthread_cond_init, (pthread_cond_t *c, const pthread_condattr_t *attr), (c, attr))
THIN(THIN_FILES, EIO, -1, ssize_t, pread64, (int fd, void *p, size_t n, off_t at), (fd, p, n, at))
THIN(THIN_FILES, EIO, -1, ssize_t, pwrite64, (int fd, const void *p, size_t n, off_t at), (fd, p, n, at))
THIN(THIN_FILES, EIO, GLOB_ABORTED, int, glob, (const char *pattern, int flags, int (*on_error)(const char *, int), glob_t *ret),
		(pattern, flags, on_error, ret))

int __real_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...)
{
	va_list ap;
	va_start(ap, flags);
	mode_t mode = flags & O_CREAT ? va_arg(ap, mode_t) : 0;
	va_end(ap);
	return thin_hits(THIN_FILES, EIO) ? -1 : __real_open64(path, flags, mode);
}

#endif
