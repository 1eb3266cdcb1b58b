#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "book_quotes.h"
#include "clk.h"
#include "err.h"
#include "intake_impl.h"
#include "thread.h"

enum { HOUSEKEEPING_MS = 1000, META_CHECKPOINT_MS = 60000, WEEK_ENDS_MS = 30000, COLUMNS_A_TURN = 64, ANSWERS_A_WAKE = 32 };

static bool count_open_bet(void *u, const struct bet *b, int64_t row)
{
	struct intake *in = u;
	(void) row;
	return exposure_add(in->exposure, b) == 0 && nonces_add(in->decided, b->nonce) == 0;
}

/* What the house may lose, and the nonces of what is open, from the book. */
static int count_open_bets(struct intake *in)
{
	struct store *db;
	int r = week_begin(in->week, &db);
	if (r != 0)
		return err_trace(r < 0 ? r : -ENOSPC);
	r = book_open_bets(db, in->rules.row_cents, count_open_bet, in);
	week_rollback(in->week);
	return r == 0 ? 0 : err_trace(r);
}

int intake_writer_open(struct intake *in)
{
	struct exposure_caps caps = settings_caps(in->s);
	int64_t mono_ms = clk_mono_ms();

	in->batch.after = calloc((size_t) in->s->batch_max, sizeof *in->batch.after);
	int r = in->batch.after ? exposure_new(&in->exposure, &caps) : -ENOMEM;
	if (r == 0)
		r = nonces_new(&in->decided, (int64_t) NONCE_KEEP_S * 1000, mono_ms);
	if (r == 0)
		r = own_new(&in->own);
	if (r == 0)
		r = nonces_new(&in->recalled, (int64_t) NONCE_KEEP_S * 1000, mono_ms);
	if (r == 0)
		r = week_open(&in->week, in->s->data_dir.v, STORE_WRITE, clk_now_ms());
	if (r == 0)
		r = count_open_bets(in);
	in->over_ms = mono_ms;
	in->recall_until_ms = mono_ms + (int64_t) NONCE_KEEP_S * 1000;
	return r == 0 ? 0 : err_trace(r < 0 ? r : -ENOENT);
}

void intake_writer_close(struct intake *in)
{
	free(in->batch.after);
	in->batch.after = NULL;
	in->week = week_close(in->week);
	in->exposure = exposure_free(in->exposure);
	in->decided = nonces_free(in->decided);
	in->own = own_free(in->own);
	in->recalled = nonces_free(in->recalled);
}

/* A full disk heals when room is given back; every other failure of the book ends the process, and the next one starts from
 * what is on disk. */
static void failed(struct intake *in, int r)
{
	if (r == -ENOSPC || r == STORE_E_FULL)
		atomic_store(&in->disk_full, true);
	else
		atomic_store(&in->failed, true);
}

/* Nothing of the batch is in the book, or (unknown) it cannot be told. Whatever was decided in it is void with it. */
static void answer_all_undone(struct intake *in, struct tap_list *l, bool unknown)
{
	for (struct intake_tap *t = l->head, *next; t; t = next) {
		next = t->next;
		intake_answer(in, t, unknown && t->result == INTAKE_CONFIRMED ? INTAKE_UNKNOWN : INTAKE_UNAVAILABLE);
	}
}

/* A queued bet that its batch refused is told to the wallet's sockets, too. A nonce that was spent before is somebody's
 * replay: its owner is not bothered. */
static bool worth_telling(enum intake_result r)
{
	return r != INTAKE_REPLAYED && r != INTAKE_REPLAY_DETECTED && r != INTAKE_NOT_SIGNER;
}

/* The players who wait come first, their sockets after them; a tap is gone once it is answered. */
static void answer_all(struct intake *in, struct tap_list *l)
{
	const struct account *after = in->batch.after;
	struct speeches told;
	int n = 0;

	speeches_init(&told);
	for (struct intake_tap *t = l->head, *next; t; t = next, after++) {
		next = t->next;
		bool confirmed = t->result == INTAKE_CONFIRMED;
		t->more = next && ++n % ANSWERS_A_WAKE != 0;
		if (worth_telling(t->result))
			speeches_add(&told, speech_of_tap(t, confirmed ? after : NULL));
		intake_answer(in, t, t->result);
	}
	announcer_say(in, &told);
}

static void look_at_market(struct intake *in)
{
	in->batch.has_grid = in->market.grid(in->market.u, &in->batch.grid);
	in->batch.betting = in->market.betting(in->market.u);
}

/* 0: each tap has its result. <0: rolled back, with all that was kept in memory for it. */
static int admit_all(struct intake *in, struct store *db, struct tap_list *l)
{
	struct account *after = in->batch.after;
	for (struct intake_tap *t = l->head; t; t = t->next, after++) {
		int r = intake_admit(in, db, t, after);
		if (r < 0) {
			week_rollback(in->week);
			own_forget(in->own);
			for (struct intake_tap *done = l->head; done != t; done = done->next)
				intake_unadmit(in, done);
			return err_trace(r);
		}
	}
	return 0;
}

