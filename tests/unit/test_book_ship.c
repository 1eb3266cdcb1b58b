/* A book told commit by commit and made again from the bytes is the same book, row by row of every table: over random operations,
 * spans cut anywhere, snapshots from the middle, spans told and made twice. TAP_SHIP_OPS and TAP_SHIP_SEED change the run. */
#include "book_life.h"

#include "book_ship.h"
#include "err.h"
#include "schema.h"

enum { OPS_PRESET = 1500 };
static char copy_dir[64];

/* ---- telling and making */

struct span {
	struct book_pos from, to;
	struct buf bytes;
};

static struct span tell(struct store *db, const struct book_pos *from, int64_t rows_max, bool *ret_more)
{
	struct span s = { .from = *from, .bytes = BUF_INIT(BOOK_SHIP_BYTES_MAX) };
	struct book_span told, read;
	int r = book_tell(db, from, rows_max, &s.bytes, &s.to, &told, ret_more);
	if (r != 0)
		fail_msg("telling: %d %s", r, err_text());
	r = book_span_read(s.bytes.p, s.bytes.n, &read);
	if (r != 0)
		fail_msg("reading: %d %s", r, err_text());
	assert_memory_equal(&told, &read, sizeof told);
	return s;
}

static int make(struct week *w, const struct span *s)
{
	struct store *db = books_begin(w);
	int r = book_make_again(db, &the_rules, &s->from, &s->to, s->bytes.p, s->bytes.n);
	if (r == 0)
		return week_commit(w);
	week_rollback(w);
	return r;
}

static void must_make(struct week *w, const struct span *s)
{
	int r = make(w, s);
	if (r != 0)
		fail_msg("making: %d %s", r, err_text());
}

static struct week *open_copy(void)
{
	struct week *w = NULL;
	assert_int_equal(week_open(&w, copy_dir, STORE_WRITE, NOW_MS), 0);
	return w;
}

static void follow(struct store *db, struct week *copy, struct book_pos *at, int64_t rows_max)
{
	bool more = true;
	while (more) {
		struct span s = tell(db, at, rows_max, &more), again = tell(db, at, rows_max, &more);
		assert_int_equal(s.bytes.n, again.bytes.n);
		assert_memory_equal(s.bytes.p, again.bytes.p, s.bytes.n);
		must_make(copy, &s);
		if (draw(4) == 0)
			must_make(copy, &s);
		*at = s.to;
		buf_free(&s.bytes);
		buf_free(&again.bytes);
	}
}

static struct book_pos start_of(struct store *db)
{
	struct book_pos pos;
	assert_int_equal(book_pos_start(db, &pos), 0);
	return pos;
}

static int64_t ops(void)
{
	const char *given = getenv("TAP_SHIP_OPS");
	return given ? strtoll(given, NULL, 10) : OPS_PRESET;
}

static void what_is_told_is_made_again(void **state)
{
	(void) state;
	begin_run();
	struct week *w = books_open(STORE_WRITE), *copy = open_copy();
	struct store *db = books_begin(w);
	struct book_pos at = start_of(db);
	week_rollback(w);
	prepare(w);
	for (int64_t n = 0; n < ops(); n++) {
		one_operation(w);
		if (draw(10) == 0) {
			db = books_begin(w);
			follow(db, copy, &at, 1 + (int64_t) draw(200));
			week_rollback(w);
		}
	}
	go_on(w);
	db = books_begin(w);
	follow(db, copy, &at, 100);
	struct store *made = books_begin(copy);
	int64_t rows = same_books(db, made);
	assert_true(rows > ops());
	struct book_pos end;
	assert_int_equal(book_pos_end(made, &end), 0);
	assert_memory_equal(&end, &at, sizeof end);
	week_rollback(copy);
	week_rollback(w);
	assert_int_equal(books_audit(copy, true), 0);
	(void) week_close(copy);
	(void) week_close(w);
}

