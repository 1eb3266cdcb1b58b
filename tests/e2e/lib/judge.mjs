// An independent judge: the rules of the game, computed from the ticks that the API shows, and the book's rules in plain SQL.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';

export const W = 5;
const GAP_MS = 3000;

export function parseCell(cell) {
	const [t0, low, high] = cell.split('_').map(Number);
	return { t0, low, high };
}

// By the straight lines: in the cell, or on the other side of it than the tick before.
function firstTouch(path, { low, high }) {
	const side = ([, p]) => (p < low ? -1 : p > high ? 1 : 0);
	return path.findIndex((tick, i) => side(tick) === 0 || (i > 0 && side(tick) === -side(path[i - 1])));
}

// The path of a column from ticks in order: anchor, ticks, bounds, digest, whether it is void.
export function judge(ticks, t0, prevDigest) {
	const start = t0 * 1000, end = start + W * 1000;
	const anchor = ticks.filter(([t]) => t < start).at(-1) ?? null;
	const inside = ticks.filter(([t]) => t >= start && t < end);
	const path = anchor ? [anchor, ...inside] : inside;
	const hash = createHash('sha256').update(Buffer.from(prevDigest, 'hex'));
	const number = (n) => {
		const b = Buffer.alloc(8);
		b.writeBigInt64BE(BigInt(n));
		hash.update(b);
	};
	number(start);
	for (const [t, p] of path) {
		number(t);
		number(p);
	}
	const times = [...path.map(([t]) => t), end];
	const gap = times.slice(1).some((t, i) => t - times[i] > GAP_MS);
	return { anchor, n: path.length, low: Math.min(...path.map(([, p]) => p)), high: Math.max(...path.map(([, p]) => p)),
		digest: hash.digest('hex'), void: !anchor || gap, path, deciding: (cell) => path[firstTouch(path, parseCell(cell))] };
}

export function outcome(judged, cell) {
	const { low, high } = parseCell(cell);
	if (judged.void)
		return 'void';
	return judged.high >= low && judged.low <= high ? 'won' : 'lost';
}

export function payout(bet, result) {
	if (result === 'void')
		return bet.stake;
	return result === 'won' ? Number(BigInt(bet.stake) * BigInt(bet.rate) / 10000n) : 0;
}

export async function ticksOf(api, t0) {
	const from = t0 * 1000 - 60_000, to = (t0 + W) * 1000;
	const answer = await api.call('GET', `/api/v1/prices?from=${from}&to=${to}`);
	assert.equal(answer.status, 200, answer.text);
	return answer.body.ticks;
}

// Every page of a list.
export async function whole(player, path, member) {
	const all = [];
	let cursor = '';
	for (let pages = 0; pages < 1000; pages++) {
		const sep = path.includes('?') ? '&' : '?';
		const answer = await player.get(`${path}${cursor ? `${sep}cursor=${encodeURIComponent(cursor)}` : ''}`);
		assert.equal(answer.status, 200, answer.text);
		all.push(...answer.body[member]);
		cursor = answer.body.next_cursor;
		if (!cursor)
			return all;
	}
	throw new Error(`${path}: the list does not end`);
}

