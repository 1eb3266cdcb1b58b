/* Who may wait for the writer: the rule on a clock of the test's, and in a small world that runs by itself. A processor is shared in slices
 * by the door, which checks what came, the writer, which takes what waits in turns, and whoever else is there; the gate may be
 * another's. What must hold of it: who was only held up is never refused, and more than can be done never makes the queue stand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "intake_queue.h"

enum { MS = 1000, S = 1000 * MS };

/* ---- the rule ---- */

/* `n` wait, of whom the oldest came at `came` */
static bool enters(struct queue_rule *q, int64_t now, int64_t n, int64_t came, int64_t came_worked)
{
	const struct queue_state s = { .waiting = n, .oldest_us = came, .oldest_worked_us = came_worked };
	return queue_admits(q, now, &s);
}

static void few_wait_for_a_second_and_many_for_a_moment(void **state)
{
	(void) state;
	struct queue_rule q = { 0 };
	const int64_t t = 100 * S;
	assert_true(enters(&q, t, 0, 0, 0));
	assert_true(enters(&q, t + QUEUE_MOST_US, QUEUE_FEW + 1, t, t));
	assert_false(enters(&q, t + QUEUE_MOST_US + 1, QUEUE_FEW + 1, t, t));
	assert_true(enters(&q, t + QUEUE_HELD_US, QUEUE_FEW, t, t));
	assert_false(enters(&q, t + QUEUE_HELD_US + 1, QUEUE_FEW, t, t));
}

static void a_queue_that_only_stands_is_cut(void **state)
{
	(void) state;
	struct queue_rule q = { 0 };
	const int64_t t = 100 * S;
	assert_true(enters(&q, t, 1000, t - QUEUE_CALM_US + 1, t - QUEUE_CALM_US + 1)); /* calm */
	for (int64_t now = t + MS; now <= t + QUEUE_BEHIND_US; now += MS)
		assert_true(enters(&q, now, 1000, now - QUEUE_STANDS_US - 1, now - QUEUE_STANDS_US - 1));
	const int64_t behind = t + QUEUE_BEHIND_US + MS;
	assert_false(enters(&q, behind, 1000, behind - QUEUE_STANDS_US - 1, behind - QUEUE_STANDS_US - 1));
	assert_true(enters(&q, behind, 1000, behind - QUEUE_STANDS_US, behind - QUEUE_STANDS_US));
	assert_true(enters(&q, behind, 1000, behind, behind)); /* calm again */
	assert_true(enters(&q, behind + MS, 1000, behind + MS - QUEUE_STANDS_US - 1, behind + MS - QUEUE_STANDS_US - 1));
}

static void few_are_many_while_others_are_turned_away(void **state)
{
	(void) state;
	struct queue_rule q = { 0 };
	const int64_t t = 100 * S, came = t - QUEUE_MOST_US - 1;
	queue_refused(&q, t, QUEUE_FEW - 10);
	assert_true(enters(&q, t, 10, came, came));
	queue_refused(&q, t, 1);
	assert_false(enters(&q, t, 10, came, came));
	assert_true(enters(&q, t, 9, came, came));
	/* in the next window still, and then no more */
	assert_false(enters(&q, t + QUEUE_WINDOW_US, 10, came + QUEUE_WINDOW_US, came + QUEUE_WINDOW_US));
	assert_true(enters(&q, t + 2 * QUEUE_WINDOW_US, 10, came + 2 * QUEUE_WINDOW_US, came + 2 * QUEUE_WINDOW_US));
	queue_refused(&q, t + 10 * S, QUEUE_FEW);
	assert_true(enters(&q, t + 12 * S, 10, came + 12 * S, came + 12 * S));
}

