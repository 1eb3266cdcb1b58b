/* golden [DATA_DIR]: what tests/golden/history.txt holds, from the recordings in DATA_DIR (data). tests/golden/README.md says when its
 * output may take that file's place. */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "err.h"
#include "replay.h"

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int64_t scale;
	} files[] = { { "binance_btcusdt_20240808.csv", 1 }, { "coinbase_btcusd_1s_2016.csv", 100 } };
	struct buf out = BUF_INIT(1 << 20);
	char path[512];
	if (argc > 2 || (argc == 2 && argv[1][0] == '-')) {
		(void) fputs("usage: golden [DATA_DIR]\n", stderr);
		return EX_USAGE;
	}
	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
		(void) snprintf(path, sizeof path, "%s/%s", argc == 2 ? argv[1] : "data", files[i].name);
		if (replay_file(&out, path, files[i].name, files[i].scale) < 0) {
			(void) fprintf(stderr, "golden: %s\n", err_text());
			return EX_NOINPUT;
		}
	}
	size_t written = fwrite(out.p, 1, out.n, stdout);
	bool whole = written == out.n && fflush(stdout) == 0;
	buf_free(&out);
	return whole ? EX_OK : EX_IOERR;
}
