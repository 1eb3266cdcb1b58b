// docs/api.yaml and docs/ws.yaml are true: well formed, the same routes, codes and frames as the code in both directions, every call
// answered as they say (lib/spec.mjs holds each answer of every other test against them too), and rendered as they stand.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import test, { after, before } from 'node:test';
import { Validator } from '@seriousme/openapi-schema-validator';
import * as client from '../../packages/client/dist/index.js';
import { Player, USD, far } from './lib/player.mjs';
import { Product, until } from './lib/product.mjs';
import { ANYWHERE, api, checkFrame, frames, operations, ws } from './lib/spec.mjs';

const source = (path) => readFileSync(fileURLToPath(new URL(`../../${path}`, import.meta.url)), 'utf8');
const sources = (folder) => readdirSync(fileURLToPath(new URL(`../../${folder}`, import.meta.url))).filter((f) => f.endsWith('.c'))
	.map((f) => source(`${folder}/${f}`)).join('\n');
const sorted = (all) => [...new Set(all)].sort();

test('api.yaml is OpenAPI 3.1 without loose ends', async () => {
	const validator = new Validator();
	const { valid, errors } = await validator.validate(structuredClone(api));
	assert.ok(valid, JSON.stringify(errors));
	assert.equal(validator.version, '3.1');
	const ids = operations.map((o) => o.operation.operationId);
	assert.equal(new Set(ids).size, ids.length, 'an operationId twice');
	for (const { method, path, operation } of operations) {
		assert.ok(operation.summary && operation.tags?.every((t) => api.tags.some(({ name }) => name === t)), `${method} ${path}`);
		for (const [, name] of path.matchAll(/\{(\w+)\}/g))
			assert.ok(operation.parameters.some((p) => p.name === name && p.in === 'path'), `${path}: ${name}`);
	}
	const refs = sorted([...JSON.stringify([api, ws]).matchAll(/"\$ref":"(?:\.\/api\.yaml)?#\/components\/(schemas|parameters|responses)\/(\w+)"/g)]
		.map(([, kind, name]) => `${kind}/${name}`));
	const there = sorted(['schemas', 'parameters', 'responses'].flatMap((k) => Object.keys(api.components[k]).map((n) => `${k}/${n}`)));
	assert.deepEqual(refs, there, 'each component is used, each reference is there');
});

test('ws.yaml is AsyncAPI 3 without loose ends', () => {
	assert.match(ws.asyncapi, /^3\./);
	const names = sorted(Object.keys(ws.components.messages));
	assert.deepEqual(sorted(Object.keys(ws.channels.ws.messages)), names);
	const said = Object.values(ws.operations).flatMap((o) => o.messages.map((m) => m.$ref.split('/').at(-1)));
	assert.deepEqual(sorted(said), names);
	assert.equal(said.length, names.length, 'a message in both directions');
	for (const [name, m] of Object.entries(ws.components.messages)) {
		assert.ok(m.summary, name);
		assert.ok(m.payload.required.includes('type'), name);
		assert.equal(m.payload.properties.type.const.replace(':', '-'), name);
	}
	for (const [, ref] of JSON.stringify(ws).matchAll(/"\$ref":"(#\/[^"]+)"/g))
		assert.ok(ref.slice(2).split('/').reduce((at, key) => at?.[key], ws), ref);
});