static void time_stands_while_another_has_the_gate_and_then_for_as_long(void **state)
{
	(void) state;
	struct queue_rule q = { 0 };
	const int64_t t = 100 * S, long_us = 300 * MS, w = queue_worked_us(&q, t);
	queue_gate_asked(&q, t);
	assert_int_equal(queue_worked_us(&q, t + QUEUE_GATE_US / 2) - w, QUEUE_GATE_US / 2);
	assert_int_equal(queue_worked_us(&q, t + QUEUE_GATE_US + long_us) - w, QUEUE_GATE_US);
	const int64_t given = t + QUEUE_GATE_US + long_us;
	queue_gate_given(&q, given);
	assert_int_equal(queue_worked_us(&q, given + long_us) - w, QUEUE_GATE_US);
	assert_int_equal(queue_worked_us(&q, given + long_us + 7) - w, QUEUE_GATE_US + 7);
	/* what is usual costs nothing, and ends no catching up */
	const int64_t later = given + long_us + S, v = queue_worked_us(&q, later);
	queue_gate_asked(&q, later);
	queue_gate_given(&q, later + QUEUE_GATE_US);
	assert_int_equal(queue_worked_us(&q, later + QUEUE_GATE_US + 5) - v, QUEUE_GATE_US + 5);
	queue_gate_asked(&q, later + S);
	queue_gate_given(&q, later + S + QUEUE_GATE_US + long_us);
	const int64_t u = queue_worked_us(&q, later + S + QUEUE_GATE_US + long_us);
	queue_gate_asked(&q, later + S + QUEUE_GATE_US + long_us + 1);
	queue_gate_given(&q, later + S + QUEUE_GATE_US + long_us + 2);
	assert_int_equal(queue_worked_us(&q, later + S + QUEUE_GATE_US + 2 * long_us), u);
	/* the clock's own bound holds all the same */
	assert_false(enters(&q, later + 3 * S, 1000, later + 3 * S - QUEUE_HELD_US - 1, queue_worked_us(&q, later + 3 * S)));
}

static void patience_knows_one_bound(void **state)
{
	(void) state;
	struct queue_rule q = { 0 };
	const int64_t t = 100 * S;
	queue_be_patient(&q, t + 10 * S);
	queue_refused(&q, t, 10000);
	assert_true(enters(&q, t + QUEUE_HELD_US, 5000, t, t));
	assert_false(enters(&q, t + QUEUE_HELD_US + 1, 5000, t, t));
	assert_false(enters(&q, t + 10 * S, 5000, t + 9 * S, t + 9 * S));
}

/* ---- the world ---- */

enum {
	STEP = 50,                                  /* us */
	SLICE = 4 * MS, TURN_US = MS / 4, SLEEPS = 3, /* a turn of the writer: for Redis, for the disk it gives up its slice */
	CHECK_US = 50, WRITE_US = 15, REFUSE_US = 10, /* a tap's share at the door, at the writer; unread */
	CAPACITY = S / (CHECK_US + WRITE_US),
	BUSY_US = 3 * MS, BATCH = 512, RING = 1 << 16,
	TURN_REQUESTS = 2 * 128, TURN_YOUNG_US = 15 * MS /* of two loops */
};

struct weather {
	int rate;                 /* a second */
	int64_t until_us;
	int others;               /* threads that want the processor all the time */
	int64_t gate_each_us, gate_for_us; /* another takes the gate */
	int connections;          /* that wait for an answer at most: who comes beyond is not there */
};

struct came {
	int64_t at, queued, worked;
};

struct world {
	struct queue_rule q;
	uint64_t seed;
	int64_t now, next_us, busy_until_us, debt_us; /* debt: of the running piece of the door's work */
	struct came door[RING], waiting[RING], batch[BATCH];
	unsigned door_from, door_to, from, to, n; /* n: in the writer's hand */
	unsigned ready, begun;    /* of the turn at the door, which began then: */
	int64_t turn_us;
	int64_t left_us;          /* of its turn; with n > 0 */
	int sleeps;
	bool asks, has_gate;
	int64_t gate_taken_us, gate_at_us;
	int turn;                 /* whose slice: 0 the door, 1 the writer, then others */
	int64_t slice_us;
	uint64_t accepted, refused, came;
	unsigned waits[4096];     /* of the accepted, by ms */
};

static uint64_t draw(struct world *w)
{
	w->seed ^= w->seed << 13;
	w->seed ^= w->seed >> 7;
	w->seed ^= w->seed << 17;
	return w->seed;
}

static unsigned inside(const struct world *w)
{
	return w->door_to - w->door_from + (w->to - w->from) + w->n;
}

static void arrive(struct world *w, const struct weather *x)
{
	const int64_t apart_us = S / x->rate;
	for (; w->next_us <= w->now; w->next_us += 1 + (int64_t) (draw(w) % (uint64_t) (2 * apart_us))) {
		if (inside(w) >= (unsigned) x->connections)
			continue;
		w->came++;
		w->door[w->door_to++ % RING].at = w->now;
	}
}

