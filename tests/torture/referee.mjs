// The referee: outside of the product, with the players' own books on one side and what the product shows and wrote on the other. Nothing
// of the product's code judges here; its own audits are asked too, and must agree.
import assert from 'node:assert/strict';
import path from 'node:path';
import { until, WELCOME } from '../e2e/lib/product.mjs';
import { W, auditBook, judge, outcome, payout, whole } from '../e2e/lib/judge.mjs';
import { LOSES_TICKS } from './faults.mjs';

const STATUS = ['', 'confirmed', 'won', 'lost', 'void'];
const ZEROS = '0'.repeat(64);

// Seven bits a byte, lowest first; differences zigzag: docs of lib/domain/path.h.
export function decodePath(hex) {
	const bytes = Buffer.from(hex, 'hex');
	let at = 0;
	const varint = () => {
		let v = 0n;
		for (let shift = 0n; ; shift += 7n) {
			const byte = bytes[at++];
			v |= BigInt(byte & 0x7f) << shift;
			if (!(byte & 0x80))
				return v;
		}
	};
	const difference = () => {
		const z = varint();
		return Number(z & 1n ? -(z >> 1n) - 1n : z >> 1n);
	};
	const ticks = [];
	let t = 0, p = 0;
	for (let n = varint(); n > 0n; n--)
		ticks.push([t += difference(), p += difference()]);
	assert.equal(at, bytes.length, 'bytes behind the path');
	return ticks;
}

export class Referee {
	constructor(world, witness) {
		Object.assign(this, { world, witness, disturbed: [], decisions: new Map(), checked: { bets: 0, columns: 0, rates: 0, events: 0, missing: 0, unheard: 0 } });
	}

	// A fault that takes ticks away lasts from then to then, by the product's clock at either end.
	note(kind, from, to) {
		if (LOSES_TICKS.test(kind))
			this.disturbed.push([Math.min(from, to), Math.max(from, to)]);
	}

	// ---- everything that is in the local weeks' books, by plain SQL ----

	async read() {
		const bets = new Map(), columns = new Map(), ledger = [], accounts = new Map();
		for (const book of this.world.books()) {
			const week = path.basename(book);
			const names = new Map((await this.world.rows(book, `SELECT id, ref_id FROM transaction_ledger WHERE ref_type = 'BET'`)).map((r) => [r.id, r.ref_id]));
			for (const b of await this.world.rows(book, 'SELECT * FROM bets')) {
				const key = `${b.t0}_${b.low}_${b.user}`;
				bets.set(key, { ...b, id: bets.get(key)?.id ?? names.get(b.bet_row), week });
			}
			for (const c of await this.world.rows(book, `SELECT t0, status, anchor_t, anchor_p, path_low, path_high, ticks,
					hex(path) AS path, lower(hex(digest)) AS digest, lower(hex(prev_digest)) AS prev, settled_at, bets FROM columns`)) {
				const before = columns.get(c.t0);
				if (before)
					assert.equal(before.digest, c.digest, `column ${c.t0} is another one in ${week}`);
				columns.set(c.t0, c);
			}
			for (const l of await this.world.rows(book, 'SELECT * FROM transaction_ledger ORDER BY id'))
				ledger.push({ ...l, week });
			for (const u of await this.world.rows(book, 'SELECT id, lower(hex(wallet)) AS wallet, balance, suspended, open_bets, open_stake FROM users'))
				accounts.set(u.id, { ...u, week });
		}
		return { bets, columns, ledger, accounts };
	}

	// Each column by its own evidence, the chain of them, and each price as it was heard.
	columns({ columns }) {
		const judged = new Map(), times = [...columns.keys()];
		for (let t0 = Math.min(...times); t0 < Math.max(...times); t0 += W)
			assert.ok(columns.has(t0), `column ${t0} passed and is not recorded`);
		for (const c of [...columns.values()].sort((a, b) => a.t0 - b.t0)) {
			const ticks = decodePath(c.path), j = judge(ticks, c.t0, c.prev), what = `column ${c.t0}`;
			judged.set(c.t0, j);
			assert.equal(c.digest, j.digest, `${what}: its digest`);
			assert.equal(j.n, ticks.length, `${what}: ticks that are none of its path`);
			assert.equal(c.ticks, ticks.length, `${what}: how many ticks`);
			assert.ok(ticks.every(([t], i) => i === 0 || t > ticks[i - 1][0]), `${what}: ticks out of order`);
			assert.equal(STATUS[c.status === 2 ? 4 : 1] === 'void', j.void, `${what}: void or not`);
			if (ticks.length > 0)
				assert.deepEqual([c.path_low, c.path_high], [j.low, j.high], `${what}: its bounds`);
			const before = columns.get(c.t0 - W);
			assert.equal(c.prev, before ? before.digest : ZEROS, `${what}: the chain`);
			this.heard(c, ticks);
			this.checked.columns++;
		}
		return judged;
	}

