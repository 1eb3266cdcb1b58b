// What watches the product is true of the product: every daemon's /metrics keeps Prometheus' conventions and names no wallet; every alert
// has its case and its section of the runbook; every metric that a rule or the dashboard asks for is there; every query parses; every
// command of the runbook is one that the running product takes.
import assert from 'node:assert/strict';
import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test, { after, before } from 'node:test';
import { parse } from 'yaml';
import { Bettor } from './lib/bettor.mjs';
import { USD } from './lib/player.mjs';
import { Product, until } from './lib/product.mjs';

const top = fileURLToPath(new URL('../..', import.meta.url));
const source = (name) => readFileSync(path.join(top, name), 'utf8');
const daemons = ['api', 'ws', 'ingest', 'resolver', 'archiver'];
const rules = parse(source('conf/prometheus/alerts.yaml')).groups.flatMap((g) => g.rules);
const alerts = rules.filter((r) => r.alert);
const dashboard = JSON.parse(source('conf/grafana/tap-trading.json'));
const runbook = source('docs/runbook.md');
const scratch = mkdtempSync(path.join(os.tmpdir(), 'tap-watch-'));

const promtool = (args, input) => {
	const done = spawnSync('promtool', args, { cwd: top, input, encoding: 'utf8' });
	return { ok: done.status === 0, said: done.stdout + done.stderr };
};
const assertPromtool = (args, input) => {
	const { ok, said } = promtool(args, input);
	assert.ok(ok, said);
	return said;
};

let p;
let bettor;
let bet;
let withdrawal;
let front;
const scraped = {};

before(async () => {
	p = await Product.start('watch', { TAP_LOG_LEVEL: 'debug' });
	bettor = new Bettor(p);
	assert.equal((await bettor.login()).status, 201);
	const { answer: placed } = await bettor.place(6);
	assert.equal(placed.status, 202, placed.text);
	bet = placed.body.bet_id;
	const asked = await bettor.withdrawal({ amount: 2 * USD });
	assert.equal(asked.status, 202, asked.text);
	withdrawal = asked.body.withdrawal_id;
	for (const [i, name] of daemons.entries())
		await until(`${name} to be ready`, 60_000, async () => {
			scraped[name] = await (await fetch(`http://127.0.0.1:${p.base + 90 + i}/metrics`)).text();
	front = await (await fetch(`http://127.0.0.1:${p.base + 95}/front/metrics`)).text();
			return /^tap_ready 1$/m.test(scraped[name]);
		});
});

after(async () => {
	rmSync(scratch, { recursive: true, force: true });
	assert.equal((await p?.stop())?.code ?? 0, 0);
});

