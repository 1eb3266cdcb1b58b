/* clock.c - loaded before libc (LD_PRELOAD), so that a machine's wall clock can be stepped for a few programs alone: it shows what the
 * kernel's does, and the nanoseconds that the first eight bytes of the file $CLOCK_FILE hold at that moment. Monotonic clocks are let be.
 * Without the file it changes nothing. */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { NS_PER_S = 1000000000 };

static const volatile int64_t *offset_ns;

__attribute__((constructor)) static void look(void)
{
	const char *path = getenv("CLOCK_FILE");
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	if (fd < 0)
		return;
	void *map = mmap(NULL, sizeof *offset_ns, PROT_READ, MAP_SHARED, fd, 0);
	if (map != MAP_FAILED)
		offset_ns = map;
	(void) close(fd);
}

int clock_gettime(clockid_t id, struct timespec *ts)
{
	int r = (int) syscall(SYS_clock_gettime, id, ts);
	if (r == 0 && offset_ns && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) {
		int64_t ns = (int64_t) ts->tv_sec * NS_PER_S + ts->tv_nsec + *offset_ns;
		ts->tv_sec = ns / NS_PER_S;
		ts->tv_nsec = ns % NS_PER_S;
	}
	return r;
}

int gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
	struct timespec ts;
	(void) zone;
	if (clock_gettime(CLOCK_REALTIME, &ts) == 0)
		*tv = (struct timeval){ .tv_sec = ts.tv_sec, .tv_usec = ts.tv_nsec / 1000 };
	return 0;
}

time_t time(time_t *ret)
{
	struct timespec ts = { 0 };
	(void) clock_gettime(CLOCK_REALTIME, &ts);
	if (ret)
		*ret = ts.tv_sec;
	return ts.tv_sec;
}
