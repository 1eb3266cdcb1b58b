// The world of one round: a disk that can be full or hang, a network that can be cut with the venues and the object store behind it, a
// clock that can step, and the product in the middle, started by scripts/run as everywhere.
import { execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, statfsSync, writeFileSync, writeSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Product, until } from '../e2e/lib/product.mjs';

const top = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
export const work = path.join(top, 'build/torture');
const DISK_MB = 384, WEEK_MS = 7 * 86_400_000, MONDAY_MS = 4 * 86_400_000; // 1970 began on a Thursday
const REPLAY_AT = 98; // of the instance's hundred ports
const must = (program, ...args) => execFileSync(program, args, { stdio: ['ignore', 'pipe', 'pipe'], encoding: 'utf8' });
const may = (program, ...args) => {
	try {
		return must(program, ...args);
	} catch {
		return undefined;
	}
};

export class World extends Product {
	// A hundred ports that nobody has, as Product.start finds them. untilMonday_ms: how long after the start the week ends.
	static async make(dice, untilMonday_ms) {
		for (let tries = 1; ; tries++) {
			const [first, last] = (process.env.E2E_PORTS || '20000-31999').split('-').map(Number);
			const base = first + 100 * dice.whole(0, Math.floor((last + 1 - first) / 100) - 1);
			const world = new World('torture', base);
			World.open = world;
			try {
				await world.begin(untilMonday_ms);
				return world;
			} catch (e) {
				await world.end();
				if (tries === 5 || !/port \d+ is taken|did not come up/.test(e.message))
					throw e;
			}
		}
	}

	async begin(untilMonday_ms) {
		this.dir = path.join(work, 'round');
		this.var = path.join(this.dir, 'var');
		this.net = `tort-${process.pid}`;
		may('umount', '-l', path.join(this.dir, 'disk')); // of a run that was killed
		rmSync(this.dir, { recursive: true, force: true });
		mkdirSync(this.var, { recursive: true });
		this.beginClock(untilMonday_ms);
		this.beginDisk();
		this.beginNet();
		this.s3 = await this.beginStore();
		await this.beginVenues();
		const credentials = path.join(this.dir, 'credentials');
		writeFileSync(credentials, `${this.s3.access}:${this.s3.secret}\n`, { mode: 0o600 });
		const venue = `ws://${this.there}:${this.base + REPLAY_AT}`;
		await this.up({ FEED: 'live', RESTART_S: '0.1', LD_PRELOAD: '', PRELOAD: process.env.LD_PRELOAD,
			TAP_DATA_DIR: path.join(this.disk, 'data'),
			TAP_COINBASE_URL: `${venue}/`, TAP_KRAKEN_URL: `${venue}/v2`, TAP_BITSTAMP_URL: `${venue}/bitstamp`,
			TAP_BINANCE_URL: `${venue}/stream?streams=btcusdt@trade/btcusdt@bookTicker`,
			TAP_S3_ENDPOINT: this.s3.endpoint, TAP_S3_BUCKET: this.s3.bucket, TAP_S3_CREDENTIALS_FILE: credentials });
	}

	// ---- the clock: this process' own, the product's and Redis' are the machine's; the venues and the store have the world's ----

	beginClock(untilMonday_ms) {
		this.setClock(process.env.CLOCK_FILE, 0);
		const now = Date.now();
		const monday = Math.ceil((now - MONDAY_MS) / WEEK_MS) * WEEK_MS + MONDAY_MS;
		this.base_ms = monday - untilMonday_ms - now;
		this.worldClock = path.join(this.dir, 'clock.world');
		writeFileSync(this.worldClock, Buffer.alloc(8));
		this.setClock(this.worldClock, this.base_ms);
		this.step(0);
	}

	setClock(file, ms) {
		const b = Buffer.alloc(8);
		b.writeBigInt64LE(BigInt(Math.round(ms)) * 1_000_000n);
		const fd = openSync(file, 'r+');
		writeSync(fd, b, 0, 8, 0);
		closeSync(fd);
	}

	// The machine's clock is so much off the world's from now on.
	step(ms) {
		this.off_ms = ms;
		this.setClock(process.env.CLOCK_FILE, this.base_ms + ms);
	}

	// ---- the disk ----

	beginDisk() {
		this.disk = path.join(this.dir, 'disk');
		const image = path.join(this.dir, 'image');
		mkdirSync(this.disk);
		must('truncate', '-s', `${DISK_MB}M`, image);
		this.canHang = may('mkfs.ext4', '-q', '-m', '0', image) !== undefined && may('mount', '-o', 'loop', image, this.disk) !== undefined;
		if (!this.canHang)
			must('mount', '-t', 'tmpfs', '-o', `size=${DISK_MB}M,mode=0700`, 'tmpfs', this.disk);
		mkdirSync(path.join(this.disk, 'data'), { mode: 0o700 });
	}

	fillDisk() {
		const { bsize, bavail } = statfsSync(this.disk);
		may('fallocate', '-l', String(bsize * bavail), path.join(this.disk, 'ballast'));
	}

	freeDisk() {
		rmSync(path.join(this.disk, 'ballast'), { force: true });
	}

	hangDisk(on) {
		may('fsfreeze', on ? '-f' : '-u', this.disk);
	}

