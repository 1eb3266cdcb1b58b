/* intake when Redis is silent, when too much waits, and when the book fails: nothing is lost, nothing is half. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "../support/intake_world.h"

static void a_silent_redis_spends_nothing(void **state)
{
	(void) state;
	struct wallet w = funded(1, 10 * USD, false);
	struct intake_tap t = tap_of(w, cell_at(5, 1), 1), r;
	assert_int_equal(kill(redis.pid, SIGSTOP), 0);
	assert_int_equal(place(&t), INTAKE_UNAVAILABLE);
	assert_int_equal(kill(redis.pid, SIGCONT), 0);
	(void) clk_sleep_until_ms(clk_mono_ms() + 2 * BUS_RETRY_MS);
	publish(RATE);
	/* Redis has carried out meanwhile what nobody waited for: the nonce stands there, spent for this very message */
	assert_int_equal(again(&t, &r), INTAKE_CONFIRMED);
	assert_int_equal(again(&t, &r), INTAKE_REPLAYED);
}

static void redis_config(const char *what)
{
	struct bus *b;
	const struct bus_reply *r;
	assert_int_equal(bus_open(&b, &bus_conf), 0);
	assert_int_equal(bus_command(b, &r, "CONFIG SET maxmemory %s", what), 0);
	(void) bus_close(b);
}

/* It answers, and says no. */
static void a_full_redis_spends_nothing(void **state)
{
	(void) state;
	struct wallet w = funded(1, 10 * USD, false);
	struct intake_tap t = tap_of(w, cell_at(5, 1), 1);
	redis_config("1");
	assert_int_equal(place(&t), INTAKE_UNAVAILABLE);
	redis_config("0");
	assert_int_equal(place(&t), INTAKE_CONFIRMED);
}

static void what_is_said_to_a_silent_redis_is_said_later(void **state)
{
	(void) state;
	struct intake_stats before, st;
	struct buf none = BUF_INIT(64);
	struct account a = account_of(funded(1, 10 * USD, false));
	intake_stats(intake, &before);
	assert_int_equal(kill(redis.pid, SIGSTOP), 0);
	intake_announce(intake, &a, &none);
	(void) clk_sleep_until_ms(clk_mono_ms() + 2 * bus_conf.timeout_ms);
	intake_stats(intake, &st);
	assert_int_equal(st.announced, before.announced);
	assert_int_equal(kill(redis.pid, SIGCONT), 0);
	for (int64_t until = clk_mono_ms() + 20000; st.announced == before.announced; intake_stats(intake, &st)) {
		assert_true(clk_mono_ms() < until);
		(void) clk_sleep_until_ms(clk_mono_ms() + 20);
	}
	assert_int_equal(st.announce_dropped, before.announce_dropped);
}

static void beyond_the_bound_nothing_enters(void **state)
{
	(void) state;
	static struct intake_tap taps[MANY];
	struct wallet w = funded(1, 10 * USD, false);
	int entered = 0;
	settings.queue_max = 16;
	assert_int_equal(kill(redis.pid, SIGSTOP), 0);
	for (int i = 0; i < MANY; i++) {
		taps[i] = tap_of(w, cell_at(1 + i / 20, i % 20), 1);
		entered += intake_submit(intake, &taps[i]) == 0;
	}
	assert_int_equal(entered, 16);
	assert_true(intake_busy(intake)); /* the next one need not even be looked at */
	wait_for(entered);
	assert_int_equal(kill(redis.pid, SIGCONT), 0);
	(void) clk_sleep_until_ms(clk_mono_ms() + 2 * BUS_RETRY_MS);
	publish(RATE);
	struct intake_tap t = tap_of(w, cell_at(3, 1), 1);
	assert_int_equal(place(&t), INTAKE_CONFIRMED);
}

/* However few they are: once one waits too long, those behind it are told at once, and not when their turn would come. */
static void behind_one_that_waits_nothing_enters(void **state)
{
	(void) state;
	struct wallet w = funded(1, 10 * USD, false);
	struct intake_tap first = tap_of(w, cell_at(2, 1), 1), held = tap_of(w, cell_at(2, 2), 1), last = tap_of(w, cell_at(2, 3), 1);
	assert_false(intake_busy(intake));
	assert_int_equal(kill(redis.pid, SIGSTOP), 0);
	assert_int_equal(intake_submit(intake, &first), 0);
	(void) clk_sleep_until_ms(clk_mono_ms() + 50); /* the door has taken it, and waits for Redis */
	assert_int_equal(intake_submit(intake, &held), 0);
	(void) clk_sleep_until_ms(clk_mono_ms() + 150);
	assert_int_equal(intake_submit(intake, &last), INTAKE_E_BUSY);
	assert_true(intake_busy(intake));
	wait_for(2);
	assert_int_equal(kill(redis.pid, SIGCONT), 0);
	(void) clk_sleep_until_ms(clk_mono_ms() + 2 * BUS_RETRY_MS);
	publish(RATE);
	assert_false(intake_busy(intake));
	assert_int_equal(place(&last), INTAKE_CONFIRMED);
}

