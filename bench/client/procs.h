/* procs.h - the CPU time that other processes used, their memory and descriptors, by /proc. Thread: any. */
#ifndef BENCH_PROCS_H
#define BENCH_PROCS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "attr.h"

enum { PROCS_MAX = 16 };

struct proc {
	char name[32];
	pid_t pid;
	int64_t cpu_us; /* at the last procs_read */
};

struct procs {
	struct proc v[PROCS_MAX];
	size_t n;
};

/* Adds NAME=PID; 0 or -EINVAL. */
MUST_CHECK int procs_add(struct procs *p, const char *text);
/* Time on a CPU of the threads that each has now, children not counted; of a process that is gone, as last read. */
void procs_read(struct procs *p);
int64_t procs_own_us(void);
/* Resident memory and open descriptors; 0 of a process that is gone. */
int64_t proc_resident_kb(pid_t pid);
int64_t proc_descriptors(pid_t pid);

#endif
