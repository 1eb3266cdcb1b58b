#include "args.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nearest.h"
#include "usage.h"

static bool takes_option(const struct ctl_verb *v, const char *name, bool *ret_flag)
{
	const char *at = v->usage;
	struct usage_item item;
	while (usage_next(&at, &item)) {
		*ret_flag = !item.arg[0];
		if (item.name[0] && strcmp(item.name, name) == 0)
			return true;
	}
	return false;
}

static bool add(struct ctl *c, const char *name, const char *value)
{
	if (c->n_args == CTL_ARGS_MAX || strlen(name) >= sizeof c->args[0].name)
		return false;
	struct ctl_arg *arg = &c->args[c->n_args++];
	(void) snprintf(arg->name, sizeof arg->name, "%s", name);
	arg->value = value;
	return true;
}

const char *ctl_option(const struct ctl *c, const char *name)
{
	for (int i = 0; i < c->n_args; i++)
		if (c->args[i].name[0] && strcmp(c->args[i].name, name) == 0)
			return c->args[i].value;
	return NULL;
}

const char *ctl_word(const struct ctl *c, int i)
{
	for (int k = 0; k < c->n_args; k++)
		if (!c->args[k].name[0] && i-- == 0)
			return c->args[k].value;
	return NULL;
}

/* The positional ones: all, or those that are needed. */
static int words_taken(const struct ctl_verb *v, bool needed)
{
	const char *at = v->usage;
	struct usage_item item;
	int n = 0;
	while (usage_next(&at, &item))
		n += !item.name[0] && !(needed && item.optional);
	return n;
}

/* The first needed option that is not there yet. */
static bool missing_option(const struct ctl *c, struct usage_item *ret)
{
	const char *at = c->verb->usage;
	while (usage_next(&at, ret))
		if (ret->name[0] && !ret->optional && !ctl_option(c, ret->name))
			return true;
	return false;
}

static bool take_option(struct ctl *c, const char *arg, const char *next, int *i)
{
	const char *name = arg + 2, *value = strchr(name, '=');
	char plain[24] = "";
	size_t n = value ? (size_t) (value - name) : strlen(name);
	if (n == 0 || n >= sizeof plain)
		return ctl_fail(c, EX_USAGE, "%s is no option", arg), false;
	memcpy(plain, name, n);
	bool flag;
	if (!takes_option(c->verb, plain, &flag))
		return ctl_fail(c, EX_USAGE, "%s: --%s is no option of it; usage: %s", c->verb->name, plain, c->verb->usage), false;
	if (ctl_option(c, plain))
		return ctl_fail(c, EX_USAGE, "--%s is given twice", plain), false;
	if (flag)
		return value ? (ctl_fail(c, EX_USAGE, "--%s takes no value", plain), false) : add(c, plain, "");
	if (!value && !next)
		return ctl_fail(c, EX_USAGE, "--%s needs a value", plain), false;
	*i += !value;
	return add(c, plain, value ? value + 1 : next);
}

/* The positional ones: those that the verb asks for first, then the needed options in their order. */
static bool take_words(struct ctl *c, char **words, int n)
{
	struct usage_item item;
	int wanted = words_taken(c->verb, false);
	for (int i = 0; i < n; i++) {
		if (i < wanted) {
			if (!add(c, "", words[i]))
				return false;
		} else if (!missing_option(c, &item) || !add(c, item.name, words[i])) {
			return ctl_fail(c, EX_USAGE, "%s: %s is one too many; usage: %s", c->verb->name, words[i],
					c->verb->usage), false;
		}
	}
	if (n < words_taken(c->verb, true))
		return ctl_fail(c, EX_USAGE, "usage: tap-trading-ctl %s %s", c->verb->name, c->verb->usage), false;
	if (missing_option(c, &item))
		return ctl_fail(c, EX_USAGE, "%s: --%s is missing; usage: %s", c->verb->name, item.name, c->verb->usage), false;
	return true;
}

