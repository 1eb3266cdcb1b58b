/* intake.h - from a checked tap to its row: admission, queue, batch, one transaction, confirm. Service floor, on all below.
 * The way of a tap: intake_submit -> bounded queue -> writer thread: takes what waits, one trip to Redis for all of it (signer, rate
 *   limit, nonce), then gate { BEGIN; for each: place, price, limits, funds, ledger row, bet row; COMMIT + fsync } -> done() ->
 *   announcer thread (Redis: balance cache, event). Only this module and settle move stakes and payouts.
 * Always true: done(CONFIRMED) is called after COMMIT returned; a refused tap left no row; a batch is all or nothing, and when
 *   a commit fails each of its taps is told OUTCOME_UNKNOWN or UNAVAILABLE and the process ends (see store.h on fsync).
 * Placement and price are checked with the clock read inside the transaction, against the newest quote.
 * Bound: queue_max taps between submit and done, and how long the oldest of them waits: beyond, intake_submit refuses (overloaded).
 *   100 ms where more comes than can be done; a second where the writer was held up, and after intake_be_patient (intake_queue.h).
 * Memory: a struct intake_tap belongs to intake from submit to done(). Thread: submit from any; done() on intake's threads,
 *   must not block. */
#ifndef TAP_INTAKE_H
#define TAP_INTAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attr.h"
#include "bet.h"
#include "buf.h"
#include "bus.h"
#include "exposure.h"
#include "grid.h"
#include "ledger.h"
#include "limits.h"
#include "settings.h"
#include "tap.h"
#include "week.h"

enum intake_result {
	INTAKE_CONFIRMED,
	INTAKE_REPLAYED,        /* the first answer again */
	INTAKE_NOT_SIGNER,      /* invalid_signature */
	INTAKE_RATE_LIMITED,    /* retry_after_s */
	INTAKE_REPLAY_DETECTED,
	INTAKE_FEED_STALE,
	INTAKE_BEYOND_GRID,     /* invalid_cell */
	INTAKE_COLUMN_CLOSED,
	INTAKE_QUOTE_CHANGED,   /* rate: the newest */
	INTAKE_BET_EXISTS,      /* bet: the one that is there */
	INTAKE_FORBIDDEN,       /* a cool-off or a self-exclusion: until_ms */
	INTAKE_LIMIT_REACHED,   /* reached: whose */
	INTAKE_CELL_CLOSED,
	INTAKE_SUSPENDED,
	INTAKE_NO_FUNDS,
	INTAKE_OVERLOADED,
	INTAKE_UNAVAILABLE,     /* Redis or the disk is not there: nothing was done */
	INTAKE_UNKNOWN          /* it cannot be told whether it was done */
};
const char *intake_code(enum intake_result r); /* the contract's code; "" for the two that are no refusal */

enum intake_reached {
	INTAKE_REACHED_SERVER = 0, /* 1 .. LIMIT_CAPS_END - 1: the player's own, by enum limit */
	INTAKE_REACHED_KEY = LIMIT_CAPS_END
};

struct intake_tap {
	/* the caller's */
	struct tap tap;
	struct wallet signer;       /* recovered: the wallet itself or perhaps a session key */
	void (*done)(struct intake_tap *t);
	void *u;
	/* intake's answer, valid in done() */
	enum intake_result result;
	struct bet bet;
	struct money balance;       /* as of the first answer, for a replay too */
	struct rate rate;
	int retry_after_s;
	int64_t until_ms;
	enum intake_reached reached;
	bool more;                  /* done() of others follows at once, on this thread: who is woken may be so with the last */
	/* intake's own */
	struct intake_tap *next;
	int64_t queued_us, queued_worked_us;
	int verdict;
};

/* What the door and the writer look at besides the book: given by the daemon, any thread. */
struct intake_market {
	/* Copies the newest grid; false: none was ever heard. */
	bool (*grid)(void *u, struct quote_grid *ret);
	/* Bets may be taken now (feed, override). */
	bool (*betting)(void *u);
	/* Adds the record of what that quote was made from (quote_log); false: it is not known. NULL: it never is. */
	bool (*made)(void *u, int64_t quote_id, struct buf *ret);
	void *u;
};

struct intake;
MUST_CHECK int intake_start(struct intake **ret, const struct settings *s, const struct bus_conf *bus,
		const struct intake_market *market);
/* 0: done() will be called; INTAKE_E_BUSY: it will not, answer overloaded. */
enum { INTAKE_E_BUSY = 1 };
MUST_CHECK int intake_submit(struct intake *in, struct intake_tap *t);
/* For so long after the door was opened: who waited at it while nobody was there comes at once, which is not more than can be done. */
void intake_be_patient(struct intake *in, int ms);
/* A tap was refused a moment ago: who asks first spares himself the signature of the next. Any thread, no lock. */
bool intake_busy(struct intake *in);

/* Other writes of the same process go through the same writer, so that the book has one (logins, withdrawals). fn runs inside
 * a transaction of the book, which it shares with the jobs that waited beside it: 0; a positive result is an answer that has changed
 * nothing; <0 is fatal, and nothing of any of them is done. */
struct intake_job {
	int (*fn)(struct intake_job *j, struct store *db, int64_t now_ms);
	void (*done)(struct intake_job *j, int result); /* after COMMIT, on the writer's thread; <0: unavailable */
	struct intake_job *next;
	int result; /* intake's own */
};
MUST_CHECK int intake_submit_job(struct intake *in, struct intake_job *j);
/* Speaks of a change after its commit: the event (taken over; may be empty for the cache alone) to the wallet. Never blocks; a
 * full queue drops the oldest (players see the gap by seq). */
void intake_announce(struct intake *in, const struct account *a, struct buf *event);

/* Finishes what is queued and stops the threads; whoever still submits is refused. intake_stop drains too, and frees. */
void intake_drain(struct intake *in);
struct intake *intake_stop(struct intake *in);
/* The writer or the door has failed for good (failed commit): the daemon must exit. */
bool intake_failed(const struct intake *in);
/* Each thread has turned lately: for the watchdog. */
bool intake_alive(const struct intake *in, int64_t mono_ms);

struct intake_stats {
	uint64_t taps, confirmed, replayed, refused, batches, announced, announce_dropped;
	int64_t queued, batch_max, oldest_wait_us;
	struct store_stats store;
	int64_t wal_bytes;
	struct money open_exposure;
	bool redis_up, disk_full;
	int64_t last_commit_ms; /* monotonic; 0: none yet */
};
void intake_stats(struct intake *in, struct intake_stats *ret);

/* What the house would pay, as of a fifth of a second ago or so; while nothing is open, nothing. Any thread. */
enum { INTAKE_EXPOSURE_MAX = 4096 };
struct intake_exposure {
	struct money open;
	size_t n, cells; /* of so many cells that hold bets the first n are told */
	struct exposure_cell at[INTAKE_EXPOSURE_MAX];
};
void intake_exposure(struct intake *in, struct intake_exposure *ret);

#endif
