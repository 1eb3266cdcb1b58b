#include "api_proc.h"

#include <errno.h>
#include <stdlib.h>

#include "disk.h"
#include "err.h"
#include "intake_impl.h"
#include "rnd.h"
#include "sim.h"
#include "thread.h"

enum { SAID_MAX = 512 };

static struct intake *in;
static struct said said[SAID_MAX];
static size_t n_said;

void __wrap_announcer_say(struct intake *i, struct speeches *l);
void __wrap_thread_gathers(void);

void __wrap_thread_gathers(void) /* this thread is no gatherer: it is all of them */
{
}

void __wrap_announcer_say(struct intake *i, struct speeches *l)
{
	(void) i;
	for (struct speech *s = l->head, *next; s; s = next) {
		next = s->next;
		if (s->kind == SPEECH_CONFIRMED) {
			MUST(n_said < SAID_MAX, "more was said than was asked");
			said[n_said++] = (struct said){ s->account.balance.micros, s->account.seq };
		}
		buf_free(&s->event);
		free(s);
	}
	speeches_init(l);
}

size_t api_proc_said(struct said *ret, size_t max)
{
	size_t n = n_said;
	MUST(n <= max, "more was said than was asked");
	for (size_t i = 0; i < n; i++)
		ret[i] = said[i];
	n_said = 0;
	return n;
}

/* As intake_start, but for the threads. */
void api_proc_start(const struct settings *s, const struct intake_market *market)
{
	sim.running = PROC_API;
	in = calloc(1, sizeof *in);
	MUST(in, "no memory");
	in->s = s;
	in->market = *market;
	in->rules = settings_grid(s);
	rnd_bytes(in->boot, sizeof in->boot);
	tap_list_init(&in->waiting);
	in->jobs_tail = &in->jobs;
	(void) pthread_mutex_init(&in->lock, NULL);
	(void) pthread_mutex_init(&in->announcer.lock, NULL);
	MUST(cond_init(&in->wake) == 0 && cond_init(&in->announcer.wake) == 0, "no condition");
	int r = intake_writer_open(in);
	sim.running = PROC_WORLD;
	MUST(r == 0, "the api cannot start: %d", r);
}

void api_proc_stop(void)
{
	sim.running = PROC_API;
	in = intake_stop(in);
	sim.running = PROC_WORLD;
	n_said = 0;
}

bool api_proc_up(void)
{
	return in != NULL;
}

/* A writer that is to stop does what waits and returns. */
static bool turn(void)
{
	sim.running = PROC_API;
	in->stopping = true;
	(void) intake_writer_run(in);
	in->stopping = false;
	sim.running = PROC_WORLD;
	enum disk_fault met = disk_met();
	MUST(!intake_failed(in) || met != DISK_NONE || disk_is_full(), "intake fails, and nothing was done to it");
	err_clear();
	return !intake_failed(in) && !disk_dead();
}

static size_t answered;

static void on_done(struct intake_tap *t)
{
	MUST(t->u == NULL, "a tap is answered twice");
	t->u = t;
	answered++;
}

bool api_proc_run(struct intake_tap *taps, size_t n)
{
	answered = 0;
	sim.running = PROC_API;
	for (size_t i = 0; i < n; i++) {
		taps[i].done = on_done;
		taps[i].u = NULL;
		MUST(intake_submit(in, &taps[i]) == 0, "the queue takes no tap");
	}
	bool alive = turn();
	MUST(answered == n, "%zu of %zu taps were answered", answered, n);
	return alive;
}

static bool job_is_done;
static int job_result;

static void on_job(struct intake_job *j, int result)
{
	(void) j;
	job_is_done = true;
	job_result = result;
}

int api_proc_job(struct intake_job *job, bool *ret_alive)
{
	job->done = on_job;
	job_is_done = false;
	sim.running = PROC_API;
	MUST(intake_submit_job(in, job) == 0, "the queue takes no job");
	*ret_alive = turn();
	MUST(job_is_done, "a job has no answer");
	return job_result;
}
