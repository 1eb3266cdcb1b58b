/* week_impl.h - what the files of week share. Private to week*.c. */
#ifndef TAP_WEEK_IMPL_H
#define TAP_WEEK_IMPL_H

#include "week.h"

enum { WEEK_PATH_MAX = 320 };

struct week {
	char dir[256];
	enum store_mode mode;
	struct gate *gate;
	struct store *meta, *book;
	int64_t epoch;   /* of the gate, when we last looked which file is current */
	int64_t id;      /* of the current file in meta.db */
	struct clk_week current;
	int64_t opened_ms;
};

void week_path(const struct week *w, char out[WEEK_PATH_MAX], struct clk_week week, const char *suffix);
/* Opens what meta.db names as current; keeps what is open when it is that. STORE_E_ABSENT: it names none. */
MUST_CHECK int week_look(struct week *w);
/* Names a file current in meta.db: its last step into being. Inside the gate. */
MUST_CHECK int week_name_current(struct week *w, struct clk_week week, int64_t now_ms);
/* A new file of that name with the suffix .new, holding what fill puts into it; whole, synced, renamed in. Inside the gate. */
typedef int week_fill(void *u, struct store *db);
MUST_CHECK int week_make_file(struct week *w, struct clk_week week, week_fill *fill, void *u);

#endif
