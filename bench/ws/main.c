/* bench-ws - a crowd of players on one ws: how old prices are when they are read, what that costs beside a bare loop that writes
 * the same bytes to as many sockets, what stalled readers and rubbish change, and how fast all are back after a restart. JSON on
 * stdout. The suite is scripts/bench-ws' business. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clk.h"
#include "err.h"
#include "floor.h"
#include "json.h"
#include "payments.h"
#include "procs.h"
#include "sig.h"
#include "swarm.h"

enum { OPEN_LIMIT_MS = 60000, BACK_LIMIT_MS = 30000, SETTLE_MS = 3000, PAY_EVERY_US = 4000, HOLD_TELLS_MS = 10000 };

struct options {
	const char *ws, *api, *pid_file, *redis_pid_file;
	size_t connections, stalled, rubbish, payments;
	int64_t seconds, hold;
};

enum { LINES_MAX = 16 };

/* A line of what must hold: at most the bound. */
struct line {
	const char *what;
	double seen, bound;
};

struct bench {
	struct options o;
	struct line lines[LINES_MAX];
	size_t n_lines;
	struct player *players;
	struct swarm swarm;
	struct json_out w;
	struct takes takes;
};

static const char usage[] =
	"bench-ws --ws 127.0.0.1:PORT --api HOST:PORT --pid-file FILE [--connections 10000] [--seconds 10]\n"
	"         [--stalled 2000] [--rubbish 1000] [--payments 2000] [--redis-pid-file FILE] [--hold SECONDS]\n"
	"The files hold the process ids of ws and Redis, also of those that follow them after a restart. New wallets need a\n"
	"TAP_WELCOME_CREDIT. --hold: nothing but to stay for so long, and to tell each ten seconds how old prices are.\n";

static int parse_options(struct options *o, int argc, char **argv)
{
	static const struct option names[] = {
		{ "ws", required_argument, NULL, 'w' }, { "api", required_argument, NULL, 'a' },
		{ "pid-file", required_argument, NULL, 'f' }, { "redis-pid-file", required_argument, NULL, 'd' },
		{ "connections", required_argument, NULL, 'c' },
		{ "seconds", required_argument, NULL, 's' }, { "stalled", required_argument, NULL, 't' },
		{ "rubbish", required_argument, NULL, 'r' }, { "payments", required_argument, NULL, 'p' },
		{ "hold", required_argument, NULL, 'h' }, { 0 },
	};
	int c;
	while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
		switch (c) {
		case 'w': o->ws = optarg; break;
		case 'a': o->api = optarg; break;
		case 'f': o->pid_file = optarg; break;
		case 'd': o->redis_pid_file = optarg; break;
		case 'c': o->connections = strtoul(optarg, NULL, 10); break;
		case 's': o->seconds = strtoll(optarg, NULL, 10); break;
		case 't': o->stalled = strtoul(optarg, NULL, 10); break;
		case 'r': o->rubbish = strtoul(optarg, NULL, 10); break;
		case 'p': o->payments = strtoul(optarg, NULL, 10); break;
		case 'h': o->hold = strtoll(optarg, NULL, 10); break;
		default: return err_say(-EINVAL, "an unknown option");
		}
	}
	if (!o->ws || !o->api || !o->pid_file || o->seconds < 1 || o->connections < 1 || o->connections > SWARM_MAX ||
			o->stalled + o->rubbish >= o->connections || o->payments > o->connections || optind != argc)
		return err_say(-EINVAL, "--ws, --api, --pid-file; fewer stalled and rubbish than connections");
	return 0;
}

static pid_t read_pid(const char *path)
{
	FILE *f = fopen(path, "r");
	int pid = 0;
	if (f && fscanf(f, "%d", &pid) != 1)
		pid = 0;
	if (f)
		(void) fclose(f);
	return pid;
}

static int64_t status_kb(pid_t pid, const char *name)
{
	char path[64], line[256];
	int64_t kb = 0;
	(void) snprintf(path, sizeof path, "/proc/%d/status", (int) pid);
	FILE *f = fopen(path, "r");
	while (f && fgets(line, sizeof line, f))
		if (strncmp(line, name, strlen(name)) == 0)
			kb = strtoll(line + strlen(name), NULL, 10);
	if (f)
		(void) fclose(f);
	return kb;
}

