// A pause or an exclusion that the player asked for: the board is closed to him until it ends. Pure. Times are the server's, in ms.

export interface Barred { why: 'pause' | 'exclusion'; until: number }
export interface Bars { cool_off_until: number | null; self_excluded_until: number | null }

/** What holds at that time; of both the one that ends later. */
export function barredOf({ cool_off_until, self_excluded_until }: Bars, now: number): Barred | undefined {
	const pause = cool_off_until ?? 0, exclusion = self_excluded_until ?? 0, until = Math.max(pause, exclusion);
	return until > now ? { why: exclusion >= pause ? 'exclusion' : 'pause', until } : undefined;
}