	heard(c, ticks) {
		const from = c.t0 * 1000, to = from + W * 1000;
		const mine = new Map(ticks);
		for (const [t, p] of ticks) {
			const heard = this.witness.ticks.get(t);
			if (heard === undefined)
				this.checked.unheard++;
			else
				assert.equal(p, heard, `column ${c.t0}: the price at ${t} is not the published one`);
		}
		if (this.disturbed.some(([a, b]) => a < to + 60_000 && b > from - 30_000))
			return;
		for (const [t] of this.witness.ticks)
			if (t >= from && t < to && !mine.has(t))
				this.checked.missing++;
		assert.equal(this.checked.missing, 0, `column ${c.t0}: a published tick is not in its evidence, though nothing was lost then`);
	}

	// Each bet decided once, by its column's evidence; each payout; each balance by the sum of what moved it.
	money({ bets, ledger, accounts }, judged) {
		const rows = new Map();
		const sums = new Map();
		for (const l of ledger) {
			const sum = sums.get(l.user) ?? 0;
			if (l.ref_type === 'OPENING') {
				assert.equal(l.amount, sum, `the opening of user ${l.user} in ${l.week}`);
			} else {
				sums.set(l.user, sum + l.amount);
				const key = `${l.ref_type} ${l.ref_id}`;
				assert.ok(!rows.has(key), `booked twice: ${key}`);
				rows.set(key, l);
			}
			assert.equal(l.balance_after, sums.get(l.user), `balance_after of row ${l.id} in ${l.week}`);
			assert.ok(l.balance_after >= 0, `a balance below zero at row ${l.id}`);
		}
		for (const a of accounts.values())
			assert.equal(a.balance, sums.get(a.id) ?? 0, `the balance of user ${a.id}`);
		let paid = 0;
		for (const b of bets.values()) {
			const what = JSON.stringify(b), j = judged.get(b.t0), cell = `${b.t0}_${b.low}_${b.low + 2000}`;
			assert.ok(j, `a bet whose column is not recorded: ${what}`);
			const result = outcome(j, cell), due = payout(b, result);
			assert.equal(STATUS[b.status], result, `the outcome of ${what}`);
			assert.equal(rows.get(`BET ${b.id}`)?.amount, -b.stake, `the stake of ${what}`);
			assert.equal(rows.get(`PAYOUT ${b.id}`)?.amount, result === 'won' ? due : undefined, `the payout of ${what}`);
			assert.equal(rows.get(`REFUND ${b.id}`)?.amount, result === 'void' ? due : undefined, `the refund of ${what}`);
			paid += result === 'lost' ? 0 : 1;
			this.checked.bets++;
		}
		assert.equal([...rows.keys()].filter((k) => k.startsWith('BET ')).length, bets.size, 'stakes of no bet');
		assert.equal([...rows.keys()].filter((k) => /^(PAYOUT|REFUND) /.test(k)).length, paid, 'payouts of no bet');
		return rows;
	}

	// ---- what players hold in their hands ----

	// Whoever was told of a bet finds it with that very balance; in the middle of everything too.
	async told(acks) {
		const book = new Map();
		for (const file of this.world.books())
			for (const r of await this.world.rows(file, `SELECT ref_id AS id, balance_after AS balance FROM transaction_ledger WHERE ref_type = 'BET'`))
				book.set(r.id, r.balance);
		for (const a of acks)
			assert.equal(book.get(a.bet_id), a.balance, `acknowledged, but the book says otherwise: ${JSON.stringify(a)}`);
		return acks.length;
	}

	async player(p) {
		await until(`${p.wallet} to sign in`, 60_000, () => p.login().then((a) => a.status === 201, () => false), 1000);
		const entries = (await whole(p, '/ledger?limit=100', 'entries')).reverse();
		const bets = await whole(p, '/bets?limit=100', 'bets');
		const withdrawals = await whole(p, '/withdrawals?limit=100', 'withdrawals');
		const { body: me } = await p.get('/me');
		const byId = new Map(bets.map((b) => [b.bet_id, b]));
		assert.equal(byId.size, bets.length, 'a bet is listed twice');
		for (const a of p.acks.values()) {
			const b = byId.get(a.bet_id);
			assert.ok(b, `acknowledged, and not among the bets: ${JSON.stringify(a)}`);
			assert.deepEqual([b.cell, b.stake, b.rate, b.placed_at], [a.cell, a.stake, a.rate, a.placed_at]);
		}
		const asked = [...p.asked.values()];
		for (const b of bets)
			assert.ok(p.acks.has(b.bet_id) || asked.some((n) => n.unknown > 0 && n.bet.cell === b.cell && n.bet.stake === b.stake && n.bet.rate <= b.rate),
				`a bet that nobody placed: ${JSON.stringify(b)}`);
		this.cash(p, withdrawals);
		this.sum(p, entries, bets, withdrawals, me);
		this.events(p, byId, me);
		this.rates(p);
	}

