#include "schema.h"

/* What is written on the hot path, for each bet: one UPDATE of a users row, one row at the end of transaction_ledger, one row of
 * bets beside its neighbours of the same column. No other index is touched: transaction_ledger's is partial.
 *
 * users.version      number of the wallet's events so far; opened_version: when this file was opened
 * users.last_row     the user's newest ledger row in this file, 0: none; each row's prev leads to the one before
 * bets.bet_row       its BET row; 0: it stands in an earlier week's file, from which the open bet was carried over
 * bets.pay_row       its PAYOUT or REFUND row; 0: none
 * transaction_ledger.ref_id  the bet's id for BET, PAYOUT, REFUND, else the external id
 * external_refs      what earlier weeks posted under an external id, so that it is for ever posted once
 * chain              one row for each commit that posted: the hash over the one before and the rows first_row..last_row
 * book.chain_start   the last hash of the week before; zeros in the first
 * book.settled_until every column that starts at or before it and holds bets is decided
 *
 * The numbers of status are enum bet_state and enum column_status. */
static const char week_1_up[] =
	"CREATE TABLE book("
	" id INTEGER PRIMARY KEY CHECK(id = 1), year INTEGER NOT NULL, week INTEGER NOT NULL CHECK(week BETWEEN 1 AND 53),"
	" opened_at INTEGER NOT NULL, chain_start BLOB NOT NULL CHECK(length(chain_start) = 32),"
	" settled_until INTEGER NOT NULL) STRICT;"
	"CREATE TABLE users("
	" id INTEGER PRIMARY KEY, wallet BLOB NOT NULL UNIQUE CHECK(length(wallet) = 20),"
	" balance INTEGER NOT NULL CHECK(balance >= 0), version INTEGER NOT NULL CHECK(version >= opened_version),"
	" last_row INTEGER NOT NULL, open_bets INTEGER NOT NULL CHECK(open_bets >= 0),"
	" open_stake INTEGER NOT NULL CHECK(open_stake >= 0), suspended INTEGER NOT NULL CHECK(suspended IN (0, 1)),"
	" created_at INTEGER NOT NULL, opened_version INTEGER NOT NULL CHECK(opened_version >= 0)) STRICT;"
	"CREATE TABLE transaction_ledger("
	" id INTEGER PRIMARY KEY, user INTEGER NOT NULL REFERENCES users(id), amount INTEGER NOT NULL CHECK(amount <> 0),"
	" balance_after INTEGER NOT NULL CHECK(balance_after >= 0),"
	" ref_type TEXT NOT NULL CHECK(ref_type IN ('BET', 'PAYOUT', 'REFUND', 'DEPOSIT', 'WITHDRAWAL',"
	" 'WITHDRAWAL_REVERSAL', 'ADJUSTMENT', 'OPENING')),"
	" ref_id ANY NOT NULL CHECK(typeof(ref_id) = iif(ref_type IN ('BET', 'PAYOUT', 'REFUND'), 'integer', 'text')),"
	" prev INTEGER NOT NULL CHECK(prev >= 0 AND prev < id), at INTEGER NOT NULL) STRICT;"
	"CREATE UNIQUE INDEX ledger_external ON transaction_ledger(ref_id, ref_type)"
	" WHERE ref_type IN ('DEPOSIT', 'WITHDRAWAL', 'WITHDRAWAL_REVERSAL', 'ADJUSTMENT');"
	"CREATE TABLE external_refs("
	" ref_id TEXT NOT NULL, ref_type TEXT NOT NULL, user INTEGER NOT NULL REFERENCES users(id), amount INTEGER NOT NULL,"
	" at INTEGER NOT NULL, PRIMARY KEY(ref_id, ref_type)) STRICT, WITHOUT ROWID;"
	"CREATE TABLE chain("
	" id INTEGER PRIMARY KEY, first_row INTEGER NOT NULL, last_row INTEGER NOT NULL CHECK(last_row >= first_row - 1),"
	" hash BLOB NOT NULL CHECK(length(hash) = 32)) STRICT;"
	"CREATE TABLE bets("
	" t0 INTEGER NOT NULL, low INTEGER NOT NULL CHECK(low >= 0), user INTEGER NOT NULL REFERENCES users(id),"
	" stake INTEGER NOT NULL CHECK(stake > 0), rate INTEGER NOT NULL CHECK(rate > 0), rate_min INTEGER NOT NULL,"
	" placed_at INTEGER NOT NULL, signed_at INTEGER NOT NULL, nonce BLOB NOT NULL CHECK(length(nonce) = 16),"
	" status INTEGER NOT NULL CHECK(status BETWEEN 1 AND 4), bet_row INTEGER NOT NULL, pay_row INTEGER NOT NULL,"
	" PRIMARY KEY(t0, low, user)) STRICT, WITHOUT ROWID;"
	"CREATE TABLE columns("
	" t0 INTEGER PRIMARY KEY, status INTEGER NOT NULL CHECK(status IN (1, 2)), anchor_t INTEGER, anchor_p INTEGER,"
	" path_low INTEGER NOT NULL, path_high INTEGER NOT NULL, ticks INTEGER NOT NULL, path BLOB NOT NULL,"
	" digest BLOB NOT NULL CHECK(length(digest) = 32), prev_digest BLOB NOT NULL CHECK(length(prev_digest) = 32),"
	" settled_at INTEGER NOT NULL, bets INTEGER NOT NULL CHECK(bets >= 0),"
	" CHECK((anchor_t IS NULL) = (anchor_p IS NULL))) STRICT;"
	"CREATE TRIGGER ledger_no_update BEFORE UPDATE ON transaction_ledger BEGIN"
	" SELECT RAISE(ABORT, 'a ledger row is for ever'); END;"
	"CREATE TRIGGER ledger_no_delete BEFORE DELETE ON transaction_ledger BEGIN"
	" SELECT RAISE(ABORT, 'a ledger row is for ever'); END;"
	"CREATE TRIGGER chain_no_update BEFORE UPDATE ON chain BEGIN SELECT RAISE(ABORT, 'the chain is for ever'); END;"
	"CREATE TRIGGER chain_no_delete BEFORE DELETE ON chain BEGIN SELECT RAISE(ABORT, 'the chain is for ever'); END;"
	"CREATE TRIGGER bets_decided_once BEFORE UPDATE ON bets WHEN OLD.status <> 1 OR NEW.status = 1 OR NEW.t0 <> OLD.t0"
	" OR NEW.low <> OLD.low OR NEW.user <> OLD.user OR NEW.stake <> OLD.stake OR NEW.rate <> OLD.rate"
	" OR NEW.rate_min <> OLD.rate_min OR NEW.placed_at <> OLD.placed_at OR NEW.signed_at <> OLD.signed_at"
	" OR NEW.nonce <> OLD.nonce OR NEW.bet_row <> OLD.bet_row BEGIN"
	" SELECT RAISE(ABORT, 'a bet is decided once and else never changed'); END;"
	"CREATE TRIGGER bets_no_delete BEFORE DELETE ON bets BEGIN SELECT RAISE(ABORT, 'a bet is for ever'); END;"
	"CREATE TRIGGER columns_no_update BEFORE UPDATE ON columns BEGIN"
	" SELECT RAISE(ABORT, 'a column is decided once'); END;"
	"CREATE TRIGGER columns_no_delete BEFORE DELETE ON columns BEGIN"
	" SELECT RAISE(ABORT, 'a column is decided once'); END;"
	"CREATE TRIGGER users_same BEFORE UPDATE OF id, wallet, created_at, opened_version ON users BEGIN"
	" SELECT RAISE(ABORT, 'an account keeps its wallet'); END;"
	"CREATE TRIGGER users_no_delete BEFORE DELETE ON users BEGIN SELECT RAISE(ABORT, 'an account is for ever'); END;"
	"CREATE TRIGGER book_same BEFORE UPDATE OF id, year, week, opened_at, chain_start ON book BEGIN"
	" SELECT RAISE(ABORT, 'a book keeps its week'); END;"
	"CREATE TRIGGER book_no_delete BEFORE DELETE ON book BEGIN SELECT RAISE(ABORT, 'a book keeps its week'); END;";