/* httpd takes up what is ready in turns, and sheds what is beyond one. */
static bool sheds(struct world *w)
{
	if (w->ready == 0) {
		w->ready = w->door_to - w->door_from;
		w->begun = 0;
		w->turn_us = w->now;
	}
	w->ready--;
	return w->begun++ >= TURN_REQUESTS && w->now - w->turn_us > TURN_YOUNG_US;
}

/* The first at the door is checked, and enters or is told. */
static void serve_one(struct world *w)
{
	bool shed = sheds(w);
	struct came c = w->door[w->door_from++ % RING];
	if (shed || w->now < w->busy_until_us) {
		w->debt_us += REFUSE_US;
		w->refused++;
		queue_refused(&w->q, w->now, !shed);
		return;
	}
	w->debt_us += CHECK_US;
	const struct came *oldest = &w->waiting[w->from % RING];
	const struct queue_state s = { .waiting = w->to - w->from, .oldest_us = oldest->queued, .oldest_worked_us = oldest->worked };
	if (queue_admits(&w->q, w->now, &s)) {
		w->waiting[w->to++ % RING] = (struct came){ c.at, w->now, queue_worked_us(&w->q, w->now) };
		return;
	}
	queue_refused(&w->q, w->now, 1);
	w->busy_until_us = w->now + BUSY_US;
	w->refused++;
}

static void run_door(struct world *w)
{
	for (w->debt_us -= STEP; w->debt_us < 0 && w->door_from != w->door_to;)
		serve_one(w);
	if (w->debt_us < 0)
		w->debt_us = 0;
}

static void take(struct world *w)
{
	while (w->n < BATCH && w->from != w->to)
		w->batch[w->n++] = w->waiting[w->from++ % RING];
	w->left_us = TURN_US + (int64_t) w->n * WRITE_US;
	w->sleeps = SLEEPS;
	w->asks = true;
	queue_gate_asked(&w->q, w->now);
}

static void answer(struct world *w)
{
	for (; w->n > 0; w->n--) {
		int64_t ms = (w->now - w->batch[w->n - 1].at) / MS;
		w->waits[ms < 4095 ? ms : 4095]++;
		w->accepted++;
	}
}

static void run_writer(struct world *w)
{
	if (w->n == 0) {
		take(w);
		return;
	}
	w->left_us -= STEP;
	if (w->left_us <= 0 && --w->sleeps >= 0) {
		w->left_us = TURN_US;
		w->slice_us = 0;
	}
	if (w->left_us <= 0)
		answer(w);
}

/* The gate is another's, now and then. */
static void turn_gate(struct world *w, const struct weather *x)
{
	bool taken = x->gate_each_us && w->now >= w->gate_at_us && w->now < w->gate_at_us + x->gate_for_us;
	if (x->gate_each_us && w->now >= w->gate_at_us + x->gate_for_us)
		w->gate_at_us += x->gate_each_us;
	if (w->asks && !taken) {
		queue_gate_given(&w->q, w->now);
		w->asks = false;
	}
}

static bool runs(const struct world *w, int who)
{
	if (who == 0)
		return w->debt_us > 0 || w->door_from != w->door_to;
	return who > 1 || (!w->asks && (w->n > 0 || w->from != w->to));
}

/* The next one in the round who wants it. */
static void share(struct world *w, const struct weather *x)
{
	w->slice_us -= STEP;
	for (int i = 0; i < 2 + x->others && (w->slice_us <= 0 || !runs(w, w->turn)); i++) {
		w->turn = (w->turn + 1) % (2 + x->others);
		w->slice_us = SLICE;
	}
	if (w->turn == 0 && runs(w, 0))
		run_door(w);
	else if (w->turn == 1 && runs(w, 1))
		run_writer(w);
}

static void run(struct world *w, const struct weather *x)
{
	w->accepted = w->refused = w->came = 0;
	memset(w->waits, 0, sizeof w->waits);
	w->next_us = w->now;
	w->gate_at_us = w->now + x->gate_each_us / 2;
	w->turn = 0;
	for (; w->now < x->until_us; w->now += STEP) {
		arrive(w, x);
		turn_gate(w, x);
		share(w, x);
	}
}

