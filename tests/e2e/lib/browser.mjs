// Debian's chromium on the page of a running product. What must never happen is watched from the first moment on: an error on the
// console, a violation of the page's own policy, a request to anybody else.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { privateKeyToAccount, generatePrivateKey } from 'viem/accounts';
import { until } from './product.mjs';

const top = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../..');
// However busy the machine is: what does not come in this time does not come.
export const WAIT_MS = 60_000;
const shots = path.join(top, 'build/page-shots');
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

// With less motion a frame is drawn for each tick, not for each frame of the screen: what is tested is the same, and the machine has rest.
export const MOVING = { viewport: { width: 1440, height: 900 }, colorScheme: 'dark' };
export const DESKTOP = { ...MOVING, reducedMotion: 'reduce' };
export const SIDEWAYS = { reducedMotion: 'reduce', viewport: { width: 844, height: 390 }, colorScheme: 'dark', isMobile: true, hasTouch: true, deviceScaleFactor: 2 };
export const PHONE = { reducedMotion: 'reduce', viewport: { width: 390, height: 844 }, colorScheme: 'dark', isMobile: true, hasTouch: true, deviceScaleFactor: 2 };

// On a machine without a graphics card that is busy, chromium takes its own drawing process for hung, kills it, and after some times
// gives up and ends: it is told to wait.
export const launch = () => chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox', '--disable-dev-shm-usage',
	'--disable-gpu-watchdog', '--disable-gpu-process-crash-limit'] });

// Runs in the page before its own script: how long each frame kept the main thread, and what the policy refused.
function watch() {
	const frames = { spent: [], apart: [] }, violations = [];
	let last = 0;
	const ask = globalThis.requestAnimationFrame.bind(globalThis);
	globalThis.requestAnimationFrame = (draw) => ask((stamp) => {
		const began = performance.now();
		draw(stamp);
		frames.spent.push(performance.now() - began);
		if (last)
			frames.apart.push(stamp - last);
		last = stamp;
	});
	document.addEventListener('securitypolicyviolation', (e) => violations.push(`${e.violatedDirective} ${e.blockedURI}`));
	Object.assign(globalThis, { seenOfPage: { frames, violations } });
}

// E2E_THROTTLE: how many times slower the page's own thread is than this machine.
async function slow(page) {
	const rate = Number(process.env.E2E_THROTTLE ?? 1);
	if (rate > 1)
		await (await page.context().newCDPSession(page)).send('Emulation.setCPUThrottlingRate', { rate });
}

export class Visitor {
	// context: a browser context to share, as a second tab does.
	static async open(product, browser, options = DESKTOP, context = undefined, before = undefined) {
		const v = new Visitor();
		Object.assign(v, { product, own: !context, context: context ?? await browser.newContext(options), complaints: [] });
		v.page = await v.context.newPage();
		v.page.setDefaultTimeout(WAIT_MS);
		v.page.on('pageerror', (e) => v.complaints.push(`thrown: ${e.message}`));
		v.page.on('console', (m) => {
			// The browser itself reports each refused request and each lost connection so; the page is judged by what it says then.
			if (['error', 'warning'].includes(m.type()) && !/^Failed to load resource|^WebSocket connection to/.test(m.text()))
				v.complaints.push(`console: ${m.text()}`);
		});
		v.page.on('request', (r) => {
			if (!r.url().startsWith(`${product.origin}/`) && !r.url().startsWith('blob:'))
				v.complaints.push(`asked elsewhere: ${r.url()}`);
		});
		await v.page.addInitScript(watch);
		await slow(v.page);
		await before?.(v.page);
		await v.page.goto(`${product.origin}/`);
		await v.page.waitForFunction(() => /\d/.test(document.querySelector('#price')?.textContent ?? ''), null);
		return v;
	}

	async signIn(wallet = 'demo') {
		const { page } = this;
		await page.click('#who');
		await page.click(`[data-wallet="${wallet}"]`);
		await page.waitForSelector('#sign');
		this.caps = await page.locator('#caps').innerText();
		await page.click('#sign');
		await page.waitForSelector('#balance');
		return this.micros();
	}

	text(selector) {
		return this.page.locator(selector).innerText();
	}

	// The balance shown, in micro-USD.
	async micros() {
		return Math.round(Number((await this.text('#balance')).replace(/[^\d.]/g, '')) * 100) * 10_000;
	}

	async openBets() {
		return Number(/^(\d+) open/.exec(await this.text('.balance small'))?.[1] ?? 0);
	}

	// Chooses by keys, as who does not see the board: so many columns and rows from the first open cell at the price.
	async choose(right, up) {
		const { page } = this;
		await page.focus('canvas');
		await page.keyboard.press('Escape');
		await page.keyboard.press('ArrowRight');
		for (let i = 0; i < right; i++)
			await page.keyboard.press('ArrowRight');
		for (let i = 0; i < Math.abs(up); i++)
			await page.keyboard.press(up > 0 ? 'ArrowUp' : 'ArrowDown');
	}

