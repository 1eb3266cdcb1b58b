// The chamber's referee sees what it is there for: a small book that is right passes, and each single thing that is made wrong in it fails.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Referee, decodePath } from '../torture/referee.mjs';
import { Witness } from '../torture/witness.mjs';
import { W, judge } from './lib/judge.mjs';

const T0 = 1_795_392_000, ZEROS = '0'.repeat(64);

function encodePath(ticks) {
	const bytes = [];
	const varint = (v) => {
		for (; v >= 0x80n; v >>= 7n)
			bytes.push(Number(v & 0x7fn) | 0x80);
		bytes.push(Number(v));
	};
	const difference = (d) => varint(d < 0n ? (-d << 1n) - 1n : d << 1n);
	let t = 0, p = 0;
	varint(BigInt(ticks.length));
	for (const [now, price] of ticks) {
		difference(BigInt(now - t));
		difference(BigInt(price - p));
		[t, p] = [now, price];
	}
	return Buffer.from(bytes).toString('hex').toUpperCase();
}

// Ticks of a column, anchor first, each half second, from `from` on by `by` a tick.
const ticksFrom = (t0, from, by) => Array.from({ length: 11 }, (_, i) => [t0 * 1000 - 300 + 500 * i, from + by * i]);

function column(t0, ticks, prev) {
	const j = judge(ticks, t0, prev);
	return { t0, status: j.void ? 2 : 1, path_low: j.low, path_high: j.high, ticks: j.n, path: encodePath(ticks), digest: j.digest, prev };
}

// A user with 1,000 who wins one, loses one, and gets one back.
function world() {
	const a = column(T0, ticksFrom(T0, 9_000_500, 100), ZEROS);
	const b = column(T0 + W, ticksFrom(T0 + W, 9_001_500, 100).slice(0, 3), a.digest);
	const bet = (id, t0, low, status) => ({ id, t0, low, user: 1, stake: 1_000_003, rate: 23_457, status });
	const bets = [bet('A', T0, 9_000_000, 2), bet('B', T0, 9_004_000, 3), bet('C', T0 + W, 9_000_000, 4)];
	const moves = [['DEPOSIT', 'gift', 1_000_000_000], ['BET', 'A', -1_000_003], ['BET', 'B', -1_000_003], ['BET', 'C', -1_000_003],
		['PAYOUT', 'A', 2_345_707], ['OPENING', 'w', 0], ['REFUND', 'C', 1_000_003]];
	let balance = 0;
	const ledger = moves.map(([ref_type, ref_id, amount], i) => {
		balance += amount;
		return { id: i + 1, user: 1, ref_type, ref_id, amount: ref_type === 'OPENING' ? balance : amount, balance_after: balance, week: 'w' };
	});
	return { bets: new Map(bets.map((x) => [x.id, x])), columns: new Map([a, b].map((c) => [c.t0, c])), ledger,
		accounts: new Map([[1, { id: 1, balance }]]), heard: new Map(ticksFrom(T0, 9_000_500, 100)) };
}

function referee(books) {
	const r = new Referee({}, { ticks: books.heard });
	r.money(books, r.columns(books));
	return r.checked;
}

test('a book that is right passes', () => {
	const checked = referee(world());
	assert.deepEqual([checked.bets, checked.columns, checked.missing], [3, 2, 0]);
});

test('a path is read as it was written', () => {
	const ticks = [[1_795_392_000_123, 9_000_000], [1_795_392_000_124, 1], [1_795_392_009_999, 2 ** 40]];
	assert.deepEqual(decodePath(encodePath(ticks)), ticks);
	assert.throws(() => decodePath(`${encodePath(ticks)}00`));
});

