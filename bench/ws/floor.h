/* floor.h - the least that a server can do: one epoll loop in a process of its own that writes given frames, when they are due, to
 * all who connected. No protocol beyond the line that opens it. What it costs is what the kernel costs. */
#ifndef BENCH_FLOOR_H
#define BENCH_FLOOR_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "attr.h"
#include "swarm.h"

struct floor_count {
	_Atomic uint64_t written, failed; /* frames */
	_Atomic bool is_done;
};

struct floor {
	pid_t pid;
	struct floor_count *count; /* shared with it */
	int go_fd;      /* a byte starts it, closing ends it */
	uint16_t port;
};

/* Before the caller has many descriptors open: they would be its child's too. takes are copied by the fork. */
MUST_CHECK int floor_start(struct floor *f, const struct takes *takes);
/* Begins to send, the first frame at once and the others as far apart as they came. */
void floor_go(struct floor *f);
void floor_stop(struct floor *f);

#endif
