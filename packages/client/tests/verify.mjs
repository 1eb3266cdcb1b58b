// The verifier against data/column_vectors.json, and that it finds every way in which a told bet can be wrong.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { brokenTick, checkBet, columnOf, decidingTick, digestOf, outcomeOf, pathOf, payoutOf, ratesOf } from '../dist/index.js';

const { rules, columns } = JSON.parse(readFileSync(new URL('../../../data/column_vectors.json', import.meta.url), 'utf8'));
const USD = 1_000_000;

test('the verifier says what the vectors say', async () => {
	assert.ok(columns.length >= 10);
	for (const { ticks, cells, n, ...rest } of columns) {
		const expected = { ...rest, ticks: n };
		assert.deepEqual(columnOf(ticks, expected.t0, expected.prev_digest, rules), expected);
		for (const [cell, outcome] of cells) {
			assert.equal(outcomeOf(expected, cell), outcome, `${expected.t0} ${cell}`);
			assert.equal(decidingTick(pathOf(ticks, expected.t0, rules), cell) !== null, outcome === 'won', `${expected.t0} ${cell}`);
		}
	}
});

test('payouts are integers', () => {
	assert.equal(payoutOf(USD, 23_500, 'won'), 2_350_000);
	assert.equal(payoutOf(3, 10_101, 'won'), 3);
	assert.equal(payoutOf(9_007_199_254, 199_999, 'won'), 180_143_084_360, 'no floating point');
	assert.equal(payoutOf(USD, 23_500, 'void'), USD);
	assert.equal(payoutOf(USD, 23_500, 'lost'), 0);
});

test('the deciding tick is the first with which the path touches', () => {
	const path = (...prices) => pathOf(prices.map((p, i) => [4900 + 100 * i, p]), 5, { column_seconds: 1, max_tick_gap_ms: 3000 });
	assert.deepEqual(decidingTick(path(2500, 100), '5_2000_4000'), [4900, 2500], 'the anchor itself');
	assert.deepEqual(decidingTick(path(1999, 1500, 2000, 5000), '5_2000_4000'), [5100, 2000], 'a bound');
	assert.deepEqual(decidingTick(path(1999, 4001, 3000), '5_2000_4000'), [5000, 4001], 'the line that leads to it');
	assert.equal(decidingTick(path(1, 2, 1999), '5_2000_4000'), null);
});

test('gaps are named', () => {
	const at = (...times) => pathOf(times.map((t) => [t, 100]), 5, { column_seconds: 5, max_tick_gap_ms: 3000 });
	assert.deepEqual(at(4999, 7000, 9000).gaps, []);
	assert.deepEqual(at(3999, 7000, 9000), { t0: 5, anchor: [3999, 100], ticks: [[3999, 100], [7000, 100], [9000, 100]], low: 100, high: 100,
		gaps: [{ from: 3999, to: 7000 }], void: true });
	assert.deepEqual(at(4999, 6999).gaps, [{ from: 6999, to: 10_000 }]);
	assert.equal(at(5000, 7000, 9000).void, true, 'no anchor');
	assert.deepEqual(at(), { t0: 5, anchor: null, ticks: [], low: null, high: null, gaps: [], void: true });
});

test('ticks that no path can hold are found', async () => {
	const good = columns[0].ticks;
	assert.equal(brokenTick(good), -1);
	assert.equal(brokenTick([]), -1);
	const bad = { swapped: [good[1], good[0]], twice: [good[0], good[0]], 'no price': [[1, 0]], 'a fraction': [[1, 2.5]], 'no time': [[NaN, 1]] };
	for (const [what, ticks] of Object.entries(bad)) {
		assert.ok(brokenTick(ticks) >= 0, what);
		assert.throws(() => pathOf(ticks, columns[0].t0, rules), RangeError, what);
	}
	assert.throws(() => digestOf(good, columns[0].t0, 'xyz'), RangeError);
});

// A bet as the API tells it, on a vector's column.
function betOn(column, index) {
	const { ticks, cells, n, ...rest } = column, [cell, status] = cells[index];
	const pricing = { quote_id: 1, t: 1, price: 1, touch_ppb: 404_255_319, margin_bp: 500, unskewed: 23_500, skew: 0, skew_whole: 320,
		rate: 23_500, max_rate: 200_000 };
	return { bet_id: 'x', cell, stake: 3 * USD, rate: 23_500, status, payout: payoutOf(3 * USD, 23_500, status), placed_at: 1, resolved_at: 2,
		evidence: { ...rest, ticks: n }, deciding_tick: decidingTick(pathOf(ticks, column.t0, rules), cell), pricing };
}