static const char week_1_down[] =
	"DROP TABLE columns; DROP TABLE bets; DROP TABLE chain; DROP TABLE external_refs; DROP TABLE transaction_ledger;"
	" DROP TABLE users;"
	" DROP TABLE book;";

/* withdrawals.ref   its ULID, the ref_id of its ledger rows; dest as the player signed it; status: enum withdraw_state;
 * decided_at 0: not yet. Few rows, off the hot path: here indexes in random order cost nothing that counts. */
static const char week_2_up[] =
	"CREATE TABLE withdrawals("
	" id INTEGER PRIMARY KEY, ref TEXT NOT NULL UNIQUE CHECK(length(ref) = 26), user INTEGER NOT NULL REFERENCES users(id),"
	" amount INTEGER NOT NULL CHECK(amount > 0), dest TEXT NOT NULL CHECK(length(dest) = 42),"
	" nonce BLOB NOT NULL CHECK(length(nonce) = 16), signed_at INTEGER NOT NULL,"
	" status INTEGER NOT NULL CHECK(status BETWEEN 1 AND 3), requested_at INTEGER NOT NULL,"
	" decided_at INTEGER NOT NULL CHECK((decided_at = 0) = (status = 1)), UNIQUE(user, nonce)) STRICT;"
	"CREATE INDEX withdrawals_user ON withdrawals(user, id);"
	"CREATE TRIGGER withdrawals_decided_once BEFORE UPDATE ON withdrawals WHEN OLD.status <> 1 OR NEW.status = 1"
	" OR NEW.id <> OLD.id OR NEW.ref <> OLD.ref OR NEW.user <> OLD.user OR NEW.amount <> OLD.amount OR NEW.dest <> OLD.dest"
	" OR NEW.nonce <> OLD.nonce OR NEW.signed_at <> OLD.signed_at OR NEW.requested_at <> OLD.requested_at BEGIN"
	" SELECT RAISE(ABORT, 'a withdrawal is decided once and else never changed'); END;"
	"CREATE TRIGGER withdrawals_no_delete BEFORE DELETE ON withdrawals BEGIN"
	" SELECT RAISE(ABORT, 'a withdrawal is for ever'); END;";

