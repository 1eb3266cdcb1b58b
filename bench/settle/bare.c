#include "bare.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bet.h"
#include "check.h"
#include "clk.h"
#include "ulid.h"

enum { PAGE_BETS = 2048, RANGE = SETTLE_RANGE_BETS, ACCOUNT_COLUMNS = 12, BET_COLUMNS = 13 };

struct range {
	const struct known *k;
	size_t from, n;
	int64_t ints[RANGE][STORE_GIVEN_INTS];
	char texts[RANGE][STORE_GIVEN_TEXT + 1];
	int64_t users[RANGE];
	size_t last[RANGE], n_users; /* each user's last bet of the range */
};

static int64_t sink; /* what is read is looked at */

static void walk(struct stmt *st, int columns, size_t limit)
{
	int r = 0;
	for (size_t n = 0; n < limit && (r = stmt_step(st)) == STMT_ROW; n++) {
		for (int i = 0; i < columns; i++) {
			size_t size;
			if (stmt_col_type(st, i) == STMT_BLOB)
				sink += *(const char *) stmt_col_blob(st, i, &size);
			else
				sink += stmt_col_int(st, i);
		}
	}
	if (r == STMT_ROW)
		stmt_reset(st);
	CHECK(r >= 0);
}

static void ref_of(char out[ULID_TEXT_SIZE], const struct bet *b)
{
	struct ulid id;
	CHECK(bet_id(&id, &(struct bet_key){ .placed_ms = b->placed_ms, .t0_s = b->cell.t0_s, .low_cents = b->cell.low_cents,
			.user = b->user }));
	ulid_format(out, &id);
}

void known_read(struct known *k, struct week *w)
{
	struct store *db;
	size_t n = 0;
	must(week_begin(w, &db), "begin");
	struct stmt *st = store_stmt(db, "SELECT pay_row, user FROM bets WHERE t0 = ?1 ORDER BY t0, low, user");
	stmt_int(st, 1, k->t0_s);
	while (stmt_step(st) == STMT_ROW && n < k->n) {
		CHECK(stmt_col_int(st, 1) == k->bets[n].bet.user);
		k->pay_rows[n++] = stmt_col_int(st, 0);
	}
	CHECK(n == k->n);
	int64_t *newest = calloc(1 << 24, sizeof *newest); /* by user */
	CHECK(newest);
	for (size_t i = 0; i < n; i++) {
		int64_t user = k->bets[i].bet.user;
		CHECK(user < 1 << 24);
		newest[user] = k->pay_rows[i] ? k->pay_rows[i] : newest[user];
		k->last_rows[i] = newest[user];
	}
	free(newest);
	week_rollback(w);
}

static void read_page(struct week *w, const struct known *k, size_t at)
{
	struct store *look;
	must(week_look_begin(w, &look), "look");
	struct stmt *st = store_stmt(look, "SELECT t0, low, user, stake, rate, rate_min, placed_at, signed_at, nonce, status, bet_row,"
			" pay_row, signer FROM bets WHERE t0 = ?1 AND (low, user) > (?2, ?3) AND status = 1 ORDER BY t0, low, user");
	stmt_int(st, 1, k->t0_s);
	stmt_int(st, 2, at ? k->bets[at - 1].bet.cell.low_cents : -1);
	stmt_int(st, 3, at ? k->bets[at - 1].bet.user : 0);
	walk(st, BET_COLUMNS, PAGE_BETS);
	week_look_end(w);
}

static void find_users(struct range *r)
{
	r->n_users = 0;
	for (size_t i = r->from + r->n; i-- > r->from;) {
		size_t j = 0;
		while (j < r->n_users && r->users[j] != r->k->bets[i].bet.user)
			j++;
		if (j < r->n_users)
			continue;
		r->users[j] = r->k->bets[i].bet.user;
		r->last[j] = i;
		r->n_users++;
	}
}

static void read_accounts(struct store *db, struct range *r)
{
	struct stmt *st = store_stmt(db, "SELECT id, wallet, balance, version, open_bets, open_stake, suspended, created_at, last_row,"
			" opened_version, limits_row, keys_row FROM given(?1) g CROSS JOIN users WHERE users.id = g.a");
	for (size_t i = 0; i < r->n_users; i++)
		r->ints[i][0] = r->users[i];
	stmt_given(st, 1, &(struct store_given){ .n = r->n_users, .ints = r->ints });
	walk(st, ACCOUNT_COLUMNS, SIZE_MAX);
}

