/* A week's way to the object store, as the archiver does it: `bench-archive`, with the product's TAP_* settings. The current week of
 * TAP_DATA_DIR (bench-store's FILL makes one of any size) is closed, archived, purged and fetched back. Prints one JSON object: sizes,
 * times, and the most memory that was resident. TAP_BENCH_SEND_ONLY=1: it is neither purged nor fetched; TAP_BENCH_CLOSE_ONLY=1: it is
 * but closed. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "archive.h"
#include "check.h"
#include "clk.h"
#include "err.h"
#include "settings.h"
#include "week.h"

static const int64_t WEEK_MS = INT64_C(7) * 86400000;
extern char **environ;
static struct settings settings;

static void must(int r, const char *what)
{
	if (r == 0)
		return;
	(void) fprintf(stderr, "%s: %d %s\n", what, r, err_text());
	exit(1);
}

static struct week *open_books(void)
{
	struct week *w;
	must(week_open(&w, settings.data_dir.v, STORE_WRITE, clk_now_ms()), "open");
	return w;
}

/* In a child: what a week's end costs is not what is asked here. */
static void close_week(void)
{
	struct week_rolled rolled;
	int status;
	pid_t pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		struct week *w = open_books();
		int r = week_roll(w, clk_now_ms() + WEEK_MS, &rolled);
		must(r == WEEK_E_CURRENT ? 0 : r, "roll"); /* an earlier call closed it */
		(void) week_close(w);
		_exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

struct archived {
	struct clk_week week;
	int64_t bets, bytes, packed;
};

static bool take(void *u, const struct week_info *info, const struct week_archive *a)
{
	struct archived *to = u;
	*to = (struct archived){ info->week, a->bets, a->db_bytes, a->packed_bytes };
	return false; /* the newest */
}

static int64_t resident_kb(void)
{
	struct rusage used;
	CHECK(getrusage(RUSAGE_SELF, &used) == 0);
	return used.ru_maxrss;
}

static void told(void *u, const char *text)
{
	const int64_t *from = u;
	(void) fprintf(stderr, "%8.1f s  %6" PRId64 " KiB  %s\n", (double) (clk_mono_ms() - *from) / 1000, resident_kb(), text);
}

int main(void)
{
	struct archive_conf conf;
	struct archive_done done;
	struct archived a = { .bets = 0 };
	bool send_only = getenv("TAP_BENCH_SEND_ONLY") != NULL;
	bool close_only = getenv("TAP_BENCH_CLOSE_ONLY") != NULL;
	(void) unsetenv("TAP_BENCH_SEND_ONLY");
	(void) unsetenv("TAP_BENCH_CLOSE_ONLY");
	if (settings_load(&settings, environ, stderr) > 0)
		return 78;
	close_week();
	if (close_only)
		return 0;
	archive_conf(&settings, &conf);
	int64_t from = clk_mono_ms(), now_ms = clk_now_ms() + WEEK_MS;
	conf.step = told;
	conf.u = &from;
	struct week *w = open_books();
	must(archive_run(&conf, w, now_ms, &done), "archive");
	int64_t sent_ms = clk_mono_ms() - from;
	must(archive_list(w, take, &a), "list");
	conf.keep_weeks = 0;
	if (!send_only) {
		must(archive_run(&conf, w, now_ms, &done), "purge");
		must(archive_fetch(&conf, w, a.week, now_ms), "fetch");
	}
	(void) week_close(w);
	(void) printf("{\"bench\":\"archive\",\"bets\":%" PRId64 ",\"bytes\":%" PRId64 ",\"archive_bytes\":%" PRId64
			",\"bytes_per_bet\":%.1f,\"archive_bytes_per_bet\":%.1f,\"times\":%.2f,\"archive_s\":%.1f,\"all_s\":%.1f"
			",\"resident_max_kb\":%" PRId64 "}\n", a.bets, a.bytes, a.packed, (double) a.bytes / (double) a.bets,
			(double) a.packed / (double) a.bets, (double) a.bytes / (double) a.packed, (double) sent_ms / 1000,
			(double) (clk_mono_ms() - from) / 1000, resident_kb());
	return 0;
}
