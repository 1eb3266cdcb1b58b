/* week_impl.h - what the files of week share. Private to week*.c. */
#ifndef TAP_WEEK_IMPL_H
#define TAP_WEEK_IMPL_H

#include "week.h"

enum { WEEK_PATH_MAX = 352, PAST_OPEN_MAX = 4 };

struct week {
	char dir[256];
	enum store_mode mode;
	struct gate *gate;
	struct store *meta, *book;
	int64_t epoch;   /* of the gate, when we last looked which file is current */
	int64_t id;      /* of the current file in meta.db */
	struct clk_week current;
	int64_t opened_ms;
	struct store *reader; /* read-only, of the file with the id reader_id; NULL: not asked for yet */
	int64_t reader_id;
	struct { /* past weeks that were read lately, newest use first */
		int64_t id;
		struct store *db;
	} past[PAST_OPEN_MAX];
};

void week_path(const struct week *w, char out[WEEK_PATH_MAX], struct clk_week week);
/* Opens what meta.db names as current; keeps what is open when it is that. STORE_E_ABSENT: it names none. */
MUST_CHECK int week_look(struct week *w);
/* Ends the transactions on past weeks. */
void week_leave_past(struct week *w);
/* Names a file current in meta.db: its last step into being. Inside the gate. */
MUST_CHECK int week_name_current(struct week *w, struct clk_week week, int64_t now_ms);
/* A new file is made in DIR/next, which has a gate of its own (who holds it makes the next file), so that the others go on
 * writing meanwhile. */
struct making {
	struct week *w;
	struct clk_week week;
	struct gate *gate;
	struct store *db;
	char path[WEEK_PATH_MAX]; /* in DIR/next */
};
/* Waits for the gate of DIR/next, then clears what an earlier try left there. */
MUST_CHECK int week_make_begin(struct making *m, struct week *w, struct clk_week week);
/* The file is whole: synced, renamed to its name, named current. Inside the main gate. */
MUST_CHECK int week_make_end(struct making *m, int64_t now_ms);
/* Always last; after an error nothing is left of the file. */
void week_make_close(struct making *m);

#endif
