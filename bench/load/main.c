/* bench-load - signed bets by many wallets, as fast as they are answered and at a fixed rate; JSON on stdout. Signing and
 * logins are done before each phase and are not in its numbers. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "err.h"
#include "money.h"
#include "players.h"
#include "shots.h"
#include "sig.h"
#include "volley.h"

struct options {
	const char *api;
	size_t connections, bets;
	double rate, seconds;
	int64_t chain_id;
	unsigned threads;
	struct procs procs;
};

static const char usage[] =
	"bench-load --api HOST:PORT [--connections 64] [--bets 40000] [--rate 0 --seconds 10] [--chain-id 1]\n"
	"           [--sign-threads 2] [--process NAME=PID]...\n"
	"Closed loop of --bets over --connections, then, with a --rate, an open loop of so many a second for --seconds.\n"
	"The named processes' CPU time is measured. New wallets need a TAP_WELCOME_CREDIT.\n";

static int parse_options(struct options *o, int argc, char **argv)
{
	static const struct option names[] = {
		{ "api", required_argument, NULL, 'a' }, { "connections", required_argument, NULL, 'c' },
		{ "bets", required_argument, NULL, 'n' }, { "rate", required_argument, NULL, 'r' },
		{ "seconds", required_argument, NULL, 's' }, { "chain-id", required_argument, NULL, 'i' },
		{ "sign-threads", required_argument, NULL, 't' }, { "process", required_argument, NULL, 'p' }, { 0 },
	};
	int c;
	while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
		switch (c) {
		case 'a': o->api = optarg; break;
		case 'c': o->connections = strtoul(optarg, NULL, 10); break;
		case 'n': o->bets = strtoul(optarg, NULL, 10); break;
		case 'r': o->rate = strtod(optarg, NULL); break;
		case 's': o->seconds = strtod(optarg, NULL); break;
		case 'i': o->chain_id = strtoll(optarg, NULL, 10); break;
		case 't': o->threads = (unsigned) strtoul(optarg, NULL, 10); break;
		case 'p':
			if (procs_add(&o->procs, optarg) < 0)
				return -EINVAL;
			break;
		default: return err_say(-EINVAL, "an unknown option");
		}
	}
	if (!o->api || o->connections < 1 || o->connections > 4096 || o->threads < 1 || o->rate < 0 || optind != argc)
		return err_say(-EINVAL, "--api, and --connections of 1 to 4096");
	return 0;
}

/* Fresh wallets, their bets, and the volley: one phase's numbers do not depend on another's. */
static int phase(const struct options *o, const char *name, double rate, size_t bets, double send_s, struct json_out *w)
{
	struct volley_conf conf = { .api = o->api, .connections = o->connections, .rate = rate };
	struct shots_conf signing = { .api = o->api, .chain_id = o->chain_id, .stake_micros = MICROS_PER_USD,
		.send_s = send_s, .threads = o->threads };
	size_t n_players = bets / (SHOTS_A_PLAYER_MAX / 2) + 1;
	struct player *players;
	struct shots shots;
	struct volley v;

	(void) fprintf(stderr, "bench-load: %s: signing in %zu wallets\n", name, n_players);
	int r = players_new(&players, n_players, o->api, 32);
	if (r < 0)
		return err_trace(r);
	(void) fprintf(stderr, "bench-load: %s: signing %zu bets\n", name, bets);
	r = shots_new(&shots, &signing, players, n_players, bets);
	free(players);
	if (r < 0)
		return err_trace(r);
	(void) fprintf(stderr, "bench-load: %s: sending %zu bets on %zu cells\n", name, shots.n, shots.cells);
	r = volley_run(&v, &conf, &shots, &o->procs);
	if (r == 0)
		volley_report(&v, name, &conf, &shots, w);
	volley_free(&v);
	shots_free(&shots);
	return err_trace(r);
}

static int run(const struct options *o, struct buf *out)
{
	/* what the plan assumes of a closed loop; too slow a server gets fewer bets accepted, not a wrong number */
	const double closed_per_second = 4000;
	struct json_out w;
	int r = sig_init();
	jw_begin(&w, out);
	jw_object(&w, NULL);
	if (r == 0 && o->bets > 0)
		r = phase(o, "closed", 0, o->bets, (double) o->bets / closed_per_second, &w);
	if (r == 0 && o->rate > 0)
		r = phase(o, "open", o->rate, (size_t) (o->rate * o->seconds), o->seconds, &w);
	jw_end_object(&w);
	return r;
}

int main(int argc, char **argv)
{
	struct options o = { .connections = 64, .bets = 40000, .seconds = 10, .chain_id = 1, .threads = 2 };
	struct buf out = BUF_INIT(1 << 20);
	if (parse_options(&o, argc, argv) < 0) {
		(void) fprintf(stderr, "%s\n%s", err_text(), usage);
		return 64;
	}
	int r = run(&o, &out);
	if (r < 0)
		(void) fprintf(stderr, "bench-load: %s: %s\n", err_text(), strerror(-r));
	else
		(void) puts(out.p);
	buf_free(&out);
	return r < 0 ? 1 : 0;
}
