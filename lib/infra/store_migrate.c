/* Numbered steps from one schema to the next, each in a transaction with the version it leads to. */
#include <errno.h>
#include <stdio.h>

#include "check.h"
#include "err.h"
#include "store_impl.h"

int store_newest_version(const struct store_schema *schema)
{
	int newest = 0;
	for (const struct store_migration *m = schema->migrations; m->version; m++) {
		CHECK(m->version == newest + 1);
		newest = m->version;
	}
	return newest;
}

int store_version(struct store *s)
{
	int64_t version;
	int r = store_query_int(s, "PRAGMA user_version", &version);
	return r < 0 ? r : (int) version;
}

static int apply(struct store *s, const char *sql, int version)
{
	char mark[96];
	(void) snprintf(mark, sizeof mark, "PRAGMA application_id=%d; PRAGMA user_version=%d; COMMIT",
			(int) s->schema->application_id, version);
	int r = store_exec(s, "BEGIN IMMEDIATE");
	if (r == 0)
		r = store_exec(s, sql);
	if (r == 0)
		r = store_exec(s, mark);
	if (!sqlite3_get_autocommit(s->db))
		(void) sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
	return r;
}

static int migrate_inside(struct store *s, int version)
{
	int at = store_version(s);
	while (at >= 0 && at != version) {
		const struct store_migration *m = &s->schema->migrations[at < version ? at : at - 1];
		int to = at < version ? at + 1 : at - 1;
		int r = apply(s, at < version ? m->up : m->down, to);
		if (r < 0)
			return err_trace(r);
		at = to;
	}
	return at < 0 ? at : 0;
}

int store_migrate(struct store *s, int version)
{
	CHECK(s->mode == STORE_WRITE && !s->in_tx);
	if (version < 0 || version > store_newest_version(s->schema))
		return STORE_E_ABSENT;
	int r = store_gate_enter(s);
	if (r < 0)
		return err_trace(r);
	r = migrate_inside(s, version);
	store_gate_leave(s);
	return r == -ENOSPC ? STORE_E_FULL : err_trace(r);
}

/* The journal that a new file began with is gone for good only once the directory is synced; found again after a power cut, it
 * would roll the file back to nothing. */
static int sync_name(struct store *s)
{
	char dir[512];
	store_dir_of(dir, sizeof dir, s->path);
	return err_trace(store_sync(dir));
}

int store_migrate_on_open(struct store *s)
{
	int64_t id, tables;
	int version = store_version(s);
	if (version < 0)
		return err_trace(version);
	int r = store_query_int(s, "PRAGMA application_id", &id);
	if (r == 0)
		r = store_query_int(s, "SELECT count(*) FROM sqlite_schema", &tables);
	if (r < 0)
		return err_trace(r);
	bool fresh = version == 0 && tables == 0;
	if (id != s->schema->application_id && !(id == 0 && fresh))
		return err_say(-EBADMSG, "%s: application_id %lld is not ours", s->path, (long long) id);
	int newest = store_newest_version(s->schema);
	if (version > newest)
		return STORE_E_NEWER;
	if (s->mode == STORE_WRITE) {
		r = store_migrate(s, newest);
		return r == 0 && fresh ? sync_name(s) : r;
	}
	if (version == 0)
		return STORE_E_ABSENT;
	if (version < newest)
		return err_say(-EPROTO, "%s: version %d is not migrated to %d yet", s->path, version, newest);
	return 0;
}
