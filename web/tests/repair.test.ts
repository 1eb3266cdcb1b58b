import { describe, expect, it } from 'vitest';
import type { Bet } from '@tap-trading/client';
import { DOUBT_MS, SIGNATURE_LIFE_MS, doubtful, verdict } from '../src/state/repair.js';
import { move, type Move, type Tap, type Taps } from '../src/state/taps.js';

const AT = 1_000_000, cells = ['100_2000_4000', '105_2000_4000', '110_2000_4000'] as const;
const tapped = (cell: string): Move => ({ type: 'tapped', cell, stake: 1_000_000, rate: 20_000, at: AT });
const bet = (cell: string): Bet => ({ bet_id: cell, cell, stake: 1_000_000, rate: 20_000, status: 'confirmed', payout: null, placed_at: AT, resolved_at: null });
const all: Taps = [...cells.map(tapped), { type: 'confirmed', bet: bet(cells[1]) } as Move, { type: 'doubted', cell: cells[2] } as Move]
	.reduce(move, new Map() as Taps);

describe('what is asked for', () => {
	it('is the unknown at once, and the pending when its event is late', () => {
		expect(doubtful(all, AT + 1).map((tap) => tap.cell)).toEqual([cells[2]]);
		expect(doubtful(all, AT + DOUBT_MS).map((tap) => tap.cell)).toEqual([cells[2]]);
		expect(doubtful(all, AT + DOUBT_MS + 1).map((tap) => tap.cell)).toEqual([cells[0], cells[2]]);
	});
});

describe('what is said of it', () => {
	const tap = all.get(cells[2]) as Tap, late = AT + SIGNATURE_LIFE_MS;

	it('is that it was found, whatever the time', () => {
		for (const now of [AT, late + 1])
			expect(verdict(tap, [bet(cells[0]), bet(cells[2])], true, now)).toBe('found');
	});

	it('is nothing as long as a message of it may still arrive', () => {
		expect(verdict(tap, [], false, late)).toBe('unknown');
		expect(verdict(tap, [], true, late + 60_000)).toBe('unknown');
	});

	it('is that it was not taken once none can', () => expect(verdict(tap, [bet(cells[0])], false, late + 1)).toBe('absent'));
});
