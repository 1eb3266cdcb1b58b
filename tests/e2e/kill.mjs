// kill -9 of each daemon in turn while players bet: the invariants hold, and every bet is decided once.
import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Bettor, columnOf } from './lib/bettor.mjs';
import { Product, WELCOME, until } from './lib/product.mjs';
import { W, auditBook, auditColumns } from './lib/judge.mjs';

let product, players, started;

before(async () => {
	product = await Product.start('kill');
	players = [new Bettor(product), new Bettor(product, { key: false })];
	for (const p of players) {
		assert.equal((await p.login()).status, 201);
		p.start(200);
	}
	started = columnOf(Date.now()) + W;
	await until('first bets', 15_000, () => players.every((p) => p.told.length > 2));
});

after(async () => {
	await Promise.all((players ?? []).map((p) => p.finish()));
	await product?.stop();
});

for (const part of ['api', 'ws', 'ingest', 'resolver', 'archiver', 'nginx']) {
	test(`kill -9 ${part}`, async () => {
		const before = players.map((p) => p.told.length);
		const pid = await product.kill(part);
		await until(`${part} to be back`, 20_000, async () => (await product.program(part)) !== pid);
		if (part === 'nginx') { // its workers must not keep the port from the one that follows
			const next = await product.program(part);
			await sleep(4000);
			assert.equal(product.pid(part), next, 'it stays');
		}
		await until('bets again', 30_000, () => players.every((p, i) => p.told.length > before[i] + 2));
		const listener = new Bettor(product);
		assert.equal((await listener.login()).status, 201);
		assert.equal((await listener.listen()).type, 'auth:ok');
		await until('prices', 10_000, () => listener.counts.price > 3);
		listener.hang_up();
	});
}

test('resolver and api killed again and again at random moments', async () => {
	for (let i = 0; i < 6; i++) {
		await product.kill(i % 2 ? 'api' : 'resolver');
		await sleep(700 + Math.random() * 1500);
	}
	const before = players.map((p) => p.told.length);
	await until('bets again', 40_000, () => players.every((p, i) => p.told.length > before[i] + 2));
});

test('what was told stands, all is decided once, the book holds', async () => {
	for (const p of players)
		await p.finish();
	for (const p of players) {
		const { bets, outcomes } = await p.reckon(WELCOME);
		assert.ok(bets.length > 20, `${bets.length} bets`);
		assert.ok(outcomes.lost > 0 || outcomes.won > 0, JSON.stringify(outcomes));
	}
	await auditColumns(players[0].api, started, columnOf(Date.now()) - 2 * W);
	await auditBook(product);
	assert.deepEqual(product.complaints(), []);
});
