#include "settings.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "zst.h"

#define USD(n) #n "000000"

static void rows_for(struct settings *s, struct conf_row rows[static 96])
{
	size_t n = 0;
	const int64_t most = INT64_MAX;
#define ROW(...) rows[n++] = (struct conf_row){ __VA_ARGS__ }
	/* the game */
	ROW("TAP_COLUMN_SECONDS", CONF_INT, &s->column_s, "5", 1, 3600, "s", "length of a column (W)", FOR_ALL);
	ROW("TAP_ROW_CENTS", CONF_INT, &s->row_cents, "2000", 1, 10000000, "cents", "height of a row (H)", FOR_ALL);
	ROW("TAP_GRID_COLUMNS", CONF_INT, &s->grid_columns, "12", 1, GRID_COLUMNS_MAX, "columns", "placeable columns (N)",
			FOR_API | FOR_WS | FOR_INGEST);
	ROW("TAP_GRID_ROWS", CONF_INT, &s->grid_rows, "24", 1, GRID_ROWS_MAX, "rows", "rows centred on the price",
			FOR_API | FOR_WS | FOR_INGEST);
	ROW("TAP_TICK_MS", CONF_INT, &s->tick_ms, "100", 10, 1000, "ms", "distance of two ticks",
			FOR_API | FOR_WS | FOR_INGEST);
	ROW("TAP_MAX_TICK_GAP_MS", CONF_INT, &s->max_tick_gap_ms, "3000", 100, 60000, "ms",
			"a longer gap voids a column and degrades the feed", FOR_ALL);
	ROW("TAP_FEED_CRITICAL_MS", CONF_INT, &s->feed_critical_ms, "10000", 1000, 600000, "ms",
			"no tick for as long stops betting", FOR_API | FOR_WS | FOR_INGEST);
	ROW("TAP_FEED_HEAL_MS", CONF_INT, &s->feed_heal_ms, "30000", 0, 600000, "ms",
			"ticks without a gap for as long make the feed healthy again", FOR_API | FOR_WS | FOR_INGEST);
	ROW("TAP_MARGIN_BP", CONF_INT, &s->margin_bp, "500", 0, 5000, "1e-4", "the house's margin",
			FOR_API | FOR_WS | FOR_INGEST);
	ROW("TAP_MAX_RATE", CONF_INT, &s->max_rate, "200000", RATE_LEAST, 10000000, "1e-4", "highest rate",
			FOR_API | FOR_WS | FOR_INGEST);
	ROW("TAP_MIN_P", CONF_PPM, &s->min_p_ppm, "0.04", 0, 1000000, "probability", "a cell less likely is closed",
			FOR_INGEST);
	ROW("TAP_QUOTE_TTL_MS", CONF_INT, &s->quote_ttl_ms, "1000", 50, 60000, "ms", "a quote's life",
			FOR_API | FOR_WS | FOR_INGEST);
	ROW("TAP_QUOTE_MS", CONF_INT, &s->quote_ms, "200", 50, 10000, "ms", "distance of two grids", FOR_INGEST);
	ROW("TAP_STAKE_PRESETS", CONF_INTS, &s->stake_presets, USD(1) "," USD(5) "," USD(10) "," USD(25) "," USD(100), 1, most,
			"micro-USD", "the stakes that can be bet", FOR_API | FOR_WS | FOR_INGEST);
	ROW("TAP_CAP_PLAYER_COLUMN", CONF_INT, &s->cap_player_column, USD(1000), 1, most, "micro-USD",
			"a player's stake in a column", FOR_API);
	ROW("TAP_CAP_PLAYER_OPEN", CONF_INT, &s->cap_player_open, USD(5000), 1, most, "micro-USD", "a player's open stake",
			FOR_API);
	ROW("TAP_CAP_CELL", CONF_INT, &s->cap_cell, USD(25000), 1, most, "micro-USD", "the house's worst payout on a cell",
			FOR_API | FOR_INGEST);
	ROW("TAP_CAP_COLUMN", CONF_INT, &s->cap_column, USD(50000), 1, most, "micro-USD",
			"the house's worst payout on a column", FOR_API | FOR_INGEST);
	ROW("TAP_CAP_OPEN", CONF_INT, &s->cap_open, USD(200000), 1, most, "micro-USD",
			"the house's worst payout on all that is open", FOR_API | FOR_INGEST);
	ROW("TAP_WELCOME_CREDIT", CONF_INT, &s->welcome_credit, "0", 0, most / 1000000, "micro-USD",
			"play money for a new wallet, a DEPOSIT row", FOR_API);
	ROW("TAP_WITHDRAWAL_MIN", CONF_INT, &s->withdrawal_min, USD(1), 1, most, "micro-USD", "smallest withdrawal", FOR_API);
	/* who we are */
	ROW("TAP_PUBLIC_ORIGIN", CONF_TEXT, &s->public_origin, "http://127.0.0.1:8000", 8, 255, "origin",
			"where players reach the product; gives EIP-4361's domain and URI", FOR_API | FOR_WS);
	ROW("TAP_ALLOWED_ORIGINS", CONF_TEXTS, &s->allowed_origins, "", 0, 0, "origins",
			"browser origins that may open a WebSocket; empty: the public origin", FOR_WS);
	ROW("TAP_CHAIN_ID", CONF_INT, &s->chain_id, "1", 1, most, "EIP-155 id", "chain that signed messages must name",
			FOR_API | FOR_WS);
	/* where things are */
	ROW("TAP_DATA_DIR", CONF_TEXT, &s->data_dir, "/var/lib/tap-trading", 1, 200, "path", "the books",
			FOR_API | FOR_RESOLVER | FOR_ARCHIVER | FOR_CTL);
	ROW("TAP_BACKUP_DIR", CONF_TEXT, &s->backup_dir, "", 0, 200, "path", "local backups; empty: backups/ in the data folder",
			FOR_ARCHIVER | FOR_CTL);
	ROW("TAP_REDIS", CONF_TEXT, &s->redis, "unix:/run/redis/redis-server.sock", 3, 200, "address",
			"unix:/path or host:port", FOR_ALL);
	ROW("TAP_REDIS_USER", CONF_TEXT, &s->redis_user, "", 0, 64, "name", "ACL user; empty: the default user", FOR_ALL);
	ROW("TAP_REDIS_PASSWORD_FILE", CONF_TEXT, &s->redis_password_file, "", 0, 200, "path",
			"file that holds the secret REDIS_PASSWORD", FOR_ALL);
	ROW("TAP_REDIS_TIMEOUT_MS", CONF_INT, &s->redis_timeout_ms, "1000", 50, 60000, "ms", "limit of a trip to Redis",
			FOR_ALL);
	ROW("TAP_LOG_LEVEL", CONF_TEXT, &s->log_level, "info", 3, 8, "err|warning|notice|info|debug", "least that is logged",
			FOR_ALL);
	ROW("TAP_API_LISTEN", CONF_LISTEN, &s->api_listen, "127.0.0.1:8080", 0, 0, "host:port", "players' HTTP", FOR_API);
	ROW("TAP_WS_LISTEN", CONF_LISTEN, &s->ws_listen, "127.0.0.1:8081", 0, 0, "host:port", "players' WebSocket", FOR_WS);
	ROW("TAP_API_OPS_LISTEN", CONF_LISTEN, &s->api_ops, "127.0.0.1:9080", 0, 0, "host:port", "operations", FOR_API | FOR_CTL);
	ROW("TAP_WS_OPS_LISTEN", CONF_LISTEN, &s->ws_ops, "127.0.0.1:9081", 0, 0, "host:port", "operations", FOR_WS | FOR_CTL);
	ROW("TAP_INGEST_OPS_LISTEN", CONF_LISTEN, &s->ingest_ops, "127.0.0.1:9082", 0, 0, "host:port", "operations",
			FOR_INGEST | FOR_CTL);
	ROW("TAP_RESOLVER_OPS_LISTEN", CONF_LISTEN, &s->resolver_ops, "127.0.0.1:9083", 0, 0, "host:port", "operations",
			FOR_RESOLVER | FOR_CTL);
	ROW("TAP_ARCHIVER_OPS_LISTEN", CONF_LISTEN, &s->archiver_ops, "127.0.0.1:9084", 0, 0, "host:port", "operations",
			FOR_ARCHIVER | FOR_CTL);
	/* api */
	ROW("TAP_API_THREADS", CONF_INT, &s->api_threads, "0", 0, 64, "threads", "HTTP event loops; 0: one for each processor", FOR_API);
	ROW("TAP_API_READERS", CONF_INT, &s->api_readers, "2", 1, 64, "threads", "readers of the books", FOR_API);
	ROW("TAP_REQUEST_DEADLINE_MS", CONF_INT, &s->request_deadline_ms, "10000", 100, 600000, "ms",
			"a request must have come in whole by then", FOR_API);
	ROW("TAP_BET_RATE", CONF_INT, &s->bet_rate_per_minute, "300", 1, 60000000, "bets/min", "a wallet's bets", FOR_API);
	ROW("TAP_BET_BURST", CONF_INT, &s->bet_burst, "60", 1, 1000000, "bets", "a wallet's bets at once", FOR_API);
	ROW("TAP_QUEUE_MAX", CONF_INT, &s->queue_max, "10000", 16, 100000, "bets", "bets that may wait", FOR_API);
	ROW("TAP_BATCH_MAX", CONF_INT, &s->batch_max, "512", 1, 4096, "bets", "bets in one transaction", FOR_API);
	/* ws */
	ROW("TAP_WS_CONNECTIONS", CONF_INT, &s->ws_connections, "12000", 1, 100000, "connections", "players at once", FOR_WS);
	ROW("TAP_WS_PER_ADDRESS", CONF_INT, &s->ws_per_address, "50", 0, 100000, "connections",
			"of one address; 0: no limit; loopback is exempt", FOR_WS);
	/* ingest */
	ROW("TAP_MIN_VENUES", CONF_INT, &s->min_venues, "2", 1, 16, "venues", "live venues below which there is no tick",
			FOR_INGEST);
	ROW("TAP_VENUE_STALE_MS", CONF_INT, &s->venue_stale_ms, "2000", 100, 60000, "ms",
			"a venue without a book message for as long is not live", FOR_INGEST);
	ROW("TAP_VENUE_BAND_BP", CONF_INT, &s->venue_band_bp, "20", 1, 1000, "1e-4",
			"a venue further from the median is not live", FOR_INGEST);
	ROW("TAP_VENUE_PAIR_BP", CONF_INT, &s->venue_pair_bp, "5", 1, 1000, "1e-4",
			"of two that are left neither is live when they are further apart", FOR_INGEST);
	ROW("TAP_VENUE_RENEW_SECONDS", CONF_INT, &s->venue_renew_s, "82800", 1, 86400, "s",
			"a connection as old as that is replaced, before the venue cuts it after a day", FOR_INGEST);
	ROW("TAP_COINBASE_URL", CONF_TEXT, &s->coinbase_url, "wss://ws-feed.exchange.coinbase.com", 0, 255, "URL",
			"Coinbase Exchange feed; empty: not used", FOR_INGEST);
	ROW("TAP_KRAKEN_URL", CONF_TEXT, &s->kraken_url, "wss://ws.kraken.com/v2", 0, 255, "URL",
			"Kraken v2 feed; empty: not used", FOR_INGEST);
	ROW("TAP_BITSTAMP_URL", CONF_TEXT, &s->bitstamp_url, "wss://ws.bitstamp.net", 0, 255, "URL",
			"Bitstamp feed; empty: not used", FOR_INGEST);
	ROW("TAP_BINANCE_URL", CONF_TEXT, &s->binance_url,
			"wss://stream.binance.com:9443/stream?streams=btcusdt@trade/btcusdt@bookTicker", 0, 255, "URL",
			"Binance combined stream; empty: not used", FOR_INGEST);
	ROW("TAP_VOL_START_BP", CONF_INT, &s->vol_start_bp, "5000", 1, 100000, "1e-4 a sqrt(year)", "volatility at the start",
			FOR_INGEST);
	ROW("TAP_VOL_FLOOR_BP", CONF_INT, &s->vol_floor_bp, "300", 1, 100000, "1e-4 a sqrt(year)", "least volatility",
			FOR_INGEST);
	ROW("TAP_VOL_CEILING_BP", CONF_INT, &s->vol_ceiling_bp, "30000", 1, 1000000, "1e-4 a sqrt(year)", "greatest volatility",
			FOR_INGEST);
	ROW("TAP_QUOTE_LAYER", CONF_TEXT, &s->quote_layer, "", 0, 200, "path",
			"file of the fitted layer's coefficients; empty: the newest that came with this release", FOR_INGEST | FOR_CTL);
	ROW("TAP_JUMP_SIGMAS", CONF_INT, &s->jump_sigmas, "12", 0, 1000, "standard deviations",
			"a greater move within the window is a jump and closes the grid; 0: never", FOR_INGEST);
	ROW("TAP_JUMP_LEAST_BP", CONF_INT, &s->jump_least_bp, "10", 1, 10000, "1e-4", "a smaller move is never a jump", FOR_INGEST);
	ROW("TAP_JUMP_WINDOW_MS", CONF_INT, &s->jump_window_ms, "1000", 100, 10000, "ms", "the window of a jump", FOR_INGEST);
	ROW("TAP_JUMP_CALM_MS", CONF_INT, &s->jump_calm_ms, "3000", 0, 600000, "ms",
			"without a move of half a jump for as long, the grid opens again", FOR_INGEST);
	/* resolver */
	ROW("TAP_RESOLVE_GRACE_MS", CONF_INT, &s->resolve_grace_ms, "700", 500, 5000, "ms",
			"a column is decided so long after its end when no later tick was heard; at least the history's lateness limit",
			FOR_RESOLVER);
	ROW("TAP_RESOLVE_WAIT_MS", CONF_INT, &s->resolve_wait_ms, "60000", 1000, 3600000, "ms",
			"how long a column waits for a history that cannot be read, before it is decided by what was heard",
			FOR_RESOLVER);
	/* archiver */
	ROW("TAP_BACKUP_SECONDS", CONF_INT, &s->backup_s, "3600", 1, 86400, "s", "distance of two local backups", FOR_ARCHIVER);
	ROW("TAP_BACKUPS_KEPT", CONF_INT, &s->backups_kept, "24", 1, 1000, "files", "local backups kept", FOR_ARCHIVER);
	ROW("TAP_INTEGRITY_SECONDS", CONF_INT, &s->integrity_s, "86400", 1, 604800, "s", "distance of two integrity checks",
			FOR_ARCHIVER);
	ROW("TAP_S3_ENDPOINT", CONF_TEXT, &s->s3_endpoint, "", 0, 255, "URL", "http[s]://host[:port]; empty: nothing is shipped",
			FOR_ARCHIVER | FOR_CTL | FOR_API);
	ROW("TAP_SHIP_LAG_SECONDS", CONF_INT, &s->ship_lag_s, "30", 1, 86400, "s",
			"no withdrawals while the object store is further behind", FOR_ARCHIVER | FOR_API);
	ROW("TAP_DRILL_SECONDS", CONF_INT, &s->drill_s, "604800", 0, 31536000, "s",
			"distance of two drills, restores into a scratch folder; 0: none", FOR_ARCHIVER);
	ROW("TAP_S3_BUCKET", CONF_TEXT, &s->s3_bucket, "tap-trading", 3, 63, "name", "what archives and backups go to",
			FOR_ARCHIVER | FOR_CTL);
	ROW("TAP_S3_REGION", CONF_TEXT, &s->s3_region, "us-east-1", 1, 40, "name", "what requests are signed for",
			FOR_ARCHIVER | FOR_CTL);
	ROW("TAP_S3_CREDENTIALS_FILE", CONF_TEXT, &s->s3_credentials_file, "", 0, 200, "path",
			"file that holds the secret S3_CREDENTIALS, ACCESS_KEY:SECRET_KEY; read anew for each request",
			FOR_ARCHIVER | FOR_CTL);
	ROW("TAP_S3_BYTES_PER_SECOND", CONF_INT, &s->s3_bytes_per_second, "20000000", 0, 10000000000, "bytes/s",
			"most that a transfer takes of the line; 0: no bound", FOR_ARCHIVER | FOR_CTL);
	ROW("TAP_S3_STILL_MS", CONF_INT, &s->s3_still_ms, "20000", 1000, 600000, "ms",
			"a connection on which nothing moves for as long is given up", FOR_ARCHIVER | FOR_CTL);
	ROW("TAP_ARCHIVE_KEEP_WEEKS", CONF_INT, &s->archive_keep_weeks, "4", 0, 1000, "weeks",
			"a closed week's file stays here for as long, also after it was archived or fetched", FOR_ARCHIVER | FOR_CTL);
	ROW("TAP_ARCHIVE_LEVEL", CONF_INT, &s->archive_level, "6", 1, 19, "zstd level", "how hard archives are compressed",
			FOR_ARCHIVER | FOR_CTL);
	ROW("TAP_ARCHIVE_WINDOW_LOG", CONF_INT, &s->archive_window_log, "21", 10, ZST_WINDOW_LOG_MAX, "log2(bytes)",
			"how far back a repetition is seen; costs that much memory, and more to compress", FOR_ARCHIVER | FOR_CTL);
	ROW("TAP_ARCHIVE_CPU_PERCENT", CONF_INT, &s->archive_cpu_percent, "10", 1, 100, "%",
			"most that archiving takes of one processor, in bits of half a millisecond", FOR_ARCHIVER | FOR_CTL);
	ROW("TAP_ARCHIVE_BYTES_PER_SECOND", CONF_INT, &s->archive_bytes_per_second, "20000000", 0, 10000000000, "bytes/s",
			"most that archiving reads and writes of this machine's disk; 0: no bound", FOR_ARCHIVER | FOR_CTL);
	ROW("TAP_ARCHIVE_MULTIPART_BYTES", CONF_INT, &s->archive_multipart_bytes, "67108864", 1, 5000000000, "bytes",
			"a longer archive is sent in parts, which an interruption keeps", FOR_ARCHIVER | FOR_CTL);
	ROW("TAP_ARCHIVE_PART_BYTES", CONF_INT, &s->archive_part_bytes, "16777216", S3_PART_LEAST, 1000000000, "bytes",
			"length of such a part", FOR_ARCHIVER | FOR_CTL);
	ROW("TAP_S3_TRIES", CONF_INT, &s->s3_tries, "5", 1, 100, "tries", "of a request that met weather", FOR_ARCHIVER | FOR_CTL);
#undef ROW
	rows[n] = (struct conf_row){ 0 };
}

