// soak: so many bets a second and so many players for as long as asked, and whether anything grows or slows meanwhile: memory, descriptors
// and threads of each daemon, latency of bets, age of prices, disk for a bet. JSON on stdout, progress and a table on stderr. A slope's
// interval is from block means (bench/slopes.mjs says how sure it is); it holds when zero is inside. The exit is 1 when one does not.
//
// Memory is told twice. The heap is what a daemon allocated and did not free, by its own /metrics: a leak shows there. SQLite's part of
// it (pages: what the last seconds' bets touched of a growing book, 32 MB a connection at most) is told apart. Private memory (RssAnon) holds the allocator's holes too, of as many arenas as threads met in it, and is what the machine must have. Pages of mapped
// files are the kernel's to take back, and not counted.
//
//   SOAK_SECONDS=120   how long (3600: the promise; from 1200 on it says something)
//   SOAK_WARM=240      seconds that are left out at the beginning, at most a third: the nonces of the last 190 s fill their two tables,
//                      SQLite's caches and the allocator's holes reach what the load needs
//   SOAK_RATE=1000     bets a second; SOAK_PLAYERS=2000 on the WebSocket
//   E2E_PORTS, E2E_PRESET as the end-to-end tests
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, readdirSync, statSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { Product } from '../tests/e2e/lib/product.mjs';
import { SURE, slope } from './slopes.mjs';

const SECONDS = Number(process.env.SOAK_SECONDS || 120), RATE = Number(process.env.SOAK_RATE || 1000);
const PLAYERS = Number(process.env.SOAK_PLAYERS || 2000);
const PIECE_S = 20, AHEAD_S = 18, EVERY_MS = 2000, METRICS_MS = 5000;
const WARM = Math.min(Number(process.env.SOAK_WARM || 240), SECONDS / 3);
const PARTS = ['api', 'ws', 'ingest', 'resolver', 'archiver'];
const MOST = '1000000000000000';
const BY_THE_GAME = ['invalid_cell', 'limit_reached']; // the price left the row; the player has enough open
const say = (text) => process.stderr.write(`soak: ${text}\n`);
const product = await Product.start('soak', { TAP_CAP_CELL: MOST, TAP_CAP_COLUMN: MOST, TAP_CAP_OPEN: MOST });
const bin = (name) => path.join('build', product.preset, 'bin', name);
const began = performance.now(), t = () => (performance.now() - began) / 1000;
const series = new Map(), told = { accepted: 0, refused_409: 0, refused_429: 0, refused_503: 0, errors: 0 };
const answers = {}, wrong = {};
function fault(what, n = 1) {
	told.errors += n;
	wrong[what] = (wrong[what] ?? 0) + n;
	say(`at ${Math.round(t())} s: ${n} x ${what}`);
}
const put = (name, unit, value, at = t()) => {
	if (!series.has(name))
		series.set(name, { unit, values: [] });
	series.get(name).values.push([at, value]);
};

const size = (dir) => readdirSync(dir, { withFileTypes: true }).reduce((n, f) => n + (f.isDirectory() ? size(path.join(dir, f.name))
	: (statSync(path.join(dir, f.name), { throwIfNoEntry: false })?.size ?? 0)), 0);

async function heap(part, i) {
	const answer = await fetch(`http://127.0.0.1:${product.base + 90 + i}/metrics`, { signal: AbortSignal.timeout(METRICS_MS) });
	const text = await answer.text(), kb = (name) => Number(new RegExp(`^${name} (\\S+)`, 'm').exec(text)?.[1] ?? 0) / 1024;
	const pages = kb('tap_store_memory_bytes');
	put(`${part} heap`, 'KB', kb('tap_process_heap_bytes') - pages);
	if (pages > 0)
		put(`${part} pages`, 'KB', pages);
}

async function look() {
	for (const [i, part] of PARTS.entries()) {
		const pid = product.pid(part);
		try {
			const status = readFileSync(`/proc/${pid}/status`, 'utf8');
			put(`${part} memory`, 'KB', Number(/^RssAnon:\s+(\d+)/m.exec(status)[1]));
			put(`${part} threads`, 'threads', Number(/^Threads:\s+(\d+)/m.exec(status)[1]));
			put(`${part} descriptors`, 'descriptors', readdirSync(`/proc/${pid}/fd`).length);
			await heap(part, i);
		} catch (e) {
			fault(`${part} could not be looked at: ${e.message}`);
		}
	}
}

// What books, their logs and indexes take for each bet of this piece. Checkpoints move the log's bytes now and then: hence over long pieces.
let before;
async function lookAtDisk() {
	const now = { bytes: size(product.data), bets: told.accepted, at: t() };
	if (before && now.bets > before.bets)
		put('disk for a bet', 'bytes', (now.bytes - before.bytes) / (now.bets - before.bets), (now.at + before.at) / 2);
	before = now;
	const info = await product.redis('INFO', 'memory');
	put('redis memory', 'KB', Number(/used_memory:(\d+)/.exec(info)[1]) / 1024);
}

