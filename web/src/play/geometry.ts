// From time and price to the screen and back. Pure. Times are ms, prices cents, lengths CSS pixels; y grows downward.

export interface Size { width: number; height: number }
/** What one frame shows: `now` lies at x = nowX, `mid` at half the height. */
export interface Frame extends Size { now: number; nowX: number; mid: number; pxPerMs: number; pxPerCent: number }
/** How long a column and how high a row is: ms and cents. */
export interface Pitch { columnMs: number; rowCents: number }
export interface CellAt { t0: number; low: number }

export const xOf = (f: Frame, t: number): number => f.nowX + (t - f.now) * f.pxPerMs;
export const yOf = (f: Frame, p: number): number => f.height / 2 - (p - f.mid) * f.pxPerCent;
export const tOf = (f: Frame, x: number): number => f.now + (x - f.nowX) / f.pxPerMs;
export const pOf = (f: Frame, y: number): number => f.mid - (y - f.height / 2) / f.pxPerCent;

/** t0 in whole seconds, low in cents: what a cell's id begins with. */
export function cellAt(f: Frame, pitch: Pitch, x: number, y: number): CellAt {
	return { t0: Math.floor(tOf(f, x) / pitch.columnMs) * pitch.columnMs / 1000,
		low: Math.floor(pOf(f, y) / pitch.rowCents) * pitch.rowCents };
}

export interface Box { x: number; y: number; width: number; height: number }

export function boxOf(f: Frame, pitch: Pitch, { t0, low }: CellAt): Box {
	return { x: xOf(f, t0 * 1000), y: yOf(f, low + pitch.rowCents), width: pitch.columnMs * f.pxPerMs,
		height: pitch.rowCents * f.pxPerCent };
}

/** The columns' starts and the rows' lows that are to be seen, those that are cut included. */
export function visible(f: Frame, pitch: Pitch): { t0: [number, number]; low: [number, number] } {
	const first = cellAt(f, pitch, 0, f.height), last = cellAt(f, pitch, f.width, 0);
	return { t0: [first.t0, last.t0], low: [first.low, last.low] };
}

/** Did the straight lines between ticks, the last one before t0 included, touch the cell so far? As the resolver will judge. */
export function touched(t: readonly number[], p: readonly number[], { t0, low }: CellAt, pitch: Pitch): boolean {
	const start = t0 * 1000, end = start + pitch.columnMs;
	let i = t.length - 1, least = Infinity, most = -Infinity, begun = false;
	for (; i >= 0; i--) {
		const at = t[i] ?? 0, price = p[i] ?? 0;
		if (at >= end)
			continue;
		if (at < start && !begun)
			return false;
		begun = true;
		least = Math.min(least, price);
		most = Math.max(most, price);
		if (at < start)
			break; // the anchor
	}
	return begun && most >= low && least <= low + pitch.rowCents;
}