test('a bet that was decided as its ticks say agrees, whatever it came to', async () => {
	const seen = new Set();
	for (const column of columns)
		for (let i = 0; i < column.cells.length; i++) {
			const bet = betOn(column, i), { agrees, checks, outcome } = checkBet(bet, column.ticks, rules, column.prev_digest);
			assert.ok(agrees, JSON.stringify(checks));
			assert.equal(outcome, bet.status);
			assert.equal(checks.length, 12);
			seen.add(outcome);
		}
	assert.equal(seen.size, 3);
});

test('whatever is changed in what is told or in the ticks is found', async () => {
	const column = columns[0], won = column.cells.findIndex(([, o]) => o === 'won'), bet = betOn(column, won);
	const first = column.ticks.findIndex(([t]) => t >= column.t0 * 1000), path = column.ticks.slice(first - 1);
	const wrong = (but, ticks, previous) => {
		const { agrees, checks } = checkBet({ ...bet, ...but }, ticks, rules, previous ?? column.prev_digest);
		assert.equal(agrees, false);
		return checks.filter((c) => !c.agrees).map((c) => c.what);
	};
	for (let i = 0; i < path.length; i++) {
		const moved = path.map((tick, k) => (k === i ? [tick[0], tick[1] + 1] : tick));
		assert.ok((wrong({}, moved)).includes('digest'), `tick ${i} changed`);
		const gone = path.filter((_, k) => k !== i);
		assert.ok((wrong({}, gone)).includes('count'), `tick ${i} missing`);
		if (i > 0) {
			const swapped = path.map((tick, k) => (k === i ? path[i - 1] : k === i - 1 ? path[i] : tick));
			assert.deepEqual(wrong({}, swapped), ['ticks'], `tick ${i} out of order`);
		}
	}
	assert.deepEqual(wrong({ payout: bet.payout + 1 }, path), ['payout']);
	assert.deepEqual(wrong({ status: 'lost', payout: 0 }, path), ['outcome', 'payout']);
	assert.deepEqual(wrong({ deciding_tick: path.at(-1) }, path), ['deciding_tick']);
	assert.deepEqual(wrong({ deciding_tick: null }, path), ['deciding_tick']);
	const flip = (hex) => (hex.startsWith('0') ? '1' : '0') + hex.slice(1);
	const told = (more) => ({ evidence: { ...bet.evidence, ...more } });
	assert.deepEqual(wrong(told({ digest: flip(bet.evidence.digest) }), path), ['digest']);
	assert.deepEqual(wrong(told({ prev_digest: flip(column.prev_digest) }), path), ['chain', 'digest']);
	assert.deepEqual(wrong(told({ path_low: 1 }), path), ['low']);
	assert.deepEqual(wrong(told({ path_high: 1 }), path), ['high']);
	assert.deepEqual(wrong(told({ status: 'void' }), path), ['status']);
	assert.deepEqual(wrong(told({ anchor: null }), path), ['anchor']);
	assert.deepEqual(wrong({ pricing: { ...bet.pricing, touch_ppb: 300_000_000 } }, path), ['rate']);
	assert.deepEqual(wrong({ pricing: { ...bet.pricing, skew: 32 } }, path), ['rate']);
	assert.deepEqual(wrong({ rate: 23_000, payout: payoutOf(bet.stake, 23_000, 'won') }, path), ['rate']);
	assert.throws(() => checkBet({ ...bet, status: 'confirmed' }, path, rules), TypeError);
});

test('a rate follows from probability, margin and skew', () => {
	const q = { margin_bp: 500, skew: 0, skew_whole: 320, max_rate: 200_000 };
	assert.deepEqual(ratesOf({ ...q, touch_ppb: 500_000_000 }), { least: 18_999, most: 19_000 });
	assert.deepEqual(ratesOf({ ...q, touch_ppb: 500_000_000, skew: 32 }), { least: 17_100, most: 17_100 });
	assert.deepEqual(ratesOf({ ...q, touch_ppb: 40_000_000 }), { least: 200_000, most: 200_000 });
	assert.ok(ratesOf({ ...q, touch_ppb: 0 }).most === 200_000);
});
