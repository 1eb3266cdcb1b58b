#include "ops.h"

#include <dirent.h>
#include <errno.h>
#include <malloc.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "clk.h"
#include "err.h"
#include "httpd.h"
#include "log.h"

enum { OPS_DEADLINE_MS = 5000, HEALTH_BYTES_MAX = 16384, METRICS_BYTES_MAX = 1 << 20 };

struct ops {
	struct httpd *httpd;
	struct ops_spec spec;
	struct httpd_route routes[5]; /* the common ones, the daemon's own, the end */
	int64_t started_ms;
};

const char *health_name(enum health h)
{
	static const char *const names[] = { [HEALTH_HEALTHY] = "healthy", [HEALTH_DEGRADED] = "degraded",
		[HEALTH_CRITICAL] = "critical" };
	return names[h];
}

void ops_check_begin(struct ops_health *h, const char *name, enum health is)
{
	if (is > h->worst)
		h->worst = is;
	jw_object(&h->w, name);
	jw_str(&h->w, "status", health_name(is));
}

void ops_check_end(struct ops_health *h)
{
	jw_end_object(&h->w);
}

void ops_check(struct ops_health *h, const char *name, enum health is)
{
	ops_check_begin(h, name, is);
	ops_check_end(h);
}

unsigned ops_health_write(struct buf *ret, void (*health)(struct ops_health *h, void *u), void *u)
{
	struct ops_health h = { .body = BUF_INIT(HEALTH_BYTES_MAX) };
	struct json_out w;
	jw_begin(&h.w, &h.body);
	jw_object(&h.w, NULL);
	health(&h, u);
	jw_end_object(&h.w);

	jw_begin(&w, ret);
	jw_object(&w, NULL);
	jw_str(&w, "status", health_name(h.worst));
	jw_raw(&w, "checks", h.body.p, h.body.n);
	jw_end_object(&w);
	ret->failed |= h.body.failed;
	buf_free(&h.body);
	return h.worst == HEALTH_CRITICAL ? 503 : 200;
}