static void insert_rows(struct store *db, struct range *r)
{
	size_t n = 0;
	for (size_t i = r->from; i < r->from + r->n; i++) {
		const struct settled_bet *sb = &r->k->bets[i];
		const int64_t ints[] = { r->k->pay_rows[i], sb->bet.user, sb->bet.payout.micros, sb->account.balance.micros, 0, 0 };
		if (ints[0] == 0)
			continue;
		memcpy(r->ints[n], ints, sizeof ints);
		ref_of(r->texts[n++], &sb->bet);
	}
	if (n == 0)
		return;
	struct stmt *st = store_stmt(db, "INSERT INTO transaction_ledger(id, user, amount, balance_after, ref_type, ref_id, prev, at)"
			" SELECT g.a, g.b, g.c, g.d, ?2, g.text, g.e, ?3 FROM given(?1) g");
	stmt_given(st, 1, &(struct store_given){ .n = n, .ints = r->ints, .texts = r->texts });
	stmt_text(st, 2, "PAYOUT", 6);
	stmt_int(st, 3, r->k->t0_s);
	must(stmt_run(st), "rows");
}

static void account_ints(int64_t out[STORE_GIVEN_INTS], const struct known *k, size_t i)
{
	const struct account *a = &k->bets[i].account;
	const int64_t ints[STORE_GIVEN_INTS] = { a->user, a->balance.micros, a->seq, k->last_rows[i], a->open_bets,
		a->open_stake.micros };
	memcpy(out, ints, sizeof ints);
}

static void update_accounts(struct store *db, struct range *r)
{
	for (size_t i = 0; i < r->n_users; i++)
		account_ints(r->ints[i], r->k, r->last[i]);
	struct stmt *st = store_stmt(db, "UPDATE users SET balance = g.b, version = g.c, last_row = g.d, open_bets = g.e,"
			" open_stake = g.f FROM given(?1) g WHERE users.id = g.a");
	stmt_given(st, 1, &(struct store_given){ .n = r->n_users, .ints = r->ints });
	must(stmt_run(st), "accounts");
}

static void update_bets(struct store *db, struct range *r)
{
	for (size_t i = 0; i < r->n; i++) {
		const struct bet *b = &r->k->bets[r->from + i].bet;
		const int64_t ints[STORE_GIVEN_INTS] = { b->cell.t0_s, b->cell.low_cents, b->user, b->state, r->k->pay_rows[r->from + i] };
		memcpy(r->ints[i], ints, sizeof ints);
	}
	struct stmt *st = store_stmt(db, "UPDATE bets SET status = g.d, pay_row = g.e FROM given(?1) g"
			" WHERE bets.t0 = g.a AND bets.low = g.b AND bets.user = g.c AND bets.status = 1");
	stmt_given(st, 1, &(struct store_given){ .n = r->n, .ints = r->ints });
	must(stmt_run(st), "bets");
}

static void by_range(struct store *db, const struct known *k, size_t from, size_t n)
{
	struct range r = { .k = k };
	for (r.from = from; r.from < from + n; r.from += r.n) {
		r.n = from + n - r.from < RANGE ? from + n - r.from : RANGE;
		find_users(&r);
		read_accounts(db, &r);
		insert_rows(db, &r);
		update_accounts(db, &r);
		update_bets(db, &r);
	}
}