const row = (b, type) => b.ledger.find((l) => l.ref_type === type);
for (const [what, spoil] of Object.entries({
	'a lost bet that won': (b) => { b.bets.get('B').status = 2; },
	'a won bet that lost': (b) => { b.bets.get('A').status = 3; },
	'a bet that nobody decided': (b) => { b.bets.get('B').status = 1; },
	'a void that was lost': (b) => { b.bets.get('C').status = 3; },
	'a payout of one micro-dollar more': (b) => { row(b, 'PAYOUT').amount++; },
	'a payout that is missing': (b) => { b.ledger.splice(b.ledger.indexOf(row(b, 'PAYOUT')), 1); },
	'a payout twice': (b) => { b.ledger.push({ ...row(b, 'PAYOUT') }); },
	'a payout of no bet': (b) => { b.ledger.push({ ...row(b, 'PAYOUT'), ref_id: 'Z', amount: 0, balance_after: b.accounts.get(1).balance }); },
	'a refund that is not the stake': (b) => { row(b, 'REFUND').amount--; },
	'a stake that was not taken': (b) => { b.ledger.splice(b.ledger.findIndex((l) => l.ref_id === 'B'), 1); },
	'a bet without a row': (b) => { b.bets.set('D', { ...b.bets.get('B'), id: 'D', low: 9_006_000 }); },
	'a balance that is not the sum': (b) => { b.accounts.get(1).balance++; },
	'an opening that is not the balance': (b) => { row(b, 'OPENING').amount++; },
	'a balance_after that is not the sum': (b) => { b.ledger.at(-1).balance_after--; },
	'a digest of other bytes': (b) => { b.columns.get(T0).digest = ZEROS; },
	'a chain that begins anew': (b) => { b.columns.set(T0 + W, column(T0 + W, ticksFrom(T0 + W, 9_001_500, 100).slice(0, 3), ZEROS)); },
	'a void column that counts': (b) => { b.columns.get(T0 + W).status = 1; },
	'a bound that no tick has': (b) => { b.columns.get(T0).path_high += 5000; },
	'a column that is not there': (b) => { b.columns.delete(T0); },
	'a column left out between two': (b) => { b.columns.set(T0 + 3 * W, column(T0 + 3 * W, [], ZEROS)); },
	'another price than was published': (b) => { b.heard.set(T0 * 1000 + 200, 9_999_999); },
	'a published tick that does not count': (b) => { b.heard.set(T0 * 1000 + 333, 9_000_600); },
})) {
	test(`seen: ${what}`, () => {
		const books = world();
		spoil(books);
		assert.throws(() => referee(books), { code: 'ERR_ASSERTION' });
	});
}

test('a tick that a fault took is no reproach', () => {
	const books = world(), r = new Referee({}, { ticks: books.heard });
	books.heard.set(T0 * 1000 + 333, 9_000_600);
	r.note('flush redis', T0 * 1000, T0 * 1000 + 5);
	r.money(books, r.columns(books));
});

test('a rate is one of its second\'s quotes, or nobody knows', () => {
	const witness = new Witness({ origin: '', ws: '' }, assert.fail), at = T0 * 1000;
	const grid = (t, rate) => ({ type: 'grid', quote_id: t, t, columns: [T0 + 20], rows: { low: 0, height: 2000, count: 1 }, rates: [[rate]] });
	for (let t = at - 2000, rate = 20_000; t < at + 2000; t += 200, rate += 10)
		witness.hear(grid(t, rate));
	const rates = witness.ratesAt(`${T0 + 20}_0_2000`, at);
	assert.ok(rates.includes(20_100) && !rates.includes(20_000), String(rates));
	witness.grids.splice(9, 2);
	assert.equal(witness.ratesAt(`${T0 + 20}_0_2000`, at), undefined);
});

test('a clock that steps back shows a moment twice, and either quote of it may be the bet\'s', () => {
	const witness = new Witness({ origin: '', ws: '' }, assert.fail), at = T0 * 1000;
	const grid = (quote_id, t) => ({ type: 'grid', quote_id, t, columns: [T0 + 20], rows: { low: 0, height: 2000, count: 1 }, rates: [[10_000 + quote_id]] });
	for (let id = 1, t = at - 2000; t < at + 2000; t += 200, id++) {
		t -= id === 13 ? 510 : 0;
		witness.hear(grid(id, t));
	}
	const stepped = witness.grids.filter((g) => g.quote_id >= 13 && g.t <= at);
	assert.ok(stepped.length > 0);
	for (const g of stepped)
		assert.ok(witness.ratesAt(`${T0 + 20}_0_2000`, at).includes(10_000 + g.quote_id));
});
