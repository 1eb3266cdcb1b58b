/* tap-trading-archiver: verified backups of the book, and its daily check. */
#include "archiver.h"
#include "daemon.h"

int main(int argc, char **argv)
{
	static const struct daemon_spec spec = {
		.name = "archiver",
		.summary = "backs the book up, verifies the copies, checks the book's integrity",
		.who = FOR_ARCHIVER,
		.check = archiver_check,
		.start = archiver_start,
		.turn = archiver_turn,
		.stop = archiver_stop,
		.alive = archiver_alive,
		.ops = { .health = archiver_health, .ready = archiver_ready, .metrics = archiver_metrics },
	};
	return daemon_main(argc, argv, &spec);
}
