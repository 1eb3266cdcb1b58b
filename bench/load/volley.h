/* volley.h - sends signed bets and notes what came back. Closed loop: each connection sends its next bet when the last one
 * was answered. Open loop: bets are due by a plan whatever the answers do, and a bet's latency counts from when it was due, so
 * that a stall is seen by all who would have waited in it. */
#ifndef LOAD_VOLLEY_H
#define LOAD_VOLLEY_H

#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "attr.h"
#include "http.h"
#include "json.h"
#include "plan.h"
#include "procs.h"
#include "shots.h"

enum { VOLLEY_CODES_MAX = 32, VOLLEY_CODE_SIZE = 32, VOLLEY_SECONDS_MAX = 2 * PLAN_SECONDS_MAX };

struct volley_conf {
	struct http_conf http;
	const struct plan *plan; /* NULL: closed loop */
	int64_t start_ms;        /* wall; not before */
	const volatile sig_atomic_t *ends; /* once it is set nothing more is sent */
	FILE *told;              /* NULL, or where the body of each acceptance goes, a line each, as soon as it came */
};

struct answer {
	uint32_t latency_us;
	uint8_t code;  /* in volley.codes; 0: none came */
};

struct volley {
	struct answer *answers; /* of each shot */
	size_t n, sent, answered, accepted;
	int64_t took_us;
	int64_t own_cpu_us;
	size_t without_retry_after; /* refusals by 429 and 503 that do not say when to come back */
	struct procs procs; /* cpu_us: used during the volley */
	struct {
		char code[VOLLEY_CODE_SIZE];
		unsigned status;
	} codes[VOLLEY_CODES_MAX]; /* from 1 */
	struct {
		uint32_t accepted;
		int64_t resident_kb, descriptors; /* of the first of the processes; 0: not looked at */
	} seconds[VOLLEY_SECONDS_MAX];
};

/* procs: which processes to watch. */
MUST_CHECK int volley_run(struct volley *ret, const struct volley_conf *conf, const struct shots *shots,
		const struct procs *procs);
void volley_free(struct volley *v);
/* One JSON object. */
MUST_CHECK int volley_report(const struct volley *v, const struct volley_conf *conf, const struct shots *shots,
		struct json_out *w);

#endif
