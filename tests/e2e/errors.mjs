// Bad input to every endpoint, through the front door: the status and code of the contract, and never a crash.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import test, { after, before } from 'node:test';
import WebSocket from 'ws';
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts';
import { Api, Player, USD, cells, far, middle, now_s } from './lib/player.mjs';
import { Product, WELCOME, until } from './lib/product.mjs';
import { W, auditBook } from './lib/judge.mjs';

let product, api, alice, bob;
const seen = new Set();

function problem(answer, status, code) {
	seen.add(code);
	assert.equal(answer.status, status, `expected ${status} ${code}, got ${answer.status} ${answer.text}`);
	assert.equal(answer.headers.get('content-type'), 'application/problem+json', answer.text);
	const b = answer.body;
	assert.equal(b.code, code, answer.text);
	assert.equal(b.status, status);
	for (const member of ['title', 'detail', 'request_id'])
		assert.ok(typeof b[member] === 'string' && b[member] !== '', `${member} in ${answer.text}`);
	return b;
}

const grid = async () => (await api.call('GET', '/api/v1/grid')).body;

before(async () => {
	product = await Product.start('errors');
	api = new Api(product.origin);
	alice = new Player(product);
	bob = new Player(product, { key: false });
	assert.equal((await alice.login()).status, 201);
	assert.equal((await bob.login()).status, 201);
	await alice.listen();
});

after(async () => {
	alice?.hang_up();
	await product?.stop();
});

test('paths and methods', async () => {
	problem(await api.call('GET', '/api/v1/nothing'), 404, 'not_found');
	problem(await api.call('GET', '/nothing'), 404, 'not_found');
	const id = '01ARZ3NDEKTSV4RRFFQ69G5FAV';
	for (const [path, right] of [['/auth/challenge', 'POST'], ['/auth/login', 'POST'], ['/auth/session', 'DELETE'], ['/me', 'GET'], ['/me/limits', 'PUT'], ['/me/cool-off', 'POST'], ['/me/self-exclusion', 'POST'],
		['/grid', 'GET'], ['/bets', 'GET'], [`/bets/${id}`, 'GET'], ['/ledger', 'GET'], ['/columns/1771234565', 'GET'],
		['/prices', 'GET'], ['/withdrawals', 'GET']]) {
		const answer = await api.call('PATCH', `/api/v1${path}`, { body: {} });
		problem(answer, 405, 'method_not_allowed');
		assert.ok(answer.headers.get('allow').split(/, */).includes(right), `${path}: Allow ${answer.headers.get('allow')}`);
	}
});

const posts = ['/auth/challenge', '/auth/login', '/bets', '/withdrawals'];

test('bodies that are no JSON object of the right type', async () => {
	for (const path of posts) {
		const to = `/api/v1${path}`;
		problem(await api.call('POST', to, { raw: '{}', headers: { 'content-type': 'text/plain' } }), 415, 'unsupported_media_type');
		const json = { 'content-type': 'application/json' };
		for (const raw of ['', '{', '[]', '"x"', 'null', '{"a":1,}', '{"wallet":"a","wallet":"b"}', '{"a":01}', '{}x', '{"a":"\u0001"}',
			'{"a":"\\ud800"}', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), `${'['.repeat(2000)}${']'.repeat(2000)}`])
			problem(await api.call('POST', to, { raw, headers: json }), 400, 'malformed_request');
		problem(await api.call('POST', to, { raw: `{"a":"${'x'.repeat(9000)}"}`, headers: json }), 413, 'body_too_large');
		problem(await api.call('POST', to, { body: {} }), 400, 'malformed_request');
	}
});

// What no client library would send.
async function wire(text) {
	const socket = net.connect(product.base, '127.0.0.1');
	let answer = '';
	socket.on('data', (d) => { answer += d; });
	socket.on('error', () => {});
	socket.write(text);
	await until('an answer', 10_000, () => /\r\n\r\n[^]*\}/.test(answer));
	socket.destroy();
	const [head, body] = answer.split('\r\n\r\n');
	const headers = new Headers(head.split('\r\n').slice(1).map((l) => l.split(/: */)).filter((h) => h.length === 2));
	return { status: Number(head.split(' ')[1]), headers, text: answer, body: JSON.parse(body) };
}