	// What a screen reader is told of the chosen cell.
	chosen() {
		return this.page.locator('#chosen').textContent();
	}

	notice(kind) {
		return this.page.waitForSelector(`#notice[data-kind="${kind}"]`, { state: 'attached' });
	}

	// Waits for a tap to be in one of these states, as the list for who does not see the board says it.
	async state(cell, ...states) {
		await this.page.waitForSelector(states.map((s) => `#taps [data-cell="${cell}"][data-state="${s}"]`).join(','), { state: 'attached' });
	}

	/** Bets by keys on a cell that takes it, near the price; gives what its POST said. The market moves meanwhile: what is refused, by the
	 *  page at once or by the server, is tried again elsewhere. */
	async bet(right = 1, up = 0) {
		const { page } = this, posted = (r) => r.url().endsWith('/api/v1/bets') && r.request().method() === 'POST';
		for (let tries = 0; tries < 40; tries++) {
			await this.choose(right + tries % 3, up + (tries % 5) - 2);
			const before = await page.$('#notice'), answer = page.waitForResponse(posted), refused = page.waitForFunction((old) => {
				const now = document.querySelector('#notice');
				return now !== old && now?.dataset.kind === 'refused';
			}, before);
			for (const late of [answer, refused])
				late.catch(() => {}); // the other one
			await page.keyboard.press('Enter');
			const response = await Promise.race([answer, refused]);
			if (response.status?.() === 202)
				return { request: response.request().postDataJSON(), ...await response.json() };
			await Promise.race([refused, page.waitForTimeout(5000)]).catch(() => {}); // its words are not those of the next try
		}
		return assert.fail('no cell takes a bet');
	}

	async shot(name) {
		mkdirSync(shots, { recursive: true });
		await this.page.screenshot({ path: path.join(shots, `${name}.png`) });
	}

	// Faults of accessibility that keep somebody out.
	async faults() {
		await this.page.evaluate(axe);
		const { violations } = await this.page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
		return violations.filter((f) => ['serious', 'critical'].includes(f.impact)).map((f) => `${f.id}: ${f.nodes.map((n) => n.target).join(' ')}`);
	}

	async seen() {
		return this.page.evaluate(() => globalThis.seenOfPage);
	}

	// Nothing that must not happen has happened.
	async clean() {
		assert.deepEqual(this.complaints, []);
		assert.deepEqual((await this.seen()).violations, []);
	}

	async close() {
		await (this.own ? this.context.close() : this.page.close());
	}
}

// A wallet of the browser as EIP-6963 and EIP-1193 have it, with two accounts of viem behind it.
export async function installWallet(page, rdns = 'org.example.wallet') {
	const accounts = [privateKeyToAccount(generatePrivateKey()), privateKeyToAccount(generatePrivateKey())];
	const asked = [];
	await page.exposeFunction('walletSigns', async (hex, address) => {
		asked.push(address);
		return accounts.find((a) => a.address === address).signMessage({ message: { raw: hex } });
	});
	await page.addInitScript(({ addresses, rdns: name }) => {
		const handlers = {};
		const state = { account: addresses[0], chain: '0x1', calls: [] };
		const provider = {
			request: async ({ method, params }) => {
				state.calls.push(method);
				switch (method) {
				case 'eth_requestAccounts':
					if (state.waits)
						throw Object.assign(new Error('Request already pending.'), { code: -32002 });
					return state.locked ? [] : [state.account.toLowerCase()];
				case 'eth_chainId': return state.chain;
				case 'personal_sign':
					if (state.declines)
						throw Object.assign(new Error('User rejected the request.'), { code: 4001 });
					return globalThis.walletSigns(params[0], params[1]);
				case 'wallet_switchEthereumChain':
					state.chain = params[0].chainId;
					handlers.chainChanged?.forEach((h) => h(state.chain));
					return null;
				default: throw Object.assign(new Error(method), { code: 4200 });
				}
			},
			on: (event, handler) => { (handlers[event] ??= []).push(handler); },
			removeListener: (event, handler) => { handlers[event] = (handlers[event] ?? []).filter((h) => h !== handler); },
		};
		const announce = () => globalThis.dispatchEvent(new CustomEvent('eip6963:announceProvider',
			{ detail: Object.freeze({ info: { uuid: crypto.randomUUID(), name: 'Example Wallet', icon: 'data:,', rdns: name }, provider }) }));
		globalThis.addEventListener('eip6963:requestProvider', announce);
		Object.assign(globalThis, { testWallet: { state, turnTo: (account) => {
			state.account = account;
			handlers.accountsChanged?.forEach((h) => h(account ? [account.toLowerCase()] : []));
		}, chain: (id) => {
			state.chain = id;
			handlers.chainChanged?.forEach((h) => h(id));
		} } });
	}, { addresses: accounts.map((a) => a.address), rdns });
	return { accounts, asked, rdns };
}

export function quantile(values, q) {
	const sorted = [...values].sort((a, b) => a - b);
	return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? NaN;
}

export { until };
