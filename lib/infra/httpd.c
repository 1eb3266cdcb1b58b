#include "httpd.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"
#include "clk.h"
#include "err.h"
#include "httpd_impl.h"
#include "thread.h"

enum { BACKLOG = 4096, DRAIN_LOOK_MS = 5 };

NORETURN static void panic(void *cls, const char *file, unsigned line, const char *reason)
{
	(void) cls;
	check_failed(reason ? reason : "libmicrohttpd", file, (int) line);
}

/* The library is to leave escapes alone: targets are decoded by httpd_parse, after they were cut. */
static size_t unescape_nothing(void *cls, struct MHD_Connection *mhd, char *text)
{
	(void) cls;
	(void) mhd;
	return strlen(text);
}

static int open_listener(const char *host, uint16_t port)
{
	struct addrinfo hints = { .ai_flags = AI_PASSIVE | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM }, *found;
	char name[80], service[8];
	size_t n = strlen(host);
	bool bracketed = n > 2 && host[0] == '[' && host[n - 1] == ']';
	(void) snprintf(name, sizeof name, "%.*s", (int) (bracketed ? n - 2 : n), host + bracketed);
	(void) snprintf(service, sizeof service, "%u", port);
	int r = getaddrinfo(name, service, &hints, &found);
	if (r != 0)
		return err_say(-EADDRNOTAVAIL, "httpd: %s: %s", host, gai_strerror(r));
	int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;
	r = fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
					bind(fd, found->ai_addr, found->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0
			? -errno
			: 0;
	freeaddrinfo(found);
	if (r == 0)
		return fd;
	if (fd >= 0)
		(void) close(fd);
	return err_say(r, "httpd: cannot listen on %s:%u", host, port);
}

static int port_of(int fd, uint16_t *ret)
{
	struct sockaddr_storage at;
	socklen_t n = sizeof at;
	char service[8];
	if (getsockname(fd, (struct sockaddr *) &at, &n) < 0)
		return err_say(-errno, "httpd: the listening socket has no name");
	if (getnameinfo((struct sockaddr *) &at, n, NULL, 0, service, sizeof service, NI_NUMERICSERV) != 0)
		return err_say(-EAFNOSUPPORT, "httpd: the listening socket has no port");
	*ret = (uint16_t) strtoul(service, NULL, 10);
	return 0;
}

static void wait_for_events(struct loop *l)
{
	MHD_UNSIGNED_LONG_LONG ms;
	struct pollfd fds[] = { { .fd = l->epoll_fd, .events = POLLIN }, { .fd = l->wake_fd, .events = POLLIN } };
	uint64_t count;
	int timeout = HTTPD_SWEEP_MS;
	if (MHD_get_timeout(l->mhd, &ms) == MHD_YES && ms < HTTPD_SWEEP_MS)
		timeout = (int) ms;
	if (timeout > 0 && atomic_load(&l->h->wanted) != WANT_RUN)
		timeout = HTTPD_LINGER_MS / 5;
	(void) poll(fds, 2, timeout);
	if (fds[1].revents && read(l->wake_fd, &count, sizeof count) < 0)
		CHECK(errno == EAGAIN || errno == EINTR);
}

static void quiesce_once(struct loop *l)
{
	if (l->quiesced || atomic_load(&l->h->wanted) == WANT_RUN)
		return;
	(void) MHD_quiesce_daemon(l->mhd);
	l->quiesced = true;
}

/* Answers go out whole, and a request that is just arriving on an open connection is told that the service stops. */
static bool may_end(const struct loop *l, int64_t *asked_ms, int64_t now_ms)
{
	if (atomic_load(&l->h->wanted) != WANT_STOP)
		return false;
	if (*asked_ms == 0)
		*asked_ms = now_ms;
	if (now_ms - *asked_ms > HTTPD_STOP_MS)
		return true;
	return !conns_busy(l) && now_ms - *asked_ms >= HTTPD_LINGER_MS && now_ms - l->last_request_ms >= HTTPD_LINGER_MS;
}

static void check_all_replied(const struct loop *l)
{
	for (const struct conn *c = l->conns; c; c = c->next)
		CHECK(c->phase != PHASE_HANDLING); /* the caller promised */
}

static void *loop_main(void *arg)
{
	struct loop *l = arg;
	int64_t asked_ms = 0, now_ms;
	do {
		wait_for_events(l);
		quiesce_once(l);
		replied_resume(l);
		l->turn_ms = clk_mono_ms();
		l->turn_begun = 0;
		if (MHD_run(l->mhd) != MHD_YES)
			(void) poll(NULL, 0, 10); /* no kernel memory: not in a hot loop */
		now_ms = clk_mono_ms();
		conns_sweep(l, now_ms);
		if (l->quiesced)
			conns_dismiss(l);
	} while (!may_end(l, &asked_ms, now_ms));
	check_all_replied(l);
	MHD_stop_daemon(l->mhd);
	return NULL;
}

static int loop_open(struct loop *l, struct httpd *h, int listen_fd, unsigned n_loops)
{
	l->h = h;
	l->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	l->listen_fd = fcntl(listen_fd, F_DUPFD_CLOEXEC, 0);
	if (l->wake_fd < 0 || l->listen_fd < 0)
		return err_say(-errno, "httpd: no more descriptors");
	l->mhd = MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_ITC | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, req_turn, l,
			MHD_OPTION_LISTEN_SOCKET, l->listen_fd,
			MHD_OPTION_CONNECTION_LIMIT, (HTTPD_CONNECTIONS_MAX + HTTPD_SPARE) / n_loops,
			MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t) HTTPD_POOL_BYTES,
			MHD_OPTION_CONNECTION_TIMEOUT, 0u,
			MHD_OPTION_URI_LOG_CALLBACK, req_line, l,
			MHD_OPTION_UNESCAPE_CALLBACK, unescape_nothing, NULL,
			MHD_OPTION_NOTIFY_COMPLETED, req_done, l,
			MHD_OPTION_NOTIFY_CONNECTION, conn_notify, l,
			MHD_OPTION_END);
	if (!l->mhd) {
		l->listen_fd = -1; /* the library closed it, or did not: a second close might hit another's */
		return err_say(-ENOMEM, "httpd: libmicrohttpd does not start");
	}
	l->epoll_fd = MHD_get_daemon_info(l->mhd, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
	return 0;
}

