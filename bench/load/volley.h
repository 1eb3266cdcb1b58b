/* volley.h - sends signed bets and notes what came back. Closed loop: each connection sends its next bet when the last one
 * was answered. Open loop: bets are due at a fixed rate whatever the answers do, and a bet's latency counts from when it was
 * due, so that a stall is seen by all who would have waited in it. */
#ifndef LOAD_VOLLEY_H
#define LOAD_VOLLEY_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "attr.h"
#include "json.h"
#include "procs.h"
#include "shots.h"

enum { VOLLEY_CODES_MAX = 32, VOLLEY_CODE_SIZE = 32, VOLLEY_SECONDS_MAX = 600 };

struct volley_conf {
	const char *api;
	size_t connections;
	double rate; /* a second; 0: closed loop */
	FILE *told;  /* NULL, or where the body of each acceptance goes, a line each, as soon as it came */
};

struct volley {
	size_t sent, answered, accepted;
	int64_t took_us;
	int64_t own_cpu_us;
	struct procs procs; /* cpu_us: used during the volley */
	uint32_t *latency_us; /* of accepted bets, sorted at the end */
	struct {
		char code[VOLLEY_CODE_SIZE];
		size_t n;
	} codes[VOLLEY_CODES_MAX];
	uint32_t accepted_in[VOLLEY_SECONDS_MAX];
};

/* procs: which processes to watch. */
MUST_CHECK int volley_run(struct volley *ret, const struct volley_conf *conf, const struct shots *shots,
		const struct procs *procs);
void volley_free(struct volley *v);
void volley_report(const struct volley *v, const char *name, const struct volley_conf *conf, const struct shots *shots,
		struct json_out *w);

#endif
