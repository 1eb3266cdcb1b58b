/* tap-trading-ctl: the operator's command. */
#include "ctl.h"

int main(int argc, char **argv)
{
	static const struct ctl_verb verbs[] = {
		{ "status", "", "asks each daemon how it is, and the book", verb_status },
		{ "deposit", "--wallet W --amount MICROS --ref ID [--reason TEXT]", "credits a wallet, once for each ID", verb_deposit },
		{ "adjust", "--wallet W --amount MICROS --ref ID --reason TEXT",
			"corrects a balance, up or down, once for each ID", verb_adjust },
		{ "ledger", "--wallet W [--from MS] [--to MS] [--ref-type T] [--ref-id ID] [--limit N]",
			"the wallet's rows of money, newest first", verb_ledger },
		{ "user show", "--wallet W", "the account", verb_user_show },
		{ "user suspend", "--wallet W [--reason TEXT]", "no bets and no withdrawals any more", verb_user_suspend },
		{ "user resume", "--wallet W [--reason TEXT]", "takes that back", verb_user_resume },
		{ "user limits", "--wallet W", "what the player forbade himself", verb_user_limits },
		{ "user exclude", "--wallet W --days N [--reason TEXT]",
			"no bets and no session keys for so long; nobody can shorten it", verb_user_exclude },
		{ "bet show", "ID", "the bet and its column", verb_bet_show },
		{ "verify", "[T0] [--bet ID] [--all]",
			"recomputes a column, or all of them, from the ticks, or a bet's rate from its quote; 1: differs", verb_verify },
		{ "integrity", "", "audits every local week: balances, chain, counts, evidence; 1: drift", verb_integrity },
		{ "trial-balance", "", "players, house and custody; 1: the sum is not zero", verb_trial_balance },
		{ "breaker open", "[--for SPAN] [--reason TEXT]", "stops betting for 1h, or SPAN (30m, 7d)", verb_breaker_open },
		{ "breaker close", "[--for SPAN] [--reason TEXT]", "allows it though the feed is sick, as long", verb_breaker_close },
		{ "breaker auto", "[--reason TEXT]", "betting follows the feed", verb_breaker_auto },
		{ "withdrawals list", "[--status S] [--limit N]", "newest first", verb_withdrawals_list },
		{ "withdrawals approve", "ID [--reason TEXT]", "it was paid out", verb_withdrawals_approve },
		{ "withdrawals reject", "ID [--reason TEXT]", "gives it back", verb_withdrawals_reject },
		{ "week list", "", "the weeks, newest first, and where their files are", verb_week_list },
		{ "week close", "[--reason TEXT]", "ends the week now, if it is over and no daemon did", verb_week_close },
		{ "backup run", "[--reason TEXT]", "makes and verifies a local backup now", verb_backup_run },
		{ "migrate status", "", "versions of the files against this program's", verb_migrate_status },
		{ "migrate up", "[--reason TEXT]", "brings every file to this program's version", verb_migrate_up },
		{ "migrate down", "[--yes] [--reason TEXT]", "takes every file a version back, what it then cannot hold is lost",
			verb_migrate_down },
		{ 0 },
	};
	return ctl_main(argc, argv, verbs);
}
