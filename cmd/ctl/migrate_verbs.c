/* migrate status, up, down: the files' schema against this program's. A past week's file is never written but here: all files
 * are of one version, so that history can be read. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"
#include "err.h"
#include "http_get.h"
#include "schema.h"

enum { PATH_SIZE = 512, ASK_MS = 1000 };

static int newest_of(const struct store_schema *schema)
{
	int version = 0;
	for (const struct store_migration *m = schema->migrations; m->version; m++)
		version = m->version;
	return version;
}

/* A reader looks at the version and changes nothing. */
static int show_version(struct ctl *c, const char *name, const struct store_schema *schema, bool *behind)
{
	char path[PATH_SIZE];
	struct store *db;
	int newest = newest_of(schema), version = 0;
	(void) snprintf(path, sizeof path, "%s/%s", c->settings.data_dir.v, name);
	int r = store_open(&db, path, STORE_READ, schema);
	bool older = r == -EPROTO; /* a reader of this program does not open it, so its number is not known */
	if (r < 0 && !older)
		return ctl_fail_errno(c, r, name);
	err_clear();
	if (r == 0) {
		version = store_version(db);
		store_close(db);
	}
	out_row(&c->out);
	out_text(&c->out, "file", name);
	if (older)
		out_text(&c->out, "version", NULL);
	else
		out_int(&c->out, "version", version);
	out_int(&c->out, "newest", newest);
	out_text(&c->out, "state", r == STORE_E_NEWER ? "newer than this program" :
			r == STORE_E_ABSENT ? "absent" : older || version < newest ? "behind" : "up to date");
	out_end_row(&c->out);
	*behind = *behind || r != 0 || version != newest;
	return 0;
}

int verb_migrate_status(struct ctl *c)
{
	size_t n;
	bool behind = false;
	char (*names)[WEEK_NAME_SIZE] = ctl_week_files(c->settings.data_dir.v, &n);
	if (!names)
		return ctl_fail(c, EX_OSERR, "no memory");
	if (n == 0) {
		free(names);
		return ctl_fail(c, EX_NOINPUT, "%s: there are no books (TAP_DATA_DIR)", c->settings.data_dir.v);
	}
	out_list(&c->out, "files");
	int code = show_version(c, "meta.db", &schema_meta, &behind);
	for (size_t i = 0; i < n && code == 0; i++)
		code = show_version(c, names[i], &schema_week, &behind);
	if (code == 0)
		out_end_list(&c->out);
	free(names);
	return code ? code : behind ? EX_DRIFT : 0;
}

/* A daemon that runs has statements of this version in its hands. */
static const char *running_daemon(struct ctl *c)
{
	const struct settings *s = &c->settings;
	const struct {
		const char *name;
		const struct conf_listen *at;
	} daemons[] = { { "api", &s->api_ops }, { "resolver", &s->resolver_ops }, { "archiver", &s->archiver_ops } };
	for (size_t i = 0; i < ARRAY_LEN(daemons); i++) {
		_cleanup_(buf_free) struct buf answer = BUF_INIT(HTTP_GET_MAX);
		int status;
		if (http_get(daemons[i].at, "/ready", ASK_MS, &status, &answer) == 0)
			return daemons[i].name;
		err_clear();
	}
	return NULL;
}

/* by 0: up to the newest; else so many versions down, but never below the first, which holds the money. */
static int move_file(struct ctl *c, const char *name, const struct store_schema *schema, int by)
{
	char path[PATH_SIZE];
	struct store *db;
	(void) snprintf(path, sizeof path, "%s/%s", c->settings.data_dir.v, name);
	int r = store_open(&db, path, STORE_READ, schema);
	int before = r == 0 ? store_version(db) : 0;
	if (r == 0)
		store_close(db);
	err_clear();
	r = store_open(&db, path, STORE_WRITE, schema); /* this is the way up */
	if (r == STORE_E_NEWER)
		return ctl_fail(c, EX_DATAERR, "%s is of a newer release", name);
	if (r != 0)
		return r > 0 ? ctl_fail(c, EX_TEMPFAIL, "%s: the disk is full", name) : ctl_fail_errno(c, r, name);
	int version = store_version(db);
	if (version > by && by > 0) {
		before = version;
		r = store_migrate(db, version - by);
	}
	out_row(&c->out);
	out_text(&c->out, "file", name);
	out_int(&c->out, "before", before); /* 0: an older one than this program can read */
	out_int(&c->out, "version", store_version(db));
	out_end_row(&c->out);
	store_close(db);
	return r > 0 ? ctl_fail(c, EX_TEMPFAIL, "%s: the disk is full", name) : r < 0 ? ctl_fail_errno(c, r, name) : 0;
}

static int move_all(struct ctl *c, int by)
{
	size_t n;
	char (*names)[WEEK_NAME_SIZE] = ctl_week_files(c->settings.data_dir.v, &n);
	if (!names)
		return ctl_fail(c, EX_OSERR, "no memory");
	out_list(&c->out, "files");
	int code = move_file(c, "meta.db", &schema_meta, by);
	for (size_t i = 0; i < n && code == 0; i++)
		code = move_file(c, names[i], &schema_week, by);
	if (code == 0)
		out_end_list(&c->out);
	free(names);
	return code;
}

/* Into the audit log while the books are of this program's version: after the way up, before the way down. */
static int log_it(struct ctl *c, const char *what)
{
	int code;
	_cleanup_(week_closep) struct week *w = ctl_book(c, STORE_WRITE, &code);
	return w ? ctl_audit(c, w, "%s", what) : code;
}

static bool books_are_there(struct ctl *c)
{
	struct store *meta;
	char path[PATH_SIZE];
	(void) snprintf(path, sizeof path, "%s/meta.db", c->settings.data_dir.v);
	int r = store_open(&meta, path, STORE_READ, &schema_meta);
	err_clear();
	if (r == 0)
		store_close(meta);
	return r != STORE_E_ABSENT;
}

int verb_migrate_up(struct ctl *c)
{
	if (!books_are_there(c))
		return ctl_fail(c, EX_NOINPUT, "%s: there are no books (TAP_DATA_DIR)", c->settings.data_dir.v);
	int code = move_all(c, 0);
	return code ? code : log_it(c, "migrate up");
}

int verb_migrate_down(struct ctl *c)
{
	if (!books_are_there(c))
		return ctl_fail(c, EX_NOINPUT, "%s: there are no books (TAP_DATA_DIR)", c->settings.data_dir.v);
	const char *running = running_daemon(c);
	if (running)
		return ctl_fail(c, EX_TEMPFAIL, "%s is running: stop the daemons first", running);
	if (!ctl_option(c, "yes"))
		return ctl_fail(c, EX_USAGE, "what the version before cannot hold is lost: make a backup, then say --yes");
	int code = log_it(c, "migrate down");
	return code ? code : move_all(c, 1);
}