test('requests that the front door refuses', async () => {
	const long = 'a'.repeat(20_000);
	problem(await wire('NONSENSE\r\n\r\n'), 400, 'malformed_request');
	problem(await wire('GET / HTTP/1.1\r\n\r\n'), 400, 'malformed_request');
	problem(await wire('GET / HTTP/1.1\r\nHost: a b\r\n\r\n'), 400, 'malformed_request');
	problem(await wire('POST /api/v1/bets HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'),
		400, 'malformed_request');
	problem(await wire(`GET /api/v1/grid?${long} HTTP/1.1\r\nHost: a\r\n\r\n`), 414, 'malformed_request');
	problem(await wire(`GET /api/v1/grid HTTP/1.1\r\nHost: a\r\nX-Long: ${long}\r\n\r\n`), 431, 'malformed_request');
	// Fits into nginx' buffers but not into the api's; then into neither, though no line is long.
	for (const n of [3, 4]) {
		const lines = Array.from({ length: n }, (_, i) => `X-${i}: ${'a'.repeat(i < 2 ? 4000 : 1500)}\r\n`).join('');
		problem(await wire(`GET /api/v1/grid HTTP/1.1\r\nHost: a\r\n${lines}\r\n`), 431, 'malformed_request');
	}
	problem(await wire('GET /ws HTTP/1.1\r\nHost: a\r\n\r\n'), 400, 'malformed_request');
	problem(await wire('POST /api/v1/bets HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n'), 400, 'malformed_request');
	problem(await wire('GET / HTTP/1.1\r\nHost: a\r\nIf-Match: "x"\r\n\r\n'), 412, 'malformed_request');
	problem(await wire('GET / HTTP/1.1\r\nHost: a\r\nRange: bytes=9999999-\r\n\r\n'), 416, 'malformed_request');
	const again = await api.call('GET', '/health');
	assert.equal(again.status, 200);
});

test('challenge', async () => {
	const ask = (body) => api.call('POST', '/api/v1/auth/challenge', { body });
	const wallet = alice.wallet;
	for (const body of [{ wallet: 1 }, { wallet: null }, { wallet: '0x12' }, { wallet: wallet.slice(2) }, { wallet: `0X${wallet.slice(2)}` },
		{ wallet: `${wallet}0` }, { wallet: wallet.replace(/.$/, 'g') }, { wallet, session_key: 'x' }, { wallet, session_key: 5 }])
		problem(await ask(body), 400, 'malformed_request');
	const swapped = `0x${[...wallet.slice(2)].map((c) => (c === c.toLowerCase() ? c.toUpperCase() : c.toLowerCase())).join('')}`;
	problem(await ask({ wallet: swapped }), 400, 'malformed_request');
	for (const w of [wallet, wallet.toLowerCase(), `0x${wallet.slice(2).toUpperCase()}`]) {
		const answer = await ask({ wallet: w, no_such_member: [1, { a: null }] });
		assert.equal(answer.status, 200, answer.text);
		assert.ok(answer.body.message.includes(wallet), 'the wallet in EIP-55 form');
	}
});

test('login', async () => {
	const to = '/api/v1/auth/login';
	const p = new Player(product);
	const { message } = (await p.challenge()).body;
	const signature = await p.account.signMessage({ message });
	const session_key_signature = await p.key.signMessage({ message });
	const ask = (body) => api.call('POST', to, { body });
	problem(await ask({ message }), 400, 'malformed_request');
	problem(await ask({ message, signature: '0x12', session_key_signature }), 400, 'malformed_request');
	problem(await ask({ message, signature: 7, session_key_signature }), 400, 'malformed_request');
	problem(await ask({ message, signature }), 400, 'malformed_request');
	problem(await ask({ message: `${message} `, signature: await p.account.signMessage({ message: `${message} ` }), session_key_signature }),
		401, 'unauthorized');
	problem(await ask({ message, signature: session_key_signature, session_key_signature }), 401, 'invalid_signature');
	problem(await ask({ message, signature, session_key_signature: signature }), 401, 'invalid_signature');
	const first = await ask({ message, signature, session_key_signature });
	assert.equal(first.status, 201, `refusals spend nothing: ${first.text}`);
	problem(await ask({ message, signature, session_key_signature }), 401, 'unauthorized');

	const thief = new Player(product);
	thief.key = p.key;
	problem(await thief.login(), 409, 'session_key_in_use');
});

