// The logs, read by whoever reads logs: at the most talkative level every line is found by its request, its bet and its wallet, and in
// no log of any part stands a token, a signature or a key, whatever players send, the wrong things above all.
import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import test, { after, before } from 'node:test';
import { Player, USD, far, middle } from './lib/player.mjs';
import { Product, until } from './lib/product.mjs';

let p;
let first;
let second;
const secrets = new Map(); // the text: what it is
const keep = (what, text) => {
	assert.ok(text?.length >= 20, what);
	secrets.set(text, what);
	return text;
};
const hex = (n) => `0x${randomBytes(n).toString('hex')}`;

// A player's calls, with every signature and token that passes remembered.
class Watched extends Player {
	constructor(product, options) {
		super(product, options);
		for (const [what, account] of [['wallet', this.account], ['session key', this.key]]) {
			if (!account)
				continue;
			const sign = account.signMessage.bind(account);
			account.signMessage = async (m) => keep(`a signature by the ${what}`, await sign(m));
		}
	}

	async login() {
		const answer = await super.login();
		if (answer.status === 201)
			keep('a session token', answer.body.session_token);
		return answer;
	}
}

before(async () => {
	p = await Product.start('secrets', { TAP_LOG_LEVEL: 'debug' });
	first = new Watched(p);
	second = new Watched(p, { key: false });
});

after(async () => {
	await p?.stop();
});

const grid = async () => (await first.get('/grid')).body;
const lines = (part) => readFileSync(path.join(p.var, 'log', `${part}.log`), 'utf8').trim().split('\n')
	.filter((l) => l.startsWith('{')).map((l) => JSON.parse(l));

test('a day of a player, and of those who try things', async () => {
	assert.equal((await first.login()).status, 201);
	assert.equal((await second.login()).status, 201);
	await first.listen();
	await second.listen();

	// bets: good, again, changed, by a stranger, malformed in the signature and around it
	const bet = await first.signed({ cell: middle(await grid(), (await first.get('/grid')).body.rows.low + 24000, 2).cell });
	const placed = await first.post(bet);
	assert.equal(placed.status, 202, placed.text);
	first.placed = { ...placed.body, request: placed.headers.get('x-request-id') };
	assert.equal((await first.post(bet)).status, 200);
	assert.equal((await first.post({ ...bet, stake: 5 * USD })).status, 401);
	assert.equal((await first.bet({ cell: far(await grid(), 3).cell }, second.account)).status, 401);
	const wrong = [hex(65), hex(64), 'not a signature at all, but as long as one might be', `${bet.signature}00`, ''];
	for (const signature of wrong) {
		const { status } = await first.post({ ...(await first.signed({ cell: far(await grid(), 4).cell })), signature });
		assert.ok(status === 400 || status === 401, signature);
		if (signature)
			keep('a wrong signature', signature);
	}
	await first.api.call('POST', '/api/v1/bets', { raw: JSON.stringify(bet).slice(0, -20), headers: { 'content-type': 'application/json' } });

	// tokens: none, a wrong one, in the wrong place
	for (const token of [keep('a token of nobody', randomBytes(32).toString('hex')), keep('a short token', randomBytes(12).toString('hex'))]) {
		assert.equal((await first.api.call('GET', '/api/v1/me', { token })).status, 401);
		assert.equal((await first.api.call('DELETE', '/api/v1/auth/session', { token })).status, 401);
	}
	assert.equal((await fetch(`${p.origin}/api/v1/me`, { headers: { authorization: `Basic ${first.token}` } })).status, 401);

	// logins: spent challenge, wrong signature, a foreign key
	const { message } = (await first.challenge()).body;
	const bad = { message, signature: keep('a signature of nobody', hex(65)), session_key_signature: keep('another', hex(65)) };
	assert.ok((await first.api.call('POST', '/api/v1/auth/login', { body: bad })).status >= 400);
	const { message: theirs } = (await second.challenge()).body;
	assert.ok((await first.api.call('POST', '/api/v1/auth/login', { body: { message: theirs,
		signature: await first.account.signMessage({ message: theirs }) } })).status >= 400);

	// withdrawals: good, too much, signed by the wrong one
	const asked = await first.withdrawal({ amount: 3 * USD });
	assert.equal(asked.status, 202, asked.text);
	first.asked = asked.body.withdrawal_id;
	assert.equal((await first.withdrawal({ amount: 900_000 * USD })).status, 409);
	assert.equal((await first.withdrawal({}, second.account)).status, 401);

	// the socket: a wrong token, a frame that is none
	second.socket.send(JSON.stringify({ type: 'auth', token: keep('a token of nobody on the socket', randomUUID()) }));
	await second.event((m) => m.type === 'auth:failed', 10_000);
	second.socket.send(`{"type":"auth","token":"${second.token}`);

	// weather: Redis goes and comes while they ask
	await p.hold('redis');
	assert.equal((await first.get('/me')).status, 503);
	await first.post(await first.signed({ cell: far(await grid(), 6).cell }));
	await first.withdrawal({ amount: 2 * USD });
	p.release('redis');
	await until('Redis to be back', 30_000, async () => (await first.get('/me')).status !== 503);

	// the outcome, then the end of the sessions; each thread of the api finds Redis again by itself
	await until('a session', 30_000, async () => {
		try {
			return (await first.login()).status === 201;
		} catch {
			return false;
		}
	}, 500);
	await until('the bet to be decided', 90_000, async () => (await first.get(`/bets/${first.placed.bet_id}`)).body?.resolved_at, 500);
	assert.equal((await first.api.call('DELETE', '/api/v1/auth/session', { token: first.token })).status, 204);
	assert.equal((await first.get('/me')).status, 401);
	first.hang_up();
	second.hang_up();
});

