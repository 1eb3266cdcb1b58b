/* daemon_impl.h - what the files of daemon share. */
#ifndef TAP_DAEMON_IMPL_H
#define TAP_DAEMON_IMPL_H

#include "daemon.h"
#include "log.h"

enum cli { CLI_RUN, CLI_CHECK, CLI_DONE, CLI_WRONG };

/* Reads the options; has answered --help, --manual and --version itself when it returns CLI_DONE, and a wrong one with CLI_WRONG. */
enum cli cli_parse(int argc, char **argv, const struct daemon_spec *spec);

/* The TAP_* variables and the secrets: returns how many are wrong, each told on stderr. */
int config_load(struct settings *s, struct bus_conf *bus, char *password, size_t size, enum log_level *level);

/* When stderr is the journal, lines go there as fields instead. */
void journal_use(void);

/* Remembers what systemd passed; before any thread. */
void sockets_collect(void);

#endif
