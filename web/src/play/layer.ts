// The cells and their multipliers, drawn when they change (four times a second) and moved when time does (sixty times).
import type { Market } from '../state/market.js';
import { rate as rateText } from '../words/format.js';
import { pOf, tOf, xOf, yOf, type Frame, type Pitch } from './geometry.js';
import { faint, mix, type Palette } from './palette.js';

const MARGIN = { columns: 1, rows: 2 }, GAP = 1.5, RADIUS = 6, LEVELS = 24;
const FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif';
export const font = (px: number, weight = 500): string => `${weight} ${px}px ${FONT}`;

export class GridLayer {
	private readonly canvas = document.createElement('canvas');
	private readonly ctx = this.canvas.getContext('2d') as CanvasRenderingContext2D;
	private readonly texts = new Map<number, string>();
	private t = 0; // of the canvas' left edge, and the price of its upper one
	private p = 0;
	private drawn = { gridCount: -1, pxPerMs: 0, pxPerCent: 0, width: 0, height: 0, dpr: 0, palette: undefined as Palette | undefined };

	blit(to: CanvasRenderingContext2D, f: Frame, pitch: Pitch, market: Market, palette: Palette, dpr: number): void {
		const was = this.drawn;
		const width = this.canvas.width / dpr, height = this.canvas.height / dpr;
		let x = xOf(f, this.t), y = yOf(f, this.p);
		if (was.gridCount !== market.gridCount || was.pxPerMs !== f.pxPerMs || was.pxPerCent !== f.pxPerCent || was.palette !== palette ||
			was.width !== f.width || was.height !== f.height || was.dpr !== dpr || x > 0 || y > 0 || x + width < f.width || y + height < f.height) {
			this.draw(f, pitch, market, palette, dpr);
			x = xOf(f, this.t);
			y = yOf(f, this.p);
		}
		const snap = (v: number) => Math.round(v * dpr) / dpr; // letters stay sharp
		to.drawImage(this.canvas, snap(x), snap(y), this.canvas.width / dpr, this.canvas.height / dpr);
	}

	private draw(f: Frame, pitch: Pitch, market: Market, palette: Palette, dpr: number): void {
		const { canvas, ctx } = this, { grid } = market;
		const columnPx = pitch.columnMs * f.pxPerMs, rowPx = pitch.rowCents * f.pxPerCent;
		const mx = MARGIN.columns * columnPx, my = MARGIN.rows * rowPx;
		const w = Math.ceil((f.width + 2 * mx) * dpr), h = Math.ceil((f.height + 2 * my) * dpr);
		if (canvas.width !== w || canvas.height !== h)
			Object.assign(canvas, { width: w, height: h });
		this.t = tOf(f, -mx);
		this.p = pOf(f, -my);
		this.drawn = { gridCount: market.gridCount, pxPerMs: f.pxPerMs, pxPerCent: f.pxPerCent, width: f.width, height: f.height, dpr, palette };
		ctx.setTransform(1, 0, 0, 1, 0, 0);
		ctx.clearRect(0, 0, w, h);
		if (!grid)
			return;
		ctx.setTransform(dpr, 0, 0, dpr, 0, 0);
		const fills = Array.from({ length: LEVELS }, (_, i) => mix(palette.raised, palette.price, (palette.dark ? 0.5 : 0.62) * (i / LEVELS) ** 1.4));
		const size = Math.min(15, Math.max(10, Math.min(columnPx / 4.1, rowPx / 2.1)));
		const written = columnPx >= 30 && rowPx >= 15;
		ctx.font = font(size);
		ctx.textAlign = 'center';
		ctx.textBaseline = 'middle';
		grid.columns.forEach((t0, i) => {
			const x = (t0 * 1000 - this.t) * f.pxPerMs;
			if (x + columnPx < 0 || x > w / dpr)
				return;
			for (let j = 0; j < grid.rows.count; j++) {
				const y = (this.p - grid.rows.low - (j + 1) * grid.rows.height) * f.pxPerCent;
				if (y + rowPx < 0 || y > h / dpr)
					continue;
				const r = market.closed ? 0 : grid.rates[i]?.[j] ?? 0;
				if (r === 0) { // closed: no ground, a small dash in place of a number
					ctx.fillStyle = faint(palette.quiet, 0.45);
					ctx.fillRect(x + columnPx / 2 - 4, y + rowPx / 2 - 0.75, 8, 1.5);
					continue;
				}
				// What is likelier is warmer.
				ctx.fillStyle = fills[Math.min(LEVELS - 1, Math.floor(LEVELS * Math.sqrt(9500 / r)))] ?? palette.raised;
				ctx.beginPath();
				ctx.roundRect(x + GAP, y + GAP, columnPx - 2 * GAP, rowPx - 2 * GAP, RADIUS);
				ctx.fill();
				if (written) {
					ctx.fillStyle = palette.text;
					ctx.fillText(this.text(r), x + columnPx / 2, y + rowPx / 2 + 0.5);
				}
			}
		});
	}

	private text(r: number): string {
		let text = this.texts.get(r);
		if (text === undefined) {
			if (this.texts.size > 5000)
				this.texts.clear();
			text = rateText(r);
			this.texts.set(r, text);
		}
		return text;
	}
}
