#include "ws.h"

#include <pthread.h>
#include <stddef.h>

#include "daemon.h"
#include "log.h"

/* The process' one server. The operations port, on a thread of its own, asks before it is there and after it is gone. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct ws *server;

static void set_server(struct ws *w)
{
	(void) pthread_mutex_lock(&lock);
	server = w;
	(void) pthread_mutex_unlock(&lock);
}

enum { TURN_MS = 100 };

int serve_start(const struct settings *s)
{
	struct ws *w;
	int r = ws_open(&w, s, daemon_bus(), daemon_socket("public"));
	if (r < 0)
		return log_errno(r, "cannot serve players");
	log_info("players are served on port %u", (unsigned) ws_port(w));
	set_server(w);
	return 0;
}

int serve_turn(void)
{
	int r = ws_turn(server, TURN_MS);
	return r < 0 ? log_errno(r, "the loop failed") : 0;
}

void serve_stop(void)
{
	struct ws *w = server;
	if (!w)
		return;
	ws_drain(w);
	set_server(NULL);
	(void) ws_close(w);
}

void serve_health(struct ops_health *h, void *u)
{
	(void) u;
	(void) pthread_mutex_lock(&lock);
	if (server)
		ws_health(h, server);
	else
		ops_check(h, "redis", HEALTH_CRITICAL);
	(void) pthread_mutex_unlock(&lock);
}

bool serve_ready(void *u)
{
	(void) u;
	(void) pthread_mutex_lock(&lock);
	bool ready = server && ws_ready(server);
	(void) pthread_mutex_unlock(&lock);
	return ready;
}

void serve_metrics(struct buf *out, void *u)
{
	(void) u;
	(void) pthread_mutex_lock(&lock);
	if (server)
		ws_metrics(out, server);
	(void) pthread_mutex_unlock(&lock);
}
