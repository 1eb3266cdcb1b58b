#include "args.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

/* What a usage line asks for, one item at a time. */
struct item {
	char name[24];  /* "" for a positional one */
	bool optional, flag; /* a flag takes no value */
};

static size_t word_of(char *out, size_t size, const char *at)
{
	size_t n = strcspn(at, " []");
	CHECK(n < size);
	memcpy(out, at, n);
	out[n] = '\0';
	return n;
}

/* False at the end of the line. */
static bool next_item(const char **at, struct item *ret)
{
	char word[24];
	*at += strspn(*at, " ]");
	ret->optional = **at == '[';
	ret->flag = false;
	*at += ret->optional;
	if (**at == '\0')
		return false;
	*at += word_of(word, sizeof word, *at);
	if (strncmp(word, "--", 2) != 0) {
		ret->name[0] = '\0';
		return true;
	}
	(void) snprintf(ret->name, sizeof ret->name, "%s", word + 2);
	ret->flag = **at == ']' || **at == '\0';
	if (ret->flag)
		return true;
	*at += strspn(*at, " ");
	*at += word_of(word, sizeof word, *at); /* the argument's name */
	return true;
}

static bool takes_option(const struct ctl_verb *v, const char *name, bool *ret_flag)
{
	const char *at = v->usage;
	struct item item;
	while (next_item(&at, &item)) {
		*ret_flag = item.flag;
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
	struct item item;
	int n = 0;
	while (next_item(&at, &item))
		n += !item.name[0] && !(needed && item.optional);
	return n;
}

/* The first needed option that is not there yet. */
static bool missing_option(const struct ctl *c, struct item *ret)
{
	const char *at = c->verb->usage;
	while (next_item(&at, ret))
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
	struct item item;
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

enum args args_read(struct ctl *c, int argc, char **argv, const struct ctl_verb *verbs)
{
	char *words[CTL_ARGS_MAX];
	int n_words = 0;
	bool json = false;
	for (int i = 1; i < argc; i++)
		json = json || strcmp(argv[i], "--json") == 0;
	out_begin(&c->out, json);

	/* the verb is the leading words; what follows it is read by its usage line */
	int first = 1;
	while (first < argc && strncmp(argv[first], "--", 2) == 0) {
		if (strcmp(argv[first], "--help") == 0)
			return ARGS_HELP;
		if (strcmp(argv[first], "--version") == 0)
			return ARGS_VERSION;
		if (strcmp(argv[first], "--json") != 0)
			return ctl_fail(c, EX_USAGE, "%s: the verb comes first; see --help", argv[first]), ARGS_WRONG;
		first++;
	}
	if (first == argc)
		return ctl_fail(c, EX_USAGE, "a verb is missing; see --help"), ARGS_WRONG;
	int used = find_verb(c, argv + first, argc - first, verbs);
	if (!used)
		return ctl_fail(c, EX_USAGE, "%s%s%s: no such verb; see --help", argv[first], first + 1 < argc ? " " : "",
				first + 1 < argc ? argv[first + 1] : ""), ARGS_WRONG;
	for (int i = first + used; i < argc; i++) {
		if (strcmp(argv[i], "--json") == 0)
			continue;
		if (strcmp(argv[i], "--help") == 0)
			return ARGS_HELP;
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
