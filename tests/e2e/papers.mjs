// What the papers claim can be looked up: each test that docs/threat-model.md names is a test that runs, each command of docs/promises.md is
// one that there is, each alert and file that they name exists.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import path from 'node:path';
import test from 'node:test';

const top = fileURLToPath(new URL('../..', import.meta.url));
const source = (name) => readFileSync(path.join(top, name), 'utf8');
const threats = source('docs/threat-model.md');
const promises = source('docs/promises.md');
const rows = (text) => text.split('\n').filter((l) => /^\| (?!---)/.test(l)).map((l) => l.split(' | ').map((c) => c.replace(/^\| | \|$/g, '')));

function exists(named) {
	const unit = named.match(/^(test_\w+):(\w+)$/);
	if (unit) {
		const file = `tests/unit/${unit[1]}.c`;
		// defined, and named in the list: the compiler refuses one that is not used
		return existsSync(path.join(top, file)) && new RegExp(`^static void ${unit[2]}\\(void \\*\\*state\\)`, 'm').test(source(file)) &&
			source(file).split(new RegExp(`\\b${unit[2]}\\b`)).length > 2;
	}
	const e2e = named.match(/^e2e\/(\w+): (.+)$/);
	return e2e !== null && existsSync(path.join(top, `tests/e2e/${e2e[1]}.mjs`)) &&
		['\'', '"', '`'].some((q) => source(`tests/e2e/${e2e[1]}.mjs`).includes(`test(${q}${e2e[2]}`));
}

test('every test that the threat model names is one that runs', () => {
	const table = rows(threats).filter((r) => r.at(-1) !== 'shown by');
	assert.ok(table.length >= 30, `${table.length} rows`);
	for (const row of table) {
		assert.equal(row.length, 3, row.join(' | '));
		const named = [...row[2].matchAll(/`([^`]+)`/g)].map((m) => m[1]);
		assert.ok(named.length > 0, `no test: ${row[0]}`);
		for (const name of named)
			assert.ok(exists(name), name);
	}
	assert.ok(!exists('test_sig:no_such_case') && !exists('test_none:high_s_is_refused') && !exists('e2e/errors: no such title'));
});

const targets = source('Makefile').match(/^\.PHONY: (.*)$/m)[1].split(' ');
const parts = [...source('tests/run').matchAll(/^part_(\w+)\(\)/mg)].map((m) => m[1]);
const verbs = [...source('cmd/ctl/verbs.c').matchAll(/^\t\{ "([^"]+)", "([^"]*)"/mg)].map(([, name, usage]) => ({ name, usage }));

function runs(command) {
	const [program, ...words] = command.split(' ');
	switch (program) {
	case 'make':
		return words.every((w) => targets.includes(w));
	case 'tests/run':
		return words.length > 0 && words.every((w) => parts.includes(w));
	case 'ctest':
		return words.at(-2) === '-R' && existsSync(path.join(top, `tests/unit/${words.at(-1)}.c`));
	case 'node':
	case 'promtool':
		return existsSync(path.join(top, words.at(-1)));
	case 'tap-trading-ctl': {
		const verb = verbs.find((v) => command.slice(16).startsWith(v.name));
		return verb !== undefined && words.filter((w) => w.startsWith('--')).every((w) => verb.usage.includes(w));
	}
	default:
		return program.startsWith('scripts/') && existsSync(path.join(top, program));
	}
}

test('every promise has a figure and a command that there is', () => {
	const table = rows(promises).filter((r) => r.at(-1) !== 'command');
	assert.ok(table.length >= 20, `${table.length} rows`);
	for (const row of table) {
		assert.equal(row.length, 3, row.join(' | '));
		assert.ok(row[1].trim(), `no figure: ${row[0]}`);
		const commands = [...row[2].matchAll(/`([^`]+)`/g)].map((m) => m[1]);
		assert.ok(commands.length > 0, `no command: ${row[0]}`);
		for (const command of commands)
			assert.ok(runs(command), command);
	}
	assert.ok(!runs('make fandango') && !runs('tap-trading-ctl verify --none') && !runs('ctest -R test_fandango') && !runs('scripts/none'));
});

test('every alert that they name is one', () => {
	const alerts = [...source('conf/prometheus/alerts.yaml').matchAll(/alert: (\w+)/g)].map((m) => m[1]);
	const named = [...`${threats}\n${promises}`.matchAll(/\bTap[A-Z]\w+/g)].map((m) => m[0]);
	assert.ok(named.length > 0);
	for (const name of named)
		assert.ok(alerts.includes(name), name);
});
