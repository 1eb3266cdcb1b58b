import { describe, expect, it } from 'vitest';
import { labelled, metricsOf, valueOf } from '../src/ops/metrics.js';
import { DAEMONS, findingsOf, holdOf, mapOf, shippingLag, venuesOf, type Daemon, type Exposure, type Seen, type State } from '../src/ops/state.js';

const TEXT = `# HELP tap_x of it
# TYPE tap_x gauge
tap_x 0.25
tap_feed_connected{venue="kraken"} 1
tap_feed_connected{venue="a \\"b\\", c=\\"d\\""} 0
tap_i -Inf
tap_n NaN
tap_s_bucket{le="+Inf"} 8
nonsense
`;

describe('metrics', () => {
	const m = metricsOf(TEXT);
	it('are read by name and label', () => {
		expect(valueOf(m, 'tap_x')).toBe(0.25);
		expect(labelled(m, 'tap_feed_connected', 'venue', 'kraken')).toBe(1);
		expect(m.get('tap_feed_connected')).toHaveLength(2);
		expect([valueOf(m, 'tap_i'), valueOf(m, 'tap_n')]).toEqual([-Infinity, NaN]);
		expect(valueOf(m, 'tap_none')).toBeUndefined();
		expect([...m.keys()]).not.toContain('nonsense');
	});
});

const healthy = (metrics = ''): Seen => ({ health: { status: 'healthy', checks: { redis: { status: 'healthy' } } }, ready: true, metrics: metricsOf(metrics) });
const state = (more: Partial<Record<Daemon, Seen>> = {}): State => ({ at: 1, exposure: undefined,
	daemons: { ...Object.fromEntries(DAEMONS.map((d) => [d, healthy()])) as Record<Daemon, Seen>, ...more } });

describe('what an operator sees first', () => {
	it('is nothing when all is well', () => expect(findingsOf(state())).toEqual([]));
	it('is what failed, before what is slow', () => {
		const found = findingsOf(state({
			ingest: healthy('tap_feed_connected{venue="kraken"} 0\n'),
			ws: { health: undefined, ready: false, metrics: undefined },
			resolver: healthy('tap_columns_behind_seconds 4\n'),
			archiver: { ...healthy('tap_disk_used_ratio 0.9\n'), health: { status: 'degraded', checks: { storage: { status: 'degraded' } } } },
		}));
		expect(found.map((f) => f.level)).toEqual(['failed', 'failed', 'slow', 'slow', 'slow']);
		expect(found[0]?.text).toMatch(/^ws /);
		expect(found[1]?.text).toMatch(/90 %/);
	});
	it.each(['tap_betting 0', 'tap_bet_oldest_wait_seconds 2'])('is what the api says: %s', (line) =>
		expect(findingsOf(state({ api: healthy(line) })).map((f) => f.level)).toEqual(['failed']));
	it('is a daemon that is up and not ready', () => expect(findingsOf(state({ api: { ...healthy(), ready: false } }))).toHaveLength(1));
	it('is a book that is not whole, once it was looked at', () => {
		expect(findingsOf(state({ archiver: healthy('tap_integrity_ok 0\ntap_integrity_last_check_timestamp_seconds 0\n') }))).toEqual([]);
		expect(findingsOf(state({ archiver: healthy('tap_integrity_ok 0\ntap_integrity_last_check_timestamp_seconds 5\n') }))).toHaveLength(1);
	});
	it('is shipping that lags, or has nothing to restore; and no lag where nothing is shipped', () => {
		expect(shippingLag(state())).toBeUndefined();
		expect(findingsOf(state({ archiver: healthy('tap_shipping_lag_seconds 2\n') }))).toEqual([]);
		expect(findingsOf(state({ archiver: healthy('tap_shipping_lag_seconds 45\n') }))[0]?.level).toBe('failed');
		expect(findingsOf(state({ archiver: healthy('tap_shipping_known 0\n') }))[0]?.level).toBe('failed');
	});
});

describe('money and feed', () => {
	it('is held what was staked and not paid', () => {
		expect(holdOf(state())).toBeUndefined();
		expect(holdOf(state({ resolver: healthy(['stakes"} 10', 'payouts"} 11.5', 'refunds"} 1'].map((of) =>
			`tap_settled_usd_total{kind="${of}`).join('\n')) }))).toEqual({ stakes: 10e6, paid: 12.5e6, hold: -2.5e6 });
	});
	it('names the venues, those that do not count first', () => {
		const metrics = ['b', 'a', 'c'].map((v, i) => `tap_feed_connected{venue="${v}"} ${Math.min(i, 1)}\ntap_feed_live{venue="${v}"} ${i === 2 ? 1 : 0}`);
		expect(venuesOf(state({ ingest: healthy(metrics.join('\n')) })).map((v) => [v.name, v.state]))
			.toEqual([['b', 'lost'], ['a', 'connected'], ['c', 'live']]);
	});
});

describe('the map of exposure', () => {
	const exposure = (cells: Exposure['cells'], held = cells.length): Exposure => ({ open: 0, caps: { cell: 800, column: 1, open: 1 }, row_cents: 2000,
		column_seconds: 5, cells_held: held, cells });
	it('is none while nothing is open', () => expect(mapOf(exposure([]))).toBeUndefined());
	it('holds all between the outermost cells, the highest price first', () => {
		const map = mapOf(exposure([{ t0: 10, low: 4000, payout: 100 }, { t0: 20, low: 8000, payout: 900 }], 5));
		expect([map?.columns, map?.rows, map?.more]).toEqual([[10, 15, 20], [8000, 6000, 4000], 3]);
		expect([map?.payout(10, 4000), map?.payout(15, 4000)]).toEqual([100, 0]);
		expect([0, 1, 100, 101, 900].map((p) => map?.share(p))).toEqual([0, 1, 1, 2, 8]);
	});
});
