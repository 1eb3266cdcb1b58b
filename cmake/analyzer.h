/* analyzer.h - included before each file when gcc -fanalyzer reads it (the preset `analyze`), and by no other build.
 * The analyzer looks at one file at a time and cannot know that err_say(r) and err_trace(r) return r: without this it walks the way
 * "failed, and yet 0" through every function, and finds there what nobody set. */
#ifndef TAP_ANALYZER_H
#define TAP_ANALYZER_H

#include "err.h"

#define err_say(r, ...) \
	({ \
		int analyzer_r = (r); \
		(void) (err_say)(analyzer_r, __VA_ARGS__); \
		analyzer_r; \
	})
#undef err_trace
#define err_trace(r) (r)

#endif
