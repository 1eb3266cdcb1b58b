#include "daemon.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "check.h"
#include "clk.h"
#include "daemon_impl.h"
#include "err.h"
#include "log.h"

enum { SOCKETS_MAX = 8, TURN_MS = 100, PASSWORD_SIZE = 256 };

static struct settings settings;
static struct bus_conf bus;
static char password[PASSWORD_SIZE];
static atomic_bool stopping;
static atomic_bool serving; /* start() has ended well: the operations port may ask the daemon's own callbacks */
static int stop_fd = -1;    /* readable once stopping */

static struct {
	char name[64];
	int fd;
} sockets[SOCKETS_MAX];
static size_t n_sockets;

void sockets_collect(void)
{
	char **names = NULL;
	int n = sd_listen_fds_with_names(1, &names);
	for (int i = 0; i < n; i++) {
		if (n_sockets < SOCKETS_MAX) {
			(void) snprintf(sockets[n_sockets].name, sizeof sockets[0].name, "%s", names[i]);
			sockets[n_sockets++].fd = SD_LISTEN_FDS_START + i;
		}
		free(names[i]);
	}
	free(names);
}

int daemon_socket(const char *name)
{
	for (size_t i = 0; i < n_sockets; i++)
		if (strcmp(sockets[i].name, name) == 0)
			return sockets[i].fd;
	return -1;
}

const struct bus_conf *daemon_bus(void)
{
	return &bus;
}

bool daemon_stopping(void)
{
	return atomic_load(&stopping);
}

void daemon_status(const char *fmt, ...)
{
	char text[256];
	va_list ap;
	va_start(ap, fmt);
	(void) vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	(void) sd_notifyf(0, "STATUS=%s", text);
}

static void stop_signals(sigset_t *ret)
{
	(void) sigemptyset(ret);
	(void) sigaddset(ret, SIGTERM);
	(void) sigaddset(ret, SIGINT);
	(void) sigaddset(ret, SIGHUP);
}

/* Signals are blocked everywhere and taken here, so that no read or write anywhere ends with EINTR. */
static void *wait_for_signal(void *unused)
{
	sigset_t set;
	uint64_t one = 1;
	int sig;
	(void) unused;
	stop_signals(&set);
	while (sigwait(&set, &sig) != 0)
		;
	atomic_store(&stopping, true);
	CHECK(write(stop_fd, &one, sizeof one) == sizeof one);
	return NULL;
}

static int catch_signals(void)
{
	pthread_t thread;
	sigset_t set;
	(void) signal(SIGPIPE, SIG_IGN);
	stop_signals(&set);
	(void) pthread_sigmask(SIG_BLOCK, &set, NULL);
	stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (stop_fd < 0)
		return err_say(-errno, "no descriptor for signals");
	int r = -pthread_create(&thread, NULL, wait_for_signal, NULL);
	if (r < 0)
		return err_say(r, "no thread for signals");
	(void) pthread_setname_np(thread, "signals");
	(void) pthread_detach(thread);
	return 0;
}

/* systemd leaves the soft limit low for the sake of select(), which nothing here uses. */
static void raise_file_limit(void)
{
	struct rlimit files;
	if (getrlimit(RLIMIT_NOFILE, &files) < 0)
		return;
	files.rlim_cur = files.rlim_max;
	(void) setrlimit(RLIMIT_NOFILE, &files);
}

static void guarded_health(struct ops_health *h, void *u)
{
	const struct daemon_spec *spec = u;
	if (!atomic_load(&serving))
		h->worst = HEALTH_CRITICAL;
	else if (spec->ops.health)
		spec->ops.health(h, spec->ops.u);
}

static bool guarded_ready(void *u)
{
	const struct daemon_spec *spec = u;
	if (!atomic_load(&serving) || daemon_stopping())
		return false;
	return !spec->ops.ready || spec->ops.ready(spec->ops.u);
}

static void guarded_metrics(struct buf *out, void *u)
{
	const struct daemon_spec *spec = u;
	if (atomic_load(&serving) && spec->ops.metrics)
		spec->ops.metrics(out, spec->ops.u);
}

