#include "sim.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "err.h"

struct sim sim;

int64_t __wrap_clk_now_ms(void);
int64_t __wrap_clk_mono_ms(void);
int64_t __wrap_clk_mono_us(void);
void __wrap_rnd_bytes(void *out, size_t n);
uint32_t __wrap_rnd_below(uint32_t below);
int __wrap_statvfs64(const char *path, struct statvfs *ret);

void sim_begin(uint64_t seed, int64_t start_ms)
{
	sim = (struct sim){ .seed = seed, .state = seed * 2 + 1, .start_ms = start_ms, .true_ms = start_ms,
		.storm = sim.storm };
}

/* splitmix64: any seed will do. */
static uint64_t draw(void)
{
	uint64_t z = sim.state += UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

uint64_t dice(uint64_t below)
{
	return (uint64_t) ((unsigned __int128) draw() * below >> 64);
}

bool one_in(uint64_t n)
{
	return dice(n) == 0;
}

bool stormy_one_in(uint64_t n)
{
	return sim.storm && one_in(n > sim.storm ? n / sim.storm : 1);
}

bool fault_one_in(uint64_t n)
{
	bool befalls = stormy_one_in(n);
	sim.faults += befalls;
	return befalls;
}

int64_t sim_wall_ms(enum proc p)
{
	return sim.true_ms + sim.step_ms + sim.skew_ms[p];
}

int64_t sim_mono_ms(void)
{
	return __wrap_clk_mono_us() / 1000;
}

void sim_fail(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	(void) fprintf(stderr, "sim: seed %" PRIu64 ", column %" PRId64 ": ", sim.seed, sim.column);
	(void) vfprintf(stderr, fmt, ap);
	(void) fprintf(stderr, "\n%s%splay it again: test_sim --seed %" PRIu64 " --columns %" PRId64 " --worlds 1 --storm %" PRIu64 "\n", err_text(),
			*err_text() ? "\n" : "", sim.seed, sim.column + 1000, sim.storm);
	va_end(ap);
	exit(1);
}

int64_t __wrap_clk_now_ms(void)
{
	return sim_wall_ms(sim.running);
}

/* Work takes its time, so that what is bounded by time ends anywhere. */
int64_t __wrap_clk_mono_us(void)
{
	sim.mono_us += (int64_t) (one_in(10) ? dice(3000) : dice(100));
	return (sim.true_ms - sim.start_ms) * 1000 + INT64_C(1000000000) + sim.mono_us;
}

int64_t __wrap_clk_mono_ms(void)
{
	return sim_mono_ms();
}

void __wrap_rnd_bytes(void *out, size_t n)
{
	uint8_t *p = out;
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t) draw();
}

uint32_t __wrap_rnd_below(uint32_t below)
{
	return (uint32_t) dice(below);
}

int __wrap_statvfs64(const char *path, struct statvfs *ret)
{
	(void) path;
	*ret = (struct statvfs){ .f_frsize = 4096, .f_blocks = 1000000, .f_bfree = 900000, .f_bavail = 900000 };
	return 0;
}