static int loop_start(struct loop *l)
{
	int r = thread_start(&l->thread, loop_main, l);
	if (r < 0) {
		(void) MHD_quiesce_daemon(l->mhd); /* leaves the listening descriptor to us */
		MHD_stop_daemon(l->mhd);
		return err_say(r, "httpd: no thread");
	}
	(void) pthread_setname_np(l->thread, "httpd");
	return 0;
}

/* The descriptors alone: the library's instance ends with its thread. */
static void loop_close(struct loop *l)
{
	if (l->wake_fd >= 0)
		(void) close(l->wake_fd);
	if (l->listen_fd >= 0)
		(void) close(l->listen_fd);
}

static void wake_all(struct httpd *h)
{
	uint64_t one = 1;
	for (unsigned i = 0; i < h->n_loops; i++)
		if (write(h->loops[i].wake_fd, &one, sizeof one) < 0)
			CHECK(errno == EAGAIN); /* full: it is awake */
}

static void want(struct httpd *h, enum wanted what)
{
	if (atomic_load(&h->wanted) >= (int) what)
		return;
	atomic_store(&h->wanted, what);
	wake_all(h);
}

static int start_loops(struct httpd *h, int listen_fd, unsigned threads)
{
	for (unsigned i = 0; i < threads; i++) {
		struct loop *l = &h->loops[i];
		int r = loop_open(l, h, listen_fd, threads);
		if (r == 0)
			r = loop_start(l);
		if (r < 0) {
			loop_close(l);
			return r;
		}
		h->n_loops++;
	}
	return 0;
}

int httpd_start(struct httpd **ret, const struct httpd_conf *conf)
{
	CHECK(conf->threads >= 1 && conf->threads <= HTTPD_THREADS_MAX && conf->request_deadline_ms > 0);
	MHD_set_panic_func(panic, NULL);
	struct httpd *h = calloc(1, sizeof *h);
	if (!h)
		return err_say(-ENOMEM, "httpd: no memory");
	h->routes = conf->routes;
	h->ctx = conf->ctx;
	h->deadline_ms = conf->request_deadline_ms;
	h->sheds_from_ms = conf->sheds ? clk_mono_ms() + conf->sheds_after_ms : INT64_MAX;
	int fd = conf->listen_fd >= 0 ? fcntl(conf->listen_fd, F_DUPFD_CLOEXEC, 0) : open_listener(conf->host, conf->port);
	int r = fd < 0 ? (conf->listen_fd >= 0 ? err_say(-errno, "httpd: the passed socket is none") : fd) : 0;
	/* All loops accept from it: one that comes too late must not block. */
	if (r == 0 && fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0)
		r = err_say(-errno, "httpd: the listening socket");
	if (r == 0)
		r = port_of(fd, &h->port);
	if (r == 0)
		r = start_loops(h, fd, conf->threads);
	if (fd >= 0)
		(void) close(fd);
	if (r < 0) {
		(void) httpd_stop(h);
		return err_trace(r);
	}
	*ret = h;
	return 0;
}

uint16_t httpd_port(const struct httpd *h)
{
	return h->port;
}

void httpd_quiesce(struct httpd *h)
{
	want(h, WANT_QUIESCE);
}

bool httpd_drain(struct httpd *h, int timeout_ms)
{
	int64_t until_ms = clk_mono_ms() + timeout_ms;
	httpd_quiesce(h);
	while (atomic_load(&h->connections) > 0 && clk_mono_ms() < until_ms)
		(void) clk_sleep_until_ms(clk_mono_ms() + DRAIN_LOOK_MS);
	return atomic_load(&h->connections) == 0;
}

struct httpd *httpd_stop(struct httpd *h)
{
	if (!h)
		return NULL;
	want(h, WANT_STOP);
	for (unsigned i = 0; i < h->n_loops; i++) {
		CHECK(pthread_join(h->loops[i].thread, NULL) == 0);
		loop_close(&h->loops[i]);
	}
	free(h);
	return NULL;
}

void httpd_stats(const struct httpd *h, struct httpd_stats *ret)
{
	*ret = (struct httpd_stats){ .requests = atomic_load(&h->requests), .connections = atomic_load(&h->connections),
		.refused_busy = atomic_load(&h->refused_busy), .refused_late = atomic_load(&h->refused_late) };
	for (size_t i = 0; i < ARRAY_LEN(ret->by_status); i++)
		ret->by_status[i] = atomic_load(&h->by_status[i]);
}
