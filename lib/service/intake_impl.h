/* intake_impl.h - what the files of intake share; nobody else includes it.
 * intake.c starts, stops, queues, by the rule of intake_queue.c; intake_door.c is the trip to Redis; intake_writer.c the
 * transactions; intake_admit.c decides one tap, intake_own.c by what the player and his key set; intake_announce.c speaks after
 * the commit; intake_nonces.c remembers what was decided. */
#ifndef TAP_INTAKE_IMPL_H
#define TAP_INTAKE_IMPL_H

#include <pthread.h>
#include <stdatomic.h>

#include "auth.h"
#include "auth_door.h"
#include "book.h"
#include "exposure.h"
#include "intake.h"
#include "intake_queue.h"
#include "msg.h"
#include "session_keys.h"

enum {
	JOBS_MAX = 4096,             /* jobs that may wait */
	JOBS_PER_TURN = 64,
	BUSY_US = 3000,              /* what is not even looked at after a refusal; nearly all of it would be refused too */
	ANNOUNCE_MAX = 65536,        /* events that wait for Redis */
	ANNOUNCE_BATCH = 512,
	ROOM_MS = 200,               /* distance of two words to ingest about what the house may still take */
	ROOM_LIFE_S = 3,
	NONCE_KEEP_S = 95,           /* longer than Redis keeps one */
	NONCES_MAX = 1 << 21,        /* in each of the two generations */
	IDLE_MS = 500,
	ALIVE_MS = 15000,
	DISK_TIGHT_PERCENT = 95,
	CHECKPOINT_PAGES = 1000,
	CHECKPOINT_BYTES = CHECKPOINT_PAGES * 4096
};

/* A set of 16 byte values that forgets: two generations, the older one dropped each keep_ms. Open addressing under a secret
 * hash, because players choose the nonces. */
struct nonces;
MUST_CHECK int nonces_new(struct nonces **ret, int64_t keep_ms, int64_t mono_ms);
struct nonces *nonces_free(struct nonces *n);
void nonces_turn(struct nonces *n, int64_t mono_ms);
bool nonces_has(const struct nonces *n, const uint8_t v[NONCE_SIZE]);
MUST_CHECK int nonces_add(struct nonces *n, const uint8_t v[NONCE_SIZE]); /* -ENOMEM, -ENOBUFS at the bound */
void nonces_remove(struct nonces *n, const uint8_t v[NONCE_SIZE]);

/* What was read of players' own limits and of session keys. The writer's. */
struct own;
MUST_CHECK int own_new(struct own **ret);
struct own *own_free(struct own *o);
void own_forget(struct own *o); /* after a rollback: what was read then may never be */

struct tap_list {
	struct intake_tap *head, **tail;
	int64_t n;
};

/* One thing to say; made by the writer, spoken by the announcer. */
struct speech {
	struct speech *next;
	enum { SPEECH_CONFIRMED, SPEECH_REFUSED, SPEECH_EVENT, SPEECH_ROOM } kind;
	struct account account;
	struct bet bet;   /* CONFIRMED, REFUSED */
	const char *code; /* REFUSED: a literal */
	struct buf event; /* EVENT, ROOM: its own bytes */
};

struct announcer {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct speech *head, **tail;
	int64_t n;
	uint64_t announced, dropped;
	bool stopping;
	struct bus *bus;
	struct msg_group group;
	struct week *week; /* read-only: for the balance cache */
};

struct batch { /* the writer's, for one transaction */
	struct quote_grid grid;
	bool has_grid, betting;
	struct account *after; /* [batch_max]: of the confirmed ones, by their place in the list */
};

struct intake {
	const struct settings *s;
	struct bus_conf bus_conf;
	struct intake_market market;
	struct grid_rules rules;
	uint8_t boot[16]; /* this process' own mark on the nonces it spends */

