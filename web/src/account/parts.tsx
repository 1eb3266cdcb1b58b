// What the account's views share: the frame of a list, the choice of a span, a question before what cannot be taken back.
import { useId, useState, type ReactNode } from 'react';
import { words } from '../words/index.js';
import type { SpanChoice, Span } from './amounts.js';
import type { Listed } from './list.js';

const w = words.account;

export const weekOf = (label: string): string => {
	const [year = '', week = ''] = label.split('_w');
	return w.week(year, week);
};

/** The rows, or why there are none; and the way to more. */
export function ListFrame<T>({ list, none, children }: { list: Listed<T>; none: string; children: (entries: T[]) => ReactNode }) {
	const { page, failed, busy, more, again } = list;
	return (
		<div className="list" aria-busy={busy}>
			{page && page.entries.length > 0 && children(page.entries)}
			{page && page.entries.length === 0 && <p className="quiet empty">{none}</p>}
			{!page && !failed && <p className="quiet empty">{words.loading}…</p>}
			{failed && <p role="alert" className="wrong">{w.failed} <button type="button" onClick={again}>{w.again}</button></p>}
			{page && page.archived.length > 0 && <p className="quiet archived">{w.archived(page.archived.map(weekOf))}</p>}
			{more && <button type="button" className="more" disabled={busy} onClick={more}>{w.more}</button>}
		</div>
	);
}

export function Select<V extends string>({ label, value, options, onChange, name }: {
	label: string; value: V; options: readonly (readonly [V, string])[]; onChange: (value: V) => void; name: string;
}) {
	const id = useId();
	return (
		<p className="field">
			<label htmlFor={id}>{label}</label>
			<select id={id} name={name} value={value} onChange={(e) => onChange(e.target.value as V)}>
				{options.map(([v, text]) => <option key={v} value={v}>{text}</option>)}
			</select>
		</p>
	);
}

const SPANS: Span[] = ['week', 'day', 'month', 'all', 'own'];

export function SpanField({ value, onChange }: { value: SpanChoice; onChange: (value: SpanChoice) => void }) {
	const from = useId(), to = useId();
	return (
		<>
			<Select label={w.span.label} name="span" value={value.span} options={SPANS.map((s) => [s, w.span[s]] as const)}
				onChange={(span) => onChange({ ...value, span })} />
			{value.span === 'own' && (
				<>
					<p className="field">
						<label htmlFor={from}>{w.span.from}</label>
						<input id={from} type="date" name="from" value={value.from} onChange={(e) => onChange({ ...value, from: e.target.value })} />
					</p>
					<p className="field">
						<label htmlFor={to}>{w.span.to}</label>
						<input id={to} type="date" name="to" value={value.to} onChange={(e) => onChange({ ...value, to: e.target.value })} />
					</p>
				</>
			)}
		</>
	);
}

/** Asks once more. */
export function Sure({ button, question, yes, onYes, name }: { button: string; question: string; yes: string; onYes: () => void; name: string }) {
	const [asked, ask] = useState(false);
	if (!asked)
		return <button type="button" name={name} onClick={() => ask(true)}>{button}</button>;
	return (
		<div className="sure" role="group" aria-label={question}>
			<p>{question}</p>
			<div className="row">
				<button type="button" className="primary" name={`${name}-yes`} autoFocus onClick={() => { ask(false); onYes(); }}>{yes}</button>
				<button type="button" onClick={() => ask(false)}>{words.account.limits.no}</button>
			</div>
		</div>
	);
}

/** Told and not told, as a list of pairs. */
export function Facts({ rows }: { rows: (readonly [string, ReactNode])[] }) {
	return <dl className="facts">{rows.map(([what, value]) => <div key={what}><dt>{what}</dt><dd>{value}</dd></div>)}</dl>;
}
