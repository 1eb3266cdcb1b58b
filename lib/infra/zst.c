#include "zst.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#include "check.h"
#include "err.h"

static int bad(size_t code)
{
	return err_say(-EBADMSG, "zstd: %s", ZSTD_getErrorName(code));
}

int zst_pack(const void *bytes, size_t n, int level, struct buf *out)
{
	size_t room = ZSTD_compressBound(n);
	ZSTD_CCtx *c = ZSTD_createCCtx();
	char *packed = malloc(room);
	int r = c && packed ? 0 : -ENOMEM;
	if (r == 0) {
		(void) ZSTD_CCtx_setParameter(c, ZSTD_c_compressionLevel, level);
		(void) ZSTD_CCtx_setParameter(c, ZSTD_c_checksumFlag, 1);
		size_t got = ZSTD_compress2(c, packed, room, bytes, n);
		if (ZSTD_isError(got))
			r = bad(got);
		else
			buf_put(out, packed, got);
	}
	free(packed);
	ZSTD_freeCCtx(c);
	return r == 0 && out->failed ? -ENOMEM : r;
}

int zst_unpack(const void *bytes, size_t n, struct buf *out)
{
	ZSTD_DCtx *d = ZSTD_createDCtx();
	size_t room = ZSTD_DStreamOutSize(), left = 1;
	char *piece = malloc(room);
	ZSTD_inBuffer in = { bytes, n, 0 };
	int r = d && piece ? 0 : -ENOMEM;
	while (r == 0 && left > 0) {
		ZSTD_outBuffer o = { piece, room, 0 };
		size_t before = in.pos;
		left = ZSTD_decompressStream(d, &o, &in);
		if (ZSTD_isError(left))
			r = bad(left);
		else if (left > 0 && o.pos == 0 && in.pos == before)
			r = err_say(-EBADMSG, "zstd: the bytes end early");
		else
			buf_put(out, piece, o.pos);
		if (r == 0 && out->failed)
			r = err_say(-EBADMSG, "zstd: more than %zu bytes", out->max);
	}
	if (r == 0 && in.pos != n)
		r = err_say(-EBADMSG, "zstd: bytes after the end");
	free(piece);
	ZSTD_freeDCtx(d);
	return r;
}

/* ---- files */

struct files {
	int from, to;
	char *in, *out;
	size_t in_room, out_room;
	zst_step *step;
	void *u;
	struct sha256 from_hash, to_hash;
	struct zst_sums *sums;
};

static int files_begin(struct files *f)
{
	*f->sums = (struct zst_sums){ 0 };
	sha256_start(&f->from_hash);
	sha256_start(&f->to_hash);
	f->in = malloc(f->in_room);
	f->out = malloc(f->out_room);
	return f->in && f->out ? 0 : -ENOMEM;
}

static int files_end(struct files *f, int r)
{
	f->sums->from_hash = sha256_end(&f->from_hash);
	f->sums->to_hash = sha256_end(&f->to_hash);
	free(f->in);
	free(f->out);
	return r;
}

/* A whole piece, less only at the file's end. */
static int next_piece(struct files *f, size_t *ret)
{
	*ret = 0;
	while (*ret < f->in_room) {
		ssize_t n = read(f->from, f->in + *ret, f->in_room - *ret);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_say(-errno, "reading: %s", strerror(errno));
		if (n == 0)
			break;
		*ret += (size_t) n;
	}
	sha256_add(&f->from_hash, f->in, *ret);
	f->sums->from_bytes += (int64_t) *ret;
	return f->step ? f->step(f->u, f->sums->from_bytes) : 0;
}

static int put_piece(struct files *f, size_t n)
{
	sha256_add(&f->to_hash, f->out, n);
	f->sums->to_bytes += (int64_t) n;
	for (size_t done = 0; done < n;) {
		ssize_t w = write(f->to, f->out + done, n - done);
		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0)
			return err_say(-errno, "writing: %s", strerror(errno));
		done += (size_t) w;
	}
	return 0;
}

static int pack_piece(struct files *f, ZSTD_CCtx *c, size_t n, bool last)
{
	ZSTD_inBuffer in = { f->in, n, 0 };
	size_t left;
	int r = 0;
	do {
		ZSTD_outBuffer out = { f->out, f->out_room, 0 };
		left = ZSTD_compressStream2(c, &out, &in, last ? ZSTD_e_end : ZSTD_e_continue);
		r = ZSTD_isError(left) ? bad(left) : put_piece(f, out.pos);
	} while (r == 0 && (last ? left > 0 : in.pos < in.size));
	return r;
}

int zst_pack_file(int from, int to, int level, int window_log, zst_step *step, void *u, struct zst_sums *ret)
{
	struct files f = { .from = from, .to = to, .in_room = ZSTD_CStreamInSize(), .out_room = ZSTD_CStreamOutSize(),
		.step = step, .u = u, .sums = ret };
	ZSTD_CCtx *c = ZSTD_createCCtx();
	bool last = false;
	CHECK(window_log <= ZST_WINDOW_LOG_MAX);
	int r = files_begin(&f);
	if (r == 0 && !c)
		r = -ENOMEM;
	if (r == 0) {
		(void) ZSTD_CCtx_setParameter(c, ZSTD_c_compressionLevel, level);
		(void) ZSTD_CCtx_setParameter(c, ZSTD_c_checksumFlag, 1);
		if (window_log > 0)
			(void) ZSTD_CCtx_setParameter(c, ZSTD_c_windowLog, window_log);
	}
	while (r == 0 && !last) {
		size_t n;
		r = next_piece(&f, &n);
		last = n < f.in_room;
		if (r == 0)
			r = pack_piece(&f, c, n, last);
	}
	ZSTD_freeCCtx(c);
	return files_end(&f, r);
}

static int unpack_piece(struct files *f, ZSTD_DCtx *d, size_t n, size_t *left)
{
	ZSTD_inBuffer in = { f->in, n, 0 };
	int r = 0;
	bool full = true;
	while (r == 0 && (in.pos < in.size || full)) {
		ZSTD_outBuffer out = { f->out, f->out_room, 0 };
		if (*left == 0 && in.pos < in.size && f->sums->to_bytes > 0)
			return err_say(-EBADMSG, "zstd: bytes after the end");
		*left = ZSTD_decompressStream(d, &out, &in);
		r = ZSTD_isError(*left) ? bad(*left) : put_piece(f, out.pos);
		full = out.pos == out.size && *left > 0;
	}
	return r;
}

int zst_unpack_file(int from, int to, zst_step *step, void *u, struct zst_sums *ret)
{
	struct files f = { .from = from, .to = to, .in_room = ZSTD_DStreamInSize(), .out_room = ZSTD_DStreamOutSize(),
		.step = step, .u = u, .sums = ret };
	ZSTD_DCtx *d = ZSTD_createDCtx();
	bool last = false;
	size_t left = 1;
	int r = files_begin(&f);
	if (r == 0 && !d)
		r = -ENOMEM;
	if (r == 0)
		(void) ZSTD_DCtx_setParameter(d, ZSTD_d_windowLogMax, ZST_WINDOW_LOG_MAX);
	while (r == 0 && !last) {
		size_t n;
		r = next_piece(&f, &n);
		last = n < f.in_room;
		if (r == 0 && n > 0)
			r = unpack_piece(&f, d, n, &left);
	}
	if (r == 0 && left > 0)
		r = err_say(-EBADMSG, "zstd: the bytes end early");
	ZSTD_freeDCtx(d);
	return files_end(&f, r);
}
