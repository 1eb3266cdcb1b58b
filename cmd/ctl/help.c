#include "help.h"

#include <stdio.h>
#include <string.h>

#include "check.h"
#include "settings.h"
#include "usage.h"

static const struct option_help options[] = {
	{ "wallet", "the player's wallet: 0x and 40 hex digits; one of mixed case must pass EIP-55", "" },
	{ "amount", "micro-USD: 1000000 is a dollar", "" },
	{ "ref", "names this movement of money for ever: the same again changes nothing, another amount with it is refused", "" },
	{ "reason", "why, for the audit log", "" },
	{ "from", "ms since the epoch, inclusive", "" },
	{ "to", "ms since the epoch, exclusive", "" },
	{ "ref-type", "rows of this kind alone",
		"BET PAYOUT REFUND DEPOSIT WITHDRAWAL WITHDRAWAL_REVERSAL ADJUSTMENT OPENING" },
	{ "ref-id", "rows of this bet, withdrawal or deposit alone", "" },
	{ "limit", "at most so many rows", "" },
	{ "days", "for so many days", "" },
	{ "bet", "the id of a bet, whose rate is then recomputed", "" },
	{ "all", "every column of every local week, of the last 7 days against Redis too", "" },
	{ "for", "a span: a number and s, m, h or d", "30m 1h 2h 1d 7d" },
	{ "status", "those in this state alone", "requested approved rejected" },
	{ "yes", "what is lost is known", "" },
	{ "snapshot", "the snapshot of this time, as the object store names it; else the newest", "" },
	{ "accept-loss", "restore up to where something is missing or changed", "" },
};

const struct option_help *help_option(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(options); i++)
		if (strcmp(options[i].name, name) == 0)
			return &options[i];
	return NULL;
}

static void put_options(const struct ctl_verb *v, const struct manual *p)
{
	const char *at = v->usage;
	struct usage_item item;
	char tag[64];
	while (usage_next(&at, &item)) {
		const struct option_help *o = item.name[0] ? help_option(item.name) : NULL;
		if (!o)
			continue;
		(void) snprintf(tag, sizeof tag, "--%s%s%s%s", item.name, item.arg[0] ? " " : "", item.arg,
				item.optional ? "" : " (needed)");
		manual_item(p, tag, o->says);
	}
	manual_item(p, "--json", "the answer as one JSON object: amounts in micro-USD, times in ms");
}

static void put_verb(const struct ctl_verb *v, const struct manual *p)
{
	char line[256];
	(void) snprintf(line, sizeof line, "tap-trading-ctl %s%s%s\n", v->name, v->usage[0] ? " " : "", v->usage);
	manual_begin(p, v->name, v->says, TAP_RELEASE);
	manual_section(p, "Usage");
	manual_lines(p, line);
	manual_section(p, "What it does");
	manual_text(p, v->more);
	manual_section(p, "Options");
	put_options(v, p);
	manual_section(p, "Examples");
	manual_lines(p, v->examples);
}

static void put_list(const struct ctl_verb *verbs, const char *begins, const struct manual *p)
{
	char tag[192], text[2048];
	for (const struct ctl_verb *v = verbs; v->name; v++) {
		if (strncmp(v->name, begins, strlen(begins)) != 0)
			continue;
		(void) snprintf(tag, sizeof tag, "%s%s%s", v->name, v->usage[0] ? " " : "", v->usage);
		int n = snprintf(text, sizeof text, p->roff ? "%s. %s" : "%s", v->says, v->more);
		CHECK(n > 0 && (size_t) n < sizeof text);
		manual_item(p, tag, text);
	}
}

static void put_examples(const struct ctl_verb *verbs, const struct manual *p)
{
	manual_section(p, "EXAMPLES");
	for (const struct ctl_verb *v = verbs; v->name; v++)
		manual_lines(p, v->examples);
}

void help_all(const struct ctl_verb *verbs, const struct manual *p)
{
	manual_begin(p, "tap-trading-ctl", "the operator's command", TAP_RELEASE);
	manual_section(p, "SYNOPSIS");
	manual_lines(p, "tap-trading-ctl VERB [options] [--json]\n"
		      "tap-trading-ctl help [VERB]\n"
		      "tap-trading-ctl --manual | --completion | --version\n");
	manual_section(p, "DESCRIPTION");
	manual_text(p, "Looks into the books and changes them as an operator may. Run it as the service's user, so that the files it makes "
		     "belong to that user. Every change is written to the audit log before it is tried, with who (SUDO_USER) and why "
		     "(--reason).\n\n"
		     "Amounts are micro-USD, times are ms since the epoch, UTC; without --json they are printed for people.");
	manual_section(p, "VERBS");
	put_list(verbs, "", p);
	manual_section(p, "OPTIONS");
	manual_item(p, "--json", "the answer as one JSON object; a failure is {\"error\", \"exit\"}");
	manual_item(p, "--help", "this, or behind a verb what that verb does, with its options and examples");
	manual_item(p, "--manual", "this as a page for man(1)");
	manual_item(p, "--completion", "what bash needs to complete verbs and options: . <(tap-trading-ctl --completion)");
	manual_item(p, "--version", "the version");
	manual_section(p, "EXIT STATUS");
	manual_item(p, "0", "done, or done before");
	manual_item(p, "1", "a check found drift");
	manual_item(p, "64 (EX_USAGE)", "wrong words: a verb, an option, a value");
	manual_item(p, "65 (EX_DATAERR)", "the books refuse it");
	manual_item(p, "66 (EX_NOINPUT)", "what was asked for is not there");
	manual_item(p, "67 (EX_NOUSER)", "the wallet has no account");
	manual_item(p, "69 (EX_UNAVAILABLE)", "a daemon or Redis does not answer");
	manual_item(p, "70 (EX_SOFTWARE), 71 (EX_OSERR)", "a failure inside, or of the system");
	manual_item(p, "74 (EX_IOERR)", "reading or writing failed");
	manual_item(p, "75 (EX_TEMPFAIL)", "not now: the disk is full, or somebody else is at it");
	manual_item(p, "77 (EX_NOPERM)", "this user may not");
	manual_item(p, "78 (EX_CONFIG)", "wrong configuration");
	settings_help(FOR_CTL, p);
	if (p->roff)
		put_examples(verbs, p);
	manual_section(p, "SEE ALSO");
	manual_text(p, "tap-trading-api(8), tap-trading-archiver(8), docs/operations.md, docs/runbook.md");
}

void help_about(const struct ctl_verb *verbs, const char *asked, const struct manual *p)
{
	for (const struct ctl_verb *v = verbs; v->name; v++)
		if (strcmp(v->name, asked) == 0) {
			put_verb(v, p);
			return;
		}
	put_list(verbs, asked, p);
}