static void put_real(struct json_out *w, const char *name, double v)
{
	char text[64];
	int n = snprintf(text, sizeof text, "%.3f", v);
	jw_raw(w, name, text, (size_t) n);
}

static void must_hold(struct bench *b, const char *what, double seen, double bound)
{
	if (b->n_lines < LINES_MAX)
		b->lines[b->n_lines++] = (struct line){ .what = what, .seen = seen, .bound = bound };
}

static void put_lines(struct bench *b)
{
	jw_array(&b->w, "lines");
	for (size_t i = 0; i < b->n_lines; i++) {
		const struct line *l = &b->lines[i];
		jw_object(&b->w, NULL);
		jw_str(&b->w, "figure", l->what);
		put_real(&b->w, "seen", l->seen);
		put_real(&b->w, "at_most", l->bound);
		jw_bool(&b->w, "holds", l->seen <= l->bound);
		jw_end_object(&b->w);
		(void) fprintf(stderr, "%-58s %10.3f %10.3f  %s\n", l->what, l->seen, l->bound,
				l->seen <= l->bound ? "holds" : "DOES NOT HOLD");
	}
	jw_end_array(&b->w);
}

static void put_ages(struct bench *b, const struct swarm_sums *sums)
{
	jw_object(&b->w, "price_age_ms");
	jw_int(&b->w, "p50", swarm_age(sums, 0.5));
	jw_int(&b->w, "p99", swarm_age(sums, 0.99));
	jw_int(&b->w, "max", swarm_age(sums, 1));
	jw_end_object(&b->w);
}

static int64_t cpu_us(pid_t pid)
{
	struct procs procs = { .n = 1, .v[0] = { .pid = pid } };
	procs_read(&procs);
	return procs.v[0].cpu_us;
}

/* --- phases --- */

static int await_all(struct bench *b, int64_t limit_ms, int64_t *ret_ms)
{
	int64_t from = clk_mono_ms();
	while (swarm_back(&b->swarm) < swarm_readers(&b->swarm)) {
		int r = swarm_turn(&b->swarm, 10);
		if (r < 0)
			return r;
		if (clk_mono_ms() - from > limit_ms)
			return err_say(-ETIMEDOUT, "%zu of %zu players are in after %lld ms", swarm_back(&b->swarm),
					swarm_readers(&b->swarm), (long long) limit_ms);
	}
	*ret_ms = clk_mono_ms() - from;
	return 0;
}

struct cost {
	double us;       /* CPU of ws */
	uint64_t frames; /* that were read meanwhile */
};

/* Watches for the seconds and reports under the name. */
static int watch(struct bench *b, const char *name, struct cost *ret)
{
	const struct swarm_sums *sums = &b->swarm.sums;
	pid_t pid = read_pid(b->o.pid_file);
	swarm_mark(&b->swarm);
	int64_t ws_us = cpu_us(pid), own_us = procs_own_us(), from_us = clk_mono_us();
	int r = swarm_watch(&b->swarm, b->o.seconds * 1000);
	double took_us = (double) (clk_mono_us() - from_us);
	*ret = (struct cost){ .us = (double) (cpu_us(pid) - ws_us), .frames = sums->frames };
	jw_object(&b->w, name);
	jw_int(&b->w, "readers", (int64_t) swarm_readers(&b->swarm));
	put_ages(b, sums);
	jw_int(&b->w, "readers_late", (int64_t) swarm_late_readers(&b->swarm));
	put_real(&b->w, "prices_a_second_each", (double) sums->prices * 1e6 / took_us / (double) swarm_readers(&b->swarm));
	put_real(&b->w, "grids_a_second_each", (double) sums->grids * 1e6 / took_us / (double) swarm_readers(&b->swarm));
	jw_int(&b->w, "prices_skipped", (int64_t) sums->skipped);
	jw_int(&b->w, "connections_lost", (int64_t) sums->lost);
	jw_int(&b->w, "readers_lost", (int64_t) sums->readers_lost);
	jw_int(&b->w, "frames", (int64_t) sums->frames);
	jw_int(&b->w, "wrong_frames", (int64_t) sums->wrong);
	put_real(&b->w, "ws_cores", ret->us / took_us);
	put_real(&b->w, "ws_rss_mb", (double) status_kb(pid, "VmRSS:") / 1024);
	put_real(&b->w, "ws_rss_peak_mb", (double) status_kb(pid, "VmHWM:") / 1024);
	put_real(&b->w, "swarm_cores", (double) (procs_own_us() - own_us) / took_us);
	jw_end_object(&b->w);
	return r;
}

