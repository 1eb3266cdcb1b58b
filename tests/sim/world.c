#include "world.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api_proc.h"
#include "clk.h"
#include "disk.h"
#include "err.h"
#include "errands.h"
#include "log.h"
#include "market.h"
#include "players.h"
#include "redis.h"
#include "referee.h"
#include "resolver_proc.h"
#include "sim.h"
#include "week.h"

enum { W_MS = 5000, COMPARE_EACH = 500, WEEKS_KEPT = 2, CALM_COLUMNS = 40, LONG_COLUMNS = 50000 };
#define WEEK_MS (7 * INT64_C(86400000))

static struct {
	struct settings s;
	char dir[WORLD_DIR_SIZE];
	int64_t resolver_back, disk_well, redis_back, ear_back, clock_back; /* the column with which it is over */
	int64_t weeks, week_ms;   /* when the current week began */
	int64_t flushes, steps, kills;
} world;

/* ---- death and return ---- */

static void start_resolver(void)
{
	resolver_proc_start(&world.s);
	referee_look();
	referee_resolver_began();
}

/* The resolver too, when the power is cut. */
static void restart_api(void)
{
	bool power = disk_power_is_cut(), resolver = power && resolver_proc_up();
	world.kills++;
	disk_full(false);
	api_proc_stop();
	if (resolver)
		resolver_proc_stop();
	if (power)
		referee_close_books();
	if (disk_dead())
		disk_restore();
	if (power && one_in(2))
		redis_lose_last_second();
	api_proc_start(&world.s, &market_for_api);
	if (power)
		referee_open_books();
	referee_look();
	if (resolver)
		start_resolver();
}

static void api_died(void)
{
	restart_api();
	errands_after_death();
}

static void resolver_died(void)
{
	if (disk_power_is_cut()) {
		api_died();
		return;
	}
	world.kills++;
	disk_full(false);
	resolver_proc_stop();
	if (disk_dead())
		disk_restore();
	referee_look();
	if (one_in(3))
		world.resolver_back = sim.column + (int64_t) dice(100);
	else
		start_resolver();
}

static void resolver_turn(void)
{
	if (resolver_proc_up() && !resolver_proc_turn())
		resolver_died();
}

/* ---- the week's end ---- */

static void drop_old_week(void)
{
	char name[WEEK_NAME_SIZE], path[160];
	static const char *const suffixes[] = { "", "-wal", "-shm" };
	week_file_name(name, clk_iso_week(world.week_ms - WEEKS_KEPT * WEEK_MS));
	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
		(void) snprintf(path, sizeof path, "%s/%s%s", world.dir, name, suffixes[i]);
		(void) unlink(path);
	}
}

static int roll(enum proc who)
{
	struct week *w;
	struct week_rolled rolled;
	sim.running = who;
	int x = week_open(&w, world.dir, STORE_WRITE, sim_wall_ms(who));
	if (x == 0) {
		x = week_roll(w, sim_wall_ms(who), &rolled);
		(void) week_close(w);
	}
	sim.running = PROC_WORLD;
	err_clear();
	return x;
}

static void end_week(void)
{
	enum proc who = resolver_proc_up() && one_in(3) ? PROC_RESOLVER : PROC_API;
	int64_t now_ms = clk_week_start_ms(clk_iso_week(sim_wall_ms(who) - 1000));
	if (now_ms <= world.week_ms)
		return;
	int x = roll(who);
	MUST(x == 0 || x == WEEK_E_CURRENT || disk_met() != DISK_NONE || disk_is_full(), "the week cannot end: %d", x);
	if (disk_dead() && who == PROC_API)
		api_died();
	else if (disk_dead())
		resolver_died();
	if (x != 0 && x != WEEK_E_CURRENT)
		return;
	world.week_ms = now_ms;
	world.weeks++;
	referee_compare();
	referee_audit();
	drop_old_week();
}

/* ---- the weather ---- */

