// Prometheus' text format, as far as the daemons write it. Pure.
export interface Sample { labels: Record<string, string>; value: number }
export type Metrics = Map<string, Sample[]>;

const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/, LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g;
const WORDS: Record<string, number> = { '+Inf': Infinity, '-Inf': -Infinity };

export function metricsOf(text: string): Metrics {
	const all: Metrics = new Map();
	for (const line of text.split('\n')) {
		const m = LINE.exec(line), name = m?.[1];
		if (!m || name === undefined || line.startsWith('#'))
			continue;
		const labels = Object.fromEntries([...(m[2] ?? '').matchAll(LABEL)].map(([, key, value]) => [key, value]));
		const sample = { labels, value: WORDS[m[3] ?? ''] ?? Number(m[3]) }, held = all.get(name);
		if (held)
			held.push(sample);
		else
			all.set(name, [sample]);
	}
	return all;
}

/** The first sample's value; undefined when the metric is not there. */
export const valueOf = (metrics: Metrics | undefined, name: string): number | undefined => metrics?.get(name)?.[0]?.value;
export const labelled = (metrics: Metrics | undefined, name: string, label: string, value: string): number | undefined =>
	metrics?.get(name)?.find((s) => s.labels[label] === value)?.value;
