// The page's own colours, for the canvas: read from the style sheet, so that dark and light are said once.
export interface Palette { ground: string; panel: string; raised: string; line: string; text: string; quiet: string; price: string;
	mine: string; mineText: string; good: string; bad: string; warn: string; dark: boolean }

export function readPalette(from: Element): Palette {
	const style = getComputedStyle(from), of = (name: string) => style.getPropertyValue(`--${name}`).trim();
	return { ground: of('ground'), panel: of('panel'), raised: of('raised'), line: of('line'), text: of('text'), quiet: of('quiet'),
		price: of('price'), mine: of('mine'), mineText: of('mine-text'), good: of('good'), bad: of('bad'), warn: of('warn'),
		dark: style.colorScheme !== 'light' };
}

const channels = (colour: string): number[] => {
	const hex = colour.length === 4 ? [...colour.slice(1)].map((c) => c + c).join('') : colour.slice(1);
	return [0, 2, 4].map((i) => parseInt(hex.slice(i, i + 2), 16));
};

/** From one colour to the other: 0 is the first, 1 the second. */
export function mix(from: string, to: string, part: number): string {
	const b = channels(to);
	return `rgb(${channels(from).map((v, i) => Math.round(v + ((b[i] ?? v) - v) * part)).join(' ')})`;
}

/** #rgb or #rrggbb with a part of its strength. */
export function faint(colour: string, alpha: number): string {
	const [r = 0, g = 0, b = 0] = channels(colour);
	return `rgb(${r} ${g} ${b} / ${Math.min(1, Math.max(0, alpha)).toFixed(3)})`;
}
