// report FILE: a run of scripts/bench becomes a line of bench/history.jsonl, is held against the runs that this machine made before, and
// becomes docs/performance.md with its picture. Nothing in that page is written by hand. A run that began on a busy machine is compared, but
// not kept: its load average was above half a processor for each. BENCH_KEEP=yes keeps it, no keeps none.
import { execFileSync } from 'node:child_process';
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const top = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const history = path.join(top, 'bench/history.jsonl'), page = path.join(top, 'docs/performance.md'), picture = path.join(top, 'docs/performance.svg');
const SLIP = 1.25, EARLIER = 5;

const median = (list) => [...list].sort((a, b) => a - b)[Math.floor((list.length - 1) / 2)];
const machineOf = ({ machine }) => `${machine.cpus} x ${machine.model || 'unnamed processor'}`;
// Figures carry what they were seen beside in brackets; without that, and with the numbers of this run taken out, it is the figure's name.
const nameOf = (l) => `${l.line}: ${l.figure.replace(/\s*\([^)]*[\d.][^)]*\)/g, '').replace(/, [\d.]+ s$/, '')}`;

export function brief(run, commit) {
	return { commit, at: new Date().toISOString().slice(0, 16), machine: machineOf(run), load: run.machine.load_average_before,
		lines: Object.fromEntries(run.lines.map((l) => [nameOf(l), l.seen])) };
}

// What is worse than the median of this machine's earlier runs, by more than a quarter.
export function slips(run, earlier) {
	const found = [];
	for (const l of run.lines) {
		const before = earlier.map((e) => e.lines[nameOf(l)]).filter((x) => typeof x === 'number').slice(-EARLIER);
		if (before.length === 0)
			continue;
		const was = median(before), lessIsBetter = l.bound.startsWith('<');
		const worse = lessIsBetter ? l.seen > was * SLIP : l.seen < was / SLIP;
		if (worse && Math.abs(l.seen - was) > 1e-9)
			found.push({ name: nameOf(l), was, is: l.seen });
	}
	return found;
}

// ---- the picture: latency against load, both logarithmic ----

export function sweepOf(run) {
	return (run.runs.sweep?.parts ?? []).filter((p) => p.rate > 0)
		.map((p) => ({ rate: p.rate, p50: p.p50_us / 1000, p99: p.p99_us / 1000, p99_9: p.p99_9_us / 1000, share: p.accepted / p.sent }));
}

export function draw(points) {
	const WIDTH = 720, HEIGHT = 400, LEFT = 60, RIGHT = 20, TOP = 24, BOTTOM = 48;
	const ys = points.flatMap((p) => [p.p50, p.p99, p.p99_9]).filter((y) => y > 0);
	const log = (v) => Math.log10(v), first = log(points[0].rate), last = log(points.at(-1).rate);
	const low = Math.floor(log(Math.min(...ys))), high = Math.max(low + 1, Math.ceil(log(Math.max(...ys))));
	const x = (rate) => LEFT + (log(rate) - first) / (last - first || 1) * (WIDTH - LEFT - RIGHT);
	const y = (ms) => HEIGHT - BOTTOM - (log(ms) - low) / (high - low) * (HEIGHT - TOP - BOTTOM);
	const out = [`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">`,
		`<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`];
	for (let d = low; d <= high; d++)
		out.push(`<path d="M${LEFT} ${y(10 ** d).toFixed(1)}H${WIDTH - RIGHT}" stroke="#ddd"/>` +
			`<text x="${LEFT - 8}" y="${(y(10 ** d) + 4).toFixed(1)}" text-anchor="end">${10 ** d}</text>`);
	for (const p of points)
		out.push(`<path d="M${x(p.rate).toFixed(1)} ${TOP}V${HEIGHT - BOTTOM}" stroke="#eee"/>` +
			`<text x="${x(p.rate).toFixed(1)}" y="${HEIGHT - BOTTOM + 16}" text-anchor="middle">${p.rate}</text>`);
	[['p50', '#2a7', 'p50'], ['p99', '#27c', 'p99'], ['p99_9', '#c33', 'p99.9']].forEach(([key, colour, name], i) => {
		const seen = points.filter((p) => p[key] > 0);
		out.push(`<polyline fill="none" stroke="${colour}" stroke-width="2" points="${seen.map((p) => `${x(p.rate).toFixed(1)},${y(p[key]).toFixed(1)}`).join(' ')}"/>`,
			...seen.map((p) => `<circle cx="${x(p.rate).toFixed(1)}" cy="${y(p[key]).toFixed(1)}" r="3" fill="${colour}"/>`),
			`<text x="${LEFT + 12 + 60 * i}" y="${TOP + 4}" fill="${colour}">${name}</text>`);
	});
	out.push(`<text x="${WIDTH / 2}" y="${HEIGHT - 10}" text-anchor="middle">bets offered a second</text>`,
		`<text transform="translate(14 ${HEIGHT / 2}) rotate(-90)" text-anchor="middle">ms until acknowledged</text>`, '</svg>');
	return `${out.join('\n')}\n`;
}

