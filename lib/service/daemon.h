/* daemon.h - the skeleton that all daemons share: options, configuration, log, signals, the supervisor, the operations port.
 * Service floor; the one module that includes libsystemd.
 * Life: read TAP_* -> (--help, --version, --check-config) -> log -> operations port -> start() -> READY=1 -> turn() again and
 *   again, WATCHDOG=1 while alive() -> SIGTERM or SIGINT -> STOPPING=1 -> stop() -> exit 0.
 * Exit codes are those of sysexits.h: 64 wrong options, 78 wrong configuration (a line for each), 69 a part could not start,
 *   70 a failure inside (systemd starts it again), 0 stopped as asked.
 * SIGTERM, SIGINT and SIGHUP stop; they are blocked in all threads and taken by one that waits for them, so nothing ends with
 *   EINTR. SIGPIPE is ignored. The operations port answers from before start() to before stop(), "critical" and not ready
 *   until start() has ended: the callbacks of .ops run in between only. */
#ifndef TAP_DAEMON_H
#define TAP_DAEMON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "attr.h"
#include "bus.h"
#include "ops.h"
#include "settings.h"

struct daemon_spec {
	const char *name;      /* "api": tap-trading-api */
	const char *summary;   /* one line for --help */
	unsigned who;          /* FOR_API */
	/* What --check-config is to find wrong beyond the settings' own rows: a line each to report; how many. NULL: nothing. */
	int (*check)(const struct settings *s, FILE *report);
	int (*start)(const struct settings *s); /* 0, or <0: exit 69 */
	/* Does what is due and returns after at most 100 ms or so (it waits by itself): 0, or <0: exit 70. NULL: the skeleton waits. */
	int (*turn)(void);
	void (*stop)(void);    /* also after a failed start: stops what was started */
	bool (*alive)(void);   /* for the watchdog; NULL: turning is living */
	struct ops_spec ops;
};

/* Returns the exit code. */
int daemon_main(int argc, char **argv, const struct daemon_spec *spec);

/* A socket that systemd passed by FileDescriptorName= `name` ("public", "ops"), else -1. */
int daemon_socket(const char *name);
/* STATUS= line for the supervisor; printf-like. */
PRINTF_LIKE(1, 2) void daemon_status(const char *fmt, ...);
/* How to reach Redis, valid from start() on. */
const struct bus_conf *daemon_bus(void);
/* SIGTERM was seen: long work ends itself. Any thread. */
bool daemon_stopping(void);

#endif
