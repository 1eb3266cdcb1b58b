// One private instance of the whole product, started by scripts/run on ports and in a folder of its own, with the handles
// that a test needs to hurt it: signals to a part, a part held down, the venue replay's control, the book's SQL.
import { spawn, execFile } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const top = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../..');
const preset = process.env.E2E_PRESET || 'release';

export const WELCOME = 1_000_000_000;
const PATIENCE = 4;

export class Product {
	constructor(name, base) {
		Object.assign(this, { name, base, var: path.join(top, 'build/e2e', name), preset });
		this.origin = `http://127.0.0.1:${base}`;
		this.ws = `ws://127.0.0.1:${base}/ws`;
		this.said = '';
	}

	// Resolves once scripts/run says ready, on a hundred ports that nobody has (of E2E_PORTS, FIRST-LAST). extra: TAP_* and other variables of the run.
	static async start(name, extra = {}) {
		for (let tries = 1; ; tries++) {
			const [first, last] = (process.env.E2E_PORTS || '20000-31999').split('-').map(Number);
			const p = new Product(name, first + 100 * Math.floor(Math.random() * Math.floor((last + 1 - first) / 100)));
			rmSync(p.var, { recursive: true, force: true });
			mkdirSync(p.var, { recursive: true });
			try {
				await p.up(extra);
				return p;
			} catch (e) {
				if (tries === 20 || !/port \d+ is taken/.test(e.message))
					throw e;
			}
		}
	}

	get data() {
		return this.extra.TAP_DATA_DIR ?? path.join(this.var, 'data');
	}

	async up(extra = this.extra ?? {}) {
		this.extra = extra;
		const env = Object.fromEntries(Object.entries(process.env).filter(([k]) => !k.startsWith('TAP_')));
		Object.assign(env, { PORT_BASE: String(this.base), VAR: this.var, PRESET: preset, SKIP_BUILD: '1' }, extra);
		delete env.PORT;
		const began = Date.now();
		const child = spawn(path.join(top, 'scripts/run'), { cwd: top, env, stdio: ['ignore', 'pipe', 'pipe'] });
		this.child = child;
		this.exited = once(child, 'exit').then(([code, signal]) => { this.exit = { code, signal }; });
		child.stderr.on('data', (d) => { this.said = (this.said + d).slice(-200_000); });
		let out = '';
		const ready = new Promise((resolve) => child.stdout.on('data', (d) => {
			out += d;
			if (out.includes('\n'))
				resolve(true);
		}));
		const ok = await Promise.race([ready, this.exited.then(() => false), sleep(90_000, false, { ref: false })]);
		if (!ok) {
			const { said } = this;
			await this.stop();
			throw new Error(`the product did not become ready; it said:\n${said.slice(-6000)}`);
		}
		if (out !== `ready: ${this.origin}/\n`)
			throw new Error(`unexpected ready line: ${JSON.stringify(out)}`);
		this.readyAfterMs = Date.now() - began;
	}

	// Ctrl-C; checks that nothing of it is left behind.
	async stop() {
		if (!this.child || this.exit)
			return undefined;
		this.child.kill('SIGINT');
		const done = await Promise.race([this.exited.then(() => true), sleep(60_000, false, { ref: false })]);
		if (!done) {
			this.child.kill('SIGKILL');
			throw new Error('scripts/run did not stop within a minute');
		}
		this.child = undefined;
		const exit = this.exit;
		this.exit = undefined;
		return exit;
	}

	pid(part) {
		try {
			return Number(readFileSync(path.join(this.var, 'pids', part), 'utf8'));
		} catch {
			return 0;
		}
	}

	// The part's process once it is the program itself, not the moment's shell before it.
	async program(part, ms = 20_000) {
		const name = { redis: 'redis-server', replay: 'venue-replay', nginx: 'nginx' }[part] || `tap-trading-${part}`;
		return until(`${part} to run`, ms, () => {
			const pid = this.pid(part);
			try {
				return readFileSync(`/proc/${pid}/cmdline`, 'latin1').split('\0')[0].includes(name) && pid;
			} catch {
				return 0;
			}
		});
	}

	async kill(part, signal = 'SIGKILL') {
		const pid = await this.program(part);
		process.kill(pid, signal);
		return pid;
	}

	// Down until release(): the supervisor waits as long as the file is there.
	async hold(part) {
		writeFileSync(path.join(this.var, 'pids', `${part}.hold`), '');
		await this.kill(part);
	}

