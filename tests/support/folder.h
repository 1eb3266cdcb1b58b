/* folder.h - takes a test's own folder away. For tests only. */
#ifndef TAP_TEST_FOLDER_H
#define TAP_TEST_FOLDER_H

#include <stdio.h>
#include <stdlib.h>

/* 0, also when there is none. */
static inline int folder_remove(const char *path)
{
	char command[320];
	(void) snprintf(command, sizeof command, "rm -rf '%s'", path);
	return system(command);
}

#endif
