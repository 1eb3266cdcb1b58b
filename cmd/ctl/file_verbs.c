/* integrity, backup run, week list, migrate status: the files. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "backup.h"
#include "ctl.h"
#include "err.h"
#include "integrity.h"
#include "schema.h"

enum { WEEKS_MAX = 1024, PATH_SIZE = 512 };

static void show_integrity(struct out *o, const struct integrity *i)
{
	out_text(o, "integrity", i->finding[0] ? "drift" : "ok");
	if (i->finding[0])
		out_text(o, "finding", i->finding);
	out_int(o, "accounts", i->accounts);
	out_int(o, "rows", i->rows);
	out_int(o, "commits", i->commits);
	out_int(o, "bets", i->bets);
	out_int(o, "open_bets", i->open_bets);
	out_int(o, "columns", i->columns);
	out_int(o, "audit_rows", i->audit_rows);
	out_money(o, "balances", i->balances.micros);
}

int verb_integrity(struct ctl *c)
{
	int code;
	struct integrity found;
	_cleanup_(week_closep) struct week *w = ctl_book(c, STORE_READ, &code);
	if (!w)
		return code;
	int r = integrity_check(w, true, &found);
	if (r < 0)
		return ctl_fail_errno(c, r, "the book cannot be checked");
	show_integrity(&c->out, &found);
	return r == INTEGRITY_E_DRIFT ? EX_DRIFT : 0;
}

int verb_backup_run(struct ctl *c)
{
	char dir[BACKUP_PATH_MAX];
	struct backup b;
	int code;
	backup_dir(&c->settings, dir);
	_cleanup_(week_closep) struct week *w = ctl_book(c, STORE_WRITE, &code);
	if (!w)
		return code;
	code = ctl_audit(c, w, "backup run");
	if (code)
		return code;
	int r = backup_make(c->settings.data_dir.v, dir, c->now_ms, &b);
	if (r == BACKUP_E_BAD)
		return ctl_fail(c, EX_DRIFT, "the copy failed its check and was removed: %s", b.found.finding);
	if (r == BACKUP_E_BUSY)
		return ctl_fail(c, EX_TEMPFAIL, "another backup is made just now");
	if (r == BACKUP_E_FULL)
		return ctl_fail(c, EX_TEMPFAIL, "%s: there is no room", dir);
	if (r < 0)
		return ctl_fail_errno(c, r, "backup");
	out_text(&c->out, "backup", b.path);
	out_int(&c->out, "bytes", b.bytes);
	out_int(&c->out, "took_ms", b.took_ms);
	show_integrity(&c->out, &b.found);
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* The weeks' files in the data folder, oldest first; the caller frees. */
static char (*week_files(const char *dir, size_t *ret_n))[WEEK_NAME_SIZE]
{
	char (*names)[WEEK_NAME_SIZE] = calloc(WEEKS_MAX, sizeof *names);
	DIR *d = opendir(dir);
	int year, week, used;
	*ret_n = 0;
	for (struct dirent *e; names && d && *ret_n < WEEKS_MAX && (e = readdir(d));) {
		used = 0;
		if (sscanf(e->d_name, "bets_%4d_w%2d.db%n", &year, &week, &used) == 2 && used && !e->d_name[used])
			(void) snprintf(names[(*ret_n)++], WEEK_NAME_SIZE, "%.31s", e->d_name);
	}
	if (d)
		(void) closedir(d);
	if (names)
		qsort(names, *ret_n, sizeof *names, by_name);
	return names;
}

int verb_week_list(struct ctl *c)
{
	char current[WEEK_NAME_SIZE];
	int code;
	size_t n;
	_cleanup_(week_closep) struct week *w = ctl_book(c, STORE_READ, &code);
	if (!w)
		return code;
	const char *dir = c->settings.data_dir.v;
	week_file_name(current, week_current(w));
	char (*names)[WEEK_NAME_SIZE] = week_files(dir, &n);
	if (!names)
		return ctl_fail(c, EX_OSERR, "no memory");
	out_list(&c->out, "weeks");
	for (size_t i = 0; i < n; i++) {
		char path[PATH_SIZE];
		struct stat st = { 0 };
		(void) snprintf(path, sizeof path, "%s/%s", dir, names[i]);
		(void) stat(path, &st);
		out_row(&c->out);
		out_text(&c->out, "file", names[i]);
		out_text(&c->out, "state", strcmp(names[i], current) == 0 ? "current" : "closed");
		out_int(&c->out, "bytes", (int64_t) st.st_size);
		out_end_row(&c->out);
	}
	out_end_list(&c->out);
	free(names);
	return 0;
}

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
	if (r < 0)
		return ctl_fail_errno(c, r, name);
	if (r == 0) {
		version = store_version(db);
		store_close(db);
	}
	out_row(&c->out);
	out_text(&c->out, "file", name);
	out_int(&c->out, "version", version);
	out_int(&c->out, "newest", newest);
	out_text(&c->out, "state", r == STORE_E_NEWER ? "newer than this program" :
			r == STORE_E_ABSENT ? "absent" : version < newest ? "behind" : "up to date");
	out_end_row(&c->out);
	*behind = *behind || r != 0 || version != newest;
	return 0;
}

int verb_migrate_status(struct ctl *c)
{
	size_t n;
	bool behind = false;
	char (*names)[WEEK_NAME_SIZE] = week_files(c->settings.data_dir.v, &n);
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
