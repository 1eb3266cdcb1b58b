import { beforeEach, describe, expect, it } from 'vitest';
import type { Grid } from '@tap-trading/client';
import { Market } from '../src/state/market.js';
import { cellOf, REFUSED_MS } from '../src/play/cells.js';
import { move, type Taps } from '../src/state/taps.js';

const grid: Grid = { quote_id: 1, t: 100_000, columns: [110, 115], rows: { low: 4000, height: 2000, count: 3 },
	rates: [[0, 15_000, 90_000], [20_000, 18_000, 0]] };
let market: Market;

beforeEach(() => {
	market = new Market();
});

describe('the path', () => {
	it('takes ticks in order and each once', () => {
		for (const [t, p] of [[100, 1], [200, 2], [200, 3], [150, 4], [300, 5]] as const)
			market.tick(t, p);
		expect([market.t, market.p]).toEqual([[100, 200, 300], [1, 2, 5]]);
		expect(market.price).toBe(5);
	});

	it('is completed by the history, before it and in its gaps', () => {
		market.tick(500, 5);
		market.tick(900, 9);
		market.history([[300, 3], [500, 5], [700, 7]]);
		expect([market.t, market.p]).toEqual([[300, 500, 700, 900], [3, 5, 7, 9]]);
	});

	it('is bounded', () => {
		for (let i = 0; i < 50_000; i++)
			market.tick(i * 100, i);
		expect(market.t.length).toBeLessThan(2200);
		expect(market.t.length).toBe(market.p.length);
		expect(market.price).toBe(49_999);
	});
});

describe('a cell', () => {
	const none: Taps = new Map();

	it('is open by the newest grid alone', () => {
		expect(cellOf(market, none, 110, 6000, 2000, 0).state).toBe('closed');
		market.setGrid(grid);
		expect(cellOf(market, none, 110, 6000, 2000, 0)).toMatchObject({ state: 'open', rate: 15_000 });
		expect(cellOf(market, none, 115, 4000, 2000, 0)).toMatchObject({ state: 'open', rate: 20_000 });
		for (const [t0, low] of [[110, 4000], [115, 8000], [105, 6000], [120, 6000], [110, 2000], [110, 10_000], [110, 6500]] as const)
			expect(cellOf(market, none, t0, low, 2000, 0).state, `${t0} ${low}`).toBe('closed');
	});

	it('is closed to a player who may not play, and drawn anew for it', () => {
		market.setGrid(grid);
		const drawn = market.gridCount;
		market.closed = true;
		expect([cellOf(market, none, 110, 6000, 2000, 0).state, market.gridCount]).toEqual(['closed', drawn + 1]);
		market.closed = true;
		expect(market.gridCount).toBe(drawn + 1);
		market.closed = false;
		expect(cellOf(market, none, 110, 6000, 2000, 0).state).toBe('open');
	});

	it('shows the tap that is on it, and a refusal for a moment', () => {
		market.setGrid(grid);
		const cell = '110_6000_8000';
		const tapped = move(none, { type: 'tapped', cell, stake: 1, rate: 15_000, at: 1000 });
		expect(cellOf(market, tapped, 110, 6000, 2000, 1000).state).toBe('pending');
		const refused = move(tapped, { type: 'refused', cell, code: 'quote_changed' });
		expect(cellOf(market, refused, 110, 6000, 2000, 1000 + REFUSED_MS - 1).state).toBe('refused');
		expect(cellOf(market, refused, 110, 6000, 2000, 1000 + REFUSED_MS).state).toBe('open');
	});
});
