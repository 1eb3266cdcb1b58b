// What time and what price: seconds to each column above, levels and the price at the right.
import { level } from '../words/format.js';
import { words } from '../words/index.js';
import { GUTTER } from './camera.js';
import { visible, xOf, yOf, type Frame, type Pitch } from './geometry.js';
import { font } from './layer.js';
import { faint, type Palette } from './palette.js';

const TOP = 24, FADE = 22;

/** Behind everything: lines between rows, and the ground of what is still to come. */
export function drawGround(ctx: CanvasRenderingContext2D, f: Frame, pitch: Pitch, now: number, palette: Palette): void {
	ctx.fillStyle = palette.ground;
	ctx.fillRect(0, 0, f.width, f.height);
	const { low, t0 } = visible(f, pitch), x = xOf(f, now);
	ctx.strokeStyle = faint(palette.line, 0.55);
	ctx.lineWidth = 1;
	ctx.beginPath();
	for (let p = low[0]; p <= low[1] + pitch.rowCents; p += pitch.rowCents) {
		const y = Math.round(yOf(f, p)) + 0.5;
		ctx.moveTo(0, y);
		ctx.lineTo(f.width, y);
	}
	for (let t = t0[0]; t <= t0[1]; t += pitch.columnMs / 1000) {
		const at = Math.round(xOf(f, t * 1000)) + 0.5;
		ctx.moveTo(at, 0);
		ctx.lineTo(at, f.height);
	}
	ctx.stroke();
	// From now to the first column that can be bet on: closed, so it is veiled.
	const open = Math.floor(now / pitch.columnMs) * pitch.columnMs + 2 * pitch.columnMs;
	ctx.fillStyle = faint(palette.raised, 0.6);
	ctx.fillRect(x, 0, xOf(f, open) - x, f.height);
}

export function drawNow(ctx: CanvasRenderingContext2D, f: Frame, now: number, price: number, palette: Palette, live: boolean): void {
	const x = Math.round(xOf(f, now)) + 0.5, y = Math.round(yOf(f, price)) + 0.5;
	ctx.lineWidth = 1;
	ctx.strokeStyle = faint(palette.quiet, 0.6);
	ctx.beginPath();
	ctx.moveTo(x, TOP);
	ctx.lineTo(x, f.height);
	ctx.stroke();
	ctx.strokeStyle = faint(live ? palette.price : palette.quiet, 0.4); // under numbers, which it must not strike out
	ctx.setLineDash([2, 5]);
	ctx.beginPath();
	ctx.moveTo(x, y);
	ctx.lineTo(f.width, y);
	ctx.stroke();
	ctx.setLineDash([]);
}

export function drawAxes(ctx: CanvasRenderingContext2D, f: Frame, pitch: Pitch, now: number, price: number | undefined, palette: Palette,
	live: boolean, lastColumn: number): void {
	const { low, t0 } = visible(f, pitch), rowPx = pitch.rowCents * f.pxPerCent, columnPx = pitch.columnMs * f.pxPerMs;
	ctx.textBaseline = 'middle';
	const right = f.width - GUTTER, shade = ctx.createLinearGradient(right - FADE, 0, right, 0);
	shade.addColorStop(0, faint(palette.ground, 0));
	shade.addColorStop(1, palette.ground);
	ctx.fillStyle = shade;
	ctx.fillRect(right - FADE, 0, GUTTER + FADE, f.height);
	ctx.fillStyle = palette.ground;
	ctx.fillRect(0, 0, f.width, TOP);
	ctx.fillStyle = palette.quiet;
	ctx.font = font(11);
	ctx.textAlign = 'center';
	const every = columnPx < 42 ? 2 : 1, open = Math.floor(now / pitch.columnMs) * pitch.columnMs + 2 * pitch.columnMs;
	for (let t = t0[0], i = 0; t <= t0[1]; t += pitch.columnMs / 1000, i++) {
		const x = xOf(f, t * 1000) + columnPx / 2;
		if (t * 1000 >= open && t <= lastColumn && Math.round(t / (pitch.columnMs / 1000)) % every === 0 && x < right - 8)
			ctx.fillText(words.play.column(Math.ceil((t * 1000 - now) / 1000)), x, TOP / 2 + 1);
	}
	const veil = xOf(f, open) - xOf(f, now);
	if (veil > 40)
		ctx.fillText(words.play.states.closed, xOf(f, now) + veil / 2, TOP / 2 + 1);
	ctx.textAlign = 'right';
	const step = rowPx >= 22 ? 1 : 2, at = price === undefined ? -Infinity : Math.min(f.height - 12, Math.max(TOP + 12, yOf(f, price)));
	for (let p = low[0]; p <= low[1] + pitch.rowCents; p += pitch.rowCents) {
		const y = yOf(f, p);
		if (y > TOP + 6 && Math.abs(y - at) > 17 && Math.round(p / pitch.rowCents) % step === 0)
			ctx.fillText(level(p), f.width - 6, y);
	}
	if (price === undefined)
		return;
	ctx.font = font(11, 700);
	const width = GUTTER - 2;
	ctx.fillStyle = live ? palette.price : palette.quiet;
	ctx.beginPath();
	ctx.roundRect(f.width - width - 2, at - 11, width, 22, 6);
	ctx.fill();
	ctx.fillStyle = palette.dark ? '#14100a' : '#ffffff';
	ctx.fillText(level(price), f.width - 7, at + 0.5);
}
