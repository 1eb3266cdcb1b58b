/* httpd_impl.h - what the files of httpd share: the server's loops, connections and requests. */
#ifndef TAP_HTTPD_IMPL_H
#define TAP_HTTPD_IMPL_H

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>

#include "httpd.h"
#include "httpd_parse.h"
#include "ulid.h"

enum {
	HTTPD_HEADERS_MAX_BYTES = 8192,
	HTTPD_POOL_BYTES = 16384,   /* the library's memory of a connection: the header block and its index */
	HTTPD_SPARE = 1024,         /* connections beyond the limit that are told so instead of waiting unheard */
	HTTPD_DRAIN_MAX = 1 << 20,  /* of a refused body that is read, so that the client gets to see the answer */
	HTTPD_IDLE_MS = 75000,      /* between requests; longer than nginx keeps its side (60 s) */
	HTTPD_SEND_MS = 60000,      /* for a reader of the answer */
	HTTPD_OVER_MS = 1000,       /* for a connection beyond the limit */
	HTTPD_SWEEP_MS = 100,
	HTTPD_LOOK_SWEEPS = 5,      /* idle connections are looked at each so many sweeps */
	HTTPD_TURN_MS = 15,         /* a turn of the loop that is so old and */
	HTTPD_TURN_REQUESTS = 128,  /* has begun so many sheds the rest: a loop that only waited for a CPU catches up first */
	HTTPD_STOP_MS = 2000,
	HTTPD_LINGER_MS = 50,       /* after the last request, before a stopping loop closes idle connections */
	HTTPD_SET_HEADERS = 4,
	HTTPD_HEADER_VALUE_MAX = 160
};

enum phase {
	PHASE_RECEIVING, /* a request is expected or coming in: the request's deadline */
	PHASE_IDLE,      /* between two requests */
	PHASE_HANDLING,  /* the handler's time, without a limit here */
	PHASE_SENDING,
	PHASE_CUT        /* shut down: the library is about to notice */
};

/* A TCP connection. Touched by its loop's thread alone. */
struct conn {
	struct conn *prev, *next;
	int64_t since_ms; /* when the phase began */
	uint64_t bytes;   /* received when it was last seen idle; 0: not looked at yet */
	int fd;
	enum phase phase;
	bool over;
};

/* One thread, one instance of the library with an epoll set that we wait on ourselves: the library's own loop blocks when
 * exactly a full set of events (128) is ready, and a loop of our own can look after deadlines without locks. */
struct loop {
	struct httpd *h;
	struct MHD_Daemon *mhd;
	struct conn *conns;
	_Atomic(struct httpd_req *) replied; /* by other threads, to be resumed by this one */
	unsigned sweeps;
	int64_t last_request_ms;
	int64_t next_sweep_ms;
	int64_t turn_ms;     /* when this turn began */
	unsigned turn_begun; /* its requests */
	int epoll_fd, wake_fd, listen_fd;
	pthread_t thread;
	bool quiesced;
};

enum wanted { WANT_RUN, WANT_QUIESCE, WANT_STOP };

struct httpd {
	const struct httpd_route *routes;
	void *ctx;
	int deadline_ms;
	uint16_t port;
	unsigned n_loops; /* whose threads run */
	_Atomic int wanted;
	_Atomic uint64_t unrung; /* loops, a bit each, to which somebody replied who has more, and has not woken them yet */
	int64_t sheds_from_ms; /* monotonic; INT64_MAX: never */
	_Atomic uint64_t requests, connections, refused_busy, refused_late, by_status[6];
	struct loop loops[HTTPD_THREADS_MAX];
};

enum req_state {
	REQ_OPEN,    /* nobody waits: the loop's thread is in the handler, or before it */
	REQ_WAITING, /* the connection is suspended: who replies puts the request on its loop's list */
	REQ_REPLIED
};

struct httpd_req {
	struct loop *loop;
	struct conn *conn;
	struct MHD_Connection *mhd;
	_Atomic int state;
	bool begun;      /* the header block was looked at */
	bool must_close;
	bool target_ok;
	bool more; /* replies follow, and the last of them wakes the loops */
	struct httpd_req *next; /* in the loop's list of the replied */
	enum problem refused;
	unsigned refused_status; /* 0: the problem's own */
	const char *refused_detail;
	const struct httpd_route *route;
	const char *method;
	size_t received; /* body bytes, dropped ones included */
	struct buf body;
	int64_t started_us;
	struct MHD_Response *response; /* NULL with REQ_REPLIED: no memory */
	unsigned status;
	unsigned n_set;
	struct {
		char name[32], value[HTTPD_HEADER_VALUE_MAX];
	} set[HTTPD_SET_HEADERS];
	char id[ULID_TEXT_SIZE];
	char param[HTTPD_PARAM_MAX];
	char allow[ALLOW_TEXT_SIZE];
	struct target target;
	char text[]; /* the target, cut up */
};

/* httpd_conn.c */
struct conn *conn_of(struct MHD_Connection *mhd);
void conn_enter(struct conn *c, enum phase phase);
void conn_notify(void *cls, struct MHD_Connection *mhd, void **ctx, enum MHD_ConnectionNotificationCode what);
void conns_sweep(struct loop *l, int64_t now_ms);
void conns_dismiss(struct loop *l); /* closes those that wait for a request: who quiesces */
bool conns_busy(const struct loop *l); /* a request is being received, handled or answered */

/* httpd_req.c: the library's callbacks */
void *req_line(void *cls, const char *target, struct MHD_Connection *mhd);
enum MHD_Result req_turn(void *cls, struct MHD_Connection *mhd, const char *url, const char *method, const char *version,
		const char *upload, size_t *n, void **ctx);
void req_done(void *cls, struct MHD_Connection *mhd, void **ctx, enum MHD_RequestTerminationCode how);

/* httpd_reply.c */
void replied_resume(struct loop *l);
void reply_refused(struct httpd_req *req);
enum MHD_Result reply_send(struct httpd_req *req);

#endif
