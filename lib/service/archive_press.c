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

static int rows_of(struct store *db, struct pace *pace, struct hash *ret)
{
	return book_rows(db, ret, &(struct book_pace){ ask_pace, pace });
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
static int press_copy(struct job *j, struct pace *pace)
{
	struct store *from, *to;
	int r = archive_remove_book(j->pressed);
	if (r == 0)
		r = store_open(&from, j->copy, STORE_READ, &schema_week);
	if (r != 0)
		return of_store(r);
	r = rows_of(from, pace, &j->a.rows_hash);
	if (r == 0)
		r = store_open(&to, j->pressed, STORE_WRITE, &schema_pressed);
	if (r == 0)
		r = close_made(to, book_press(from, to, &(struct book_pace){ ask_pace, pace }));
	(void) store_close(from);
	return of_store(r);
}

/* j->pressed, thawed into a new file; its rows. */
static int thaw_into(struct job *j, const char *path, struct pace *pace, struct hash *ret)
{
	struct store *from, *to;
	int r = archive_remove_book(path);
	if (r == 0)
		r = store_open(&from, j->pressed, STORE_READ, &schema_pressed);
	if (r != 0)
		return of_store(r);
	r = store_open(&to, path, STORE_WRITE, &schema_week);
	if (r == 0) {
		r = book_thaw(from, to, &(struct book_pace){ ask_pace, pace });
		if (r == 0)
			r = rows_of(to, pace, ret);
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
	struct pace pace;
	struct hash rows;
	archive_pace_begin(&pace, j);
	int r = press_copy(j, &pace);
	if (r == 0)
		r = thaw_into(j, j->thawed, &pace, &rows);
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
	struct pace pace;
	struct hash rows;
	archive_pace_begin(&pace, j);
	int r = thaw_into(j, j->copy, &pace, &rows);
	if (r == 0 && memcmp(rows.b, j->a.rows_hash.b, HASH_SIZE) != 0) {
		(void) err_say(-EBADMSG, "%s does not thaw to the rows that were archived", j->key);
		return ARCHIVE_E_TAMPERED;
	}
	return r == BOOK_PRESS_E_CANNOT ? err_say(-EBADMSG, "%s: %s", j->key, err_text()) : r;
}
