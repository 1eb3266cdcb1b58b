#include "archiver.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/statvfs.h>

#include "archives.h"
#include "clk.h"
#include "daemon.h"
#include "err.h"
#include "jobs.h"
#include "s3.h"
#include "shipping.h"
#include "waiting.h"

enum { TURN_MS = 100, DISK_WARNING = 70, DISK_CRITICAL = 85, DISK_NO_WRITES = 95 };

static const struct settings *settings;
/* The main thread's; the operations port looks at them under the lock, so that it never meets one that is being stopped. */
static struct jobs *jobs;
static struct shipping *shipping; /* NULL: there is no object store */
static struct archives *archives;
static pthread_mutex_t jobs_lock = PTHREAD_MUTEX_INITIALIZER;
static int64_t status_ms;

/* A credential that the service manager gives is not here when somebody checks by hand. */
int archiver_check(const struct settings *s, FILE *report)
{
	struct s3_conf s3;
	settings_s3(s, &s3);
	if (!s3.endpoint[0] || (!s3.credentials_file[0] && !getenv("CREDENTIALS_DIRECTORY")) || s3_look_at_credentials(&s3) == 0)
		return 0;
	(void) fprintf(report, "TAP_S3_CREDENTIALS_FILE=%s: %s\n", s3.credentials_file, err_text());
	err_clear();
	return 1;
}

int archiver_start(const struct settings *s)
{
	struct jobs *started;
	struct shipping *ships;
	struct archives *archiving;
	settings = s;
	int r = shipping_start(&ships, s);
	if (r < 0)
		return r;
	r = jobs_start(&started, s, JOBS_START_MS);
	if (r < 0) {
		(void) shipping_stop(ships);
		return r;
	}
	r = archives_start(&archiving, s, ARCHIVES_START_MS);
	if (r < 0) {
		(void) jobs_stop(started);
		(void) shipping_stop(ships);
		return r;
	}
	(void) pthread_mutex_lock(&jobs_lock);
	jobs = started;
	shipping = ships;
	archives = archiving;
	(void) pthread_mutex_unlock(&jobs_lock);
	return 0;
}

void archiver_stop(void)
{
	(void) pthread_mutex_lock(&jobs_lock);
	struct jobs *stopping = jobs;
	struct shipping *ships = shipping;
	struct archives *archiving = archives;
	jobs = NULL;
	shipping = NULL;
	archives = NULL;
	(void) pthread_mutex_unlock(&jobs_lock);
	(void) archives_stop(archiving);
	jobs_stop(stopping);
	(void) shipping_stop(ships); /* last: what was done until now is shipped */
}

static bool look(struct jobs_report *ret)
{
	(void) pthread_mutex_lock(&jobs_lock);
	bool there = jobs != NULL;
	if (there)
		jobs_report(jobs, ret);
	(void) pthread_mutex_unlock(&jobs_lock);
	return there;
}

/* False: nothing is shipped. */
static bool look_at_shipping(struct shipping_report *ret)
{
	(void) pthread_mutex_lock(&jobs_lock);
	bool there = shipping != NULL;
	if (there)
		shipping_report(shipping, ret);
	(void) pthread_mutex_unlock(&jobs_lock);
	return there;
}

static struct archives_report look_at_archives(void)
{
	struct archives_report ret = { 0 };
	(void) pthread_mutex_lock(&jobs_lock);
	if (archives)
		archives_report(archives, &ret);
	(void) pthread_mutex_unlock(&jobs_lock);
	return ret;
}

int archiver_turn(void)
{
	struct jobs_report report;
	int64_t now_ms = clk_mono_ms();
	(void) clk_sleep_until_ms(now_ms + TURN_MS);
	if (now_ms >= status_ms && look(&report)) {
		char stamp[CLK_RFC3339_SIZE] = "never";
		if (report.backup_ms)
			clk_rfc3339(stamp, report.backup_ms);
		daemon_status("newest backup %s, integrity %s", stamp,
				!report.checked ? "not checked yet" : report.integrity_ok ? "ok" : "DRIFT");
		status_ms = now_ms + 5000;
	}
	return 0;
}

bool archiver_alive(void)
{
	struct jobs_report report;
	struct shipping_report ships;
	if (look_at_shipping(&ships) && ships.busy_since_ms && clk_mono_ms() - ships.busy_since_ms >= SHIPPING_STUCK_MS)
		return false;
	return !look(&report) || !report.busy_since_ms || clk_mono_ms() - report.busy_since_ms < JOBS_STUCK_MS;
}

