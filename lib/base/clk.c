#include "clk.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

enum { MS_PER_DAY = 24 * 3600 * 1000 };

static int64_t read_us(clockid_t id)
{
	struct timespec ts;
	(void) clock_gettime(id, &ts);
	return (int64_t) ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t clk_now_ms(void)
{
	return read_us(CLOCK_REALTIME) / 1000;
}

int64_t clk_mono_ms(void)
{
	return read_us(CLOCK_MONOTONIC) / 1000;
}

int64_t clk_mono_us(void)
{
	return read_us(CLOCK_MONOTONIC);
}

int64_t clk_thread_cpu_us(void)
{
	return read_us(CLOCK_THREAD_CPUTIME_ID);
}

_Bool clk_sleep_until_ms(int64_t mono_ms)
{
	struct timespec ts = { .tv_sec = mono_ms / 1000, .tv_nsec = (mono_ms % 1000) * 1000000 };
	return clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == 0;
}

void clk_rfc3339(char out[CLK_RFC3339_SIZE], int64_t ms)
{
	time_t s = (time_t) (ms / 1000);
	struct tm tm;
	char stamp[CLK_RFC3339_SIZE];
	(void) gmtime_r(&s, &tm);
	(void) strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &tm);
	(void) snprintf(out, CLK_RFC3339_SIZE, "%.19s.%03uZ", stamp, (unsigned) (ms % 1000) % 1000u);
}

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

/* Days since the epoch of the Monday of the week that holds the day. Day 0 was a Thursday. */
static int64_t monday_of(int64_t day)
{
	return floor_div(day + 3, 7) * 7 - 3;
}

/* Days since the epoch of January 1st. */
static int64_t year_start(int year)
{
	int64_t y = (int64_t) year - 1;
	return y * 365 + floor_div(y, 4) - floor_div(y, 100) + floor_div(y, 400) - 719162;
}

/* Week 1 is the one that holds January 4th. */
static int64_t first_monday(int year)
{
	return monday_of(year_start(year) + 3);
}

struct clk_week clk_iso_week(int64_t ms)
{
	int64_t monday = monday_of(floor_div(ms, MS_PER_DAY));
	time_t thursday = (time_t) ((monday + 3) * 86400); /* the week belongs to its Thursday's year */
	struct tm tm;
	(void) gmtime_r(&thursday, &tm);
	int year = tm.tm_year + 1900;
	return (struct clk_week){ .year = year, .week = (int) ((monday - first_monday(year)) / 7) + 1 };
}

int64_t clk_week_start_ms(struct clk_week w)
{
	return (first_monday(w.year) + 7 * ((int64_t) w.week - 1)) * MS_PER_DAY;
}
