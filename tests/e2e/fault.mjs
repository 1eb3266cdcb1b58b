// Redis gone for 20 s, the feed silent for 15 s: the answers that were promised, and a recovery without anyone's help.
import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Bettor, columnOf } from './lib/bettor.mjs';
import { Product, WELCOME, until } from './lib/product.mjs';
import { W, auditBook } from './lib/judge.mjs';
import { USD } from './lib/player.mjs';

let product, player, calm;

before(async () => {
	product = await Product.start('fault');
	player = new Bettor(product);
	assert.equal((await player.login()).status, 201);
	await player.listen();
	player.start(300);
	await until('first bets', 15_000, () => player.told.length > 3);
});

after(async () => {
	await player?.finish();
	await product?.stop();
});

const health = async () => (await player.api.call('GET', '/health'));
const answersOf = async () => {
	const g = player.newest.grid;
	const now = columnOf(Date.now());
	const low = g.rows.low + 12 * g.rows.height;
	return player.bet({ cell: `${now + 5 * W}_${low}_${low + g.rows.height}`, stake: USD });
};

test('Redis down for 20 s', async (t) => {
	const socket = player.socket;
	await product.hold('redis');
	const down = Date.now();

	await t.test('bets are refused with 503, nothing crashes, settlement goes on', async () => {
		await sleep(1500);
		const answer = await answersOf();
		assert.equal(answer.status, 503, answer.text);
		assert.ok(['unavailable', 'price_feed_stale'].includes(answer.body.code), answer.text);
		const h = await health();
		assert.notEqual(h.body.checks.redis.status, 'healthy', h.text);
		assert.equal(h.body.checks.database.status, 'healthy', h.text);
		const asked = await player.get('/me');
		assert.equal(asked.status, 503, asked.text);
		await sleep(Math.max(0, 20_000 - (Date.now() - down)));
		const open = await product.sql('SELECT count(*) AS n FROM users WHERE balance < 0');
		assert.equal(open[0].n, 0);
	});

	await t.test('all recovers by itself', async () => {
		product.release('redis');
		await product.program('redis');
		const before = player.counts.price;
		await until('prices on the very same socket', 15_000, () => player.counts.price > before + 5);
		assert.equal(player.socket, socket);
		assert.equal(player.closed, undefined, 'the players stayed connected');
		await player.signInAgain();
		const told = player.told.length;
		await until('bets again', 60_000, () => player.told.length > told + 2);
		await until('healthy again', 60_000, async () => (await health()).body?.status === 'healthy', 500);
	});
});

test('the feed silent for 15 s', async (t) => {
	await player.finish();
	// One who has not bet yet: near columns have few open cells, and one bet for each is all.
	calm = new Bettor(product);
	assert.equal((await calm.login()).status, 201);
	const cells = [];
	await t.test('bets before it', async () => {
		for (let i = 0; i < 3; i++) {
			const { answer } = await calm.place(i);
			assert.equal(answer.status, 202, answer.text);
			calm.told.push(answer.body);
			cells.push(answer.body);
		}
	});
	const { bet: signed, answer: first } = await calm.place(8);
	assert.equal(first.status, 202, first.text);
	calm.told.push(first.body);
	await product.replay('stall all 15s');
	const from = Date.now();

	await t.test('degraded after 3 s, critical after 10 s, players are told, bets are refused', async () => {
		await until('degraded', 6000, () => player.newest['system:status'].price_feed === 'degraded');
		assert.equal(player.newest['system:status'].betting, true);
		await until('critical', 10_000, () => player.newest['system:status'].price_feed === 'critical');
		assert.ok(Date.now() - from > 8000);
		assert.equal(player.newest['system:status'].betting, false);
		const answer = await answersOf();
		assert.deepEqual([answer.status, answer.body.code, answer.headers.get('retry-after')], [503, 'price_feed_stale', '10']);
		const again = await calm.post(signed);
		assert.deepEqual([again.status, again.body], [200, first.body], 'a replay has its first answer, feed or not');
		const h = await health();
		assert.equal(h.body.checks.price_feed.status, 'critical', h.text);
	});

	await t.test('heals after 30 s without a gap', async () => {
		await until('healthy', 60_000, () => player.newest['system:status'].price_feed === 'healthy', 200);
		const healed = Date.now() - from;
		assert.ok(healed >= 44_000, `healthy ${healed} ms after the stall began`);
		assert.equal((await health()).status, 200);
		const answer = await calm.bet({ cell: calm.fresh((await calm.get('/grid')).body, 2).cell });
		assert.equal(answer.status, 202, answer.text);
		calm.told.push(answer.body);
	});

	await t.test('columns that lacked their ticks are void, their stakes came back', async () => {
		const statuses = new Set();
		for (const b of cells) {
			const shown = await until('a decision', 30_000, async () => {
				const { body } = await calm.get(`/bets/${b.bet_id}`);
				return body?.status !== 'confirmed' && body;
			});
			statuses.add(shown.status);
			if (shown.evidence.status === 'void')
				assert.deepEqual([shown.status, shown.payout], ['void', b.stake]);
		}
		assert.ok(statuses.has('void'), [...statuses].join());
	});
});

test('what was told stands, all is decided once, the book holds', async () => {
	for (const [p, least] of [[player, 6], [calm, 5]]) {
		const { bets } = await p.reckon(WELCOME, { recompute: false });
		assert.ok(bets.length >= least, `${bets.length} bets`);
	}
	await auditBook(product);
	assert.deepEqual(product.complaints(), []);
});
