// The client package as pages and bots use it: its example bot, each event exactly once through lost sockets, restarts and a second
// ws on the same Redis, nobody hears what is another's, and its verifier against the product.
import assert from 'node:assert/strict';
import { spawn, execFile } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import test, { after, before } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import WebSocket from 'ws';
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts';
import { Closed, InsufficientFunds, InvalidRequest, Key, QuoteChanged, SignatureRefused, TapClient, Unauthorized, Unavailable, betText } from '../../packages/client/dist/index.js';
import { cells } from './lib/player.mjs';
import { Product, WELCOME, until } from './lib/product.mjs';

const USD = 1_000_000, top = path.resolve(import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname), '../..');
const clients = []; // a test that failed leaves them connected
let product, second;

function client(options = {}) {
	const tap = new TapClient({ origin: product.origin, signer: Key.random(), WebSocket, ...options });
	clients.push(tap);
	tap.heard = [];
	tap.repairs = [];
	tap.troubles = [];
	for (const type of ['bet:confirmed', 'bet:resolved', 'balance'])
		tap.on(type, (e) => tap.heard.push({ type, ...e }));
	tap.on('client:repaired', (e) => tap.repairs.push(e));
	tap.on('client:trouble', ({ error }) => tap.troubles.push(error));
	return tap;
}

async function joined(options) {
	const tap = client(options);
	const session = await tap.signIn();
	let ok = false;
	tap.on('auth:ok', () => { ok = true; });
	tap.connect();
	await until('auth:ok', 10_000, () => ok);
	return Object.assign(tap, { wallet: session.wallet });
}

// A bet that is taken, on a cell of its own, in the column or, while none is open there, a later one.
async function place(tap, taken, column = 2) {
	for (;;) {
		await until('a grid', 20_000, async () => {
			tap.fresh = (await fetch(`${product.origin}/api/v1/grid`)).ok && await (await fetch(`${product.origin}/api/v1/grid`)).json();
			return tap.fresh;
		});
		const cell = cells(tap.fresh).filter((c) => c.i >= column && c.rate > 0 && !taken.has(c.cell))
			.sort((a, b) => a.i - b.i || a.rate - b.rate)[0];
		if (!cell) { // the price jumps
			await sleep(250);
			continue;
		}
		taken.add(cell.cell);
		try {
			return await tap.bet({ cell: cell.cell, stake: USD, rate: 10100 });
		} catch (e) {
			if (!(e instanceof Closed || e instanceof QuoteChanged || e instanceof Unavailable)) // nothing was taken
				throw e;
		}
	}
}

// Told = the book: each bet confirmed once and resolved once, in this order, each other row of the ledger once.
async function agrees(tap, since) {
	const bets = [], rows = [];
	for await (const b of tap.bets())
		bets.push(b);
	for await (const e of tap.ledger())
		rows.push(e);
	const told = (type) => tap.heard.filter((e) => e.type === type);
	assert.deepEqual(told('bet:confirmed').map((e) => e.bet_id).sort(), bets.map((b) => b.bet_id).sort());
	assert.deepEqual(told('bet:resolved').map((e) => [e.bet_id, e.outcome, e.payout]).sort(),
		bets.filter((b) => b.status !== 'confirmed').map((b) => [b.bet_id, b.status, b.payout]).sort());
	for (const b of told('bet:resolved'))
		assert.ok(tap.heard.findIndex((e) => e.bet_id === b.bet_id) < tap.heard.indexOf(b), 'confirmed before resolved');
	assert.deepEqual(told('balance').map((e) => [e.ref_type, e.balance]),
		rows.filter((e) => !['BET', 'PAYOUT', 'REFUND'].includes(e.ref_type)).reverse().slice(since).map((e) => [e.ref_type, e.balance_after]));
	const seqs = tap.heard.filter((e) => e.seq).map((e) => e.seq);
	assert.deepEqual(seqs, [...new Set(seqs)].sort((a, b) => a - b), 'seqs rise');
	assert.deepEqual(tap.troubles, []);
}

before(async () => {
	product = await Product.start('client');
	second = await secondWs();
});

after(async () => {
	clients.forEach((tap) => tap.close());
	if (second?.child.exitCode === null) {
		second.child.kill('SIGTERM');
		await once(second.child, 'exit');
	}
	await product?.stop();
});