static int phase_calm(struct bench *b, struct cost *ret, int64_t *ret_p99)
{
	(void) fprintf(stderr, "bench-ws: %zu connections\n", b->o.connections);
	int64_t took_ms = 0;
	int r = await_all(b, OPEN_LIMIT_MS, &took_ms);
	if (r == 0)
		r = swarm_watch(&b->swarm, SETTLE_MS);
	if (r < 0)
		return r;
	jw_int(&b->w, "open_ms", took_ms);
	b->swarm.takes = &b->takes;
	r = watch(b, "calm", ret);
	b->swarm.takes = NULL;
	*ret_p99 = swarm_age(&b->swarm.sums, 0.99);
	must_hold(b, "a price's age at p99, ms", (double) *ret_p99, OLD_MS);
	must_hold(b, "readers whose own p99 is older", (double) swarm_late_readers(&b->swarm), 0);
	must_hold(b, "CPU of ws, cores", ret->us / (double) (b->o.seconds * 1000000), 1);
	return r;
}

/* A line each ten seconds, as it goes. */
static int phase_hold(struct bench *b)
{
	const struct swarm_sums *sums = &b->swarm.sums;
	int64_t took_ms = 0;
	int r = await_all(b, OPEN_LIMIT_MS, &took_ms);
	for (int64_t until = clk_mono_ms() + b->o.hold * 1000; r == 0 && clk_mono_ms() < until;) {
		swarm_mark(&b->swarm);
		r = swarm_watch(&b->swarm, HOLD_TELLS_MS);
		(void) printf("{\"up\":%zu,\"age_p50_ms\":%" PRId64 ",\"age_p99_ms\":%" PRId64, b->swarm.up, swarm_age(sums, 0.5),
				swarm_age(sums, 0.99));
		(void) printf(",\"lost\":%" PRIu64 ",\"wrong\":%" PRIu64 ",\"own\":%" PRIu64 "}\n", sums->lost, sums->wrong, sums->own);
		(void) fflush(stdout);
	}
	return r;
}

static int phase_hostile(struct bench *b, int64_t calm_p99)
{
	struct cost unused;
	size_t n = b->o.connections;
	(void) fprintf(stderr, "bench-ws: %zu stall, %zu send rubbish\n", b->o.stalled, b->o.rubbish);
	for (size_t i = 0; i < b->o.stalled; i++)
		swarm_become(&b->swarm, n - 1 - i, LINK_STALLED);
	for (size_t i = 0; i < b->o.rubbish; i++)
		swarm_become(&b->swarm, n - 1 - b->o.stalled - i, LINK_RUBBISH);
	int r = swarm_watch(&b->swarm, 2 * SETTLE_MS);
	if (r == 0)
		r = watch(b, "hostile", &unused);
	double ratio = (double) swarm_age(&b->swarm.sums, 0.99) / (double) (calm_p99 ? calm_p99 : 1);
	put_real(&b->w, "hostile_p99_to_calm", ratio);
	must_hold(b, "p99 beside stalled readers and rubbish / without", ratio, 1.5);
	must_hold(b, "resident MB of ws, the most", (double) status_kb(read_pid(b->o.pid_file), "VmHWM:") / 1024, 200);
	for (size_t i = 0; i < n; i++)
		if (b->swarm.links[i].kind != LINK_READER)
			swarm_become(&b->swarm, i, LINK_READER);
	return r;
}

static size_t missed(const struct bench *b, const struct payments *p)
{
	size_t n = 0;
	for (size_t i = 0; i < b->o.payments; i++) {
		const struct link *l = &b->swarm.links[i];
		n += l->seq != l->first_seq + payments_admitted(p, i);
	}
	return n;
}

