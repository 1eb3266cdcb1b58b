/* Venues that stall, lie, lag, repeat themselves and talk nonsense: the replay's own frames, spoilt by its own mischief, through the
 * real adapters and the index, on a clock of the test's. Nothing waits and nothing is left to chance, so what must come of it is exact.
 * TAP_FAULT_SEEDS: how many random stories are played (2). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "bbo.h"
#include "link.h"
#include "price.h"
#include "stage.h"

enum {
	STEP_MS = 50,
	POINT_MS = 250,    /* the market moves */
	TICK_MS = 100,
	ANEW_MS = 700,     /* a connection that was given up is back after so long */
	QUEUE_MAX = 4096,
	WARM_MS = 20000,
	PAIR_BP = 5,
	START_MS = 100000
};
static const int64_t wall_off_ms = 1771234460000; /* the wall clock over ours */

struct late {
	int64_t due_ms;
	char *text;
	size_t n;
};

/* One instance of all that stands between the market and the tick. */
struct world {
	struct mischief wrong;
	struct stage stage;
	struct bbo bbo[VENUES];
	int64_t away_until_ms[VENUES]; /* its connection is gone so long */
	bool away[VENUES];
	struct late queue[VENUES][QUEUE_MAX];
	size_t head[VENUES], n[VENUES];
	struct index index;
	enum index_standing standing[VENUES];
	char changes[1024];            /* "<venue> <standing> at <ms since the command>; ..." */
	int64_t since_ms;
	bool has_price;
	int64_t price_e4;
};

static const struct venue_adapter *const adapters[VENUES] = {
	[VENUE_COINBASE] = &venue_coinbase, [VENUE_KRAKEN] = &venue_kraken,
	[VENUE_BITSTAMP] = &venue_bitstamp, [VENUE_BINANCE] = &venue_binance,
};
static struct world clean, faulty;
static int64_t now_ms;

static void enqueue(void *u, const struct staged *frame)
{
	struct world *w = u;
	enum venue_id v = frame->venue;
	if (v == VENUE_BINANCE && !frame->combined)
		return;
	assert_true(w->n[v] < QUEUE_MAX);
	struct late *at = &w->queue[v][(w->head[v] + w->n[v]++) % QUEUE_MAX];
	*at = (struct late){ .due_ms = now_ms + frame->delay_ms, .text = malloc(frame->text->n + 1), .n = frame->text->n };
	assert_non_null(at->text);
	memcpy(at->text, frame->text->p, frame->text->n);
}

static void lose_connection(struct world *w, enum venue_id v, int64_t for_ms)
{
	w->away[v] = true;
	w->away_until_ms[v] = now_ms + for_ms;
}

static void hear(struct world *w, enum venue_id v, const struct late *text)
{
	if (w->away[v])
		return;
	enum bbo_verdict verdict = text->n > LINK_MESSAGE_MAX ? BBO_USELESS : bbo_hear(&w->bbo[v], text->text, text->n, now_ms);
	if (verdict == BBO_USELESS || verdict == BBO_REFUSED || verdict == BBO_FLOOD)
		lose_connection(w, v, ANEW_MS);
}

/* What is due, in the order it was sent, as a connection delivers it: a late one holds up what is behind it. */
static void deliver(struct world *w)
{
	for (enum venue_id v = 0; v < VENUES; v++) {
		if (w->away[v] && now_ms >= w->away_until_ms[v]) {
			w->away[v] = false;
			bbo_begin(&w->bbo[v]);
		}
		while (w->n[v] && w->queue[v][w->head[v]].due_ms <= now_ms) {
			struct late *at = &w->queue[v][w->head[v]];
			hear(w, v, at);
			free(at->text);
			w->head[v] = (w->head[v] + 1) % QUEUE_MAX;
			w->n[v]--;
		}
	}
}

static void note_change(struct world *w, enum venue_id v)
{
	size_t used = strlen(w->changes);
	(void) snprintf(w->changes + used, sizeof w->changes - used, "%s%s %s %" PRId64, used ? "; " : "", adapters[v]->name,
			index_standing_name(w->index.standing[v]), now_ms - w->since_ms);
}

static void tick(struct world *w)
{
	struct index_input in[VENUES];
	for (enum venue_id v = 0; v < VENUES; v++)
		in[v] = (struct index_input){ adapters[v]->quote, w->bbo[v].mid_e4, w->bbo[v].heard_mono_ms };
	w->has_price = index_price(&w->index, in, VENUES, now_ms, &w->price_e4);
	for (enum venue_id v = 0; v < VENUES; v++) {
		if (w->standing[v] != w->index.standing[v])
			note_change(w, v);
		w->standing[v] = w->index.standing[v];
	}
}

