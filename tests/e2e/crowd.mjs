// Crowds: clients that send a byte a second, floods from one wallet and from one address, a queue that does not move. Those who
// do it are cut or told to come back; all others are served meanwhile.
import assert from 'node:assert/strict';
import http from 'node:http';
import net from 'node:net';
import test, { after, before } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Bettor } from './lib/bettor.mjs';
import { Product, until } from './lib/product.mjs';
import { auditBook } from './lib/judge.mjs';

let product, direct;

before(async () => {
	product = await Product.start('crowd', { LIMIT_LOOPBACK: '1', TAP_REQUEST_DEADLINE_MS: '4000' });
	// The daemon without nginx before it, which would limit an address to fewer than a flood.
	direct = { origin: `http://127.0.0.1:${product.base + 80}`, ws: product.ws };
});

after(async () => {
	await product?.stop();
});

const HEAD = 'POST /api/v1/bets HTTP/1.1\r\nHost: x\r\n';
const WHOLE_HEAD = `${HEAD}Content-Type: application/json\r\nContent-Length: 500\r\n\r\n`;

// n clients that dribble their header block, or after a whole one their body, a byte a second.
class Slow {
	constructor(n, port, { from = () => '127.0.0.1', body }) {
		this.clients = Array.from({ length: n }, (_, i) => {
			const c = { socket: net.connect({ port, host: '127.0.0.1', localAddress: from(i) }), sent: 0, answer: '' };
			c.socket.on('error', () => {});
			c.socket.on('close', () => { c.closed = true; });
			c.socket.on('data', (d) => { c.answer += d; });
			if (body)
				c.socket.write(WHOLE_HEAD);
			return c;
		});
		this.timer = setInterval(() => {
			for (const c of this.clients)
				if (!c.closed)
					c.socket.write(body ? 'x' : HEAD[c.sent++] ?? 'X');
		}, 1000);
	}

	open() {
		return this.clients.filter((c) => !c.closed).length;
	}

	leave() {
		clearInterval(this.timer);
		for (const c of this.clients)
			c.socket.destroy();
	}
}

async function player(of) {
	const p = new Bettor(of);
	assert.equal((await p.login()).status, 201);
	return p;
}

// What the game itself says when the price or the house's room moved since the grid was read.
const MOVED = ['cell_closed', 'column_closed', 'quote_changed'];

// One after the other on fresh cells, until `over`; every one of them is confirmed, but where the game moved on.
async function betUntil(p, over) {
	let n = 0;
	for (let tries = 0; n < 3 || !over(); tries++) {
		const { body } = await p.api.call('GET', '/api/v1/grid');
		const answer = await p.bet({ cell: p.fresh(body, 2 + (tries % 9)).cell });
		assert.ok(answer.status === 202 || MOVED.includes(answer.body?.code), answer.text);
		assert.ok(tries <= 2 * n + 20, 'too many cells are closed');
		if (answer.status === 202) {
			p.told.push(answer.body);
			n++;
		}
		await sleep(250);
	}
	return n;
}

const connections = async () => Number((await (await fetch(`http://127.0.0.1:${product.base + 90}/metrics`)).text())
	.match(/^tap_http_connections (\d+)/m)[1]);

test('1,000 clients that send a byte a second at the daemon', async () => {
	const p = await player(direct);
	const heads = new Slow(500, product.base + 80, { body: false });
	const bodies = new Slow(500, product.base + 80, { body: true });
	try {
		await until('all of them to be there', 10_000, async () => await connections() >= 1000);
		const end = Date.now() + 60_000;
		const n = await betUntil(p, () => heads.open() + bodies.open() === 0 || Date.now() > end);
		assert.deepEqual([heads.open(), bodies.open()], [0, 0], 'cut, whatever they still send');
		assert.ok(n >= 3);
		await until('nothing of them to be left', 10_000, async () => await connections() < 20);
	} finally {
		heads.leave();
		bodies.leave();
	}
});

test('1,000 clients that send a byte a second through nginx', async () => {
	const p = await player(product);
	const from = (i) => `127.0.3.${1 + (i % 100)}`;
	const heads = new Slow(500, product.base, { from, body: false });
	const bodies = new Slow(500, product.base, { from, body: true });
	try {
		const end = Date.now() + 60_000;
		await betUntil(p, () => heads.open() === 0 || Date.now() > end);
		assert.equal(heads.open(), 0, 'a header block has its time');
		assert.ok(await connections() < 100, 'what nginx has not whole is no burden to the daemon');
	} finally {
		heads.leave();
		bodies.leave();
	}
});

