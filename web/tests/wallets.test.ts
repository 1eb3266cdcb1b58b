import { describe, expect, it } from 'vitest';
import { troubleOf, Wallets, type Provider, type WalletChoice } from '../src/wallet/wallets.js';
import { words } from '../src/words/index.js';

const CHOICE: WalletChoice = { id: 'org.example', name: 'Example', demo: false };

/** What becomes of asking a wallet for its account. */
async function asked(request: Provider['request']): Promise<unknown> {
	const page = Object.assign(new EventTarget(), { location: { hostname: 'tap.example' } });
	const wallets = new Wallets(page as unknown as Window);
	page.dispatchEvent(Object.assign(new Event('eip6963:announceProvider'), { detail: { info: { uuid: '1', name: 'Example', rdns: CHOICE.id },
		provider: { request } } }));
	return wallets.connect(CHOICE).then((wallet) => wallet.address, (error: unknown) => troubleOf(error) ?? 'wallet');
}
const refuses = (code: number) => async () => Promise.reject(Object.assign(new Error('no'), { code }));

describe('a wallet that is asked for its account', () => {
	it('names it', async () => expect(await asked(async () => ['0x52908400098527886e0f7030069857d2e4169ee7'])).toBe('0x52908400098527886E0F7030069857D2E4169EE7'));
	it.each([['declined', refuses(4001)], ['waiting', refuses(-32002)], ['locked', refuses(4100)], ['locked', async () => []]])('is %s', async (what, request) => {
		expect(await asked(request)).toBe(what);
		expect(words.wallet.failed[what]).toBeTruthy();
		expect(words.account.money.refused[what]).toBeTruthy();
	});
	it('fails in another way', async () => expect(await asked(refuses(-32603))).toBe('wallet'));
});
