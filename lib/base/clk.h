/* clk.h - the only place that asks what time it is. Base floor.
 * Units in the names. Wall time is for stamps that leave the process; monotonic time is for waiting and measuring.
 * Thread: any. */
#ifndef TAP_CLK_H
#define TAP_CLK_H

#include <stdint.h>

int64_t clk_now_ms(void);      /* wall, milliseconds since the Unix epoch, UTC */
int64_t clk_mono_ms(void);     /* monotonic */
int64_t clk_mono_us(void);
int64_t clk_thread_cpu_us(void);

/* Sleeps until the monotonic time; returns early, with false, when a signal came. */
_Bool clk_sleep_until_ms(int64_t mono_ms);

/* YYYY-MM-DDTHH:MM:SS.mmmZ, as RFC 3339 and EIP-4361 want it. */
enum { CLK_RFC3339_SIZE = 25 };
void clk_rfc3339(char out[CLK_RFC3339_SIZE], int64_t ms);

/* The ISO 8601 week of a moment (UTC): year 2026, week 1..53. */
struct clk_week {
	int year;
	int week;
};
struct clk_week clk_iso_week(int64_t ms);
/* Monday 00:00:00.000 UTC of that week (years' edges and 53 weeks included). */
int64_t clk_week_start_ms(struct clk_week w);

#endif
