// The slope of a series over time, with its confidence interval. Neighbouring samples resemble each other, which makes a regression over
// all of them sure of what it does not know; so it goes over the means of blocks, and what these still have of each other's neighbourhood
// (the residuals' correlation with the next one, r) makes n of them count as n (1 - r) / (1 + r): Student's interval for so many.
// Some thirty slopes are judged at once, of which two would leave their 95 % by chance alone: each interval is of 99.8 %, so that all
// together hold with 95 %.
export const SURE = 99.8;
const STUDENT = [0, 318.3, 22.33, 10.21, 7.173, 5.893, 5.208, 4.785, 4.501, 4.297, 4.144, 4.025, 3.930, 3.852, 3.787, 3.733, 3.686, 3.646, 3.610];
const BLOCKS = STUDENT.length + 1;

export const mean = (list) => list.reduce((n, x) => n + x, 0) / list.length;

// [[t, y], ...] into n blocks of as many samples each: the mean of both.
export function blocks(series, n) {
	const size = Math.floor(series.length / n);
	return Array.from({ length: size > 0 ? n : 0 }, (_, i) => series.slice(i * size, (i + 1) * size))
		.map((b) => [mean(b.map(([t]) => t)), mean(b.map(([, y]) => y))]);
}

// How much the residuals of neighbours are alike, 0 to 1; less than nothing is chance.
function alike(rest) {
	const all = rest.reduce((sum, e) => sum + e * e, 0);
	const next = rest.slice(1).reduce((sum, e, i) => sum + e * rest[i], 0);
	return all > 0 ? Math.max(0, next / all) : 0;
}

// {slope, low, high, mean} in y's unit an hour for t in seconds; undefined for fewer than four blocks.
export function slope(series, n = BLOCKS) {
	const points = blocks(series, Math.min(n, series.length));
	if (points.length < 4)
		return undefined;
	const mt = mean(points.map(([t]) => t)), my = mean(points.map(([, y]) => y));
	const stt = points.reduce((sum, [t]) => sum + (t - mt) ** 2, 0);
	const b = points.reduce((sum, [t, y]) => sum + (t - mt) * (y - my), 0) / stt;
	const rest = points.map(([t, y]) => y - my - b * (t - mt)), r = alike(rest);
	const df = Math.max(1, points.length * (1 - r) / (1 + r) - 2);
	const wide = STUDENT[Math.floor(df)] * Math.sqrt(rest.reduce((sum, e) => sum + e * e, 0) / df / stt);
	return { slope: b * 3600, low: (b - wide) * 3600, high: (b + wide) * 3600, mean: my };
}
