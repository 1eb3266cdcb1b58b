#include "last_check.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "err.h"

enum { PATH_SIZE = 384 };

static void path_of(char out[PATH_SIZE], const char *dir, const char *suffix)
{
	(void) snprintf(out, PATH_SIZE, "%s/integrity.last%s", dir, suffix);
}

int last_check_read(const char *dir, int64_t *ret_ms, bool *ret_ok)
{
	char path[PATH_SIZE], verdict[8];
	int64_t ms;
	path_of(path, dir, "");
	FILE *f = fopen(path, "re");
	if (!f)
		return 1;
	int n = fscanf(f, "%" SCNd64 " %7s", &ms, verdict);
	(void) fclose(f);
	if (n != 2 || ms <= 0)
		return 1;
	*ret_ms = ms;
	*ret_ok = strcmp(verdict, "ok") == 0;
	return 0;
}

/* A new file in the old one's place: a crash leaves one of them. */
int last_check_write(const char *dir, int64_t ms, bool ok)
{
	char fresh[PATH_SIZE], path[PATH_SIZE];
	path_of(fresh, dir, ".new");
	path_of(path, dir, "");
	if (mkdir(dir, 0770) < 0 && errno != EEXIST)
		return err_say(-errno, "%s: %s", dir, strerror(errno));
	FILE *f = fopen(fresh, "we");
	if (!f)
		return err_say(-errno, "%s: %s", fresh, strerror(errno));
	bool good = fprintf(f, "%" PRId64 " %s\n", ms, ok ? "ok" : "drift") > 0 && fflush(f) == 0 && fsync(fileno(f)) == 0;
	good = fclose(f) == 0 && good;
	if (!good || rename(fresh, path) < 0)
		return err_say(-EIO, "%s: %s", path, strerror(errno));
	return 0;
}
