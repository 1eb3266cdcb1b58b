#include "intake_queue.h"

#include "check.h"

int64_t queue_worked_us(const struct queue_rule *q, int64_t now_us)
{
	int64_t until_us = now_us;
	if (q->held_since_us != 0 && now_us > q->held_since_us + QUEUE_GATE_US)
		until_us = q->held_since_us + QUEUE_GATE_US;
	return q->worked_us + (until_us > q->runs_from_us ? until_us - q->runs_from_us : 0);
}

void queue_gate_asked(struct queue_rule *q, int64_t now_us)
{
	CHECK(q->held_since_us == 0);
	q->held_since_us = now_us;
}

void queue_gate_given(struct queue_rule *q, int64_t now_us)
{
	CHECK(q->held_since_us != 0);
	int64_t stood_us = now_us - q->held_since_us - QUEUE_GATE_US;
	q->worked_us = queue_worked_us(q, now_us);
	q->runs_from_us = q->runs_from_us > now_us ? q->runs_from_us : now_us;
	if (stood_us > 0)
		q->runs_from_us = now_us + stood_us;
	q->held_since_us = 0;
}

void queue_be_patient(struct queue_rule *q, int64_t until_us)
{
	q->patient_until_us = until_us;
}

static void turn_windows(struct queue_rule *q, int64_t now_us)
{
	int64_t window_us = now_us - now_us % QUEUE_WINDOW_US;
	if (window_us <= q->window_us)
		return;
	q->refused_before = window_us - q->window_us == QUEUE_WINDOW_US ? q->refused : 0;
	q->refused = 0;
	q->window_us = window_us;
}

void queue_refused(struct queue_rule *q, int64_t now_us, int64_t n)
{
	turn_windows(q, now_us);
	q->refused += n;
}

bool queue_admits(struct queue_rule *q, int64_t now_us, const struct queue_state *s)
{
	int64_t worked_us = queue_worked_us(q, now_us);
	int64_t wait_us = s->waiting ? worked_us - s->oldest_worked_us : 0;
	if (wait_us < QUEUE_CALM_US)
		q->calm_us = worked_us;
	if (s->waiting == 0)
		return true;
	if (now_us - s->oldest_us > QUEUE_HELD_US)
		return false;
	turn_windows(q, now_us);
	if (now_us < q->patient_until_us || s->waiting + q->refused + q->refused_before <= QUEUE_FEW)
		return true;
	return wait_us <= (worked_us - q->calm_us > QUEUE_BEHIND_US ? QUEUE_STANDS_US : QUEUE_MOST_US);
}