// ---- the page ----

const table = (head, rows) => [`| ${head.join(' | ')} |`, `| ${head.map(() => '---').join(' | ')} |`, ...rows.map((r) => `| ${r.join(' | ')} |`)].join('\n');
const round = (v) => (typeof v === 'number' ? String(Number(v.toPrecision(4))) : String(v));

function floorsOf(run) {
	const f = run.floors_cpu_us_per_bet;
	return f ? Object.entries(f).filter(([, v]) => typeof v === 'number').map(([k, v]) => [k.replaceAll('_', ' '), round(v)]) : [];
}

export function write(run, runs, commit) {
	const { machine } = run, points = sweepOf(run);
	const parts = [`# Performance`, `Made by \`make bench\` (bench/report.mjs) of commit ${commit} on ${runs.at(-1).at.slice(0, 10)}; no figure here is written by hand. What a figure is good for depends
on the machine: it is named, so is how busy it was, and what the parts cost alone on it (the floors) was measured in the same run.`,
	table(['machine', ''], [['processors', `${machineOf(run)}`], ['memory', `${machine.memory_mb} MB`], ['the books\' filesystem', machine.disk], ['kernel', machine.kernel],
		['load average before, after', `${machine.load_average_before}, ${machine.load_average_after}`]]),
	'## What must hold', table(['line', 'figure', 'seen', 'bound', 'holds'], run.lines.map((l) => [l.line, l.figure.replaceAll('|', '/'), round(l.seen), l.bound,
		l.holds ? 'yes' : '**no**']))];
	if (floorsOf(run).length > 0)
		parts.push('## The floors: CPU of a bet\'s parts alone, in us', table(['part', 'us'], floorsOf(run)),
			`The suite takes ${round(run.cpu_us_per_bet)} us for a bet: ${round(run.ratio_to_floors)} times their sum. Where it goes:`,
		table(['process', 'us'], Object.entries(run.runs.closed.cpu_us_per_bet).map(([name, us]) => [name.replaceAll('_', ' '), round(us)])));
	if (points.length > 1)
		parts.push('## Latency against load', '![latency against load](performance.svg)', table(['offered a second', 'p50 ms', 'p99 ms', 'p99.9 ms', 'taken'],
			points.map((p) => [p.rate, round(p.p50), round(p.p99), round(p.p99_9), `${(100 * p.share).toFixed(1)} %`])),
		'What is not taken is refused by the game (the price moved, the cell closed) or, beyond what the machine can do, by 503 with Retry-After.');
	parts.push('## This machine\'s runs', table(['commit', 'at', 'load before', ...['closed: accepted a second, 64 connections', 'open: p99 ms'].map((n) => n)],
		runs.slice(-10).map((r) => [r.commit, r.at, r.load, ...['closed: accepted a second, 64 connections', 'open: p99 ms'].map((n) => round(r.lines[n] ?? '-'))])));
	if (points.length > 1)
		writeFileSync(picture, draw(points));
	writeFileSync(page, `${parts.join('\n\n')}\n`);
}

function main(file) {
	const run = JSON.parse(readFileSync(file, 'utf8'));
	const git = (...args) => execFileSync('git', ['-C', top, ...args], { encoding: 'utf8' }).trim();
	const commit = git('rev-parse', '--short', 'HEAD');
	const runs = existsSync(history) ? readFileSync(history, 'utf8').trim().split('\n').filter(Boolean).map((l) => JSON.parse(l)) : [];
	const here = runs.filter((r) => r.machine === machineOf(run)), found = slips(run, here);
	console.log(here.length === 0 ? 'this machine has no earlier run' : found.length === 0 ? `nothing slipped against ${here.length} earlier runs`
		: found.map((f) => `SLIPPED: ${f.name}: ${round(f.is)}, was ${round(f.was)}`).join('\n'));
	const busy = run.machine.load_average_before > run.machine.cpus / 2;
	if (process.env.BENCH_KEEP === 'no' || (busy && process.env.BENCH_KEEP !== 'yes')) {
		console.log(`not kept${busy ? ': the machine was busy' : ''}`);
		return;
	}
	const now = brief(run, commit);
	appendFileSync(history, `${JSON.stringify(now)}\n`);
	write(run, [...here, now], commit);
	console.log(`kept in ${path.relative(top, history)}; ${path.relative(top, page)} is made`);
}

if (process.argv[1] === fileURLToPath(import.meta.url))
	main(process.argv[2]);