function toBeTold(answer) {
	assert.match(answer, /^HTTP\/1\.1 429 /);
	assert.match(answer, /\r\nContent-Type: application\/problem\+json\r\n/i);
	assert.match(answer, /\r\nRetry-After: \d+\r\n/i);
	assert.match(answer, /"code":"rate_limited"/);
}

test('an address has so many requests in hand at once, and no more', async () => {
	const slow = [];
	try {
		for (let i = 0; i < 3; i++) { // not all at once: that would be refused for its rate
			slow.push(new Slow(50, product.base, { from: () => '127.0.4.1', body: true }));
			await sleep(1200);
		}
		const told = () => slow.flatMap((s) => s.clients).filter((c) => c.answer);
		await until('those beyond to be told', 10_000, () => told().length >= 50);
		for (const c of told())
			toBeTold(c.answer);
		assert.equal(told().length, 50);
		const other = await ask('127.0.4.2');
		assert.equal(other.status, 200);
	} finally {
		for (const s of slow)
			s.leave();
	}
});

function ask(from) {
	return new Promise((resolve, reject) => {
		const request = http.get(`${product.origin}/api/v1/grid`, { localAddress: from, agent: false }, (answer) => {
			let text = '';
			answer.on('data', (d) => { text += d; });
			answer.on('end', () => resolve({ status: answer.statusCode, headers: answer.headers, text }));
		});
		request.on('error', reject);
	});
}

test('a flood from one address', async () => {
	const [flood, others] = await Promise.all([Promise.all(Array.from({ length: 400 }, () => ask('127.0.5.1'))),
		Promise.all(Array.from({ length: 40 }, (_, i) => ask(`127.0.5.${2 + i}`)))]);
	const refused = flood.filter((a) => a.status !== 200);
	assert.ok(refused.length > 50, `${refused.length} of 400 refused`);
	for (const a of refused) {
		assert.equal(a.status, 429, a.text);
		assert.equal(a.headers['content-type'], 'application/problem+json');
		assert.ok(Number(a.headers['retry-after']) >= 1);
		assert.equal(JSON.parse(a.text).code, 'rate_limited');
	}
	for (const a of others)
		assert.equal(a.status, 200, a.text);
});

test('a flood from one wallet', async () => {
	const flooder = await player(direct);
	const calm = await player(direct);
	const { body: grid } = await calm.api.call('GET', '/api/v1/grid');
	const { cell } = calm.fresh(grid, 8);
	const bets = await Promise.all(Array.from({ length: 200 }, () => flooder.signed({ cell })));
	let over = false;
	const [answers] = await Promise.all([Promise.all(bets.map((b) => flooder.post(b))).finally(() => { over = true; }),
		betUntil(calm, () => over)]);
	const refused = answers.filter((a) => a.status === 429);
	assert.ok(refused.length > 50, `${refused.length} of 200 refused`);
	for (const a of refused) {
		assert.equal(a.body.code, 'rate_limited', a.text);
		assert.ok(Number(a.headers.get('retry-after')) >= 1);
	}
	assert.ok(answers.every((a) => [202, 409, 429].includes(a.status)), [...new Set(answers.map((a) => a.text))].join('\n'));
	assert.equal(answers.filter((a) => a.status === 202).length, 1);
});

test('a queue that does not move: an early 503, and all as before when it does', async () => {
	const p = await player(direct);
	const { body: grid } = await p.api.call('GET', '/api/v1/grid');
	const { cell } = p.fresh(grid, 8);
	/* few that wait are all taken by the writer's next turn and told that a part is down; so there must be many */
	const signed = await Promise.all(Array.from({ length: 1500 }, () => p.signed({ cell })));
	const answers = [];
	const sent = [];
	await product.kill('redis', 'SIGSTOP');
	try {
		while (signed.length > 0 && !answers.some((a) => a.body.code === 'overloaded')) {
			for (const bet of signed.splice(0, 50))
				sent.push(p.post(bet).then((a) => answers.push(a)));
			await sleep(20);
		}
		await Promise.all(sent);
	} finally {
		await product.kill('redis', 'SIGCONT');
	}
	const busy = answers.filter((a) => a.body.code === 'overloaded');
	assert.ok(busy.length > 0, `of ${answers.length}: ${[...new Set(answers.map((a) => a.body.code))]}`);
	for (const a of busy)
		assert.deepEqual([a.status, a.headers.get('retry-after')], [503, '1']);
	await until('bets again', 60_000, async () => {
		const { status, body: now } = await p.api.call('GET', '/api/v1/grid');
		return status === 200 && (await p.bet({ cell: p.fresh(now, 6).cell })).status === 202;
	}, 500);
});

test('the book holds', async () => {
	await auditBook(product);
	assert.deepEqual(product.complaints(), []);
});
