#include "procs.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "err.h"

int procs_add(struct procs *p, const char *text)
{
	const char *eq = strchr(text, '=');
	char *end = NULL;
	long pid = eq ? strtol(eq + 1, &end, 10) : 0;
	if (p->n == PROCS_MAX || !eq || pid <= 0 || *end || (size_t) (eq - text) >= sizeof p->v[0].name)
		return err_say(-EINVAL, "%s: must be NAME=PID, at most %d of them", text, PROCS_MAX);
	struct proc *one = &p->v[p->n++];
	*one = (struct proc){ .pid = (pid_t) pid };
	memcpy(one->name, text, (size_t) (eq - text));
	return 0;
}

/* A thread's time on a CPU, exact to the nanosecond where /proc/PID/stat counts in ticks. */
static int64_t thread_ns(pid_t pid, const char *thread)
{
	char path[96], line[128];
	int64_t ns = 0;
	(void) snprintf(path, sizeof path, "/proc/%d/task/%.20s/schedstat", (int) pid, thread);
	FILE *f = fopen(path, "r");
	if (!f)
		return 0;
	if (!fgets(line, sizeof line, f) || sscanf(line, "%" SCNd64, &ns) != 1)
		ns = 0;
	(void) fclose(f);
	return ns;
}

static int64_t process_us(pid_t pid)
{
	char path[64];
	int64_t ns = 0;
	(void) snprintf(path, sizeof path, "/proc/%d/task", (int) pid);
	DIR *d = opendir(path);
	if (!d)
		return -1;
	for (struct dirent *e; (e = readdir(d));)
		if (e->d_name[0] != '.')
			ns += thread_ns(pid, e->d_name);
	(void) closedir(d);
	return ns / 1000;
}

void procs_read(struct procs *p)
{
	for (size_t i = 0; i < p->n; i++) {
		int64_t us = process_us(p->v[i].pid);
		if (us >= 0)
			p->v[i].cpu_us = us;
	}
}

int64_t procs_own_us(void)
{
	struct rusage u;
	(void) getrusage(RUSAGE_SELF, &u);
	return (int64_t) (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000 + u.ru_utime.tv_usec + u.ru_stime.tv_usec;
}

int64_t proc_resident_kb(pid_t pid)
{
	char path[64];
	int64_t pages = 0;
	(void) snprintf(path, sizeof path, "/proc/%d/statm", (int) pid);
	FILE *f = fopen(path, "r");
	if (!f)
		return 0;
	if (fscanf(f, "%*d %" SCNd64, &pages) != 1)
		pages = 0;
	(void) fclose(f);
	return pages * sysconf(_SC_PAGESIZE) / 1024;
}

int64_t proc_descriptors(pid_t pid)
{
	char path[64];
	int64_t n = 0;
	(void) snprintf(path, sizeof path, "/proc/%d/fd", (int) pid);
	DIR *d = opendir(path);
	if (!d)
		return 0;
	for (struct dirent *e; (e = readdir(d));)
		n += e->d_name[0] != '.';
	(void) closedir(d);
	return n;
}
