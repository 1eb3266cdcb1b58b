import { describe, expect, it } from 'vitest';
import { pathOf } from '@tap-trading/client';
import { boundsOf, dollarsOf, microOf } from '../src/account/amounts.js';
import { drawingOf, HEIGHT, WIDTH } from '../src/account/chart.js';
import { changesOf, type OwnLimits } from '../src/account/Limits.js';
import { Reader, renew, type ListOf, type ListPage, type Reading } from '../src/account/list.js';
import { wrongIn } from '../src/account/WithdrawForm.js';

describe('amounts', () => {
	it.each([['25', 25_000_000], ['12.50', 12_500_000], ['0,000001', 1], [' $ 7.1 ', 7_100_000], ['999999999.999999', 999_999_999_999_999]])(
		'reads %s', (text, micro) => expect(microOf(text)).toBe(micro));
	it.each(['', '-1', '1e6', '1.2.3', '.5', '1.0000001', '1234567890', 'NaN'])('takes no %j', (text) => expect(microOf(text)).toBeUndefined());
	it('writes what it reads', () => {
		for (const micro of [0, 1, 100_000, 12_500_000, 12_340_001, 25_000_000])
			expect(microOf(dollarsOf(micro))).toBe(micro);
		expect(dollarsOf(12_500_000)).toBe('12.50');
		expect(dollarsOf(null)).toBe('');
	});
});

describe('a span', () => {
	const now = Date.UTC(2026, 10, 21, 12);
	it('reaches back from now', () => {
		expect(boundsOf({ span: 'day', from: '', to: '' }, now)).toEqual({ from: now - 86_400_000 });
		expect(boundsOf({ span: 'all', from: '2026-01-01', to: '' }, now)).toEqual({});
	});
	it('holds both days of one\'s own, whole', () => {
		const { from, to } = boundsOf({ span: 'own', from: '2026-11-20', to: '2026-11-20' }, now);
		expect([new Date(from ?? 0).getHours(), (to ?? 0) - (from ?? 0)]).toEqual([0, 86_400_000]);
		expect(boundsOf({ span: 'own', from: '', to: '' }, now)).toEqual({});
		expect(boundsOf({ span: 'own', from: '2026-11-20', to: '2026-11-10' }, now)).not.toHaveProperty('to');
	});
});

describe('a list that is read again', () => {
	interface Row { id: string; at: number }
	const list: ListOf<Row> = { path: '', member: '', id: (r) => r.id, at: (r) => r.at };
	const page = (ids: string, next: string | null, archived: string[] = []): ListPage<Row> =>
		({ entries: [...ids].map((id) => ({ id, at: id.charCodeAt(0) })), next, archived });
	const ids = (p: ListPage<Row>) => p.entries.map((e) => e.id).join('');

	it('takes what is new and keeps what was read further down', () => {
		const after = renew(list, page('hgfedcba', 'deep', ['2026_w01']), page('jihgf', 'shallow'));
		expect([ids(after), after.next, after.archived]).toEqual(['jihgfedcba', 'deep', ['2026_w01']]);
	});
	it('forgets what left the range that was read', () => expect(ids(renew(list, page('hgfedcba', 'deep'), page('jgf', 'x')))).toBe('jgfedcba'));
	it('is the fresh one when that is all', () => expect(ids(renew(list, page('hgf', 'deep'), page('j', null)))).toBe('j'));
	it('gives what was asked for while an event has it read again, in either order', async () => {
		const answers: ((page: ListPage<Row>) => void)[] = [], asked: (string | undefined)[] = [], settle = () => new Promise((done) => setTimeout(done));
		let shown: Reading<Row> | undefined;
		const reader = new Reader(list, (cursor) => {
			asked.push(cursor);
			return new Promise<ListPage<Row>>((answer) => answers.push(answer));
		}, (state) => { shown = state; });
		const answer = async (p: ListPage<Row>) => {
			await settle();
			answers.shift()?.(p);
			await settle();
		};
		void reader.first();
		await answer(page('hgf', 'f'));
		void reader.more();
		void reader.first(); // an event, while more is under way
		await answer(page('ed', 'd'));
		await answer(page('ihg', 'g'));
		expect([shown?.page && ids(shown.page), shown?.page?.next, shown?.busy]).toEqual(['ihgfed', 'd', false]);
		void reader.first();
		void reader.more(); // asked for while an event is followed
		void reader.more();
		await answer(page('jih', 'h'));
		await answer(page('dcb', null)); // d stands there already
		expect([shown?.page && ids(shown.page), shown?.page?.next, asked]).toEqual(['jihgfedcb', null, [undefined, 'f', undefined, undefined, 'd']]);
	});
	it('says what failed, keeps what was there, and goes on', async () => {
		let fails = true, shown: Reading<Row> | undefined;
		const reader = new Reader(list, async () => {
			if (fails)
				throw new Error('away');
			return page('b', null);
		}, (state) => { shown = state; });
		await reader.first();
		expect([shown?.failed, shown?.page]).toEqual([true, undefined]);
		fails = false;
		await reader.first();
		expect([shown?.failed, shown?.page && ids(shown.page)]).toEqual([false, 'b']);
	});
	it('goes on where the fresh page ends when nothing lies before it', () => expect(renew(list, page('ji', null), page('kji', 'c')).next).toBe('c'));
});

