// kill -9 of each daemon in turn while players bet, then of api and resolver again and again under a crowd's load: the invariants
// hold, what was told stands, and every bet is decided once. TAP_KILLS: how often; TAP_SEED repeats a choice of victims and moments.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import test, { after, before } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Bettor, columnOf } from './lib/bettor.mjs';
import { Dice } from './lib/dice.mjs';
import { Product, WELCOME, until } from './lib/product.mjs';
import { W, auditBook, auditColumns, auditTold } from './lib/judge.mjs';

const KILLS = Number(process.env.TAP_KILLS || 10), RATE = 150;
const SEED = Number(process.env.TAP_SEED || Date.now() % 1e9);
const MOST = '1000000000000000';
const dice = new Dice(SEED);
let product, players, started;

const toldFile = () => path.join(product.var, 'told');
// The last line may be cut off.
const told = () => (existsSync(toldFile()) ? readFileSync(toldFile(), 'utf8').split('\n').slice(0, -1).map((l) => JSON.parse(l)) : []);

before(async () => {
	product = await Product.start('kill', { RESTART_S: '0.1', TAP_CAP_CELL: MOST, TAP_CAP_COLUMN: MOST, TAP_CAP_OPEN: MOST });
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

test(`resolver and api killed ${KILLS} times under load`, async (t) => {
	let loading = true, runs = 0, cut = 0;
	t.diagnostic(`TAP_SEED=${SEED}`);
	const load = (async () => {
		while (loading) {
			cut += await product.load(toldFile(), { rate: RATE, seconds: 6 }) === 0 ? 0 : 1;
			runs++;
		}
	})();
	await until('the load', 60_000, () => told().length > RATE);
	const killed = { api: 0, resolver: 0 };
	for (let i = 0; i < KILLS; i++) {
		const parts = [['api'], ['resolver'], ['api', 'resolver']][dice.whole(0, 2)];
		for (const part of parts) {
			await product.kill(part);
			killed[part]++;
		}
		await sleep(dice.between(100, 2500));
	}
	loading = false;
	await load;
	const before = players.map((p) => p.told.length);
	await until('bets again', 40_000, () => players.every((p, i) => p.told.length > before[i] + 2));
	t.diagnostic(`api killed ${killed.api} times, resolver ${killed.resolver}; ${told().length} bets told in ${runs} runs, ${cut} of them cut`);
	assert.ok(told().length > RATE * KILLS / 20, `${told().length} bets told`);
});

test('what was told stands, all is decided once, the book holds', async () => {
	for (const p of players)
		await p.finish();
	for (const p of players) {
		const { bets, outcomes } = await p.reckon(WELCOME);
		assert.ok(bets.length > 20, `${bets.length} bets`);
		assert.ok(outcomes.lost > 0 || outcomes.won > 0, JSON.stringify(outcomes));
	}
	await until('the crowd\'s bets to be decided', 120_000,
		async () => (await product.sql('SELECT count(*) AS n FROM bets WHERE status = 1'))[0].n === 0, 1000);
	const bets = await auditTold(product, told());
	assert.ok(bets >= told().length);
	await auditColumns(players[0].api, started, columnOf(Date.now()) - 2 * W);
	await auditBook(product);
	assert.deepEqual(product.complaints(), []);
});