	// ---- the other host ----

	// Without such networks (a kernel without veth) the others are neighbours, and no cable is cut.
	beginNet() {
		const n = process.pid % 60_000, prefix = `10.${190 + (n >> 14)}.${(n >> 6) & 255}`, at = (n & 63) * 4;
		this.there = `${prefix}.${at + 2}`;
		this.wire = `to${process.pid}`;
		try {
			must('ip', 'netns', 'add', this.net);
			must('ip', 'link', 'add', this.wire, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', this.net);
			must('ip', 'address', 'add', `${prefix}.${at + 1}/30`, 'dev', this.wire);
			must('ip', '-n', this.net, 'address', 'add', `${this.there}/30`, 'dev', 'eth0');
			for (const [ns, dev] of [[[], this.wire], [['-n', this.net], 'eth0'], [['-n', this.net], 'lo']])
				must('ip', ...ns, 'link', 'set', dev, 'up');
			this.canCut = true;
		} catch (e) {
			console.log(`torture: no network of its own here, so no cable is cut: ${e.message.split('\n').slice(0, 2).join(' ')}`);
			this.canCut = false;
			this.there = '127.0.0.1';
		}
	}

	cut(on) {
		may('ip', 'link', 'set', this.wire, on ? 'down' : 'up');
	}

	// A program of the other host, gone when this one is.
	spawnThere(program, args, env = {}) {
		const log = openSync(path.join(this.dir, `${path.basename(program)}.log`), 'a');
		const way = this.canCut ? ['ip', 'netns', 'exec', this.net] : [];
		const child = spawn('setpriv', ['--pdeathsig', 'TERM', ...way, program, ...args],
			{ stdio: ['ignore', 'pipe', log], env: { ...process.env, CLOCK_FILE: this.worldClock, ...env } });
		closeSync(log);
		(this.others ??= []).push(child);
		return child;
	}

	async beginStore() {
		const child = this.spawnThere('node', [path.join(top, 'tests/support/s3-server.mjs'), path.join(this.dir, 's3')],
			{ S3_ADDRESS: this.there });
		let out = '';
		child.stdout.on('data', (d) => { out += d; });
		await until('the object store', 180_000, () => {
			if (child.exitCode !== null)
				throw new Error(`the object store did not come up: ${readFileSync(path.join(this.dir, 'node.log'), 'utf8')}`);
			return out.includes('\n');
		});
		return JSON.parse(out);
	}

	async beginVenues() {
		const child = this.spawnThere(path.join(top, 'build', this.preset, 'bin/venue-replay'),
			['--listen', `${this.there}:${this.base + REPLAY_AT}`, '--control', path.join(this.var, 'replay.sock')]);
		child.stdout.resume();
		await until('the venues', 20_000, () => this.replay('status').then(() => true, () => false));
	}

	async storeFaults(rules) {
		await fetch(`${this.s3.endpoint}/-/faults`, { method: 'PUT', body: JSON.stringify(rules), signal: AbortSignal.timeout(3000) });
	}

	// All is well again, as far as it is in the world's hands.
	async calm() {
		this.hangDisk(false);
		this.freeDisk();
		this.cut(false);
		this.step(0);
		for (const part of ['redis', 'nginx', 'api', 'ws', 'ingest', 'resolver', 'archiver'])
			this.signalAll(part, 'SIGCONT');
		await until('the store\'s own calm', 30_000, () => this.storeFaults([]).then(() => true, () => false), 500);
		await until('the venues\' own calm', 30_000, () => this.replay('off').then(() => true, () => false), 500);
		await until('Redis\' own calm', 60_000,
			() => this.redis('CONFIG', 'SET', 'maxmemory', '512mb').then((said) => said === 'OK', () => false), 500);
	}

	// The part's whole process group, if there is one just now.
	signalAll(part, signal) {
		const pid = this.pid(part);
		try {
			if (pid > 1)
				process.kill(-pid, signal);
			return pid > 1;
		} catch {
			return false;
		}
	}

	async end() {
		World.open = undefined;
		this.hangDisk(false);
		this.cut(false);
		await this.stop().catch(() => {});
		for (const child of this.others ?? []) {
			if (child.exitCode === null && child.signalCode === null) {
				child.kill('SIGTERM');
				await Promise.race([once(child, 'exit'), new Promise((done) => { setTimeout(done, 20_000).unref(); })]);
				child.kill('SIGKILL');
			}
		}
		may('umount', '-l', this.disk);
		may('ip', 'link', 'del', this.wire);
		may('ip', 'netns', 'del', this.net);
		this.setClock(process.env.CLOCK_FILE, 0);
	}

	env() {
		return { ...super.env(), LD_PRELOAD: process.env.LD_PRELOAD, CLOCK_FILE: process.env.CLOCK_FILE,
			ASAN_OPTIONS: process.env.ASAN_OPTIONS };
	}

	// Rows of one week's book.
	async rows(book, query) {
		const { stdout } = await promisify(execFile)('sqlite3', ['-readonly', '-json', book, query], { timeout: 60_000, maxBuffer: 1 << 29 });
		return stdout.trim() ? JSON.parse(stdout) : [];
	}
}
