// The state of the service at a glance: what is wrong first, then money, feed and the house's exposure.
import { useEffect, useState, type ReactNode } from 'react';
import { level, price, timeOf, usd, usdExact } from '../words/format.js';
import { ops as w } from '../words/ops.js';
import { valueOf } from './metrics.js';
import { DAEMONS, findingsOf, holdOf, mapOf, read, shippingLag, venuesOf, type Exposure, type State } from './state.js';

const EVERY_MS = 2000;

export function Operations() {
	const [state, setState] = useState<State>();
	useEffect(() => {
		let here = true, timer: ReturnType<typeof setTimeout>;
		const turn = async () => {
			const now = await read();
			if (here) {
				setState(now);
				timer = setTimeout(() => void turn(), EVERY_MS);
			}
		};
		void turn();
		return () => { here = false; clearTimeout(timer); };
	}, []);
	return (
		<main className="section operations" tabIndex={0}>
			<h1>{w.title}</h1>
			{state && <p className="quiet" id="as-of">{w.asOf(timeOf(state.at))}</p>}
			{state && <Findings state={state} />}
			{state && <Tiles state={state} />}
			{state?.exposure && <ExposureMap exposure={state.exposure} />}
			{state && <Venues state={state} />}
			{state && <Daemons state={state} />}
		</main>
	);
}

function Findings({ state }: { state: State }) {
	const findings = findingsOf(state);
	return (
		<section aria-labelledby="findings-title">
			<h2 id="findings-title">{w.findings}</h2>
			<div role="status" aria-live="polite" id="findings">
				{findings.length === 0 ? <p className="good">✓ {w.nothing}</p> : (
					<ul>{findings.map((f) => <li key={f.text} data-level={f.level}><strong>{w.level[f.level]}</strong> {f.text}</li>)}</ul>
				)}
			</div>
		</section>
	);
}

function Tile({ name, what, more }: { name: keyof typeof w.tiles; what: ReactNode; more?: ReactNode }) {
	return <div data-tile={name}><dt>{w.tiles[name]}</dt><dd><strong>{what}</strong>{more && <small>{more}</small>}</dd></div>;
}

const orUnknown = (value: number | undefined, show: (v: number) => string) => (value === undefined || Number.isNaN(value) ? w.unknown : show(value));

function Tiles({ state }: { state: State }) {
	const { api, ws, ingest, resolver } = state.daemons, hold = holdOf(state), lag = shippingLag(state);
	const feed = valueOf(api.metrics, 'tap_feed_state'), betting = valueOf(api.metrics, 'tap_betting');
	return (
		<dl className="tiles">
			<Tile name="hold" what={orUnknown(hold?.hold, usdExact)} more={hold && w.holdOf(hold.stakes, hold.paid)} />
			<Tile name="exposure" what={orUnknown(state.exposure?.open, usdExact)} more={state.exposure && w.of(usd(state.exposure.caps.open))} />
			<Tile name="bets" what={orUnknown(valueOf(api.metrics, 'tap_bets_confirmed_total'), String)} />
			<Tile name="queued" what={orUnknown(valueOf(api.metrics, 'tap_bets_queued'), String)} />
			<Tile name="connected" what={orUnknown(valueOf(ws.metrics, 'tap_ws_connections'), String)} />
			<Tile name="price" what={orUnknown(valueOf(ingest.metrics, 'tap_price_usd'), (v) => price(Math.round(100 * v)))} />
			<Tile name="feed" what={orUnknown(feed, (v) => w.feedStates[v] ?? w.unknown)} />
			<Tile name="breaker" what={orUnknown(betting, (v) => (v ? w.taken : w.closed))}
				more={orUnknown(valueOf(ingest.metrics, 'tap_circuit_override'), (v) => w.overrides[v] ?? w.unknown)} />
			<Tile name="settling" what={orUnknown(valueOf(resolver.metrics, 'tap_columns_behind_seconds'), w.seconds)} />
			<Tile name="shipping" what={lag === undefined ? w.notRunning : w.seconds(lag)} />
		</dl>
	);
}

function ExposureMap({ exposure }: { exposure: Exposure }) {
	const map = mapOf(exposure);
	return (
		<section aria-labelledby="map-title">
			<h2 id="map-title">{w.map}</h2>
			<p className="quiet">{w.mapNote}</p>
			{!map ? <p className="quiet" id="map-none">{w.mapNone}</p> : (
				<div className="scroll" role="region" aria-labelledby="map-title" tabIndex={0}>
					<table id="map">
						<thead><tr><th scope="col">{w.mapRow}</th>{map.columns.map((t0) => <th scope="col" key={t0}>{w.mapColumn(timeOf(t0 * 1000))}</th>)}</tr></thead>
						<tbody>
							{map.rows.map((low) => (
								<tr key={low}>
									<th scope="row">{level(low)}</th>
									{map.columns.map((t0) => {
										const payout = map.payout(t0, low);
										return <td key={t0} className={`heat-${map.share(payout)}`} data-payout={payout || undefined}>{payout ? usd(payout) : ''}</td>;
									})}
								</tr>
							))}
						</tbody>
					</table>
				</div>
			)}
			{map && map.more > 0 && <p className="quiet">{w.mapMore(map.more)}</p>}
		</section>
	);
}

function Venues({ state }: { state: State }) {
	return (
		<section aria-labelledby="venues-title">
			<h2 id="venues-title">{w.venues}</h2>
			<table id="venues">
				<thead><tr>{Object.values(w.venueHead).map((text) => <th scope="col" key={text}>{text}</th>)}</tr></thead>
				<tbody>
					{venuesOf(state).map((v) => (
						<tr key={v.name} data-state={v.state}>
							<th scope="row">{v.name}</th><td className={v.state === 'live' ? 'good' : 'bad'}>{w[v.state]}</td>
							<td>{v.price > 0 ? price(Math.round(100 * v.price)) : w.unknown}</td><td>{v.age >= 0 ? w.seconds(v.age) : w.unknown}</td>
							<td>{v.losses}</td><td>{v.gaps}</td>
						</tr>
					))}
				</tbody>
			</table>
		</section>
	);
}

function Daemons({ state }: { state: State }) {
	return (
		<section aria-labelledby="daemons-title">
			<h2 id="daemons-title">{w.daemons}</h2>
			<table id="daemons">
				<thead><tr>{Object.values(w.daemonHead).map((text) => <th scope="col" key={text}>{text}</th>)}</tr></thead>
				<tbody>
					{DAEMONS.map((name) => {
						const { health, metrics } = state.daemons[name];
						return (
							<tr key={name} data-daemon={name}>
								<th scope="row">{name}</th>
								<td className={health?.status === 'healthy' ? 'good' : 'bad'}>{health?.status ?? w.lost}</td>
								<td>{Object.entries(health?.checks ?? {}).map(([check, { status }]) => `${check} ${status}`).join(', ')}</td>
								<td>{orUnknown(valueOf(metrics, 'tap_process_cpu_seconds_total'), w.seconds)}</td>
								<td>{orUnknown(valueOf(metrics, 'tap_process_resident_memory_bytes'), (v) => `${(v / 1e6).toFixed(0)} MB`)}</td>
							</tr>
						);
					})}
				</tbody>
			</table>
		</section>
	);
}
