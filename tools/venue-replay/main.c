/* venue-replay - recorded ticks, served in the venues' own WebSocket protocols, so that ingest's real adapters are what runs where there
 * is no market to reach: in `make run`, in tests, in benches. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "clk.h"
#include "control.h"
#include "err.h"
#include "price.h"
#include "serve.h"

enum { TURN_MS = 50 };

static const char help[] =
	"usage: venue-replay [OPTION]...\n"
	"Serves recorded ticks as Coinbase Exchange (path / or /coinbase), Kraken (/v2), Bitstamp (/bitstamp) and\n"
	"Binance (/stream, /ws) do.\n\n"
	"  --listen HOST:PORT   where (127.0.0.1:9443); port 0: any, printed\n"
	"  --ticks FILE         ms,bid_cents,ask_cents lines (data/binance_btcusdt_20240808.csv); played\n"
	"                       forward, then backward, for ever\n"
	"  --speed N            the tape runs N times as fast (1)\n"
	"  --base-price USD     rescales the tape to begin at this price\n"
	"  --basis-bp BP        Binance's prices are so much (1e-4) off the others' (0)\n"
	"  --noise-cents N      each venue's prices deviate by so much at most, each in its own way (0)\n"
	"  --sent FILE          a line for each point of the tape when its frames go out: ms of the wall clock, bid, ask\n"
	"  --control PATH       unix socket that takes the commands below, a line each, and answers `ok`\n"
	"  --mischief COMMAND   a command from the start; may be given again\n"
	"  --help               this text\n\n"
	"Commands; VENUE is coinbase, kraken, bitstamp, binance or all; FOR is such as 800ms or 15s, without it until\n"
	"`off`:\n"
	"  stall VENUE [FOR]       nothing is sent; the connection stays open\n"
	"  mute VENUE [FOR]        no book is sent, but all else\n"
	"  drop VENUE P [FOR]      each frame is lost with probability P\n"
	"  garble VENUE [FOR]      frames are cut, nonsense, too large, of another market, out of order\n"
	"  lag VENUE DELAY [FOR]   frames come so much later\n"
	"  close VENUE [FOR]       connections are closed, and new ones refused for so long\n"
	"  cut VENUE AGE [FOR]     connections as old as that are closed, as venues do after a day\n"
	"  freeze VENUE [FOR]      frames go on, the price stands still\n"
	"  outlier VENUE BP [FOR]  prices are so much (1e-4) off\n"
	"  repeat VENUE [FOR]      each frame comes twice\n"
	"  shuffle VENUE [FOR]     each two books come in the wrong order\n"
	"  clock VENUE OFFSET [FOR] the venue's own stamps are so much behind, or with a minus ahead\n"
	"  retire VENUE            tells that it is about to cut its connections (Binance, Bitstamp)\n"
	"  off [VENUE]             all well again\n"
	"  status                  what is switched on\n";

struct options {
	struct conf_listen listen;
	const char *ticks, *control, *sent;
	double speed;
	int64_t base_cents, basis_bp, noise_cents;
	struct mischief mischief;
};

static volatile sig_atomic_t asked_to_stop;

static void on_signal(int number)
{
	(void) number;
	asked_to_stop = 1;
}

static bool parse_listen(const char *text, struct conf_listen *ret)
{
	const char *colon = strrchr(text, ':');
	size_t n = colon ? (size_t) (colon - text) : 0;
	char *end;
	if (n == 0 || n >= sizeof ret->host)
		return false;
	long port = strtol(colon + 1, &end, 10);
	memcpy(ret->host, text, n);
	ret->host[n] = '\0';
	ret->port = (uint16_t) port;
	return end != colon + 1 && *end == '\0' && port >= 0 && port <= UINT16_MAX;
}

static bool parse_option(int option, const char *arg, struct options *o)
{
	char answer[MISCHIEF_ANSWER_MAX], *end;
	int64_t e4;
	switch (option) {
	case 'l':
		return parse_listen(arg, &o->listen);
	case 't':
		o->ticks = arg;
		return true;
	case 'c':
		o->control = arg;
		return true;
	case 'w':
		o->sent = arg;
		return true;
	case 's':
		o->speed = strtod(arg, &end);
		return end != arg && *end == '\0' && o->speed > 0 && o->speed <= 1000;
	case 'b':
		if (!price_parse_e4(&e4, arg, strlen(arg)))
			return false;
		o->base_cents = price_from_e4(e4).cents;
		return o->base_cents > 0 && o->base_cents <= PRICE_MAX_CENTS / 10;
	case 'a':
		o->basis_bp = strtol(arg, &end, 10);
		return end != arg && *end == '\0' && labs(o->basis_bp) < 1000;
	case 'n':
		o->noise_cents = strtol(arg, &end, 10);
		return end != arg && *end == '\0' && o->noise_cents >= 0 && o->noise_cents <= 100000;
	case 'm':
		if (mischief_command(&o->mischief, arg, clk_mono_ms(), answer))
			return true;
		(void) fprintf(stderr, "venue-replay: --mischief '%s': %s\n", arg, answer);
		return false;
	default:
		return false;
	}
}

static int read_options(int argc, char **argv, struct options *o)
{
	static const struct option known[] = {
		{ "listen", required_argument, NULL, 'l' }, { "ticks", required_argument, NULL, 't' },
		{ "speed", required_argument, NULL, 's' }, { "base-price", required_argument, NULL, 'b' },
		{ "basis-bp", required_argument, NULL, 'a' }, { "noise-cents", required_argument, NULL, 'n' },
		{ "control", required_argument, NULL, 'c' }, { "sent", required_argument, NULL, 'w' },
		{ "mischief", required_argument, NULL, 'm' }, { "help", no_argument, NULL, 'h' }, { 0 },
	};
	int option;
	while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
		if (option == 'h') {
			(void) fputs(help, stdout);
			exit(EX_OK);
		}
		if (!parse_option(option, optarg, o)) {
			if (option != '?')
				(void) fprintf(stderr, "venue-replay: wrong value: %s\n", optarg);
			return EX_USAGE;
		}
	}
	return optind == argc ? EX_OK : EX_USAGE;
}

static void catch_signals(void)
{
	struct sigaction act = { .sa_handler = on_signal };
	(void) sigaction(SIGTERM, &act, NULL);
	(void) sigaction(SIGINT, &act, NULL);
	act.sa_handler = SIG_IGN;
	(void) sigaction(SIGPIPE, &act, NULL);
}

static int run(struct options *o, struct tape *tape, struct control *control)
{
	uint16_t port;
	FILE *sent = o->sent ? fopen(o->sent, "we") : NULL;
	if (o->sent && !sent)
		return err_say(-errno, "%s cannot be written", o->sent);
	int r = serve_start(&(struct serve_conf){ .listen = o->listen, .speed = o->speed, .basis_bp = o->basis_bp,
		.noise_cents = o->noise_cents, .tape = tape, .mischief = &o->mischief, .sent = sent }, &port);
	if (r == 0) {
		(void) printf("venue-replay: %zu points, listening on %s:%u\n", tape_count(tape), o->listen.host, port);
		(void) fflush(stdout);
	}
	while (r == 0 && !asked_to_stop) {
		r = serve_turn(TURN_MS);
		if (control)
			control_poll(control, &o->mischief);
	}
	serve_stop();
	if (sent && fclose(sent) != 0 && r == 0)
		r = err_say(-EIO, "%s cannot be written", o->sent);
	return r;
}

int main(int argc, char **argv)
{
	static struct options o = { .listen = { "127.0.0.1", 9443 }, .ticks = "data/binance_btcusdt_20240808.csv", .speed = 1 };
	struct tape *tape = NULL;
	struct control *control = NULL;

	if (read_options(argc, argv, &o) != EX_OK) {
		(void) fputs("venue-replay --help tells what there is\n", stderr);
		return EX_USAGE;
	}
	catch_signals();
	int r = tape_load(&tape, o.ticks, o.base_cents);
	if (r == 0 && o.control)
		r = control_open(&control, o.control);
	if (r == 0)
		r = run(&o, tape, control);
	if (r < 0)
		(void) fprintf(stderr, "venue-replay: %s (%s)\n", err_text(), strerror(-r));
	(void) control_close(control);
	(void) tape_free(tape);
	return r < 0 ? EX_UNAVAILABLE : EX_OK;
}
