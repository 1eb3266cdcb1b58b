#include "check.h"

#include <stdlib.h>

#include "log.h"

void check_failed(const char *what, const char *file, int line)
{
	log_msg(LOG_LEVEL_CRIT, "check failed: %s at %s:%d", what, file, line);
	abort();
}