static bool confirms_any(const struct tap_list *l)
{
	for (const struct intake_tap *t = l->head; t; t = t->next)
		if (t->result == INTAKE_CONFIRMED)
			return true;
	return false;
}

/* What the batch's bets were priced from goes into the book with them, once for each quote. 0; 1: nothing to keep; <0. */
static int keep_quote(struct intake *in, struct store *db, const struct tap_list *l)
{
	const struct quote_grid *g = &in->batch.grid;
	_cleanup_(buf_free) struct buf made = BUF_INIT(QUOTE_LOG_MAX);
	if (g->quote_id == in->kept_quote_id || !in->market.made || !confirms_any(l) ||
			!in->market.made(in->market.u, g->quote_id, &made) || made.failed)
		return 1;
	return book_put_quote(db, g->quote_id, g->t_ms, made.p, made.n);
}

static void note_commit(struct intake *in)
{
	atomic_store(&in->last_commit_ms, clk_mono_ms());
	atomic_store(&in->disk_full, false);
}

/* Who comes meanwhile is not refused for the time that another has the gate. */
static int begin(struct intake *in, struct store **ret)
{
	(void) pthread_mutex_lock(&in->lock);
	queue_gate_asked(&in->rule, clk_mono_us());
	(void) pthread_mutex_unlock(&in->lock);
	int r = week_begin(in->week, ret);
	(void) pthread_mutex_lock(&in->lock);
	queue_gate_given(&in->rule, clk_mono_us());
	(void) pthread_mutex_unlock(&in->lock);
	return r;
}

static void run_batch(struct intake *in, struct tap_list *l)
{
	struct store *db;
	int r = begin(in, &db);
	if (r != 0) {
		failed(in, r);
		answer_all_undone(in, l, false);
		return;
	}
	look_at_market(in); /* after the wait for the gate: the newest */
	r = admit_all(in, db, l);
	if (r < 0) {
		failed(in, r);
		answer_all_undone(in, l, false);
		return;
	}
	int kept = keep_quote(in, db, l);
	if (kept < 0)
		week_rollback(in->week);
	r = kept < 0 ? kept : week_commit(in->week);
	if (r != 0) {
		own_forget(in->own);
		for (struct intake_tap *t = l->head; t; t = t->next)
			intake_unadmit(in, t);
		failed(in, r);
		answer_all_undone(in, l, kept >= 0 && r < 0);
		return;
	}
	note_commit(in);
	if (kept == 0)
		in->kept_quote_id = in->batch.grid.quote_id;
	(void) pthread_mutex_lock(&in->lock);
	in->batches++;
	if (l->n > in->batch_max_seen)
		in->batch_max_seen = l->n;
	(void) pthread_mutex_unlock(&in->lock);
	answer_all(in, l);
}

/* 0: all are on disk. Else none did anything. */
static int do_jobs(struct intake *in, struct intake_job *jobs)
{
	struct store *db;
	if (atomic_load(&in->disk_tight))
		return err_say(-ENOSPC, "the disk is nearly full");
	int r = begin(in, &db);
	for (struct intake_job *j = jobs; j && r == 0; j = j->next) {
		j->result = j->fn(j, db, clk_now_ms());
		if (j->result < 0) {
			r = j->result;
			week_rollback(in->week);
		}
	}
	if (r == 0)
		r = week_commit(in->week);
	if (r == 0)
		note_commit(in);
	else
		failed(in, r);
	return r <= 0 ? r : -ENOSPC;
}

/* A turn's jobs in one transaction: a wave of sign-ins, as when Redis was emptied, costs one fsync and not one for each. */
static void run_jobs(struct intake *in, struct intake_job *jobs)
{
	int r = jobs ? do_jobs(in, jobs) : 0;
	for (struct intake_job *j = jobs, *next; j; j = next) {
		next = j->next;
		j->done(j, r == 0 ? j->result : r);
	}
}

/* Columns that the book has decided weigh nothing any more. over: the book is looked at anyway, so that a new week's is found
 * also when nobody bets. */
static int forget_decided(struct intake *in, bool over)
{
	int64_t t0[COLUMNS_A_TURN];
	struct column c;
	struct store *db;
	int64_t ended_s = clk_now_ms() / 1000 - in->rules.column_s;
	size_t n = exposure_columns_before(in->exposure, ended_s, t0, COLUMNS_A_TURN);

	if (n == 0 && !over)
		return 0;
	int r = begin(in, &db);
	if (r != 0)
		return r;
	for (size_t i = 0; i < n && r >= 0; i++) {
		r = book_column(db, t0[i], &c);
		if (r == 0 && !c.settling)
			exposure_drop_column(in->exposure, t0[i]);
	}
	week_rollback(in->week);
	return r < 0 ? r : 0;
}

/* As df counts: what only root may use does not count as free. */
static bool disk_is_tight(const char *dir)
{
	struct statvfs fs;
	if (statvfs(dir, &fs) < 0)
		return false;
	uint64_t used = fs.f_blocks - fs.f_bfree;
	return used * 100 >= (used + fs.f_bavail) * DISK_TIGHT_PERCENT;
}