test('a login text that is not to the letter what was given out', async () => {
	const p = new Player(product);
	const { message, session_key_limits } = (await p.challenge()).body;
	assert.deepEqual(session_key_limits, { player_column: 1000 * USD, player_open: 5000 * USD, seconds: 86400, withdrawals: false });
	for (const said of [`session-key:${p.key.address}`, 'session-key:player-column:1000000000', 'session-key:player-open:5000000000',
		'session-key:seconds:86400', 'session-key:withdrawals:none'])
		assert.ok(message.split('\n').includes(`- urn:tap-trading:${said}`), said);
	const ask = async (text) => api.call('POST', '/api/v1/auth/login', { body: { message: text,
		signature: await p.account.signMessage({ message: text }), session_key_signature: await p.key.signMessage({ message: text }) } });
	const changes = [[/^[^ ]+/, 'evil.example'], [/(Chain ID: )\d+/, '$15'], [/(Expiration Time: )\d+/, '$12099'], [/(Nonce: )\w/, '$1x'],
		[/(Version: )1/, '$12'], [/(URI: ).*/, '$1https://evil.example'], [p.wallet, bob.wallet], [/1000 USD/, '9000 USD'],
		[/(player-column:)\d+/, '$19000000000'], [/$/, '\n- urn:tap-trading:more'], [/$/, '\n'], [/\n\n/, '\n'], [/\n/g, '\r\n'], [/^/, ' '],
		[/\nResources[^]*$/, '']];
	for (const [from, to] of changes) {
		const text = message.replace(from, to);
		assert.notEqual(text, message, String(from));
		problem(await ask(text), 401, 'unauthorized');
	}
	assert.equal((await ask(message)).status, 201, 'none of them spent it');
});

test('fifty logins at once with one challenge: one session', async () => {
	const p = new Player(product);
	const { message } = (await p.challenge()).body;
	const body = { message, signature: await p.account.signMessage({ message }), session_key_signature: await p.key.signMessage({ message }) };
	const answers = await Promise.all(Array.from({ length: 50 }, () => api.call('POST', '/api/v1/auth/login', { body })));
	const good = answers.filter((a) => a.status === 201);
	assert.equal(good.length, 1, answers.map((a) => a.status).join());
	for (const a of answers.filter((x) => x !== good[0]))
		problem(a, 401, 'unauthorized');
	assert.equal((await api.call('GET', '/api/v1/me', { token: good[0].body.session_token })).body.seq, 1, 'one welcome');
});

test('tokens', async () => {
	for (const path of ['/me', '/bets', '/ledger', '/withdrawals', '/bets/01ARZ3NDEKTSV4RRFFQ69G5FAV']) {
		problem(await api.call('GET', `/api/v1${path}`), 401, 'unauthorized');
		problem(await api.call('GET', `/api/v1${path}`, { token: 'a'.repeat(64) }), 401, 'unauthorized');
		problem(await api.call('GET', `/api/v1${path}`, { headers: { authorization: 'Basic eDp5' } }), 401, 'unauthorized');
	}
	problem(await api.call('DELETE', '/api/v1/auth/session'), 401, 'unauthorized');
});

test('logout ends the session, its key and its sockets', async () => {
	const p = new Player(product);
	await p.login();
	await p.listen();
	const out = await api.call('DELETE', '/api/v1/auth/session', { token: p.token });
	assert.equal(out.status, 204, out.text);
	problem(await p.get('/me'), 401, 'unauthorized');
	problem(await p.bet({ cell: far(await grid()).cell }), 401, 'invalid_signature');
	assert.equal(await until('the socket to close', 5000, () => p.closed), 4401);
});

