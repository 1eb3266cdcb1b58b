#include "resolver_proc.h"

#include "disk.h"
#include "err.h"
#include "redis.h"
#include "referee.h"
#include "resolver.h"
#include "sim.h"

static struct resolver *resolver;

static struct resolver_clock clocks(void)
{
	return (struct resolver_clock){ .wall_ms = sim_wall_ms(PROC_RESOLVER), .mono_ms = sim.true_ms - sim.start_ms + 1000000 };
}

void resolver_proc_start(const struct settings *s)
{
	static const struct bus_conf conf = { .address = "unix:/nowhere", .user = "", .password = "", .timeout_ms = 100 };
	sim.running = PROC_RESOLVER;
	int r = resolver_open(&resolver, s, &conf, clocks());
	sim.running = PROC_WORLD;
	MUST(r == 0, "the resolver cannot start: %d", r);
}

void resolver_proc_stop(void)
{
	sim.running = PROC_RESOLVER;
	resolver = resolver_close(resolver);
	sim.running = PROC_WORLD;
	redis_resolver_gone();
}

bool resolver_proc_up(void)
{
	return resolver != NULL;
}

struct heard *resolver_proc_heard(void)
{
	return resolver ? resolver_heard(resolver) : NULL;
}

/* A step that failed must have had a reason. */
static bool step(int *ret_did)
{
	int64_t wait_ms;
	sim.running = PROC_RESOLVER;
	*ret_did = resolver_step(resolver, clocks(), &wait_ms);
	if (*ret_did >= 0 && one_in(20)) {
		int r = resolver_checkpoint(resolver);
		*ret_did = r < 0 ? r : *ret_did;
	}
	sim.running = PROC_WORLD;
	enum disk_fault met = disk_met();
	MUST(*ret_did >= 0 || met != DISK_NONE || disk_is_full(), "the resolver fails (%d), and nothing was done to it", *ret_did);
	err_clear();
	return *ret_did >= 0 && !disk_dead();
}

bool resolver_proc_turn(void)
{
	int did = RESOLVER_DECIDED;
	while (did == RESOLVER_DECIDED) {
		if (!step(&did))
			return false;
		if (did != RESOLVER_IDLE)
			referee_look();
	}
	return true;
}
