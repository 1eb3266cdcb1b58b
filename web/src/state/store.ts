// A value that views follow. What is set is merged; who watches is told once, after it was set.
import { useSyncExternalStore } from 'react';

export class Store<T extends object> {
	private watchers = new Set<() => void>();

	constructor(private value: T) {}

	get = (): T => this.value;

	set(change: Partial<T>): void {
		this.value = { ...this.value, ...change };
		for (const watcher of this.watchers)
			watcher();
	}

	watch = (watcher: () => void): (() => void) => {
		this.watchers.add(watcher);
		return () => { this.watchers.delete(watcher); };
	};
}

/** Draws anew when what `select` picks is another (by Object.is): pick members, make no new object. */
export function useStore<T extends object, S>(store: Store<T>, select: (value: T) => S): S {
	return useSyncExternalStore(store.watch, () => select(store.get()));
}
