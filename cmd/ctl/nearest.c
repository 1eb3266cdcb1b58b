#include "nearest.h"

#include <string.h>

enum { LETTERS_MAX = 48 };

static int least(int a, int b)
{
	return a < b ? a : b;
}

/* Optimal string alignment (Damerau and Levenshtein, neighbours swapped once). Both shorter than LETTERS_MAX. */
static int distance(const char *a, const char *b)
{
	int d[3][LETTERS_MAX + 1];
	int n = (int) strlen(a), m = (int) strlen(b);
	for (int j = 0; j <= m; j++)
		d[0][j] = j;
	for (int i = 1; i <= n; i++) {
		int *now = d[i % 3], *before = d[(i + 2) % 3], *older = d[(i + 1) % 3];
		now[0] = i;
		for (int j = 1; j <= m; j++) {
			now[j] = least(least(before[j], now[j - 1]) + 1, before[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				now[j] = least(now[j], older[j - 2] + 1);
		}
	}
	return d[n % 3][m];
}

const char *nearest_verb(const struct ctl_verb *verbs, const char *said)
{
	const char *best = NULL;
	char first[LETTERS_MAX];
	int best_d = LETTERS_MAX;
	size_t n = strlen(said), one = strcspn(said, " ");
	if (n == 0 || n >= LETTERS_MAX)
		return NULL;
	memcpy(first, said, one);
	first[one] = '\0';
	for (const struct ctl_verb *v = verbs; v->name; v++) {
		/* a verb of one word is compared with one: the second may be its argument */
		const char *against = strchr(v->name, ' ') ? said : first;
		int d = strlen(v->name) < LETTERS_MAX ? distance(against, v->name) : LETTERS_MAX;
		if (d < best_d && d * 3 <= (int) strlen(v->name)) {
			best_d = d;
			best = v->name;
		}
	}
	return best;
}