test('a bet whose form is wrong', async () => {
	const g = await grid();
	const cell = far(g, 5).cell;
	const good = await alice.signed({ cell });
	for (const wrong of [{ stake: 1.5 }, { stake: '1000000' }, { stake: null }, { rate: 10099 }, { rate: 200001 }, { rate: '10100' },
		{ nonce: 'x' }, { nonce: good.nonce.toUpperCase() }, { nonce: '6ba7b810-9dad-11d1-80b4-00c04fd430c8' }, { timestamp: 'now' },
		{ chain_id: '1' }, { version: 2 }, { version: '1' }, { signature: 'x' }, { signature: good.signature.slice(0, -2) },
		{ signature: good.signature.slice(2) }, { signature: `0X${good.signature.slice(2)}` }, { wallet: 'x' }, { cell: 5 }])
		problem(await alice.post({ ...good, ...wrong }), 400, 'malformed_request');
	for (const member of Object.keys(good)) {
		const without = { ...good };
		delete without[member];
		problem(await alice.post(without), 400, 'malformed_request');
	}
	for (const number of ['1e6', '1000000.0', '9223372036854775808', '+1'])
		problem(await api.call('POST', '/api/v1/bets', { headers: { 'content-type': 'application/json' },
			raw: JSON.stringify(good).replace('"stake":1000000', `"stake":${number}`) }), 400, 'malformed_request');
	const [t0, low] = cell.split('_').map(Number);
	for (const bad of ['', 'x', `${t0}_${low}`, `${t0}_${low}_${low + 2000}_1`, `${t0}_${low + 1}_${low + 2001}`, `${t0 + 1}_${low}_${low + 2000}`,
		`${t0}_${low}_${low + 4000}`, `0${t0}_${low}_${low + 2000}`, `+${t0}_${low}_${low + 2000}`, `${t0}_-2000_0`,
		`${'9'.repeat(30)}_${low}_${low + 2000}`])
		problem(await alice.bet({ cell: bad }), 400, 'invalid_cell');
	for (const stake of [2 * USD, USD - 1, 0, -USD])
		assert.ok(['invalid_stake', 'malformed_request'].includes((await alice.bet({ cell, stake })).body.code));
	problem(await alice.bet({ cell, stake: 2 * USD }), 400, 'invalid_stake');
});

const order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141n;

function high_s(signature) {
	const s = order - BigInt(`0x${signature.slice(66, 130)}`);
	const v = signature.slice(130) === '1b' ? '1c' : '1b';
	return `${signature.slice(0, 66)}${s.toString(16).padStart(64, '0')}${v}`;
}

test('a bet that may not be signed so', async () => {
	const cell = far(await grid(), 5).cell;
	problem(await alice.bet({ cell, chain_id: 5 }), 401, 'wrong_chain');
	problem(await alice.bet({ cell, timestamp: now_s() - 40 }), 401, 'signature_expired');
	problem(await alice.bet({ cell, timestamp: now_s() + 40 }), 401, 'signature_expired');
	problem(await alice.bet({ cell }, privateKeyToAccount(generatePrivateKey())), 401, 'invalid_signature');
	problem(await bob.bet({ cell }, alice.key), 401, 'invalid_signature');
	const bet = await alice.signed({ cell });
	problem(await alice.post({ ...bet, signature: high_s(bet.signature) }), 401, 'invalid_signature');
	problem(await alice.post({ ...bet, signature: `${bet.signature.slice(0, 130)}05` }), 401, 'invalid_signature');
	problem(await alice.post({ ...bet, rate: 10101 }), 401, 'invalid_signature');
	problem(await alice.post({ ...bet, signature: `0x${'0'.repeat(128)}1b` }), 401, 'invalid_signature');
	const taken = await alice.post(bet);
	assert.equal(taken.status, 202, `refusals before the nonce spend none: ${taken.text}`);
	const withV0 = await alice.signed({ cell: far(await grid(), 6).cell });
	withV0.signature = `${withV0.signature.slice(0, 130)}${withV0.signature.endsWith('1b') ? '00' : '01'}`;
	assert.equal((await alice.post(withV0)).status, 202, 'v may be 0 or 1');
});