/* ws is told to stop while players are paid; its supervisor starts the next one. All come back as soon as they can. */
static int phase_restart(struct bench *b)
{
	struct payments *p;
	int64_t took_ms = 0;
	int r = await_all(b, OPEN_LIMIT_MS, &took_ms);
	if (r == 0)
		r = payments_open(&p, b->o.api, b->players, b->o.payments, PAY_EVERY_US);
	if (r < 0)
		return r;
	(void) fprintf(stderr, "bench-ws: restart\n");
	swarm_mark(&b->swarm);
	(void) kill(read_pid(b->o.pid_file), SIGTERM);
	int64_t from = clk_mono_ms(), back_ms = 0;
	for (; r == 0 && (!back_ms || !payments_done(p)) && clk_mono_ms() - from < BACK_LIMIT_MS;) {
		r = payments_turn(p);
		if (r == 0)
			r = swarm_turn(&b->swarm, 1);
		if (!back_ms && b->swarm.sums.lost >= b->o.connections && swarm_back(&b->swarm) == b->o.connections)
			back_ms = clk_mono_ms() - from;
		for (size_t i = 0; i < b->swarm.n; i++) /* what was seen before its connection was lost does not count */
			if (b->swarm.links[i].state == LINK_DOWN)
				b->swarm.links[i].is_back = false;
	}
	if (r == 0)
		r = swarm_watch(&b->swarm, SETTLE_MS);
	must_hold(b, "ms until all are back after a restart of ws", back_ms ? (double) back_ms : BACK_LIMIT_MS, 15000);
	must_hold(b, "errors of the api meanwhile", (double) payments_errors(p), 0);
	must_hold(b, "players with a missed event, gaps, duplicates",
			(double) (missed(b, p) + b->swarm.sums.gaps + b->swarm.sums.doubles), 0);
	jw_object(&b->w, "restart");
	if (back_ms)
		jw_int(&b->w, "all_back_ms", back_ms);
	else
		jw_null(&b->w, "all_back_ms");
	jw_int(&b->w, "back", (int64_t) swarm_back(&b->swarm));
	jw_int(&b->w, "refused_and_tried_again", (int64_t) b->swarm.sums.refused);
	jw_int(&b->w, "api_calls", (int64_t) payments_sent(p));
	jw_int(&b->w, "api_errors", (int64_t) payments_errors(p));
	jw_int(&b->w, "events_heard", (int64_t) b->swarm.sums.own);
	jw_int(&b->w, "players_with_a_missed_event", (int64_t) missed(b, p));
	jw_int(&b->w, "gaps", (int64_t) b->swarm.sums.gaps);
	jw_int(&b->w, "duplicates", (int64_t) b->swarm.sums.doubles);
	jw_end_object(&b->w);
	(void) payments_close(p);
	return r;
}

static size_t shown_since(const struct swarm *s, int64_t t_ms)
{
	size_t n = 0;
	for (size_t i = 0; i < s->n; i++)
		n += s->links[i].price_t_ms > t_ms;
	return n;
}

/* Redis is told to stop, and started again by its supervisor: prices go on, over the connections that are there. */
static int phase_redis(struct bench *b)
{
	const pid_t before = read_pid(b->o.redis_pid_file);
	int64_t from = clk_mono_ms(), started_ms = 0, priced_ms = 0, from_wall = clk_now_ms();
	int r = 0;
	(void) fprintf(stderr, "bench-ws: Redis restarts\n");
	swarm_mark(&b->swarm);
	(void) kill(before, SIGTERM);
	while (r == 0 && !priced_ms && clk_mono_ms() - from < BACK_LIMIT_MS) {
		r = swarm_turn(&b->swarm, 5);
		pid_t now = read_pid(b->o.redis_pid_file);
		if (!started_ms && now && now != before) {
			started_ms = clk_mono_ms() - from;
			from_wall = clk_now_ms();
		}
		if (started_ms && shown_since(&b->swarm, from_wall) == b->swarm.n)
			priced_ms = clk_mono_ms() - from;
	}
	must_hold(b, "ms until all have prices once Redis is back", (double) (priced_ms ? priced_ms - started_ms : BACK_LIMIT_MS), 2000);
	must_hold(b, "connections lost by that", (double) b->swarm.sums.lost, 0);
	jw_object(&b->w, "redis_restart");
	jw_int(&b->w, "started_again_ms", started_ms);
	if (priced_ms)
		jw_int(&b->w, "all_priced_after_that_ms", priced_ms - started_ms);
	else
		jw_null(&b->w, "all_priced_after_that_ms");
	jw_int(&b->w, "connections_lost", (int64_t) b->swarm.sums.lost);
	jw_end_object(&b->w);
	return r;
}

