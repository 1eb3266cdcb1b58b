/* intake_still.h - an intake whose threads have ended and whose loops the test runs itself, so that the n-th call of anything is the
 * same one each time. For tests only; the intake of intake_world.h. */
#ifndef TAP_TEST_INTAKE_STILL_H
#define TAP_TEST_INTAKE_STILL_H

#include "intake_world.h"
#include "intake_impl.h"

static inline void go_still(void)
{
	go();
	intake_drain(intake);
}

/* Everything that waits is done and said. */
static inline void turn(void)
{
	intake->stopping = intake->announcer.stopping = true;
	(void) intake_writer_run(intake);
	(void) intake_announcer_run(intake);
}

static inline bool submit(struct intake_tap *t)
{
	intake->stopping = false;
	bool taken = intake_submit(intake, t) == 0;
	intake->stopping = true;
	return taken;
}

static inline bool submit_job(struct intake_job *j)
{
	intake->stopping = false;
	bool taken = intake_submit_job(intake, j) == 0;
	intake->stopping = true;
	return taken;
}

static inline enum intake_result place_still(struct intake_tap *t)
{
	assert_true(submit(t));
	turn();
	return t->result;
}

/* A job for which the test waits by a turn. */
struct still_job {
	struct intake_job job;
	int result;
};

static inline void still_job_done(struct intake_job *j, int result)
{
	((struct still_job *) j)->result = result;
}

static inline int run_still(int (*fn)(struct intake_job *j, struct store *db, int64_t now_ms))
{
	struct still_job j = { .job = { .fn = fn, .done = still_job_done }, .result = -1 };
	assert_true(submit_job(&j.job));
	turn();
	return j.result;
}

static inline void redis_key(const struct wallet *owner, const struct wallet *key, bool knows)
{
	struct bus *b;
	const struct bus_reply *r;
	char at[KEY_MAX], who[WALLET_TEXT_SIZE];
	assert_int_equal(bus_open(&b, &bus_conf), 0);
	wallet_format(who, owner);
	(void) key_session_key(at, key);
	assert_int_equal(knows ? bus_command(b, &r, "SET %s %s", at, who) : bus_command(b, &r, "DEL %s", at), 0);
	(void) bus_close(b);
}

#endif