static const char week_2_down[] = "DROP TABLE withdrawals;";

/* Until then a bet's rows bore t0 << 31 | low, which is the bet's only together with the user. An id is 48 bits of placed_at,
 * 16 of t0 - placed_at / 1000, 32 of low and 32 of user, five bits a character. */
#define LEDGER_TABLE(kinds, bet_ref) \
	"DROP TRIGGER ledger_no_update; DROP TRIGGER ledger_no_delete; DROP INDEX ledger_external;" \
	"ALTER TABLE transaction_ledger RENAME TO ledger_before;" \
	"CREATE TABLE transaction_ledger(" \
	" id INTEGER PRIMARY KEY, user INTEGER NOT NULL REFERENCES users(id), amount INTEGER NOT NULL CHECK(amount <> 0)," \
	" balance_after INTEGER NOT NULL CHECK(balance_after >= 0)," \
	" ref_type TEXT NOT NULL CHECK(" kinds ")," \
	" ref_id " bet_ref "," \
	" prev INTEGER NOT NULL CHECK(prev >= 0 AND prev < id), at INTEGER NOT NULL) STRICT;"
#define LEDGER_OTHERS \
	"INSERT INTO transaction_ledger SELECT * FROM ledger_before WHERE ref_type NOT IN ('BET', 'PAYOUT', 'REFUND');"
#define LEDGER_BETS(row, bet_ref) \
	"INSERT INTO transaction_ledger SELECT l.id, l.user, l.amount, l.balance_after, l.ref_type, " bet_ref ", l.prev, l.at" \
	" FROM bets b JOIN ledger_before l ON l.id = b." row ";"
#define LEDGER_DONE(externals) \
	"DROP TABLE ledger_before;" \
	"CREATE UNIQUE INDEX ledger_external ON transaction_ledger(ref_id, ref_type) WHERE " externals ";" \
	"CREATE TRIGGER ledger_no_update BEFORE UPDATE ON transaction_ledger BEGIN" \
	" SELECT RAISE(ABORT, 'a ledger row is for ever'); END;" \
	"CREATE TRIGGER ledger_no_delete BEFORE DELETE ON transaction_ledger BEGIN" \
	" SELECT RAISE(ABORT, 'a ledger row is for ever'); END;"
#define KINDS_IN "ref_type IN ('BET', 'PAYOUT', 'REFUND', 'DEPOSIT', 'WITHDRAWAL', 'WITHDRAWAL_REVERSAL', 'ADJUSTMENT', 'OPENING')"
#define EXTERNALS_IN "ref_type IN ('DEPOSIT', 'WITHDRAWAL', 'WITHDRAWAL_REVERSAL', 'ADJUSTMENT')"
static const char week_3_up[] = LEDGER_TABLE(KINDS_IN, "TEXT NOT NULL") LEDGER_OTHERS LEDGER_BETS("bet_row", SCHEMA_BET_ID)
	LEDGER_BETS("pay_row", SCHEMA_BET_ID) LEDGER_DONE(EXTERNALS_IN);