static void redis_weather(void)
{
	if (fault_one_in(300)) {
		redis_down(true);
		world.redis_back = sim.column + (int64_t) dice(20);
	}
	if (fault_one_in(500)) {
		redis_flush();
		world.flushes++;
	}
	if (fault_one_in(500))
		redis_lose_last_second();
	if (fault_one_in(300)) {
		redis_deaf(true);
		world.ear_back = sim.column + (int64_t) dice(5);
	}
	if (redis_is_down() && sim.column >= world.redis_back)
		redis_down(false);
	if (sim.column >= world.ear_back)
		redis_deaf(false);
}

static void clock_weather(void)
{
	if (fault_one_in(1500)) {
		sim.step_ms = (int64_t) dice(60001) - 30000; /* there, and back again */
		world.clock_back = sim.column + (int64_t) dice(20);
		world.steps++;
	}
	if (sim.step_ms && sim.column >= world.clock_back)
		sim.step_ms = 0;
	if (fault_one_in(1000))
		for (int p = PROC_API; p < PROCS; p++)
			sim.skew_ms[p] = (int64_t) dice(201) - 100;
}

static void disk_weather(void)
{
	if (stormy_one_in(80))
		disk_arm((enum disk_fault) (DISK_KILL + dice(DISK_FAULTS - DISK_KILL)), 1 + (int) dice(80));
	if (fault_one_in(1500)) {
		disk_full(true);
		world.disk_well = sim.column + 1 + (int64_t) dice(10);
	}
	if (disk_is_full() && sim.column >= world.disk_well)
		disk_full(false);
}

static void weather(void)
{
	if (fault_one_in(400))
		market_silent((int64_t) dice(40000));
	redis_weather();
	clock_weather();
	disk_weather();
	if (fault_one_in(2000))
		api_died();
	if (stormy_one_in(2000) && resolver_proc_up()) {
		sim.faults++;
		resolver_died();
	}
	if (!resolver_proc_up() && sim.column >= world.resolver_back)
		start_resolver();
}

/* ---- columns ---- */

static void bets(void)
{
	struct intake_tap taps[TAPS_MAX];
	market_quote();
	size_t n = players_tap(taps);
	if (n == 0)
		return;
	bool full = disk_is_full();
	bool alive = api_proc_run(taps, n);
	referee_taps_done(taps, n, !alive || full || redis_door_cut());
	if (!alive)
		api_died();
}

static void play_column(bool calm)
{
	int64_t t0_ms = sim.start_ms + sim.column * W_MS;
	if (!calm)
		weather();
	market_run_until(t0_ms + 720 + (int64_t) dice(400));
	resolver_turn();
	market_run_until(t0_ms + 1300 + (int64_t) dice(3500));
	if (!calm) {
		if (one_in(2)) /* those of two columns come together: half the transactions */
			bets();
		errands_run();
		end_week();
	}
	if (one_in(5))
		resolver_turn();
	if (sim.column % COMPARE_EACH == 0)
		referee_compare();
}

pid_t world_parent;

void world_dir(char out[WORLD_DIR_SIZE], uint64_t seed)
{
	(void) snprintf(out, WORLD_DIR_SIZE, "%s/tap-sim-%ld-%" PRIu64, access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp",
			(long) world_parent, seed);
}

static void set_up(uint64_t seed)
{
	static char *env[] = { NULL, "TAP_CAP_CELL=1500000000", "TAP_CAP_COLUMN=3000000000", "TAP_CAP_OPEN=12000000000",
		"TAP_CAP_PLAYER_COLUMN=300000000", "TAP_CAP_PLAYER_OPEN=1500000000", NULL };
	static char dir[WORLD_DIR_SIZE + 16];
	memset(&world, 0, sizeof world);
	world_dir(world.dir, seed);
	MUST(mkdir(world.dir, 0700) == 0, "%s cannot be made", world.dir);
	(void) snprintf(dir, sizeof dir, "TAP_DATA_DIR=%s", world.dir);
	env[0] = dir;
	MUST(settings_load(&world.s, env, stderr) == 0, "the settings are wrong");
	log_init("sim", LOG_LEVEL_CRIT);
	/* an hour before a week's end, in any of three years */
	int64_t monday = clk_week_start_ms((struct clk_week){ 2025, 1 });
	sim_begin(seed, monday);
	monday += (int64_t) (1 + dice(150)) * WEEK_MS;
	sim_begin(seed, monday - 3600000);
	world.week_ms = monday - WEEK_MS;
}