static void one_bet(struct store *db, const struct known *k, size_t i)
{
	const struct settled_bet *sb = &k->bets[i];
	int64_t ints[STORE_GIVEN_INTS];
	struct stmt *st = store_stmt(db, "SELECT id, wallet, balance, version, open_bets, open_stake, suspended, created_at, last_row,"
			" opened_version, limits_row, keys_row FROM users WHERE id = ?1");
	stmt_int(st, 1, sb->bet.user);
	walk(st, ACCOUNT_COLUMNS, SIZE_MAX);
	if (k->pay_rows[i]) {
		char ref[ULID_TEXT_SIZE];
		const int64_t row[] = { k->pay_rows[i], sb->bet.user, sb->bet.payout.micros, sb->account.balance.micros };
		ref_of(ref, &sb->bet);
		st = store_stmt(db, "INSERT INTO transaction_ledger(id, user, amount, balance_after, ref_type, ref_id, prev, at)"
				" VALUES (?1, ?2, ?3, ?4, 'PAYOUT', ?5, 0, ?6)");
		for (int c = 0; c < 4; c++)
			stmt_int(st, c + 1, row[c]);
		stmt_text(st, 5, ref, sizeof ref - 1);
		stmt_int(st, 6, k->t0_s);
		must(stmt_run(st), "row");
	}
	st = store_stmt(db, "UPDATE users SET balance = ?2, version = ?3, last_row = ?4, open_bets = ?5, open_stake = ?6 WHERE id = ?1");
	account_ints(ints, k, i);
	for (int c = 0; c < STORE_GIVEN_INTS; c++)
		stmt_int(st, c + 1, ints[c]);
	must(stmt_run(st), "account");
	st = store_stmt(db, "UPDATE bets SET status = ?4, pay_row = ?5 WHERE t0 = ?1 AND low = ?2 AND user = ?3 AND status = 1");
	stmt_int(st, 1, k->t0_s);
	stmt_int(st, 2, sb->bet.cell.low_cents);
	stmt_int(st, 3, sb->bet.user);
	stmt_int(st, 4, sb->bet.state);
	stmt_int(st, 5, k->pay_rows[i]);
	must(stmt_run(st), "bet");
}

/* Beside the bets each transaction says how far it came, and closes the chain and the seals. */
static void end_slice(struct store *db, const struct known *k, size_t done, int64_t serial)
{
	static const char hash[32];
	struct stmt *st = done < k->n ?
			store_stmt(db, "UPDATE settling SET after_low = ?2, after_user = ?3, open_bets = ?4 WHERE t0 = ?1") :
			store_stmt(db, "DELETE FROM settling WHERE t0 = ?1");
	stmt_int(st, 1, k->t0_s);
	if (done < k->n) {
		stmt_int(st, 2, k->bets[done - 1].bet.cell.low_cents);
		stmt_int(st, 3, k->bets[done - 1].bet.user);
		stmt_int(st, 4, (int64_t) (k->n - done));
	}
	must(stmt_run(st), "mark");
	st = store_stmt(db, "INSERT INTO chain(id, first_row, last_row, hash) VALUES (?1, 1, 1, ?2)");
	stmt_int(st, 1, INT64_C(1000000000) + serial);
	stmt_blob(st, 2, hash, sizeof hash);
	must(stmt_run(st), "chain");
	st = store_stmt(db, "INSERT INTO seals(id, chain, sum, hash) VALUES (?1, 1, ?2, ?2)");
	stmt_int(st, 1, INT64_C(1000000000) + serial);
	stmt_blob(st, 2, hash, sizeof hash);
	must(stmt_run(st), "seal");
}

int64_t bare_run(struct week *w, const struct known *k, enum bare_how how)
{
	int64_t from_us = clk_thread_cpu_us();
	size_t done = 0, read = 0;
	for (size_t i = 0; i < k->n_slices; i++) {
		struct store *db;
		if (k->slices[i] == 0) /* the column's own record, which is there */
			continue;
		if (done + k->slices[i] > read) {
			read_page(w, k, done);
			read = done + PAGE_BETS;
		}
		must(week_begin(w, &db), "begin");
		if (how == BARE_BY_RANGE)
			by_range(db, k, done, k->slices[i]);
		for (size_t b = done; how == BARE_BY_BET && b < done + k->slices[i]; b++)
			one_bet(db, k, b);
		done += k->slices[i];
		end_slice(db, k, done, (int64_t) i);
		must(week_commit(w), "commit");
	}
	CHECK(done == k->n);
	return clk_thread_cpu_us() - from_us;
}

void bare_check(struct week *w, const struct known *k)
{
	struct store *db;
	must(week_begin(w, &db), "begin");
	for (size_t i = 0; i < k->n; i++) {
		const struct settled_bet *sb = &k->bets[i];
		struct account a;
		struct bet b;
		must(book_bet(db, sb->bet.user, &sb->bet.cell, &b), "bet");
		must(ledger_account_by_id(db, sb->bet.user, &a), "account");
		CHECK(b.state == sb->bet.state && a.seq >= sb->account.seq);
		CHECK(a.seq > sb->account.seq || a.balance.micros == sb->account.balance.micros);
	}
	week_rollback(w);
}
