// What a cell is at this moment, for whoever draws it or says it.
import type { Tap, TapState, Taps } from '../state/taps.js';
import type { Market } from '../state/market.js';

export type CellState = 'open' | 'closed' | TapState;
export interface Cell { state: CellState; rate: number; tap: Tap | undefined }

/** A refusal is shown so long; then the cell is what it was before. */
export const REFUSED_MS = 2500;

export const idOf = (t0: number, low: number, height: number): string => `${t0}_${low}_${low + height}`;

export function cellOf(market: Market, taps: Taps, t0: number, low: number, height: number, now: number): Cell {
	const rate = market.rateOf(t0, low), tap = taps.get(idOf(t0, low, height));
	if (tap && (tap.state !== 'refused' || now - tap.at < REFUSED_MS))
		return { state: tap.state, rate: tap.rate, tap };
	return { state: rate > 0 ? 'open' : 'closed', rate, tap: undefined };
}
