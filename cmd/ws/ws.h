/* ws.h - the players' WebSocket daemon without its main, so that tests can run it.
 * One loop thread owns all connections. Two kinds of threads serve it: the bus subscription, which hears the channels, and a few
 * helpers, which ask Redis what may take a moment (whose session is this, how does the wallet stand). Both hand over by the
 * inbox, which is bounded; the loop itself never waits for Redis.
 * Thread: all calls but ws_health, ws_ready and ws_metrics belong to the loop's thread. */
#ifndef TAP_WS_H
#define TAP_WS_H

#include <stdbool.h>
#include <stdint.h>

#include "attr.h"
#include "bus.h"
#include "ops.h"
#include "settings.h"

struct ws;

/* listen_fd: a passed socket, or -1. Settings and conf are borrowed until ws_close. */
MUST_CHECK int ws_open(struct ws **ret, const struct settings *s, const struct bus_conf *conf, int listen_fd);
MUST_CHECK int ws_turn(struct ws *w, int timeout_ms);
uint16_t ws_port(const struct ws *w);
/* Takes no new player, closes all with 1012 and gives them a moment to hear it: at most 2 s. */
void ws_drain(struct ws *w);
struct ws *ws_close(struct ws *w);

/* Any thread. */
void ws_health(struct ops_health *h, void *u);
bool ws_ready(void *u);
void ws_metrics(struct buf *out, void *u);

/* The daemon's life, for main's table. */
int serve_start(const struct settings *s);
int serve_turn(void);
void serve_stop(void);
void serve_health(struct ops_health *h, void *u);
bool serve_ready(void *u);
void serve_metrics(struct buf *out, void *u);

#endif