/* Tells ingest, while bets are open, what may still be taken on each cell of the newest grid. */
static void say_room(struct intake *in, int64_t mono_ms)
{
	struct quote_grid *g = &in->batch.grid;
	struct speeches one;

	if (mono_ms - in->room_ms < ROOM_MS || exposure_open(in->exposure).micros == 0)
		return;
	in->room_ms = mono_ms;
	look_at_market(in);
	if (!in->batch.has_grid)
		return;
	for (int i = 0; i < g->columns; i++)
		for (int j = 0; j < g->rows; j++)
			g->rates[i][j] = quote_room(exposure_room(in->exposure, g->t0_s[i], g->low_cents + j * g->row_cents),
					money_of(in->s->stake_presets.v[0]));
	speeches_init(&one);
	speeches_add(&one, speech_of_room(g));
	announcer_say(in, &one);
}

/* Keeps the copy of the exposure that others look at; taken by who alone may read the exposure itself. */
static void tell_exposure(struct intake *in, int64_t mono_ms)
{
	struct money open = exposure_open(in->exposure);
	if (mono_ms - in->exposure_ms < ROOM_MS || (open.micros == 0 && in->told.open.micros == 0))
		return;
	in->exposure_ms = mono_ms;
	(void) pthread_mutex_lock(&in->lock);
	in->told.open = open;
	in->told.cells = exposure_cells(in->exposure, in->told.at, INTAKE_EXPOSURE_MAX);
	in->told.n = in->told.cells < INTAKE_EXPOSURE_MAX ? in->told.cells : INTAKE_EXPOSURE_MAX;
	(void) pthread_mutex_unlock(&in->lock);
}

/* While a week ends nobody is the checkpointer, so that who ends it can move the old file's last commits into it. Should it not
 * end, for want of room say, the WAL must be kept small all the same. */
static int checkpoint(struct intake *in, bool over, int64_t mono_ms)
{
	struct store *db = week_store(in->week);
	int r = 0;
	if (!over)
		in->over_ms = mono_ms;
	if (mono_ms - in->over_ms < WEEK_ENDS_MS && over) {
		store_checkpointer_leave(db);
		return 0;
	}
	if (store_wal_bytes(db) >= CHECKPOINT_BYTES && store_checkpointer(db))
		r = store_checkpoint(db, CHECKPOINT_PAGES);
	if (r >= 0 && mono_ms - in->meta_ms >= META_CHECKPOINT_MS) {
		in->meta_ms = mono_ms;
		if (store_checkpointer(db))
			r = week_checkpoint_meta(in->week);
	}
	return r;
}

static void keep_house(struct intake *in, int64_t mono_ms)
{
	bool over = week_is_over(in->week, clk_now_ms());
	say_room(in, mono_ms);
	tell_exposure(in, mono_ms);
	if (mono_ms - in->housekeeping_ms >= HOUSEKEEPING_MS) {
		in->housekeeping_ms = mono_ms;
		nonces_turn(in->decided, mono_ms);
		nonces_turn(in->recalled, mono_ms);
		atomic_store(&in->disk_tight, disk_is_tight(in->s->data_dir.v));
		int r = forget_decided(in, over);
		if (r != 0)
			failed(in, r);
	}
	int r = checkpoint(in, over, mono_ms);
	if (r < 0)
		failed(in, r);
	struct store *db = week_store(in->week);
	(void) pthread_mutex_lock(&in->lock);
	store_stats(db, &in->store);
	in->wal_bytes = store_wal_bytes(db);
	in->open_exposure = exposure_open(in->exposure);
	(void) pthread_mutex_unlock(&in->lock);
}

static struct intake_job *take_jobs(struct intake *in)
{
	struct intake_job *list = in->jobs, *last = list;
	if (!list)
		return NULL;
	int64_t n = 1;
	for (; last->next && n < JOBS_PER_TURN; last = last->next)
		n++;
	in->jobs = last->next;
	if (!in->jobs)
		in->jobs_tail = &in->jobs;
	last->next = NULL;
	in->jobs_n -= n;
	return list;
}

void *intake_writer_run(void *u)
{
	struct intake *in = u;
	struct tap_list l;

	thread_gathers();
	for (;;) {
		atomic_store(&in->writer_ms, clk_mono_ms());
		(void) pthread_mutex_lock(&in->lock);
		if (!in->waiting.head && !in->jobs && !in->stopping)
			cond_wait_until(&in->wake, &in->lock,
					clk_mono_ms() + (exposure_open(in->exposure).micros ? ROOM_MS : IDLE_MS));
		tap_list_take(&l, &in->waiting, in->s->batch_max);
		struct intake_job *jobs = take_jobs(in);
		bool last = in->stopping && !l.head && !jobs;
		(void) pthread_mutex_unlock(&in->lock);
		if (last)
			return NULL;
		if (l.head)
			intake_pass_door(in, &l);
		if (l.head)
			run_batch(in, &l);
		run_jobs(in, jobs);
		keep_house(in, clk_mono_ms());
	}
}
