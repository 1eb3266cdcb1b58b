import type { Bet } from '@tap-trading/client';
import { words } from '../words/index.js';

const SIGNS: Record<Bet['status'], string> = { confirmed: '●', won: '✓', lost: '–', void: '↺' };

/** Told apart by sign and word, not by colour alone. */
export function Outcome({ status }: { status: Bet['status'] }) {
	return <span className={`outcome ${status}`}><span aria-hidden="true">{SIGNS[status]}</span> {words.account.bet.outcome[status]}</span>;
}
