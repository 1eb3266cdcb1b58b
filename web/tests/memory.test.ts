import { beforeEach, describe, expect, it } from 'vitest';
import { forgetSession, heard, readSession, writeSession, type KeptSession } from '../src/state/memory.js';
import { DEMO } from '../src/wallet/wallets.js';

const NOW = 1000;
const kept = (session_token: string, expires_at = 2 * NOW): KeptSession => ({ wallet: DEMO, secret: `0x${'1'.repeat(64)}`,
	session: { session_token, expires_at, wallet: '0x', balance: 0 } });

beforeEach(() => {
	const stored = new Map<string, string>();
	Object.assign(globalThis, { localStorage: { getItem: (k: string) => stored.get(k) ?? null, setItem: (k: string, v: string) => stored.set(k, v),
		removeItem: (k: string) => stored.delete(k) } });
});

describe('what another tab does to the session', () => {
	it('is followed', () => {
		expect([heard('tap.session', undefined, NOW), heard('tap.session', 'mine', NOW), heard(null, 'mine', NOW)]).toEqual(['nothing', 'ended', 'ended']);
		writeSession(kept('new'));
		expect(heard('tap.session', undefined, NOW)).toEqual(kept('new'));
		expect(heard('tap.session', 'mine', NOW)).toEqual(kept('new'));
		expect([heard('tap.session', 'new', NOW), heard('tap.settings', undefined, NOW)]).toEqual(['nothing', 'nothing']);
	});
	it('is no session when it has run out', () => {
		writeSession(kept('new', NOW));
		expect(heard('tap.session', undefined, NOW)).toBe('nothing');
	});
	it('is not undone by a tab whose own session ends', () => {
		writeSession(kept('new'));
		forgetSession('mine');
		expect(readSession(NOW)).toEqual(kept('new'));
		forgetSession('new');
		expect(readSession(NOW)).toBeNull();
	});
});