/* Spans that begin before the snapshot was made, as they come in when it was made while others were told. */
static void a_snapshot_goes_on_from_its_middle(void **state)
{
	(void) state;
	begin_run();
	struct week *w = books_open(STORE_WRITE);
	struct span spans[64];
	size_t n = 0, from = 0;
	bool more;
	struct store *db = books_begin(w);
	struct book_pos at = start_of(db);
	week_rollback(w);
	prepare(w);
	for (; n < ARRAY_LEN(spans); n++) {
		int64_t some = 1 + (int64_t) draw((uint64_t) ops() / 60 + 1);
		for (int64_t i = 0; i < some; i++) {
			one_operation(w);
			if (n == 30 && i == some / 2) {
				char path[128], name[WEEK_NAME_SIZE];
				struct store *meta = NULL;
				week_file_name(name, week_current(w));
				(void) snprintf(path, sizeof path, "%s/%s", copy_dir, name);
				assert_int_equal(store_copy_to(week_store(w), path), 0);
				(void) snprintf(path, sizeof path, "%s/meta.db", books_dir);
				assert_int_equal(store_open(&meta, path, STORE_READ, &schema_meta), 0);
				(void) snprintf(path, sizeof path, "%s/meta.db", copy_dir);
				assert_int_equal(store_copy_to(meta, path), 0);
				meta = store_close(meta);
				from = draw(20);
			}
		}
		db = books_begin(w);
		spans[n] = tell(db, &at, INT64_MAX, &more);
		at = spans[n].to;
		week_rollback(w);
	}
	struct week *copy = open_copy();
	for (size_t i = from; i < n; i++)
		must_make(copy, &spans[i]);
	struct store *made = books_begin(copy);
	db = books_begin(w);
	assert_true(same_books(db, made) > 0);
	week_rollback(w);
	week_rollback(copy);
	assert_int_equal(books_audit(copy, true), 0);
	for (size_t i = 0; i < n; i++)
		buf_free(&spans[i].bytes);
	(void) week_close(copy);
	(void) week_close(w);
}

/* A span over a book that it does not follow, or with an end that it does not come to, changes nothing. */
static void another_book_is_refused(void **state)
{
	(void) state;
	begin_run();
	struct week *w = books_open(STORE_WRITE), *copy = open_copy();
	bool more;
	prepare(w);
	for (int i = 0; i < 40; i++)
		one_operation(w);
	struct store *db = books_begin(w);
	struct book_pos start = start_of(db);
	struct span first = tell(db, &start, 20, &more);
	assert_true(more);
	struct span second = tell(db, &first.to, 20, &more);
	week_rollback(w);
	assert_int_equal(make(copy, &second), BOOK_SHIP_E_OTHER);
	assert_non_null(strstr(err_text(), "the book has no commit"));
	struct span wrong = first;
	wrong.to.chain_hash.b[0] ^= 1;
	assert_int_equal(make(copy, &wrong), BOOK_SHIP_E_OTHER);
	wrong = first;
	wrong.to.chain++;
	assert_int_equal(make(copy, &wrong), -EBADMSG);
	db = books_begin(copy);
	struct book_pos end;
	assert_int_equal(book_pos_end(db, &end), 0);
	assert_int_equal(end.chain, 0);
	week_rollback(copy);
	must_make(copy, &first);
	must_make(copy, &second);
	buf_free(&first.bytes);
	buf_free(&second.bytes);
	(void) week_close(copy);
	(void) week_close(w);
}

/* Cut anywhere, or with any byte changed, the bytes are refused or read as something; they never lead beyond themselves. */
static void damaged_bytes_are_read_safely(void **state)
{
	(void) state;
	begin_run();
	struct week *w = books_open(STORE_WRITE);
	bool more;
	prepare(w);
	for (int i = 0; i < 30; i++)
		one_operation(w);
	struct store *db = books_begin(w);
	struct book_pos start = start_of(db);
	struct span s = tell(db, &start, INT64_MAX, &more);
	week_rollback(w);
	size_t refused = 0;
	for (size_t n = 0; n < s.bytes.n; n++) {
		struct book_span read;
		char *cut = malloc(n ? n : 1); /* its end is its own: a read beyond it is seen */
		memcpy(cut, s.bytes.p, n);
		assert_int_equal(book_span_read(cut, n, &read), -EBADMSG);
		free(cut);
		s.bytes.p[n] = (char) (s.bytes.p[n] ^ 1 << draw(8));
		refused += book_span_read(s.bytes.p, s.bytes.n, &read) != 0;
	}
	assert_true(refused > 0);
	buf_free(&s.bytes);
	(void) week_close(w);
}

static int set_up(void **state)
{
	(void) snprintf(copy_dir, sizeof copy_dir, "%s/tap-books-copy-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	return mkdtemp(copy_dir) ? books_set_up(state) : -1;
}

static int tear_down(void **state)
{
	return folder_remove(copy_dir) | books_tear_down(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_is_told_is_made_again, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_snapshot_goes_on_from_its_middle, set_up, tear_down),
		cmocka_unit_test_setup_teardown(another_book_is_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(damaged_bytes_are_read_safely, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