static void world_init(struct world *w, uint64_t seed, int64_t basis_bp, int64_t noise_cents)
{
	memset(w, 0, sizeof *w);
	stage_init(&w->stage, &w->wrong, enqueue, w, seed, 1771234560000);
	w->stage.basis_bp = basis_bp;
	w->stage.noise_cents = noise_cents;
	index_init(&w->index, &(struct index_rules){ .stale_ms = 2000, .band_bp = 20, .pair_bp = PAIR_BP, .min_venues = 2 });
	for (enum venue_id v = 0; v < VENUES; v++)
		bbo_init(&w->bbo[v], adapters[v]);
}

static void world_free(struct world *w)
{
	for (enum venue_id v = 0; v < VENUES; v++)
		for (; w->n[v]; w->n[v]--, w->head[v] = (w->head[v] + 1) % QUEUE_MAX)
			free(w->queue[v][w->head[v]].text);
	stage_free(&w->stage);
}

/* A walk that now and then runs, so that who stands still is left behind. */
struct walk {
	uint32_t dice;
	int64_t cents, drift;
};

static uint32_t roll(uint32_t *dice, uint32_t below)
{
	*dice = *dice * 1664525 + 1013904223;
	return (*dice >> 8) % below;
}

static struct tape_point walk_on(struct walk *k)
{
	if (roll(&k->dice, 40) == 0)
		k->drift = (int64_t) roll(&k->dice, 2001) - 1000; /* cents a point */
	k->cents += k->drift + roll(&k->dice, 101) - 50;
	k->drift = k->cents > 12000000 ? -500 : k->cents < 3000000 ? 500 : k->drift;
	return (struct tape_point){ now_ms, k->cents, k->cents + 1 + roll(&k->dice, 50) };
}

static void step(struct world *w, const struct tape_point *point)
{
	if (point)
		stage_point(&w->stage, point, now_ms, wall_off_ms + now_ms);
	stage_turn(&w->stage, now_ms, wall_off_ms + now_ms);
	deliver(w);
	if (now_ms % TICK_MS == 0)
		tick(w);
}

/* The command with the venue's name where `VENUE` stands. */
static void command(struct world *w, const char *fault, const char *venue)
{
	char line[96], answer[MISCHIEF_ANSWER_MAX];
	const char *at = strstr(fault, "VENUE");
	assert_non_null(at);
	(void) snprintf(line, sizeof line, "%.*s%s%s", (int) (at - fault), fault, venue, at + strlen("VENUE"));
	if (!mischief_command(&w->wrong, line, now_ms, answer))
		fail_msg("%s: %s", line, answer);
	w->since_ms = now_ms;
	w->changes[0] = '\0';
}

/* ---- exact: what each fault of each venue changes, and that the ticks are the market's ---- */

static const struct story {
	const char *fault;
	int64_t for_ms;
	const char *changes; /* of the venue, ms since the fault began; NULL: not told here */
} stories[] = {
	{ "stall VENUE", 1500, "" },
	{ "stall VENUE", 5000, "stale 1800; live 5000" },
	{ "mute VENUE", 5000, "stale 1800; live 5000" },
	{ "drop VENUE 1", 5000, "stale 1800; live 5000" },
	{ "drop VENUE 0.3", 5000, "" },
	{ "garble VENUE", 1000, "" },
	{ "freeze VENUE", 5000, "" },
	{ "lag VENUE 800ms", 5000, "" },
	{ "lag VENUE 4s", 10000, "stale 1800; live 4000" },
	{ "outlier VENUE 10", 5000, "" },
	{ "outlier VENUE -19", 5000, "" },
	{ "outlier VENUE 25", 5000, "off_band 0; live 5000" },
	{ "outlier VENUE -5000", 5000, "off_band 0; live 5000" },
	{ "outlier VENUE 100000", 5000, "off_band 0; live 5000" },
	{ "repeat VENUE", 5000, "" },
	{ "shuffle VENUE", 5000, "" },
	{ "clock VENUE 1300ms", 5000, "" },
	{ "clock VENUE -1300ms", 5000, NULL },
};

/* The expected changes with the venue's name before each. */
static void expect(char *out, size_t size, const char *venue, const char *changes)
{
	size_t used = 0;
	out[0] = '\0';
	while (*changes) {
		size_t n = strcspn(changes, ";");
		used += (size_t) snprintf(out + used, size - used, "%s%s %.*s", used ? "; " : "", venue, (int) n, changes);
		changes += n + (changes[n] == ';') + (changes[n] == ';' && changes[n + 1] == ' ');
	}
}

