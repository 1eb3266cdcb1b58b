// What a player forbids himself: caps, a pause, an exclusion.
import { useCallback, useEffect, useId, useState, type FormEvent } from 'react';
import { TapError } from '@tap-trading/client';
import type { Bars } from '../state/barred.js';
import { useGame, useView } from '../state/hooks.js';
import { words } from '../words/index.js';
import { dollarsOf, microOf } from './amounts.js';
import { Select, Sure } from './parts.js';
import './account.css';

const w = words.account.limits;
const CAPS = ['player_column', 'player_open', 'day_stake', 'day_loss'] as const;
type Cap = typeof CAPS[number];
export interface OwnLimit { effective: number | null; own: number | null; pending: { own: number | null; at: number } | null }
export type OwnLimits = Record<Cap, OwnLimit> & Bars;

/** What is to be asked for: the fields that say something else than what holds or is on its way. undefined: a field is no amount. */
export function changesOf(limits: OwnLimits, fields: Record<Cap, string>): Partial<Record<Cap, number | null>> | undefined {
	const changes: Partial<Record<Cap, number | null>> = {};
	for (const cap of CAPS) {
		const text = fields[cap].trim(), value = text === '' ? null : microOf(text), { own, pending } = limits[cap];
		if (value === undefined)
			return undefined;
		if (value !== (pending ? pending.own : own))
			changes[cap] = value;
	}
	return changes;
}

const fieldsOf = (limits: OwnLimits): Record<Cap, string> =>
	Object.fromEntries(CAPS.map((cap) => [cap, dollarsOf((limits[cap].pending ?? limits[cap]).own)])) as Record<Cap, string>;

export default function Limits() {
	const game = useGame(), signedIn = useView((v) => v.session.state === 'in');
	const [limits, setLimits] = useState<OwnLimits | 'failed'>();
	const [said, say] = useState<{ good: boolean; text: string }>();
	const take = useCallback((said: OwnLimits) => {
		setLimits(said);
		game.heed(said);
	}, [game]);
	useEffect(() => {
		if (signedIn)
			game.call<OwnLimits>('GET', '/me/limits').then(take, () => setLimits('failed'));
	}, [game, signedIn, take]);
	const set = async (method: string, path: string, body: object) => {
		try {
			take(await game.call<OwnLimits>(method, path, { body }));
			say({ good: true, text: w.saved });
		} catch (error) {
			say({ good: false, text: (error instanceof TapError ? w.refused[error.code] : undefined) ?? w.refused['other'] ?? '' });
		}
	};
	if (!signedIn)
		return <p className="quiet">{words.account.signedOut}</p>;
	if (limits === undefined || limits === 'failed')
		return <p className="quiet" role={limits ? 'alert' : undefined}>{limits ? words.account.failed : `${words.loading}…`}</p>;
	return (
		<div className="own">
			<h2>{w.title}</h2>
			<Caps key={JSON.stringify(fieldsOf(limits))} limits={limits} set={(changes) => void set('PUT', '/me/limits', changes)}
				say={(text, good) => say({ good, text })} />
			<p role="status" id="limits-said" className={said?.good ? 'good' : 'bad'}>{said?.text ?? ''}</p>
			<Pause until={limits.cool_off_until} set={(hours) => void set('POST', '/me/cool-off', { hours })} />
			<Exclude until={limits.self_excluded_until} set={(days) => void set('POST', '/me/self-exclusion', { days })} />
		</div>
	);
}

function Caps({ limits, set, say }: { limits: OwnLimits; set: (changes: object) => void; say: (text: string, good: boolean) => void }) {
	const [fields, setFields] = useState(() => fieldsOf(limits)), id = useId();
	const submit = (e: FormEvent) => {
		e.preventDefault();
		const changes = changesOf(limits, fields);
		if (changes === undefined)
			say(w.wrong, false);
		else if (Object.keys(changes).length === 0)
			say(w.unchanged, true);
		else
			set(changes);
	};
	return (
		<form className="panel caps-form" onSubmit={submit} noValidate>
			<p className="quiet">{w.note}</p>
			{CAPS.map((cap) => {
				const { effective, pending } = limits[cap];
				return (
					<p className="field" key={cap}>
						<label htmlFor={`${id}-${cap}`}>{w.caps[cap]} ({words.account.usd})</label>
						<input id={`${id}-${cap}`} name={cap} inputMode="decimal" autoComplete="off" placeholder={w.empty} value={fields[cap]}
							aria-invalid={fields[cap].trim() !== '' && microOf(fields[cap]) === undefined} aria-describedby={`${id}-${cap}-now`}
							onChange={(e) => setFields({ ...fields, [cap]: e.target.value })} />
						<small id={`${id}-${cap}-now`}>{w.holds(effective)}{pending && ` ${w.pending(pending.own, pending.at)}`}</small>
					</p>
				);
			})}
			<button type="submit" className="primary" id="set-limits">{w.save}</button>
		</form>
	);
}

function Pause({ until, set }: { until: number | null; set: (hours: number) => void }) {
	const [hours, setHours] = useState('24');
	const text = w.hours[Number(hours)] ?? '';
	return (
		<section aria-labelledby="pause-title">
			<h3 id="pause-title">{w.pause}</h3>
			<p className="quiet">{w.pauseNote}</p>
			{until !== null && <p id="paused"><strong>{w.paused(until)}</strong></p>}
			<div className="panel">
				<Select label={w.howLong} name="hours" value={hours} options={Object.entries(w.hours)} onChange={setHours} />
				<Sure name="pause" button={w.pauseButton} question={w.pauseSure(text)} yes={w.pauseYes} onYes={() => set(Number(hours))} />
			</div>
		</section>
	);
}

function Exclude({ until, set }: { until: number | null; set: (days: number) => void }) {
	const [days, setDays] = useState('180');
	const text = w.days[Number(days)] ?? '';
	return (
		<section aria-labelledby="exclude-title">
			<h3 id="exclude-title">{w.exclude}</h3>
			<p className="quiet">{w.excludeNote}</p>
			{until !== null && <p id="excluded"><strong>{w.excluded(until)}</strong></p>}
			<div className="panel">
				<Select label={w.howLong} name="days" value={days} options={Object.entries(w.days)} onChange={setDays} />
				<Sure name="exclude" button={w.excludeButton} question={w.excludeSure(text)} yes={w.excludeYes} onYes={() => set(Number(days))} />
			</div>
		</section>
	);
}
