// The canvas: one loop, a frame each time the screen has one. It reads the market and the taps, never changes them, and tells what
// the player means. Marks on the browser's own clock (tap, tap:pending, tap:confirmed) say how long a tap took to be seen.
import type { Game } from '../state/game.js';
import type { Tap } from '../state/taps.js';
import { drawAxes, drawGround, drawNow } from './axes.js';
import { Camera } from './camera.js';
import { cellOf, idOf, REFUSED_MS } from './cells.js';
import { boxOf, cellAt, touched, type CellAt, type Frame, type Pitch } from './geometry.js';
import { listen } from './input.js';
import { font, GridLayer } from './layer.js';
import { drawPath } from './line.js';
import { drawLift, drawTap } from './marks.js';
import { readPalette, type Palette } from './palette.js';
import { usd } from '../words/format.js';

const STALE_MS = 3000, RISE_MS = 1600, MARKS_MAX = 300, PITCH_DEFAULT: Pitch = { columnMs: 5000, rowCents: 2000 }, ROWS_DEFAULT = 24;

export interface BoardEvents {
	/** The player has moved away from the price, or is back. */
	moved(away: boolean): void;
	/** The cell that keys have chosen; undefined: none. */
	chosen(cell: CellAt | undefined): void;
}

export class Board {
	private readonly ctx: CanvasRenderingContext2D;
	private readonly camera = new Camera();
	private readonly layer = new GridLayer();
	private readonly still = matchMedia('(prefers-reduced-motion: reduce)');
	private readonly stops: (() => void)[] = [];
	private palette: Palette;
	private frame: Frame | undefined;
	private size = { width: 0, height: 0 };
	private dpr = 1;
	private drawnAt = 0;
	private request = 0;
	private pointer: { x: number; y: number } | undefined;
	private pressed = false;
	private chosen: CellAt | undefined;
	private away = false;
	private waiting = new Map<string, 'tap' | 'pending'>(); // marks still to be set, by cell
	private rising: { cell: CellAt; text: string; since: number }[] = [];

	constructor(private readonly canvas: HTMLCanvasElement, private readonly game: Game, private readonly events: BoardEvents) {
		this.ctx = canvas.getContext('2d', { alpha: false }) as CanvasRenderingContext2D;
		this.palette = readPalette(document.documentElement);
		const resized = new ResizeObserver(() => this.fit());
		resized.observe(canvas);
		this.fit();
		const dark = matchMedia('(prefers-color-scheme: dark)'), recolour = () => this.recolour();
		dark.addEventListener('change', recolour);
		const themed = new MutationObserver(recolour);
		themed.observe(document.documentElement, { attributes: true, attributeFilter: ['data-theme'] });
		this.stops.push(() => resized.disconnect(), () => dark.removeEventListener('change', recolour), () => themed.disconnect(),
			game.onNotice((n) => {
				if (n.kind === 'won')
					this.rise(n.tap);
			}),
			listen(canvas, {
				over: (at, pressed) => {
					this.pointer = at;
					this.pressed = pressed && at !== undefined;
				},
				tap: (x, y, stamp) => {
					const cell = this.frame && cellAt(this.frame, this.pitch, x, y);
					if (cell)
						this.tap(cell, stamp);
				},
				pan: (dx, dy) => this.camera.pan(dx, dy, this.pitch),
				zoom: (factor, x, y) => this.camera.zoom(factor, x, y, this.pitch),
				key: (key, stamp) => this.key(key, stamp),
			}));
		this.request = requestAnimationFrame(this.draw);
	}

	stop(): void {
		cancelAnimationFrame(this.request);
		for (const stop of this.stops)
			stop();
	}

	recentre(): void {
		this.camera.recentre();
	}

	private get pitch(): Pitch {
		const { constants } = this.game.market;
		return constants ? { columnMs: constants.column_seconds * 1000, rowCents: constants.row_cents } : PITCH_DEFAULT;
	}

	private fit(): void {
		const { clientWidth: width, clientHeight: height } = this.canvas;
		this.dpr = Math.min(3, devicePixelRatio || 1);
		this.size = { width, height };
		Object.assign(this.canvas, { width: Math.round(width * this.dpr), height: Math.round(height * this.dpr) });
	}

	private recolour(): void {
		this.palette = readPalette(document.documentElement);
	}

	// ---- what the player does ----

	private tap({ t0, low }: CellAt, stamp: number): void {
		const cell = idOf(t0, low, this.pitch.rowCents);
		if (performance.getEntriesByType('mark').length > MARKS_MAX)
			performance.clearMarks();
		this.game.tap(t0, low);
		if (this.game.view.get().taps.get(cell)?.state === 'pending') {
			performance.mark('tap', { startTime: stamp, detail: cell });
			this.waiting.set(cell, 'tap');
		}
	}

	/** The first column that takes bets. */
	private firstOpen(): number {
		const { columnMs } = this.pitch;
		return (Math.floor(this.game.client.now() / columnMs) + 2) * columnMs / 1000;
	}

	private key(key: string, stamp: number): boolean {
		const { columnMs, rowCents } = this.pitch, price = this.game.market.price ?? 0, { canvas } = this;
		const start = { t0: this.firstOpen(), low: Math.floor(price / rowCents) * rowCents };
		const steps: Record<string, [number, number]> = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
		const step = steps[key];
		if (step) {
			const was = this.chosen;
			this.choose(was ? { t0: Math.max(start.t0, was.t0 + step[0] * columnMs / 1000), low: was.low + step[1] * rowCents } : start);
		} else if (key === 'Enter' || key === ' ') {
			if (this.chosen)
				this.tap(this.chosen, stamp);
			else
				this.choose(start);
		} else if (key === '+' || key === '=' || key === '-')
			this.camera.zoom(key === '-' ? 1 / 1.2 : 1.2, canvas.clientWidth / 2, canvas.clientHeight / 2, this.pitch);
		else if (key === 'Home')
			this.recentre();
		else if (key === 'Escape' && this.chosen)
			this.choose(undefined);
		else
			return false;
		return true;
	}

