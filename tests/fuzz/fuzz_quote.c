/* A layer's file and a record of quotes have one spelling: what is taken is written as it was read. And whatever a record says, a grid
 * can be made from it. */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "quote.h"
#include "quote_log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct quote_layer released(void)
{
	struct quote_layer l;
	const char *why;
	CHECK(layer_parse(&l, quote_layers[0].text, strlen(quote_layers[0].text), &why));
	return l;
}

static struct quote_layer try_layer(const char *text, size_t n)
{
	struct quote_layer l;
	struct buf out = BUF_INIT(1 << 16);
	const char *why = NULL;
	if (!layer_parse(&l, text, n, &why)) {
		CHECK(why);
		return released();
	}
	layer_format(&out, &l);
	CHECK(!out.failed && out.n == n && memcmp(out.p, text, n) == 0);
	buf_free(&out);
	return l;
}

static void try_grid(struct quote_made *made, const struct quote_layer *layer)
{
	static struct quote_grid g;
	memcpy(made->layer, layer->id, sizeof made->layer);
	quote_fill(&g, made, layer);
	for (int i = 0; i < g.columns; i++)
		for (int j = 0; j < g.rows; j++)
			CHECK(g.rates[i][j] == 0 || (!made->stopped && g.rates[i][j] <= made->rules.max_rate_e4));
}

static void try_record(const uint8_t *bytes, size_t n, const struct quote_layer *layer)
{
	static struct quote_made made[QUOTE_LOG_RUN];
	struct buf out = BUF_INIT(1 << 20);
	size_t quotes;
	if (!quote_log_decode(bytes, n, made, &quotes))
		return;
	quote_log_encode(&out, made, quotes);
	CHECK(!out.failed && out.n == n && memcmp(out.p, bytes, n) == 0);
	buf_free(&out);
	try_grid(&made[quotes - 1], layer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *exact = malloc(size ? size : 1); /* so that a read past the end is seen */
	CHECK(exact);
	if (size)
		memcpy(exact, data, size);
	struct quote_layer layer = try_layer((const char *) exact, size);
	try_grid(&(struct quote_made){ .rules = { .grid = { 5, 2000, 12, 24 }, .margin_bp = 500, .max_rate_e4 = 200000,
			.min_p_ppm = 40000, .tick_ms = 100 }, .quote_id = 1, .t_ms = 1771234567890, .p_cents = 9743210,
		.state = { .vol_ppm = { 400000, 400000, 400000, 400000 }, .uneven_ppm = 400000 } }, &layer);
	try_record(exact, size, &layer);
	free(exact);
	return 0;
}
