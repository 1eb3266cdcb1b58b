// One tap, from a real wallet to its payout: once with a session key, once signed by the wallet itself.
import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
import { Player, USD, far, middle } from './lib/player.mjs';
import { Product, WELCOME, until } from './lib/product.mjs';
import { W, auditBook, auditColumns, auditPlayer, judge, outcome, payout, ticksOf } from './lib/judge.mjs';

let product;

before(async () => {
	product = await Product.start('tap');
});

after(async () => {
	await product?.stop();
});

async function grid(player) {
	const answer = await player.get('/grid');
	assert.equal(answer.status, 200, answer.text);
	return answer.body;
}

function checkGrid(g) {
	assert.ok(Number.isInteger(g.quote_id) && Number.isInteger(g.t));
	const c = Math.floor(g.t / 1000 / W) * W;
	assert.deepEqual(g.columns, Array.from({ length: 12 }, (_, i) => c + (i + 2) * W), 'the placeable columns by t');
	assert.equal(g.rows.count, 24);
	assert.equal(g.rows.height, 2000);
	assert.equal(g.rows.low % 2000, 0);
	assert.equal(g.rates.length, 12);
	for (const rates of g.rates) {
		assert.equal(rates.length, 24);
		for (const r of rates)
			assert.ok(r === 0 || (r >= 10100 && r <= 200000), `rate ${r}`);
	}
	assert.equal(g.constants.column_seconds, W);
	assert.deepEqual(g.constants.stake_presets, [1, 5, 10, 25, 100].map((n) => n * USD));
}

// Bets on the middle and on a far cell, follows both to the end, and recomputes everything that was claimed.
async function playThrough(t, player) {
	const bets = [];

	await t.test('signs in', async () => {
		const answer = await player.login();
		assert.equal(answer.status, 201, answer.text);
		assert.equal(answer.body.wallet, player.wallet);
		assert.equal(answer.body.balance, WELCOME);
		assert.ok(Math.abs(answer.body.expires_at - Date.now() - 86_400_000) < 60_000);
		if (player.key)
			assert.equal(answer.body.session_key, player.key.address);
		assert.equal(player.siwe.address, player.wallet);
		assert.equal(player.siwe.domain, `127.0.0.1:${product.base}`);
		const ok = await player.listen();
		assert.equal(ok.type, 'auth:ok');
		assert.equal(ok.balance, WELCOME);
		assert.equal(ok.seq, 1, 'the welcome credit is the first event');
		player.seq = ok.seq;
	});

	await t.test('reads the grid', async () => {
		const g = await grid(player);
		checkGrid(g);
		await until('prices on the socket', 5000, () => player.counts.price > 10 && player.counts.grid > 3);
		assert.deepEqual(player.newest['system:status'], { type: 'system:status', price_feed: 'healthy', betting: true });
		const { type: _, ...event } = player.newest.grid;
		assert.deepEqual(Object.keys(g).filter((k) => k !== 'constants' && k !== 'type').sort(), Object.keys(event).sort());
	});

	await t.test('bets on the middle cell and on a far cell', async () => {
		for (const [pick, stake] of [[(g, p) => middle(g, p, 1), 5 * USD], [(g) => far(g, 1), USD]]) {
			const g = await grid(player);
			const cell = pick(g, player.newest.price.p);
			const answer = await player.bet({ cell: cell.cell, stake });
			assert.equal(answer.status, 202, answer.text);
			const b = answer.body;
			assert.equal(answer.headers.get('location'), `/api/v1/bets/${b.bet_id}`);
			assert.match(b.bet_id, /^[0-9A-HJKMNP-TV-Z]{26}$/);
			assert.deepEqual([b.status, b.cell, b.stake], ['confirmed', cell.cell, stake]);
			assert.ok(b.rate >= 10100 && b.rate <= 200000);
			bets.push(b);
		}
		assert.equal(bets[1].balance, WELCOME - 6 * USD);
	});

	await t.test('sees bet:confirmed', async () => {
		for (const b of bets) {
			const e = await player.event((m) => m.type === 'bet:confirmed' && m.bet_id === b.bet_id, 3000);
			assert.deepEqual({ ...e, type: undefined, seq: undefined }, { type: undefined, seq: undefined, bet_id: b.bet_id,
				cell: b.cell, stake: b.stake, rate: b.rate, balance: b.balance, placed_at: b.placed_at });
		}
		const open = (await player.get('/me')).body;
		assert.deepEqual([open.open_bets, open.open_stake, open.seq], [2, 6 * USD, player.seq + 2]);
	});

	await t.test('sees bet:resolved within 2 s of the column\'s end', async () => {
		for (const b of bets) {
			const end = (Number(b.cell.split('_')[0]) + W) * 1000;
			b.event = await player.event((m) => m.type === 'bet:resolved' && m.bet_id === b.bet_id, end - Date.now() + 4000);
			b.late = Date.now() - end;
			assert.ok(b.late >= 0 && b.late < 2500, `${b.late} ms after the end`);
		}
	});

	await t.test('recomputes outcome and digest from the ticks', async () => {
		for (const b of bets) {
			const t0 = Number(b.cell.split('_')[0]);
			const column = (await player.get(`/columns/${t0}`)).body;
			const judged = judge(await ticksOf(player.api, t0), t0, column.prev_digest);
			assert.deepEqual([column.digest, column.path_low, column.path_high, column.ticks, column.anchor],
				[judged.digest, judged.low, judged.high, judged.n, judged.anchor]);
			assert.equal(column.status, judged.void ? 'void' : 'settled');
			const result = outcome(judged, b.cell);
			assert.deepEqual([b.event.outcome, b.event.payout], [result, payout(b, result)]);
			const shown = (await player.get(`/bets/${b.bet_id}`)).body;
			assert.deepEqual([shown.status, shown.payout, shown.evidence.digest], [result, payout(b, result), column.digest]);
			assert.ok(shown.resolved_at >= (t0 + W) * 1000);
			assert.deepEqual(shown.deciding_tick, result === 'won' ? judged.deciding(b.cell) : null);
			assert.deepEqual([shown.pricing.rate, shown.pricing.t <= b.placed_at], [b.rate, true]);
			assert.deepEqual((await player.get(`/columns/${t0}?path=1`)).body, { ...column, path: judged.path });
			const before = (await player.get(`/columns/${t0 - W}`)).body;
			assert.equal(column.prev_digest, before.digest, 'chained to the column before');
			const verify = await product.ctl('verify', String(t0));
			assert.equal(verify.code, 0, verify.stdout + verify.stderr);
		}
	});

	await t.test('the ledger adds up to the micro-dollar', async () => {
		const { entries, me } = await auditPlayer(player, WELCOME);
		const paid = bets.reduce((n, b) => n + b.event.payout, 0);
		assert.equal(me.balance, WELCOME - 6 * USD + paid);
		assert.equal(entries[0].ref_type, 'DEPOSIT');
		const seqs = player.events.filter((m) => m.seq && m.type !== 'auth:ok').map((m) => m.seq);
		assert.deepEqual(seqs, seqs.map((_, i) => player.seq + 1 + i), 'seq without a gap');
		assert.equal(me.seq, seqs.at(-1));
	});
	player.hang_up();
}

