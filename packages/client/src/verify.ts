// What a column's ticks decide, computed anew: nobody has to believe an outcome. Pure; integers throughout.
import { sha256 } from '@noble/hashes/sha2';
import { bytesToHex, hexToBytes } from '@noble/hashes/utils';
import type { Bet, Column, Outcome, Pricing, Tick } from './types.js';

export interface ColumnRules { column_seconds: number; max_tick_gap_ms: number }

export const NO_DIGEST = '0'.repeat(64);

/** The first tick that no official path can hold: not later than the one before it, or no price. -1: all are sound. */
export function brokenTick(ticks: readonly Tick[]): number {
	return ticks.findIndex(([t, p], i) => !Number.isSafeInteger(t) || !Number.isSafeInteger(p) || p <= 0 || t <= (ticks[i - 1]?.[0] ?? -1));
}

export interface Path {
	t0: number;
	anchor: Tick | null;
	/** Anchor first when there is one. */
	ticks: Tick[];
	low: number | null;
	high: number | null;
	/** Between neighbours, or the last tick and the column's end: longer than the rules allow. */
	gaps: { from: number; to: number }[];
	void: boolean;
}

/** The path of the column that starts at t0, from ticks that may reach beyond it on either side. */
export function pathOf(ticks: readonly Tick[], t0: number, rules: ColumnRules): Path {
	const broken = brokenTick(ticks);
	if (broken >= 0)
		throw new RangeError(`tick ${broken} (${JSON.stringify(ticks[broken])}) is not later than the one before it, or no price`);
	const start = t0 * 1000, end = start + rules.column_seconds * 1000;
	const inside = ticks.filter(([t]) => t >= start && t < end);
	const anchor = ticks.filter(([t]) => t < start).at(-1) ?? null;
	const path = anchor ? [anchor, ...inside] : inside;
	const prices = path.map(([, p]) => p), times = [...path.map(([t]) => t), end];
	const gaps = path.map(([from], i) => ({ from, to: times[i + 1] ?? end })).filter(({ from, to }) => to - from > rules.max_tick_gap_ms);
	return { t0, anchor, ticks: path, low: path.length ? Math.min(...prices) : null, high: path.length ? Math.max(...prices) : null,
		gaps, void: !anchor || gaps.length > 0 };
}

/** SHA-256 over prevDigest, t0 in ms, then t and p of each tick of the path: 32 bytes, then 8 bytes an integer, big-endian. */
export function digestOf(path: readonly Tick[], t0: number, prevDigest: string): string {
	if (!/^[0-9a-f]{64}$/.test(prevDigest))
		throw new RangeError('a digest is 64 hex digits');
	const bytes = new Uint8Array(32 + 8 + 16 * path.length), words = new DataView(bytes.buffer);
	bytes.set(hexToBytes(prevDigest));
	[t0 * 1000, ...path.flat()].forEach((word, i) => words.setBigInt64(32 + 8 * i, BigInt(word)));
	return bytesToHex(sha256(bytes));
}

/** The column that starts at t0, as the API shows it; prevDigest is that of the column before. */
export function columnOf(ticks: readonly Tick[], t0: number, prevDigest: string, rules: ColumnRules): Column {
	const path = pathOf(ticks, t0, rules);
	return { t0, status: path.void ? 'void' : 'settled', anchor: path.anchor, path_low: path.low, path_high: path.high,
		ticks: path.ticks.length, digest: digestOf(path.ticks, t0, prevDigest), prev_digest: prevDigest };
}

export function cellOf(cell: string): { t0: number; low: number; high: number } {
	const m = /^(\d+)_(\d+)_(\d+)$/.exec(cell);
	if (!m)
		throw new RangeError(`${cell}: must be <t0>_<low>_<high>`);
	return { t0: Number(m[1]), low: Number(m[2]), high: Number(m[3]) };
}

/** Both bounds belong to the cell. */
export function outcomeOf(column: Pick<Column, 'status' | 'path_low' | 'path_high'>, cell: string): Outcome {
	const { low, high } = cellOf(cell);
	if (column.status !== 'settled' || column.path_low === null || column.path_high === null)
		return 'void';
	return column.path_high >= low && column.path_low <= high ? 'won' : 'lost';
}

