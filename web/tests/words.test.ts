import { describe, expect, it } from 'vitest';
import html from '../index.html?raw';
import { classes } from '../../packages/client/src/errors.js';
import { demoAllowed, properAddress } from '../src/wallet/wallets.js';
import { en } from '../src/words/en.js';
import { rate, shortAddress, usd, usdExact } from '../src/words/format.js';

describe('figures', () => {
	it.each([[1_000_000, '$1'], [2_350_000, '$2.35'], [100_000_000, '$100'], [1_000_000_000, '$1,000']] as const)('%d is %s', (micro, text) =>
		expect(usd(micro)).toBe(text));
	it.each([[10_100, '1.01×'], [23_500, '2.35×'], [99_990, '9.99×'], [113_631, '11.3×'], [153_000, '15.3×'], [200_000, '20.0×']] as const)('%d is %s', (r, text) =>
		expect(rate(r)).toBe(text));
	it('has cents where a balance has them', () => expect(usdExact(995_000_000)).toBe('$995.00'));
	it('shortens an address', () => expect(shortAddress('0x52908400098527886E0F7030069857D2E4169EE7')).toBe('0x5290…9EE7'));
});

describe('refusals', () => {
	// What a form that the page makes itself can never be, and what is no refusal of a bet.
	const never = ['malformed_request', 'wrong_chain', 'method_not_allowed', 'body_too_large', 'unsupported_media_type', 'replay_detected',
		'not_found', 'session_key_in_use', 'outcome_unknown'];

	it('each code of a bet has words of its own, without a code in them', () => {
		const codes = Object.keys(classes).filter((code) => !never.includes(code));
		for (const code of codes)
			expect(en.refused[code], code).toMatch(/^[A-Z][^_]+\.$/);
	});
});

describe('wallets', () => {
	it('answer in any case, and are shown in EIP-55', () => {
		expect(properAddress('0x52908400098527886e0f7030069857d2e4169ee7')).toBe('0x52908400098527886E0F7030069857D2E4169EE7');
		for (const wrong of [undefined, '', '0x12', 7, '52908400098527886e0f7030069857d2e4169ee7'])
			expect(properAddress(wrong)).toBeUndefined();
	});

	it('of play money are for this machine alone', () => {
		expect(['127.0.0.1', 'localhost', '[::1]', 'tap.example', '127.0.0.1.example'].map(demoAllowed)).toEqual([true, true, true, false, false]);
	});
});

describe('the document', () => {
	it('names nothing of anybody else', () => {
		expect(html).not.toMatch(/https?:\/\//);
	});
});
