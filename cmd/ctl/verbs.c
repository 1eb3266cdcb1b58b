/* Every verb: how it is called, what it does, and what whoever reads its help should know before typing it. */
#include "ctl.h"

#define A_WALLET "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
#define AN_ID "01KJ3D3R2HG00000000000000A"

const struct ctl_verb ctl_verbs[] = {
	{ "status", "", "asks each daemon how it is, and the book", verb_status,
		"The first thing to type when something seems wrong: what /health and /ready of all five daemons say, then the book's "
		"totals. Exit 69 when a daemon is down or critical.",
		"tap-trading-ctl status\n" },
	{ "deposit", "--wallet W --amount MICROS --ref ID [--reason TEXT]", "credits a wallet, once for each ID", verb_deposit,
		"A DEPOSIT row. The ID is the payment's own name, 1 to 63 printable characters: typed again with the same amount it "
		"changes nothing and exits 0, with another amount it is refused (65). A wallet without an account gets one.",
		"tap-trading-ctl deposit --wallet " A_WALLET " --amount 25000000 --ref bank-2026-11-21-0042\n" },
	{ "adjust", "--wallet W --amount MICROS --ref ID --reason TEXT", "corrects a balance, up or down, once for each ID",
		verb_adjust,
		"An ADJUSTMENT row; a negative amount takes away, never more than the balance. Rows of the ledger are never changed: this "
		"is how a mistake is mended.",
		"tap-trading-ctl adjust --wallet " A_WALLET " --amount -5000000 --ref case-118 --reason 'paid twice'\n" },
	{ "ledger", "--wallet W [--from MS] [--to MS] [--ref-type T] [--ref-id ID] [--limit N]",
		"the wallet's rows of money, newest first", verb_ledger,
		"Each row with the balance after it, over the current week and the past weeks that are on this machine.",
		"tap-trading-ctl ledger " A_WALLET " --limit 20\n"
		"tap-trading-ctl ledger " A_WALLET " --ref-type PAYOUT --json\n" },
	{ "user show", "--wallet W", "the account", verb_user_show,
		"Balance, open bets and stakes, whether it is suspended, since when it is there.",
		"tap-trading-ctl user show " A_WALLET "\n" },
	{ "user suspend", "--wallet W [--reason TEXT]", "no bets, no withdrawals and no new sign-in any more", verb_user_suspend,
		"Holds from the next request on. Bets that are open are settled and paid as ever; the player still sees what is his.",
		"tap-trading-ctl user suspend " A_WALLET " --reason 'case 118'\n" },
	{ "user resume", "--wallet W [--reason TEXT]", "takes that back", verb_user_resume,
		"A pause that the player set himself is another thing, and stays.",
		"tap-trading-ctl user resume " A_WALLET " --reason 'case 118 closed'\n" },
	{ "user limits", "--wallet W", "what the player forbade himself", verb_user_limits,
		"Caps of stakes, what is to replace them and when, pauses and exclusions.",
		"tap-trading-ctl user limits " A_WALLET "\n" },
	{ "user exclude", "--wallet W --days N [--reason TEXT]", "no bets and no session keys for so long; nobody can shorten it",
		verb_user_exclude,
		"What the player may ask for himself, done for him. Longer than what is there, or it changes nothing: there is no way back "
		"before its end.",
		"tap-trading-ctl user exclude " A_WALLET " --days 180 --reason 'asked by mail'\n" },
	{ "bet show", "ID", "the bet and its column", verb_bet_show,
		"Also of past weeks that are on this machine. What support needs for \"why did this one lose\".",
		"tap-trading-ctl bet show " AN_ID "\n" },
	{ "verify", "[T0] [--bet ID] [--all]",
		"recomputes a column, or all of them, from the ticks, or a bet's rate from its quote; 1: differs", verb_verify,
		"A column is computed again from the evidence in the book, which is compared with the history in Redis (7 days) too. "
		"A bet's rate is made again from what its quote was made from. 0 equal, 1 differs, 66 what is needed is not there.",
		"tap-trading-ctl verify 1771234565\n"
		"tap-trading-ctl verify --bet " AN_ID "\n"
		"tap-trading-ctl verify --all --json\n" },
	{ "integrity", "", "audits every local week: balances, chain, counts, evidence; 1: drift", verb_integrity,
		"Reads all rows and changes none; bets go on meanwhile. The archiver does the same once a day. On 1: stop betting, keep "
		"the data folder as it is, and read docs/runbook.md.",
		"tap-trading-ctl integrity --json\n" },
	{ "trial-balance", "", "players, house and custody; 1: the sum is not zero", verb_trial_balance,
		"Every movement has two sides, so all accounts together hold nothing.",
		"tap-trading-ctl trial-balance\n" },
	{ "report", "[--from DAY] [--to DAY]", "money and bets of each UTC day, from the ledger", verb_report,
		"Stakes, payouts, refunds, what the house held, deposits and withdrawals of the days from DAY to DAY, both included, "
		"over the weeks that are on this machine; bets by outcome. The total's hold is the house's side of `trial-balance`. A bet "
		"counts where its stake left, its outcome where it was decided: a day's outcomes differ by what was open at midnight.",
		"tap-trading-ctl report --from 2026-11-01 --to 2026-11-30 --json\n" },
	{ "breaker open", "[--for SPAN] [--reason TEXT]", "stops betting for 1h, or SPAN (30m, 7d)", verb_breaker_open,
		"Bets answer 503 within a second; open bets are settled as ever. It ends by itself, so that a forgotten one does not last.",
		"tap-trading-ctl breaker open --for 30m --reason 'drift found'\n" },
	{ "breaker close", "[--for SPAN] [--reason TEXT]", "allows it though the feed is sick, as long", verb_breaker_close,
		"For a feed that is called degraded and is known to be good. No word lets bets in while there is no tick at all.",
		"tap-trading-ctl breaker close --for 15m\n" },
	{ "breaker auto", "[--reason TEXT]", "betting follows the feed", verb_breaker_auto,
		"Takes `open` and `close` back.",
		"tap-trading-ctl breaker auto\n" },
	{ "withdrawals list", "[--status S] [--limit N]", "newest first", verb_withdrawals_list,
		"The amount was debited when the player asked. Those that wait have the status `requested`.",
		"tap-trading-ctl withdrawals list --status requested\n" },
	{ "withdrawals approve", "ID [--reason TEXT]", "it was paid out", verb_withdrawals_approve,
		"Say it after the payment has left: it is a record, it sends nothing. Said again it changes nothing; a rejected one stays "
		"rejected (65).",
		"tap-trading-ctl withdrawals approve " AN_ID " --reason 'tx 0x12..'\n" },
	{ "withdrawals reject", "ID [--reason TEXT]", "gives it back", verb_withdrawals_reject,
		"A WITHDRAWAL_REVERSAL row; the player's page shows the balance at once.",
		"tap-trading-ctl withdrawals reject " AN_ID " --reason 'address of a contract'\n" },
	{ "week list", "", "the weeks, newest first, and where their files are", verb_week_list,
		"`current` takes bets; `closed` is on this machine; `archived` is elsewhere.",
		"tap-trading-ctl week list\n" },
	{ "week close", "[--reason TEXT]", "ends the week now, if it is over and no daemon did", verb_week_close,
		"The api does it a second after Monday 00:00 UTC, the resolver 8 s later. Before that this changes nothing.",
		"tap-trading-ctl week close\n" },
	{ "archive list", "", "the closed weeks, and how far each has come on its way to the object store", verb_archive_list,
		"With the bytes that a bet takes on disk (compacted) and in the store. A week is archived once it was sent, fetched back "
		"and unpacked to the same bytes; only then, and after TAP_ARCHIVE_KEEP_WEEKS, its file here is purged.",
		"tap-trading-ctl archive list\n" },
	{ "archive run", "[--reason TEXT]", "archives and purges now what is due", verb_archive_run,
		"The archiver does it by itself; who comes second is told so (75). 1: an archive is not what was sent, or a week's file "
		"fails its check; 77: the store refuses us.",
		"tap-trading-ctl archive run --reason 'before moving the disk'\n" },
	{ "archive fetch", "WEEK [--reason TEXT]", "brings an archived week back, for as long as closed weeks are kept",
		verb_archive_fetch,
		"Compared block by block with what was archived, checked, and put in place: players and operators read it with their next "
		"request, while the game runs. 1: it was tampered with, and the place is named.",
		"tap-trading-ctl archive fetch 2026_w42 --reason 'dispute 118'\n" },
	{ "backup run", "[--reason TEXT]", "makes and verifies a local backup now", verb_backup_run,
		"A folder that is a data folder, audited before it gets its name. 75: one is made just now, or there is no room.",
		"tap-trading-ctl backup run --reason 'before migrate'\n" },
	{ "backup restore", "[--snapshot STAMP] [--accept-loss] [--reason TEXT]",
		"from an empty data folder to audited books, out of the object store", verb_backup_restore,
		"The newest snapshot, the segments after it made again by the code that made them first, every audit, the trial "
		"balance. It says up to which moment. A folder with books is refused (73); a changed or missing object too, and named "
		"(1): --accept-loss restores up to there.",
		"tap-trading-ctl backup restore\n"
		"tap-trading-ctl backup restore --snapshot 20261121T160000.000Z --accept-loss --json\n" },
	{ "backup drill", "[--snapshot STAMP]", "restores into a scratch folder, audits, tells how old and how long", verb_backup_drill,
		"Nothing that is there is touched; the folder is removed. The archiver does it once a week by itself.",
		"tap-trading-ctl backup drill\n" },
	{ "backup anew", "--yes [--reason TEXT]", "ships these books from now on, whatever is in the bucket", verb_backup_anew,
		"After `migrate down`, or an older copy of the books put back: shipping has stopped, for the bucket knows of more. With "
		"the archiver stopped (75). Nothing in the bucket is touched; until the archiver's next snapshot, which comes by itself, "
		"a restore would bring the other books back.",
		"tap-trading-ctl backup anew --yes --reason 'went down to 0.4'\n" },
	{ "migrate status", "", "versions of the files against this program's", verb_migrate_status,
		"What `up` would do.",
		"tap-trading-ctl migrate status\n" },
	{ "migrate up", "[--reason TEXT]", "brings every file to this program's version", verb_migrate_up,
		"The daemons do it at their start; by hand it is done before they do.",
		"tap-trading-ctl migrate up\n" },
	{ "migrate down", "[--yes] [--reason TEXT]", "takes every file a version back, what it then cannot hold is lost",
		verb_migrate_down,
		"With the daemons stopped and a backup made.",
		"tap-trading-ctl migrate down --yes --reason 'back to 0.1.0'\n" },
	{ 0 },
};
