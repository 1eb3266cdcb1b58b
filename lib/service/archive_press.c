/* The form in which a week is sent: without what follows from the rest of it, as long as it comes back from that row by row. */
#include "archive_impl.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "book_press.h"
#include "err.h"
#include "schema.h"

static int of_store(int r)
{
	if (r == STORE_E_FULL || r == -ENOSPC)
		return ARCHIVE_E_FULL;
	return r == STORE_E_NEWER || r == STORE_E_ABSENT ? BOOK_PRESS_E_CANNOT : r;
}

static int ask_pace(void *u)
{
	return archive_pace(u);
}

static int rows_of(struct job *j, struct store *db, struct hash *ret)
{
	return book_rows(db, ret, &(struct book_pace){ ask_pace, j });
}

/* Nobody else opens it before it is whole, and one that is not is made anew. */
static int open_made(struct job *j, struct store **ret, const char *path, const struct store_schema *schema)
{
	archive_makes(j, path);
	int r = store_open(ret, path, STORE_WRITE, schema);
	if (r != 0)
		return r;
	r = store_scratch(*ret);
	if (r < 0)
		(void) store_close(*ret);
	return r;
}

/* r: how the making of it went. */
static int close_made(struct store *db, int r)
{
	if (r == 0)
		return store_close_whole(db);
	(void) store_close(db);
	return r;
}

/* The copy, pressed into j->pressed, and its rows. */
static int press_copy(struct job *j)
{
	struct store *from, *to;
	int r = archive_remove_book(j->pressed);
	if (r == 0)
		r = store_open(&from, j->copy, STORE_READ, &schema_week);
	if (r != 0)
		return of_store(r);
	r = rows_of(j, from, &j->a.rows_hash);
	if (r == 0)
		r = open_made(j, &to, j->pressed, &schema_pressed);
	if (r == 0)
		r = close_made(to, book_press(from, to, &(struct book_pace){ ask_pace, j }));
	(void) store_close(from);
	return of_store(r);
}

/* j->pressed, thawed into a new file; its rows. */
static int thaw_into(struct job *j, const char *path, struct hash *ret)
{
	struct store *from, *to;
	int r = archive_remove_book(path);
	if (r == 0)
		r = store_open(&from, j->pressed, STORE_READ, &schema_pressed);
	if (r != 0)
		return of_store(r);
	r = open_made(j, &to, path, &schema_week);
	if (r == 0) {
		r = book_thaw(from, to, &(struct book_pace){ ask_pace, j });
		if (r == 0)
			r = rows_of(j, to, ret);
		r = close_made(to, r);
	}
	(void) store_close(from);
	return of_store(r);
}

/* It is the book's own trouble, which goes as it is. */
static bool is_no_such_book(int r)
{
	return r == BOOK_PRESS_E_CANNOT || r == -EBADMSG || r == -EINVAL || r == -EEXIST;
}

int archive_press(struct job *j)
{
	struct hash rows;
	int r = press_copy(j);
	if (r == 0)
		r = thaw_into(j, j->thawed, &rows);
	if (r == 0 && memcmp(rows.b, j->a.rows_hash.b, HASH_SIZE) != 0) {
		(void) err_say(-EBADMSG, "it does not thaw to the same rows");
		r = BOOK_PRESS_E_CANNOT;
	}
	bool plain = is_no_such_book(r);
	if (r != 0 && !plain)
		return r;
	char what[200] = "pressed";
	j->a.form = plain ? WEEK_ARCHIVE_PLAIN : WEEK_ARCHIVE_PRESSED;
	if (plain) {
		(void) snprintf(what, sizeof what, "goes as it is: %.180s", err_text());
		err_clear();
	}
	archive_told(j, what);
	r = archive_remove_book(j->thawed);
	return r == 0 && plain ? archive_remove_book(j->pressed) : r;
}

int archive_thaw(struct job *j)
{
	struct hash rows;
	int r = thaw_into(j, j->copy, &rows);
	if (r == 0 && memcmp(rows.b, j->a.rows_hash.b, HASH_SIZE) != 0) {
		(void) err_say(-EBADMSG, "%s does not thaw to the rows that were archived", j->key);
		return ARCHIVE_E_TAMPERED;
	}
	return r == BOOK_PRESS_E_CANNOT ? err_say(-EBADMSG, "%s: %s", j->key, err_text()) : r;
}