/* Between two commands: at each tick there is a price, and it is the market's. */
static void play_exactly(struct walk *k, int64_t for_ms)
{
	static struct tape_point point;
	for (int64_t until = now_ms + for_ms; now_ms < until; now_ms += STEP_MS) {
		bool moves = now_ms % POINT_MS == 0;
		if (moves) {
			point = walk_on(k);
			k->drift = 0; /* a still market: who stands is still in the band */
		}
		step(&faulty, moves ? &point : NULL);
		if (now_ms % TICK_MS || now_ms < START_MS + TICK_MS)
			continue;
		int64_t mid_e4 = (point.bid_cents + point.ask_cents) * 50;
		if (!faulty.has_price || faulty.price_e4 != mid_e4)
			fail_msg("%" PRId64 " ms: %" PRId64 ", not %" PRId64 " (%s)", now_ms - faulty.since_ms,
					faulty.has_price ? faulty.price_e4 : 0, mid_e4, faulty.changes);
	}
}

static void each_fault_of_each_venue_changes_what_it_must(void **state)
{
	(void) state;
	struct walk k = { .dice = 7, .cents = 6000000 };
	now_ms = START_MS;
	world_init(&faulty, 1, 0, 0);
	play_exactly(&k, WARM_MS);
	for (enum venue_id v = 0; v < VENUES; v++) {
		for (size_t i = 0; i < ARRAY_LEN(stories); i++) {
			char expected[256];
			command(&faulty, stories[i].fault, adapters[v]->name);
			play_exactly(&k, stories[i].for_ms);
			char answer[MISCHIEF_ANSWER_MAX];
			assert_true(mischief_command(&faulty.wrong, "off", now_ms, answer));
			play_exactly(&k, 6000);
			if (!stories[i].changes)
				continue;
			expect(expected, sizeof expected, adapters[v]->name, stories[i].changes);
			if (strcmp(faulty.changes, expected) != 0)
				fail_msg("%s %s: `%s`, not `%s`", stories[i].fault, adapters[v]->name, faulty.changes, expected);
		}
	}
	world_free(&faulty);
}

/* A connection that breaks, for short, for long, and as a venue cuts it after a day: gone, and at once asked for anew. */
static void each_disconnect_changes_what_it_must(void **state)
{
	(void) state;
	static const struct {
		int64_t away_ms;
		const char *changes;
	} breaks[] = { { STEP_MS, "" }, { ANEW_MS, "" }, { 1500, "" }, { 5000, "stale 1800; live 5000" } };
	struct walk k = { .dice = 8, .cents = 6000000 };
	now_ms = START_MS;
	world_init(&faulty, 1, 0, 0);
	play_exactly(&k, WARM_MS);
	for (enum venue_id v = 0; v < VENUES; v++)
		for (size_t i = 0; i < ARRAY_LEN(breaks); i++) {
			char expected[256];
			faulty.since_ms = now_ms;
			faulty.changes[0] = '\0';
			lose_connection(&faulty, v, breaks[i].away_ms);
			play_exactly(&k, 8000); /* whole seconds, so that each begins alike */
			expect(expected, sizeof expected, adapters[v]->name, breaks[i].changes);
			if (strcmp(faulty.changes, expected) != 0)
				fail_msg("%s, away %" PRId64 " ms: `%s`, not `%s`", adapters[v]->name, breaks[i].away_ms, faulty.changes, expected);
		}
	world_free(&faulty);
}

/* All at once: a gap, and no invention in it. */
static void all_silent_is_a_gap(void **state)
{
	(void) state;
	struct walk k = { .dice = 9, .cents = 6000000 };
	int ticks = 0, first = -1, last = -1;
	now_ms = START_MS;
	world_init(&faulty, 1, 0, 0);
	play_exactly(&k, WARM_MS);
	command(&faulty, "stall VENUE 5s", "all");
	for (int64_t begun = now_ms; now_ms < begun + 7000; now_ms += STEP_MS) {
		struct tape_point point = walk_on(&k);
		step(&faulty, now_ms % POINT_MS ? NULL : &point);
		if (now_ms % TICK_MS || !faulty.has_price)
			continue;
		ticks++;
		if (now_ms - begun < 4000)
			first = (int) (now_ms - begun);
		else if (last < 0)
			last = (int) (now_ms - begun);
	}
	assert_int_equal(first, 1700); /* the last while what was heard is younger than two seconds */
	assert_int_equal(last, 5000);
	assert_int_equal(ticks, 1700 / TICK_MS + 1 + 2000 / TICK_MS);
	world_free(&faulty);
}