	private choose(cell: CellAt | undefined): void {
		this.chosen = cell;
		if (cell)
			this.camera.show(cell.t0, cell.low, this.game.client.now(), this.pitch);
		this.events.chosen(cell);
	}

	private rise(tap: Tap): void {
		const [t0 = 0, low = 0] = tap.cell.split('_').map(Number);
		this.rising.push({ cell: { t0, low }, text: `+${usd(tap.payout ?? 0)}`, since: performance.now() });
	}

	// ---- a frame ----

	private draw = (stamp: number): void => {
		this.request = requestAnimationFrame(this.draw);
		const { ctx, game, palette, pitch, size } = this, { market } = game;
		const now = game.client.now(), price = market.price, still = this.still.matches;
		if (size.width === 0 || size.height === 0)
			return;
		if (still && market.heardAt <= this.drawnAt && stamp - this.drawnAt < 100 && !this.pointer && this.waiting.size === 0)
			return; // less motion: a step for each tick
		const f = this.camera.frame(size, now, price, pitch, market.grid?.rows.count ?? ROWS_DEFAULT, Math.min(100, stamp - this.drawnAt), still);
		const beat = still ? 0.5 : 0.5 - 0.5 * Math.cos(stamp / 1000 * 2 * Math.PI);
		const { link, feed } = game.view.get();
		const live = link === 'open' && feed !== 'critical' && performance.now() - market.heardAt < STALE_MS;
		this.frame = f;
		this.drawnAt = stamp;
		ctx.setTransform(this.dpr, 0, 0, this.dpr, 0, 0);
		drawGround(ctx, f, pitch, now, palette);
		ctx.globalAlpha = live ? 1 : 0.35;
		this.layer.blit(ctx, f, pitch, market, palette, this.dpr);
		ctx.globalAlpha = 1;
		if (price !== undefined)
			drawNow(ctx, f, now, price, palette, live);
		this.drawTaps(f, pitch, now, beat);
		this.drawLifted(f, pitch, now);
		drawPath(ctx, f, market, palette, beat, live);
		this.drawRising(f, pitch, still);
		drawAxes(ctx, f, pitch, now, price, palette, live, market.grid?.columns.at(-1) ?? 0);
		this.tell();
	};

	private drawTaps(f: Frame, pitch: Pitch, now: number, beat: number): void {
		const { market } = this.game;
		for (const tap of this.game.view.get().taps.values()) {
			const [t0 = 0, low = 0] = tap.cell.split('_').map(Number), box = boxOf(f, pitch, { t0, low });
			if (box.x > f.width || box.x + box.width < 0 || box.y > f.height || box.y + box.height < 0 ||
				(tap.state === 'refused' && now - tap.at > REFUSED_MS))
				continue;
			drawTap(this.ctx, box, tap, this.palette, beat, tap.state === 'confirmed' && t0 * 1000 <= now &&
				touched(market.t, market.p, { t0, low }, pitch));
		}
	}

	private drawLifted(f: Frame, pitch: Pitch, now: number): void {
		const { chosen, pointer, game } = this, first = this.firstOpen();
		if (chosen && chosen.t0 < first)
			this.choose({ ...chosen, t0: first });
		const over = pointer && cellAt(f, pitch, pointer.x, pointer.y);
		const focused = document.activeElement === this.canvas ? this.chosen : undefined;
		for (const cell of [over, focused]) {
			if (!cell || cell.t0 < first)
				continue;
			const { state } = cellOf(game.market, game.view.get().taps, cell.t0, cell.low, pitch.rowCents, now);
			if (state === 'open' || cell === focused)
				drawLift(this.ctx, boxOf(f, pitch, cell), this.palette, state === 'open', this.pressed && cell === over);
		}
	}

	private drawRising(f: Frame, pitch: Pitch, still: boolean): void {
		const { ctx } = this, at = performance.now();
		this.rising = this.rising.filter((r) => at - r.since < RISE_MS);
		for (const { cell, text, since } of this.rising) {
			const part = (at - since) / RISE_MS, box = boxOf(f, pitch, cell);
			ctx.globalAlpha = 1 - part * part;
			ctx.font = font(20, 750);
			ctx.textAlign = 'center';
			ctx.lineWidth = 4;
			ctx.strokeStyle = this.palette.ground;
			ctx.fillStyle = this.palette.good;
			const x = Math.max(50, box.x + box.width / 2), y = box.y - (still ? 8 : 8 + 34 * part);
			ctx.strokeText(text, x, y);
			ctx.fillText(text, x, y);
			ctx.globalAlpha = 1;
		}
		const motion = this.camera.moved;
		if (motion !== this.away) {
			this.away = motion;
			this.events.moved(motion);
		}
	}

	/** What this frame was the first to show. */
	private tell(): void {
		for (const [cell, seen] of this.waiting) {
			const state = this.game.view.get().taps.get(cell)?.state;
			if (seen === 'tap') {
				performance.mark('tap:pending', { detail: cell });
				this.waiting.set(cell, 'pending');
			}
			if (state === 'confirmed')
				performance.mark('tap:confirmed', { detail: cell });
			if (state !== 'pending' && state !== 'unknown')
				this.waiting.delete(cell);
		}
	}
}
