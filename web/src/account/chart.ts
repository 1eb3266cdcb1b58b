// Where the points of a column's path lie in a drawing. Pure.
import { cellOf, type Path, type Tick } from '@tap-trading/client';

export const WIDTH = 640, HEIGHT = 260;
const MARGIN = 14;

export interface Drawing {
	/** points of an SVG polyline. */
	line: string;
	cell: { x: number; y: number; width: number; height: number };
	/** Where the column begins; the anchor lies before it. */
	start: number;
	deciding: { x: number; y: number } | null;
}

/** The cell is drawn whole where it is near; of one far away the side that is nearest is seen. */
export function drawingOf(path: Path, cell: string, columnSeconds: number, deciding: Tick | null): Drawing | null {
	const { low, high } = cellOf(cell), first = path.ticks[0];
	if (!first || path.low === null || path.high === null)
		return null;
	const start = path.t0 * 1000, end = start + columnSeconds * 1000, from = Math.min(start, Math.max(first[0], start - 1000));
	const bottom = Math.min(path.low, low), top = Math.max(path.high, high);
	const x = (t: number) => MARGIN + (WIDTH - 2 * MARGIN) * (Math.max(t, from) - from) / (end - from);
	const y = (p: number) => HEIGHT - MARGIN - (HEIGHT - 2 * MARGIN) * (p - bottom) / (top - bottom);
	const at = ([t, p]: Tick) => ({ x: x(t), y: y(p) });
	return {
		line: path.ticks.map((tick) => { const point = at(tick); return `${point.x.toFixed(1)},${point.y.toFixed(1)}`; }).join(' '),
		cell: { x: x(start), y: y(high), width: x(end) - x(start), height: y(low) - y(high) },
		start: x(start),
		deciding: deciding && at(deciding),
	};
}
