/* The shell's completion, from the verbs and their usage lines. */
#include <string.h>

#include "help.h"
#include "usage.h"

static void put_cases_of_options(const struct ctl_verb *verbs, FILE *to)
{
	struct usage_item item;
	char seen[1024] = " ";
	for (const struct ctl_verb *v = verbs; v->name; v++)
		for (const char *at = v->usage; usage_next(&at, &item);) {
			char key[USAGE_WORD_MAX + 3];
			const struct option_help *o = item.name[0] && item.arg[0] ? help_option(item.name) : NULL;
			(void) snprintf(key, sizeof key, " %s ", item.name);
			if (!o || strstr(seen, key))
				continue;
			(void) strncat(seen, key + 1, sizeof seen - strlen(seen) - 1);
			(void) fprintf(to, "\t--%s) words='%s' ;;\n", o->name, o->words);
		}
}

/* The second words of the verbs that begin with `first`, which is n letters long. */
static void put_second_words(const struct ctl_verb *verbs, const char *first, size_t n, FILE *to)
{
	const char *gap = "";
	for (const struct ctl_verb *v = verbs; v->name; v++)
		if (strncmp(v->name, first, n) == 0 && v->name[n] == ' ') {
			(void) fprintf(to, "%s%s", gap, v->name + n + 1);
			gap = " ";
		}
}

static bool is_first_of_its_group(const struct ctl_verb *verbs, const struct ctl_verb *v)
{
	size_t n = strcspn(v->name, " ");
	for (; verbs != v; verbs++)
		if (strncmp(verbs->name, v->name, n) == 0 && strcspn(verbs->name, " ") == n)
			return false;
	return true;
}

static void put_verb_words(const struct ctl_verb *v, FILE *to)
{
	struct usage_item item;
	(void) fprintf(to, strchr(v->name, ' ') ? "\t'%s') words='" : "\t'%s '*) words='", v->name);
	for (const char *at = v->usage; usage_next(&at, &item);)
		if (item.name[0])
			(void) fprintf(to, "--%s ", item.name);
	(void) fputs("--json --help' ;;\n", to);
}

void help_completion(const struct ctl_verb *verbs, FILE *to)
{
	(void) fputs("# bash completion of tap-trading-ctl, made by `tap-trading-ctl --completion`\n"
		     "_tap_trading_ctl()\n{\n"
		     "\tlocal word=${COMP_WORDS[COMP_CWORD]} words='' i\n"
		     "\tlocal -a said=()\n"
		     "\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
		     "\t\t[[ ${COMP_WORDS[i]} == --json || ${COMP_WORDS[i]} == help ]] || said+=(\"${COMP_WORDS[i]}\")\n"
		     "\tdone\n"
		     "\tcase ${COMP_WORDS[COMP_CWORD - 1]} in\n", to);
	put_cases_of_options(verbs, to);
	(void) fputs("\t*)\n\tcase \"${said[0]:-} ${said[1]:-}\" in\n", to);
	for (const struct ctl_verb *v = verbs; v->name; v++)
		put_verb_words(v, to);
	for (const struct ctl_verb *v = verbs; v->name; v++)
		if (strchr(v->name, ' ') && is_first_of_its_group(verbs, v)) {
			size_t n = strcspn(v->name, " ");
			(void) fprintf(to, "\t'%.*s '*) words='", (int) n, v->name);
			put_second_words(verbs, v->name, n, to);
			(void) fputs("' ;;\n", to);
		}
	(void) fputs("\t' ') words='", to);
	for (const struct ctl_verb *v = verbs; v->name; v++)
		if (is_first_of_its_group(verbs, v))
			(void) fprintf(to, "%.*s ", (int) strcspn(v->name, " "), v->name);
	(void) fputs("help --json --help --manual --completion --version' ;;\n"
		     "\tesac\n\t;;\n\tesac\n"
		     "\t# The words hold no blanks and no patterns.\n"
		     "\t# shellcheck disable=SC2207\n"
		     "\tCOMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n}\n"
		     "complete -F _tap_trading_ctl tap-trading-ctl\n", to);
}
