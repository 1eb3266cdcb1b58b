/* tap-trading-resolver: decides each column by its recorded ticks, and pays. */
#include "daemon.h"
#include "run.h"

int main(int argc, char **argv)
{
	static const struct daemon_spec spec = {
		.name = "resolver",
		.summary = "decides columns by the official ticks, pays and refunds",
		.who = FOR_RESOLVER,
		.start = run_start,
		.turn = run_turn,
		.stop = run_stop,
		.ops = { .health = run_health, .ready = run_ready, .metrics = run_metrics },
	};
	return daemon_main(argc, argv, &spec);
}