test('what the moment decides', async () => {
	const g = await grid();
	const price = alice.newest.price.p;
	const good = far(g, 7);
	const first = await alice.bet({ cell: good.cell });
	assert.equal(first.status, 202, first.text);
	assert.equal(problem(await alice.bet({ cell: good.cell }), 409, 'bet_exists').bet_id, first.body.bet_id);

	const c = Math.floor(Date.now() / 1000 / W) * W;
	const row = middle(g, price, 3);
	for (const t0 of [c - 100 * W, c, c + W])
		problem(await alice.bet({ cell: `${t0}_${row.low}_${row.low + 2000}` }), 409, 'column_closed');
	problem(await alice.bet({ cell: `${c + 40 * W}_${row.low}_${row.low + 2000}` }), 400, 'invalid_cell');
	problem(await alice.bet({ cell: `${row.t0}_${row.low + 2000 * 500}_${row.low + 2000 * 501}` }), 400, 'invalid_cell');

	const changed = problem(await alice.bet({ cell: row.cell, rate: 200000 }), 409, 'quote_changed');
	assert.ok(Number.isInteger(changed.rate) && changed.rate >= 10100 && changed.rate < 200000);
	// The grid moves: some closed cell of a far row stays closed long enough to be asked for.
	await until('a closed cell to be refused', 10_000, async () => {
		const now = await grid();
		const closed = cells(now).find((x) => x.rate === 0 && x.i >= 2 && x.i <= 8);
		if (!closed)
			return true;
		const answer = await alice.bet({ cell: closed.cell });
		return answer.body?.code === 'cell_closed' && problem(answer, 409, 'cell_closed');
	}, 300);
});

test('nonces', async () => {
	const g = await grid();
	const bet = await bob.signed({ cell: far(g, 8).cell });
	const first = await bob.post(bet);
	assert.equal(first.status, 202, first.text);
	problem(await bob.bet({ cell: far(g, 9).cell, nonce: bet.nonce }), 401, 'replay_detected');
	const again = await bob.post(bet);
	assert.deepEqual([again.status, again.headers.get('idempotent-replayed'), again.body], [200, 'true', first.body]);
	problem(await alice.bet({ cell: far(g, 9).cell, nonce: bet.nonce }), 401, 'replay_detected');
});

test('funds and limits', async () => {
	const stranger = new Player(product, { key: false });
	problem(await stranger.bet({ cell: far(await grid(), 6).cell }), 409, 'insufficient_funds');

	const rich = new Player(product, { key: false });
	await rich.login();
	const deposit = await product.ctl('deposit', '--wallet', rich.wallet, '--amount', String(5000 * USD), '--ref', randomUUID());
	assert.equal(deposit.code, 0, deposit.stderr);
	const g = await grid();
	const column = cells(g).filter((x) => x.i === 9 && x.rate > 0).sort((a, b) => a.rate - b.rate);
	const codes = [];
	for (const x of column.slice(0, 14))
		codes.push((await rich.bet({ cell: x.cell, stake: 100 * USD })).body);
	const placed = codes.filter((b) => b.status === 'confirmed').length;
	assert.ok(placed <= 10, `${placed} bets of 100 USD in one column`);
	assert.ok(codes.some((b) => b.code === 'limit_reached') || column.length < 11, JSON.stringify(codes.map((b) => b.code)));

	const poor = new Player(product, { key: false });
	await poor.login();
	const wide = cells(await grid()).filter((x) => x.rate > 0 && x.rate < 60000 && x.i >= 2 && x.i <= 9).sort((a, b) => a.rate - b.rate);
	let funds = 0;
	const perColumn = {};
	for (const x of wide) {
		perColumn[x.i] = (perColumn[x.i] || 0) + 1;
		if (perColumn[x.i] > 3)
			continue;
		const answer = await poor.bet({ cell: x.cell, stake: 100 * USD });
		if (answer.status === 202)
			funds++;
		else if (answer.body.code === 'insufficient_funds')
			break;
	}
	assert.equal(funds, WELCOME / (100 * USD), 'a balance that covers ten bets takes ten');
});

