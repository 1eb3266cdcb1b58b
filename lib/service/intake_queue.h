/* intake_queue.h - may one more tap wait for the writer, or is it told at once that too many do? Service floor; intake's own.
 * Two things make a queue old, and they want opposite answers. More comes than can be done: the queue would only stand, each tap would
 * wait in it, so who comes is refused early. Or the writer was held up, by who has the gate or by a machine that others use: then what
 * waits goes out in its next turns, and nobody is refused.
 * They are told apart so. The taps' time stands while the writer waits for the gate (but for QUEUE_GATE_US, which is the gate's
 * ordinary use), and afterwards for as long again, in which it catches up. And while what waits, with all that was refused in the last
 * second, is no more than a turn of the writer, no more came than can be done. Under overload it is the refusals that keep that sum
 * high, however short they keep the queue.
 * Always true: nobody enters behind one who has waited for QUEUE_HELD_US; behind few, or within its patience, nobody is refused
 *   sooner; a second after the last refusal it is as if there had been none.
 * Units: monotonic microseconds that the caller gives, hardly ever back; "worked" is the taps' time.
 * Thread: none; under the caller's lock. */
#ifndef TAP_INTAKE_QUEUE_H
#define TAP_INTAKE_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "attr.h"

enum {
	QUEUE_FEW = 256,            /* taps, of which the writer takes all in its next turn */
	QUEUE_MOST_US = 100000,     /* where there are more the oldest may have waited so long, in worked time: a hiccup is waited out, */
	QUEUE_CALM_US = 20000,      /* but when no wait was this short */
	QUEUE_BEHIND_US = 100000,   /* for so long, the queue only stands: */
	QUEUE_STANDS_US = 40000,    /* then this is the limit */
	QUEUE_HELD_US = 1000000,    /* the limit behind few, and behind all that were held up, on the clock */
	QUEUE_GATE_US = 20000,
	QUEUE_WINDOW_US = 500000    /* refusals are counted by windows, the last one and this */
};

struct queue_rule { /* all zero: as of the clock's beginning */
	int64_t worked_us, runs_from_us; /* the taps' time: it was so much, and runs on from then */
	int64_t held_since_us;           /* 0: the writer is not held */
	int64_t calm_us;                 /* in worked time: when the oldest's wait was short last */
	int64_t patient_until_us;
	int64_t window_us, refused, refused_before;
};

/* The writer asks for the gate; it has it. In turns. */
void queue_gate_asked(struct queue_rule *q, int64_t now_us);
void queue_gate_given(struct queue_rule *q, int64_t now_us);
/* Until then who came while nobody was there comes at once. */
void queue_be_patient(struct queue_rule *q, int64_t until_us);
int64_t queue_worked_us(const struct queue_rule *q, int64_t now_us);

struct queue_state {
	int64_t waiting;                     /* 0: the two are not looked at */
	int64_t oldest_us, oldest_worked_us; /* when the oldest of them came */
};
MUST_CHECK bool queue_admits(struct queue_rule *q, int64_t now_us, const struct queue_state *s);
/* n more were turned away, by this rule or unread behind it. */
void queue_refused(struct queue_rule *q, int64_t now_us, int64_t n);

#endif