static void guarded_page(struct json_out *w, void *u)
{
	const struct daemon_spec *spec = u;
	if (atomic_load(&serving)) {
		spec->ops.page.write(w, spec->ops.u);
		return;
	}
	jw_object(w, NULL);
	jw_end_object(w);
}

static const struct conf_listen *ops_address(unsigned who)
{
	switch (who) {
	case FOR_API:
		return &settings.api_ops;
	case FOR_WS:
		return &settings.ws_ops;
	case FOR_INGEST:
		return &settings.ingest_ops;
	case FOR_RESOLVER:
		return &settings.resolver_ops;
	default:
		CHECK(who == FOR_ARCHIVER);
		return &settings.archiver_ops;
	}
}

static int start_ops(struct ops **ret, const struct daemon_spec *spec)
{
	const struct ops_spec guarded = { .health = guarded_health, .ready = guarded_ready, .metrics = guarded_metrics,
		.page = { spec->ops.page.path, guarded_page },
		.u = (void *) (uintptr_t) spec };
	return ops_start(ret, ops_address(spec->who), daemon_socket("ops"), &guarded);
}

static void feed_watchdog(const struct daemon_spec *spec, int64_t every_us, int64_t *last_us)
{
	int64_t now_us = clk_mono_us();
	if (every_us == 0 || now_us - *last_us < every_us || (spec->alive && !spec->alive()))
		return;
	(void) sd_notify(0, "WATCHDOG=1");
	*last_us = now_us;
}

/* A quarter of the limit, so that one turn of the daemon's fits in between and still half of it is kept. */
static int64_t watchdog_interval_us(void)
{
	uint64_t limit_us = 0;
	return sd_watchdog_enabled(0, &limit_us) > 0 ? (int64_t) (limit_us / 4) : 0;
}

static int turn_until_stopped(const struct daemon_spec *spec)
{
	int64_t every_us = watchdog_interval_us(), last_us = 0;
	int wait_ms = every_us && every_us / 1000 < TURN_MS ? (int) (every_us / 1000) : TURN_MS;
	while (!daemon_stopping()) {
		if (spec->turn) {
			int r = spec->turn();
			if (r < 0)
				return err_trace(r);
		} else {
			struct pollfd p = { .fd = stop_fd, .events = POLLIN };
			(void) poll(&p, 1, wait_ms);
		}
		feed_watchdog(spec, every_us, &last_us);
	}
	return 0;
}

static int serve(const struct daemon_spec *spec, struct ops **ops)
{
	int r = catch_signals();
	if (r == 0)
		r = start_ops(ops, spec);
	if (r == 0)
		r = spec->start(&settings);
	if (r < 0) {
		(void) log_errno(r, "cannot start");
		return EX_UNAVAILABLE;
	}
	atomic_store(&serving, true);
	(void) sd_notify(0, "READY=1");
	log_notice("started, version %s", TAP_RELEASE);
	r = turn_until_stopped(spec);
	if (r < 0)
		(void) log_errno(r, "cannot go on");
	return r < 0 ? EX_SOFTWARE : EX_OK;
}

int daemon_main(int argc, char **argv, const struct daemon_spec *spec)
{
	enum log_level level = LOG_LEVEL_INFO;
	struct ops *ops = NULL;
	enum cli what = cli_parse(argc, argv, spec);
	if (what == CLI_DONE || what == CLI_WRONG)
		return what == CLI_DONE ? EX_OK : EX_USAGE;
	if (config_load(&settings, &bus, password, sizeof password, &level) > 0)
		return EX_CONFIG;
	if (what == CLI_CHECK)
		return spec->check && spec->check(&settings, stderr) > 0 ? EX_CONFIG : EX_OK;
	log_init(spec->name, level);
	journal_use();
	raise_file_limit();
	sockets_collect();
	int code = serve(spec, &ops);
	(void) sd_notify(0, "STOPPING=1");
	(void) ops_stop(ops); /* first: its callbacks look into what stop() takes down */
	if (spec->stop)
		spec->stop();
	log_notice("stopped, exit code %d", code);
	return code;
}
