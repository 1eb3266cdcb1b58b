#include "procs.h"

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

static int64_t ticks_used(pid_t pid)
{
	char path[64], line[1024];
	uint64_t user, kernel;
	(void) snprintf(path, sizeof path, "/proc/%d/stat", (int) pid);
	FILE *f = fopen(path, "r");
	if (!f)
		return -1;
	char *got = fgets(line, sizeof line, f);
	(void) fclose(f);
	/* the name may hold anything; the fields count from its last bracket */
	const char *at = got ? strrchr(line, ')') : NULL;
	if (!at || sscanf(at + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64, &user, &kernel) != 2)
		return -1;
	return (int64_t) (user + kernel);
}

void procs_read(struct procs *p)
{
	for (size_t i = 0; i < p->n; i++) {
		int64_t ticks = ticks_used(p->v[i].pid);
		if (ticks >= 0)
			p->v[i].cpu_us = ticks * (1000000 / sysconf(_SC_CLK_TCK));
	}
}

int64_t procs_own_us(void)
{
	struct rusage u;
	(void) getrusage(RUSAGE_SELF, &u);
	return (int64_t) (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000 + u.ru_utime.tv_usec + u.ru_stime.tv_usec;
}
