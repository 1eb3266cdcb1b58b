#include "layer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "err.h"

static int parse(struct quote_layer *ret, const char *name, const char *text, size_t n)
{
	const char *why;
	if (!layer_parse(ret, text, n, &why))
		return err_say(-EINVAL, "%s is no quote layer: %s", name, why);
	return 0;
}

static int read_file(struct quote_layer *ret, const char *path)
{
	char text[LAYER_FILE_MAX + 1];
	FILE *in = fopen(path, "re");
	if (!in)
		return err_say(-errno, "%s: %s", path, strerror(errno));
	size_t n = fread(text, 1, sizeof text, in);
	bool bad = ferror(in);
	(void) fclose(in);
	if (bad)
		return err_say(-EIO, "%s: cannot be read", path);
	if (n > LAYER_FILE_MAX)
		return err_say(-EINVAL, "%s is no quote layer: longer than %d bytes", path, LAYER_FILE_MAX);
	return parse(ret, path, text, n);
}

static int released(struct quote_layer *ret, size_t i)
{
	return parse(ret, quote_layers[i].name, quote_layers[i].text, strlen(quote_layers[i].text));
}

int layer_open(struct quote_layer *ret, const char *path)
{
	struct quote_layer l;
	if (*path)
		return err_trace(read_file(ret, path));
	ret->version = 0;
	for (size_t i = 0; i < quote_layers_n; i++) {
		int r = released(&l, i);
		if (r < 0)
			return err_trace(r);
		if (l.version > ret->version)
			*ret = l;
	}
	return ret->version ? 0 : err_say(-ENOENT, "this release has no quote layer");
}

int layer_find(struct quote_layer *ret, const char *path, const uint8_t id[LAYER_ID_SIZE])
{
	for (size_t i = 0; i < quote_layers_n; i++)
		if (released(ret, i) == 0 && memcmp(ret->id, id, LAYER_ID_SIZE) == 0)
			return 0;
	int r = *path ? read_file(ret, path) : 1;
	if (r != 0)
		return r < 0 ? err_trace(r) : r;
	return memcmp(ret->id, id, LAYER_ID_SIZE) == 0 ? 0 : 1;
}
