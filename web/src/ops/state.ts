// What the five daemons say of themselves, and what of it an operator must see first. Pure but for `read`.
import { ops as w } from '../words/ops.js';
import { labelled, metricsOf, valueOf, type Metrics } from './metrics.js';

export const DAEMONS = ['api', 'ws', 'ingest', 'resolver', 'archiver'] as const;
export type Daemon = typeof DAEMONS[number];
export interface Health { status: string; checks: Record<string, { status: string }> }
export interface Exposure {
	open: number; caps: { cell: number; column: number; open: number }; row_cents: number; column_seconds: number; cells_held: number;
	cells: { t0: number; low: number; payout: number }[];
}
/** undefined: it did not answer. */
export interface Seen { health: Health | undefined; ready: boolean; metrics: Metrics | undefined }
export interface State { at: number; daemons: Record<Daemon, Seen>; exposure: Exposure | undefined }
export interface Finding { level: 'failed' | 'slow'; text: string }

const TIME_LIMIT_MS = 1500;
const SLOW = { behind_s: 3, wait_s: 0.2, commit_s: 0.25, ship_s: 10, ship_failed_s: 30, disk: 0.7, disk_failed: 0.85 };

interface Answer { status: number; text: string }
/** undefined: none came, or not all of it in time. */
async function ask(path: string): Promise<Answer | undefined> {
	try {
		const answer = await fetch(path, { signal: AbortSignal.timeout(TIME_LIMIT_MS), cache: 'no-store' });
		return { status: answer.status, text: await answer.text() };
	} catch {
		return undefined;
	}
}

function parsed<T>(answer: Answer | undefined): T | undefined {
	try {
		return answer && JSON.parse(answer.text) as T;
	} catch {
		return undefined;
	}
}

async function seen(daemon: Daemon): Promise<Seen> {
	const [health, ready, metrics] = await Promise.all(['health', 'ready', 'metrics'].map((what) => ask(`/ops/${daemon}/${what}`)));
	const known = health && (health.status === 200 || health.status === 503); // 502 is nginx', which did not find it
	return { health: known ? parsed<Health>(health) : undefined, ready: ready?.status === 200,
		metrics: metrics?.status === 200 ? metricsOf(metrics.text) : undefined };
}

export async function read(): Promise<State> {
	const [exposure, ...daemons] = await Promise.all([ask('/ops/api/exposure'), ...DAEMONS.map(seen)]);
	const body = exposure?.status === 200 ? parsed<Partial<Exposure>>(exposure) : undefined;
	return { at: Date.now(), daemons: Object.fromEntries(DAEMONS.map((name, i) => [name, daemons[i]])) as Record<Daemon, Seen>,
		exposure: body?.cells ? body as Exposure : undefined };
}

/** What the house kept of decided bets since the resolver started. */
export function holdOf({ daemons }: State): { stakes: number; paid: number; hold: number } | undefined {
	const of = (kind: string) => labelled(daemons.resolver.metrics, 'tap_settled_usd_total', 'kind', kind);
	const stakes = of('stakes'), payouts = of('payouts'), refunds = of('refunds');
	if (stakes === undefined || payouts === undefined || refunds === undefined)
		return undefined;
	const paid = payouts + refunds;
	return { stakes: Math.round(1e6 * stakes), paid: Math.round(1e6 * paid), hold: Math.round(1e6 * (stakes - paid)) };
}

/** undefined: nothing is shipped. */
export const shippingLag = ({ daemons }: State): number | undefined =>
	DAEMONS.map((d) => valueOf(daemons[d].metrics, 'tap_shipping_lag_seconds')).find((v) => v !== undefined && Number.isFinite(v) && v >= 0);

export interface Venue { name: string; state: 'live' | 'connected' | 'lost'; price: number; age: number; losses: number; gaps: number }
export function venuesOf({ daemons }: State): Venue[] {
	const m = daemons.ingest.metrics;
	return (m?.get('tap_feed_connected') ?? []).map(({ labels, value }) => {
		const name = labels['venue'] ?? '', of = (metric: string) => labelled(m, metric, 'venue', name) ?? 0;
		return { name, state: of('tap_feed_live') > 0 ? 'live' as const : value > 0 ? 'connected' as const : 'lost' as const,
			price: of('tap_feed_price_usd'), age: of('tap_feed_book_age_seconds'), losses: of('tap_feed_losses_total'), gaps: of('tap_feed_gaps_total') };
	}).sort((a, b) => ['lost', 'connected', 'live'].indexOf(a.state) - ['lost', 'connected', 'live'].indexOf(b.state) || a.name.localeCompare(b.name));
}