#define BET_CELL "(b.t0 << 31) | b.low"
static const char week_3_down[] = LEDGER_TABLE(KINDS_IN, "ANY NOT NULL"
	" CHECK(typeof(ref_id) = iif(ref_type IN ('BET', 'PAYOUT', 'REFUND'), 'integer', 'text'))") LEDGER_OTHERS
	LEDGER_BETS("bet_row", BET_CELL) LEDGER_BETS("pay_row", BET_CELL) LEDGER_DONE(EXTERNALS_IN);

/* settling   a column that is recorded, with bets of it still to decide: open_bets of them, after the key (after_low, after_user)
 * A file with such a column cannot go down: without the mark its open bets would be forgotten. */
static const char week_4_up[] =
	"CREATE TABLE settling("
	" t0 INTEGER PRIMARY KEY, after_low INTEGER NOT NULL, after_user INTEGER NOT NULL,"
	" open_bets INTEGER NOT NULL CHECK(open_bets > 0)) STRICT;"
	"CREATE TRIGGER settling_begins BEFORE INSERT ON settling WHEN EXISTS(SELECT 1 FROM columns WHERE t0 = NEW.t0) BEGIN"
	" SELECT RAISE(ABORT, 'a column is settled once'); END;"
	"CREATE TRIGGER settling_goes_on BEFORE UPDATE ON settling WHEN NEW.t0 <> OLD.t0 OR NEW.open_bets >= OLD.open_bets"
	" OR (NEW.after_low, NEW.after_user) <= (OLD.after_low, OLD.after_user) BEGIN"
	" SELECT RAISE(ABORT, 'settlement only goes on'); END;"
	"CREATE TRIGGER settling_ends BEFORE DELETE ON settling WHEN EXISTS(SELECT 1 FROM bets WHERE t0 = OLD.t0"
	" AND (low, user) > (OLD.after_low, OLD.after_user) AND status = 1) BEGIN"
	" SELECT RAISE(ABORT, 'the column has open bets'); END;";

static const char week_4_down[] =
	"INSERT INTO settling(t0, after_low, after_user, open_bets) SELECT -t0, 0, 0, 0 FROM settling;"
	"DROP TABLE settling;";

/* users.limits_row    the user's newest row of player_limits, users.keys_row of session_keys; 0: none
 * player_limits       what players forbade themselves, from the first week on; kind: enum limit; value: micro-USD, or until when
 * session_keys        a row for each session that names a key; a user's newest row of an address is what holds
 * bets.signer         the session key that signed, 0: the wallet itself
 * Going down leaves player_limits where it is: an older release does not look at it, but who excluded himself is found excluded when
 * the file comes up again. So it names its users without a reference, and coming up finds it there. */
static const char week_5_up[] =
	"ALTER TABLE users ADD COLUMN limits_row INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE users ADD COLUMN keys_row INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE bets ADD COLUMN signer INTEGER NOT NULL DEFAULT 0;"
	"CREATE TABLE IF NOT EXISTS player_limits("
	" id INTEGER PRIMARY KEY, user INTEGER NOT NULL, kind INTEGER NOT NULL CHECK(kind BETWEEN 1 AND 6),"
	" value INTEGER NOT NULL CHECK(value >= 0), at INTEGER NOT NULL, starts INTEGER NOT NULL CHECK(starts >= at),"
	" who TEXT NOT NULL, hash BLOB NOT NULL CHECK(length(hash) = 32)) STRICT;"
	"CREATE INDEX IF NOT EXISTS player_limits_user ON player_limits(user, id);"
	"CREATE TABLE session_keys("
	" id INTEGER PRIMARY KEY, user INTEGER NOT NULL REFERENCES users(id), address BLOB NOT NULL CHECK(length(address) = 20),"
	" player_column INTEGER NOT NULL CHECK(player_column >= 0), player_open INTEGER NOT NULL CHECK(player_open >= 0),"
	" expires_at INTEGER NOT NULL) STRICT;"
	"CREATE INDEX session_keys_user ON session_keys(user, address);"
	"UPDATE users SET limits_row = (SELECT max(id) FROM player_limits WHERE user = users.id)"
	" WHERE id IN (SELECT user FROM player_limits);"
	"CREATE TRIGGER IF NOT EXISTS player_limits_no_update BEFORE UPDATE ON player_limits BEGIN"
	" SELECT RAISE(ABORT, 'what a player forbade himself is for ever'); END;"
	"CREATE TRIGGER IF NOT EXISTS player_limits_no_delete BEFORE DELETE ON player_limits BEGIN"
	" SELECT RAISE(ABORT, 'what a player forbade himself is for ever'); END;"
	"CREATE TRIGGER session_keys_no_update BEFORE UPDATE ON session_keys BEGIN"
	" SELECT RAISE(ABORT, 'a session key is for ever'); END;"
	"CREATE TRIGGER session_keys_no_delete BEFORE DELETE ON session_keys BEGIN"
	" SELECT RAISE(ABORT, 'a session key is for ever'); END;"
	"CREATE TRIGGER bets_signer_same BEFORE UPDATE OF signer ON bets BEGIN"
	" SELECT RAISE(ABORT, 'a bet keeps its signer'); END;";

