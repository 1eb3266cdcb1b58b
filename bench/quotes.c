/* bench-quotes - CPU microseconds of what ingest does for each grid (12 columns by 40 rows): the rates from the layer, the skew, the
 * JSON, the log's bytes; and for each tick. JSON on stdout. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clk.h"
#include "err.h"
#include "layer.h"
#include "msg.h"
#include "quote.h"
#include "quote_jump.h"
#include "quote_log.h"

enum { GRIDS = 2000, TICKS = 200000 };

static struct quote_made made[QUOTE_LOG_RUN];

static void set_up(const struct quote_layer *layer)
{
	for (int i = 0; i < QUOTE_LOG_RUN; i++) {
		made[i] = (struct quote_made){ .rules = { .grid = { .column_s = 5, .row_cents = 2000, .columns = 12, .rows = 40 },
				.margin_bp = 500, .max_rate_e4 = 200000, .min_p_ppm = 40000, .tick_ms = 100 },
			.quote_id = 1771234560000 + 200 * i, .t_ms = 1771234560000 + 200 * i, .p_cents = 9743210 + 37 * i,
			.state = { .vol_ppm = { 450000 + 111 * i, 500000 + 57 * i, 550000 + 19 * i, 500000 + 7 * i },
				.uneven_ppm = 300000 + 3 * i, .reach_ppm = 1300000 + 5 * i, .idle_ppm = 150000 + 2 * i } };
		memcpy(made[i].layer, layer->id, sizeof layer->id);
	}
}

static double grids(const struct quote_layer *layer, double *ret_json_us, double *ret_skew_us)
{
	static struct quote_grid g, room;
	struct buf text = BUF_INIT(MSG_GRID_MAX);
	int64_t fill_us = 0, json_us = 0, skew_us = 0;
	for (int k = 0; k < GRIDS; k++) {
		struct quote_made *m = &made[k % QUOTE_LOG_RUN];
		int64_t from = clk_thread_cpu_us();
		quote_fill(&g, m, layer);
		fill_us += clk_thread_cpu_us() - from;
		room = g;
		from = clk_thread_cpu_us();
		quote_skew(&g, m, &room, 250000000);
		skew_us += clk_thread_cpu_us() - from;
		memset(m->skew, 0, sizeof m->skew);
		buf_clear(&text);
		from = clk_thread_cpu_us();
		msg_grid(&text, &g);
		json_us += clk_thread_cpu_us() - from;
	}
	buf_free(&text);
	*ret_json_us = (double) json_us / GRIDS;
	*ret_skew_us = (double) skew_us / GRIDS;
	return (double) fill_us / GRIDS;
}

/* Five grids a second are one record. */
static double log_bytes(double *ret_us)
{
	struct buf bytes = BUF_INIT(QUOTE_LOG_MAX);
	int64_t from = clk_thread_cpu_us();
	for (int k = 0; k < GRIDS; k++) {
		buf_clear(&bytes);
		quote_log_encode(&bytes, made, 5);
	}
	*ret_us = (double) (clk_thread_cpu_us() - from) / GRIDS / 5;
	double n = (double) bytes.n / 5;
	buf_free(&bytes);
	return n;
}

static double ticks(void)
{
	static struct quote_vol vol;
	static struct quote_jump jump;
	quote_vol_init(&vol, 0.5, 0.03, 3);
	quote_jump_init(&jump, &(struct quote_jump_rules){ .window_ms = 1000, .sigmas = 12, .least_bp = 10, .calm_ms = 3000 });
	int64_t from = clk_thread_cpu_us();
	for (int k = 0; k < TICKS; k++) {
		struct tick t = { 1771234560000 + 100 * k, 9743210 + k * 7919 % 1001 };
		(void) quote_jump_tick(&jump, &t, quote_vol_state(&vol).vol_ppm[QUOTE_VOLS - 1]);
		quote_vol_tick(&vol, &t);
	}
	return (double) (clk_thread_cpu_us() - from) / TICKS;
}

int main(void)
{
	struct quote_layer layer;
	double json_us, skew_us, log_us;
	if (layer_open(&layer, "") < 0) {
		(void) fprintf(stderr, "bench-quotes: %s\n", err_text());
		return 1;
	}
	set_up(&layer);
	double fill_us = grids(&layer, &json_us, &skew_us);
	double bytes = log_bytes(&log_us);
	(void) printf("{\"grid\":\"12x40\",\"fill_us\":%.1f,\"skew_us\":%.1f,\"json_us\":%.1f,\"log_us\":%.2f,\"log_bytes_per_grid\":%.1f,"
			"\"tick_us\":%.2f}\n", fill_us, skew_us, json_us, log_us, bytes, ticks());
	return 0;
}
