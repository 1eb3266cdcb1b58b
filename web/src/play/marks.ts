// A player's cells. Each state has a shape of its own, so that none is told by its colour alone:
//   pending    a dashed frame that breathes, three dots      confirmed  filled, the stake and the rate
//   unknown    a dashed frame, a question mark               won        filled in green, a tick mark and what it paid
//   lost       an empty frame, struck through                void       a dotted frame, an arrow back and the stake
//   refused    a frame, a cross                              lifted     raised by a frame of light (what is under the finger)
import type { Tap } from '../state/taps.js';
import { rate as rateText, usd } from '../words/format.js';
import type { Box } from './geometry.js';
import { font } from './layer.js';
import { faint, type Palette } from './palette.js';

const GAP = 2, RADIUS = 6;

function frameOf(ctx: CanvasRenderingContext2D, b: Box, inset = GAP): void {
	ctx.beginPath();
	ctx.roundRect(b.x + inset, b.y + inset, b.width - 2 * inset, b.height - 2 * inset, RADIUS);
}

function label(ctx: CanvasRenderingContext2D, b: Box, upper: string, lower: string, colour: string): void {
	const size = Math.min(14, Math.max(9.5, Math.min(b.width / 4.4, b.height / 2.7)));
	ctx.fillStyle = colour;
	ctx.textAlign = 'center';
	ctx.textBaseline = 'middle';
	ctx.font = font(size, 700);
	if (lower === '' || b.height < 26) {
		ctx.fillText(upper, b.x + b.width / 2, b.y + b.height / 2 + 0.5, b.width - 6);
		return;
	}
	ctx.fillText(upper, b.x + b.width / 2, b.y + b.height / 2 - size * 0.52, b.width - 6);
	ctx.font = font(size * 0.86, 500);
	ctx.fillText(lower, b.x + b.width / 2, b.y + b.height / 2 + size * 0.62, b.width - 6);
}

/** `beat` goes from 0 to 1 and back once a second; `touched`: the price has been in it, and the column still runs. */
export function drawTap(ctx: CanvasRenderingContext2D, b: Box, tap: Tap, palette: Palette, beat: number, touched: boolean): void {
	const outline = (colour: string, width: number, dash: number[]) => {
		ctx.setLineDash(dash);
		ctx.lineWidth = width;
		ctx.strokeStyle = colour;
		ctx.stroke();
		ctx.setLineDash([]);
	};
	frameOf(ctx, b);
	switch (tap.state) {
	case 'pending':
		ctx.fillStyle = palette.ground;
		ctx.fill();
		ctx.fillStyle = faint(palette.mine, 0.12 + 0.3 * beat);
		ctx.fill();
		outline(palette.mine, 2, [5, 4]);
		label(ctx, b, usd(tap.stake), '• • •', palette.text);
		break;
	case 'unknown':
		ctx.fillStyle = palette.ground;
		ctx.fill();
		outline(palette.warn, 2, [3, 4]);
		label(ctx, b, '?', usd(tap.stake), palette.warn);
		break;
	case 'confirmed':
		ctx.fillStyle = palette.mine;
		ctx.fill();
		if (touched) {
			frameOf(ctx, b, 0);
			outline(palette.good, 3, []);
			frameOf(ctx, b, -3 - 2 * beat);
			outline(faint(palette.good, 0.55), 2, []);
		}
		label(ctx, b, usd(tap.stake), rateText(tap.rate), palette.mineText);
		break;
	case 'won':
		ctx.fillStyle = palette.good;
		ctx.fill();
		label(ctx, b, '✓', usd(tap.payout ?? 0), palette.dark ? '#06170e' : '#ffffff');
		break;
	case 'lost':
		ctx.fillStyle = faint(palette.ground, 0.75);
		ctx.fill();
		outline(faint(palette.quiet, 0.7), 1.5, []);
		ctx.beginPath();
		ctx.moveTo(b.x + 8, b.y + b.height - 8);
		ctx.lineTo(b.x + b.width - 8, b.y + 8);
		outline(faint(palette.quiet, 0.5), 1.5, []);
		label(ctx, b, `−${usd(tap.stake)}`, '', palette.quiet);
		break;
	case 'void':
		ctx.fillStyle = faint(palette.ground, 0.75);
		ctx.fill();
		outline(palette.quiet, 1.5, [1, 3]);
		label(ctx, b, '↺', usd(tap.stake), palette.quiet);
		break;
	case 'refused':
		ctx.fillStyle = faint(palette.ground, 0.75);
		ctx.fill();
		outline(palette.bad, 2, []);
		label(ctx, b, '✕', '', palette.bad);
		break;
	}
}

/** What is under the pointer, or chosen by keys; pressed while a finger is on it. */
export function drawLift(ctx: CanvasRenderingContext2D, b: Box, palette: Palette, open: boolean, pressed: boolean): void {
	frameOf(ctx, b, pressed ? 2 : 0.5);
	if (open) {
		ctx.fillStyle = faint(palette.text, pressed ? 0.2 : 0.09);
		ctx.fill();
	}
	ctx.lineWidth = 2;
	ctx.strokeStyle = open ? palette.text : faint(palette.quiet, 0.6);
	ctx.setLineDash(open ? [] : [2, 4]);
	ctx.stroke();
	ctx.setLineDash([]);
}
