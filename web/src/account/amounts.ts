// What a player writes into a field, as the API takes it. Pure.
const DAY_MS = 86_400_000;

/** Dollars as people write them, in micro-USD; undefined when it is none. */
export function microOf(text: string): number | undefined {
	const m = /^\$?\s*(\d{1,9})(?:[.,](\d{1,6}))?$/.exec(text.trim());
	return m ? Number(m[1]) * 1_000_000 + Number((m[2] ?? '').padEnd(6, '0')) : undefined;
}

/** The same the other way, for a field. */
export function dollarsOf(micro: number | null): string {
	if (micro === null)
		return '';
	const cents = micro % 1_000_000;
	return `${Math.floor(micro / 1_000_000)}${cents === 0 ? '' : `.${String(cents).padStart(6, '0').replace(/0{1,4}$/, '')}`}`;
}

export type Span = 'day' | 'week' | 'month' | 'all' | 'own';
export interface SpanChoice { span: Span; /** Days of the own span as a date field has them, 2026-11-21; local time, both included. */ from: string; to: string }

const DAYS: Record<Exclude<Span, 'all' | 'own'>, number> = { day: 1, week: 7, month: 30 };

/** from and to of a list call; what is not named is not bounded. */
export function boundsOf({ span, from, to }: SpanChoice, now: number): { from?: number; to?: number } {
	if (span === 'all')
		return {};
	if (span !== 'own')
		return { from: now - DAYS[span] * DAY_MS };
	const start = Date.parse(`${from}T00:00`), last = new Date(`${to}T00:00`);
	const end = last.setDate(last.getDate() + 1);
	return { ...(Number.isNaN(start) ? {} : { from: start }), ...(Number.isNaN(end) || end <= start ? {} : { to: end }) };
}
