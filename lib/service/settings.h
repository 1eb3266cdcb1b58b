/* settings.h - every TAP_* key of the suite, in one table, read once at the start. Service floor.
 * One tap.env serves all daemons, so each checks all keys; --help shows those that a daemon uses, with their units.
 * Thread: written by settings_load before threads, const afterwards. */
#ifndef TAP_SETTINGS_H
#define TAP_SETTINGS_H

#include <stdio.h>

#include "attr.h"
#include "bus.h"
#include "breaker.h"
#include "conf.h"
#include "exposure.h"
#include "grid.h"
#include "quote.h"
#include "quote_jump.h"
#include "s3.h"

enum settings_user { FOR_API = 1, FOR_WS = 2, FOR_INGEST = 4, FOR_RESOLVER = 8, FOR_ARCHIVER = 16, FOR_CTL = 32, FOR_ALL = 63 };

struct settings {
	/* the game */
	int64_t column_s, row_cents, grid_columns, grid_rows;
	int64_t tick_ms, max_tick_gap_ms, feed_critical_ms, feed_heal_ms;
	int64_t margin_bp, max_rate, min_p_ppm, quote_ttl_ms, quote_ms;
	struct conf_ints stake_presets; /* micro-USD */
	int64_t cap_player_column, cap_player_open, cap_cell, cap_column, cap_open; /* micro-USD */
	int64_t welcome_credit, withdrawal_min;
	/* who we are */
	struct conf_text public_origin;
	struct conf_texts allowed_origins; /* empty: the public origin */
	int64_t chain_id;
	/* where things are */
	struct conf_text data_dir, backup_dir, redis, redis_user, redis_password_file, log_level, s3_endpoint;
	struct conf_listen api_listen, ws_listen;
	struct conf_listen api_ops, ws_ops, ingest_ops, resolver_ops, archiver_ops;
	int64_t redis_timeout_ms;
	/* api */
	int64_t api_threads, api_readers, request_deadline_ms, bet_rate_per_minute, bet_burst, queue_max, batch_max;
	/* ws */
	int64_t ws_connections, ws_per_address;
	/* ingest */
	int64_t min_venues, venue_stale_ms, venue_band_bp, venue_pair_bp, venue_renew_s;
	struct conf_text coinbase_url, kraken_url, bitstamp_url, binance_url;
	int64_t vol_start_bp, vol_floor_bp, vol_ceiling_bp;
	struct conf_text quote_layer;
	int64_t jump_sigmas, jump_least_bp, jump_window_ms, jump_calm_ms;
	/* resolver */
	int64_t resolve_grace_ms, resolve_wait_ms;
	/* archiver */
	int64_t backup_s, backups_kept, integrity_s, ship_lag_s, drill_s;
	struct conf_text s3_bucket, s3_region, s3_credentials_file;
	int64_t s3_bytes_per_second, s3_still_ms, s3_tries;
	int64_t archive_keep_weeks, archive_level, archive_window_log, archive_cpu_percent, archive_bytes_per_second;
	int64_t archive_multipart_bytes, archive_part_bytes;
};

/* Fills *ret from env, writing a line for each wrong key; returns how many were wrong. */
MUST_CHECK int settings_load(struct settings *ret, char *const *env, FILE *report);
/* The keys that `who` reads, then, for a terminal, those that it only checks. */
void settings_help(unsigned who, const struct manual *p);

/* Views for the modules below. Texts are borrowed from s. */
struct grid_rules settings_grid(const struct settings *s);
/* quote_room of a cell on which nobody bet. */
int32_t settings_empty_room(const struct settings *s);
struct quote_rules settings_quote(const struct settings *s);
struct quote_jump_rules settings_jump(const struct settings *s);
struct breaker_rules settings_breaker(const struct settings *s);
struct exposure_caps settings_caps(const struct settings *s);
/* Host of the public origin with its port, as EIP-4361's domain: "127.0.0.1:8000". Points into the origin. */
const char *settings_domain(const struct settings *s);
/* How to reach the object store; stopping is the caller's to set. */
void settings_s3(const struct settings *s, struct s3_conf *ret);
/* Reads the Redis password's secret into `password`: 0, or <0. */
MUST_CHECK int settings_bus(const struct settings *s, struct bus_conf *ret, char *password, size_t size);

#endif