static void the_cache_comes_back(void **state)
{
	(void) state;
	struct wallet w = funded(1, 10 * USD, false);
	struct intake_tap t = tap_of(w, cell_at(3, 1), 1);
	struct bus *b;
	char key[KEY_MAX];
	assert_int_equal(place(&t), INTAKE_CONFIRMED);
	flush_redis();
	assert_int_equal(bus_open(&b, &bus_conf), 0);
	for (int64_t until = clk_mono_ms() + 20000; bus_kind(ask(b, "GET", key_balance(key, &w))) == BUS_NIL;) {
		assert_true(clk_mono_ms() < until);
		(void) clk_sleep_until_ms(clk_mono_ms() + 20);
	}
	assert_int_equal(bus_int(ask(b, "GET", key_balance(key, &w))), 9 * USD);
	assert_int_equal(bus_int(ask(b, "GET", key_seq(key, &w))), 2);
	(void) bus_close(b);
}

/* Fills the disk down to `left` bytes of room. */
static void fill_disk(const char *path, int64_t left)
{
	static const char zeros[4096];
	struct statvfs fs;
	int fd = open(path, O_CREAT | O_WRONLY | O_APPEND, 0600);
	assert_true(fd >= 0);
	while (statvfs(dir, &fs) == 0 && (int64_t) (fs.f_bavail * fs.f_frsize) > left)
		if (write(fd, zeros, sizeof zeros) != (ssize_t) sizeof zeros)
			break;
	(void) close(fd);
}

static void wait_for_health(bool full)
{
	struct intake_stats st;
	for (int64_t until = clk_mono_ms() + 20000;; (void) clk_sleep_until_ms(clk_mono_ms() + 20)) {
		intake_stats(intake, &st);
		if (st.disk_full == full)
			return;
		assert_true(clk_mono_ms() < until);
	}
}

static void a_full_disk_heals(void **state)
{
	(void) state;
	char ballast[64];
	struct intake_tap t, r;
	intake = intake_stop(intake);
	assert_int_equal(mount("tmpfs", dir, "tmpfs", 0, "size=4m"), 0);
	(void) snprintf(ballast, sizeof ballast, "%s/ballast", dir);
	go();
	struct wallet w = funded(1, 100 * USD, false);
	for (int i = 0; i < 2; i++) {
		/* not a byte left, met by a write; or little left, seen before one */
		fill_disk(ballast, i == 0 ? 0 : 100 * 1024);
		if (i == 1)
			wait_for_health(true);
		publish(RATE);
		t = tap_of(w, cell_at(3, 4 + i), 1);
		assert_int_equal(place(&t), INTAKE_UNAVAILABLE);
		wait_for_health(true);
		assert_false(intake_failed(intake));
		assert_int_equal(account_of(w).balance.micros, (100 - i) * USD); /* it is read as before */
		assert_int_equal(unlink(ballast), 0);
		(void) clk_sleep_until_ms(clk_mono_ms() + 1200);
		publish(RATE);
		assert_int_equal(again(&t, &r), INTAKE_CONFIRMED); /* the very same bet */
		wait_for_health(false);
	}
	intake = intake_stop(intake);
	assert_int_equal(umount(dir), 0);
	go();
}

#ifdef TAP_FAULTS
/* Each step of the batch's transaction fails once: all or nothing, and the process says that it must end. */
static void a_failing_book_is_never_half_written(void **state)
{
	(void) state;
	struct wallet w = funded(1, 100 * USD, false);
	int64_t left = 100 * USD;
	for (int n = 0; n < 40; n++) {
		publish(RATE);
		struct intake_tap t = tap_of(w, cell_at(2 + n / 20, n % 20), 1);
		fault_arm(n == 0 ? FAULT_STORE_COMMIT : FAULT_STORE_STEP, n == 0 ? 1 : n, false);
		enum intake_result r = place(&t);
		bool fired = fault_disarm(n == 0 ? FAULT_STORE_COMMIT : FAULT_STORE_STEP);
		if (r == INTAKE_CONFIRMED) {
			left -= USD;
		} else {
			assert_true(fired);
			assert_true(r == INTAKE_UNKNOWN || r == INTAKE_UNAVAILABLE);
			assert_true(intake_failed(intake));
			restart();
			struct account a = account_of(w);
			if (r == INTAKE_UNKNOWN)
				left = a.balance.micros;
			assert_int_equal(a.balance.micros, left);
		}
		if (n > 0 && !fired)
			break;
	}
	assert_int_equal(account_of(w).balance.micros, left);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_silent_redis_spends_nothing),
		CASE(a_full_redis_spends_nothing),
		CASE(what_is_said_to_a_silent_redis_is_said_later),
		CASE(beyond_the_bound_nothing_enters),
		CASE(behind_one_that_waits_nothing_enters),
		CASE(the_cache_comes_back),
		CASE(a_full_disk_heals),
#ifdef TAP_FAULTS
		CASE(a_failing_book_is_never_half_written),
#endif
	};
	return cmocka_run_group_tests_name("intake weather", tests, start, stop);
}