	cash(p, withdrawals) {
		const byId = new Map(withdrawals.map((w) => [w.withdrawal_id, w]));
		for (const [id, a] of p.withdrawals.acks)
			assert.equal(byId.get(id)?.amount, a.amount, `a withdrawal that was acknowledged: ${JSON.stringify(a)}`);
		for (const [id, decision] of this.decisions)
			if (byId.has(id))
				assert.equal(byId.get(id).status, decision, `a withdrawal that the office decided: ${id}`);
		const others = withdrawals.filter((w) => !p.withdrawals.acks.has(w.withdrawal_id)).map((w) => w.amount);
		const unknown = new Map(p.withdrawals.unknown.map((w) => [w.nonce, w.amount]));
		assert.ok(others.length <= unknown.size, 'a withdrawal that nobody asked for');
	}

	// The player's own sum, from what he was told and what his columns' ticks decide.
	sum(p, entries, bets, withdrawals, me) {
		const open = bets.filter((b) => b.status === 'confirmed');
		assert.deepEqual([me.open_bets, me.open_stake], [open.length, 0], 'all is decided by now');
		let balance = WELCOME, moves = 1;
		for (const [ref, d] of p.deposits) {
			const there = entries.filter((e) => e.ref_type === 'DEPOSIT' && e.ref_id === ref);
			assert.ok(there.length <= 1 && (!d.sure || there.length === 1), `deposit ${ref}: booked ${there.length} times`);
			balance += there.length * d.amount;
			moves += there.length;
		}
		for (const b of bets) {
			assert.equal(b.payout, payout(b, b.status), `the payout of ${JSON.stringify(b)}`);
			balance += b.payout - b.stake;
			moves += 2;
		}
		for (const w of withdrawals) {
			balance -= w.status === 'rejected' ? 0 : w.amount;
			moves += w.status === 'rejected' ? 2 : 1;
		}
		assert.equal(me.balance, balance, `the balance of ${p.wallet} by his own sum`);
		assert.equal(entries.at(-1).balance_after, balance, `the ledger's last word for ${p.wallet}`);
		assert.equal(me.seq, moves, `seq of ${p.wallet}: one for each event`);
	}

	// On each socket seq rises; the same seq is the same event everywhere; what an event says is what the books say.
	events(p, bets, me) {
		const all = new Map();
		for (const link of p.links) {
			let last = 0;
			for (const e of link.filter((x) => x.seq !== undefined && x.type !== 'auth:ok')) {
				assert.ok(e.seq > last, `seq ${e.seq} after ${last}: ${JSON.stringify(e)}`);
				last = e.seq;
				assert.ok(e.seq <= me.seq, `an event of the future: ${JSON.stringify(e)}`);
				if (all.has(e.seq))
					assert.deepEqual(e, all.get(e.seq), 'one seq, two events');
				all.set(e.seq, e);
				const b = bets.get(e.bet_id);
				if (e.type === 'bet:confirmed')
					assert.deepEqual([e.cell, e.stake, e.rate], [b?.cell, b?.stake, b?.rate], `told of ${JSON.stringify(e)}`);
				if (e.type === 'bet:resolved')
					assert.deepEqual([e.outcome, e.payout], [b?.status, b?.payout], `told of ${JSON.stringify(e)}`);
				this.checked.events++;
			}
		}
	}

	rates(p) {
		for (const a of p.acks.values()) {
			const rates = this.witness.ratesAt(a.cell, a.placed_at);
			if (rates === undefined)
				continue;
			assert.ok(rates.includes(a.rate), `at ${a.rate}, where the quotes of that second said ${rates}: ${JSON.stringify(a)} ` +
				this.witness.sightings(a.cell, a.rate, a.placed_at));
			this.checked.rates++;
		}
	}

	// The product's own audits.
	async audits() {
		await auditBook(this.world);
		const verify = await this.world.ctl('verify', '--all', '--json');
		assert.equal(verify.code, 0, `ctl verify --all: ${verify.stdout.slice(-2000)}${verify.stderr}`);
	}

	// What was shipped through all of it is whole, once the store had its peace; how many weeks are in the store by then is the archiver's own.
	async shipped(bets) {
		let said;
		await until(`what was shipped to hold every bet: ${JSON.stringify(said)}`, 60_000, async () => {
			const { code, stdout, stderr } = await this.world.ctl('backup', 'drill', '--json');
			said = code === 0 ? JSON.parse(stdout) : { code, stdout, stderr };
			return code === 0 && said.bets === bets;
		}, 2000).catch((e) => assert.fail(`${e.message} ${JSON.stringify(said)}, where the book has ${bets}`));
	}

	async all(players, told) {
		await until('all bets to be decided', 60_000, async () => {
			const [{ n }] = await this.world.rows(this.world.books().at(-1), 'SELECT count(*) AS n FROM bets WHERE status = 1');
			return n === 0;
		}, 1000);
		await this.audits();
		const books = await this.read();
		this.money(books, this.columns(books));
		await this.told(told);
		for (const p of players)
			await this.player(p);
		await this.shipped((await this.world.rows(this.world.books().at(-1), 'SELECT count(*) AS n FROM bets'))[0].n);
		await this.audits();
		assert.deepEqual(this.world.complaints(), []);
	}
}
