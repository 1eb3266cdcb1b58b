// What a column's ticks decide, computed anew: nobody has to believe an outcome. Pure; integers throughout.
import { sha256 } from '@noble/hashes/sha2';
import { bytesToHex, hexToBytes } from '@noble/hashes/utils';
import type { Column, Outcome, Tick } from './types.js';

export interface ColumnRules { column_seconds: number; max_tick_gap_ms: number }

export const NO_DIGEST = '0'.repeat(64);

/** The column that starts at t0, from ticks in order that reach back beyond it; prevDigest is that of the column before. */
export function columnOf(ticks: readonly Tick[], t0: number, prevDigest: string, rules: ColumnRules): Column {
	const start = t0 * 1000, end = start + rules.column_seconds * 1000;
	let anchor: Tick | null = null;
	const path: Tick[] = [];
	for (const tick of ticks)
		if (tick[0] < start)
			anchor = tick;
		else if (tick[0] < end)
			path.push(tick);
	if (anchor)
		path.unshift(anchor);
	const words = new DataView(new ArrayBuffer(8 + 16 * path.length));
	words.setBigInt64(0, BigInt(start));
	let low: number | null = null, high: number | null = null, gap = !anchor, last = anchor?.[0] ?? start;
	path.forEach(([t, p], i) => {
		words.setBigInt64(8 + 16 * i, BigInt(t));
		words.setBigInt64(16 + 16 * i, BigInt(p));
		low = low === null || p < low ? p : low;
		high = high === null || p > high ? p : high;
		gap ||= t - last > rules.max_tick_gap_ms;
		last = t;
	});
	gap ||= end - last > rules.max_tick_gap_ms;
	const digest = bytesToHex(sha256.create().update(hexToBytes(prevDigest)).update(new Uint8Array(words.buffer)).digest());
	return { t0, status: gap ? 'void' : 'settled', anchor, path_low: low, path_high: high, ticks: path.length, digest,
		prev_digest: prevDigest };
}

export function cellOf(cell: string): { t0: number; low: number; high: number } {
	const m = /^(\d+)_(\d+)_(\d+)$/.exec(cell);
	if (!m)
		throw new RangeError(`${cell}: must be <t0>_<low>_<high>`);
	return { t0: Number(m[1]), low: Number(m[2]), high: Number(m[3]) };
}

/** Both bounds belong to the cell. */
export function outcomeOf(column: Column, cell: string): Outcome {
	const { low, high } = cellOf(cell);
	if (column.status !== 'settled' || column.path_low === null || column.path_high === null)
		return 'void';
	return column.path_high >= low && column.path_low <= high ? 'won' : 'lost';
}

export function payoutOf(stake: number, rate: number, outcome: Outcome): number {
	if (outcome === 'won')
		return Number(BigInt(stake) * BigInt(rate) / 10000n);
	return outcome === 'void' ? stake : 0;
}
