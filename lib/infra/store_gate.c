/* The write gate. DIR/gate.lock has three lock bytes: 0 the turnstile, 1 the gate, 2 the checkpointer; and the epoch in bytes
 * 8..15. Who wants in takes the turnstile, waits for the gate with the turnstile in hand, and lets go of the turnstile once
 * inside. So whoever waits longest at the gate is next: a writer that leaves and wants in again at once finds the turnstile
 * taken. OFD locks belong to the open file, not the process: two stores of one process exclude each other as two processes do,
 * and a killed process frees what it held. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "check.h"
#include "clk.h"
#include "err.h"
#include "fault.h"
#include "store_impl.h"

enum { BYTE_TURNSTILE, BYTE_GATE, BYTE_CHECKPOINTER, EPOCH_AT = 8 };

struct gate {
	int fd;
	unsigned depth;
	bool checkpointer;
	int64_t waited_us;
};

static int lock_byte(int fd, int cmd, short type, off_t at)
{
	struct flock fl = { .l_type = type, .l_whence = SEEK_SET, .l_start = at, .l_len = 1 };
	int r;
	do
		r = fcntl(fd, cmd, &fl);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : 0;
}

static void unlock_byte(int fd, off_t at)
{
	CHECK(lock_byte(fd, F_OFD_SETLK, F_UNLCK, at) == 0);
}

int gate_open(struct gate **ret, const char *dir)
{
	char path[512];
	if ((size_t) snprintf(path, sizeof path, "%s/gate.lock", dir) >= sizeof path)
		return err_say(-ENAMETOOLONG, "gate: %s is too long", dir);
	struct gate *g = calloc(1, sizeof *g);
	if (!g)
		return -ENOMEM;
	g->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0660);
	if (g->fd < 0) {
		int r = err_say(-errno, "gate: %s: %s", path, strerror(errno));
		free(g);
		return r;
	}
	*ret = g;
	return 0;
}

struct gate *gate_close(struct gate *g)
{
	if (!g)
		return NULL;
	(void) close(g->fd); /* the locks go with the open file */
	free(g);
	return NULL;
}

int gate_enter(struct gate *g)
{
	if (g->depth > 0) {
		g->depth++;
		g->waited_us = 0;
		return 0;
	}
	if (fault_hits(FAULT_GATE))
		return err_say(-EIO, "gate: injected fault");
	int64_t from = clk_mono_us();
	int r = lock_byte(g->fd, F_OFD_SETLKW, F_WRLCK, BYTE_TURNSTILE);
	if (r == 0) {
		r = lock_byte(g->fd, F_OFD_SETLKW, F_WRLCK, BYTE_GATE);
		unlock_byte(g->fd, BYTE_TURNSTILE);
	}
	if (r < 0)
		return err_say(r, "gate: %s", strerror(-r));
	g->waited_us = clk_mono_us() - from;
	g->depth = 1;
	return 0;
}

void gate_leave(struct gate *g)
{
	CHECK(g->depth > 0);
	if (--g->depth == 0)
		unlock_byte(g->fd, BYTE_GATE);
}

bool gate_held(const struct gate *g)
{
	return g->depth > 0;
}

int64_t gate_waited_us(const struct gate *g)
{
	return g->waited_us;
}

int gate_epoch(struct gate *g, int64_t *ret)
{
	uint8_t b[8] = { 0 };
	ssize_t n;
	do
		n = pread(g->fd, b, sizeof b, EPOCH_AT);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_say(-errno, "gate: epoch: %s", strerror(errno));
	*ret = n == sizeof b ? (int64_t) be64_get(b) : 0; /* a new file has none yet */
	return 0;
}

int gate_epoch_raise(struct gate *g)
{
	CHECK(g->depth > 0);
	int64_t epoch;
	int r = gate_epoch(g, &epoch);
	if (r < 0)
		return err_trace(r);
	uint8_t b[8];
	be64_put(b, (uint64_t) epoch + 1);
	if (pwrite(g->fd, b, sizeof b, EPOCH_AT) != (ssize_t) sizeof b)
		return err_say(-EIO, "gate: the epoch cannot be written");
	return 0;
}

bool gate_try_checkpointer(struct gate *g)
{
	if (!g->checkpointer)
		g->checkpointer = lock_byte(g->fd, F_OFD_SETLK, F_WRLCK, BYTE_CHECKPOINTER) == 0;
	return g->checkpointer;
}

void gate_leave_checkpointer(struct gate *g)
{
	if (g->checkpointer)
		unlock_byte(g->fd, BYTE_CHECKPOINTER);
	g->checkpointer = false;
}

bool gate_is_checkpointer(const struct gate *g)
{
	return g->checkpointer;
}

int store_gate_enter(struct store *s)
{
	int r = gate_enter(s->gate);
	if (r < 0)
		return err_trace(r);
	int64_t waited = gate_waited_us(s->gate);
	s->stats.gate_wait_us += waited;
	if (waited > s->stats.gate_wait_max_us)
		s->stats.gate_wait_max_us = waited;
	return 0;
}

void store_gate_leave(struct store *s)
{
	gate_leave(s->gate);
}
