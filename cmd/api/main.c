/* tap-trading-api: players' HTTP. */
#include "api.h"
#include "daemon.h"

int main(int argc, char **argv)
{
	return daemon_main(argc, argv, &(struct daemon_spec){
		.name = "api",
		.summary = "signs players in, takes their bets, shows them what is theirs",
		.who = FOR_API,
		.start = api_start,
		.turn = api_turn,
		.stop = api_stop,
		.alive = api_alive,
		.ops = { .health = api_health, .ready = api_ready, .metrics = api_metrics, .page = { "/exposure", api_exposure } },
	});
}
