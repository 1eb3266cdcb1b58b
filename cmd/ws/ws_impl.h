/* ws_impl.h - what the files of the ws daemon share. */
#ifndef TAP_WS_IMPL_H
#define TAP_WS_IMPL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>

#include "auth.h"
#include "breaker.h"
#include "buf.h"
#include "hash.h"
#include "msg.h"
#include "ops.h"
#include "wallet.h"
#include "ws.h"
#include "wsock.h"

enum {
	WS_MESSAGE_MAX = 4096,
	WS_PING_MS = 20000,
	WS_IDLE_MS = 40000,
	WS_FRAMES_A_SECOND = 20,  /* of a player: more ends the connection */
	WS_OWN_MAX = 64,          /* frames for one player that wait to be sent */
	WS_REORDER_MS = 500,      /* an event that is ahead of its turn waits as long for those before it */
	WS_REORDER_MAX = 64,
	WS_AUTH_MS = 2000,        /* Redis may take as long to say who somebody is */
	WS_HELPERS = 2,
	WS_JOBS_MAX = 8192,
	WS_INBOX_MAX = 16384,     /* items; a job's answer always has a place */
	WS_TIMER_MS = 50,
	WS_DRAIN_MS = 1800
};

enum ws_close {
	WS_CLOSE_POLICY = 1008,
	WS_CLOSE_RESTART = 1012,
	WS_CLOSE_LATER = 1013,
	WS_CLOSE_SESSION = 4401
};

/* --- the inbox: what other threads tell the loop --- */

enum item_kind {
	ITEM_EVENT,  /* text: for the wallet's players */
	ITEM_ADDED,  /* the wallet's channel is listened to */
	ITEM_STATUS, /* text: the feed as ingest sees it, from KEY_STATUS */
	ITEM_WHO,    /* a session was looked up */
	ITEM_STAND   /* a wallet's seq and balance were read, and its session again */
};

enum answer { ANSWER_YES, ANSWER_NO, ANSWER_LATE };

struct item {
	struct item *next;
	enum item_kind kind;
	struct wallet wallet;
	int64_t seq;              /* EVENT (0: none), STAND */
	struct money balance;     /* STAND */
	enum answer answer;       /* WHO, STAND */
	uint64_t player;          /* WHO, STAND */
	unsigned serial;
	struct hash token_hash;
	int64_t expires_ms;
	size_t n;
	char text[];
};

struct inbox {
	pthread_mutex_t lock;
	struct item *head, **tail;
	size_t n;
	/* of these only the newest counts */
	struct buf price, grid, status;
	bool has_price, has_grid, has_status;
};

/* --- jobs for the helpers --- */

enum job_kind { JOB_WHO, JOB_STAND, JOB_STATUS };

struct job {
	struct job *next;
	enum job_kind kind;
	uint64_t player;
	unsigned serial;
	struct wallet wallet;
	int64_t deadline_ms;
	char token[AUTH_TOKEN_SIZE];
};

struct helpers {
	pthread_mutex_t lock;
	pthread_cond_t some;
	struct job *head, **tail;
	size_t n;
	bool stop;
	pthread_t threads[WS_HELPERS];
	int n_threads;
};

/* --- players --- */

enum player_state {
	PLAYER_GUEST,
	PLAYER_CHECKED, /* the session is good; the wallet's channel is not listened to yet */
	PLAYER_ASKED,   /* it is; how the wallet stands is being read */
	PLAYER_IN
};

struct own_frame {
	struct wsock_frame *frame;
	int64_t seq;              /* 0: none */
};

struct wallet_entry;

struct player {
	struct ws *ws;
	struct wsock_conn *conn;
	uint64_t id;              /* slot and generation: an answer for a player that left finds nobody */
	struct player *prev, *next;               /* all players */
	struct player *wallet_prev, *wallet_next; /* those of one wallet */
	struct wallet_entry *wallet;
	enum player_state state;
	unsigned serial;          /* of the newest auth frame */
	int64_t auth_deadline_ms; /* 0: none is being looked at */
	bool is_looked_up;        /* its session is being asked for */
	int64_t base_seq;         /* auth:ok said so: events up to it are in there */
	struct hash token_hash;
	char token[AUTH_TOKEN_SIZE];
	int64_t expires_ms;       /* wall */
	struct own_frame own[WS_OWN_MAX];
	unsigned own_first, own_n;
	struct own_frame *held;   /* WS_REORDER_MAX: events heard while how the wallet stands is being read */
	unsigned held_n;
	uint64_t price_seen, grid_seen, status_seen; /* numbers of the newest that were sent */
	int64_t heard_ms[WS_FRAMES_A_SECOND];     /* ring */
	unsigned heard_at;
	bool is_closing;
};