test('what players forbid themselves', async () => {
	const p = new Player(product);
	await p.login();
	const put = (body) => api.call('PUT', '/api/v1/me/limits', { token: p.token, body });
	const post = (what, body) => api.call('POST', `/api/v1/me/${what}`, { token: p.token, body });
	const cell = async (i) => far(await grid(), i).cell;
	problem(await put({}), 400, 'malformed_request');
	problem(await api.call('PUT', '/api/v1/me/limits', { body: { player_open: 1 } }), 401, 'unauthorized');
	const set = await put({ player_open: 5 * USD });
	assert.equal(set.status, 200, set.text);
	assert.deepEqual(set.body.player_open, { effective: 5 * USD, own: 5 * USD, pending: null });
	assert.equal((await p.get('/me')).body.limits.player_open, 5 * USD);
	const first = await p.signed({ cell: await cell(7), stake: 5 * USD });
	assert.equal((await p.post(first)).status, 202);
	problem(await p.bet({ cell: await cell(8) }), 403, 'limit_reached');
	const raised = (await put({ player_open: null })).body.player_open;
	assert.ok(raised.own === 5 * USD && Math.abs(raised.pending.at - Date.now() - 86_400_000) < 20_000, JSON.stringify(raised));
	assert.equal((await put({ player_open: 5 * USD })).body.player_open.pending, null);

	problem(await post('cool-off', { hours: 0 }), 400, 'malformed_request');
	const rest = await post('cool-off', { hours: 1 });
	assert.equal(rest.status, 200, rest.text);
	const refused = problem(await p.bet({ cell: await cell(8) }), 403, 'forbidden');
	assert.equal(refused.until, rest.body.cool_off_until);
	assert.ok(refused.detail.includes(new Date(refused.until).toISOString()), refused.detail);
	assert.equal((await p.post(first)).status, 200, 'what was placed is answered');
	assert.equal((await p.login()).status, 201);

	const away = await post('self-exclusion', { days: 180 });
	assert.equal(away.status, 200, away.text);
	assert.equal(problem(await p.login(), 403, 'forbidden').until, away.body.self_excluded_until);
	const shorter = await product.ctl('user', 'exclude', '--wallet', p.wallet, '--days', '180');
	assert.equal(shorter.code, 0, shorter.stderr);
	assert.ok((await p.get('/me/limits')).body.self_excluded_until >= away.body.self_excluded_until);
	assert.equal((await p.withdrawal({ amount: USD })).status, 202, 'withdrawals still work');
});

test('a suspended account', async () => {
	const p = new Player(product);
	await p.login();
	const done = await product.ctl('user', 'suspend', '--wallet', p.wallet, '--reason', 'a test');
	assert.equal(done.code, 0, done.stderr);
	problem(await p.bet({ cell: far(await grid(), 6).cell }, p.account), 403, 'account_suspended');
	problem(await p.bet({ cell: far(await grid(), 7).cell }), 403, 'account_suspended');
	assert.equal((await p.get('/me')).status, 200);
	problem(await p.login(), 403, 'account_suspended');
	assert.equal((await product.ctl('user', 'resume', '--wallet', p.wallet, '--reason', 'a test')).code, 0);
	assert.equal((await p.login()).status, 201);
});

test('the rate limit: a burst of 60', async () => {
	const p = new Player(product);
	await p.login();
	const g = await grid();
	const c = Math.floor(Date.now() / 1000 / W) * W;
	const bets = await Promise.all(Array.from({ length: 90 }, (_, i) => p.signed({ cell: `${c}_${g.rows.low + 2000 * (i % 24)}_${g.rows.low + 2000 * (i % 24) + 2000}` })));
	const answers = await Promise.all(bets.map((b) => p.post(b)));
	const limited = answers.filter((a) => a.status === 429);
	for (const a of limited) {
		problem(a, 429, 'rate_limited');
		assert.ok(Number(a.headers.get('retry-after')) >= 1);
	}
	const through = answers.length - limited.length;
	assert.ok(through >= 60 && through <= 85, `${through} of 90 came through`);
});