static unsigned p99_ms(const struct world *w)
{
	uint64_t sum = 0;
	unsigned ms = 0;
	while (ms < 4095 && (sum += w->waits[ms]) < w->accepted - w->accepted / 100)
		ms++;
	return ms;
}

static struct world *world(uint64_t seed)
{
	struct world *w = calloc(1, sizeof *w);
	assert_non_null(w);
	w->seed = seed * 2654435761u + 88172645463325252u;
	w->now = 100 * S;
	return w;
}

static unsigned seeds(void)
{
	const char *n = getenv("TAP_QUEUE_SEEDS");
	return n ? (unsigned) strtoul(n, NULL, 10) : 3;
}

/* A pause of nine tenths of a second, at up to a third of what can be done; then what had waited goes out. */
static void a_held_gate_refuses_nobody(void **state)
{
	(void) state;
	for (unsigned seed = 1; seed <= seeds(); seed++)
		for (int share_of = 3; share_of <= 30; share_of += 9) {
			struct world *w = world(seed);
			run(w, &(struct weather){ .rate = CAPACITY / share_of, .until_us = w->now + 12 * S, .gate_each_us = 4 * S,
					.gate_for_us = 900 * MS, .connections = 10000 });
			assert_int_equal(w->refused, 0);
			free(w);
		}
}

/* A machine that others use: each turn takes long, but a crowd that waits for its answers is never too many. */
static void a_busy_machine_refuses_no_crowd(void **state)
{
	(void) state;
	for (unsigned seed = 1; seed <= seeds(); seed++)
		for (int others = 0; others <= 20; others += 5) {
			struct world *w = world(seed);
			run(w, &(struct weather){ .rate = 100000, .until_us = w->now + 4 * S, .others = others, .connections = QUEUE_FEW });
			assert_int_equal(w->refused, 0);
			assert_true(w->accepted > 0);
			free(w);
		}
}

/* Above capacity the accepted wait as long in the second half as in the first, and never long; half of what can be done is done; and a
 * second after its end nobody is refused. */
static void check_overload(uint64_t seed, int percent, const struct weather *kind, unsigned most_ms)
{
	struct world *w = world(seed);
	struct weather x = *kind;
	const int64_t can = CAPACITY / (1 + x.others);
	x.rate = (int) (can * percent / 100);
	x.until_us = w->now + 3 * S;
	run(w, &x);
	unsigned first = p99_ms(w);
	x.until_us = w->now + 3 * S;
	run(w, &x);
	unsigned second = p99_ms(w);
	assert_true(w->refused > 0);
	assert_in_range(first, 0, most_ms);
	assert_in_range(second, 0, first + first / 2);
	assert_true((int64_t) w->accepted > 3 * can / 2);
	x.rate = (int) (can / 10);
	x.until_us = w->now + S;
	run(w, &x);
	x.until_us = w->now + 2 * S;
	run(w, &x);
	assert_int_equal(w->refused, 0);
	free(w);
}

static void overload_is_flat_and_ends_with_the_load(void **state)
{
	(void) state;
	for (unsigned seed = 1; seed <= seeds(); seed++)
		for (int percent = 150; percent <= 200; percent += 25) {
			check_overload(seed, percent, &(struct weather){ .connections = 3000 }, 100);
			check_overload(seed, percent, &(struct weather){ .connections = 3000, .others = 2 }, 250);
			check_overload(seed, percent, &(struct weather){ .connections = 3000, .gate_each_us = 200 * MS, .gate_for_us = 30 * MS },
					150);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(few_wait_for_a_second_and_many_for_a_moment),
		cmocka_unit_test(a_queue_that_only_stands_is_cut),
		cmocka_unit_test(few_are_many_while_others_are_turned_away),
		cmocka_unit_test(time_stands_while_another_has_the_gate_and_then_for_as_long),
		cmocka_unit_test(patience_knows_one_bound),
		cmocka_unit_test(a_held_gate_refuses_nobody),
		cmocka_unit_test(a_busy_machine_refuses_no_crowd),
		cmocka_unit_test(overload_is_flat_and_ends_with_the_load),
	};
	return cmocka_run_group_tests_name("intake queue", tests, NULL, NULL);
}
