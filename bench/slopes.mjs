// The slope of a series over time, with its confidence interval. Neighbouring samples resemble each other, which makes a regression over
// all of them sure of what it does not know; so it goes over the means of blocks that are long against that memory, and the interval is
// Student's for so many blocks.
const T95 = [0, 12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110,
	2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042];

export const mean = (list) => list.reduce((n, x) => n + x, 0) / list.length;

// [[t, y], ...] into n blocks of as many samples each: the mean of both.
export function blocks(series, n) {
	const size = Math.floor(series.length / n);
	return Array.from({ length: size > 0 ? n : 0 }, (_, i) => series.slice(i * size, (i + 1) * size))
		.map((b) => [mean(b.map(([t]) => t)), mean(b.map(([, y]) => y))]);
}

// {slope, low, high, mean} in y's unit an hour for t in seconds; undefined for fewer than three blocks.
export function slope(series, n = 20) {
	const points = blocks(series, Math.min(n, series.length));
	if (points.length < 3)
		return undefined;
	const mt = mean(points.map(([t]) => t)), my = mean(points.map(([, y]) => y));
	const stt = points.reduce((sum, [t]) => sum + (t - mt) ** 2, 0);
	const b = points.reduce((sum, [t, y]) => sum + (t - mt) * (y - my), 0) / stt;
	const rest = points.reduce((sum, [t, y]) => sum + (y - my - b * (t - mt)) ** 2, 0);
	const df = points.length - 2, wide = (T95[df] ?? 1.96) * Math.sqrt(rest / df / stt);
	return { slope: b * 3600, low: (b - wide) * 3600, high: (b + wide) * 3600, mean: my };
}