/** The tick with which the path first touches the cell: it lies in it, or the line that leads to it crosses it. */
export function decidingTick(path: Path, cell: string): Tick | null {
	const { low, high } = cellOf(cell);
	let least = Infinity, most = -Infinity;
	return path.void ? null : path.ticks.find(([, p]) => {
		least = Math.min(least, p);
		most = Math.max(most, p);
		return most >= low && least <= high;
	}) ?? null;
}

export function payoutOf(stake: number, rate: number, outcome: Outcome): number {
	if (outcome === 'won')
		return Number(BigInt(stake) * BigInt(rate) / 10000n);
	return outcome === 'void' ? stake : 0;
}

/** The rate that a touch probability, the margin and the skew give. The probability is told rounded, so there may be two. */
export function ratesOf(q: Pricing): { least: number; most: number } {
	const whole = BigInt(10_000 - q.margin_bp) * 1_000_000_000n, twice = 2n * BigInt(q.touch_ppb);
	const [least = 0, most = 0] = [2n * whole / (twice + 1n), 2n * whole / (twice > 1n ? twice - 1n : 1n)].map((unskewed) => {
		const capped = Math.min(Number(unskewed), q.max_rate);
		return capped - Math.floor(capped * q.skew / q.skew_whole);
	});
	return { least, most };
}

// ---- a decided bet against its path ----

export type Claim = string | number | Tick | null;
/** One thing that was told, and the same computed here. */
export interface Check {
	what: 'ticks' | 'chain' | 'anchor' | 'count' | 'low' | 'high' | 'status' | 'digest' | 'outcome' | 'payout' | 'deciding_tick' | 'rate';
	told: Claim;
	computed: Claim;
	agrees: boolean;
}
export interface Verdict {
	agrees: boolean;
	checks: Check[];
	/** null when the ticks are none that a path can hold. */
	path: Path | null;
	outcome: Outcome | null;
	payout: number | null;
}

const same = (a: Claim, b: Claim) => JSON.stringify(a) === JSON.stringify(b);

function rateCheck(bet: Bet, q: Pricing): Check {
	const { least, most } = ratesOf(q);
	// Another processor's exponential may differ in its last bit, and a floor make a unit of that.
	const agrees = q.rate >= least && q.rate <= most && Math.abs(bet.rate - q.rate) <= 1;
	return { what: 'rate', told: bet.rate, computed: agrees ? bet.rate : least, agrees };
}

/** All that is told of a decided bet, computed from its column's ticks. previous: the digest of the column before, when it is known. */
export function checkBet(bet: Bet, ticks: readonly Tick[], rules: ColumnRules, previous?: string | null): Verdict {
	const told = bet.evidence, checks: Check[] = [];
	const check = (what: Check['what'], claim: Claim, computed: Claim) => { checks.push({ what, told: claim, computed, agrees: same(claim, computed) }); };
	if (!told || bet.status === 'confirmed')
		throw new TypeError('this bet is not decided yet');
	const broken = brokenTick(ticks);
	check('ticks', 'in order', broken < 0 ? 'in order' : `tick ${broken} is not`);
	if (broken >= 0)
		return { agrees: false, checks, path: null, outcome: null, payout: null };
	const { t0 } = cellOf(bet.cell), prev = told.prev_digest ?? NO_DIGEST;
	const path = pathOf(ticks, t0, rules), status = path.void ? 'void' : 'settled';
	const outcome = outcomeOf({ status, path_low: path.low, path_high: path.high }, bet.cell), payout = payoutOf(bet.stake, bet.rate, outcome);
	if (previous)
		check('chain', prev, previous);
	check('anchor', told.anchor, path.anchor);
	check('count', told.ticks, path.ticks.length);
	check('low', told.path_low, path.low);
	check('high', told.path_high, path.high);
	check('status', told.status, status);
	check('digest', told.digest, digestOf(path.ticks, t0, prev));
	check('outcome', bet.status, outcome);
	check('payout', bet.payout, payout);
	if (bet.deciding_tick !== undefined)
		check('deciding_tick', bet.deciding_tick, decidingTick(path, bet.cell));
	if (bet.pricing)
		checks.push(rateCheck(bet, bet.pricing));
	return { agrees: checks.every(({ agrees }) => agrees), checks, path, outcome, payout };
}
