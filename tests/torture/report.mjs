// What the chamber has done: build/torture/ledger.jsonl, or the ledgers that are named, summed over all rounds, of whatever call and seed.
//
//   node tests/torture/report.mjs [LEDGER...]
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const nothing = () => ({ rounds: 0, seconds: 0, faults: 0, acknowledged: 0, weeks: 0, kinds: {}, tricks: {}, checked: {} });

// Adds numbers to numbers, name by name.
export function sum(to, from) {
	for (const [name, v] of Object.entries(from)) {
		if (typeof v === 'object')
			sum(to[name] ??= {}, v);
		else
			to[name] = (to[name] ?? 0) + v;
	}
	return to;
}

const listed = (counts) => Object.entries(counts).sort((a, b) => b[1] - a[1] || a[0].localeCompare(b[0])).map(([k, n]) => `${k} ${n}`).join(', ');

export function report(lines) {
	const all = nothing(), broken = lines.filter((l) => l.broken);
	for (const l of lines.filter((x) => !x.broken))
		sum(all, Object.fromEntries(Object.keys(all).map((k) => [k, l[k]])));
	return [`${all.rounds} rounds, ${(all.seconds / 3600).toFixed(2)} hours, ${all.faults} faults on real processes, ${broken.length} broken rounds`,
		`commits: ${[...new Set(lines.map((l) => l.commit))].join(', ')}`,
		`acknowledged: ${all.acknowledged} bets; weeks closed in the middle: ${all.weeks}`,
		`faults: ${listed(all.kinds)}`, `cheats: ${listed(all.tricks)}`, `the referee saw: ${listed(all.checked)}`,
		...broken.map((l) => `BROKEN: seed ${l.seed}, round ${l.round}, of ${l.commit}: ${l.broken}`)].join('\n');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
	const files = process.argv.length > 2 ? process.argv.slice(2) : [fileURLToPath(new URL('../../build/torture/ledger.jsonl', import.meta.url))];
	console.log(report(files.flatMap((f) => readFileSync(f, 'utf8').trim().split('\n')).map((l) => JSON.parse(l))));
}