function ofDaemon(name: Daemon, { health, ready, metrics }: Seen): Finding[] {
	if (!health)
		return [{ level: 'failed', text: w.away(name) }];
	const bad = Object.entries(health.checks).filter(([, { status }]) => status !== 'healthy').map(([check, { status }]): Finding =>
		({ level: status === 'critical' ? 'failed' : 'slow', text: w.check(name, check, status) }));
	const dropped = valueOf(metrics, 'tap_events_dropped_total') ?? valueOf(metrics, 'tap_ws_events_lost_total') ?? 0;
	const commit = valueOf(metrics, 'tap_store_commit_max_seconds') ?? valueOf(metrics, 'tap_commit_max_seconds') ?? 0;
	return [...bad, ...(ready ? [] : [{ level: 'failed' as const, text: w.notReady(name) }]),
		...(dropped > 0 ? [{ level: 'slow' as const, text: w.dropped(name, dropped) }] : []),
		...(commit > SLOW.commit_s ? [{ level: 'slow' as const, text: w.commit(name, commit) }] : [])];
}

/** The worst first; in the order of the bet's way otherwise. */
export function findingsOf(state: State): Finding[] {
	const { api, resolver, archiver } = state.daemons, found: Finding[] = DAEMONS.flatMap((name) => ofDaemon(name, state.daemons[name]));
	const over = (value: number | undefined, slow: number, failed: number, text: (v: number) => string) => {
		if (value !== undefined && value > slow)
			found.push({ level: value > failed ? 'failed' : 'slow', text: text(value) });
	};
	if (valueOf(api.metrics, 'tap_betting') === 0)
		found.push({ level: 'failed', text: w.betting });
	if (valueOf(archiver.metrics, 'tap_integrity_ok') === 0 && (valueOf(archiver.metrics, 'tap_integrity_last_check_timestamp_seconds') ?? 0) > 0)
		found.push({ level: 'failed', text: w.integrity });
	over(valueOf(resolver.metrics, 'tap_columns_behind_seconds'), SLOW.behind_s, 10 * SLOW.behind_s, w.behind);
	over(valueOf(api.metrics, 'tap_bet_oldest_wait_seconds'), SLOW.wait_s, 5 * SLOW.wait_s, w.wait);
	over(shippingLag(state), SLOW.ship_s, SLOW.ship_failed_s, w.shipping);
	if (valueOf(archiver.metrics, 'tap_shipping_known') === 0)
		found.push({ level: 'failed', text: w.shippedNothing });
	if (valueOf(archiver.metrics, 'tap_shipping_stopped') === 1)
		found.push({ level: 'failed', text: w.shippingStopped });
	over(valueOf(archiver.metrics, 'tap_disk_used_ratio'), SLOW.disk, SLOW.disk_failed, w.disk);
	for (const { name, state: is } of venuesOf(state))
		if (is !== 'live')
			found.push({ level: 'slow', text: w.venue(name) });
	return found.sort((a, b) => Number(a.level === 'slow') - Number(b.level === 'slow'));
}

export interface MapOf { columns: number[]; rows: number[]; payout: (t0: number, low: number) => number; share: (payout: number) => number; more: number }
/** Rows from the highest price down, as the board has them; all between the outermost that hold bets. */
export function mapOf({ cells, caps, row_cents, column_seconds, cells_held }: Exposure): MapOf | undefined {
	if (cells.length === 0)
		return undefined;
	const steps = (values: number[], by: number, most: number) => {
		const first = Math.min(...values), n = Math.min((Math.max(...values) - first) / by + 1, most);
		return Array.from({ length: n }, (_, i) => first + i * by);
	};
	const columns = steps(cells.map((c) => c.t0), column_seconds, 48), rows = steps(cells.map((c) => c.low), row_cents, 64).reverse();
	const held = new Map(cells.map((c) => [`${c.t0}_${c.low}`, c.payout]));
	return { columns, rows, payout: (t0, low) => held.get(`${t0}_${low}`) ?? 0, more: cells_held - cells.length,
		share: (payout) => (payout === 0 ? 0 : Math.max(1, Math.min(8, Math.ceil(8 * payout / caps.cell)))) };
}