static const char week_5_down[] =
	"DROP TRIGGER bets_signer_same; DROP TABLE session_keys;"
	"ALTER TABLE bets DROP COLUMN signer;"
	"ALTER TABLE users DROP COLUMN keys_row; ALTER TABLE users DROP COLUMN limits_row;";

/* The same rules, told one by one: for a list of more than two SQLite makes a table at each row that it looks at, a sixth of
 * what a bet cost the writer. The most frequent stands first. */
#define KINDS_OR "ref_type = 'BET' OR ref_type = 'PAYOUT' OR ref_type = 'REFUND' OR ref_type = 'DEPOSIT'" \
	" OR ref_type = 'WITHDRAWAL' OR ref_type = 'WITHDRAWAL_REVERSAL' OR ref_type = 'ADJUSTMENT' OR ref_type = 'OPENING'"
#define LEDGER_ALL "INSERT INTO transaction_ledger SELECT * FROM ledger_before;"
static const char week_6_up[] = LEDGER_TABLE(KINDS_OR, "TEXT NOT NULL") LEDGER_ALL LEDGER_DONE(SCHEMA_EXTERNAL);
static const char week_6_down[] = LEDGER_TABLE(KINDS_IN, "TEXT NOT NULL") LEDGER_ALL LEDGER_DONE(EXTERNALS_IN);

/* seals     see seal.h; row 0 where it began, chain -1: at a file that held rows already
 * anchors   rows of the operators' log in meta.db that were there when this file was written: their ids and hashes */
#define SEALS_TABLE \
	"CREATE TABLE seals(" \
	" id INTEGER PRIMARY KEY CHECK(id >= 0), chain INTEGER NOT NULL CHECK(chain >= -1)," \
	" sum BLOB NOT NULL CHECK(length(sum) = 32), hash BLOB NOT NULL CHECK(length(hash) = 32)) STRICT;"
#define SEALS_BEGIN \
	"INSERT INTO seals SELECT 0, -count(*), zeroblob(32), zeroblob(32) FROM book;" \
	"CREATE TRIGGER seals_no_update BEFORE UPDATE ON seals BEGIN SELECT RAISE(ABORT, 'a seal is for ever'); END;" \
	"CREATE TRIGGER seals_no_delete BEFORE DELETE ON seals BEGIN SELECT RAISE(ABORT, 'a seal is for ever'); END;"
static const char week_7_up[] = SEALS_TABLE
	"CREATE TABLE anchors(id INTEGER PRIMARY KEY CHECK(id > 0), hash BLOB NOT NULL CHECK(length(hash) = 32)) STRICT;"
	SEALS_BEGIN
	"CREATE TRIGGER anchors_no_update BEFORE UPDATE ON anchors BEGIN SELECT RAISE(ABORT, 'an anchor is for ever'); END;"
	"CREATE TRIGGER anchors_no_delete BEFORE DELETE ON anchors BEGIN SELECT RAISE(ABORT, 'an anchor is for ever'); END;";

static const char week_7_down[] = "DROP TABLE anchors; DROP TABLE seals;";

/* quotes    what the rates of this file's bets were made from: a row for each quote that priced one, made as quote_log writes it
 * Going down forgets them: the older release's bets have none either. */
static const char week_8_up[] =
	"CREATE TABLE quotes(id INTEGER PRIMARY KEY, t INTEGER NOT NULL, made BLOB NOT NULL) STRICT;"
	"CREATE TRIGGER quotes_no_update BEFORE UPDATE ON quotes BEGIN SELECT RAISE(ABORT, 'a quote is for ever'); END;"
	"CREATE TRIGGER quotes_no_delete BEFORE DELETE ON quotes BEGIN SELECT RAISE(ABORT, 'a quote is for ever'); END;";
static const char week_8_down[] = "DROP TABLE quotes;";

