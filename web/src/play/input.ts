// Fingers, mouse, wheel and keys, as what they mean: a tap on a point, a drag, a zoom. A tap is meant where the finger came down:
// the board moves on while it rests.
export interface Meant {
	/** Under the pointer, pressed or not; undefined: nowhere. */
	over(at: { x: number; y: number } | undefined, pressed: boolean): void;
	tap(x: number, y: number, stamp: number): void;
	pan(dx: number, dy: number): void;
	zoom(factor: number, x: number, y: number): void;
	key(key: string, stamp: number): boolean;
}

/** Beyond, a press is a drag; and after, it is a rest. */
const SLACK_PX = 9, TAP_MS = 700, WHEEL = 0.0016, PINCH_LEAST_PX = 12;

interface Finger { x: number; y: number; from: { x: number; y: number }; since: number; moved: boolean }

export function listen(canvas: HTMLCanvasElement, meant: Meant): () => void {
	const fingers = new Map<number, Finger>(), stop = new AbortController(), on = { signal: stop.signal };
	const at = (e: MouseEvent) => {
		const box = canvas.getBoundingClientRect();
		return { x: e.clientX - box.left, y: e.clientY - box.top };
	};
	const spread = () => {
		const [a, b] = [...fingers.values()];
		return a && b ? { length: Math.max(PINCH_LEAST_PX, Math.hypot(a.x - b.x, a.y - b.y)), x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 } : undefined;
	};

	canvas.addEventListener('pointerdown', (e) => {
		if (e.button !== 0)
			return;
		const p = at(e);
		fingers.set(e.pointerId, { ...p, from: p, since: e.timeStamp, moved: fingers.size > 0 });
		if (fingers.size > 1)
			for (const finger of fingers.values())
				finger.moved = true;
		canvas.setPointerCapture(e.pointerId);
		meant.over(fingers.size === 1 ? p : undefined, true);
	}, on);
	canvas.addEventListener('pointermove', (e) => {
		const finger = fingers.get(e.pointerId), p = at(e);
		if (!finger) {
			if (e.pointerType === 'mouse')
				meant.over(p, false);
			return;
		}
		const before = spread(), dx = p.x - finger.x, dy = p.y - finger.y;
		Object.assign(finger, p);
		if (before) {
			const after = spread();
			if (after) {
				meant.zoom(after.length / before.length, after.x, after.y);
				meant.pan(after.x - before.x, after.y - before.y);
			}
			return;
		}
		if (!finger.moved && Math.hypot(p.x - finger.from.x, p.y - finger.from.y) < SLACK_PX)
			return;
		if (!finger.moved) {
			finger.moved = true;
			meant.over(undefined, false);
			meant.pan(p.x - finger.from.x, p.y - finger.from.y);
			return;
		}
		meant.pan(dx, dy);
	}, on);
	canvas.addEventListener('pointerup', (e) => {
		const finger = fingers.get(e.pointerId);
		fingers.delete(e.pointerId);
		if (finger && !finger.moved && e.timeStamp - finger.since < TAP_MS)
			meant.tap(finger.from.x, finger.from.y, e.timeStamp);
		meant.over(e.pointerType === 'mouse' ? at(e) : undefined, false);
	}, on);
	canvas.addEventListener('pointercancel', (e) => {
		fingers.delete(e.pointerId);
		meant.over(undefined, false);
	}, on);
	canvas.addEventListener('pointerleave', () => {
		if (fingers.size === 0)
			meant.over(undefined, false);
	}, on);
	canvas.addEventListener('wheel', (e) => {
		e.preventDefault();
		const p = at(e);
		if (e.shiftKey || Math.abs(e.deltaX) > Math.abs(e.deltaY))
			meant.pan(-(e.deltaX || e.deltaY), 0);
		else
			meant.zoom(Math.exp(-e.deltaY * WHEEL), p.x, p.y);
	}, { ...on, passive: false });
	canvas.addEventListener('keydown', (e) => {
		if (!e.ctrlKey && !e.metaKey && !e.altKey && meant.key(e.key, e.timeStamp))
			e.preventDefault();
	}, on);
	return () => stop.abort();
}