/* Percent of the data folder's disk that is used, as df counts it; -1: not known. */
static int disk_used(void)
{
	struct statvfs fs;
	if (statvfs(settings->data_dir.v, &fs) < 0 || fs.f_blocks == 0)
		return -1;
	uint64_t used = fs.f_blocks - fs.f_bfree;
	uint64_t all = used + fs.f_bavail;
	return all ? (int) ((used * 100 + all - 1) / all) : 100;
}

static void database_health(struct ops_health *h, const struct jobs_report *r)
{
	int64_t now_ms = clk_now_ms(), age_ms = r->backup_ms ? now_ms - r->backup_ms : 0;
	enum health is = HEALTH_HEALTHY;
	if (r->backup_failing || age_ms > 2 * settings->backup_s * 1000 + JOBS_RETRY_MS)
		is = HEALTH_DEGRADED;
	if (r->checked && !r->integrity_ok)
		is = HEALTH_CRITICAL;
	ops_check_begin(h, "database", is);
	if (r->backup_ms)
		jw_int(&h->w, "last_backup", r->backup_ms);
	else
		jw_null(&h->w, "last_backup");
	jw_str(&h->w, "integrity", !r->checked ? "not checked yet" : r->integrity_ok ? "ok" : "drift");
	if (r->finding[0])
		jw_str(&h->w, "finding", r->finding);
	ops_check_end(h);
}

static int64_t lag_s(void)
{
	int64_t lag_ms = ship_lag_ms(settings->data_dir.v, clk_now_ms());
	return lag_ms == INT64_MAX ? INT64_MAX : lag_ms / 1000;
}

static void shipping_health(struct ops_health *h, const struct shipping_report *r)
{
	if (r->stopped)
		jw_str(&h->w, "shipping", "stopped");
	else if (lag_s() == INT64_MAX)
		jw_str(&h->w, "shipping", "nothing can be restored yet");
	else
		jw_int(&h->w, "shipping_lag_seconds", lag_s());
	if (r->text[0])
		jw_str(&h->w, "shipping_failure", r->text);
}

static void storage_health(struct ops_health *h)
{
	const struct archives_report a = look_at_archives();
	struct shipping_report ships;
	bool shipped = look_at_shipping(&ships);
	int used = disk_used();
	enum health is = HEALTH_HEALTHY;
	if (shipped && (ships.failing || lag_s() > settings->ship_lag_s))
		is = HEALTH_DEGRADED;
	if (used < 0 || used >= DISK_WARNING || a.failing_since_ms || a.still_ms >= ARCHIVES_STILL_MS)
		is = HEALTH_DEGRADED;
	if (used >= DISK_CRITICAL || (shipped && ships.stopped))
		is = HEALTH_CRITICAL;
	ops_check_begin(h, "storage", is);
	jw_str(&h->w, "endpoint", settings->s3_endpoint.v[0] ? settings->s3_endpoint.v : "not configured: nothing is shipped");
	if (shipped)
		shipping_health(h, &ships);
	jw_int(&h->w, "disk_used_percent", used);
	if (used >= DISK_NO_WRITES)
		jw_str(&h->w, "disk", "writes are refused");
	if (a.verified_ms)
		jw_int(&h->w, "last_archive", a.verified_ms);
	else
		jw_null(&h->w, "last_archive");
	jw_int(&h->w, "weeks_to_archive", a.waiting);
	if (a.step[0]) {
		jw_str(&h->w, "archive_step", a.step);
		jw_int(&h->w, "archive_step_since", a.step_since_ms);
		jw_int(&h->w, "archive_still_seconds", a.still_ms / 1000);
	}
	if (a.problem[0])
		jw_str(&h->w, "archive_problem", a.problem);
	ops_check_end(h);
}

void archiver_health(struct ops_health *h, void *u)
{
	(void) u;
	struct jobs_report report;
	if (!look(&report)) {
		ops_check(h, "database", HEALTH_CRITICAL);
		return;
	}
	database_health(h, &report);
	storage_health(h);
}

bool archiver_ready(void *u)
{
	(void) u;
	struct jobs_report report;
	return look(&report);
}