test('a line is found by its request, its bet and its wallet', async () => {
	const wallet = first.wallet;
	const { bet_id, request } = first.placed;
	const api = lines('api');
	const mine = (l) => l.wallet === wallet;
	assert.ok(api.some((l) => mine(l) && l.bet_id === bet_id && l.request_id === request && l.msg === 'confirmed'), 'the bet');
	assert.ok(api.some((l) => mine(l) && l.level === 'info' && /^signed in/.test(l.msg) && l.request_id), 'the sign in');
	assert.ok(api.some((l) => mine(l) && l.msg === 'signed out' && l.request_id), 'the sign out');
	assert.ok(api.some((l) => mine(l) && l.request_id && l.msg.includes(first.asked)), 'the withdrawal');
	assert.ok(api.some((l) => l.level === 'err' && l.request_id), 'a request that failed');
	await until('the resolver to tell of the bet', 20_000, () => lines('resolver').some((l) => mine(l) && l.bet_id === bet_id));
	assert.ok(lines('ws').some((l) => mine(l) && /signed in/.test(l.msg)), 'the socket');
});

test('who or what a line is about stands in its fields, never in its text alone', () => {
	for (const part of ['api', 'ws', 'ingest', 'resolver', 'archiver'])
		for (const l of lines(part)) {
			const [wallet] = l.msg.match(/0x[0-9a-fA-F]{40}/) ?? [];
			assert.ok(!wallet || l.wallet, `${part}: ${JSON.stringify(l)}`);
			assert.ok(l.component === part && l.t > 1e12 && l.level, JSON.stringify(l));
		}
});

test('no secret stands in any log', () => {
	assert.ok(secrets.size > 20, `${secrets.size} secrets were used`);
	const logs = path.join(p.var, 'log');
	const texts = readdirSync(logs).map((f) => [f, readFileSync(path.join(logs, f), 'utf8')]);
	assert.ok(texts.some(([f, t]) => f.startsWith('nginx') && t.length > 0) || texts.some(([f]) => f.startsWith('nginx')));
	for (const [file, text] of texts) {
		const low = text.toLowerCase();
		for (const [secret, what] of secrets)
			// also a part of it, and a signature without its prefix
			for (const shown of [secret, secret.replace(/^0x/, '').slice(0, 24)])
				assert.ok(!low.includes(shown.toLowerCase()), `${what} in ${file}`);
		// nor what looks like one: 65 bytes of hex, a bearer
		assert.doesNotMatch(text, /0x[0-9a-f]{128}|bearer\s+\S{16}/i, file);
	}
});