	release(part) {
		rmSync(path.join(this.var, 'pids', `${part}.hold`), { force: true });
	}

	// A line to venue-replay's control.
	async replay(line) {
		const socket = net.connect(path.join(this.var, 'replay.sock'));
		await once(socket, 'connect');
		socket.end(`${line}\n`);
		socket.resume();
		await once(socket, 'close');
	}

	env() {
		const ops = Object.entries({ API: 90, WS: 91, INGEST: 92, RESOLVER: 93, ARCHIVER: 94 })
			.map(([name, at]) => [`TAP_${name}_OPS_LISTEN`, `127.0.0.1:${this.base + at}`]);
		return { PATH: process.env.PATH, TAP_DATA_DIR: this.data,
			TAP_REDIS: `unix:${path.join(this.var, 'redis/redis.sock')}`, ...Object.fromEntries(ops),
			...Object.fromEntries(Object.entries(this.extra ?? {}).filter(([k]) => k.startsWith('TAP_S3_'))) };
	}

	// Signed bets by fresh wallets at the api itself for some seconds, by the load generator; what was accepted is told line by
	// line in `file`. Gives its exit code. signal: an AbortSignal that kills it.
	async load(file, { rate, seconds, connections = 32, signal }) {
		const child = spawn(path.join(top, 'build', preset, 'bin/bench-load'), ['--api', `127.0.0.1:${this.base + 80}`, '--plan',
			`crowd:${rate}:${seconds}`, '--connections', String(connections), '--sign-threads', '1',
			'--told', file], { stdio: ['ignore', 'ignore', 'pipe'] });
		child.stderr.on('data', (d) => { this.said = (this.said + d).slice(-200_000); });
		const kill = () => child.kill('SIGKILL');
		signal?.addEventListener('abort', kill);
		const [code] = await once(child, 'exit');
		signal?.removeEventListener('abort', kill);
		return code;
	}

	async ctl(...args) {
		try {
			const { stdout, stderr } = await run(path.join(top, 'build', preset, 'bin/tap-trading-ctl'), args,
				{ env: this.env(), timeout: 60_000 });
			return { code: 0, stdout, stderr };
		} catch (e) {
			return { code: e.code, stdout: e.stdout, stderr: e.stderr };
		}
	}

	async redis(...args) {
		const { stdout } = await run('redis-cli', ['-s', path.join(this.var, 'redis/redis.sock'), ...args], { timeout: 5000 });
		return stdout.trim();
	}

	books() {
		return readdirSync(this.data).filter((f) => /^bets_\d{4}_w\d\d\.db$/.test(f)).sort()
			.map((f) => path.join(this.data, f));
	}

	// Rows of the newest week's book, through a connection that can only read.
	async sql(query) {
		const { stdout } = await run('sqlite3', ['-readonly', '-json', this.books().at(-1), query],
			{ timeout: 60_000, maxBuffer: 1 << 29 });
		return stdout.trim() ? JSON.parse(stdout) : [];
	}

	// No sanitizer's report and no failed CHECK in any log.
	complaints() {
		const found = [];
		for (const f of readdirSync(path.join(this.var, 'log')))
			for (const line of readFileSync(path.join(this.var, 'log', f), 'utf8').split('\n'))
				if (/AddressSanitizer|LeakSanitizer|runtime error:|ThreadSanitizer|CHECK failed|check failed/.test(line))
					found.push(`${f}: ${line}`);
		return found;
	}

	leftovers() {
		const found = [];
		for (const pid of readdirSync('/proc').filter((f) => /^\d+$/.test(f))) {
			try {
				const env = readFileSync(`/proc/${pid}/environ`, 'latin1');
				if (Number(pid) !== process.pid && env.includes(`\0VAR=${this.var}\0`))
					found.push(readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' '));
			} catch {
				// gone meanwhile
			}
		}
		return found;
	}

	hasState() {
		return existsSync(this.data);
	}
}

// Asks fn until it answers something true, at most ms of a quiet machine, whatever the wall clock does meanwhile. A test tells what comes;
// how soon is for the benches.
export async function until(what, ms, fn, every = 50) {
	const limit = ms * PATIENCE, end = performance.now() + limit;
	for (;;) {
		const v = await fn();
		if (v)
			return v;
		if (performance.now() > end)
			throw new Error(`waited ${limit} ms in vain for ${what}`);
		await sleep(every);
	}
}