test('each daemon\'s metrics are Prometheus\' and name nobody', () => {
	for (const [name, text] of Object.entries(scraped)) {
		assert.equal(assertPromtool(['check', 'metrics'], text).trim(), '', name);
		assert.match(text, /^tap_ready 1$/m, name);
		assert.match(text, /^tap_critical 0$/m, name);
		assert.match(text, /^tap_process_start_time_seconds 1\d{9}/m, name);
		for (const line of text.split('\n').filter(Boolean)) {
			assert.match(line, /^(# (HELP|TYPE) )?tap_[a-z0-9_]+[ {]/, `${name}: ${line}`);
			assert.doesNotMatch(line, /0x[0-9a-f]{8}|wallet="|[0-9A-HJKMNP-TV-Z]{26}/i, `${name}: ${line}`);
		}
	}
	assert.match(scraped.api, /^tap_bets_confirmed_total 1$/m);
	assert.match(scraped.archiver, /^tap_withdrawals_waiting [01]$/m);
});

test('nginx tells whether players get an answer', () => {
	assert.equal(assertPromtool(['check', 'metrics'], front).trim(), '');
	assert.match(front, /^tap_front_up 1$/m);
});

test('one name means one thing in every daemon', () => {
	const helps = {};
	for (const [name, text] of Object.entries(scraped))
		for (const [, metric, type] of text.matchAll(/^# TYPE (\S+) (\S+)$/mg)) {
			helps[metric] ??= { type, name };
			assert.equal(type, helps[metric].type, `${metric}: ${name} and ${helps[metric].name}`);
		}
});

test('the rules are good, and each alert is seen to fire and to be quiet', () => {
	assertPromtool(['check', 'config', 'conf/prometheus/prometheus.yaml']);
	assertPromtool(['test', 'rules', 'tests/watch/alerts.yaml']);
	const cases = parse(source('tests/watch/alerts.yaml')).tests;
	assert.deepEqual(cases.map((c) => c.name).sort(), alerts.map((a) => a.alert).sort(), 'each alert has a case');
	for (const { name, promql_expr_test: asks } of cases) {
		assert.ok(asks.some((a) => !a.exp_samples), `${name} is seen quiet`);
		assert.ok(asks.some((a) => a.exp_samples?.some((s) => s.labels.includes(`"${name}"`))), `${name} is seen firing`);
	}
});

test('the jobs are the daemons, on the ports that they have', () => {
	const jobs = parse(source('conf/prometheus/prometheus.yaml')).scrape_configs;
	assert.deepEqual(jobs.map((j) => [j.job_name, j.static_configs[0].targets[0]]),
		[...daemons, 'front'].map((name, i) => [name, `127.0.0.1:${9080 + i}`]));
	assert.equal(jobs.at(-1).metrics_path, '/front/metrics');
});

const queries = () => [...rules.map((r) => r.expr), ...dashboard.panels.flatMap((q) => (q.targets ?? []).map((t) => t.expr))];

// A histogram is asked for by its parts.
const family = (name, known) => (known.has(name) ? name : name.replace(/_(bucket|sum|count)$/, ''));

test('every metric that is asked for is there', () => {
	const known = new Set([...Object.values(scraped), front].flatMap((text) => [...text.matchAll(/^# TYPE (\S+)/mg)].map((m) => m[1])));
	// Some are told only once there is something to tell: the source then names them.
	for (const folder of ['lib/service', ...daemons.map((d) => `cmd/${d}`)])
		for (const file of readdirSync(path.join(top, folder)).filter((f) => f.endsWith('.c')))
			for (const [, name] of source(`${folder}/${file}`).matchAll(/"(tap_[a-z0-9_]+)"/g))
				known.add(name);
	for (const query of queries())
		for (const [name] of query.matchAll(/\btap_[a-z0-9_]+/g))
			assert.ok(known.has(family(name, known)), `${name} in: ${query}`);
	const recorded = new Set(rules.filter((r) => r.record).map((r) => r.record));
	for (const query of queries())
		for (const [name] of query.matchAll(/\btap:[a-z0-9_:]+/g))
			assert.ok(recorded.has(name), `${name} in: ${query}`);
});

test('the dashboard is whole: every panel has its place, its unit, its words and queries that parse', () => {
	assert.equal(dashboard.schemaVersion, 39);
	assert.ok(dashboard.title && dashboard.uid && dashboard.templating.list.some((v) => v.type === 'datasource' && v.name === 'source'));
	const taken = new Set();
	const ids = new Set();
	const asks = [];
	for (const panel of dashboard.panels) {
		assert.ok(!ids.has(panel.id), `panel ${panel.id} twice`);
		ids.add(panel.id);
		const { x, y, w, h } = panel.gridPos;
		assert.ok(x >= 0 && x + w <= 24 && h > 0, panel.title);
		for (let i = x; i < x + w; i++)
			for (let k = y; k < y + h; k++) {
				assert.ok(!taken.has(`${i} ${k}`), `${panel.title} lies on another panel`);
				taken.add(`${i} ${k}`);
			}
		assert.ok(panel.title);
		if (panel.type === 'row')
			continue;
		assert.match(panel.type, /^(timeseries|stat)$/, panel.title);
		assert.equal(panel.datasource.uid, '${source}', panel.title);
		assert.ok(panel.description, `${panel.title}: what it shows`);
		assert.ok(panel.fieldConfig.defaults.unit, `${panel.title}: its unit`);
		assert.ok(panel.targets.length > 0, panel.title);
		assert.equal(new Set(panel.targets.map((t) => t.refId)).size, panel.targets.length, panel.title);
		for (const target of panel.targets) {
			assert.ok(target.legendFormat, panel.title);
			asks.push(target.expr);
		}
		if (/_seconds(_bucket)?\b/.test(panel.targets[0].expr) && !/cpu/.test(panel.targets[0].expr))
			assert.equal(panel.fieldConfig.defaults.unit, 's', panel.title);
		if (/_bytes\b/.test(panel.targets[0].expr))
			assert.equal(panel.fieldConfig.defaults.unit, 'bytes', panel.title);
	}
	const file = path.join(scratch, 'asks.json'); // JSON is YAML
	writeFileSync(file, JSON.stringify({ groups: [{ name: 'asks', rules: asks.map((expr, i) => ({ record: `ask:${i}`, expr })) }] }));
	assertPromtool(['check', 'rules', '--lint=none', file]);
	writeFileSync(file, JSON.stringify({ groups: [{ name: 'asks', rules: [{ record: 'ask:0', expr: 'rate(tap_x[5m)' }] }] }));
	assert.ok(!promtool(['check', 'rules', file]).ok, 'a query that does not parse is seen');
});

// ---- the runbook ----

const sections = [...runbook.matchAll(/^## (\w+)\n([^]*?)(?=^##? |$(?![^]))/mg)].map(([, name, text]) => ({ name, text }));
const commands = [...runbook.matchAll(/^```sh\n([^]*?)^```$/mg)].flatMap((m) => m[1].trim().split('\n'));
const shell = promisify(execFile);

test('each alert has its section, and each section its alert and something to type', () => {
	assert.deepEqual(sections.map((s) => s.name).sort(), alerts.map((a) => a.alert).sort());
	for (const { name, text } of sections)
		assert.match(text, /^```sh$/m, `${name}: what to type`);
	for (const { alert, annotations, labels } of alerts) {
		assert.equal(annotations.runbook, `docs/runbook.md#${alert.toLowerCase()}`);
		assert.ok(annotations.summary, alert);
		assert.match(labels.severity, /^(page|ticket)$/, alert);
	}
});

// What the section types is what this machine would type, on the instance's own ports and folders.
const here = (command) => command
	.replaceAll('$WALLET', bettor.wallet).replaceAll('$BET', bet).replaceAll('$ID', withdrawal)
	.replaceAll('$T0', String(Math.floor(Date.now() / 5000) * 5 - 60))
	.replace(/127\.0\.0\.1:908(\d)/, (_, d) => `127.0.0.1:${p.base + 90 + Number(d)}`)
	.replace(/^tap-redis-cli/, `redis-cli -s ${path.join(p.var, 'redis/redis.sock')}`)
	.replaceAll('/var/lib/tap-trading', p.data);

// Tools of the host, which the sections name and this instance does not have: systemd and its journal, and what looks at the machine.
const hosts = /^(systemctl|journalctl|df|du|ls|find|vmstat|uptime|ss|timedatectl) /;

test('every command is one that the product takes', async () => {
	const env = { ...p.env(), PATH: `${path.join(top, 'build', p.preset, 'bin')}:${process.env.PATH}`, USER: 'runbook' };
	const good = { verify: [0, 66], 'withdrawals reject': [65] }; // no such column before the start; approved just above
	const seen = new Set();
	for (const command of commands) {
		if (hosts.test(`${command} `))
			continue;
		const line = here(command);
		assert.match(line, /^(tap-trading-ctl|curl|redis-cli) /, command);
		const { code, out } = await shell('bash', ['-c', line], { env, timeout: 60_000, maxBuffer: 1 << 24 })
			.then(({ stdout, stderr }) => ({ code: 0, out: stdout + stderr }), (e) => ({ code: e.code, out: e.stdout + e.stderr }));
		const verb = Object.keys(good).find((v) => command.startsWith(`tap-trading-ctl ${v}`));
		assert.ok((good[verb] ?? [0]).includes(code), `${line}: exit ${code}: ${out}`);
		assert.notEqual(out, '', line);
		seen.add(command.split(' ')[0]);
	}
	assert.deepEqual([...seen].sort(), ['curl', 'tap-redis-cli', 'tap-trading-ctl']);
});

test('fields and components that the journal is asked for are those that are written', () => {
	const written = source('lib/service/daemon_journal.c');
	for (const [, field, value] of runbook.matchAll(/\b([A-Z_]+)=(\$?\w+)/g)) {
		if (field.startsWith('TAP_'))
			continue;
		assert.ok(written.includes(`"${field}"`), field);
		if (field === 'COMPONENT')
			assert.ok(daemons.includes(value), value);
	}
});

test('every verb of the operator\'s command is in the manual', () => {
	const said = execFileSync(path.join(top, 'build', p.preset, 'bin/tap-trading-ctl'), ['--help'], { encoding: 'utf8' });
	for (const verb of ['deposit', 'withdrawals list', 'withdrawals approve', 'withdrawals reject', 'user show', 'user suspend', 'user resume',
		'bet show', 'ledger', 'verify', 'integrity', 'trial-balance', 'breaker open', 'breaker close', 'breaker auto', 'week list',
		'week close', 'backup run', 'migrate status', 'migrate up', 'migrate down', 'status'])
		assert.match(said, new RegExp(`^  ${verb}( |$)`, 'm'), verb);
});