void ops_family(struct buf *out, const char *name, const char *help, const char *type)
{
	buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* The text format spells what is not finite in its own way. */
static void put_value(struct buf *out, double v)
{
	if (isnan(v))
		buf_puts(out, " NaN\n");
	else if (isinf(v))
		buf_puts(out, v > 0 ? " +Inf\n" : " -Inf\n");
	else
		buf_printf(out, " %.15g\n", v);
}

void ops_counter(struct buf *out, const char *name, const char *help, uint64_t v)
{
	ops_family(out, name, help, "counter");
	buf_printf(out, "%s %llu\n", name, (unsigned long long) v);
}

void ops_gauge(struct buf *out, const char *name, const char *help, double v)
{
	ops_family(out, name, help, "gauge");
	buf_puts(out, name);
	put_value(out, v);
}

void ops_labelled(struct buf *out, const char *name, const char *labels, double v)
{
	buf_printf(out, "%s{%s}", name, labels);
	put_value(out, v);
}

static const int64_t bucket_us[OPS_BUCKETS] = { 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000,
	2500000, 5000000, 10000000 };

void ops_observe_us(struct ops_histogram *h, int64_t us)
{
	size_t i = 0;
	if (us < 0)
		us = 0;
	while (i < OPS_BUCKETS && us > bucket_us[i])
		i++;
	atomic_fetch_add_explicit(&h->count[i], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&h->sum_us, (uint64_t) us, memory_order_relaxed);
}

/* The count is the sum of the buckets as they were read, so that a scrape never contradicts itself. */
void ops_histogram(struct buf *out, const char *name, const char *help, struct ops_histogram *h)
{
	uint64_t n = 0;
	ops_family(out, name, help, "histogram");
	for (size_t i = 0; i < OPS_BUCKETS; i++) {
		n += atomic_load_explicit(&h->count[i], memory_order_relaxed);
		buf_printf(out, "%s_bucket{le=\"%g\"} %llu\n", name, (double) bucket_us[i] / 1e6, (unsigned long long) n);
	}
	n += atomic_load_explicit(&h->count[OPS_BUCKETS], memory_order_relaxed);
	buf_printf(out, "%s_bucket{le=\"+Inf\"} %llu\n", name, (unsigned long long) n);
	buf_printf(out, "%s_sum %.6f\n", name, (double) atomic_load_explicit(&h->sum_us, memory_order_relaxed) / 1e6);
	buf_printf(out, "%s_count %llu\n", name, (unsigned long long) n);
}

static double resident_bytes(void)
{
	char line[128];
	unsigned long long pages = 0;
	FILE *f = fopen("/proc/self/statm", "re");
	if (!f)
		return (double) NAN;
	if (fgets(line, sizeof line, f)) {
		const char *second = strchr(line, ' ');
		pages = second ? strtoull(second, NULL, 10) : 0;
	}
	(void) fclose(f);
	return (double) pages * (double) sysconf(_SC_PAGESIZE);
}

/* What malloc gave out and did not get back: of a leak it tells more than resident memory, which holds holes too. */
static double heap_bytes(void)
{
	struct mallinfo2 m = mallinfo2();
	return (double) m.uordblks + (double) m.hblkhd;
}

static double open_files(void)
{
	DIR *d = opendir("/proc/self/fd");
	double n = 0;
	if (!d)
		return (double) NAN;
	for (const struct dirent *e = readdir(d); e; e = readdir(d))
		n += e->d_name[0] != '.';
	(void) closedir(d);
	return n - 1; /* the listing's own */
}

static void process_metrics(struct buf *out)
{
	static const struct {
		enum log_level level;
		const char *label;
	} levels[] = { { LOG_LEVEL_CRIT, "level=\"crit\"" }, { LOG_LEVEL_ERR, "level=\"err\"" },
		{ LOG_LEVEL_WARN, "level=\"warning\"" }, { LOG_LEVEL_NOTICE, "level=\"notice\"" },
		{ LOG_LEVEL_INFO, "level=\"info\"" } };
	struct rusage use;
	(void) getrusage(RUSAGE_SELF, &use);
	ops_family(out, "tap_build_info", "constant 1, with the version", "gauge");
	ops_labelled(out, "tap_build_info", "version=\"" TAP_RELEASE "\"", 1);
	ops_family(out, "tap_process_cpu_seconds_total", "processor time, user and system", "counter");
	buf_printf(out, "tap_process_cpu_seconds_total %.6f\n",
			(double) (use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
					(double) (use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6);
	ops_gauge(out, "tap_process_resident_memory_bytes", "resident memory", resident_bytes());
	ops_gauge(out, "tap_process_heap_bytes", "memory that is allocated and not freed", heap_bytes());
	ops_gauge(out, "tap_process_open_fds", "open file descriptors", open_files());
	ops_family(out, "tap_log_lines_total", "lines logged, or left out for their level", "counter");
	for (size_t i = 0; i < ARRAY_LEN(levels); i++)
		ops_labelled(out, "tap_log_lines_total", levels[i].label, (double) log_count(levels[i].level));
}

static void on_health(struct httpd_req *req, void *ctx)
{
	const struct ops *o = ctx;
	struct buf b = BUF_INIT(HEALTH_BYTES_MAX + 256);
	unsigned status = ops_health_write(&b, o->spec.health, o->spec.u);
	httpd_reply_json(req, status, &b);
}

static void on_ready(struct httpd_req *req, void *ctx)
{
	const struct ops *o = ctx;
	struct buf b = BUF_INIT(64);
	if (o->spec.ready && !o->spec.ready(o->spec.u)) {
		httpd_problem(req, PROBLEM_UNAVAILABLE, "Not ready to serve.", NULL, 1);
		return;
	}
	buf_puts(&b, "{\"ready\":true}");
	httpd_reply_json(req, 200, &b);
}

/* The same answers as /health and /ready, so that an alert needs no second way to ask. */
static void state_metrics(struct buf *out, const struct ops *o)
{
	struct buf unused = BUF_INIT(HEALTH_BYTES_MAX + 256);
	ops_gauge(out, "tap_process_start_time_seconds", "when the operations port was opened", (double) o->started_ms / 1000);
	ops_gauge(out, "tap_ready", "1 while /ready answers 200", !o->spec.ready || o->spec.ready(o->spec.u));
	ops_gauge(out, "tap_critical", "1 while /health answers 503", ops_health_write(&unused, o->spec.health, o->spec.u) != 200);
	buf_free(&unused);
}

static void on_metrics(struct httpd_req *req, void *ctx)
{
	const struct ops *o = ctx;
	struct buf b = BUF_INIT(METRICS_BYTES_MAX);
	process_metrics(&b);
	state_metrics(&b, o);
	if (o->spec.metrics)
		o->spec.metrics(&b, o->spec.u);
	httpd_reply_text(req, 200, "text/plain; version=0.0.4; charset=utf-8", &b);
}

static void on_page(struct httpd_req *req, void *ctx)
{
	const struct ops *o = ctx;
	struct buf b = BUF_INIT(METRICS_BYTES_MAX);
	struct json_out w;
	jw_begin(&w, &b);
	o->spec.page.write(&w, o->spec.u);
	httpd_reply_json(req, 200, &b);
}

static const struct httpd_route common[] = {
	{ "GET", "/health", on_health, 0 },
	{ "GET", "/ready", on_ready, 0 },
	{ "GET", "/metrics", on_metrics, 0 },
};

static void no_checks(struct ops_health *h, void *u)
{
	(void) h;
	(void) u;
}

int ops_start(struct ops **ret, const struct conf_listen *at, int listen_fd, const struct ops_spec *spec)
{
	struct ops *o = calloc(1, sizeof *o);
	if (!o)
		return err_say(-ENOMEM, "ops: no memory");
	o->spec = *spec;
	o->started_ms = clk_now_ms();
	if (!o->spec.health)
		o->spec.health = no_checks;
	memcpy(o->routes, common, sizeof common);
	if (spec->page.path)
		o->routes[ARRAY_LEN(common)] = (struct httpd_route){ "GET", spec->page.path, on_page, 0 };
	const struct httpd_conf conf = { .host = at->host, .port = at->port, .listen_fd = listen_fd, .threads = 1,
		.request_deadline_ms = OPS_DEADLINE_MS, .routes = o->routes, .ctx = o };
	int r = httpd_start(&o->httpd, &conf);
	if (r < 0) {
		free(o);
		return err_trace(r);
	}
	*ret = o;
	return 0;
}

uint16_t ops_port(const struct ops *o)
{
	return httpd_port(o->httpd);
}

struct ops *ops_stop(struct ops *o)
{
	if (!o)
		return NULL;
	(void) httpd_stop(o->httpd);
	free(o);
	return NULL;
}