/* How many of the words are this verb's name; 0: it is another. */
static int verb_words(const char *name, char **words, int n)
{
	int used = 0;
	while (used < n) {
		size_t len = strcspn(name, " ");
		if (strlen(words[used]) != len || strncmp(words[used], name, len) != 0)
			return 0;
		used++;
		name += len;
		if (*name == '\0')
			return used;
		name++;
	}
	return 0;
}

static int find_verb(struct ctl *c, char **words, int n, const struct ctl_verb *verbs)
{
	for (const struct ctl_verb *v = verbs; v->name; v++) {
		int used = verb_words(v->name, words, n);
		if (used) {
			c->verb = v;
			return used;
		}
	}
	return 0;
}

/* Whole words that begin names, such as `user` or `week`: help is then about those. */
static bool is_group(const struct ctl *c, const struct ctl_verb *verbs)
{
	size_t n = strlen(c->asked);
	for (const struct ctl_verb *v = verbs; v->name; v++)
		if (strncmp(v->name, c->asked, n) == 0 && (v->name[n] == '\0' || v->name[n] == ' '))
			return true;
	return false;
}

static void ask_about(struct ctl *c, char **words, int n)
{
	size_t at = 0;
	for (int i = 0; i < n && i < 2 && strncmp(words[i], "--", 2) != 0; i++)
		at += (size_t) snprintf(c->asked + at, sizeof c->asked - at, "%s%.*s", at ? " " : "", (int) sizeof c->asked / 2 - 2,
				words[i]);
}

static enum args no_such_verb(struct ctl *c, const struct ctl_verb *verbs)
{
	const char *near = nearest_verb(verbs, c->asked);
	if (is_group(c, verbs))
		ctl_fail(c, EX_USAGE, "%s: more words are needed; see `tap-trading-ctl help %s`", c->asked, c->asked);
	else if (near)
		ctl_fail(c, EX_USAGE, "%s: no such verb; did you mean `%s`? `tap-trading-ctl help` lists them", c->asked, near);
	else
		ctl_fail(c, EX_USAGE, "%s: no such verb; `tap-trading-ctl help` lists them", c->asked);
	return ARGS_WRONG;
}

/* `help`, `help VERB`, `--help` before or behind a verb. */
static enum args read_help(struct ctl *c, char **words, int n, const struct ctl_verb *verbs)
{
	ask_about(c, words, n);
	if (find_verb(c, words, n, verbs))
		(void) snprintf(c->asked, sizeof c->asked, "%s", c->verb->name);
	return !c->asked[0] || is_group(c, verbs) ? ARGS_HELP : no_such_verb(c, verbs);
}

/* What stands before the verb. */
static bool read_leading(struct ctl *c, char **argv, int *first, enum args *ret)
{
	static const struct {
		const char *name;
		enum args what;
	} whole[] = { { "--version", ARGS_VERSION }, { "--manual", ARGS_MANUAL }, { "--completion", ARGS_COMPLETION },
		{ "--help", ARGS_HELP } };
	for (; argv[*first] && strncmp(argv[*first], "--", 2) == 0; (*first)++) {
		for (size_t i = 0; i < ARRAY_LEN(whole); i++)
			if (strcmp(argv[*first], whole[i].name) == 0) {
				(*first)++;
				*ret = whole[i].what;
				return true;
			}
		if (strcmp(argv[*first], "--json") != 0) {
			ctl_fail(c, EX_USAGE, "%s: the verb comes first; see --help", argv[*first]);
			*ret = ARGS_WRONG;
			return true;
		}
	}
	return false;
}