test('the routes are those of the code', () => {
	const table = source('cmd/api/api.c').match(/api_routes\[\] = \{([^]*?)\n\};/)[1];
	const routes = [...table.matchAll(/\{ "(\w+)", "([^"]+)", \w+, ([^}]+) \}/g)].map(([, method, path, body]) => [`${method} ${path}`, body.includes('HTTPD_JSON_BODY')]);
	assert.deepEqual(operations.map((o) => `${o.method} ${o.path}`).sort(), routes.map(([r]) => r).sort());
	for (const { method, path, operation } of operations)
		assert.equal(Boolean(operation.requestBody), routes.find(([r]) => r === `${method} ${path}`)[1], `${method} ${path}: a body`);
});

test('the codes are those of the code, the client and the document', () => {
	const table = [...source('lib/infra/httpd.h').matchAll(/X\([A-Z_]+, (\d+), "(\w+)"/g)].map(([, status, code]) => `${status} ${code}`);
	assert.ok(table.length > 20);
	const told = Object.entries(api['x-statuses']).flatMap(([status, codes]) => codes.map((code) => `${status} ${code}`));
	assert.deepEqual(told.sort(), [...table].sort());
	const codes = table.map((t) => t.split(' ')[1]);
	assert.deepEqual(sorted(api.components.schemas.Problem.properties.code.enum), sorted(codes));
	assert.deepEqual(sorted(Object.keys(client.classes)), sorted(codes));
	assert.deepEqual(sorted([...ANYWHERE, ...operations.flatMap((o) => o.operation['x-codes'])]), sorted(codes), 'each code belongs to a call');
});

test('the frames are those of the code', () => {
	const built = [...(source('lib/service/msg_player.c') + source('lib/service/msg_public.c')).matchAll(/begin\(&w, out, "([^"]+)"\)/g)];
	const own = [...sources('cmd/ws').matchAll(/jw_str\(&w, "type", "([^"]+)"\)/g)];
	const heard = [...source('cmd/ws/player.c').matchAll(/strcmp\(type, "([^"]+)"\) == 0/g)];
	assert.deepEqual(sorted([...built, ...own, ...heard].map(([, type]) => type)), sorted(Object.keys(frames)));
	const errors = [...source('cmd/ws/player.c').matchAll(/send_error\(p, "([^"]+)"\)/g)].map(([, code]) => code);
	assert.deepEqual(sorted(errors), sorted(ws.components.messages.error.payload.properties.code.enum));
});

test('the rendering is of today', () => {
	const run = () => execFileSync(process.execPath, [fileURLToPath(new URL('tools/render-docs.mjs', import.meta.url)), '--check'], { encoding: 'utf8' });
	assert.doesNotThrow(run, 'node tests/e2e/tools/render-docs.mjs writes docs/api.md and docs/ws.md anew');
});

let product;

before(async () => {
	product = await Product.start('docs');
});

after(async () => {
	await product?.stop();
});

test('each call answers as it is written', async () => {
	const p = new Player(product);
	const ok = (answer, status) => assert.equal(answer.status, status, answer.text);
	ok(await p.login(), 201);
	await p.listen();
	ok(await p.get('/me'), 200);
	ok(await p.get('/me/limits'), 200);
	ok(await p.api.call('PUT', '/api/v1/me/limits', { token: p.token, body: { day_stake: 100 * USD, day_loss: 50 * USD } }), 200);
	ok(await p.api.call('PUT', '/api/v1/me/limits', { token: p.token, body: { day_loss: null } }), 200);
	const grid = await p.get('/grid');
	ok(grid, 200);
	let bet, placed;
	await until('a bet to be taken', 30_000, async () => { // a jump of the price closes the grid for a while
		const open = far((await p.get('/grid')).body, 0);
		bet = open && await p.signed({ cell: open.cell });
		placed = open && await p.post(bet);
		return placed?.status === 202;
	});
	ok(await p.post(bet), 200);
	ok(await p.get('/bets'), 200);
	ok(await p.get(`/bets/${placed.body.bet_id}`), 200);
	ok(await p.get('/ledger?ref_type=BET'), 200);
	ok(await p.withdrawal({}), 202);
	const withdrawal = { wallet: p.wallet, to: p.wallet, amount: USD, nonce: crypto.randomUUID(), timestamp: Math.floor(Date.now() / 1000),
		chain_id: 1, version: 1 };
	withdrawal.signature = await p.account.signMessage({ message: client.withdrawalText(withdrawal) });
	ok(await p.api.call('POST', '/api/v1/withdrawals', { body: withdrawal }), 202);
	ok(await p.api.call('POST', '/api/v1/withdrawals', { body: withdrawal }), 200);
	ok(await p.get('/withdrawals'), 200);
	const now = Date.now();
	ok(await p.get(`/prices?from=${now - 5000}&to=${now}`), 200);
	const t0 = Math.floor(now / 5000) * 5;
	ok(await p.get(`/columns/${t0}`), 200);
	const decided = await until('the bet to be decided', 40_000, async () => {
		const one = await p.get(`/bets/${placed.body.bet_id}`);
		return one.body.status !== 'confirmed' && one;
	}, 300);
	assert.ok(decided.body.evidence.digest);
	ok(await p.get(`/columns/${bet.cell.split('_')[0]}`), 200);
	const column = await p.get(`/columns/${bet.cell.split('_')[0]}?path=1`);
	ok(column, 200);
	assert.equal(column.body.path.length, column.body.ticks);
	p.socket.send('{"type":"ping"}');
	p.socket.send('{"type":"nothing"}');
	await until('pong and error', 5000, () => p.newest.pong && p.newest.error);
	ok(await p.api.call('POST', '/api/v1/me/cool-off', { token: p.token, body: { hours: 1 } }), 200);
	ok(await p.api.call('POST', '/api/v1/me/self-exclusion', { token: p.token, body: { days: 180 } }), 200);
	ok(await p.api.call('GET', '/health'), 200);
	p.hang_up();
	ok(await p.api.call('DELETE', '/api/v1/auth/session', { token: p.token }), 204);
	for (const { method, path, seen, operation } of operations)
		for (const status of Object.keys(operation.responses).filter((s) => s !== 'default' && s !== '503'))
			assert.ok(seen.has(Number(status)), `${method} ${path} ${status} was not seen`);
	for (const type of ['hello', 'price', 'grid', 'system:status', 'pong', 'error'])
		assert.ok(p.newest[type], `${type} was not seen`);
	for (const type of ['auth:ok', 'bet:confirmed', 'bet:resolved', 'balance'])
		assert.ok(p.events.some((e) => e.type === type), `${type} was not seen`);
	assert.throws(() => checkFrame({ type: 'price', t: 1 }), /required/);
	assert.throws(() => checkFrame({ type: 'price', t: 1, p: 2, more: 3 }), /additional/);
});
