// A player who keeps his own book: what he asked for, and what he was told. An answer that did not come leaves a thing that is either
// whole in the product's book or absent from it. His seed decides what he does.
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Dice } from '../e2e/lib/dice.mjs';
import { Player, USD, betText, cells, now_s, withdrawalText } from '../e2e/lib/player.mjs';

const STAKES = [1, 1, 1, 5, 5, 10, 25].map((usd) => usd * USD);
// Refused for sure: nothing of it may be in the book.
const SURE = (answer) => answer.status < 500 || ['price_feed_stale', 'overloaded'].includes(answer.body?.code);

export class Punter extends Player {
	constructor(world, seed, breaks, options) {
		super(world, options);
		Object.assign(this, { breaks, dice: new Dice(seed) });
		this.asked = new Map();       // nonce: {bet, taken, refused, unknown}
		this.acks = new Map();        // bet_id: the first answer
		this.withdrawals = { acks: new Map(), unknown: [] };
		this.deposits = new Map();    // ref: {amount, sure}
		this.links = [];              // of each socket: its events
		this.answers = {};
	}

	count(what) {
		this.answers[what] = (this.answers[what] || 0) + 1;
	}

	async post(bet) {
		const note = this.asked.get(bet.nonce) ?? { bet, taken: 0, refused: 0, unknown: 0 };
		this.asked.set(bet.nonce, note);
		let answer;
		try {
			answer = await super.post(bet);
		} catch (e) {
			if (e.code === 'ERR_ASSERTION')
				this.breaks(e.message);
			note.unknown++;
			this.count('no answer');
			return undefined;
		}
		if (answer.status === 202 || answer.status === 200)
			this.acknowledged(note, answer);
		else
			note[SURE(answer) ? 'refused' : 'unknown']++;
		this.count(answer.body?.code ?? answer.status);
		return answer;
	}

	acknowledged(note, { status, body, headers }) {
		const { bet } = note, first = this.acks.get(body.bet_id);
		const what = JSON.stringify({ bet, body });
		if ((status === 200) !== (headers.get('idempotent-replayed') === 'true'))
			this.breaks(`a replay that does not say so, or the other way round: ${what}`);
		if (status === 202 && note.taken++ > 0)
			this.breaks(`the same signed bet was taken twice: ${what}`);
		if (body.cell !== bet.cell || body.stake !== bet.stake || body.rate < bet.rate || body.wallet)
			this.breaks(`acknowledged other than it was signed: ${what}`);
		if (first && (first.cell !== body.cell || first.stake !== body.stake || first.rate !== body.rate || first.balance !== body.balance ||
				first.placed_at !== body.placed_at))
			this.breaks(`two answers for one bet: ${JSON.stringify(first)} and ${what}`);
		const [t0] = bet.cell.split('_').map(Number), column = Math.floor(body.placed_at / 5000) * 5;
		if (t0 < column + 10 || t0 > column + 65)
			this.breaks(`a bet in a column that was closed at ${body.placed_at}: ${what}`);
		if (!first)
			this.acks.set(body.bet_id, { ...body, nonce: bet.nonce, at: performance.now() });
	}

	// Fields of a bet on one of the grid's open cells that was not tried yet; undefined when there is none.
	async choice() {
		let grid;
		try {
			grid = await this.api.call('GET', '/api/v1/grid');
		} catch (e) {
			return this.unless(e);
		}
		if (grid.status !== 200)
			return undefined;
		this.tried ??= new Set();
		const open = cells(grid.body).filter((c) => c.rate > 0 && c.i < 4 && !this.tried.has(c.cell));
		if (open.length === 0)
			return undefined;
		const cell = this.dice.pick(open);
		this.tried.add(cell.cell);
		return { cell: cell.cell, stake: this.dice.pick(STAKES), seen: cell.rate };
	}

	// What the world does to a call is no fault; what the papers do not know is.
	unless(e) {
		if (e.code === 'ERR_ASSERTION')
			this.breaks(e.message);
		return undefined;
	}

	async sign({ cell, stake }, more = {}) {
		return this.signed({ cell, stake, ...more });
	}

	async once() {
		const wish = await this.choice();
		if (wish)
			await this.post(await this.sign(wish));
		if (this.dice.next() < 0.03)
			await this.withdraw(this.dice.pick([1, 2, 5]) * USD);
	}

	async withdraw(amount) {
		const w = { wallet: this.wallet, to: this.wallet, amount, nonce: randomUUID(), timestamp: now_s(), chain_id: 1, version: 1 };
		w.signature = await this.account.signMessage({ message: withdrawalText(w) });
		for (let i = 0; i < 2; i++) { // twice: the second is a replay
			try {
				const answer = await this.api.call('POST', '/api/v1/withdrawals', { body: w });
				if (answer.status === 202 || answer.status === 200)
					this.withdrawals.acks.set(answer.body.withdrawal_id, answer.body);
				else if (!SURE(answer))
					this.withdrawals.unknown.push(w);
				this.count(`withdrawal ${answer.body?.code ?? answer.status}`);
			} catch (e) {
				this.unless(e);
				this.withdrawals.unknown.push(w);
			}
		}
	}

	// Signed in and connected, as well as the world lets him.
	async tend() {
		while (this.playing) {
			try {
				if (!this.token || (await this.get('/me')).status === 401)
					await this.login();
				if (!this.socket || this.closed !== undefined)
					await this.connect();
			} catch (e) {
				this.unless(e);
			}
			await sleep(1500);
		}
	}

