#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon_impl.h"
#include "err.h"

static void print_help(const struct daemon_spec *spec)
{
	(void) printf("tap-trading-%s - %s\n\n"
		      "usage: tap-trading-%s [--check-config | --help | --version]\n\n"
		      "Stays in the foreground until SIGTERM or SIGINT, logs to stderr or the journal.\n"
		      "  --check-config   exit 0 when the configuration is good, else 78 with a line for each wrong key\n"
		      "  --help           this\n"
		      "  --version        the version\n\n"
		      "Exit codes: 0 stopped as asked, 64 wrong options, 69 a part could not start, 70 a failure inside,\n"
		      "78 wrong configuration.\n\n"
		      "Configuration (environment variables; one file serves all daemons, an unknown TAP_* is an error):\n",
			spec->name, spec->summary, spec->name);
	settings_help(spec->who, stdout);
	(void) printf("\nThe secret REDIS_PASSWORD is read from $CREDENTIALS_DIRECTORY/REDIS_PASSWORD or from the file\n"
		      "that TAP_REDIS_PASSWORD_FILE names, never from the environment itself; S3_CREDENTIALS likewise.\n");
}

enum cli cli_parse(int argc, char **argv, const struct daemon_spec *spec)
{
	static const struct option options[] = {
		{ "check-config", no_argument, NULL, 'c' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'v' },
		{ 0 },
	};
	enum cli what = CLI_RUN;
	opterr = 0;
	for (int c; (c = getopt_long(argc, argv, "+", options, NULL)) != -1;) {
		switch (c) {
		case 'c':
			what = CLI_CHECK;
			break;
		case 'h':
			print_help(spec);
			return CLI_DONE;
		case 'v':
			(void) printf("tap-trading-%s %s\n", spec->name, TAP_RELEASE);
			return CLI_DONE;
		default:
			(void) fprintf(stderr, "tap-trading-%s: no such option: %s; --help lists them\n", spec->name,
					argv[optind - 1]);
			return CLI_WRONG;
		}
	}
	if (optind < argc) {
		(void) fprintf(stderr, "tap-trading-%s: takes no arguments: %s\n", spec->name, argv[optind]);
		return CLI_WRONG;
	}
	return what;
}

static bool level_parse(const char *text, enum log_level *ret)
{
	static const struct {
		const char *name;
		enum log_level level;
	} levels[] = { { "err", LOG_LEVEL_ERR }, { "warning", LOG_LEVEL_WARN }, { "notice", LOG_LEVEL_NOTICE },
		{ "info", LOG_LEVEL_INFO }, { "debug", LOG_LEVEL_DEBUG } };
	for (size_t i = 0; i < ARRAY_LEN(levels); i++)
		if (strcmp(text, levels[i].name) == 0) {
			*ret = levels[i].level;
			return true;
		}
	return false;
}

int config_load(struct settings *s, struct bus_conf *bus, char *password, size_t size, enum log_level *level)
{
	char *nothing[] = { NULL };
	int wrong = settings_load(s, environ ? environ : nothing, stderr);
	if (!level_parse(s->log_level.v, level) && s->log_level.v[0]) {
		wrong++;
		(void) fprintf(stderr, "TAP_LOG_LEVEL=%s: must be err, warning, notice, info or debug\n", s->log_level.v);
	}
	if (settings_bus(s, bus, password, size) < 0) {
		wrong++;
		(void) fprintf(stderr, "TAP_REDIS_PASSWORD_FILE=%s: %s\n", s->redis_password_file.v, err_text());
		err_clear();
	}
	return wrong;
}
