/* How the work keeps out of the game's way. Both of what it takes are given in bits that nobody notices:
 * - of the processor BURST_US at a time, then a sleep that makes it cpu_percent. A thread of the game that wakes meanwhile waits no longer
 *   than that, whatever the scheduler and the sandbox let us be;
 * - of the disk PIECE bytes at a time. What was written is given to the disk at once, without a flush and without waiting for it: neither
 *   a sync of the game's nor one of ours ever finds more than that before it.
 * It is never put under SCHED_IDLE or given the disk's idle class: writing holds what everybody's sync waits for (the file system's
 * journal), and who is not run there holds all of them up. */
#include "archive_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "clk.h"
#include "err.h"
#include "thread.h"

enum { BURST_US = 400, PIECE = 262144, NAP_MS = 100 };

bool archive_is_to_stop(const struct job *j)
{
	return j->conf->s3.stopping && j->conf->s3.stopping(j->conf->s3.u);
}

static void pace_begin(struct job *j)
{
	int64_t now_us = clk_mono_us();
	j->pace = (struct pace){ .cpu_us = clk_thread_cpu_us(), .began_us = now_us, .due_us = now_us, .fd = -1 };
}

/* What one look costs, in time that must have passed. */
static int64_t price_us(const struct job *j, int64_t cpu_us)
{
	int64_t rate = j->conf->bytes_per_second;
	int64_t of_cpu = cpu_us * 100 / j->conf->cpu_percent, of_disk = rate > 0 ? j->pace.bytes * 1000000 / rate : 0;
	return of_cpu > of_disk ? of_cpu : of_disk;
}

int archive_pace(struct job *j)
{
	struct pace *p = &j->pace;
	int64_t cpu_us = clk_thread_cpu_us() - p->cpu_us;
	if (cpu_us < BURST_US && p->bytes < PIECE)
		return 0;
	if (j->conf->moved)
		j->conf->moved(j->conf->u, p->bytes);
	p->due_us = (p->due_us > p->began_us ? p->due_us : p->began_us) + price_us(j, cpu_us);
	for (int64_t now = clk_mono_ms(); now < p->due_us / 1000 && !archive_is_to_stop(j); now = clk_mono_ms())
		(void) clk_sleep_until_ms(p->due_us / 1000 - now > NAP_MS ? now + NAP_MS : p->due_us / 1000);
	p->bytes = 0;
	p->cpu_us = clk_thread_cpu_us();
	p->began_us = clk_mono_us();
	return archive_is_to_stop(j) ? err_say(-ECANCELED, "stopped while %s was archived", j->label) : 0;
}

/* To the disk with it, now: what cannot be told so is written when it is synced. */
static void send_on(struct pace *p)
{
	if (p->fd < 0 && p->made)
		p->fd = open(p->made, O_RDONLY | O_CLOEXEC);
	if (p->fd >= 0)
		(void) sync_file_range(p->fd, 0, 0, SYNC_FILE_RANGE_WRITE);
	p->unsent = 0;
}

void archive_passed(struct job *j, int64_t bytes, bool written)
{
	j->pace.bytes += bytes;
	j->pace.unsent += written ? bytes : 0;
	if (j->pace.unsent >= PIECE)
		send_on(&j->pace);
}

void archive_makes(struct job *j, const char *path)
{
	if (j->pace.fd >= 0)
		(void) close(j->pace.fd);
	j->pace.fd = -1;
	j->pace.made = path;
	j->pace.unsent = 0;
}

int archive_write(struct job *j, int fd, const void *bytes, size_t n)
{
	for (size_t at = 0; at < n;) {
		ssize_t did = write(fd, (const char *) bytes + at, n - at);
		if (did < 0)
			return err_say(-errno, "%s: %s", j->dir, strerror(errno));
		at += (size_t) did;
	}
	archive_passed(j, (int64_t) n, true);
	return archive_pace(j);
}

/* Of a store: it ends where it is asked next (store_between, archive_pace between rows), not here. */
static void piece(void *u, int64_t bytes, bool written)
{
	struct job *j = u;
	archive_passed(j, bytes, written);
	if (archive_pace(j) < 0)
		err_clear();
}

struct aside {
	struct job *j;
	int (*work)(struct job *j);
	int r;
	char text[ERR_TEXT_MAX];
};

static void *run_aside(void *u)
{
	struct aside *a = u;
	thread_gathers();
	pace_begin(a->j);
	store_pace(piece, a->j);
	a->r = a->work(a->j);
	store_pace(NULL, NULL);
	archive_makes(a->j, NULL);
	(void) snprintf(a->text, sizeof a->text, "%s", err_text());
	return NULL;
}

int archive_aside(struct job *j, int (*work)(struct job *j))
{
	struct aside a = { .j = j, .work = work };
	pthread_t thread;
	int r = thread_start(&thread, run_aside, &a);
	if (r < 0)
		return err_trace(r);
	(void) pthread_join(thread, NULL);
	if (a.r != 0)
		(void) err_say(a.r < 0 ? a.r : -EIO, "%s", a.text);
	return a.r;
}