	async connect() {
		this.events = [];
		this.links.push(this.events);
		await this.listen();
	}

	start(everyMs) {
		this.playing = true;
		const play = async () => {
			while (this.playing) {
				await this.once();
				await sleep(everyMs * (0.5 + this.dice.next()));
			}
		};
		this.loop = Promise.all([play(), this.tend()]);
	}

	async finish() {
		this.playing = false;
		await this.loop;
		if (this.undocumented)
			this.breaks(this.undocumented.message);
	}
}

// One who tries what is not allowed. What he gets acknowledged nevertheless is in `stolen`, unless it was right to take it.
const ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;

export class Cheat extends Punter {
	constructor(world, seed, breaks, victim) {
		super(world, seed, breaks);
		this.victim = victim;
		this.tricks = { replay: 0, race: 0, rivals: 0, forged: 0, foreign: 0, high_s: 0, greedy: 0, late: 0, aged: 0, broke: 0 };
		this.best = new Map(); // cell: the best rate seen, and when
	}

	async once() {
		const trick = this.dice.pick(Object.keys(this.tricks));
		const wish = await this.choice();
		if (!wish)
			return;
		this.tricks[trick]++;
		await this[trick](wish);
	}

	// It must not be taken; asked apart from post, whose book it is not to enter.
	async mustNot(how, body) {
		try {
			const answer = await this.api.call('POST', '/api/v1/bets', { body });
			this.count(`${how}: ${answer.body?.code ?? answer.status}`);
			if (answer.status < 300)
				this.breaks(`${how} was taken: ${JSON.stringify({ body, answer: answer.body })}`);
		} catch (e) {
			this.unless(e);
		}
	}

	async replay() {
		const old = [...this.asked.values()].slice(-40);
		if (old.length > 0)
			await this.post(this.dice.pick(old).bet);
	}

	async race(wish) {
		const bet = await this.sign(wish);
		await Promise.all([1, 2, 3, 4, 5].map(() => this.post(bet)));
	}

	// Several for one cell.
	async rivals(wish) {
		const bets = await Promise.all([1, 2, 3].map(() => this.sign(wish)));
		const taken = (await Promise.all(bets.map((b) => this.post(b)))).filter((a) => a?.status === 202);
		if (taken.length > 1)
			this.breaks(`a cell was sold twice to one wallet: ${JSON.stringify(taken.map((a) => a.body))}`);
	}

	async forged(wish) {
		const bet = await this.sign(wish), other = await this.choice();
		const field = this.dice.pick(['stake', 'rate', 'cell', 'nonce', 'timestamp', 'chain_id', 'wallet']);
		const forgery = { stake: bet.stake === USD ? 5 * USD : USD, rate: bet.rate + 1, cell: other?.cell ?? bet.cell.replace(/^\d+/, (t) => Number(t) + 5),
			nonce: randomUUID(), timestamp: bet.timestamp - 1, chain_id: 5, wallet: this.victim.wallet }[field];
		await this.mustNot(`a forged ${field}`, { ...bet, [field]: forgery });
	}

	async foreign(wish) {
		const bet = { wallet: this.victim.wallet, ...wish, rate: 10100, nonce: randomUUID(), timestamp: now_s(), chain_id: 1, version: 1 };
		delete bet.seen;
		bet.signature = await this.account.signMessage({ message: betText(bet) });
		await this.mustNot('another\'s wallet', bet);
	}

	async high_s(wish) {
		const bet = await this.sign(wish), { signature } = bet;
		const s = ORDER - BigInt(`0x${signature.slice(66, 130)}`), v = parseInt(signature.slice(130), 16);
		await this.mustNot('a high s', { ...bet, signature: signature.slice(0, 66) + s.toString(16).padStart(64, '0') + (v === 27 ? '1c' : '1b') });
	}

	// A bot that asks for the best rate that the cell had of late: late prices make old quotes good bets.
	async greedy(wish) {
		const rate = Math.max(wish.seen, this.best.get(wish.cell) ?? 0, Math.min(200_000, wish.seen + this.dice.whole(1, 2000)));
		this.best.set(wish.cell, rate);
		await this.post(await this.sign(wish, { rate }));
	}

	// The columns in which the price is, or is about to be: the referee holds what is taken against its moment.
	async late(wish) {
		const t0 = Math.floor(Date.now() / 5000) * 5 + 5 * this.dice.whole(-1, 2);
		await this.post(await this.sign({ ...wish, cell: wish.cell.replace(/^\d+/, String(t0)) }));
	}

	async aged(wish) {
		const off = this.dice.pick([-1, 1]) * this.dice.whole(90, 9000);
		await this.mustNot('an old or early signature', await this.sign(wish, { timestamp: now_s() + off }));
	}

	// More than he has, all at once.
	async broke(wish) {
		const [, low, high] = wish.cell.split('_');
		const t0 = Math.floor(Date.now() / 5000) * 5 + 20;
		const bets = await Promise.all([0, 1, 2, 3, 4, 5].map((i) => this.sign({ cell: `${t0 + 5 * i}_${low}_${high}`, stake: 100 * USD })));
		await Promise.all([...bets.map((b) => this.post(b)), this.withdraw(900 * USD)]);
	}
}