/* ---- two are left, and one of them is ill: there is no majority ---- */

static int64_t mid_of(const struct tape_point *p)
{
	return (p->bid_cents + p->ask_cents) * 50;
}

/* A price at each tick or none; where there is one, the ill venue moved it by half of what two may be apart. Returns the ticks. */
static int play_two(struct walk *k, int64_t for_ms, const char *fault)
{
	static struct tape_point point;
	int ticks = 0;
	for (int64_t until = now_ms + for_ms; now_ms < until; now_ms += STEP_MS) {
		bool moves = now_ms % POINT_MS == 0;
		if (moves) {
			point = walk_on(k);
			k->drift = 0;
		}
		step(&faulty, moves ? &point : NULL);
		if (now_ms % TICK_MS || !faulty.has_price)
			continue;
		ticks++;
		if (llabs(faulty.price_e4 - mid_of(&point)) * 20000 > PAIR_BP * faulty.price_e4)
			fail_msg("%s: %" PRId64 ", the market is %" PRId64, fault, faulty.price_e4, mid_of(&point));
	}
	return ticks;
}

static void end_fault(struct walk *k)
{
	char answer[MISCHIEF_ANSWER_MAX];
	assert_true(mischief_command(&faulty.wrong, "off", now_ms, answer));
	(void) play_two(k, 6000, "off");
}

static void stall_all_but(struct walk *k, enum venue_id a, enum venue_id b)
{
	for (enum venue_id v = 0; v < VENUES; v++)
		if (v != a && v != b)
			command(&faulty, "stall VENUE", adapters[v]->name);
	(void) play_two(k, 3000, "stall");
	assert_true(faulty.has_price);
}

static void expect_both(enum venue_id a, enum venue_id b, const char *change)
{
	char expected[128];
	enum venue_id first = a < b ? a : b, second = a < b ? b : a;
	(void) snprintf(expected, sizeof expected, "%s %s; %s %s", adapters[first]->name, change, adapters[second]->name, change);
	if (strcmp(faulty.changes, expected) != 0)
		fail_msg("`%s`, not `%s`", faulty.changes, expected);
}

/* A lie that each of both could tell stops the ticks at once, and they go on with its end. */
static void lies_of_two_are_a_gap(struct walk *k, enum venue_id liar, enum venue_id other)
{
	static const char *const lies[] = { "outlier VENUE 6", "outlier VENUE -9", "outlier VENUE 19", "outlier VENUE -35",
		"outlier VENUE 5000" };
	for (size_t i = 0; i < ARRAY_LEN(lies); i++) {
		stall_all_but(k, liar, other);
		command(&faulty, lies[i], adapters[liar]->name);
		assert_int_equal(play_two(k, 5000, lies[i]), 0);
		expect_both(liar, other, "off_band 0");
		command(&faulty, "off VENUE", adapters[liar]->name);
		assert_int_equal(play_two(k, 5000, "off"), 5000 / TICK_MS);
		expect_both(liar, other, "live 0");
		end_fault(k);
	}
}

static void of_two_neither_moves_the_price(void **state)
{
	(void) state;
	struct walk k = { .dice = 11, .cents = 6000000 };
	now_ms = START_MS;
	world_init(&faulty, 1, 0, 0);
	(void) play_two(&k, WARM_MS, "none yet");
	for (enum venue_id liar = 0; liar < VENUES; liar++) {
		enum venue_id other = (liar + 1) % VENUES;
		lies_of_two_are_a_gap(&k, liar, other);
		lies_of_two_are_a_gap(&k, liar, (liar + 2) % VENUES);
		for (size_t i = 0; i < ARRAY_LEN(stories); i++) {
			stall_all_but(&k, liar, other);
			command(&faulty, stories[i].fault, adapters[liar]->name);
			(void) play_two(&k, stories[i].for_ms, stories[i].fault);
			end_fault(&k);
		}
	}
	world_free(&faulty);
}

/* ---- by chance: any one venue, any fault, any time ---- */

static const char *const faults[] = {
	"stall VENUE", "mute VENUE", "drop VENUE 0.7", "garble VENUE",
	"lag VENUE 900ms", "lag VENUE 3s", "freeze VENUE", "outlier VENUE 8", "outlier VENUE -15", "outlier VENUE 19",
	"outlier VENUE 40", "outlier VENUE -9000", "repeat VENUE", "shuffle VENUE", "clock VENUE 1300ms", "clock VENUE -1300ms", "disconnect",
};

struct span {
	int64_t least, most;
};

