#include "zst.h"

#include <zstd.h>

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "err.h"

struct zst {
	ZSTD_CCtx *pack;
	ZSTD_DCtx *unpack;
	zst_put *put;
	void *u;
	bool mid_frame;
	uint8_t out[ZST_CHUNK];
};

static int make(struct zst **ret, zst_put *put, void *u)
{
	struct zst *z = calloc(1, sizeof *z);
	if (!z)
		return -ENOMEM;
	z->put = put;
	z->u = u;
	*ret = z;
	return 0;
}

int zst_packer(struct zst **ret, int level, int window_log, zst_put *put, void *u)
{
	struct zst *z;
	int r = make(&z, put, u);
	if (r < 0)
		return r;
	z->pack = ZSTD_createCCtx();
	size_t bad = z->pack ? ZSTD_CCtx_setParameter(z->pack, ZSTD_c_compressionLevel, level) : 0;
	if (z->pack && !ZSTD_isError(bad))
		bad = ZSTD_CCtx_setParameter(z->pack, ZSTD_c_windowLog, window_log);
	if (z->pack && !ZSTD_isError(bad))
		bad = ZSTD_CCtx_setParameter(z->pack, ZSTD_c_checksumFlag, 1);
	if (!z->pack || ZSTD_isError(bad)) {
		r = z->pack ? err_say(-EINVAL, "zstd: level %d, window %d: %s", level, window_log, ZSTD_getErrorName(bad)) : -ENOMEM;
		(void) zst_close(z);
		return r;
	}
	*ret = z;
	return 0;
}

int zst_unpacker(struct zst **ret, int window_log, zst_put *put, void *u)
{
	struct zst *z;
	int r = make(&z, put, u);
	if (r < 0)
		return r;
	z->unpack = ZSTD_createDCtx();
	if (!z->unpack || ZSTD_isError(ZSTD_DCtx_setParameter(z->unpack, ZSTD_d_windowLogMax, window_log))) {
		r = z->unpack ? err_say(-EINVAL, "zstd: window %d", window_log) : -ENOMEM;
		(void) zst_close(z);
		return r;
	}
	*ret = z;
	return 0;
}

struct zst *zst_close(struct zst *z)
{
	if (!z)
		return NULL;
	(void) ZSTD_freeCCtx(z->pack);
	(void) ZSTD_freeDCtx(z->unpack);
	free(z);
	return NULL;
}

static int give(struct zst *z, size_t n)
{
	return n > 0 ? z->put(z->u, z->out, n) : 0;
}

static int pack(struct zst *z, const void *bytes, size_t n, ZSTD_EndDirective how)
{
	ZSTD_inBuffer in = { bytes, n, 0 };
	size_t left;
	do {
		ZSTD_outBuffer out = { z->out, sizeof z->out, 0 };
		left = ZSTD_compressStream2(z->pack, &out, &in, how);
		if (ZSTD_isError(left))
			return err_say(-EIO, "zstd: %s", ZSTD_getErrorName(left));
		int r = give(z, out.pos);
		if (r < 0)
			return err_trace(r);
	} while (how == ZSTD_e_end ? left != 0 : in.pos < in.size);
	return 0;
}

static int unpack(struct zst *z, const void *bytes, size_t n)
{
	ZSTD_inBuffer in = { bytes, n, 0 };
	bool full = false;
	while (in.pos < in.size || full) {
		ZSTD_outBuffer out = { z->out, sizeof z->out, 0 };
		size_t left = ZSTD_decompressStream(z->unpack, &out, &in);
		if (ZSTD_isError(left))
			return err_say(-EBADMSG, "zstd: %s", ZSTD_getErrorName(left));
		z->mid_frame = left != 0;
		full = out.pos == out.size && z->mid_frame; /* more may be waiting inside */
		int r = give(z, out.pos);
		if (r < 0)
			return err_trace(r);
	}
	return 0;
}

int zst_feed(struct zst *z, const void *bytes, size_t n)
{
	return z->pack ? pack(z, bytes, n, ZSTD_e_continue) : unpack(z, bytes, n);
}

int zst_end(struct zst *z)
{
	if (z->pack)
		return pack(z, NULL, 0, ZSTD_e_end);
	return z->mid_frame ? err_say(-EBADMSG, "zstd: the frame is cut short") : 0;
}
