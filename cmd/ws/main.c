/* tap-trading-ws: prices, grids and each player's own events over WebSocket. */
#include "daemon.h"
#include "ws.h"

int main(int argc, char **argv)
{
	return daemon_main(argc, argv, &(struct daemon_spec){
		.name = "ws",
		.summary = "prices, grids and each player's own events over WebSocket",
		.who = FOR_WS,
		.start = serve_start,
		.turn = serve_turn,
		.stop = serve_stop,
		.ops = { .health = serve_health, .ready = serve_ready, .metrics = serve_metrics },
	});
}
