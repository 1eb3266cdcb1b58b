/* Packing and back, of memory and of files; what is cut, changed or too long is refused. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "check.h"
#include "zst.h"

static void fill(uint8_t *p, size_t n)
{
	uint32_t x = 1;
	for (size_t i = 0; i < n; i++) {
		x = x * 1664525 + 1013904223;
		p[i] = i % 3 ? (uint8_t) (x >> 24) : (uint8_t) (i / 100);
	}
}

static void memory_there_and_back(void **state)
{
	(void) state;
	static const size_t sizes[] = { 0, 1, 1000, 200000, 3000000 };
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		_cleanup_(buf_free) struct buf packed = BUF_INIT(8 << 20), back = BUF_INIT(sizes[i]), less = BUF_INIT(sizes[i] / 2);
		uint8_t *p = malloc(sizes[i] + 1);
		fill(p, sizes[i]);
		assert_int_equal(zst_pack(p, sizes[i], 3, &packed), 0);
		assert_int_equal(zst_unpack(packed.p, packed.n, &back), 0);
		assert_int_equal(back.n, sizes[i]);
		assert_true(sizes[i] == 0 || memcmp(back.p, p, sizes[i]) == 0);
		if (sizes[i] > 1)
			assert_int_equal(zst_unpack(packed.p, packed.n, &less), -EBADMSG);
		free(p);
	}
}

static void damage_is_found(void **state)
{
	(void) state;
	_cleanup_(buf_free) struct buf packed = BUF_INIT(1 << 20), back = BUF_INIT(1 << 20);
	uint8_t p[4000];
	fill(p, sizeof p);
	assert_int_equal(zst_pack(p, sizeof p, 3, &packed), 0);
	for (size_t i = 0; i < packed.n; i++) {
		buf_clear(&back);
		assert_int_equal(zst_unpack(packed.p, i, &back), -EBADMSG);
		packed.p[i] = (char) (packed.p[i] ^ 4);
		buf_clear(&back);
		if (zst_unpack(packed.p, packed.n, &back) == 0) /* a bit of the head that means nothing */
			assert_true(back.n == sizeof p && memcmp(back.p, p, sizeof p) == 0);
		packed.p[i] = (char) (packed.p[i] ^ 4);
	}
	buf_putc(&packed, 'x');
	buf_clear(&back);
	assert_int_equal(zst_unpack(packed.p, packed.n, &back), -EBADMSG);
}

static int anonymous(const uint8_t *p, size_t n)
{
	int fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	if (n > 0)
		assert_int_equal(write(fd, p, n), n);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

static void files_there_and_back(void **state)
{
	(void) state;
	static const size_t sizes[] = { 0, 1, 131072, 131075, 2000003 };
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		uint8_t *p = malloc(sizes[i] + 1);
		struct zst_sums there, back;
		fill(p, sizes[i]);
		int raw = anonymous(p, sizes[i]), packed = anonymous(NULL, 0), again = anonymous(NULL, 0);
		struct hash hash = sha256_of(p, sizes[i]);
		assert_int_equal(zst_pack_file(raw, packed, 3, i % 2 ? 0 : 24, NULL, NULL, &there), 0);
		assert_int_equal(there.from_bytes, sizes[i]);
		assert_memory_equal(&there.from_hash, &hash, sizeof hash);
		assert_int_equal(lseek(packed, 0, SEEK_SET), 0);
		assert_int_equal(zst_unpack_file(packed, again, NULL, NULL, &back), 0);
		assert_int_equal(back.to_bytes, sizes[i]);
		assert_memory_equal(&back.to_hash, &hash, sizeof hash);
		assert_memory_equal(&back.from_hash, &there.to_hash, sizeof hash);
		assert_int_equal(back.from_bytes, there.to_bytes);
		if (there.to_bytes > 1) {
			assert_int_equal(ftruncate(packed, there.to_bytes - 1), 0);
			assert_int_equal(lseek(packed, 0, SEEK_SET), 0);
			assert_int_equal(zst_unpack_file(packed, again, NULL, NULL, &back), -EBADMSG);
		}
		(void) close(raw);
		(void) close(packed);
		(void) close(again);
		free(p);
	}
}

static int stop(void *u, int64_t bytes)
{
	(void) u;
	return bytes > 100000 ? -ECANCELED : 0;
}

static void the_caller_may_end_it(void **state)
{
	(void) state;
	uint8_t *p = calloc(1, 1000000);
	struct zst_sums sums;
	int raw = anonymous(p, 1000000), packed = anonymous(NULL, 0);
	assert_int_equal(zst_pack_file(raw, packed, 3, 0, stop, NULL, &sums), -ECANCELED);
	(void) close(raw);
	(void) close(packed);
	free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_there_and_back),
		cmocka_unit_test(damage_is_found),
		cmocka_unit_test(files_there_and_back),
		cmocka_unit_test(the_caller_may_end_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
