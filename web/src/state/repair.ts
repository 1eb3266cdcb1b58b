// Taps of which it is not known what became, and what GET /bets says of them. Pure.
import type { Bet } from '@tap-trading/client';
import type { Tap, Taps } from './taps.js';

/** A pending tap whose event is so late is asked for. */
export const DOUBT_MS = 4000;
/** The server takes a signature for 30 s; beyond, with its own clock between, no message of the tap can become a bet any more. */
export const SIGNATURE_LIFE_MS = 32_000;

export function doubtful(taps: Taps, now: number): Tap[] {
	return [...taps.values()].filter((tap) => tap.state === 'unknown' || (tap.state === 'pending' && tap.at < now - DOUBT_MS));
}

/** `flying`: its POST has no answer yet; `bets`: all that the book has since before the tap. */
export function verdict(tap: Tap, bets: readonly Bet[], flying: boolean, now: number): 'found' | 'absent' | 'unknown' {
	if (bets.some((bet) => bet.cell === tap.cell))
		return 'found';
	return !flying && now > tap.at + SIGNATURE_LIFE_MS ? 'absent' : 'unknown';
}
