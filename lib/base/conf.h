/* conf.h - configuration as rows: environment name, type, default, unit, meaning. Base floor.
 * The environment is the only source. A secret is never a value here: its row names a file (see conf_secret). All rows of the
 * suite stand in one table (service/settings.c), since all daemons read one tap.env: a key that none knows is an error.
 * Thread: read once before threads, then const. */
#ifndef TAP_CONF_H
#define TAP_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "attr.h"
#include "manual.h"

enum conf_type {
	CONF_INT,    /* decimal integer in [min, max]            -> int64_t */
	CONF_PPM,    /* decimal fraction such as 0.04 in [min, max] ppm -> int64_t of parts per million */
	CONF_TEXT,   /* min..max bytes                           -> struct conf_text */
	CONF_LISTEN, /* host:port                                -> struct conf_listen */
	CONF_INTS,   /* comma separated integers, each in [min, max], at most CONF_LIST_MAX, rising -> struct conf_ints */
	CONF_TEXTS   /* comma separated texts, at most CONF_LIST_MAX -> struct conf_texts */
};

enum { CONF_LIST_MAX = 16, CONF_TEXT_MAX = 256 };

struct conf_listen {
	char host[64];
	uint16_t port; /* 0: the kernel chooses (tests) */
};

struct conf_ints {
	int64_t v[CONF_LIST_MAX];
	size_t n;
};

struct conf_texts {
	char v[CONF_LIST_MAX][CONF_TEXT_MAX];
	size_t n;
};

struct conf_text {
	char v[CONF_TEXT_MAX];
};

struct conf_row {
	const char *name; /* with its TAP_; the table ends with NULL */
	enum conf_type type;
	void *into;       /* int64_t, struct conf_text, conf_listen, conf_ints, conf_texts by type */
	const char *preset;
	int64_t min, max;
	const char *unit;
	const char *meaning;
	unsigned used_by; /* bit mask of daemons, for --help */
};

/* Sets every row from env or its default. Writes one line for each wrong key to `report` (may be NULL) and returns how many
 * were wrong; names that begin with TAP_ and stand in no row count as wrong. env is as `environ`. */
int conf_load(const struct conf_row *rows, char *const *env, FILE *report);

/* Writes the rows whose used_by meets `who`; with used false the others. */
void conf_help(const struct conf_row *rows, unsigned who, bool used, const struct manual *p);

/* Reads the secret NAME from $CREDENTIALS_DIRECTORY/NAME, else from the file that path names (may be ""), without the
 * newlines at its end. 0 with a NUL-terminated text, 1 when neither is given, <0 when the file cannot be read or does not fit. */
MUST_CHECK int conf_secret(const char *name, const char *path, char *out, size_t size);

#endif