/* --- wallets that somebody here is signed in with --- */

struct wallet_entry {
	struct wallet_entry *next; /* in its slot */
	struct wallet_entry *late_prev, *late_next; /* those with waiting events */
	struct wallet wallet;
	struct player *players;
	bool has_seq;
	int64_t seq;              /* delivered up to */
	struct own_frame waiting[WS_REORDER_MAX]; /* by rising seq */
	unsigned n_waiting;
	int64_t waiting_until_ms; /* 0: nothing waits */
};

enum { WS_WALLET_SLOTS = 4096, WS_ADDRESS_SLOTS = 4096 };

struct address {
	struct address *next;
	unsigned n;
	char ip[46];
};

/* A public frame and its number; players that sent a lower number want it. */
struct board {
	struct wsock_frame *frame;
	uint64_t number;
};

struct ws_counts {
	_Atomic uint64_t connections, signed_in, opened, refused_origin, refused_address;
	_Atomic uint64_t frames_in, frames_out, events_out, events_lost, gaps;
	_Atomic uint64_t closed[9]; /* by close_codes in gauges.c */
	struct ops_histogram lag;
};

struct ws {
	const struct settings *settings;
	struct bus_conf bus_conf;
	struct wsock_loop *loop;
	struct bus_sub *sub;
	struct inbox inbox;
	struct helpers helpers;
	atomic_bool redis_up;

	struct player *players;
	struct player **slots;    /* by the low half of an id */
	uint32_t *free_slots;
	uint32_t n_slots, n_free;
	uint32_t generation;
	struct wallet_entry *wallets[WS_WALLET_SLOTS];
	struct wallet_entry *late;
	struct address *addresses[WS_ADDRESS_SLOTS];

	struct board price, grid, status;
	struct breaker breaker;   /* over the ticks heard here */
	bool has_reported;        /* what ingest says of itself */
	enum feed_state reported_feed;
	bool reported_betting;
	int64_t reported_mono_ms;
	enum feed_state shown_feed;
	bool shown_betting;
	atomic_bool is_draining;
	struct ws_counts counts;
};

/* inbox.c: the subscription's callbacks are in it */
void inbox_init(struct inbox *in);
void inbox_free(struct inbox *in);
void inbox_put(struct ws *w, struct item *item, bool must);
struct item *inbox_take(struct inbox *in);
struct item *item_new(enum item_kind kind, const char *text, size_t n);
extern const struct bus_sub_ops inbox_sub_ops;

/* helpers.c */
MUST_CHECK int helpers_start(struct ws *w);
void helpers_stop(struct ws *w);
bool helpers_ask(struct ws *w, const struct job *job); /* false: too much is waiting */

/* player.c */
extern const struct wsock_ops player_ops;
void player_send(struct player *p, struct wsock_frame *frame, int64_t seq); /* takes the reference over */
void player_send_text(struct player *p, const struct buf *text);
void player_close(struct player *p, unsigned code, const char *why);
struct player *player_find(struct ws *w, uint64_t id);
void player_on_who(struct ws *w, const struct item *item);
void player_on_stand(struct ws *w, const struct item *item);
void players_timer(struct ws *w, int64_t mono_ms, int64_t wall_ms);

/* wallets.c */
bool wallet_join(struct player *p, const struct wallet *wallet); /* false: no memory */
void wallet_leave(struct player *p);
void wallet_on_added(struct ws *w, const struct wallet *wallet);
void wallet_on_event(struct ws *w, const struct item *item);
void wallet_start_at(struct wallet_entry *e, int64_t seq);
void wallets_timer(struct ws *w, int64_t mono_ms);

/* board.c */
void board_price(struct ws *w, const struct buf *text);
void board_grid(struct ws *w, const struct buf *text);
void board_reported(struct ws *w, const char *text, size_t n);
void board_timer(struct ws *w, int64_t mono_ms);
void board_free(struct ws *w);

/* addresses.c */
bool address_full(const struct ws *w, const char *ip);
void address_add(struct ws *w, const char *ip);
void address_remove(struct ws *w, const char *ip);
void addresses_free(struct ws *w);

/* gauges.c */
void count_close(struct ws *w, unsigned code);

#endif