// Another tap-trading-ws on the same Redis.
async function secondWs() {
	const port = product.base + 60;
	const child = spawn(path.join(top, 'build', product.preset, 'bin/tap-trading-ws'), [], { stdio: 'ignore',
		env: { PATH: process.env.PATH, TAP_REDIS: product.env().TAP_REDIS, TAP_WS_LISTEN: `127.0.0.1:${port}`,
			TAP_WS_OPS_LISTEN: `127.0.0.1:${port + 1}`, TAP_PUBLIC_ORIGIN: product.origin } });
	await until('the second ws', 20_000, async () => (await fetch(`http://127.0.0.1:${port + 1}/ready`).catch(() => ({}))).ok);
	return { child, url: `ws://127.0.0.1:${port}/ws` };
}

test('keys sign as a wallet library does', async () => {
	const secret = generatePrivateKey(), viem = privateKeyToAccount(secret), own = new Key(secret);
	assert.equal(own.address, viem.address);
	for (const message of ['', 'x', 'grüße\n€', betText({ cell: '1_2_3', stake: 1, rate: 2, nonce: 'n', timestamp: 3, chain_id: 1 })])
		assert.equal(await own.signMessage({ message }), await viem.signMessage({ message }));
});

test('errors have a class by code', async () => {
	const tap = await joined(), poor = client();
	await assert.rejects(tap.bet({ cell: '1_2_3', stake: USD, rate: 10100 }), InvalidRequest);
	await assert.rejects(tap.bet({ cell: '1771234565_9742000_9744000', stake: USD, rate: 10100 }), (e) => ['invalid_cell', 'column_closed'].includes(e.code));
	await assert.rejects(tap.withdraw({ amount: 2 * WELCOME, to: tap.wallet }), InsufficientFunds);
	await assert.rejects(poor.api.call('GET', '/me', { token: 'none' }), Unauthorized);
	const stranger = client({ signer: { address: Key.random().address, signMessage: (m) => Key.random().signMessage(m) } });
	await assert.rejects(stranger.signIn(), SignatureRefused);
	tap.close();
});

test('the clock of the server', async () => {
	const tap = client();
	let pongs = 0;
	tap.on('pong', () => { pongs++; });
	tap.connect();
	await until('a pong', 10_000, () => pongs);
	await until('the same time as here', 10_000, () => Math.abs(tap.now() - Date.now()) < 2000);
	tap.close();
});

test('the example bot plays and checks', async () => {
	const bot = path.join(top, 'packages/client/examples/bot.mjs');
	const { stdout } = await promisify(execFile)(process.execPath, [bot, product.origin, '2'], { timeout: 120_000 });
	assert.equal(stdout.match(/as the ticks say/g)?.length, 2, stdout);
	assert.ok(readFileSync(bot, 'utf8').split('\n').length <= 35, 'an example that is read at a glance');
});

test('each event once, through everything that loses sockets', async () => {
	const taken = new Set();
	const here = await joined({ random: () => 0.1 }), there = client({ signer: here.owner, wsUrl: second.url });
	await there.signIn();
	there.connect();
	const both = [here, there];
	await place(here, taken, 0);
	await until('both to be told', 10_000, () => both.every((t) => t.heard.length >= 1));
	// One ws is away while things happen; the other's player is told at once.
	await product.hold('ws');
	await here.withdraw({ amount: USD, to: here.wallet });
	await place(here, taken, 0);
	await until('the other to be told', 10_000, () => there.heard.length >= 3);
	product.release('ws');
	await until('all of it', 20_000, () => here.heard.length >= 3);
	await until('what was found in the API', 20_000, () => here.repairs.some((r) => r.events >= 2));
	// Sockets that break amid bets.
	for (let i = 0; i < 4; i++) {
		here.feed.socket?.close();
		await place(here, taken, i % 2);
		await here.withdraw({ amount: USD, to: here.wallet });
		await sleep(200);
	}
	// ws restarts, Redis restarts, with bets under way.
	await product.kill('ws', 'SIGTERM');
	await place(here, taken, 0);
	await until('prices again', 20_000, () => here.feed.socket?.readyState === 1);
	await product.kill('redis', 'SIGTERM');
	let prices = 0;
	there.on('price', () => { prices++; });
	await until('prices without a new connection', 20_000, () => prices > 5);
	await until('sessions', 30_000, () => both.reduce((all, t) => all.then(() => t.signIn()), Promise.resolve()).then(() => true, () => false), 500);
	await until('all bets to be decided', 60_000, async () => (await here.me()).open_bets === 0, 300);
	await until('all to be told', 30_000, () => both.every((t) => t.heard.filter((e) => e.type === 'bet:resolved').length >= taken.size), 100)
		.catch(() => {}); // agrees() says what is missing
	const rows = 1; // the welcome, which was there before
	for (const t of both)
		await agrees(t, rows);
	for await (const listed of here.bets()) {
		const bet = await here.betOf(listed.bet_id);
		for (const from of ['prices', 'evidence']) {
			const { agrees, checks, outcome, payout } = await here.verifyBet(bet, from);
			assert.deepEqual([agrees, outcome, payout], [true, bet.status, bet.payout], JSON.stringify({ from, checks }));
			assert.ok(['rate', 'deciding_tick', 'chain'].every((what) => checks.some((c) => c.what === what)), 'all that is told was checked');
		}
	}
	both.forEach((t) => t.close());
});