test('lists and their bounds', async () => {
	for (const query of ['limit=0', 'limit=501', 'limit=x', 'limit=-1', 'limit=1.5', 'from=x', 'to=x', 'from=2000&to=1000', 'cursor=%00', 'cursor=zzz!',
		'limit=1&limit=2'])
		for (const path of ['/bets', '/ledger'])
			problem(await alice.get(`${path}?${query}`), 400, 'malformed_request');
	problem(await alice.get('/bets?status=maybe'), 400, 'malformed_request');
	problem(await alice.get('/ledger?ref_type=NOTHING'), 400, 'malformed_request');
	for (const status of ['confirmed', 'won', 'lost', 'void'])
		assert.equal((await alice.get(`/bets?status=${status}&limit=500`)).status, 200);
	const mine = (await alice.get('/bets?limit=1')).body;
	assert.equal(mine.bets.length, 1);
	assert.ok(mine.next_cursor);
	problem(await bob.get(`/bets/${mine.bets[0].bet_id}`), 404, 'not_found');
	problem(await alice.get('/bets/01ARZ3NDEKTSV4RRFFQ69G5FAV'), 404, 'not_found');
	problem(await alice.get('/bets/x'), 404, 'not_found');
});

test('columns and prices', async () => {
	const c = Math.floor(Date.now() / 1000 / W) * W;
	problem(await api.call('GET', `/api/v1/columns/${c + 1}`), 400, 'malformed_request');
	problem(await api.call('GET', '/api/v1/columns/x'), 400, 'malformed_request');
	problem(await api.call('GET', `/api/v1/columns/${c + 20 * W}`), 404, 'not_found');
	problem(await api.call('GET', '/api/v1/columns/1000000000'), 404, 'not_found');
	const open = (await api.call('GET', `/api/v1/columns/${c}`)).body;
	assert.deepEqual([open.status, open.path_low, open.path_high, open.ticks, open.digest], ['open', null, null, null, null]);
	const now = Date.now();
	for (const query of ['', `from=${now}`, `to=${now}`, `from=${now}&to=${now - 1}`, `from=${now - 3_600_001}&to=${now}`, `from=x&to=${now}`])
		problem(await api.call('GET', `/api/v1/prices?${query}`), 400, 'malformed_request');
	await until('three seconds of ticks', 10_000, async () => {
		const to = Date.now();
		const { ticks } = (await api.call('GET', `/api/v1/prices?from=${to - 3000}&to=${to}`)).body;
		assert.ok(ticks.every(([t], i) => t >= to - 3000 && t < to && (i === 0 || t > ticks[i - 1][0])));
		return ticks.length > 25;
	});
});

test('withdrawals', async () => {
	const p = new Player(product);
	await p.login();
	problem(await p.withdrawal({ amount: USD - 1 }), 400, 'malformed_request');
	problem(await p.withdrawal({ amount: '5' }), 400, 'malformed_request');
	problem(await p.withdrawal({ to: 'x' }), 400, 'malformed_request');
	problem(await p.withdrawal({}, p.key), 401, 'invalid_signature');
	problem(await p.withdrawal({ chain_id: 2 }), 401, 'wrong_chain');
	problem(await p.withdrawal({ timestamp: now_s() - 60 }), 401, 'signature_expired');
	problem(await p.withdrawal({ amount: WELCOME + 1 }), 409, 'insufficient_funds');
	const nonce = randomUUID(), timestamp = now_s();
	const first = await p.withdrawal({ amount: 10 * USD, nonce, timestamp });
	assert.equal(first.status, 202, first.text);
	assert.deepEqual([first.body.status, first.body.amount, first.body.balance], ['requested', 10 * USD, WELCOME - 10 * USD]);
	const again = await p.withdrawal({ amount: 10 * USD, nonce, timestamp });
	assert.deepEqual([again.status, again.headers.get('idempotent-replayed'), again.body], [200, 'true', first.body]);
	problem(await p.withdrawal({ amount: 11 * USD, nonce, timestamp }), 401, 'replay_detected');
	const list = (await p.get('/withdrawals')).body;
	assert.deepEqual(list.withdrawals.map((w) => [w.withdrawal_id, w.status]), [[first.body.withdrawal_id, 'requested']]);
});

