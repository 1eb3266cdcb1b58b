#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon_impl.h"
#include "err.h"

enum act { DO_CHECK = 1, DO_HELP, DO_VERSION, DO_MANUAL };

static const struct {
	const char *name, *says;
	enum act act;
} options[] = {
	{ "check-config", "exit 0 when the configuration is good, else 78 with a line for each wrong key", DO_CHECK },
	{ "help", "this text", DO_HELP },
	{ "manual", "this text as a page for man(1)", DO_MANUAL },
	{ "version", "the version", DO_VERSION },
};

/* --help and the manual page. */
static void describe(const struct daemon_spec *spec, const struct manual *p)
{
	char name[32], line[96];
	(void) snprintf(name, sizeof name, "tap-trading-%s", spec->name);
	(void) snprintf(line, sizeof line, "%s [--check-config | --help | --manual | --version]\n", name);
	manual_begin(p, name, spec->summary, TAP_RELEASE);
	manual_section(p, "SYNOPSIS");
	manual_lines(p, line);
	manual_section(p, "DESCRIPTION");
	manual_text(p, "Stays in the foreground until SIGTERM or SIGINT, which let it end what it has begun. Logs a line "
		     "for each thing worth telling: as fields to the journal when systemd started it, else as JSON on stderr.\n\n"
		     "A port of its own for operations answers /health (503 when critical), /ready (200 or 503) and /metrics (the text "
		     "format of Prometheus).");
	manual_section(p, "OPTIONS");
	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		(void) snprintf(line, sizeof line, "--%s", options[i].name);
		manual_item(p, line, options[i].says);
	}
	manual_section(p, "EXIT STATUS");
	manual_item(p, "0", "stopped as it was asked to");
	manual_item(p, "64", "wrong options");
	manual_item(p, "69", "a part could not start");
	manual_item(p, "70", "a failure inside; the service manager starts it again");
	manual_item(p, "78", "wrong configuration");
	settings_help(spec->who, p);
	manual_section(p, "SEE ALSO");
	manual_text(p, "tap-trading-ctl(8), docs/operations.md, docs/runbook.md");
}

enum cli cli_parse(int argc, char **argv, const struct daemon_spec *spec)
{
	struct option longs[ARRAY_LEN(options) + 1] = { 0 };
	enum cli what = CLI_RUN;
	for (size_t i = 0; i < ARRAY_LEN(options); i++)
		longs[i] = (struct option){ .name = options[i].name, .val = (int) options[i].act };
	opterr = 0;
	for (int c; (c = getopt_long(argc, argv, "+", longs, NULL)) != -1;) {
		switch (c) {
		case DO_CHECK:
			what = CLI_CHECK;
			break;
		case DO_HELP:
		case DO_MANUAL:
			describe(spec, &(struct manual){ .to = stdout, .roff = c == DO_MANUAL });
			return CLI_DONE;
		case DO_VERSION:
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