test('a session key plays a tap through', async (t) => playThrough(t, new Player(product)));
test('the wallet itself plays a tap through', async (t) => playThrough(t, new Player(product, { key: false })));

// Signed by the wallet: a session key's authority is gone with Redis, until the next login.
test('the same signed bet again, also after Redis was emptied', async () => {
	const player = new Player(product, { key: false });
	assert.equal((await player.login()).status, 201);
	const g = await grid(player);
	const bet = await player.signed({ cell: far(g, 2).cell });
	const first = await player.post(bet);
	assert.equal(first.status, 202, first.text);
	const again = await player.post(bet);
	assert.equal(again.status, 200, again.text);
	assert.equal(again.headers.get('idempotent-replayed'), 'true');
	assert.deepEqual(again.body, first.body);
	await product.redis('FLUSHALL');
	const later = await player.post(bet);
	assert.equal(later.status, 200, `after Redis was emptied: ${later.text}`);
	assert.deepEqual(later.body, first.body);
});

test('a flushed Redis costs nothing but a new login', async () => {
	const player = new Player(product);
	await until('the api to take logins', 10_000, async () => (await player.login()).status === 201);
	await until('a grid', 10_000, async () => (await player.get('/grid')).status === 200);
	const g = await grid(player);
	assert.equal((await until('a bet', 20_000, async () => {
		const a = await player.bet({ cell: far(await grid(player), 3).cell });
		return a.status === 202 && a;
	})).body.balance, WELCOME - USD);
	assert.ok(g);
});

test('the page and the socket through the front door', async () => {
	const page = await fetch(`${product.origin}/`);
	assert.equal(page.status, 200);
	assert.match(page.headers.get('content-type'), /text\/html/);
	const policy = page.headers.get('content-security-policy');
	assert.ok(policy.includes("script-src 'self'") && !policy.includes('unsafe'), policy);
	const parts = [...(await page.text()).matchAll(/(?:src|href)="\.\/([^"]+)"/g)].map((m) => m[1]);
	for (const kind of ['.js', '.css', '.svg'])
		assert.ok(parts.some((part) => part.endsWith(kind)), `the page names a ${kind}`);
	for (const part of parts)
		assert.equal((await fetch(`${product.origin}/${part}`)).status, 200, part);
	const health = await fetch(`${product.origin}/health`);
	assert.equal(health.status, 200);
	assert.deepEqual(Object.keys((await health.json()).checks).sort(), ['circuit_breaker', 'database', 'price_feed', 'redis']);
});

test('the book holds, all columns are recorded and chained', async () => {
	const api = new Player(product).api;
	const now = Math.floor(Date.now() / 1000 / W) * W;
	await until('the last column to be recorded', 5000, async () =>
		(await api.call('GET', `/api/v1/columns/${now - W}`)).body?.status !== 'open');
	const first = Number((await product.sql('SELECT min(t0) AS t0 FROM columns'))[0].t0);
	await auditColumns(api, first, now - W);
	await auditBook(product);
});

test('starts again within 15 s, with the same book, and leaves nothing behind', async () => {
	const before = await product.sql('SELECT count(*) AS n FROM transaction_ledger');
	await product.stop();
	assert.deepEqual(product.leftovers(), []);
	await product.up();
	assert.ok(product.readyAfterMs < 15_000, `ready after ${product.readyAfterMs} ms`);
	const rows = await product.sql('SELECT count(*) AS n FROM transaction_ledger');
	assert.ok(rows[0].n >= before[0].n);
	await auditBook(product);
	assert.deepEqual(product.complaints(), []);
});
