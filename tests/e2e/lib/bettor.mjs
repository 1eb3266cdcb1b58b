// A player who bets all the time, whatever happens to the product, and remembers what he was told. An answer that did not come
// leaves a bet that is either whole in the book or absent; he asks afterwards, as the contract tells clients to.
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { Player, USD, cells } from './player.mjs';
import { until } from './product.mjs';
import { W, auditPlayer, judge, outcome, payout, ticksOf } from './judge.mjs';

export class Bettor extends Player {
	constructor(product, options) {
		super(product, options);
		this.told = [];      // answers that said confirmed
		this.unanswered = []; // signed bets without an answer
		this.refusals = {};
		this.tried = new Set(); // cells: one bet for each, for ever
	}

	// The open cell with the highest rate of a column that this player has not tried yet.
	fresh(grid, i) {
		const cell = cells(grid).filter((c) => c.i === i && c.rate > 0 && !this.tried.has(c.cell)).sort((a, b) => b.rate - a.rate)[0];
		this.tried.add(cell.cell);
		return cell;
	}

	// Bets on such a cell. The market moves meanwhile, as for every player: what it closed or re-priced is tried again elsewhere.
	async place(i, fields = {}) {
		for (;;) {
			const { body } = await this.get('/grid');
			if (!cells(body).some((c) => c.i === i && c.rate > 0 && !this.tried.has(c.cell))) {
				await sleep(250);
				continue;
			}
			const bet = await this.signed({ ...fields, cell: this.fresh(body, i).cell });
			const answer = await this.post(bet);
			if (!['cell_closed', 'quote_changed', 'column_closed'].includes(answer.body?.code))
				return { bet, answer };
		}
	}

	async play(everyMs = 250) {
		this.playing = true;
		while (this.playing) {
			await this.once();
			await sleep(everyMs);
		}
	}

	start(everyMs) {
		this.loop = this.play(everyMs);
	}

	async finish() {
		this.playing = false;
		await this.loop;
	}

	async once() {
		let bet;
		try {
			const answer = await this.api.call('GET', '/api/v1/grid');
			if (answer.status !== 200)
				return this.refused(`grid ${answer.body?.code}`);
			const open = cells(answer.body).filter((c) => c.rate > 0 && c.i < 3 && !this.tried.has(c.cell));
			if (open.length === 0)
				return this.refused('no open cell');
			const cell = open[Math.floor(Math.random() * open.length)].cell;
			this.tried.add(cell);
			bet = await this.signed({ cell, stake: USD });
		} catch {
			return this.refused('no grid');
		}
		try {
			const answer = await this.post(bet);
			if (answer.status === 202 || answer.status === 200)
				this.told.push(answer.body);
			else if (answer.status >= 500 && !['price_feed_stale', 'overloaded'].includes(answer.body?.code))
				this.unanswered.push(bet);
			else
				this.refused(answer.body?.code ?? answer.status);
		} catch {
			this.unanswered.push(bet);
		}
	}

	refused(why) {
		this.refusals[why] = (this.refusals[why] || 0) + 1;
	}

	// Signs in again when the session is gone (Redis emptied), keeping wallet and key.
	async signInAgain() {
		await until('a session', 40_000, async () => {
			try {
				return (await this.get('/me')).status === 200 || (await this.login()).status === 201;
			} catch {
				return false;
			}
		}, 500);
	}

	// After everything: what was told stands, what was not told is whole or absent, every bet is decided once, by the rules.
	async reckon(welcome, { recompute = true } = {}) {
		await this.signInAgain();
		await until('all bets to be decided', 120_000, async () => (await this.get('/me')).body?.open_bets === 0, 500);
		const { bets } = await auditPlayer(this, welcome);
		const byId = new Map(bets.map((b) => [b.bet_id, b]));
		for (const t of this.told) {
			const b = byId.get(t.bet_id);
			assert.ok(b, `told confirmed, but not in the book: ${JSON.stringify(t)}`);
			assert.deepEqual([b.cell, b.stake, b.rate], [t.cell, t.stake, t.rate]);
		}
		const told = new Set(this.told.map((t) => t.bet_id));
		const asked = new Set(this.unanswered.map((b) => b.cell));
		for (const b of bets)
			assert.ok(told.has(b.bet_id) || asked.has(b.cell), `a bet that nobody placed: ${JSON.stringify(b)}`);
		const outcomes = {};
		for (const b of bets) {
			outcomes[b.status] = (outcomes[b.status] || 0) + 1;
			assert.equal(b.payout, payout(b, b.status));
			if (!recompute)
				continue;
			const t0 = Number(b.cell.split('_')[0]);
			const column = (await this.get(`/columns/${t0}`)).body;
			const judged = judge(await ticksOf(this.api, t0), t0, column.prev_digest);
			assert.equal(column.digest, judged.digest, `the digest of ${t0}`);
			assert.equal(b.status, outcome(judged, b.cell), JSON.stringify({ b, column }));
		}
		return { bets, outcomes };
	}
}

export const columnOf = (ms) => Math.floor(ms / 1000 / W) * W;
