/* thread.h - threads that take no signal, and waits by the monotonic clock. Base floor. Thread: any. */
#ifndef TAP_THREAD_H
#define TAP_THREAD_H

#include <pthread.h>
#include <stdint.h>

#include "attr.h"

/* pthread_create with all signals blocked in the new thread, since they are the main thread's: 0, or negative errno. */
MUST_CHECK int thread_start(pthread_t *ret, void *(*run)(void *), void *u);

/* The calling thread gathers work of others: when it is woken it takes no processor from a thread that runs, so that under load
 * more is waiting when its turn comes, and it costs less each. On an idle processor it runs at once. Where the kernel or a
 * sandbox says no, nothing changes. */
void thread_gathers(void);

/* A condition for cond_wait_until, which a clock that is set does not disturb: 0, or negative errno. */
MUST_CHECK int cond_init(pthread_cond_t *c);
/* Holding the lock: until the condition is signalled or the monotonic time has come; may return for nothing. */
void cond_wait_until(pthread_cond_t *c, pthread_mutex_t *lock, int64_t mono_ms);

#endif
