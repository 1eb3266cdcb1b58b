#include "thread.h"

#include <sched.h>
#include <signal.h>
#include <time.h>

int thread_start(pthread_t *ret, void *(*run)(void *), void *u)
{
	sigset_t all, before;
	(void) sigfillset(&all);
	(void) pthread_sigmask(SIG_SETMASK, &all, &before);
	int r = pthread_create(ret, NULL, run, u);
	(void) pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -r;
}

void thread_gathers(void)
{
	const struct sched_param param = { 0 };
	(void) sched_setscheduler(0, SCHED_BATCH, &param); /* 0: the calling thread alone, on Linux */
}

int cond_init(pthread_cond_t *c)
{
	pthread_condattr_t attr;
	int r = pthread_condattr_init(&attr);
	if (r != 0)
		return -r;
	(void) pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	r = pthread_cond_init(c, &attr);
	(void) pthread_condattr_destroy(&attr);
	return -r;
}

void cond_wait_until(pthread_cond_t *c, pthread_mutex_t *lock, int64_t mono_ms)
{
	struct timespec ts = { .tv_sec = mono_ms / 1000, .tv_nsec = mono_ms % 1000 * 1000000 };
	(void) pthread_cond_timedwait(c, lock, &ts);
}
