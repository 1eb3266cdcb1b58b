// Where the player looks. It follows the price calmly, until the player drags; time always flows. Pure but for its own state.
import type { Frame, Pitch, Size } from './geometry.js';

/** Of a cell, in CSS pixels: below, its multiplier cannot be read, above, nothing else is seen. */
const LEAST = { column: 30, row: 20 }, MOST = { column: 170, row: 130 };
/** Of a wide board: the last minute, and from now to the end of the last column that can be bet on, with room for the shade. */
const PAST_SHOWN_MS = 60_000, SHOWN_MS = 132_000;
const PAST_MS = 150_000, FUTURE_MS = 75_000, ROWS_AWAY = 16;
/** The price may wander so far from the middle before the board moves with it, as a part of the height. */
const CALM = 0.14, EASE_MS = 700, NARROW = 700;
export const GUTTER = 58;

const clamp = (v: number, low: number, high: number): number => Math.min(high, Math.max(low, v));

export class Camera {
	private columnPx = 0;
	private rowPx = 0;
	private aheadMs = 0; // how far the player has dragged the time
	private mid: number | undefined;
	private away = false; // from the price, by hand
	private size: Size = { width: 0, height: 0 };
	private touchedZoom = false;

	/** The player has moved or zoomed: a way back is offered. */
	get moved(): boolean {
		return this.away || this.aheadMs !== 0 || this.touchedZoom;
	}

	recentre(): void {
		this.away = false;
		this.aheadMs = 0;
		this.touchedZoom = false;
		this.mid = undefined;
		this.columnPx = 0;
	}

	/** Wide: the last minute and all of the next. Narrow: cells that a thumb can hit. */
	private fit(pitch: Pitch, rows: number): void {
		const { width, height } = this.size, narrow = width < NARROW;
		const whole = (width - GUTTER) / (SHOWN_MS / pitch.columnMs);
		this.columnPx = narrow ? 48 : clamp(whole, 40, 110);
		this.rowPx = narrow ? 38 : clamp((height - 28) / rows, 24, 48);
	}

	frame(size: Size, now: number, price: number | undefined, pitch: Pitch, rows: number, elapsedMs: number, still: boolean): Frame {
		if (size.width !== this.size.width || size.height !== this.size.height) {
			this.size = { ...size };
			if (!this.touchedZoom)
				this.columnPx = 0;
		}
		if (this.columnPx === 0)
			this.fit(pitch, rows);
		const pxPerCent = this.rowPx / pitch.rowCents, pxPerMs = this.columnPx / pitch.columnMs;
		if (price !== undefined) {
			this.mid ??= price;
			if (!this.away) {
				const calm = CALM * size.height / pxPerCent, target = clamp(this.mid, price - calm, price + calm);
				this.mid += (target - this.mid) * (still ? 1 : 1 - Math.exp(-elapsedMs / EASE_MS));
			}
			this.mid = clamp(this.mid, price - ROWS_AWAY * pitch.rowCents, price + ROWS_AWAY * pitch.rowCents);
		}
		const nowX = this.nowX();
		return { ...size, now: now + this.aheadMs, nowX, mid: this.mid ?? 0, pxPerMs, pxPerCent };
	}

	private nowX(): number {
		const { width } = this.size;
		return width < NARROW ? width * 0.2 : (width - GUTTER) * PAST_SHOWN_MS / SHOWN_MS;
	}

	pan(dx: number, dy: number, pitch: Pitch): void {
		this.aheadMs = clamp(this.aheadMs - dx * pitch.columnMs / this.columnPx, -PAST_MS, FUTURE_MS);
		if (this.mid !== undefined && dy !== 0) {
			this.mid += dy * pitch.rowCents / this.rowPx;
			this.away = true;
		}
	}

	/** Around a point of the screen, which stays where it is. */
	zoom(factor: number, x: number, y: number, pitch: Pitch): void {
		const before = { column: this.columnPx, row: this.rowPx };
		this.columnPx = clamp(before.column * factor, LEAST.column, MOST.column);
		this.rowPx = clamp(before.row * factor, LEAST.row, MOST.row);
		this.touchedZoom = true;
		const fromNow = (x - this.nowX()) * pitch.columnMs;
		this.aheadMs = clamp(this.aheadMs + fromNow / before.column - fromNow / this.columnPx, -PAST_MS, FUTURE_MS);
		if (this.mid !== undefined) {
			const fromMid = (this.size.height / 2 - y) * pitch.rowCents;
			this.mid += fromMid / before.row - fromMid / this.rowPx;
			this.away = true;
		}
	}

	/** So that the cell is seen: for play by keys. */
	show(t0: number, low: number, now: number, pitch: Pitch): void {
		const { width, height } = this.size, start = this.nowX() + (t0 * 1000 - now - this.aheadMs) * this.columnPx / pitch.columnMs;
		const over = start + this.columnPx - (width - GUTTER);
		if (over > 0)
			this.pan(-over, 0, pitch);
		else if (start < 0)
			this.pan(-start, 0, pitch);
		const top = height / 2 - (low + pitch.rowCents - (this.mid ?? 0)) * this.rowPx / pitch.rowCents;
		if (top < 28)
			this.pan(0, 28 - top, pitch);
		else if (top + this.rowPx > height)
			this.pan(0, height - top - this.rowPx, pitch);
	}
}
