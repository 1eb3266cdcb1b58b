import { describe, expect, it } from 'vitest';
import { barredOf } from '../src/state/barred.js';
import { refusalOf, SILENT_MS, type Moment } from '../src/state/refusal.js';
import type { Tap, TapState } from '../src/state/taps.js';
import { words } from '../src/words/index.js';

const well: Moment = { online: true, link: 'open', feed: 'healthy', betting: true, silentMs: 100, seen: 23_500, late: false, before: undefined, barred: false,
	poor: false };
const tap = (state: TapState): Tap => ({ cell: '5_0_2000', stake: 1, rate: 2, at: 3, state });

describe('a tap is refused by the page itself', () => {
	it.each<[string | undefined, Partial<Moment>]>([
		[undefined, {}], [undefined, { before: tap('refused') }], [undefined, { silentMs: SILENT_MS }],
		['offline', { online: false }], ['offline', { link: 'lost' }], ['offline', { link: 'connecting' }], ['offline', { silentMs: SILENT_MS + 1 }],
		[undefined, { feed: 'degraded', silentMs: SILENT_MS + 1 }], // the feed's silence, not the connection's: the server decides
		['price_feed_stale', { feed: 'critical', betting: false, silentMs: 20_000 }], ['betting_closed', { betting: false }],
		['column_closed', { seen: 0, late: true }], ['cell_closed', { seen: 0 }], ['insufficient_funds', { poor: true }], ['barred', { barred: true, seen: 0 }],
		['own_pending', { before: tap('pending') }], ['own_unknown', { before: tap('unknown'), online: false }], ['bet_exists', { before: tap('confirmed') }],
		['own_decided', { before: tap('won') }], ['own_decided', { before: tap('lost') }], ['own_decided', { before: tap('void'), barred: true }],
	])('%s', (code, change) => {
		expect(refusalOf({ ...well, ...change })).toBe(code);
		expect(code === undefined || code === 'barred' || words.refused[code]).toBeTruthy();
	});
});

describe('a pause or an exclusion', () => {
	it.each([
		[undefined, null, null], [undefined, 1000, 999], [{ why: 'pause', until: 1001 }, 1001, null], [{ why: 'exclusion', until: 1001 }, null, 1001],
		[{ why: 'exclusion', until: 9000 }, 5000, 9000], [{ why: 'pause', until: 9000 }, 9000, 5000], [{ why: 'exclusion', until: 9000 }, 9000, 9000],
	])('%j', (holds, cool_off_until, self_excluded_until) => expect(barredOf({ cool_off_until, self_excluded_until }, 1000)).toEqual(holds));
});
