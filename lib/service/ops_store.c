#include "ops_store.h"

static double seconds(int64_t us)
{
	return (double) us / 1e6;
}

static void counter_seconds(struct buf *out, const char *name, const char *help, int64_t us)
{
	ops_family(out, name, help, "counter");
	buf_printf(out, "%s %.6f\n", name, seconds(us));
}

void ops_store(struct buf *out, const struct store_stats *st, int64_t wal_bytes, bool disk_full)
{
	ops_counter(out, "tap_store_commits_total", "commits of this process", st->commits);
	counter_seconds(out, "tap_store_commit_seconds_total", "time spent in them", st->commit_us);
	ops_gauge(out, "tap_store_commit_max_seconds", "the longest since the start", seconds(st->commit_max_us));
	counter_seconds(out, "tap_store_gate_wait_seconds_total", "time spent waiting for the write gate", st->gate_wait_us);
	ops_gauge(out, "tap_store_gate_wait_max_seconds", "the longest wait for it since the start", seconds(st->gate_wait_max_us));
	ops_counter(out, "tap_store_checkpoints_total", "checkpoints of this process", st->checkpoints);
	ops_gauge(out, "tap_store_checkpoint_max_seconds", "the longest since the start", seconds(st->checkpoint_max_us));
	ops_gauge(out, "tap_store_wal_bytes", "size of the write-ahead log", (double) wal_bytes);
	ops_gauge(out, "tap_store_memory_bytes", "of the heap, what SQLite holds: cached pages above all", (double) store_memory_bytes());
	ops_gauge(out, "tap_store_disk_full", "1 while writes are refused for want of room", disk_full);
}