// A player's ledger against his bets, to the micro-dollar: every amount, the chain of balances, and what /me says.
export async function auditPlayer(player, welcome) {
	const entries = (await whole(player, '/ledger?limit=7', 'entries')).reverse();
	const bets = await whole(player, '/bets?limit=7', 'bets');
	const me = (await player.get('/me')).body;
	let balance = 0;
	for (const e of entries) {
		balance += e.amount;
		assert.ok(balance >= 0, 'a balance below zero');
		assert.equal(e.balance_after, balance, `balance_after of ${JSON.stringify(e)}`);
	}
	assert.equal(me.balance, balance, '/me against the ledger');
	assert.equal(new Set(entries.map((e) => e.id)).size, entries.length, 'a ledger id twice');
	assert.deepEqual(entries.filter((e) => e.ref_type === 'DEPOSIT').map((e) => e.amount), welcome ? [welcome] : []);
	for (const b of bets) {
		const mine = entries.filter((e) => e.ref_id === b.bet_id);
		const of = (type) => mine.filter((e) => e.ref_type === type).map((e) => e.amount);
		assert.deepEqual(of('BET'), [-b.stake], `the BET row of ${JSON.stringify(b)}`);
		assert.deepEqual(of('PAYOUT'), b.status === 'won' ? [payout(b, 'won')] : [], `the PAYOUT row of ${b.bet_id}`);
		assert.deepEqual(of('REFUND'), b.status === 'void' ? [b.stake] : [], `the REFUND row of ${b.bet_id}`);
	}
	const tied = new Set(bets.map((b) => b.bet_id));
	for (const e of entries)
		if (['BET', 'PAYOUT', 'REFUND'].includes(e.ref_type))
			assert.ok(tied.has(e.ref_id), `a row of no bet: ${JSON.stringify(e)}`);
	assert.equal(me.open_bets, bets.filter((b) => b.status === 'confirmed').length);
	assert.equal(me.open_stake, bets.filter((b) => b.status === 'confirmed').reduce((n, b) => n + b.stake, 0));
	return { entries, bets, me };
}

// The whole book: the contract's own words in SQL, then the operator's command.
export async function auditBook(product) {
	const drift = await product.sql(`SELECT u.id FROM users u LEFT JOIN
		(SELECT user, sum(amount) AS sum FROM transaction_ledger GROUP BY user) l ON l.user = u.id
		WHERE u.balance < 0 OR u.balance <> coalesce(l.sum, 0)`);
	assert.deepEqual(drift, [], 'users whose balance is not the sum of their ledger');
	const twice = await product.sql(`SELECT ref_type, ref_id, user, count(*) AS n FROM transaction_ledger
		WHERE ref_type IN ('BET', 'PAYOUT', 'REFUND') GROUP BY ref_type, ref_id, user HAVING n > 1`);
	assert.deepEqual(twice, [], 'a bet, payout or refund booked twice');
	const integrity = await product.ctl('integrity', '--json');
	assert.equal(integrity.code, 0, `ctl integrity: ${integrity.stdout}${integrity.stderr}`);
	const trial = await product.ctl('trial-balance', '--json');
	assert.equal(trial.code, 0, `ctl trial-balance: ${trial.stdout}${trial.stderr}`);
}

// What a crowd was told, against the book: each acceptance is there with the balance that it named, each bet is decided once, after
// its column.
export async function auditTold(product, told) {
	const rows = await product.sql(`SELECT ref_id AS id, balance_after AS balance FROM transaction_ledger WHERE ref_type = 'BET'`);
	const book = new Map(rows.map((r) => [r.id, r.balance]));
	for (const t of told)
		assert.equal(book.get(t.bet_id), t.balance, `told, but the book says otherwise: ${JSON.stringify(t)}`);
	const [open] = await product.sql('SELECT count(*) AS n FROM bets WHERE status = 1');
	assert.equal(open.n, 0, 'bets that nobody decided');
	const early = await product.sql(`SELECT b.t0 FROM bets b LEFT JOIN columns c ON c.t0 = b.t0
		WHERE c.t0 IS NULL OR c.settled_at < (b.t0 + ${W}) * 1000 LIMIT 3`);
	assert.deepEqual(early, [], 'bets decided before their column ended');
	const [paid] = await product.sql(`SELECT (SELECT count(*) FROM bets WHERE status IN (2, 4)) AS due,
		(SELECT count(*) FROM transaction_ledger WHERE ref_type IN ('PAYOUT', 'REFUND')) AS paid`);
	assert.equal(paid.paid, paid.due, 'payouts and refunds against bets won and void');
	return book.size;
}

// Every column that ran from t0 on is recorded, each chained to the one before.
export async function auditColumns(api, from, until) {
	let prev;
	for (let t0 = from; t0 <= until; t0 += W) {
		const { status, body, text } = await api.call('GET', `/api/v1/columns/${t0}`);
		assert.equal(status, 200, `column ${t0}: ${text}`);
		assert.notEqual(body.status, 'open', `column ${t0} is still open`);
		if (prev !== undefined)
			assert.equal(body.prev_digest, prev, `the chain at ${t0}`);
		prev = body.digest;
	}
}
