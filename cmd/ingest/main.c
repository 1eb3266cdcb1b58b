#include "daemon.h"
#include "ingest.h"

int main(int argc, char **argv)
{
	return daemon_main(argc, argv, &(struct daemon_spec){ .name = "ingest",
		.summary = "listens to the venues, publishes ten official ticks a second and the quote grid",
		.who = FOR_INGEST, .start = ingest_start, .turn = ingest_turn, .stop = ingest_stop,
		.ops = { .health = ingest_health, .ready = ingest_ready, .metrics = ingest_metrics } });
}