/* seals.changed    the sealed rows that the commit changed, and to what (seal.h); empty in a seal of an older release
 * Going down begins the seals anew: their hashes speak of what the older release does not know. */
static const char week_9_up[] = "ALTER TABLE seals ADD COLUMN changed BLOB NOT NULL DEFAULT x'';";
static const char week_9_down[] = "DROP TABLE seals;" SEALS_TABLE SEALS_BEGIN;

/* weeks     every week's file in the order of their opening; the greatest id is the current one
 * audit     what operators changed: each row's hash covers the one before */
static const char meta_1_up[] =
	"CREATE TABLE weeks("
	" id INTEGER PRIMARY KEY, year INTEGER NOT NULL, week INTEGER NOT NULL, opened_at INTEGER NOT NULL,"
	" closed_at INTEGER, UNIQUE(year, week)) STRICT;"
	"CREATE TABLE audit("
	" id INTEGER PRIMARY KEY, at INTEGER NOT NULL, who TEXT NOT NULL, what TEXT NOT NULL, why TEXT NOT NULL,"
	" hash BLOB NOT NULL CHECK(length(hash) = 32)) STRICT;"
	"CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is for ever'); END;"
	"CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is for ever'); END;"
	"CREATE TRIGGER weeks_no_delete BEFORE DELETE ON weeks BEGIN SELECT RAISE(ABORT, 'a week is for ever'); END;";

static const char meta_1_down[] = "DROP TABLE audit; DROP TABLE weeks;";

/* archives  see week_archives.h: how far each closed week has come on its way to the object store
 * state: enum week_archive_state; blocks: a SHA-256 for each MiB of the packed file
 * Going down forgets what was archived: the objects stay where they are, and a week that is still here is archived anew. */
static const char meta_2_up[] =
	"CREATE TABLE archives("
	" week INTEGER PRIMARY KEY REFERENCES weeks(id), state INTEGER NOT NULL CHECK(state BETWEEN 1 AND 4),"
	" bets INTEGER NOT NULL CHECK(bets >= 0), db_bytes INTEGER NOT NULL CHECK(db_bytes > 0),"
	" db_hash BLOB NOT NULL CHECK(length(db_hash) = 32),"
	" packed_bytes INTEGER NOT NULL CHECK((packed_bytes > 0) = (state > 1)), blocks BLOB NOT NULL CHECK(length(blocks) % 32 = 0),"
	" upload TEXT NOT NULL, verified_at INTEGER NOT NULL, purged_at INTEGER NOT NULL, fetched_at INTEGER NOT NULL) STRICT;"
	"CREATE TRIGGER archives_no_delete BEFORE DELETE ON archives BEGIN SELECT RAISE(ABORT, 'an archive is for ever'); END;";

static const char meta_2_down[] = "DROP TABLE archives;";

/* archive_forms  of the archives that hold a pressed book (book_press.h): what the object unpacks to, and what that thaws to; in effect
 *                for the object of packed_bytes, so that one that an older release made since is taken for what it is
 * Going down leaves it: the older release finds such an object to unpack to other bytes than it knows, and removes nothing. */
static const char meta_3_up[] =
	"CREATE TABLE IF NOT EXISTS archive_forms("
	" week INTEGER PRIMARY KEY, form INTEGER NOT NULL CHECK(form = 2), packed_bytes INTEGER NOT NULL,"
	" inner_bytes INTEGER NOT NULL CHECK(inner_bytes > 0), inner_hash BLOB NOT NULL CHECK(length(inner_hash) = 32),"
	" rows_hash BLOB NOT NULL CHECK(length(rows_hash) = 32)) STRICT;";

static const char meta_3_down[] = "SELECT 1;";

const struct store_schema schema_week = { 0x54415057 /* TAPW */,
	(const struct store_migration[]){ { 1, week_1_up, week_1_down }, { 2, week_2_up, week_2_down },
		{ 3, week_3_up, week_3_down }, { 4, week_4_up, week_4_down }, { 5, week_5_up, week_5_down },
		{ 6, week_6_up, week_6_down }, { 7, week_7_up, week_7_down }, { 8, week_8_up, week_8_down },
		{ 9, week_9_up, week_9_down },
		{ 0, NULL, NULL } } };
const struct store_schema schema_meta = { 0x5441504d /* TAPM */,
	(const struct store_migration[]){ { 1, meta_1_up, meta_1_down }, { 2, meta_2_up, meta_2_down }, { 3, meta_3_up, meta_3_down },
		{ 0, NULL, NULL } } };
