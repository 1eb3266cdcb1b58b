#include "manual.h"

#include <string.h>

enum { WIDTH = 110, INDENT_ITEM = 8, INDENT_TEXT = 2 };

/* As far as roff goes: a backslash begins an escape, a minus is a hyphen unless escaped, a dot or quote at a line's start begins
 * a request. The quotes and carets are those of ASCII only by name. */
static void put_roff(FILE *to, const char *s, size_t n, bool at_start)
{
	if (n && at_start && (*s == '.' || *s == '\''))
		(void) fputs("\\&", to);
	for (size_t i = 0; i < n; i++) {
		switch (s[i]) {
		case '\\':
			(void) fputs("\\e", to);
			break;
		case '-':
			(void) fputs("\\-", to);
			break;
		case '\'':
			(void) fputs("\\(aq", to);
			break;
		case '`':
			(void) fputs("\\(ga", to);
			break;
		case '^':
			(void) fputs("\\(ha", to);
			break;
		case '~':
			(void) fputs("\\(ti", to);
			break;
		default:
			(void) fputc(s[i], to);
		}
	}
}

static void indent(FILE *to, int by)
{
	(void) fprintf(to, "%*s", by, "");
}

/* A paragraph's words, broken before WIDTH. */
static void put_wrapped(FILE *to, const char *s, size_t n, int by)
{
	size_t column = 0;
	while (n) {
		size_t word = strcspn(s, " \n");
		word = word < n ? word : n;
		if (column && column + 1 + word > (size_t) (WIDTH - by)) {
			(void) fputc('\n', to);
			column = 0;
		}
		if (column == 0)
			indent(to, by);
		else
			(void) fputc(' ', to);
		(void) fwrite(s, 1, word, to);
		column += word + (column != 0);
		s += word;
		n -= word;
		while (n && (*s == ' ' || *s == '\n')) {
			s++;
			n--;
		}
	}
	(void) fputc('\n', to);
}

static size_t line_length(const char *s)
{
	return strcspn(s, "\n");
}

static bool is_verbatim(const char *s)
{
	return s[0] == ' ' && s[1] == ' ';
}

/* Up to an empty line, a verbatim one, or the end. */
static size_t paragraph_length(const char *s)
{
	size_t n = line_length(s);
	while (s[n] && s[n + 1] && s[n + 1] != '\n' && !is_verbatim(s + n + 1))
		n += 1 + line_length(s + n + 1);
	return n;
}

static const char *put_verbatim(const struct manual *p, const char *s, int by)
{
	if (p->roff)
		(void) fputs(".PP\n.nf\n", p->to);
	while (is_verbatim(s)) {
		size_t n = line_length(s);
		if (p->roff)
			put_roff(p->to, s, n, true);
		else
			(void) fprintf(p->to, "%*s%.*s", by, "", (int) n, s);
		(void) fputc('\n', p->to);
		s += n + (s[n] == '\n');
	}
	if (p->roff)
		(void) fputs(".fi\n", p->to);
	return s;
}

static void put_text(const struct manual *p, const char *s, int by)
{
	bool first = true;
	while (*s) {
		if (*s == '\n') {
			s++;
			continue;
		}
		if (is_verbatim(s)) {
			s = put_verbatim(p, s, by);
			first = false;
			continue;
		}
		size_t n = paragraph_length(s);
		if (p->roff) {
			if (!first)
				(void) fputs(by == INDENT_ITEM ? ".IP\n" : ".PP\n", p->to);
			put_roff(p->to, s, n, true);
			(void) fputc('\n', p->to);
		} else {
			if (!first)
				(void) fputc('\n', p->to);
			put_wrapped(p->to, s, n, by);
		}
		first = false;
		s += n;
	}
}

void manual_begin(const struct manual *p, const char *name, const char *summary, const char *release)
{
	if (!p->roff) {
		(void) fprintf(p->to, "%s - %s\n", name, summary);
		return;
	}
	(void) fprintf(p->to, ".TH %s 8 \"\" \"%s\" \"Tap Trading\"\n.ad l\n.SH NAME\n", name, release);
	put_roff(p->to, name, strlen(name), true);
	(void) fputs(" \\- ", p->to);
	put_roff(p->to, summary, strlen(summary), false);
	(void) fputc('\n', p->to);
}

void manual_section(const struct manual *p, const char *title)
{
	(void) fprintf(p->to, p->roff ? ".SH %s\n" : "\n%s\n", title);
}

void manual_text(const struct manual *p, const char *text)
{
	if (p->roff)
		(void) fputs(".PP\n", p->to);
	put_text(p, text, INDENT_TEXT);
}

void manual_item(const struct manual *p, const char *tag, const char *text)
{
	if (p->roff) {
		(void) fputs(".TP\n.B ", p->to);
		put_roff(p->to, tag, strlen(tag), false);
		(void) fputc('\n', p->to);
	} else {
		(void) fprintf(p->to, "  %s\n", tag);
	}
	put_text(p, text, INDENT_ITEM);
}

void manual_lines(const struct manual *p, const char *lines)
{
	if (p->roff)
		(void) fputs(".PP\n.nf\n", p->to);
	while (*lines) {
		size_t n = line_length(lines);
		if (p->roff)
			put_roff(p->to, lines, n, true);
		else
			(void) fprintf(p->to, "  %.*s", (int) n, lines);
		(void) fputc('\n', p->to);
		lines += n + (lines[n] == '\n');
	}
	if (p->roff)
		(void) fputs(".fi\n", p->to);
}