	pthread_mutex_t lock;
	pthread_cond_t wake; /* the writer */
	struct tap_list waiting;
	struct intake_job *jobs, **jobs_tail;
	int64_t jobs_n;
	bool stopping;
	uint64_t taps, batches;
	int64_t batch_max_seen;
	struct queue_rule rule;
	_Atomic int64_t busy_until_us; /* monotonic */
	_Atomic int64_t unread;        /* taps that were refused unread, and are not counted by the rule yet */
	_Atomic int64_t inside; /* taps between submit and done */
	_Atomic uint64_t confirmed, replayed, refused;

	atomic_bool failed, redis_up;
	atomic_bool disk_full;  /* a write found no room */
	atomic_bool disk_tight; /* DISK_TIGHT_PERCENT are used: what is left is for settlement and recovery */
	_Atomic int64_t writer_ms, announcer_ms, last_commit_ms; /* monotonic: when each thread turned last */

	/* the writer's own */
	struct week *week;
	struct exposure *exposure;
	int64_t newest_ms;        /* wall: the latest moment at which a tap was looked at */
	struct nonces *decided;   /* nonces of taps that got an answer which spends one */
	struct own *own;
	struct nonces *recalled;  /* users whose recent bets were read from the book since the start */
	int64_t recall_until_ms;  /* monotonic; set before the threads start */
	int64_t housekeeping_ms, meta_ms, over_ms, room_ms;
	struct batch batch;
	int64_t kept_quote_id;    /* the newest that is in the book with what it was made from */
	struct store_stats store; /* a copy for intake_stats, under lock */
	int64_t wal_bytes;
	struct money open_exposure;
	int64_t exposure_ms;
	struct intake_exposure told; /* a copy for intake_exposure, under lock */

	struct bus *door_bus;
	struct auth_door *door;
	struct auth_knock knocks[AUTH_KNOCKS_MAX];
	struct announcer announcer;
	pthread_t writer_thread, announcer_thread;
	int threads;
};

void tap_list_init(struct tap_list *l);
void tap_list_push(struct tap_list *l, struct intake_tap *t);
/* Moves at most max from the front of `from` to the empty *to. */
void tap_list_take(struct tap_list *to, struct tap_list *from, int64_t max);
/* Counts the answer and gives it: the last thing that is done with t. */
void intake_answer(struct intake *in, struct intake_tap *t, enum intake_result result);

/* Leaves those that may go on to the book; the others were answered. */
void intake_pass_door(struct intake *in, struct tap_list *l);
void *intake_writer_run(void *in);
void *intake_announcer_run(void *in);

/* Opens the book, counts the open bets. */
MUST_CHECK int intake_writer_open(struct intake *in);
void intake_writer_close(struct intake *in);

/* Decides one tap in the open transaction: t->result and the answer's members; *after when it is confirmed. <0: roll back. */
MUST_CHECK int intake_admit(struct intake *in, struct store *db, struct intake_tap *t, struct account *after);
/* t->result: CONFIRMED, or FORBIDDEN or LIMIT_REACHED with until_ms or reached; t->bet.signer. <0: roll back. */
MUST_CHECK int own_check(struct intake *in, struct store *db, struct intake_tap *t, struct account *a);
/* Takes back what intake_admit keeps in memory for a tap whose transaction is rolled back. */
void intake_unadmit(struct intake *in, const struct intake_tap *t);

MUST_CHECK int announcer_open(struct intake *in);
void announcer_close(struct intake *in);
struct speeches { /* in the order in which they are said */
	struct speech *head, **tail;
	int64_t n;
	uint64_t lost; /* for which there was no memory */
};
void speeches_init(struct speeches *l);
void speeches_add(struct speeches *l, struct speech *s); /* takes s over; NULL counts as lost */
void announcer_say(struct intake *in, struct speeches *l); /* takes them over; never blocks */
/* NULL: no memory, the event is lost as if Redis were down. */
struct speech *speech_of_room(const struct quote_grid *room);
struct speech *speech_of_tap(const struct intake_tap *t, const struct account *after);

#endif
