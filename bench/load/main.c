/* bench-load - signed bets by many wallets, as fast as they are answered or by a plan; JSON on stdout. Signing in and signing
 * are done before and are not in its numbers. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "err.h"
#include "http.h"
#include "money.h"
#include "plan.h"
#include "players.h"
#include "shots.h"
#include "sig.h"
#include "volley.h"

struct options {
	const char *api;
	FILE *told;
	struct http_conf http;
	size_t bets, wallets, crowd;
	struct plan plan;
	int64_t start_ms, chain_id;
	unsigned threads;
	struct procs procs;
};

static const char usage[] =
	"bench-load --api HOST:PORT {--bets N | --plan NAME:RATE:SECONDS,...} [--connections 64] [--wallets N]\n"
	"           [--to HOST:PORT] [--from ADDRESS [--spread N]] [--start-at MS]\n"
	"           [--chain-id 1] [--sign-threads 2] [--told FILE] [--crowd N] [--process NAME=PID]...\n"
	"Closed loop of --bets, or an open loop of the plan's parts, one behind the other, each of RATE bets a second.\n"
	"Wallets sign in at --api; bets go to --to, if given, from N addresses from ADDRESS on. The plan begins at the\n"
	"moment --start-at (ms since 1970), so that others can keep step. --wallets 1 is a flood: its cells come again.\n"
	"With --crowd 14 of 15 bets go to one far column, until it has N, then to another.\n"
	"FILE gets the body of each acceptance, a line each. A server that is killed and started again is waited for.\n"
	"SIGTERM ends it before its time: what was sent is waited for and reported, nothing more is sent.\n"
	"The named processes' CPU time is measured, and the first one's memory. New wallets need a TAP_WELCOME_CREDIT.\n";

static int parse_options(struct options *o, int argc, char **argv)
{
	static const struct option names[] = {
		{ "api", required_argument, NULL, 'a' }, { "connections", required_argument, NULL, 'c' },
		{ "bets", required_argument, NULL, 'n' }, { "plan", required_argument, NULL, 'l' },
		{ "wallets", required_argument, NULL, 'w' }, { "to", required_argument, NULL, 'o' },
		{ "from", required_argument, NULL, 'f' }, { "spread", required_argument, NULL, 's' },
		{ "start-at", required_argument, NULL, 'b' }, { "chain-id", required_argument, NULL, 'i' },
		{ "told", required_argument, NULL, 'd' }, { "sign-threads", required_argument, NULL, 't' },
		{ "process", required_argument, NULL, 'p' }, { "crowd", required_argument, NULL, 'r' }, { 0 },
	};
	int c, r = 0;
	while (r == 0 && (c = getopt_long(argc, argv, "", names, NULL)) != -1) {
		switch (c) {
		case 'a': o->api = optarg; break;
		case 'c': o->http.connections = strtoul(optarg, NULL, 10); break;
		case 'n': o->bets = strtoul(optarg, NULL, 10); break;
		case 'l': r = plan_parse(&o->plan, optarg); break;
		case 'w': o->wallets = strtoul(optarg, NULL, 10); break;
		case 'o': o->http.to = optarg; break;
		case 'f': o->http.from = optarg; break;
		case 's': o->http.spread = strtoul(optarg, NULL, 10); break;
		case 'b': o->start_ms = strtoll(optarg, NULL, 10); break;
		case 'i': o->chain_id = strtoll(optarg, NULL, 10); break;
		case 't': o->threads = (unsigned) strtoul(optarg, NULL, 10); break;
		case 'd':
			o->told = fopen(optarg, "ae");
			/* line by line: who is killed has told what he was told */
			r = o->told && setvbuf(o->told, NULL, _IOLBF, 0) == 0 ? 0 : err_say(-errno, "%s: %s", optarg, strerror(errno));
			break;
		case 'r': o->crowd = strtoul(optarg, NULL, 10); break;
		case 'p': r = procs_add(&o->procs, optarg); break;
		default: return err_say(-EINVAL, "an unknown option");
		}
	}
	if (r < 0)
		return err_trace(r);
	if (!o->api || o->http.connections < 1 || o->http.connections > HTTP_CONNECTIONS_MAX || o->threads < 1 ||
			(o->bets > 0) == (o->plan.shots > 0) || optind != argc)
		return err_say(-EINVAL, "--api, one of --bets and --plan, and --connections of 1 to 4096");
	return 0;
}

static volatile sig_atomic_t ends;

static void end(int sig)
{
	(void) sig;
	ends = 1;
}

static int run(const struct options *o, struct buf *out)
{
	bool open = o->plan.shots > 0;
	size_t bets = open ? o->plan.shots : o->bets, n_players = o->wallets ? o->wallets : bets / SHOTS_A_PLAYER + 1;
	struct volley_conf conf = { .http = o->http, .plan = open ? &o->plan : NULL, .told = o->told,
		.ends = &ends };
	struct shots_conf signing = { .api = o->api, .plan = conf.plan, .wanted = o->bets, .start_ms = o->start_ms,
		.chain_id = o->chain_id, .stake_micros = MICROS_PER_USD, .threads = o->threads, .crowd = o->crowd,
		.flood = o->wallets == 1 };
	struct player *players;
	struct shots shots;
	struct volley v;
	struct json_out w;

	if (!conf.http.to)
		conf.http.to = o->api;
	int r = sig_init();
	if (r == 0)
		r = players_new(&players, n_players, o->api, 32);
	if (r < 0)
		return err_trace(r);
	r = shots_new(&shots, &signing, players, n_players);
	free(players);
	if (r < 0)
		return err_trace(r);
	conf.start_ms = shots.start_ms;
	r = volley_run(&v, &conf, &shots, &o->procs);
	if (r == 0) {
		jw_begin(&w, out);
		r = volley_report(&v, &conf, &shots, &w);
		volley_free(&v);
	}
	shots_free(&shots);
	return err_trace(r);
}

int main(int argc, char **argv)
{
	struct options o = { .http = { .connections = 64 }, .chain_id = 1, .threads = 2 };
	struct buf out = BUF_INIT(1 << 20);
	if (parse_options(&o, argc, argv) < 0) {
		(void) fprintf(stderr, "%s\n%s", err_text(), usage);
		return 64;
	}
	(void) signal(SIGTERM, end);
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
