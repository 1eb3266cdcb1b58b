// What became of each tap, as a pure table of moves. A cell has at most one: the contract's "one bet for each (wallet, cell)".
//   pending    sent; it becomes confirmed by the event on the socket alone, never by the answer to the POST
//   unknown    the socket was lost meanwhile, or the answer: GET /bets decides
//   confirmed  on disk; stays so until its column is decided
//   won, lost, void   decided
//   refused    nothing was taken; shown for a moment, and the cell may be tapped again
import type { Bet, BetConfirmed, BetResolved, Outcome } from '@tap-trading/client';

export type TapState = 'pending' | 'unknown' | 'confirmed' | 'refused' | Outcome;

export interface Tap {
	cell: string;
	stake: number;
	/** As it was seen when pending, as it was written when confirmed. */
	rate: number;
	state: TapState;
	/** The server's time of the tap, then of the bet. */
	at: number;
	betId?: string;
	payout?: number;
	/** Of a refusal. */
	code?: string;
}

export type Taps = ReadonlyMap<string, Tap>;

export type Move =
	| { type: 'tapped'; cell: string; stake: number; rate: number; at: number }
	| { type: 'answered'; cell: string; betId: string }
	| { type: 'refused'; cell: string; code: string }
	| { type: 'doubted'; cell: string }
	| { type: 'lost-sight' }
	| { type: 'confirmed'; bet: BetConfirmed }
	| { type: 'resolved'; bet: BetResolved }
	| { type: 'listed'; bets: Bet[] }
	| { type: 'absent'; cell: string }
	| { type: 'forget'; before: number }
	| { type: 'clear' };

const undecided = (tap: Tap | undefined): tap is Tap => tap?.state === 'pending' || tap?.state === 'unknown';
export const decided = (tap: Tap): boolean => tap.state === 'won' || tap.state === 'lost' || tap.state === 'void';
/** Has a stake on it that is not back yet. */
export const isOpen = (tap: Tap): boolean => tap.state === 'confirmed' || tap.state === 'unknown';

function put(taps: Taps, tap: Tap): Taps {
	return new Map(taps).set(tap.cell, tap);
}

function without(taps: Taps, drop: (tap: Tap) => boolean): Taps {
	const kept = new Map([...taps].filter(([, tap]) => !drop(tap)));
	return kept.size === taps.size ? taps : kept;
}

function listed(taps: Taps, bet: Bet): Taps {
	const before = taps.get(bet.cell);
	if (before && decided(before))
		return taps;
	const tap: Tap = { cell: bet.cell, stake: bet.stake, rate: bet.rate, at: bet.placed_at, betId: bet.bet_id, state: bet.status };
	return put(taps, bet.payout === null ? tap : { ...tap, payout: bet.payout });
}

export function move(taps: Taps, m: Move): Taps {
	switch (m.type) {
	case 'tapped': {
		const before = taps.get(m.cell);
		if (before && before.state !== 'refused')
			return taps;
		return put(taps, { cell: m.cell, stake: m.stake, rate: m.rate, at: m.at, state: 'pending' });
	}
	case 'answered': {
		const tap = taps.get(m.cell);
		return undecided(tap) ? put(taps, { ...tap, betId: m.betId }) : taps;
	}
	case 'refused': {
		const tap = taps.get(m.cell);
		return undecided(tap) ? put(taps, { ...tap, state: 'refused', code: m.code }) : taps;
	}
	case 'doubted': {
		const tap = taps.get(m.cell);
		return tap?.state === 'pending' ? put(taps, { ...tap, state: 'unknown' }) : taps;
	}
	case 'lost-sight':
		return [...taps.values()].reduce((all, tap) => (tap.state === 'pending' ? put(all, { ...tap, state: 'unknown' }) : all), taps);
	case 'confirmed': {
		const { bet } = m;
		const before = taps.get(bet.cell);
		if (before && decided(before))
			return taps;
		return put(taps, { cell: bet.cell, stake: bet.stake, rate: bet.rate, at: bet.placed_at, betId: bet.bet_id, state: 'confirmed' });
	}
	case 'resolved': {
		const tap = [...taps.values()].find((t) => t.betId === m.bet.bet_id);
		return tap ? put(taps, { ...tap, state: m.bet.outcome, payout: m.bet.payout }) : taps;
	}
	case 'listed':
		return m.bets.reduce(listed, taps);
	case 'absent': {
		const tap = taps.get(m.cell);
		return undecided(tap) ? without(taps, (t) => t === tap) : taps;
	}
	case 'forget':
		return without(taps, (t) => !isOpen(t) && t.state !== 'pending' && t.at < m.before);
	case 'clear':
		return new Map();
	}
}