// One piece of the load, signed ahead while the one before still runs.
async function piece(start) {
	const at = performance.timeOrigin + began + start * 1000;
	const child = spawn(bin('bench-load'), ['--api', `127.0.0.1:${product.base + 80}`, '--connections', '256', '--plan', `soak:${RATE}:${PIECE_S}`,
		'--start-at', String(Math.round(at))], { stdio: ['ignore', 'pipe', 'inherit'] });
	let out = '';
	child.stdout.on('data', (d) => { out += d; });
	const [code] = await once(child, 'exit');
	if (code !== 0)
		throw new Error('bench-load failed');
	const { parts: [part] } = JSON.parse(out);
	for (const [code, n] of Object.entries(part.answers))
		answers[code] = (answers[code] ?? 0) + n;
	const game = BY_THE_GAME.reduce((n, code) => n + (part.answers[code] ?? 0), 0);
	for (const key of ['accepted', 'refused_409', 'refused_429', 'refused_503'])
		told[key] += part[key];
	told.refused_409 += game;
	if (part.errors > game)
		fault(`errors in a piece, among its answers ${JSON.stringify(part.answers)}`, part.errors - game);
	for (const q of ['p50', 'p99'])
		put(`bet ${q}`, 'us', part[`${q}_us`], start + PIECE_S / 2);
}

async function load() {
	const running = [];
	for (let start = AHEAD_S; start < SECONDS; start += PIECE_S) {
		await sleep(Math.max(0, (start - AHEAD_S - t()) * 1000));
		running.push(piece(start));
		await running.at(-3); // two at most: one that is played, one that is signed
	}
	await Promise.all(running);
}

async function crowd() {
	const child = spawn(bin('bench-ws'), ['--ws', `127.0.0.1:${product.base + 81}`, '--api', `127.0.0.1:${product.base + 80}`, '--pid-file',
		path.join(product.var, 'pids/ws'), '--connections', String(PLAYERS), '--stalled', '0', '--rubbish', '0', '--payments', '0',
		'--hold', String(SECONDS)], { stdio: ['ignore', 'pipe', 'inherit'] });
	for await (const line of createInterface({ input: child.stdout })) {
		const seen = JSON.parse(line);
		if (seen.age_p99_ms === undefined)
			continue;
		put('price age p50', 'ms', seen.age_p50_ms);
		put('price age p99', 'ms', seen.age_p99_ms);
		put('players', 'connections', seen.up);
		for (const [what, n] of [['player\'s connection lost', seen.lost], ['frame that is none', seen.wrong]])
			if (n > 0)
				fault(what, n);
	}
}

function judge() {
	return [...series].map(([name, { unit, values }]) => {
		const s = slope(values.filter(([at]) => at >= WARM && at <= SECONDS));
		return { figure: name, unit, samples: values.length, ...s, holds: s ? s.low <= 0 && s.high >= 0 : null };
	});
}

say(`${RATE} bets a second and ${PLAYERS} players for ${SECONDS} s; what is judged begins after ${Math.round(WARM)} s`);
let sampling = true;
const sampler = (async () => {
	for (let n = 0; sampling; n++) {
		await look();
		if (n % 10 === 0)
			await lookAtDisk();
		await sleep(EVERY_MS);
	}
})();
await Promise.all([load(), crowd()]);
sampling = false;
await sampler;
const figures = judge();
await product.stop();
// Redis keeps seven days of ticks and a day of sessions, a cache more pages of a larger book: until their bound they grow by what they are
// asked to keep, and are told, not judged.
const judged = figures.filter((f) => f.figure !== 'redis memory' && !f.figure.endsWith(' pages'));
const holds = judged.every((f) => f.holds !== false) && told.errors === 0;
process.stderr.write(`${'figure'.padEnd(24)}${'mean'.padStart(12)} ${'unit'.padEnd(12)}${`slope an hour, with its interval of ${SURE} %`.padEnd(46)}zero inside\n`);
for (const f of figures)
	process.stderr.write(`${f.figure.padEnd(24)}${(f.mean ?? NaN).toFixed(1).padStart(12)} ${f.unit.padEnd(12)}` +
		`${`${f.slope?.toFixed(1)} [${f.low?.toFixed(1)}, ${f.high?.toFixed(1)}]`.padEnd(46)}${f.holds === null ? 'too few' : f.holds ? 'yes' : 'NO'}\n`);
say(`${told.accepted} bets taken, ${told.refused_409} refused by the game, ${told.refused_429 + told.refused_503} by overload, ${told.errors} errors; answers: ` +
	Object.entries(answers).sort((a, b) => b[1] - a[1]).map(([code, n]) => `${code} ${n}`).join(', '));
for (const [what, n] of Object.entries(wrong))
	say(`${n} x ${what}`);
console.log(JSON.stringify({ soak: { seconds: SECONDS, warm: WARM, sure: SURE, rate: RATE, players: PLAYERS, holds, told, answers, wrong, figures },
	machine: { cpus: os.cpus().length, model: os.cpus()[0].model, kernel: os.release(), load: os.loadavg() } }));
process.exit(holds ? 0 : 1);
