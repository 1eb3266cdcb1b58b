// What the browser keeps from visit to visit: settings, and the session with its key. Whoever reads the storage of this origin
// may bet for the player within the caps that the wallet signed, until the session ends, and can never withdraw; the page's
// policy lets no foreign script in.
import type { Session } from '@tap-trading/client';
import type { WalletChoice } from '../wallet/wallets.js';

export interface Settings { muted: boolean; theme: 'system' | 'dark' | 'light'; stake: number | null }
export interface KeptSession { session: Session; secret: `0x${string}`; wallet: WalletChoice }

const SETTINGS = 'tap.settings', SESSION = 'tap.session';
export const DEFAULTS: Settings = { muted: false, theme: 'system', stake: null };

function read(name: string): unknown {
	try {
		return JSON.parse(localStorage.getItem(name) ?? 'null');
	} catch {
		return null; // no storage here, or no JSON there
	}
}

function write(name: string, value: unknown): void {
	try {
		if (value === null)
			localStorage.removeItem(name);
		else
			localStorage.setItem(name, JSON.stringify(value));
	} catch {
		// a browser that keeps nothing: for this visit it is kept in memory
	}
}

export function readSettings(): Settings {
	return { ...DEFAULTS, ...(read(SETTINGS) as Partial<Settings> | null) };
}

export const writeSettings = (settings: Settings): void => write(SETTINGS, settings);

export function readSession(now: number): KeptSession | null {
	const kept = read(SESSION) as KeptSession | null;
	return kept?.session?.session_token && kept.session.expires_at > now && /^0x[0-9a-f]{64}$/.test(kept.secret) ? kept : null;
}

export const writeSession = (kept: KeptSession): void => write(SESSION, kept);

/** Ends the kept session if it is this one: another tab may have begun its own since. */
export function forgetSession(token: string | undefined): void {
	if ((read(SESSION) as KeptSession | null)?.session?.session_token === token)
		write(SESSION, null);
}

/** What another tab's change of the storage means for one that has the session of this token, or none. */
export function heard(key: string | null, token: string | undefined, now: number): 'nothing' | 'ended' | KeptSession {
	if (key !== SESSION && key !== null) // null: all was cleared
		return 'nothing';
	const kept = readSession(now);
	if (kept === null)
		return token === undefined ? 'nothing' : 'ended';
	return kept.session.session_token === token ? 'nothing' : kept;
}
