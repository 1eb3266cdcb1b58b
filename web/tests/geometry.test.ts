import { describe, expect, it } from 'vitest';
import { Camera, GUTTER } from '../src/play/camera.js';
import { boxOf, cellAt, pOf, tOf, touched, visible, xOf, yOf, type Frame, type Pitch } from '../src/play/geometry.js';

const pitch: Pitch = { columnMs: 5000, rowCents: 2000 };
const frame: Frame = { width: 1000, height: 600, now: 1_771_234_567_890, nowX: 400, mid: 9_743_210, pxPerMs: 0.01, pxPerCent: 0.015 };

describe('the frame', () => {
	it('is undone by its inverse, to a fraction of a pixel', () => {
		for (const x of [0, 123.5, 400, 999])
			expect(xOf(frame, tOf(frame, x))).toBeCloseTo(x, 1);
		for (const y of [0, 300, 599.5])
			expect(yOf(frame, pOf(frame, y))).toBeCloseTo(y, 6);
	});

	it('has later to the right and dearer above', () => {
		expect(xOf(frame, frame.now + 1000)).toBeGreaterThan(xOf(frame, frame.now));
		expect(yOf(frame, frame.mid + 100)).toBeLessThan(yOf(frame, frame.mid));
	});

	it('finds the cell under any point of the box that it draws for it', () => {
		for (const cell of [{ t0: 1_771_234_575, low: 9_742_000 }, { t0: 1_771_234_600, low: 9_760_000 }]) {
			const b = boxOf(frame, pitch, cell);
			for (const [dx, dy] of [[0.02, 0.02], [0.5, 0.5], [0.98, 0.98]] as const)
				expect(cellAt(frame, pitch, b.x + dx * b.width, b.y + dy * b.height)).toEqual(cell);
			expect(cellAt(frame, pitch, b.x - 0.5, b.y + 1)).toEqual({ ...cell, t0: cell.t0 - 5 });
			expect(cellAt(frame, pitch, b.x + 1, b.y - 0.5)).toEqual({ ...cell, low: cell.low + 2000 });
		}
	});

	it('knows what is to be seen, cut cells included', () => {
		const { t0, low } = visible(frame, pitch);
		expect(t0[0] * 1000).toBeLessThanOrEqual(tOf(frame, 0));
		expect((t0[1] + 5) * 1000).toBeGreaterThanOrEqual(tOf(frame, frame.width));
		expect(low[0]).toBeLessThanOrEqual(pOf(frame, frame.height));
		expect(low[1] + 2000).toBeGreaterThanOrEqual(pOf(frame, 0));
	});
});

describe('touched', () => {
	const cell = { t0: 100, low: 2000 };
	const at = (...ticks: [number, number][]) => touched(ticks.map(([t]) => t), ticks.map(([, p]) => p), cell, pitch);

	it.each([
		['inside', [[99_900, 1000], [100_100, 3000]], true],
		['on the lower bound', [[99_900, 1000], [100_100, 2000]], true],
		['on the upper bound', [[99_900, 9000], [100_100, 4000]], true],
		['below', [[99_900, 1000], [100_100, 1999]], false],
		['through it between two ticks', [[99_900, 1000], [100_100, 9000]], true],
		['by the anchor', [[99_900, 3000], [100_100, 9000]], true],
		['before the column alone', [[99_000, 3000], [99_900, 9000], [100_100, 9000]], false],
		['after the column alone', [[99_900, 9000], [100_100, 9000], [105_000, 3000]], false],
		['not begun', [[99_900, 3000]], false],
		['no ticks', [], false],
	] as [string, [number, number][], boolean][])('%s', (_, ticks, expected) => expect(at(...ticks)).toBe(expected));
});

describe('the camera', () => {
	const desktop = { width: 1440, height: 800 }, phone = { width: 390, height: 640 }, price = 9_743_210, now = frame.now;
	const look = (camera: Camera, size = desktop, p = price, elapsed = 16) => camera.frame(size, now, p, pitch, 24, elapsed, false);

	it('shows the last minute and the whole of the next on a desk', () => {
		const f = look(new Camera());
		expect(tOf(f, 0)).toBeLessThanOrEqual(now - 59_000);
		expect(xOf(f, now + 65_000)).toBeLessThanOrEqual(f.width - GUTTER + 1);
		expect(yOf(f, price)).toBeCloseTo(f.height / 2);
	});

	it('has cells on a phone that a thumb can hit and an eye can read', () => {
		const b = boxOf(look(new Camera(), phone), pitch, { t0: 1_771_234_580, low: 9_742_000 });
		expect(b.width).toBeGreaterThanOrEqual(44);
		expect(b.height).toBeGreaterThanOrEqual(36);
	});

	it('leaves small moves alone and follows large ones until the price is near the middle again', () => {
		const camera = new Camera(), before = look(camera);
		expect(look(camera, desktop, price + 2000).mid).toBe(before.mid);
		let f = before;
		for (let i = 0; i < 300; i++)
			f = look(camera, desktop, price + 40_000);
		expect(Math.abs(yOf(f, price + 40_000) - f.height / 2)).toBeLessThan(0.15 * f.height);
	});

	it('stays where it was dragged to, and comes back when asked', () => {
		const camera = new Camera(), before = look(camera);
		expect(camera.moved).toBe(false);
		camera.pan(-100, 50, pitch);
		const after = look(camera, desktop, price + 30_000);
		expect(camera.moved).toBe(true);
		expect(xOf(after, now)).toBeCloseTo(xOf(before, now) - 100);
		expect(yOf(after, price)).toBeCloseTo(yOf(before, price) + 50);
		camera.recentre();
		expect(look(camera)).toEqual(before);
		expect(camera.moved).toBe(false);
	});

	it('zooms around the finger, within what can be read', () => {
		const camera = new Camera(), before = look(camera), x = 700, y = 200;
		camera.zoom(1.3, x, y, pitch);
		const after = look(camera);
		expect(after.pxPerMs / before.pxPerMs).toBeCloseTo(1.3);
		expect(tOf(after, x)).toBeCloseTo(tOf(before, x), -1);
		expect(pOf(after, y)).toBeCloseTo(pOf(before, y), 0);
		for (let i = 0; i < 50; i++)
			camera.zoom(2, x, y, pitch);
		expect(look(camera).pxPerMs * 5000).toBeLessThanOrEqual(171);
		for (let i = 0; i < 50; i++)
			camera.zoom(0.5, x, y, pitch);
		expect(look(camera).pxPerMs * 5000).toBeGreaterThanOrEqual(29);
	});

	it('brings a chosen cell into sight', () => {
		const camera = new Camera();
		look(camera, phone);
		const cell = { t0: 1_771_234_625, low: 9_742_000 + 20 * 2000 };
		camera.show(cell.t0, cell.low, now, pitch);
		const f = look(camera, phone), b = boxOf(f, pitch, cell);
		expect(b.x).toBeGreaterThanOrEqual(-1);
		expect(b.x + b.width).toBeLessThanOrEqual(f.width - GUTTER + 1);
		expect(b.y).toBeGreaterThanOrEqual(0);
	});
});