/* The verb is the leading words; what follows it is read by its usage line. */
static enum args read_verb(struct ctl *c, int argc, char **argv, int first, const struct ctl_verb *verbs)
{
	char *words[CTL_ARGS_MAX];
	int n_words = 0, used = find_verb(c, argv + first, argc - first, verbs);
	if (!used)
		return no_such_verb(c, verbs);
	for (int i = first + used; i < argc; i++) {
		if (strcmp(argv[i], "--json") == 0)
			continue;
		if (strcmp(argv[i], "--help") == 0)
			return read_help(c, argv + first, used, verbs);
		if (strncmp(argv[i], "--", 2) == 0) {
			if (!take_option(c, argv[i], i + 1 < argc ? argv[i + 1] : NULL, &i))
				return ARGS_WRONG;
		} else if (n_words == CTL_ARGS_MAX) {
			return ctl_fail(c, EX_USAGE, "too many arguments"), ARGS_WRONG;
		} else {
			words[n_words++] = argv[i];
		}
	}
	return take_words(c, words, n_words) ? ARGS_VERB : ARGS_WRONG;
}

enum args args_read(struct ctl *c, int argc, char **argv, const struct ctl_verb *verbs)
{
	enum args what;
	bool json = false, asks = false;
	int first = 1;
	for (int i = 1; i < argc; i++)
		json = json || strcmp(argv[i], "--json") == 0;
	out_begin(&c->out, json);
	if (read_leading(c, argv, &first, &what) && what != ARGS_HELP)
		return what;
	asks = first > 1 && strcmp(argv[first - 1], "--help") == 0;
	if (!asks && first < argc && strcmp(argv[first], "help") == 0) {
		asks = true;
		first++;
	}
	if (asks)
		return read_help(c, argv + first, argc - first, verbs);
	if (first == argc)
		return ctl_fail(c, EX_USAGE, "a verb is missing; see --help"), ARGS_WRONG;
	ask_about(c, argv + first, argc - first);
	if (argc - first > 1 && strcmp(argv[argc - 1], "--help") == 0 && is_group(c, verbs))
		return ARGS_HELP;
	return read_verb(c, argc, argv, first, verbs);
}

bool ctl_wallet(struct ctl *c, struct wallet *ret)
{
	const char *text = ctl_option(c, "wallet");
	if (text && wallet_parse(ret, text, strlen(text)))
		return true;
	ctl_fail(c, EX_USAGE, "--wallet %s: must be 0x and 40 hex digits; one of mixed case must pass EIP-55", text ? text : "");
	return false;
}

bool ctl_number(struct ctl *c, const char *name, int64_t min, int64_t max, int64_t preset, int64_t *ret)
{
	const char *text = ctl_option(c, name);
	*ret = preset;
	if (!text)
		return true;
	char *end;
	errno = 0;
	long long v = strtoll(text, &end, 10);
	bool digits = text[0] == '-' ? text[1] >= '0' && text[1] <= '9' : text[0] >= '0' && text[0] <= '9';
	if (digits && errno == 0 && *end == '\0' && v >= min && v <= max) {
		*ret = v;
		return true;
	}
	ctl_fail(c, EX_USAGE, "--%s %s: must be an integer from %lld to %lld", name, text, (long long) min, (long long) max);
	return false;
}

bool ctl_span(struct ctl *c, const char *name, int64_t max_s, int64_t preset_s, int64_t *ret_s)
{
	static const struct { char unit; int64_t seconds; } units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 } };
	const char *text = ctl_option(c, name);
	size_t digits = text ? strspn(text, "0123456789") : 0;
	*ret_s = preset_s;
	if (!text)
		return true;
	for (size_t i = 0; digits > 0 && digits < 10 && i < ARRAY_LEN(units); i++) {
		int64_t v = strtoll(text, NULL, 10) * units[i].seconds;
		if (text[digits] != units[i].unit || text[digits + 1] || v < 1 || v > max_s)
			continue;
		*ret_s = v;
		return true;
	}
	ctl_fail(c, EX_USAGE, "--%s %s: must be such as 90s, 30m, 2h or 7d, at most %lldd", name, text, (long long) max_s / 86400);
	return false;
}
