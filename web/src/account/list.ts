// A list of the API, page by page, newest first, which follows the wallet's events.
import { useCallback, useEffect, useRef, useState } from 'react';
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

const LIMIT = 50, SETTLE_MS = 250;

export interface Listed<T> {
	/** undefined until the first page is here. */
	page: ListPage<T> | undefined;
	failed: boolean;
	busy: boolean;
	/** undefined at the end. */
	more: (() => void) | undefined;
	again: () => void;
}

/** query: what it is narrowed by; read anew when that changes. */
export function useList<T>(list: ListOf<T>, query: Record<string, string | number | undefined>): Listed<T> {
	const game = useGame(), revision = useRevision(), key = JSON.stringify(query);
	const [state, setState] = useState<{ key: string; page: ListPage<T> | undefined; failed: boolean; busy: boolean }>({ key: '', page: undefined,
		failed: false, busy: false });
	const turn = useRef(0), keyNow = useRef('');
	const read = useCallback(async (cursor: string | undefined, into: (page: ListPage<T> | undefined, read: ListPage<T>) => ListPage<T>) => {
		const mine = ++turn.current;
		setState((s) => ({ key, page: s.key === key ? s.page : undefined, failed: false, busy: true }));
		try {
			const body = await game.call<Record<string, unknown>>('GET', list.path, { query: { limit: LIMIT, ...JSON.parse(key) as object, cursor } });
			const page: ListPage<T> = { entries: body[list.member] as T[], next: body['next_cursor'] as string | null,
				archived: (body['archived_weeks'] as string[] | undefined) ?? [] };
			if (mine === turn.current)
				setState((s) => ({ key, page: into(s.page, page), failed: false, busy: false }));
		} catch {
			if (mine === turn.current)
				setState((s) => ({ ...s, failed: true, busy: false }));
		}
	}, [game, key, list]);
	const first = useCallback(() => read(undefined, (shown, fresh) => (shown ? renew(list, shown, fresh) : fresh)), [read, list]);
	useEffect(() => {
		if (keyNow.current !== key) { // another question: at once
			keyNow.current = key;
			void first();
			return undefined;
		}
		const timer = setTimeout(() => void first(), SETTLE_MS); // events come in flocks
		return () => clearTimeout(timer);
	}, [first, key, revision]);
	const { page } = state, next = page?.next ?? null;
	return { page: state.key === key ? page : undefined, failed: state.failed, busy: state.busy, again: () => void first(),
		more: next === null ? undefined : () => void read(next, (shown, read) => ({ entries: [...(shown?.entries ?? []), ...read.entries],
			next: read.next, archived: [...new Set([...(shown?.archived ?? []), ...read.archived])] })) };
}
