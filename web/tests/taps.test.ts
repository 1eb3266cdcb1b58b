import { describe, expect, it } from 'vitest';
import type { Bet } from '@tap-trading/client';
import { isOpen, move, type Move, type Taps } from '../src/state/taps.js';

const CELL = '1771234565_9742000_9744000', OTHER = '1771234570_9742000_9744000';
const tapped: Move = { type: 'tapped', cell: CELL, stake: 5_000_000, rate: 23_500, at: 1000 };
const written = { bet_id: 'B1', cell: CELL, stake: 5_000_000, rate: 23_400, placed_at: 1100 };
const confirmed: Move = { type: 'confirmed', bet: written };
const bet = (more: Partial<Bet> = {}): Bet => ({ ...written, status: 'confirmed', payout: null, resolved_at: null, ...more });
const after = (...moves: Move[]): Taps => moves.reduce(move, new Map() as Taps);
const state = (...moves: Move[]) => after(...moves).get(CELL)?.state;

describe('a tap', () => {
	it('is pending at once, and stays so when the POST is answered', () => {
		expect(state(tapped)).toBe('pending');
		expect(after(tapped, { type: 'answered', cell: CELL, betId: 'B1' }).get(CELL)).toMatchObject({ state: 'pending', betId: 'B1' });
	});

	it('is confirmed by the event alone, with the rate that was written', () => {
		expect(after(tapped, confirmed).get(CELL)).toMatchObject({ state: 'confirmed', rate: 23_400, betId: 'B1', at: 1100 });
	});

	it('is confirmed when the event overtakes the answer', () => {
		expect(state(tapped, confirmed, { type: 'answered', cell: CELL, betId: 'B1' })).toBe('confirmed');
	});

	it('is one for each cell', () => {
		const twice = after(tapped, { ...tapped, stake: 1_000_000 } as Move);
		expect(twice.get(CELL)?.stake).toBe(5_000_000);
		expect(after(tapped, confirmed, tapped).get(CELL)?.state).toBe('confirmed');
	});

	it('may be tried again when it was refused', () => {
		expect(state(tapped, { type: 'refused', cell: CELL, code: 'quote_changed' })).toBe('refused');
		expect(state(tapped, { type: 'refused', cell: CELL, code: 'quote_changed' }, tapped)).toBe('pending');
	});

	it('is not refused any more once it was confirmed', () => {
		expect(state(tapped, confirmed, { type: 'refused', cell: CELL, code: 'unavailable' })).toBe('confirmed');
	});

	it('is unknown when the socket is lost, and only then', () => {
		expect(state(tapped, { type: 'lost-sight' })).toBe('unknown');
		expect(state(tapped, confirmed, { type: 'lost-sight' })).toBe('confirmed');
		expect(state(tapped, { type: 'doubted', cell: CELL })).toBe('unknown');
	});

	it('is found again by the list, however far it got', () => {
		const lost: Move = { type: 'lost-sight' };
		expect(state(tapped, lost, { type: 'listed', bets: [bet()] })).toBe('confirmed');
		expect(after(tapped, lost, { type: 'listed', bets: [bet({ status: 'won', payout: 11_700_000 })] }).get(CELL))
			.toMatchObject({ state: 'won', payout: 11_700_000 });
	});

	it('is gone when it was nowhere to be found', () => {
		expect(after(tapped, { type: 'lost-sight' }, { type: 'absent', cell: CELL }).size).toBe(0);
		expect(state(tapped, confirmed, { type: 'absent', cell: CELL })).toBe('confirmed');
	});

	it.each(['won', 'lost', 'void'] as const)('is %s when its column is decided, and stays so', (outcome) => {
		const resolved: Move = { type: 'resolved', bet: { bet_id: 'B1', outcome, payout: 7 } };
		expect(after(tapped, confirmed, resolved).get(CELL)).toMatchObject({ state: outcome, payout: 7 });
		expect(state(tapped, confirmed, resolved, { type: 'listed', bets: [bet()] })).toBe(outcome);
		expect(state(tapped, confirmed, resolved, confirmed)).toBe(outcome);
	});
});

describe('all taps', () => {
	it('forgets what is over, never what is open', () => {
		const all = after(tapped, confirmed, { ...tapped, cell: OTHER } as Move, { type: 'refused', cell: OTHER, code: 'other' });
		expect([...move(all, { type: 'forget', before: 5000 }).keys()]).toEqual([CELL]);
	});

	it('counts as open what has a stake on it', () => {
		const open = (...moves: Move[]) => [...after(...moves).values()].filter(isOpen).length;
		expect(open(tapped)).toBe(0);
		expect(open(tapped, confirmed)).toBe(1);
		expect(open(tapped, { type: 'lost-sight' })).toBe(1);
		expect(open(tapped, confirmed, { type: 'resolved', bet: { bet_id: 'B1', outcome: 'lost', payout: 0 } })).toBe(0);
	});

	it('is the same object when nothing changed, so that nothing is drawn', () => {
		const all = after(tapped, confirmed);
		expect(move(all, { type: 'forget', before: 0 })).toBe(all);
		expect(move(all, { type: 'lost-sight' })).toBe(all);
	});
});