/* CPU of a frame to one player: ws may leave prices out when a newer one is there, the bare loop does not. */
static void put_floor(struct bench *b, const struct floor *f, double us, const struct cost *ws)
{
	uint64_t written = atomic_load(&f->count->written);
	double a_frame = us / (double) (written ? written : 1), ws_frame = ws->us / (double) (ws->frames ? ws->frames : 1);
	jw_object(&b->w, "floor");
	jw_int(&b->w, "connections", (int64_t) b->swarm.up);
	jw_int(&b->w, "frames_written", (int64_t) written);
	jw_int(&b->w, "writes_failed", (int64_t) atomic_load(&f->count->failed));
	put_real(&b->w, "cpu_us_a_frame", a_frame);
	jw_end_object(&b->w);
	put_real(&b->w, "ws_cpu_us_a_frame", ws_frame);
	put_real(&b->w, "ws_cpu_to_floor", a_frame > 0 ? ws_frame / a_frame : 0);
	must_hold(b, "CPU of a frame / the bare loop's", a_frame > 0 ? ws_frame / a_frame : 0, 2);
}

static int phase_floor(struct bench *b, const struct cost *ws)
{
	struct floor f;
	char address[32];
	(void) fprintf(stderr, "bench-ws: the floor: %zu frames to each\n", b->takes.n);
	int r = floor_start(&f, &b->takes);
	if (r < 0)
		return r;
	(void) snprintf(address, sizeof address, "127.0.0.1:%u", (unsigned) f.port);
	r = swarm_open(&b->swarm, address, b->o.connections, NULL);
	for (int64_t until = clk_mono_ms() + OPEN_LIMIT_MS; r == 0 && b->swarm.up < b->o.connections && clk_mono_ms() < until;)
		r = swarm_turn(&b->swarm, 10);
	if (r == 0)
		r = swarm_watch(&b->swarm, SETTLE_MS);
	int64_t us = cpu_us(f.pid), until = clk_mono_ms() + 3 * b->o.seconds * 1000;
	floor_go(&f);
	while (r == 0 && !atomic_load(&f.count->is_done) && clk_mono_ms() < until)
		r = swarm_turn(&b->swarm, 10);
	put_floor(b, &f, (double) (cpu_us(f.pid) - us), ws);
	floor_stop(&f);
	swarm_close(&b->swarm);
	return r;
}

static int run(struct bench *b)
{
	struct cost cost = { 0 };
	int64_t p99 = 0;
	int r = sig_init();
	(void) fprintf(stderr, "bench-ws: %zu wallets sign in\n", b->o.connections);
	if (r == 0)
		r = players_new(&b->players, b->o.connections, b->o.api, 32);
	if (r == 0)
		r = swarm_open(&b->swarm, b->o.ws, b->o.connections, b->players);
	if (r < 0)
		return err_trace(r);
	jw_int(&b->w, "connections", (int64_t) b->o.connections);
	if (b->o.hold > 0) {
		r = phase_hold(b);
		swarm_close(&b->swarm);
		free(b->players);
		return err_trace(r);
	}
	r = phase_calm(b, &cost, &p99);
	if (r == 0 && b->o.stalled + b->o.rubbish > 0)
		r = phase_hostile(b, p99);
	if (r == 0 && b->o.payments > 0)
		r = phase_restart(b);
	if (r == 0 && b->o.redis_pid_file)
		r = phase_redis(b);
	swarm_close(&b->swarm);
	if (r == 0)
		r = phase_floor(b, &cost);
	if (r == 0)
		put_lines(b);
	takes_free(&b->takes);
	free(b->players);
	return err_trace(r);
}

int main(int argc, char **argv)
{
	static struct bench b = { .o = { .connections = 10000, .seconds = 10, .stalled = 2000, .rubbish = 1000, .payments = 2000 } };
	struct buf out = BUF_INIT(1 << 20);
	(void) signal(SIGPIPE, SIG_IGN);
	if (parse_options(&b.o, argc, argv) < 0) {
		(void) fprintf(stderr, "%s\n%s", err_text(), usage);
		return 64;
	}
	jw_begin(&b.w, &out);
	jw_object(&b.w, NULL);
	int r = run(&b);
	jw_end_object(&b.w);
	if (r < 0)
		(void) fprintf(stderr, "bench-ws: %s: %s\n", err_text(), strerror(-r));
	(void) puts(out.p);
	buf_free(&out);
	return r < 0 ? 1 : 0;
}
