// What a player has been told, so that what he missed can be found in the API and told once. Between two equal answers of GET /me the
// lists show exactly what stood at that seq; events beyond it are still to come over the socket.
import type { Api } from './http.js';
import type { BalanceChanged, Bet, BetConfirmed, BetResolved, LedgerEntry, Me, Outcome } from './types.js';

export type Missed = { at: number } & (
	| { type: 'bet:confirmed'; event: BetConfirmed }
	| { type: 'bet:resolved'; event: BetResolved }
	| { type: 'balance'; event: BalanceChanged });

const TRIES = 10, MARGIN_MS = 1000;
const OF_BETS = new Set(['BET', 'PAYOUT', 'REFUND', 'OPENING']); // told as bets; an opening moves nothing

export class Told {
	seq = -1;
	private readonly bets = new Map<string, { status: Bet['status']; placed_at: number }>();
	private newestRow: string | undefined; // of the ledger, when the count below was 0
	private balances = 0;                   // `balance` events told since
	private since = 0;                      // bets placed before are known or decided

	confirmed(b: { bet_id: string; placed_at: number }): boolean {
		if (this.bets.has(b.bet_id))
			return false;
		this.bets.set(b.bet_id, { status: 'confirmed', placed_at: b.placed_at });
		return true;
	}

	resolved(bet_id: string, outcome: Outcome): boolean {
		const b = this.bets.get(bet_id);
		if (b && b.status !== 'confirmed')
			return false;
		this.bets.set(bet_id, { status: outcome, placed_at: b?.placed_at ?? this.since });
		return true;
	}

	balance(): void {
		this.balances++;
	}

	/** Reads where the player stands; what he was not told comes back, oldest first. The first time nothing was missed. */
	async catchUp(api: Api, token: string): Promise<Missed[]> {
		for (let tries = 0; ; tries++) {
			const seq = await this.seqNow(api, token);
			const first = this.seq < 0;
			const rows = await this.newRows(api, token, first);
			const bets = await this.changedBets(api, token, first ? rows.at(-1)?.at ?? 0 : this.oldest());
			if (first) // and those that are open from before
				bets.push(...await this.listed(api, token, { status: 'confirmed' }));
			if (await this.seqNow(api, token) !== seq) {
				if (tries === TRIES)
					throw new Error('the account moves too fast to be caught up with');
				continue;
			}
			this.seq = seq;
			return first ? this.begin(bets, rows) : this.take(bets, rows);
		}
	}

	private async seqNow(api: Api, token: string): Promise<number> {
		return (await api.call<Me>('GET', '/me', { token })).body.seq;
	}

	/** No bet placed before is open or unknown. */
	private oldest(): number {
		let at = this.since;
		for (const b of this.bets.values())
			if (b.status === 'confirmed' && b.placed_at < at)
				at = b.placed_at;
		return at;
	}

	private changedBets(api: Api, token: string, from: number): Promise<Bet[]> {
		return this.listed(api, token, { from: Math.max(0, from - MARGIN_MS) });
	}

	private async listed(api: Api, token: string, query: Record<string, string | number>): Promise<Bet[]> {
		const found: Bet[] = [];
		for await (const b of api.list<Bet>('/bets', 'bets', { token, query }))
			found.push(b);
		return found.reverse();
	}

	private async newRows(api: Api, token: string, first: boolean): Promise<LedgerEntry[]> {
		const rows: LedgerEntry[] = [];
		for await (const e of api.list<LedgerEntry>('/ledger', 'entries', { token, query: { limit: first ? 1 : 500 } },
			(row) => row.id === this.newestRow)) {
			rows.push(e);
			if (first)
				break;
		}
		return rows.reverse();
	}

	private begin(bets: Bet[], rows: LedgerEntry[]): Missed[] {
		for (const b of bets)
			this.bets.set(b.bet_id, { status: b.status, placed_at: b.placed_at });
		this.mark(rows);
		return [];
	}

	private mark(rows: LedgerEntry[]): void {
		this.newestRow = rows.at(-1)?.id ?? this.newestRow;
		this.balances = 0;
		this.since = Math.max(this.since, rows.at(-1)?.at ?? 0);
		const oldest = this.oldest() - MARGIN_MS;
		for (const [id, b] of this.bets)
			if (b.status !== 'confirmed' && b.placed_at < oldest)
				this.bets.delete(id);
	}

	private take(bets: Bet[], rows: LedgerEntry[]): Missed[] {
		const missed: Missed[] = [];
		for (const b of bets) {
			if (this.confirmed(b))
				missed.push({ at: b.placed_at, type: 'bet:confirmed', event: { repaired: true, bet_id: b.bet_id, cell: b.cell,
					stake: b.stake, rate: b.rate, placed_at: b.placed_at } });
			if (b.status !== 'confirmed' && this.resolved(b.bet_id, b.status))
				missed.push({ at: b.resolved_at ?? b.placed_at, type: 'bet:resolved', event: { repaired: true, bet_id: b.bet_id,
					outcome: b.status, payout: b.payout ?? 0 } });
		}
		for (const e of rows.filter((row) => !OF_BETS.has(row.ref_type)).slice(this.balances))
			missed.push({ at: e.at, type: 'balance', event: { repaired: true, balance: e.balance_after, ref_type: e.ref_type } });
		this.mark(rows);
		return missed.sort((a, b) => a.at - b.at);
	}
}