static void begin(void)
{
	redis_begin();
	market_begin(&world.s);
	players_begin(&world.s);
	referee_begin(&world.s, world.dir);
	errands_begin(restart_api);
	api_proc_start(&world.s, &market_for_api);
	referee_open_books();
	for (int w = 0; w < WALLETS; w++)
		errands_sign_in(w);
	resolver_proc_start(&world.s);
	disk_begin(world.dir);
}

/* All faults end, all columns are decided, all is looked at. */
static void finish(void)
{
	disk_arm(DISK_NONE, 0);
	disk_full(false);
	redis_down(false);
	redis_deaf(false);
	sim.step_ms = 0;
	sim.storm = 0;
	if (!resolver_proc_up())
		start_resolver();
	for (int i = 0; i < CALM_COLUMNS; i++, sim.column++)
		play_column(true);
	const struct referee_counts *c = referee_counts();
	MUST(referee_next_column() * 1000 >= sim.true_ms - 3 * W_MS, "columns are left undecided");
	MUST(c->won + c->lost + c->refunded == c->bets, "of %" PRId64 " bets %" PRId64 " are decided", c->bets,
			c->won + c->lost + c->refunded);
	referee_compare();
	referee_audit();
}

/* A long world in which something never happened proves nothing of it. */
static void everything_happened(void)
{
	static const enum intake_result never[] = { INTAKE_OVERLOADED, INTAKE_RATE_LIMITED, INTAKE_FORBIDDEN };
	const struct referee_counts *c = referee_counts();
	for (int i = 0; i <= INTAKE_UNKNOWN; i++) {
		bool expected = true;
		for (size_t k = 0; k < ARRAY_LEN(never); k++)
			expected = expected && i != (int) never[k];
		MUST(c->results[i] || !expected, "no tap was answered with result %d", i);
	}
	MUST(c->voids && c->unread && c->won && c->lost && c->refunded && errands_withdrawals() && world.weeks && world.kills &&
			world.flushes && world.steps, "a kind of event never came");
	for (int i = DISK_KILL; i < DISK_FAULTS; i++)
		MUST(disk_count((enum disk_fault) i), "the disk never failed in way %d", i);
}

static void tell(void)
{
	const struct referee_counts *c = referee_counts();
	(void) printf("seed %" PRIu64 ": %" PRId64 " columns (%" PRId64 " void, %" PRId64 " without the history, %" PRId64
			" passed over), %" PRId64 " weeks closed, %" PRId64 " bets (%" PRId64 " won, %" PRId64 " lost, %" PRId64
			" refunded, %" PRId64 " unknown at first), house %+" PRId64 " USD\n", sim.seed, c->columns, c->voids, c->unread,
			c->passed_over, world.weeks, c->bets, c->won, c->lost, c->refunded, c->unknown,
			(c->staked - c->paid) / MICROS_PER_USD);
	(void) printf("  answers:");
	for (int i = 0; i <= INTAKE_UNKNOWN; i++)
		if (c->results[i])
			(void) printf(" %s %" PRId64, i == INTAKE_CONFIRMED ? "confirmed" : i == INTAKE_REPLAYED ? "replayed" :
					intake_code((enum intake_result) i), c->results[i]);
	(void) printf("\n  faults by dice %" PRId64 "; withdrawals decided %" PRId64 ", deaths %" PRId64 ", Redis emptied %" PRId64 ", clock steps %" PRId64 ", killed while writing %ld, power cut %ld, write failed"
			" %ld, sync failed %ld\n", sim.faults, errands_withdrawals(), world.kills, world.flushes, world.steps, disk_count(DISK_KILL),
			disk_count(DISK_POWER), disk_count(DISK_WRITE_FAILS), disk_count(DISK_SYNC_FAILS));
}

void world_play(uint64_t seed, int64_t columns)
{
	set_up(seed);
	begin();
	for (; sim.column < columns; sim.column++)
		play_column(false);
	finish();
	tell();
	if (columns >= LONG_COLUMNS)
		everything_happened();
	resolver_proc_stop();
	api_proc_stop();
	referee_end();
}
