#include "ws.h"

#include <stdatomic.h>
#include <stddef.h>

#include "daemon.h"
#include "err.h"
#include "log.h"

/* The process' one server. The operations port answers before it is there and after it is gone. */
static struct ws *server;
static atomic_bool is_serving;

enum { TURN_MS = 100 };

int serve_start(const struct settings *s)
{
	int r = ws_open(&server, s, daemon_bus(), daemon_socket("public"));
	if (r < 0)
		return log_errno(r, "cannot serve players");
	atomic_store(&is_serving, true);
	log_info("players are served on port %u", (unsigned) ws_port(server));
	return 0;
}

int serve_turn(void)
{
	int r = ws_turn(server, TURN_MS);
	return r < 0 ? log_errno(r, "the loop failed") : 0;
}

void serve_stop(void)
{
	if (!server)
		return;
	ws_drain(server);
	atomic_store(&is_serving, false);
	server = ws_close(server);
}

void serve_health(struct ops_health *h, void *u)
{
	(void) u;
	if (atomic_load(&is_serving))
		ws_health(h, server);
	else
		ops_check(h, "redis", HEALTH_CRITICAL);
}

bool serve_ready(void *u)
{
	(void) u;
	return atomic_load(&is_serving) && ws_ready(server);
}

void serve_metrics(struct buf *out, void *u)
{
	(void) u;
	if (atomic_load(&is_serving))
		ws_metrics(out, server);
}