static void widen(struct span *s, int64_t v)
{
	if (v == 0)
		return; /* it does not count just now */
	s->least = s->least && s->least < v ? s->least : v;
	s->most = s->most > v ? s->most : v;
}

/* The price with the fault lies among what the others say, and not further from the price without it than they are from each other. */
static void check_bound(enum venue_id liar, const char *fault)
{
	struct span honest = { 0 }, all = { 0 };
	for (enum venue_id v = 0; v < VENUES; v++) {
		if (v == liar)
			continue;
		widen(&honest, faulty.index.value_e4[v]);
		widen(&all, faulty.index.value_e4[v]);
		widen(&all, clean.index.value_e4[v]);
	}
	widen(&all, clean.index.value_e4[liar]); /* what it would have said */
	if (!faulty.has_price || faulty.price_e4 < honest.least || faulty.price_e4 > honest.most ||
			llabs(faulty.price_e4 - clean.price_e4) > all.most - all.least)
		fail_msg("%s %s at %" PRId64 ": %" PRId64 ", others %" PRId64 " to %" PRId64 ", without it %" PRId64, fault, adapters[liar]->name,
				now_ms, faulty.has_price ? faulty.price_e4 : 0, honest.least, honest.most, clean.price_e4);
}

static void play_both(struct walk *k, int64_t for_ms, enum venue_id liar, const char *fault)
{
	for (int64_t until = now_ms + for_ms; now_ms < until; now_ms += STEP_MS) {
		struct tape_point point = { 0 };
		bool moves = now_ms % POINT_MS == 0;
		if (moves)
			point = walk_on(k);
		step(&clean, moves ? &point : NULL);
		step(&faulty, moves ? &point : NULL);
		if (now_ms % TICK_MS == 0 && now_ms >= START_MS + WARM_MS) {
			assert_true(clean.has_price);
			check_bound(liar, fault);
		}
	}
}

/* A fault of one venue must not spoil what is learned of tether either: beyond the spread of the others. */
static void check_basis(int64_t noise_cents)
{
	int64_t mine = faulty.index.basis[VENUE_BINANCE].e9, other = clean.index.basis[VENUE_BINANCE].e9;
	assert_true(mine && other);
	int64_t spread_e9 = 2 * noise_cents * INDEX_BASIS_ONE / 3000000; /* at the lowest price of the walk */
	assert_in_range(llabs(mine - other), 0, spread_e9);
}

static void a_random_story(uint32_t seed)
{
	enum { NOISE_CENTS = 150 };
	uint32_t dice = seed;
	struct walk k = { .dice = seed * 77, .cents = 6000000 };
	now_ms = START_MS;
	world_init(&clean, seed, 12, NOISE_CENTS);
	world_init(&faulty, seed, 12, NOISE_CENTS);
	play_both(&k, WARM_MS, VENUE_COINBASE, "none yet");
	for (size_t i = 0; i < ARRAY_LEN(faults) * VENUES; i++) {
		enum venue_id liar = roll(&dice, VENUES);
		const char *fault = faults[(i + seed) % ARRAY_LEN(faults)];
		int64_t for_ms = STEP_MS * (10 + (int64_t) roll(&dice, 110));
		if (strcmp(fault, "disconnect") == 0)
			lose_connection(&faulty, liar, for_ms);
		else
			command(&faulty, fault, adapters[liar]->name);
		play_both(&k, for_ms, liar, fault);
		command(&faulty, "off VENUE", "all");
		play_both(&k, 4000, liar, fault); /* until what was under way has come */
		if (liar != VENUE_BINANCE)
			check_basis(NOISE_CENTS);
		memcpy(&faulty.index.basis, &clean.index.basis, sizeof clean.index.basis);
	}
	world_free(&clean);
	world_free(&faulty);
}

static void one_venue_moves_the_price_by_no_more_than_the_others_spread(void **state)
{
	(void) state;
	const char *more = getenv("TAP_FAULT_SEEDS");
	long seeds = more ? strtol(more, NULL, 10) : 2;
	assert_true(seeds > 0);
	for (long seed = 1; seed <= seeds; seed++)
		a_random_story((uint32_t) seed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_fault_of_each_venue_changes_what_it_must),
		cmocka_unit_test(each_disconnect_changes_what_it_must),
		cmocka_unit_test(all_silent_is_a_gap),
		cmocka_unit_test(of_two_neither_moves_the_price),
		cmocka_unit_test(one_venue_moves_the_price_by_no_more_than_the_others_spread),
	};
	return cmocka_run_group_tests_name("ingest_faults", tests, NULL, NULL);
}
