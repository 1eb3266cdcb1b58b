// A list of the API, page by page, newest first, which follows the wallet's events.
import { useEffect, useMemo, useRef, useState } from 'react';
import { useGame, useRevision } from '../state/hooks.js';

export interface ListPage<T> { entries: T[]; next: string | null; archived: string[] }
export interface ListOf<T> { path: string; member: string; id: (entry: T) => string; at: (entry: T) => number }

/** The first page was read again: what stands in it is as it says, what left its range is gone, what lies before it stays. */
export function renew<T>(list: ListOf<T>, shown: ListPage<T>, fresh: ListPage<T>): ListPage<T> {
	const oldest = fresh.entries.at(-1);
	if (fresh.next === null || oldest === undefined)
		return fresh;
	const there = new Set(fresh.entries.map(list.id));
	const before = shown.entries.filter((entry) => !there.has(list.id(entry)) && list.at(entry) <= list.at(oldest));
	return before.length ? { entries: [...fresh.entries, ...before], next: shown.next, archived: shown.archived } : fresh;
}

/** What came after the page, which may have been read again meanwhile, so that some of it stands there already. */
export function extend<T>(list: ListOf<T>, shown: ListPage<T>, read: ListPage<T>): ListPage<T> {
	const there = new Set(shown.entries.map(list.id));
	return { entries: [...shown.entries, ...read.entries.filter((entry) => !there.has(list.id(entry)))], next: read.next,
		archived: [...new Set([...shown.archived, ...read.archived])] };
}

export interface Reading<T> { page: ListPage<T> | undefined; failed: boolean; busy: boolean }

/** Reads one question's pages one after the other: what the player asks for is not lost to an event that comes meanwhile, nor the other way. */
export class Reader<T> {
	private state: Reading<T> = { page: undefined, failed: false, busy: false };
	private line = Promise.resolve();
	private waiting = new Set<'first' | 'more'>();

	constructor(private readonly list: ListOf<T>, private readonly ask: (cursor: string | undefined) => Promise<ListPage<T>>,
		private readonly tell: (state: Reading<T>) => void) {}

	/** From the top. */
	first(): Promise<void> {
		return this.queue('first', async () => {
			const fresh = await this.ask(undefined), { page } = this.state;
			return page ? renew(this.list, page, fresh) : fresh;
		});
	}

	/** What comes after that which is shown when its turn comes. */
	more(): Promise<void> {
		return this.queue('more', async () => {
			const { page } = this.state;
			return page && page.next !== null ? extend(this.list, page, await this.ask(page.next)) : page;
		});
	}

	private queue(what: 'first' | 'more', read: () => Promise<ListPage<T> | undefined>): Promise<void> {
		if (!this.waiting.has(what)) { // one that has not begun will do for both
			this.waiting.add(what);
			this.line = this.line.then(async () => {
				this.waiting.delete(what);
				this.set({ failed: false, busy: true });
				try {
					this.set({ page: await read(), busy: false });
				} catch {
					this.set({ failed: true, busy: false });
				}
			});
		}
		return this.line;
	}

	private set(change: Partial<Reading<T>>): void {
		this.state = { ...this.state, ...change };
		this.tell(this.state);
	}
}

const LIMIT = 50, SETTLE_MS = 250;

export interface Listed<T> extends Reading<T> {
	/** undefined at the end. */
	more: (() => void) | undefined;
	again: () => void;
}

/** query: what it is narrowed by; read anew when that changes. page is undefined until the first one is here. */
export function useList<T>(list: ListOf<T>, query: Record<string, string | number | undefined>): Listed<T> {
	const game = useGame(), revision = useRevision(), key = JSON.stringify(query);
	const [shown, show] = useState<{ of: unknown; state: Reading<T> }>(), newest = useRef<Reader<T>>(undefined);
	const reader = useMemo(() => {
		const made: Reader<T> = new Reader(list, async (cursor) => {
			const body = await game.call<Record<string, unknown>>('GET', list.path, { query: { limit: LIMIT, ...JSON.parse(key) as object, cursor } });
			return { entries: body[list.member] as T[], next: body['next_cursor'] as string | null, archived: (body['archived_weeks'] as string[] | undefined) ?? [] };
		}, (state) => newest.current === made && show({ of: made, state }));
		return made;
	}, [game, key, list]);
	useEffect(() => {
		if (newest.current !== reader) { // another question: at once
			newest.current = reader;
			void reader.first();
			return undefined;
		}
		const timer = setTimeout(() => void reader.first(), SETTLE_MS); // events come in flocks
		return () => clearTimeout(timer);
	}, [reader, revision]);
	const state = shown?.of === reader ? shown.state : { page: undefined, failed: false, busy: true };
	return { ...state, again: () => void reader.first(), more: (state.page?.next ?? null) === null ? undefined : () => void reader.more() };
}