describe('limits', () => {
	const limit = (own: number | null, pending: { own: number | null; at: number } | null = null) => ({ effective: own, own, pending });
	const limits: OwnLimits = { player_column: limit(null), player_open: limit(5_000_000), day_stake: limit(1_000_000, { own: null, at: 9 }),
		day_loss: limit(null), cool_off_until: null, self_excluded_until: null };
	const fields = { player_column: '', player_open: '5', day_stake: '', day_loss: '' };

	it('asks for nothing when nothing changed, what is on its way included', () => expect(changesOf(limits, fields)).toEqual({}));
	it('asks for what changed alone', () => {
		expect(changesOf(limits, { ...fields, player_open: '', day_stake: '1', day_loss: ' 2.5 ' }))
			.toEqual({ player_open: null, day_stake: 1_000_000, day_loss: 2_500_000 });
	});
	it('asks for nothing when a field is no amount', () => expect(changesOf(limits, { ...fields, day_loss: 'x' })).toBeUndefined());
});

describe('a withdrawal', () => {
	const to = '0x52908400098527886E0F7030069857D2E4169EE7';
	it('is checked before the wallet is asked', () => {
		expect(wrongIn(5_000_000, to, 1_000_000, 5_000_000)).toEqual({});
		expect(wrongIn(5_000_000, to.toLowerCase(), 1_000_000, 5_000_000)).toEqual({});
		expect(Object.keys(wrongIn(undefined, '0x12', 1_000_000, 5_000_000))).toEqual(['amount', 'to']);
		expect(Object.keys(wrongIn(999_999, to, 1_000_000, 5_000_000))).toEqual(['amount']);
		expect(Object.keys(wrongIn(5_000_001, to, 1_000_000, 5_000_000))).toEqual(['amount']);
		expect(Object.keys(wrongIn(5_000_000, `${to.slice(0, -1)}a`, 1_000_000, 5_000_000))).toEqual(['to']);
	});
});

describe('the drawing of a path', () => {
	const rules = { column_seconds: 5, max_tick_gap_ms: 3000 };
	const path = pathOf([[4900, 3000], [6000, 2500], [9900, 1000]], 5, rules);
	it('holds path and cell', () => {
		const drawing = drawingOf(path, '5_2000_4000', 5, [6000, 2500]);
		const points = drawing?.line.split(' ').map((point) => point.split(',').map(Number)) ?? [];
		expect(points).toHaveLength(3);
		for (const [x = -1, y = -1] of points) {
			expect(x >= 0 && x <= WIDTH).toBe(true);
			expect(y >= 0 && y <= HEIGHT).toBe(true);
		}
		expect(drawing?.cell.height).toBeGreaterThan(0);
		expect(drawing && drawing.cell.y).toBeLessThan(points[0]?.[1] ?? 0);
		expect(drawing?.deciding?.x).toBeCloseTo(points[1]?.[0] ?? 0, 0);
	});
	it('is none without ticks', () => expect(drawingOf(pathOf([], 5, rules), '5_2000_4000', 5, null)).toBeNull());
});
