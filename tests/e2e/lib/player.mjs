// A player: a viem wallet, optionally a session key, the HTTP API and a WebSocket. Written from the contract alone.
import { randomUUID } from 'node:crypto';
import WebSocket from 'ws';
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts';
import { parseSiweMessage } from 'viem/siwe';
import { until } from './product.mjs';
import { checkAnswer, checkFrame } from './spec.mjs';

export const USD = 1_000_000;

export class Api {
	constructor(origin) {
		this.origin = origin;
	}

	// {status, headers, body}: body parsed when it is JSON of either kind, and as docs/api.yaml says.
	async call(method, path, { body, token, headers = {}, raw } = {}) {
		const h = { ...headers };
		if (token)
			h.authorization = `Bearer ${token}`;
		if (body !== undefined && raw === undefined)
			h['content-type'] ??= 'application/json';
		const answer = await fetch(this.origin + path, { method, headers: h,
			body: raw ?? (body === undefined ? undefined : JSON.stringify(body)), signal: AbortSignal.timeout(30_000) });
		const text = await answer.text();
		const type = answer.headers.get('content-type') || '';
		const parsed = /json/.test(type) && text ? JSON.parse(text) : undefined;
		checkAnswer(method, path, answer.status, type, parsed, text);
		return { status: answer.status, headers: answer.headers, text, body: parsed };
	}
}

export function betText({ cell, stake, rate, nonce, timestamp, chain_id }) {
	return ['Tap Trading Bet', 'Action: place_bet', `Cell: ${cell}`, `Stake: ${stake}`, `Rate: ${rate}`, `Nonce: ${nonce}`,
		`Timestamp: ${timestamp}`, `Chain: ${chain_id}`, 'Version: 1'].join('\n');
}

export function withdrawalText({ amount, to, nonce, timestamp, chain_id }) {
	return ['Tap Trading Withdrawal', 'Action: withdraw', `Amount: ${amount}`, `To: ${to}`, `Nonce: ${nonce}`,
		`Timestamp: ${timestamp}`, `Chain: ${chain_id}`, 'Version: 1'].join('\n');
}

export const now_s = () => Math.floor(Date.now() / 1000);

export class Player {
	constructor(product, { key = true } = {}) {
		this.product = product;
		this.api = new Api(product.origin);
		this.account = privateKeyToAccount(generatePrivateKey());
		this.key = key ? privateKeyToAccount(generatePrivateKey()) : undefined;
		this.events = [];
	}

	get wallet() {
		return this.account.address;
	}

	async challenge() {
		const body = { wallet: this.wallet };
		if (this.key)
			body.session_key = this.key.address;
		return this.api.call('POST', '/api/v1/auth/challenge', { body });
	}

	async login() {
		const asked = await this.challenge();
		if (asked.status !== 200)
			throw new Error(`challenge: ${asked.status} ${asked.text}`);
		const { message } = asked.body;
		this.siwe = parseSiweMessage(message);
		const body = { message, signature: await this.account.signMessage({ message }) };
		if (this.key)
			body.session_key_signature = await this.key.signMessage({ message });
		const answer = await this.api.call('POST', '/api/v1/auth/login', { body });
		if (answer.status === 201)
			this.token = answer.body.session_token;
		return answer;
	}

	get(path) {
		return this.api.call('GET', `/api/v1${path}`, { token: this.token });
	}

	// A signed bet: by the session key when there is one, unless `by` names another account.
	async signed(fields, by = this.key ?? this.account) {
		const bet = { wallet: this.wallet, nonce: randomUUID(), timestamp: now_s(), chain_id: 1, version: 1, rate: 10100,
			stake: USD, ...fields };
		bet.signature ??= await by.signMessage({ message: betText(bet) });
		return bet;
	}

	async bet(fields, by) {
		return this.post(await this.signed(fields, by));
	}

	post(bet) {
		return this.api.call('POST', '/api/v1/bets', { body: bet });
	}

	async withdrawal(fields, by = this.account) {
		const w = { wallet: this.wallet, to: this.wallet, amount: USD, nonce: randomUUID(), timestamp: now_s(), chain_id: 1,
			version: 1, ...fields };
		w.signature ??= await by.signMessage({ message: withdrawalText(w) });
		return this.api.call('POST', '/api/v1/withdrawals', { body: w });
	}

	// Opens a socket; with a session it signs in first. Frames of the wallet collect in .events, all in .frames' newest by type.
	async listen({ auth = true } = {}) {
		const socket = new WebSocket(this.product.ws);
		this.socket = socket;
		this.newest = {};
		this.counts = {};
		this.closed = undefined;
		socket.on('error', () => {});
		socket.on('close', (code) => { this.closed = code; });
		socket.on('message', (data, binary) => {
			if (binary)
				throw new Error('a binary frame');
			const m = JSON.parse(data.toString());
			try {
				checkFrame(m);
			} catch (e) {
				this.undocumented = e;
			}
			this.newest[m.type] = m;
			this.counts[m.type] = (this.counts[m.type] || 0) + 1;
			if (!['hello', 'price', 'grid', 'system:status', 'pong', 'error'].includes(m.type))
				this.events.push(m);
		});
		await until('hello', 10_000, () => this.newest.hello || (this.closed && { closed: this.closed }));
		if (auth && this.token) {
			socket.send(JSON.stringify({ type: 'auth', token: this.token }));
			return this.event((m) => m.type === 'auth:ok' || m.type === 'auth:failed', 10_000);
		}
		return this.newest.hello;
	}

	event(match, ms) {
		return until('an event', ms, () => this.events.find(match), 10);
	}

	hang_up() {
		if (this.undocumented)
			throw this.undocumented;
		this.socket?.terminate();
	}
}

// ---- the grid ----------------------------------------------------------------------------------------------------------

export function cellId(grid, i, j) {
	const t0 = grid.columns[i];
	const low = grid.rows.low + j * grid.rows.height;
	return `${t0}_${low}_${low + grid.rows.height}`;
}

export function cells(grid) {
	const all = [];
	grid.columns.forEach((t0, i) => grid.rates[i].forEach((rate, j) =>
		all.push({ i, j, t0, rate, low: grid.rows.low + j * grid.rows.height, cell: cellId(grid, i, j) })));
	return all;
}

// The open cell that holds the price in the given column, or the nearest to it that is open.
export function middle(grid, price, i = 1) {
	const open = cells(grid).filter((c) => c.i === i && c.rate > 0);
	const distance = (c) => Math.max(c.low - price, price - c.low - grid.rows.height, 0);
	return open.sort((a, b) => distance(a) - distance(b))[0];
}

// The open cell with the highest rate of a column.
export function far(grid, i = 1) {
	return cells(grid).filter((c) => c.i === i && c.rate > 0).sort((a, b) => b.rate - a.rate)[0];
}
