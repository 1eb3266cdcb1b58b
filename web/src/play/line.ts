// The official path itself, tick by tick: the very points that decide, joined by straight lines.
import type { Market } from '../state/market.js';
import { xOf, yOf, type Frame } from './geometry.js';
import { faint, type Palette } from './palette.js';

/** A gap of the feed is shown as one. */
const GAP_MS = 3000;

export function drawPath(ctx: CanvasRenderingContext2D, f: Frame, market: Market, palette: Palette, beat: number, live: boolean): void {
	const { t, p } = market;
	const leftT = f.now - f.nowX / f.pxPerMs - 1000;
	let first = t.length - 1;
	while (first > 0 && (t[first - 1] ?? 0) > leftT)
		first--;
	if (first < 0)
		return;
	const colour = live ? palette.price : palette.quiet;
	const line = new Path2D(), area = new Path2D();
	let from = first;
	const close = (to: number) => {
		area.lineTo(xOf(f, t[to] ?? 0), f.height);
		area.lineTo(xOf(f, t[from] ?? 0), f.height);
		area.closePath();
	};
	for (let i = first; i < t.length; i++) {
		const x = xOf(f, t[i] ?? 0), y = yOf(f, p[i] ?? 0);
		if (i === first || (t[i] ?? 0) - (t[i - 1] ?? 0) > GAP_MS) {
			if (i > first)
				close(i - 1);
			from = i;
			line.moveTo(x, y);
			area.moveTo(x, y);
		} else {
			line.lineTo(x, y);
			area.lineTo(x, y);
		}
	}
	close(t.length - 1);
	const glow = ctx.createLinearGradient(0, f.height * 0.2, 0, f.height);
	glow.addColorStop(0, faint(colour, palette.dark ? 0.16 : 0.13));
	glow.addColorStop(1, faint(colour, 0));
	ctx.fillStyle = glow;
	ctx.fill(area);
	ctx.lineWidth = 2.25;
	ctx.lineJoin = 'round';
	ctx.lineCap = 'round';
	ctx.strokeStyle = colour;
	ctx.stroke(line);
	const x = xOf(f, t[t.length - 1] ?? 0), y = yOf(f, p[p.length - 1] ?? 0);
	ctx.fillStyle = faint(colour, 0.22);
	ctx.beginPath();
	ctx.arc(x, y, live ? 9 + 5 * beat : 8, 0, 2 * Math.PI);
	ctx.fill();
	ctx.fillStyle = colour;
	ctx.strokeStyle = palette.ground;
	ctx.lineWidth = 2;
	ctx.beginPath();
	ctx.arc(x, y, 5.5, 0, 2 * Math.PI);
	ctx.fill();
	ctx.stroke();
}