test("nobody hears what is another's", async () => {
	const a = await joined(), b = await joined(), taken = new Set();
	const raw = (token, url) => new Promise((resolve) => {
		const socket = new WebSocket(url), heard = [];
		socket.on('open', () => socket.send(JSON.stringify({ type: 'auth', token })));
		socket.on('close', (code) => heard.push({ type: 'closed', code }));
		socket.on('error', () => {});
		socket.on('message', (data) => {
			const m = JSON.parse(data.toString());
			if (!['hello', 'price', 'grid', 'system:status'].includes(m.type))
				heard.push(m);
			if (m.type.startsWith('auth:'))
				resolve(Object.assign(socket, { heard }));
		});
	});
	const urls = [product.ws, second.url];
	const stale = await joined();
	const staleToken = stale.session.session_token;
	const ending = await Promise.all(urls.map((url) => raw(staleToken, url)));
	await stale.signOut();
	stale.close();
	await until('its sockets to end', 5000, () => ending.every((s) => s.heard.some((m) => m.type === 'closed' && m.code === 4401)));
	// Tokens that are none of a's: a wallet, a session key, a session that ended, a guess, another player's.
	const crossed = [a.wallet, a.wallet.toLowerCase(), a.key.address, a.session.session_key, staleToken, 'x'.repeat(64),
		a.session.session_token.slice(0, -1), a.session.session_token.toUpperCase() + ' '];
	const outsiders = [];
	for (const url of urls)
		for (const token of crossed)
			outsiders.push(await raw(token, url));
	for (const s of outsiders)
		assert.deepEqual(s.heard, [{ type: 'auth:failed', code: 'unauthorized' }]);
	const others = await Promise.all(urls.map((url) => raw(b.session.session_token, url)));
	const mine = await Promise.all(urls.map((url) => raw(a.session.session_token, url)));
	// One that leaves a's session for b's, and one that was refused when it tried.
	const moved = await raw(a.session.session_token, product.ws);
	moved.send(JSON.stringify({ type: 'auth', token: b.session.session_token }));
	await until('the move', 5000, () => moved.heard.length >= 2);
	const n = { others: others[0].heard.length, moved: moved.heard.length };
	await place(a, taken, 1);
	await a.withdraw({ amount: USD, to: b.wallet });
	await until('a to be told', 10_000, () => a.heard.length >= 2 && mine.every((s) => s.heard.length >= 3));
	await sleep(700); // longer than ws waits for an event out of turn
	for (const s of others)
		assert.equal(s.heard.length, n.others, JSON.stringify(s.heard));
	assert.equal(moved.heard.length, n.moved, JSON.stringify(moved.heard));
	for (const s of outsiders)
		assert.equal(s.heard.length, 1, JSON.stringify(s.heard));
	assert.deepEqual(b.heard, []);
	// A session key that serves a may not sign for b, nor speak for a's wallet itself.
	const bets = new Set();
	const forged = Object.assign(client({ signer: b.owner, sessionKey: a.key }), { session: b.session });
	await assert.rejects(place(forged, bets), SignatureRefused);
	await assert.rejects(forged.signIn(), (e) => e.code === 'session_key_in_use');
	for (const s of [...outsiders, ...others, ...mine, moved])
		s.terminate();
	a.close();
	b.close();
	assert.deepEqual(product.complaints(), []);
});
