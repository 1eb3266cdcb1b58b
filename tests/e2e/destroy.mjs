// The machine is lost at a random moment under load: every process killed, the data folder gone. From an empty folder, settings and
// credentials alone, `backup restore` brings books back that hold every bet which was acknowledged more than 2 s before, once, whole by
// every audit; and the product goes on with them, and ships on. TAP_DESTROYS: how often; TAP_DESTROY_RATE: bets a second; TAP_SEED
// repeats the moments; TAP_DESTROY_GRACE_MS for a machine that is too slow for its load. The whole of it, half a minute each:
// E2E_PRESET=release TAP_DESTROYS=50 TAP_DESTROY_RATE=1000 node tests/e2e/destroy.mjs
import assert from 'node:assert/strict';
import { closeSync, existsSync, mkdirSync, openSync, readSync, renameSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test, { after, before } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startS3 } from '../support/s3-server.mjs';
import { Product, until } from './lib/product.mjs';
import { auditBook } from './lib/judge.mjs';

const DESTROYS = Number(process.env.TAP_DESTROYS || 2), RATE = Number(process.env.TAP_DESTROY_RATE || 100);
const SEED = Number(process.env.TAP_SEED || Date.now() % 1e9), GRACE_MS = Number(process.env.TAP_DESTROY_GRACE_MS || 2000);
const MOST = '1000000000000000';
const PARTS = ['archiver', 'api', 'resolver', 'ingest', 'ws', 'redis', 'replay', 'nginx'];
let product, s3, state = SEED, dead = 0;

// mulberry32
function dice() {
	state = (state + 0x6d2b79f5) | 0;
	let t = Math.imul(state ^ (state >>> 15), 1 | state);
	t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
	return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
}

const toldFile = () => path.join(product.var, 'told');

// Bets that players were told of, by id: what was added to the file since the last look. Its last line may be cut off.
const seen = new Map();
let read = 0;
function look() {
	if (!existsSync(toldFile()))
		return;
	const bytes = Buffer.alloc(statSync(toldFile()).size - read), fd = openSync(toldFile(), 'r');
	readSync(fd, bytes, 0, bytes.length, read);
	closeSync(fd);
	const whole = bytes.subarray(0, bytes.lastIndexOf(10) + 1);
	read += whole.length;
	for (const line of whole.toString().split('\n').slice(0, -1)) {
		const bet = JSON.parse(line);
		seen.set(bet.bet_id, bet);
	}
}

async function metric(name) {
	const text = await (await fetch(`http://127.0.0.1:${product.base + 94}/metrics`)).text();
	const line = text.split('\n').find((l) => l.startsWith(`${name} `));
	return line === undefined ? undefined : Number(line.split(' ')[1]);
}

const shipped = () => until('shipping to be level', 60_000, async () => {
	const lag = await metric('tap_shipping_lag_seconds').catch(() => undefined);
	return lag !== undefined && lag < 2;
});

before(async () => {
	const dir = path.resolve('build/e2e/destroy-s3');
	rmSync(dir, { recursive: true, force: true });
	mkdirSync(dir, { recursive: true });
	s3 = await startS3(path.join(dir, 'cluster'));
	const credentials = path.join(dir, 'credentials');
	writeFileSync(credentials, `${s3.access}:${s3.secret}\n`, { mode: 0o600 });
	product = await Product.start('destroy', { RESTART_S: '0.1', TAP_CAP_CELL: MOST, TAP_CAP_COLUMN: MOST, TAP_CAP_OPEN: MOST,
		TAP_S3_ENDPOINT: s3.endpoint, TAP_S3_BUCKET: s3.bucket, TAP_S3_CREDENTIALS_FILE: credentials });
	await shipped();
});

after(async () => {
	await product?.stop();
	await s3?.stop();
});

// All at once, as when the machine goes: nobody flushes anything. Each part is a process group: nginx' workers go with it.
function destroy() {
	process.kill(product.child.pid, 'SIGSTOP');
	for (const part of PARTS) {
		const pid = product.pid(part);
		if (pid)
			process.kill(-pid, 'SIGKILL');
	}
	process.kill(product.child.pid, 'SIGKILL');
}

for (let n = 1; n <= DESTROYS; n++) {
	test(`destruction ${n} of ${DESTROYS}`, async (t) => {
		t.diagnostic(`TAP_SEED=${SEED}`);
		const before = seen.size;
		const players = new AbortController();
		const load = product.load(toldFile(), { rate: RATE, seconds: 60, signal: players.signal });
		await until('bets', 60_000, () => {
			look();
			return seen.size > before + RATE;
		});
		await sleep(3000 + dice() * 6000);
		const at = Date.now();
		destroy();
		await product.exited;
		players.abort();
		await load;
		product.child = product.exit = undefined;
		look();
		truncateSync(toldFile(), read);
		await until('all to be gone', 10_000, () => product.leftovers().length === 0);

		// the disk is gone; it is kept aside only to say how much was lost
		const lost = path.join(product.var, `lost-${++dead}`);
		renameSync(product.data, lost);
		rmSync(path.join(product.var, 'redis'), { recursive: true, force: true });
		const restored = await product.ctl('backup', 'restore', '--json');
		assert.equal(restored.code, 0, `${restored.stdout}${restored.stderr}`);
		const said = JSON.parse(restored.stdout);
		assert.equal(said.balanced, true);
		const again = await product.ctl('backup', 'restore');
		assert.equal(again.code, 73, 'never over books that are there');

		const rows = await product.sql(`SELECT ref_id AS id, balance_after AS balance FROM transaction_ledger WHERE ref_type = 'BET'`);
		const book = new Map(rows.map((r) => [r.id, r.balance]));
		assert.equal(book.size, rows.length, 'a bet twice');
		const told = seen.size;
		let missing = 0, youngest = 0;
		for (const b of seen.values()) {
			if (book.has(b.bet_id)) {
				assert.equal(book.get(b.bet_id), b.balance, JSON.stringify(b));
				continue;
			}
			missing++;
			seen.delete(b.bet_id);
			youngest = Math.max(youngest, at - b.placed_at);
			assert.ok(at - b.placed_at <= GRACE_MS, `acknowledged ${at - b.placed_at} ms before, and lost: ${JSON.stringify(b)}`);
		}
		await auditBook(product);
		t.diagnostic(`${told} bets told, ${told - before} of this life, ${missing} of the last ${youngest} ms lost; ${said.segments} segments in ` +
			`${said.fetch_ms + said.replay_ms + said.audit_ms} ms, ${said.book_bytes} bytes of book; restored until ${at - said.restored_until} ms before`);
		rmSync(lost, { recursive: true });
		await product.up();
		await shipped();
	});
}

test('the restored books are drilled, and hold', async () => {
	const drill = await product.ctl('backup', 'drill', '--json');
	assert.equal(drill.code, 0, `${drill.stdout}${drill.stderr}`);
	const said = JSON.parse(drill.stdout);
	assert.ok(said.rpo_ms < 60_000 && said.bets > 0, drill.stdout);
	await auditBook(product);
	assert.deepEqual(product.complaints(), []);
});
