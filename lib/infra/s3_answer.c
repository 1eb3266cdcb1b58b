/* What an endpoint says: its refusals, and the little of XML that its answers are made of. */
#include "s3_impl.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "err.h"

const char *s3_xml_block(const char *p, const char *end, const char *tag, const char **ret_from, const char **ret_to)
{
	char open[64], close[64];
	size_t n = (size_t) snprintf(open, sizeof open, "<%s>", tag);
	(void) snprintf(close, sizeof close, "</%s>", tag);
	const char *from = p ? memmem(p, (size_t) (end - p), open, n) : NULL;
	const char *to = from ? memmem(from + n, (size_t) (end - from) - n, close, n + 1) : NULL;
	if (!to)
		return NULL;
	*ret_from = from + n;
	*ret_to = to;
	return to + n + 1;
}

const char *s3_xml_text(const char *p, const char *end, const char *tag, char *out, size_t size)
{
	static const struct {
		const char *name;
		char is;
	} entities[] = { { "&amp;", '&' }, { "&lt;", '<' }, { "&gt;", '>' }, { "&quot;", '"' }, { "&apos;", '\'' }, { "&#34;", '"' } };
	const char *from, *to;
	size_t n = 0;
	const char *next = s3_xml_block(p, end, tag, &from, &to);
	while (next && from < to && n + 1 < size) {
		size_t used = 1;
		out[n] = *from;
		for (size_t i = 0; *from == '&' && i < ARRAY_LEN(entities); i++) {
			size_t len = strlen(entities[i].name);
			if ((size_t) (to - from) >= len && memcmp(from, entities[i].name, len) == 0) {
				out[n] = entities[i].is;
				used = len;
				break;
			}
		}
		from += used;
		n++;
	}
	out[n] = '\0';
	return next;
}

/* The codes that decide; what is not here is judged by its status. */
static const struct {
	const char *code;
	int is; /* S3_E_*, or 0: weather */
} codes[] = {
	{ "QuotaExceeded", S3_E_FULL },
	{ "StorageFull", S3_E_FULL },
	{ "XMinioStorageFull", S3_E_FULL },
	{ "NoSuchBucket", S3_E_SETUP },
	{ "ExpiredToken", S3_E_DENIED },
	{ "InvalidToken", S3_E_DENIED },
	{ "TokenRefreshRequired", S3_E_DENIED },
	{ "InvalidPart", S3_E_PARTS },
	{ "InvalidPartOrder", S3_E_PARTS },
	{ "EntityTooSmall", S3_E_PARTS },
	{ "XAmzContentSHA256Mismatch", 0 }, /* the body was changed on its way: it is sent again */
	{ "BadDigest", 0 },
	{ "IncompleteBody", 0 },
	{ "RequestTimeout", 0 },
	{ "InternalError", 0 },
	{ "SlowDown", 0 },
	{ "ServiceUnavailable", 0 },
	{ "OperationAborted", 0 },
	{ "ConditionalRequestConflict", 0 },
};

static int judge(const struct s3_request *q, const char *code)
{
	for (size_t i = 0; i < ARRAY_LEN(codes); i++)
		if (strcmp(codes[i].code, code) == 0)
			return codes[i].is;
	switch (q->status) {
	case 401:
	case 403:
		return S3_E_DENIED;
	case 404:
		return S3_E_NOT_FOUND;
	case 412:
		return strcmp(q->method, "GET") == 0 ? 0 : S3_E_EXISTS; /* a read that goes on met another object */
	case 507:
		return S3_E_FULL;
	case 408:
	case 409:
	case 429:
		return 0;
	default:
		return q->status >= 500 || q->status < 300 ? 0 : S3_E_SETUP;
	}
}

int s3_refused(const struct s3_request *q)
{
	char code[64] = "", message[160] = "";
	const char *p = q->answer.p, *end = p ? p + q->answer.n : NULL;
	if (p) {
		(void) s3_xml_text(p, end, "Code", code, sizeof code);
		(void) s3_xml_text(p, end, "Message", message, sizeof message);
	}
	int is = judge(q, code);
	(void) err_say(-EREMOTEIO, "%s %s: the endpoint answers %ld %s%s%s", q->method, q->key ? q->key : "(bucket)", q->status, code,
			message[0] ? ": " : "", message);
	return is != 0 ? is : q->status == 412 ? -ESTALE : -EREMOTEIO;
}
