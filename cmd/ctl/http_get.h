/* http_get.h - one GET to an operations port: HTTP/1.0, a time limit over all of it, a bounded answer. */
#ifndef TAP_CTL_HTTP_GET_H
#define TAP_CTL_HTTP_GET_H

#include "attr.h"
#include "buf.h"
#include "conf.h"

enum { HTTP_GET_MAX = 256 << 10 };

/* 0 with the status and the body (added to *body), or negative errno. host must be a numeric address. */
MUST_CHECK int http_get(const struct conf_listen *at, const char *path, int limit_ms, int *ret_status, struct buf *body);

#endif
