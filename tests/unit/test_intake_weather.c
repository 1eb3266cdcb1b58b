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
#include "intake_impl.h"

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

/* For a moment after a refusal the next one need not even be looked at. */
static void assert_busy_since(const struct intake_tap *refused)
{
	bool busy = intake_busy(intake);
	assert_true(busy || clk_mono_us() - refused->queued_us >= 3000);
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
	assert_busy_since(&taps[MANY - 1]);
	wait_for(entered);
	assert_int_equal(kill(redis.pid, SIGCONT), 0);
	(void) clk_sleep_until_ms(clk_mono_ms() + 2 * BUS_RETRY_MS);
	publish(RATE);
	struct intake_tap t = tap_of(w, cell_at(3, 1), 1);
	assert_int_equal(place(&t), INTAKE_CONFIRMED);
}

/* Redis hangs, longer than anything here takes; the writer waits for it with the first tap, the rest waits behind it. */
static void hang_with(struct intake_tap *taps, int n)
{
	struct wallet w = funded(1, 1000 * USD, false);
	for (int i = 0; i < n; i++)
		taps[i] = tap_of(w, cell_at(1 + i / 20 % 10, i % 20), 1);
	assert_int_equal(kill(redis.pid, SIGSTOP), 0);
	for (int i = 0; i < n; i++) {
		assert_int_equal(intake_submit(intake, &taps[i]), 0);
		if (i == 0)
			(void) clk_sleep_until_ms(clk_mono_ms() + 50); /* for the writer to take it */
	}
}

static void go_on_after_hang(int n)
{
	assert_int_equal(kill(redis.pid, SIGCONT), 0);
	wait_for(n);
	bus_conf.timeout_ms = 300;
}

/* One more, about so long after they came. Whether it enters is told by the age of the oldest, the first or the second of them. */
static bool enters_after(struct intake_tap *t, const struct intake_tap *taps, int ms, int64_t limit_us)
{
	(void) clk_sleep_until_ms(taps[1].queued_us / 1000 + ms);
	int64_t least_us = clk_mono_us() - taps[1].queued_us;
	bool entered = intake_submit(intake, t) == 0;
	int64_t most_us = clk_mono_us() - taps[0].queued_us;
	assert_true(entered ? least_us <= limit_us : most_us > limit_us);
	return entered;
}

/* Few go out in the writer's next turn, however long it was held up: only when that is long, those behind are told at once. */
static void behind_few_a_hold_up_is_waited_out(void **state)
{
	static struct intake_tap taps[2], late[2];
	(void) state;
	bus_conf.timeout_ms = 20000;
	restart();
	hang_with(taps, 2);
	late[0] = tap_of(taps[0].tap.wallet, cell_at(2, 10), 1);
	late[1] = tap_of(taps[0].tap.wallet, cell_at(2, 11), 1);
	int entered = enters_after(&late[0], taps, 150, 1000000);
	assert_false(enters_after(&late[1], taps, 1100, 1000000));
	assert_busy_since(&late[1]);
	go_on_after_hang(2 + entered);
	publish(RATE);
	assert_int_equal(place(&late[1]), INTAKE_CONFIRMED);
}

enum { CROWD = 300 };

/* Many would only stand, and each wait in turn; but those who waited at the door while nobody was there are many at once. */
static void behind_many_that_wait_nothing_enters(void **state)
{
	static struct intake_tap taps[CROWD], late[3];
	(void) state;
	bus_conf.timeout_ms = 20000;
	restart();
	intake_be_patient(intake, 60000);
	hang_with(taps, CROWD);
	for (int i = 0; i < 3; i++)
		late[i] = tap_of(taps[0].tap.wallet, cell_at(11, 10 + i), 1);
	int entered = enters_after(&late[0], taps, 150, 1000000);
	intake_be_patient(intake, 0);
	assert_false(enters_after(&late[1], taps, 150, 100000));
	intake_be_patient(intake, 60000);
	assert_false(enters_after(&late[2], taps, 1100, 1000000)); /* there is an end to patience */
	go_on_after_hang(CROWD + entered);
}

static bool waits_for_gate(void)
{
	(void) pthread_mutex_lock(&intake->lock);
	bool waits = intake->rule.held_since_us != 0;
	(void) pthread_mutex_unlock(&intake->lock);
	return waits;
}

/* Another has the gate for long: who comes meanwhile is let in behind many that wait, up to the bound of the clock. */
static void behind_many_that_the_gate_holds_up_one_enters(void **state)
{
	static struct intake_tap taps[CROWD], late;
	struct week *week;
	struct store *db;
	(void) state;
	struct wallet w = funded(1, 1000 * USD, false);
	for (int i = 0; i < CROWD; i++)
		taps[i] = tap_of(w, cell_at(1 + i / 20 % 10, i % 20), 1);
	late = tap_of(w, cell_at(11, 10), 1);
	assert_int_equal(week_open(&week, dir, STORE_WRITE, clk_now_ms()), 0);
	assert_int_equal(week_begin(week, &db), 0);
	assert_int_equal(intake_submit(intake, &taps[0]), 0);
	for (int64_t until = clk_mono_ms() + 30000; !waits_for_gate();) {
		assert_true(clk_mono_ms() < until);
		(void) clk_sleep_until_ms(clk_mono_ms() + 1);
	}
	for (int i = 1; i < CROWD; i++)
		assert_int_equal(intake_submit(intake, &taps[i]), 0);
	(void) clk_sleep_until_ms(taps[1].queued_us / 1000 + 3 * QUEUE_MOST_US / 1000);
	bool entered = intake_submit(intake, &late) == 0;
	assert_true(entered || clk_mono_us() - taps[1].queued_us > QUEUE_HELD_US);
	week_rollback(week);
	(void) week_close(week);
	wait_for(CROWD + entered);
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
	for (int n = 0, slow = 0; n < 40; n++) {
		publish(RATE);
		struct intake_tap t = tap_of(w, cell_at(2 + n / 20, n % 20), 1);
		fault_arm(n == 0 ? FAULT_STORE_COMMIT : FAULT_STORE_STEP, n == 0 ? 1 : n, false);
		enum intake_result r = place(&t);
		bool fired = fault_disarm(n == 0 ? FAULT_STORE_COMMIT : FAULT_STORE_STEP);
		if (!fired && (r == INTAKE_FEED_STALE || r == INTAKE_UNAVAILABLE)) { /* so busy a machine that the price grew old, or Redis */
			assert_true(++slow < 20);
			(void) clk_sleep_until_ms(clk_mono_ms() + 2 * BUS_RETRY_MS);
			n--;
			continue;
		}
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
		CASE(behind_few_a_hold_up_is_waited_out),
		CASE(behind_many_that_wait_nothing_enters),
		CASE(behind_many_that_the_gate_holds_up_one_enters),
		CASE(the_cache_comes_back),
		CASE(a_full_disk_heals),
#ifdef TAP_FAULTS
		CASE(a_failing_book_is_never_half_written),
#endif
	};
	return cmocka_run_group_tests_name("intake weather", tests, start, stop);
}
