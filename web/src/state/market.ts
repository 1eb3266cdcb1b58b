// What the canvas draws from, sixty times a second: plain data that changes under it, without a word to React. Times are the
// server's, in ms; prices are cents.
import type { Constants, Grid } from '@tap-trading/client';

/** Kept: what may be dragged into view. */
const KEEP_MS = 180_000;

export class Market {
	/** The official path: times and prices, in order. */
	readonly t: number[] = [];
	readonly p: number[] = [];
	grid: Grid | undefined;
	constants: Constants | undefined;
	/** Grows with each grid, and when the board is closed or opened to the player. */
	gridCount = 0;
	private shut = false;
	/** performance.now() when the last tick came in. */
	heardAt = -Infinity;

	tick(t: number, p: number): void {
		const last = this.t.length - 1;
		if (last >= 0 && t <= (this.t[last] ?? 0))
			return;
		this.t.push(t);
		this.p.push(p);
		this.heardAt = performance.now();
		const old = this.t.findIndex((at) => at >= t - KEEP_MS);
		if (old > 200) { // not at each tick
			this.t.splice(0, old);
			this.p.splice(0, old);
		}
	}

	/** Ticks from before the page was there, or while it heard nothing. */
	history(ticks: readonly (readonly [number, number])[]): void {
		const all = new Map(this.t.map((t, i) => [t, this.p[i] ?? 0]));
		for (const [t, p] of ticks)
			all.set(t, p);
		const sorted = [...all].sort(([a], [b]) => a - b);
		this.t.splice(0, Infinity, ...sorted.map(([t]) => t));
		this.p.splice(0, Infinity, ...sorted.map(([, p]) => p));
	}

	setGrid(grid: Grid): void {
		this.grid = grid;
		this.gridCount++;
	}

	/** Closed to this player, whatever the grid says. */
	get closed(): boolean {
		return this.shut;
	}

	set closed(closed: boolean) {
		if (closed !== this.shut)
			this.gridCount++;
		this.shut = closed;
	}

	get price(): number | undefined {
		return this.p[this.p.length - 1];
	}

	/** Of the newest grid: 0 when the cell is closed or beyond it. */
	rateOf(t0: number, low: number): number {
		const { grid } = this;
		if (!grid || this.shut)
			return 0;
		const i = grid.columns.indexOf(t0);
		const j = (low - grid.rows.low) / grid.rows.height;
		return (Number.isInteger(j) ? grid.rates[i]?.[j] : undefined) ?? 0;
	}
}