static const char an_origin[] = "http[s]://host[:port], nothing after it";

/* After "://" the name of a host, perhaps a port: what a browser sends as Origin and EIP-4361 takes as domain. */
static bool is_origin(const char *text)
{
	static const char host[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:[]";
	size_t n = strncmp(text, "https://", 8) == 0 ? 8 : strncmp(text, "http://", 7) == 0 ? 7 : 0;
	return n > 0 && text[n] && text[n] != ':' && strspn(text + n, host) == strlen(text + n);
}

/* Its path is the bucket's; who asks is said by signatures, and is never printed. */
static bool is_endpoint(const struct conf_text *text, FILE *report)
{
	char origin[CONF_TEXT_MAX];
	size_t n = strlen(text->v);
	(void) snprintf(origin, sizeof origin, "%.*s", (int) (n > 0 && text->v[n - 1] == '/' ? n - 1 : n), text->v);
	if (n == 0 || is_origin(origin))
		return true;
	bool named = strchr(text->v, '@') != NULL;
	if (report)
		(void) fprintf(report, "TAP_S3_ENDPOINT%s%s: must be http[s]://host[:port], without a %s\n", named ? "" : "=",
				named ? "" : text->v, named ? "user: credentials belong into TAP_S3_CREDENTIALS_FILE" : "path");
	return false;
}

static bool is_address(const char *text)
{
	if (strncmp(text, "unix:", 5) == 0)
		return text[5] == '/';
	const char *colon = strrchr(text, ':');
	if (!colon || colon == text || strchr(text, '/'))
		return false;
	size_t digits = strspn(colon + 1, "0123456789");
	long port = digits > 0 && digits < 6 && !colon[1 + digits] ? strtol(colon + 1, NULL, 10) : 0;
	return port > 0 && port <= UINT16_MAX;
}

/* Empty is fine: not used. */
static bool is_url(const char *text, const char *scheme)
{
	size_t n = strlen(scheme);
	if (!*text)
		return true;
	if (strncmp(text, scheme, n) != 0)
		return false;
	text += n + (text[n] == 's');
	return strncmp(text, "://", 3) == 0 && text[3];
}

static bool is_bucket(const char *text)
{
	return text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789.-")] == '\0';
}

/* A text whose row was refused is empty here and was reported by then. */
static bool form(bool good, FILE *report, const char *name, const struct conf_text *text, const char *want)
{
	if (good || !text->v[0])
		return true;
	if (report)
		(void) fprintf(report, "%s=%s: must be %s\n", name, text->v, want);
	return false;
}

int settings_load(struct settings *ret, char *const *env, FILE *report)
{
	struct conf_row rows[96];
	bool own_origins = true;

	memset(ret, 0, sizeof *ret);
	rows_for(ret, rows);
	int wrong = conf_load(rows, env, report);
	if (ret->allowed_origins.n == 0 && is_origin(ret->public_origin.v)) {
		memcpy(ret->allowed_origins.v[0], ret->public_origin.v, sizeof ret->public_origin.v);
		ret->allowed_origins.n = 1;
	}
	for (size_t i = 0; i < ret->allowed_origins.n; i++)
		own_origins = own_origins && is_origin(ret->allowed_origins.v[i]);
	wrong += !form(is_origin(ret->public_origin.v), report, "TAP_PUBLIC_ORIGIN", &ret->public_origin, an_origin);
	if (!own_origins) {
		wrong++;
		if (report)
			(void) fprintf(report, "TAP_ALLOWED_ORIGINS: each must be %s\n", an_origin);
	}
	wrong += !form(is_address(ret->redis.v), report, "TAP_REDIS", &ret->redis, "unix:/path or host:port");
	wrong += !form(is_url(ret->coinbase_url.v, "ws"), report, "TAP_COINBASE_URL", &ret->coinbase_url, "ws:// or wss://");
	wrong += !form(is_url(ret->kraken_url.v, "ws"), report, "TAP_KRAKEN_URL", &ret->kraken_url, "ws:// or wss://");
	wrong += !form(is_url(ret->bitstamp_url.v, "ws"), report, "TAP_BITSTAMP_URL", &ret->bitstamp_url, "ws:// or wss://");
	wrong += !form(is_url(ret->binance_url.v, "ws"), report, "TAP_BINANCE_URL", &ret->binance_url, "ws:// or wss://");
	wrong += !form(is_bucket(ret->s3_bucket.v), report, "TAP_S3_BUCKET", &ret->s3_bucket, "of a-z, 0-9, . and -");
	wrong += !is_endpoint(&ret->s3_endpoint, report);
	return wrong;
}

void settings_help(unsigned who, const struct manual *p)
{
	struct settings unused;
	struct conf_row rows[96];
	rows_for(&unused, rows);
	manual_section(p, "ENVIRONMENT");
	manual_text(p, "One file serves all programs of the suite; a TAP_ key that none of them knows is an error.");
	conf_help(rows, who, true, p);
	manual_item(p, "CREDENTIALS_DIRECTORY", "The secrets REDIS_PASSWORD and S3_CREDENTIALS are read from the files of these "
			"names in this folder, or from the files that TAP_<NAME>_FILE names, never from the environment itself.");
	if (p->roff)
		return; /* each has its own page */
	manual_section(p, "Keys of the other programs, checked here too");
	conf_help(rows, who, false, p);
}

struct grid_rules settings_grid(const struct settings *s)
{
	return (struct grid_rules){ .column_s = s->column_s, .row_cents = s->row_cents,
		.columns = (int) s->grid_columns, .rows = (int) s->grid_rows };
}

struct quote_rules settings_quote(const struct settings *s)
{
	return (struct quote_rules){ .grid = settings_grid(s), .margin_bp = s->margin_bp, .max_rate_e4 = s->max_rate,
		.min_p_ppm = s->min_p_ppm, .tick_ms = s->tick_ms };
}

struct quote_jump_rules settings_jump(const struct settings *s)
{
	return (struct quote_jump_rules){ .window_ms = s->jump_window_ms, .sigmas = s->jump_sigmas,
		.least_bp = s->jump_least_bp, .calm_ms = s->jump_calm_ms };
}

int32_t settings_empty_room(const struct settings *s)
{
	int64_t least = s->cap_cell < s->cap_column ? s->cap_cell : s->cap_column;
	return quote_room(money_of(least < s->cap_open ? least : s->cap_open), money_of(s->stake_presets.v[0]));
}

struct breaker_rules settings_breaker(const struct settings *s)
{
	return (struct breaker_rules){ .degraded_ms = s->max_tick_gap_ms, .critical_ms = s->feed_critical_ms,
		.heal_ms = s->feed_heal_ms };
}

struct exposure_caps settings_caps(const struct settings *s)
{
	return (struct exposure_caps){ .player_column = money_of(s->cap_player_column),
		.player_open = money_of(s->cap_player_open), .cell = money_of(s->cap_cell),
		.column = money_of(s->cap_column), .open = money_of(s->cap_open) };
}

const char *settings_domain(const struct settings *s)
{
	const char *at = strstr(s->public_origin.v, "://");
	return at ? at + 3 : s->public_origin.v;
}

void settings_s3(const struct settings *s, struct s3_conf *ret)
{
	*ret = (struct s3_conf){ .endpoint = s->s3_endpoint.v, .bucket = s->s3_bucket.v, .region = s->s3_region.v,
		.credentials_file = s->s3_credentials_file.v, .bytes_per_second = s->s3_bytes_per_second,
		.still_ms = s->s3_still_ms, .tries = (int) s->s3_tries, .pause_ms = 200 };
}

int settings_bus(const struct settings *s, struct bus_conf *ret, char *password, size_t size)
{
	int r = conf_secret("REDIS_PASSWORD", s->redis_password_file.v, password, size);
	if (r < 0)
		return r;
	if (r > 0)
		password[0] = '\0';
	*ret = (struct bus_conf){ .address = s->redis.v, .user = s->redis_user.v, .password = password,
		.timeout_ms = (int) s->redis_timeout_ms };
	return 0;
}
