/* ops.h - /health, /ready, /metrics, and what a daemon shows beside them, on the operations port. Service floor, on httpd. Metrics are
 * written in Prometheus' text format; units are base ones and stand in the name (_seconds, _bytes, _ratio; amounts of money _dollars,
 * prices _usd), counters end in _total; no wallet is ever a label. Thread: the callbacks run on the server's thread. */
#ifndef TAP_OPS_H
#define TAP_OPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attr.h"
#include "buf.h"
#include "conf.h"
#include "json.h"

enum health { HEALTH_HEALTHY = 0, HEALTH_DEGRADED = 1, HEALTH_CRITICAL = 2 };
const char *health_name(enum health h);

/* One check of /health: its name, how it is, and further members written by the callback into the open object. */
struct ops_health {
	struct json_out w;
	struct buf body;
	enum health worst;
};
void ops_check(struct ops_health *h, const char *name, enum health is);               /* {"status": ...} */
void ops_check_begin(struct ops_health *h, const char *name, enum health is);         /* ... and leaves it open for members */
void ops_check_end(struct ops_health *h);
/* Runs the callback and writes the whole answer to *ret; returns its HTTP status (503 for critical alone). Shared by the
 * public /health. */
unsigned ops_health_write(struct buf *ret, void (*health)(struct ops_health *h, void *u), void *u);

void ops_counter(struct buf *out, const char *name, const char *help, uint64_t v);
void ops_gauge(struct buf *out, const char *name, const char *help, double v);
/* A further sample of the metric above with labels, `venue="coinbase"`. */
void ops_labelled(struct buf *out, const char *name, const char *labels, double v);
void ops_family(struct buf *out, const char *name, const char *help, const char *type); /* HELP and TYPE alone */

/* Seconds in fixed buckets from 0.5 ms to 10 s; lock-free. */
enum { OPS_BUCKETS = 14 };
struct ops_histogram {
	_Atomic uint64_t count[OPS_BUCKETS + 1];
	_Atomic uint64_t sum_us;
};
void ops_observe_us(struct ops_histogram *h, int64_t us);
void ops_histogram(struct buf *out, const char *name, const char *help, struct ops_histogram *h);

/* A further page of one daemon: JSON, written by the callback. */
struct ops_page {
	const char *path;
	void (*write)(struct json_out *w, void *u);
};

struct ops;
struct ops_spec {
	void (*health)(struct ops_health *h, void *u);
	bool (*ready)(void *u);
	void (*metrics)(struct buf *out, void *u);
	struct ops_page page; /* path NULL: none */
	void *u;
};
MUST_CHECK int ops_start(struct ops **ret, const struct conf_listen *at, int listen_fd, const struct ops_spec *spec);
uint16_t ops_port(const struct ops *o); /* also when the kernel chose it */
struct ops *ops_stop(struct ops *o);

#endif
