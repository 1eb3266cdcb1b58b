/* bench-load - signed bets by many wallets, as fast as they are answered and at a fixed rate; JSON on stdout. Signing
 * and logins are done before each phase and are not in its numbers. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "err.h"
#include "http.h"
#include "money.h"
#include "players.h"
#include "shots.h"
#include "sig.h"
#include "volley.h"

struct options {
	const char *api;
	FILE *told;
	size_t connections, bets;
	double rate, share, seconds;
	int64_t chain_id;
	unsigned threads;
	struct procs procs;
};

static const char usage[] =
	"bench-load --api HOST:PORT [--connections 64] [--bets 40000] [--rate R | --open-share S] [--seconds 10]\n"
	"           [--chain-id 1] [--sign-threads 2] [--told FILE] [--process NAME=PID]...\n"
	"Closed loop of --bets over --connections; then, if asked for, an open loop for --seconds: of R bets a\n"
	"second, or of the share S of what the closed loop reached.\n"
	"FILE gets the body of each acceptance, a line each. A server that is killed and started again is waited for.\n"
	"The named processes' CPU time is measured. New wallets need a TAP_WELCOME_CREDIT.\n";

static int parse_options(struct options *o, int argc, char **argv)
{
	static const struct option names[] = {
		{ "api", required_argument, NULL, 'a' }, { "connections", required_argument, NULL, 'c' },
		{ "bets", required_argument, NULL, 'n' }, { "rate", required_argument, NULL, 'r' },
		{ "open-share", required_argument, NULL, 'o' },
		{ "seconds", required_argument, NULL, 's' }, { "chain-id", required_argument, NULL, 'i' },
		{ "told", required_argument, NULL, 'l' }, { "sign-threads", required_argument, NULL, 't' }, { "process", required_argument, NULL, 'p' }, { 0 },
	};
	int c;
	while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
		switch (c) {
		case 'a': o->api = optarg; break;
		case 'c': o->connections = strtoul(optarg, NULL, 10); break;
		case 'n': o->bets = strtoul(optarg, NULL, 10); break;
		case 'r': o->rate = strtod(optarg, NULL); break;
		case 'o': o->share = strtod(optarg, NULL); break;
		case 's': o->seconds = strtod(optarg, NULL); break;
		case 'i': o->chain_id = strtoll(optarg, NULL, 10); break;
		case 't': o->threads = (unsigned) strtoul(optarg, NULL, 10); break;
		case 'l':
			o->told = fopen(optarg, "ae");
			if (!o->told)
				return err_say(-errno, "%s: %s", optarg, strerror(errno));
			break;
		case 'p':
			if (procs_add(&o->procs, optarg) < 0)
				return -EINVAL;
			break;
		default: return err_say(-EINVAL, "an unknown option");
		}
	}
	if (!o->api || o->connections < 1 || o->connections > HTTP_CONNECTIONS_MAX || o->threads < 1 || o->rate < 0 ||
			o->share < 0 || optind != argc)
		return err_say(-EINVAL, "--api, and --connections of 1 to 4096");
	return 0;
}

/* Fresh wallets, their bets, and the volley: one phase's numbers do not depend on another's. */
static int phase(const struct options *o, const char *name, double rate, size_t bets, double send_s, struct json_out *w,
		double *ret_per_second)
{
	struct volley_conf conf = { .api = o->api, .connections = o->connections, .rate = rate, .told = o->told };
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
	if (r == 0) {
		volley_report(&v, name, &conf, &shots, w);
		*ret_per_second = (double) v.accepted * 1e6 / (double) v.took_us;
	}
	volley_free(&v);
	shots_free(&shots);
	return err_trace(r);
}

static int run(const struct options *o, struct buf *out)
{
	/* what the plan assumes of a closed loop; too slow a server gets fewer bets accepted, not a wrong number */
	const double closed_per_second = 4000;
	struct json_out w;
	double reached = 0, unused;
	int r = sig_init();
	jw_begin(&w, out);
	jw_object(&w, NULL);
	if (r == 0 && o->bets > 0)
		r = phase(o, "closed", 0, o->bets, (double) o->bets / closed_per_second, &w, &reached);
	double rate = o->rate > 0 ? o->rate : o->share * reached;
	if (r == 0 && rate > 0)
		r = phase(o, "open", rate, (size_t) (rate * o->seconds), o->seconds, &w, &unused);
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
	if (o.told && fclose(o.told) != 0) {
		(void) fprintf(stderr, "bench-load: --told: %s\n", strerror(errno));
		return 1;
	}
	return r < 0 ? 1 : 0;
}