// ---- the socket --------------------------------------------------------------------------------------------------------

async function socket(options) {
	const s = { ws: new WebSocket(product.ws, options), frames: [] };
	s.ws.on('message', (d) => s.frames.push(JSON.parse(d)));
	s.ws.on('close', (code) => { s.code = code; });
	s.ws.on('error', () => {});
	s.ws.on('unexpected-response', (_, r) => { s.refused = r.statusCode; s.ws.terminate(); });
	await until('the handshake', 5000, () => s.refused || s.frames.some((m) => m.type === 'hello'));
	s.see = (what, match) => until(what, 5000, () => s.frames.find(match));
	return s;
}

test('frames that are wrong', async () => {
	const s = await socket();
	s.ws.send('{"type":"ping"}');
	assert.ok(Number.isInteger((await s.see('pong', (m) => m.type === 'pong')).t));
	s.ws.send('{"type":"dance"}');
	await s.see('unknown_type', (m) => m.type === 'error' && m.code === 'unknown_type');
	for (const text of ['x', '[]', '{"a":1}', '{"type":7}']) {
		s.frames.length = 0;
		s.ws.send(text);
		await s.see('malformed_request', (m) => m.type === 'error' && m.code === 'malformed_request');
	}
	s.ws.send(JSON.stringify({ type: 'auth', token: 'f'.repeat(64) }));
	assert.equal((await s.see('auth:failed', (m) => m.type === 'auth:failed')).code, 'unauthorized');
	s.ws.terminate();
});

test('frames that end the connection', async () => {
	const closes = async (what, code, act) => {
		const s = await socket();
		act(s.ws);
		assert.equal(await until(what, 5000, () => s.code), code, what);
	};
	await closes('a binary frame', 1003, (ws) => ws.send(Buffer.from('{}')));
	await closes('a long frame', 1009, (ws) => ws.send('x'.repeat(5000)));
	await closes('too many frames', 1008, (ws) => {
		for (let i = 0; i < 40; i++)
			ws.send('{"type":"ping"}');
	});
});

test('origins', async () => {
	assert.equal((await socket({ origin: 'https://evil.example' })).refused, 403);
	const own = await socket({ origin: product.origin });
	assert.equal(own.refused, undefined);
	own.ws.terminate();
});

// Nobody can say what becomes of a bet whose server does not answer: nginx gives up, the client asks.
test('a server that stands still', async () => {
	const p = new Player(product);
	await p.login();
	const bet = await p.signed({ cell: far(await grid(), 9).cell });
	const pid = await product.kill('api', 'SIGSTOP');
	try {
		problem(await p.post(bet), 504, 'outcome_unknown');
	} finally {
		process.kill(pid, 'SIGCONT');
	}
	await until('the bet to be there or not', 20_000, async () => {
		const again = await p.post({ ...bet });
		return again.status === 200 || ['column_closed', 'price_feed_stale', 'replay_detected', 'signature_expired'].includes(again.body?.code);
	}, 500);
});

// What takes a part to be broken is provoked where that is done.
const elsewhere = {
	internal_error: 'tests/unit/test_api_codes.c',
	overloaded: 'tests/unit/test_api_codes.c',
	price_feed_stale: 'tests/e2e/fault.mjs',
	unavailable: 'tests/e2e/fault.mjs',
};

test('every code that the server knows was seen', () => {
	const table = readFileSync(new URL('../../lib/infra/httpd.h', import.meta.url), 'utf8');
	const codes = [...table.matchAll(/X\([A-Z_]+, \d{3}, "([a-z_]+)"/g)].map((m) => m[1]);
	assert.ok(codes.length >= 27, codes.join());
	for (const code of codes)
		assert.ok(seen.has(code) !== code in elsewhere, `${code}: ${seen.has(code) ? 'seen here, and' : 'not seen, nor'} named elsewhere`);
});

test('nothing crashed, the book holds', async () => {
	assert.deepEqual(product.complaints(), []);
	assert.ok(!/ended \((signal|exit)/.test(product.said), product.said.match(/.*ended \(.*/g)?.join('\n'));
	await auditBook(product);
});
