/* attr.h - the few compiler attributes that the house uses. */
#ifndef TAP_ATTR_H
#define TAP_ATTR_H

#include <stddef.h>

#define MUST_CHECK     __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define NORETURN       __attribute__((noreturn))
#define _cleanup_(f)   __attribute__((cleanup(f)))
#define ARRAY_LEN(a)   (sizeof(a) / sizeof((a)[0]))

/* DEFINE_CLEANUP(struct batch, batch_free) makes batch_freep for _cleanup_: calls free_fn on a non-NULL pointer. */
#define DEFINE_CLEANUP(type, free_fn)           \
	static inline void free_fn##p(type **p) \
	{                                       \
		if (*p)                         \
			(void) free_fn(*p);     \
	}

#endif
