// Why a tap is refused by the page itself, before anything is signed or sent: a code of words.refused. Pure.
import type { Tap } from './taps.js';

/** With a feed that is said to be well ten ticks come a second: after so long without one the connection is dead, whatever the browser says. */
export const SILENT_MS = 5000;

export interface Moment {
	online: boolean;
	link: 'connecting' | 'open' | 'lost';
	feed: 'unknown' | 'healthy' | 'degraded' | 'critical';
	betting: boolean;
	/** Since the last tick was heard. */
	silentMs: number;
	/** The rate that is seen on the cell; 0: none. */
	seen: number;
	/** The cell's column takes no bets any more. */
	late: boolean;
	/** What lies on the cell already. */
	before: Tap | undefined;
	barred: boolean;
	poor: boolean;
}

const connected = (m: Pick<Moment, 'online' | 'link' | 'feed' | 'silentMs'>): boolean =>
	m.online && m.link === 'open' && !(m.feed === 'healthy' && m.silentMs > SILENT_MS);

export function refusalOf(m: Moment): string | undefined {
	switch (m.before?.state) {
	case 'pending': return 'own_pending';
	case 'unknown': return 'own_unknown';
	case 'confirmed': return 'bet_exists';
	case 'won': case 'lost': case 'void': return 'own_decided';
	}
	if (m.barred)
		return 'barred';
	if (!connected(m))
		return 'offline';
	if (!m.betting)
		return m.feed === 'critical' ? 'price_feed_stale' : 'betting_closed';
	if (m.seen === 0)
		return m.late ? 'column_closed' : 'cell_closed';
	return m.poor ? 'insufficient_funds' : undefined;
}
