// report.mjs GCOVR.json RULES SOURCE_DIR FILES: a table of lines and branches a file, what was passed over by which rule, and every
// branch that no test took. Ends with 1 when there is such a branch in a file that FILES matches, or a rule that nothing needs.
//
// A branch here is one way out of a decision in the machine code of -O0, as gcov counts it: each part of a condition has two.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const [report, ruleFile, root, files] = process.argv.slice(2);
const judged = new RegExp(files);

// A rule is a line: what the source line matches, a tab, why such a branch is an injected fault. Lines with # are comments.
const rules = readFileSync(ruleFile, 'utf8').split('\n').filter((line) => line && !line.startsWith('#')).map((line) => {
	const [pattern, why] = line.split('\t');
	if (!why)
		throw new Error(`${ruleFile}: a rule is a pattern, a tab and a reason: ${line}`);
	return { pattern: new RegExp(pattern), why, used: 0 };
});

const total = { file: 'all', lines: 0, linesTaken: 0, branches: 0, taken: 0, injected: 0, missing: 0 };
const rows = [], missing = [], passed = [], shown = [];
for (const file of JSON.parse(readFileSync(report, 'utf8')).files) {
	const source = readFileSync(join(root, file.file), 'utf8').split('\n');
	const row = { file: file.file, lines: 0, linesTaken: 0, branches: 0, taken: 0, injected: 0, missing: 0 };
	for (const line of file.lines.filter((one) => !one['gcovr/noncode'])) {
		const open = line.branches.filter((branch) => branch.count === 0).length;
		const text = source[line.line_number - 1].trim(), where = `${file.file}:${line.line_number}`;
		row.lines++;
		row.linesTaken += line.count > 0;
		row.branches += line.branches.length;
		row.taken += line.branches.length - open;
		if (open === 0)
			continue;
		// A rule speaks of one way out of a line that did run: what never ran at all was not tested.
		const rule = line.count > 0 && rules.find((one) => one.pattern.test(text));
		if (rule) {
			rule.used += open;
			row.injected += open;
			passed.push(`${where}: ${text}`);
		} else {
			row.missing += open;
			(judged.test(file.file.replace('lib/service/', '')) ? missing : shown).push(`${where}: ${open} of ${line.branches.length} not taken: ${text}`);
		}
	}
	for (const key of Object.keys(row).filter((one) => one !== 'file'))
		total[key] += row[key];
	rows.push(row);
}

const percent = (part, whole) => (whole === 0 ? 100 : Math.floor(part * 1000 / whole) / 10).toFixed(1);
const columns = ['file', 'lines', 'run', '%', 'branches', 'taken', 'injected', 'not taken', '%'];
const table = [...rows.sort((a, b) => a.file.localeCompare(b.file)), total].map((row) => [row.file, row.lines, row.linesTaken,
	percent(row.linesTaken, row.lines), row.branches, row.taken, row.injected, row.missing,
	percent(row.taken, row.branches - row.injected)]);
for (const cells of [columns, ...table])
	console.log(cells.map((cell, i) => (i === 0 ? String(cell).padEnd(36) : String(cell).padStart(10))).join(''));

console.log('\ninjected: passed over by rule');
for (const rule of rules)
	console.log(`${String(rule.used).padStart(6)}  ${rule.pattern.source}: ${rule.why}`);
for (const line of passed)
	console.log(`        ${line}`);

for (const rule of rules.filter((one) => one.used === 0))
	missing.push(`${ruleFile}: nothing needs the rule ${rule.pattern.source}`);
if (shown.length > 0)
	console.log('\nnot taken by any test, in files that were not asked for');
for (const line of shown)
	console.log(line);
if (rows.length === 0)
	missing.push(`${report}: no file was measured`);
if (missing.length > 0) {
	console.log('\nnot taken by any test');
	for (const line of missing)
		console.log(line);
	process.exit(1);
}
