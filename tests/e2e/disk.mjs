// The disk under the books is full, for real: a small filesystem made here, and a ballast in it. Writes are refused with 503, reads
// go on, room given back heals it without a restart, nothing that was told is lost. Mounts a tmpfs: needs root.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { after, before } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Bettor } from './lib/bettor.mjs';
import { Product, WELCOME, until } from './lib/product.mjs';
import { auditBook } from './lib/judge.mjs';
import { cells } from './lib/player.mjs';

const MB = 1 << 20, SIZE = 32 * MB;
let product, player, data;

before(async () => {
	data = mkdtempSync(path.join(tmpdir(), 'tap-disk-'));
	execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${SIZE},mode=0700`, 'tmpfs', data]);
	product = await Product.start('disk', { TAP_DATA_DIR: data });
	player = new Bettor(product);
	assert.equal((await player.login()).status, 201);
	player.start(250);
	await until('first bets', 20_000, () => player.told.length > 3);
});

after(async () => {
	await player?.finish();
	await product?.stop();
	if (data) {
		execFileSync('umount', ['-l', data]);
		rmSync(data, { recursive: true });
	}
});

const ballast = () => path.join(data, 'ballast');

// All but `left` bytes of the filesystem are taken.
function fill(left) {
	rmSync(ballast(), { force: true });
	const { bsize, bavail } = statfsSync(data);
	writeFileSync(ballast(), Buffer.alloc(Math.max(0, bavail * bsize - left)));
}

async function refusal() {
	const grid = await player.get('/grid');
	assert.equal(grid.status, 200, grid.text);
	const { cell } = cells(grid.body).find((c) => c.i > 2 && c.rate > 0 && !player.tried.has(c.cell));
	player.tried.add(cell);
	return player.bet({ cell });
}

async function readsGoOn() {
	for (const what of ['/me', '/bets', '/ledger', '/grid']) {
		const answer = await player.get(what);
		assert.equal(answer.status, 200, `${what}: ${answer.text}`);
	}
}

const daemons = () => ['api', 'resolver', 'ws', 'ingest', 'archiver'].map((part) => product.pid(part));

for (const [how, left] of [['nearly full: 2 % are left', SIZE / 50], ['full to the last byte', 0]]) {
	test(how, async (t) => {
		const pids = daemons();
		await t.test('bets are refused with 503, reads go on', async () => {
			fill(left);
			const answer = await until('a refusal', 20_000, async () => {
				const a = await refusal();
				if (a.status === 202)
					player.told.push(a.body);
				return a.status === 503 && a;
			}, 200);
			assert.equal(answer.body.code, 'unavailable', answer.text);
			for (let i = 0; i < 10; i++) {
				await readsGoOn();
				assert.equal((await refusal()).status, 503);
				await sleep(500);
			}
			const health = await player.api.call('GET', '/health');
			assert.notEqual(health.body.checks.database.status, 'healthy', health.text);
			assert.equal((await player.api.call('POST', '/api/v1/auth/challenge', { body: { wallet: player.wallet } })).status, 200);
		});
		await t.test('room given back heals it, without a restart', async () => {
			rmSync(ballast());
			const told = player.told.length;
			await until('bets again', 30_000, () => player.told.length > told + 3);
			assert.deepEqual(daemons(), pids);
			await until('healthy again', 30_000,
				async () => (await player.api.call('GET', '/health')).body?.checks.database.status === 'healthy', 500);
		});
	});
}

test('what was told stands, all is decided once, the book holds', async () => {
	await player.finish();
	const { bets } = await player.reckon(WELCOME);
	assert.ok(bets.length > 10, `${bets.length} bets`);
	await auditBook(product);
	assert.deepEqual(product.complaints(), []);
});
