// What makes figures of measurements: a slope's interval holds zero when nothing grows and does not when something does, and a run that is
// worse than those before it is told.
import assert from 'node:assert/strict';
import test from 'node:test';
import { slips, draw } from '../../bench/report.mjs';
import { blocks, slope } from '../../bench/slopes.mjs';
import { Dice } from './lib/dice.mjs';

// An hour, each 2 s; what is random stays for a while, as memory and queues do.
function series(growth, seed) {
	const dice = new Dice(seed), out = [];
	for (let t = 0, drift = 0; t < 3600; t += 2) {
		drift = 0.9 * drift + dice.between(-1, 1);
		out.push([t, 1000 + growth * t / 3600 + drift]);
	}
	return out;
}

test('block means', () => {
	assert.deepEqual(blocks([[0, 1], [1, 3], [2, 5], [3, 7], [4, 100]], 2), [[0.5, 2], [2.5, 6]]);
	assert.equal(slope([[0, 1], [1, 2]]), undefined, 'two are too few');
});

test('a line without noise has its slope, and an interval of nothing', () => {
	const s = slope(Array.from({ length: 100 }, (_, i) => [i, 5 + 2 * i]));
	for (const x of [s.slope, s.low, s.high])
		assert.ok(Math.abs(x - 7200) < 1e-6, JSON.stringify(s));
});

test('zero is inside when nothing grows, nearly always, and outside when something does', () => {
	let inside = 0;
	for (let seed = 1; seed <= 200; seed++) {
		const s = slope(series(0, seed));
		inside += s.low <= 0 && s.high >= 0 ? 1 : 0;
	}
	assert.ok(inside >= 195, `${inside} of 200`);
	for (let seed = 1; seed <= 20; seed++)
		assert.ok(slope(series(20, seed)).low > 0);
});

test('one step is not a slope; steps that come again and again are', () => {
	const stairs = (each) => Array.from({ length: 1800 }, (_, i) => [2 * i, 1000 + 4 * Math.floor(2 * i / each)]);
	const one = slope(stairs(1500)), many = slope(stairs(120));
	assert.ok(one.low <= 0 && one.high > 0, JSON.stringify(one));
	assert.ok(many.low > 100 && many.high < 140, JSON.stringify(many));
});

const run = (seen, less) => ({ lines: [{ line: 'closed', figure: 'accepted a second', seen, bound: '>= 10' },
	{ line: 'open', figure: 'p99 ms (seen beside 3.5)', seen: less, bound: '< 10' }] });

test('what is worse than before is told, in either direction, and nothing else', () => {
	const before = [9, 10, 11].map((n) => ({ lines: { 'closed: accepted a second': 1000 * n, 'open: p99 ms': n } }));
	assert.deepEqual(slips(run(10_000, 10), before), []);
	assert.deepEqual(slips(run(20_000, 1), before), [], 'better is no slip');
	assert.deepEqual(slips(run(7_000, 13), before).map((s) => s.name), ['closed: accepted a second', 'open: p99 ms']);
	assert.deepEqual(slips(run(7_000, 13), []), [], 'without a run before there is nothing to slip from');
});

test('the picture is drawn', () => {
	const svg = draw([{ rate: 250, p50: 1, p99: 4, p99_9: 9 }, { rate: 8000, p50: 20, p99: 400, p99_9: 900 }]);
	assert.equal(svg.match(/<polyline/g).length, 3);
	assert.ok(!svg.includes('NaN') && svg.trimEnd().endsWith('</svg>'));
});