static void shipping_metrics(struct buf *out, const struct jobs_report *jobs_are)
{
	struct shipping_report r;
	if (!look_at_shipping(&r))
		return;
	int64_t lag_ms = ship_lag_ms(settings->data_dir.v, clk_now_ms());
	if (lag_ms != INT64_MAX)
		ops_gauge(out, "tap_shipping_lag_seconds", "age of the newest moment of which all could be restored",
				(double) lag_ms / 1000);
	ops_gauge(out, "tap_shipping_known", "0: nothing could be restored, so there is no lag to tell", lag_ms != INT64_MAX);
	ops_gauge(out, "tap_shipping_stopped", "1: another archiver, or another book, is in the bucket", r.stopped);
	ops_gauge(out, "tap_shipping_segment", "number of the newest segment", (double) r.shipper.place.number);
	ops_counter(out, "tap_shipping_segments_total", "segments written", r.shipper.segments);
	ops_counter(out, "tap_shipping_bytes_total", "their bytes", r.shipper.bytes);
	ops_counter(out, "tap_shipping_rows_total", "ledger rows in them", r.shipper.rows);
	ops_counter(out, "tap_shipping_bets_total", "bets in them", r.shipper.bets);
	ops_counter(out, "tap_shipping_failures_total", "turns that met weather", r.failures);
	if (jobs_are->snapshot_ms)
		ops_gauge(out, "tap_snapshot_last_success_timestamp_seconds", "when the newest snapshot was sent",
				(double) jobs_are->snapshot_ms / 1000);
	ops_counter(out, "tap_snapshot_failures_total", "snapshots that could not be sent", jobs_are->snapshot_failures);
	ops_gauge(out, "tap_drill_ok", "0: the newest drill failed; 1 also while there was none",
			jobs_are->drill.good || jobs_are->drill.at_ms == 0);
	if (!jobs_are->drill.good_ms)
		return;
	ops_gauge(out, "tap_drill_last_success_timestamp_seconds", "when a drill last restored the books and found them whole",
			(double) jobs_are->drill.good_ms / 1000);
	ops_gauge(out, "tap_drill_rpo_seconds", "how old the restored books were", (double) jobs_are->drill.rpo_ms / 1000);
	ops_gauge(out, "tap_drill_rto_seconds", "how long the restore took", (double) jobs_are->drill.rto_ms / 1000);
}

static void archive_metrics(struct buf *out)
{
	const struct archives_report a = look_at_archives();
	if (!a.on)
		return;
	ops_gauge(out, "tap_archive_last_success_timestamp_seconds", "when a week was last sent, fetched back and compared; 0: never",
			(double) a.verified_ms / 1000);
	ops_gauge(out, "tap_archive_weeks_waiting", "closed weeks that are here and not yet archived", (double) a.waiting);
	ops_gauge(out, "tap_archive_failing_since_timestamp_seconds", "since when every try failed; 0: the last went well",
			(double) a.failing_since_ms / 1000);
	ops_family(out, "tap_archive_weeks_total", "weeks since the start, by what was done", "counter");
	ops_labelled(out, "tap_archive_weeks_total", "done=\"verified\"", (double) a.verified);
	ops_labelled(out, "tap_archive_weeks_total", "done=\"purged\"", (double) a.purged);
	ops_gauge(out, "tap_archive_step_since_timestamp_seconds", "when the step at hand began; 0: none is",
			(double) a.step_since_ms / 1000);
	ops_gauge(out, "tap_archive_still_seconds", "for how long the step at hand came no further", (double) a.still_ms / 1000);
	ops_counter(out, "tap_archive_moved_bytes_total", "read, written, sent and received for archives", a.moved_bytes);
	ops_counter(out, "tap_archive_failures_total", "tries that ended with a problem", a.failures);
}

void archiver_metrics(struct buf *out, void *u)
{
	(void) u;
	struct jobs_report r;
	if (!look(&r))
		return;
	shipping_metrics(out, &r);
	if (r.backup_ms)
		ops_gauge(out, "tap_backup_last_success_timestamp_seconds", "when the newest good backup was made",
				(double) r.backup_ms / 1000);
	ops_gauge(out, "tap_backup_bytes", "size of the newest backup made since the start", (double) r.backup_bytes);
	ops_gauge(out, "tap_backup_duration_seconds", "making and verifying it", (double) r.backup_took_ms / 1000);
	ops_family(out, "tap_backups_total", "backups tried, by result", "counter");
	ops_labelled(out, "tap_backups_total", "result=\"good\"", (double) r.backups);
	ops_labelled(out, "tap_backups_total", "result=\"failed\"", (double) r.backup_failures);
	if (r.checked) {
		ops_gauge(out, "tap_integrity_ok", "1: the newest check found the book whole", r.integrity_ok);
		ops_gauge(out, "tap_integrity_last_check_timestamp_seconds", "when it was", (double) r.checked_ms / 1000);
	}
	ops_gauge(out, "tap_integrity_duration_seconds", "length of the newest check since the start",
			(double) r.check_took_ms / 1000);
	ops_counter(out, "tap_integrity_failures_total", "checks that could not look at the book", r.check_failures);
	archive_metrics(out);
	ops_gauge(out, "tap_disk_used_ratio", "used part of the data folder's disk", (double) disk_used() / 100);
	waiting_metrics(out, settings);
}
