#include "due.h"

#include "book.h"
#include "check.h"
#include "err.h"

static int64_t column_at(const struct due *d, int64_t ms)
{
	return ms / 1000 / d->column_s * d->column_s;
}

/* Both answers of the book in one snapshot; a column is as old as the book when it is absent. */
static int ask_book(struct due *d, int64_t until_s, int64_t *ret_last_s, bool *ret_any_last, int64_t *ret_open_s,
		bool *ret_any_open)
{
	struct store *db;
	int r = week_begin(d->book, &db);
	if (r != 0)
		return err_trace(r);
	int last = book_last_column(db, ret_last_s);
	int open = last < 0 ? last : book_oldest_open(db, until_s, ret_open_s);
	week_rollback(d->book);
	*ret_any_last = last == 0;
	*ret_any_open = open == 0;
	return open < 0 ? err_trace(open) : 0;
}

int due_start(struct due *d, struct week *book, int64_t column_s, int64_t grace_ms, int64_t now_ms)
{
	*d = (struct due){ .book = book, .column_s = column_s, .grace_ms = grace_ms };
	int64_t running = column_at(d, now_ms), last, open;
	bool any_last, any_open;
	int r = ask_book(d, running, &last, &any_last, &open, &any_open);
	if (r < 0)
		return r;
	d->next_s = any_last ? last + column_s : running;
	d->look_back = any_open && open < d->next_s;
	if (running - d->next_s > DUE_CATCH_UP_S)
		d->sparse_until_s = running;
	return 0;
}

int64_t due_ripe_ms(const struct due *d)
{
	return (d->next_s + d->column_s) * 1000 + d->grace_ms;
}

int due_next(struct due *d, int64_t now_ms, int64_t *ret_t0_s)
{
	bool ripe = due_ripe_ms(d) <= now_ms;
	if (!ripe && !d->look_back)
		return DUE_E_NONE;
	int64_t newest_ripe = column_at(d, now_ms - d->grace_ms) - d->column_s, last, open;
	bool any_last, any_open;
	int r = ask_book(d, newest_ripe, &last, &any_last, &open, &any_open);
	if (r < 0)
		return r;
	d->look_back = any_open && open < d->next_s;
	if (d->look_back)
		*ret_t0_s = open;
	else if (ripe)
		*ret_t0_s = d->next_s;
	else
		return DUE_E_NONE;
	return 0;
}

void due_done(struct due *d, int64_t t0_s)
{
	if (t0_s >= d->next_s)
		d->next_s = t0_s + d->column_s;
}

bool due_sparse(const struct due *d)
{
	return d->next_s < d->sparse_until_s;
}

int due_skip(struct due *d, int64_t to_s)
{
	int64_t last, open;
	bool any_last, any_open;
	CHECK(to_s >= d->next_s);
	int r = ask_book(d, to_s, &last, &any_last, &open, &any_open);
	if (r < 0)
		return r;
	if (any_open && open < d->next_s)
		d->look_back = true; /* these come first anyway */
	else
		d->next_s = any_open && open < to_s ? open : to_s;
	return 0;
}
