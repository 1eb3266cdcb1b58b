// The page as players meet it, in Debian's chromium, on the real product: nothing behind it is imitated. Pictures are kept under
// build/page-shots. Times are printed, as diagnostics, and judged only so far that a page which has stopped is found.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import test, { after, afterEach, before } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { DESKTOP, MOVING, PHONE, SIDEWAYS, Visitor, WAIT_MS, installWallet, launch, quantile } from './lib/browser.mjs';
import { Product, WELCOME, until } from './lib/product.mjs';

const USD = 1_000_000, BUDGET = 200 * 1024;
const built = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../build/web');
let product, browser;
const visitors = [];

before(async () => {
	[product, browser] = await Promise.all([Product.start('page'), launch()]);
});

after(async () => {
	await browser?.close();
	await product?.stop();
});

// Also what a failed test left open: each page draws.
afterEach(async () => {
	for (const v of visitors.splice(0).reverse())
		await v.close().catch(() => {});
});

async function visitor(...args) {
	const v = await Visitor.open(product, browser, ...args);
	visitors.push(v);
	return v;
}

test('what is loaded is small', (t) => {
	const scripts = readdirSync(path.join(built, 'assets')).filter((name) => name.endsWith('.js'));
	const bytes = scripts.reduce((sum, name) => sum + gzipSync(readFileSync(path.join(built, 'assets', name))).length, 0);
	t.diagnostic(`${scripts.length} scripts, ${bytes} bytes compressed`);
	assert.ok(scripts.length > 0 && bytes < BUDGET, `${bytes} bytes`);
});

test('compressed, kept by name, and under a policy without exceptions', async () => {
	const page = await fetch(`${product.origin}/`);
	const policy = page.headers.get('content-security-policy');
	assert.ok(policy.includes("script-src 'self'") && !policy.includes('unsafe'), policy);
	assert.equal(page.headers.get('cache-control'), 'no-cache');
	const html = await page.text();
	assert.doesNotMatch(html, /<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=/, 'nothing inline');
	const script = /src="\.\/(assets\/[^"]+\.js)"/.exec(html)[1];
	const answer = await fetch(`${product.origin}/${script}`, { headers: { 'accept-encoding': 'gzip' } });
	assert.equal(answer.headers.get('content-encoding'), 'gzip');
	assert.match(answer.headers.get('cache-control'), /immutable/);
	assert.equal((await fetch(`${product.origin}/assets/none.js`)).status, 404);
});

test('signs in, taps, sees pending, confirmed and resolved, and the balance moves', async (t) => {
	const v = await visitor(MOVING);
	const { page } = v;
	const paint = await page.evaluate(() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime);
	assert.equal(await v.signIn(), WELCOME);
	assert.match(v.caps, /24 hours/);
	assert.match(v.caps, /\$1,000 at stake in one column and \$5,000 in all/);
	assert.match(v.caps, /never withdraw/);
	await page.check('input[value="5000000"]');
	// With the mouse, on the right half where the open columns are.
	const box = await page.locator('canvas').boundingBox();
	let bet, i = 0;
	page.on('response', (r) => { bet ??= r.url().endsWith('/api/v1/bets') && r.status() === 202 ? r : undefined; });
	await until('a bet to be taken', WAIT_MS, async () => {
		await page.mouse.click(box.x + box.width * (0.6 + 0.02 * (i % 10)), box.y + box.height * (0.44 + 0.03 * (i++ % 5)));
		await sleep(500);
		return bet;
	});
	const placed = { request: bet.request().postDataJSON(), ...await bet.json() };
	assert.equal(placed.request.stake, 5 * USD);
	assert.ok(placed.rate >= placed.request.rate);
	await v.state(placed.cell, 'confirmed', 'won', 'lost', 'void');
	await until('the stake to be taken', WAIT_MS, async () => await v.micros() !== WELCOME);
	await v.shot('desktop-confirmed');
	// Until its column is decided, and then as the book has it.
	const token = await page.evaluate(() => JSON.parse(localStorage.getItem('tap.session')).session.session_token);
	const me = async (at) => (await fetch(`${product.origin}/api/v1${at}`, { headers: { authorization: `Bearer ${token}` } })).json();
	await until('it to be decided', WAIT_MS, async () => (await me(`/bets/${placed.bet_id}`)).status !== 'confirmed', 200);
	await v.state(placed.cell, 'won', 'lost', 'void');
	await until('the balance of the book', WAIT_MS, async () => {
		const { balance } = await me('/me');
		return Math.abs(balance - await v.micros()) < 10_000; // shown in cents
	});
	await v.shot('desktop-decided');
	const { frames } = await v.seen();
	const readMarks = () => page.evaluate(() => performance.getEntriesByType('mark').map((m) => [m.name, m.detail, m.startTime]));
	await until('the frame that shows it', WAIT_MS, async () => (await readMarks()).some(([name]) => name === 'tap:confirmed'));
	const marks = await readMarks();
	const since = (name) => marks.filter((m) => m[0] === name).map(([, cell, at]) => at - marks.findLast((m) => m[0] === 'tap' && m[1] === cell && m[2] <= at)[2]);
	const [pending, confirmed] = [since('tap:pending'), since('tap:confirmed')];
	t.diagnostic(`first paint ${Math.round(paint)} ms; tap to pending frame ${pending.map(Math.round)} ms; to confirmed frame ${confirmed.map(Math.round)} ms`);
	t.diagnostic(`frames ${frames.spent.length}: main thread p50 ${quantile(frames.spent, 0.5).toFixed(1)} p95 ${quantile(frames.spent, 0.95).toFixed(1)} ms; apart p50 ${
		quantile(frames.apart, 0.5).toFixed(1)} p95 ${quantile(frames.apart, 0.95).toFixed(1)} ms`);
	assert.ok(pending.length >= 1 && confirmed.length >= 1, 'the board showed both');
	assert.ok(frames.spent.length > 30, 'the board draws');
	await v.clean();
});

test('by keys alone, with every state told in words', async () => {
	const v = await visitor();
	await v.signIn();
	const placed = await v.bet(6); // so far on that it stays open meanwhile
	await v.state(placed.cell, 'confirmed', 'won', 'lost', 'void');
	await v.page.keyboard.press('Enter'); // once more
	assert.match(await (await v.notice('refused')).innerText(), /Your bet on this cell is on its way|Your stake lies on this cell already/);
	assert.match(await v.chosen(), /^\$[\d,]+ to \$[\d,]+, in \d+ seconds, (pays \d|closed)/);
	assert.match(await v.page.locator(`#taps [data-cell="${placed.cell}"]`).textContent(), /^\$[\d,]+ to \$[\d,]+, \$1 at \d+\.\d+×: \w/);
	assert.deepEqual(await v.faults(), []);
	await v.clean();
});

test('confirmed by the socket alone; cut while pending it is unknown, and then found', async () => {
	const v = await visitor(DESKTOP, undefined, async (page) => {
		page.cut = { deaf: false, away: false, sockets: [] };
		await page.routeWebSocket(/\/ws$/, (socket) => {
			if (page.cut.away)
				return void socket.close({ code: 1012, reason: 'away' });
			const server = socket.connectToServer();
			page.cut.sockets.push(socket);
			// Own events are lost on the way, all else passes.
			server.onMessage((m) => {
				if (!(page.cut.deaf && String(m).includes('"bet:')))
					socket.send(m);
			});
		});
	});
	await v.signIn();
	await v.page.waitForTimeout(500);
	v.page.cut.deaf = true;
	for (const at of ['**/api/v1/bets?**', '**/api/v1/me'])
		await v.context.route(at, (route) => route.abort());
	const placed = await v.bet(3);
	await v.state(placed.cell, 'pending'); // the answer to the POST confirms nothing
	await v.shot('desktop-pending');
	Object.assign(v.page.cut, { deaf: false, away: true });
	await v.page.cut.sockets.at(-1).close({ code: 1012, reason: 'cut by the test' });
	await Promise.all([v.state(placed.cell, 'unknown'), v.page.waitForSelector('#banner[data-what="lost"]')]);
	await v.shot('desktop-unknown');
	v.page.cut.away = false;
	await v.context.unrouteAll();
	await v.state(placed.cell, 'confirmed', 'won', 'lost', 'void');
	await until('the balance', WAIT_MS, async () => await v.micros() <= placed.balance || await v.openBets() === 0);
	await v.page.waitForSelector('#banner', { state: 'detached' });
	await v.clean();
});

test('two tabs show the same, and end together', async () => {
	const one = await visitor();
	await one.signIn();
	const two = await visitor(DESKTOP, one.context);
	await two.page.waitForSelector('#balance');
	const { cell } = await one.bet(2);
	for (const tab of [one, two])
		await until('the balance in both', WAIT_MS, async () => await tab.micros() !== WELCOME);
	for (const tab of [one, two])
		await tab.state(cell, 'confirmed', 'won', 'lost', 'void');
	await one.page.reload();
	await one.page.waitForSelector('#balance');
	await one.state(cell, 'confirmed', 'won', 'lost', 'void'); // found in the book
	await one.page.click('#who');
	await one.page.click('#sign-out');
	for (const tab of [one, two])
		await tab.page.waitForSelector('#balance', { state: 'detached' });
	await two.signIn();
	await one.page.waitForSelector('#balance');
	const again = await one.bet(3);
	await two.state(again.cell, 'confirmed', 'won', 'lost', 'void');
	await one.clean();
	await two.clean();
});

test('a wallet of the browser: declines, signs, turns to another account, to another chain', async () => {
	let wallet;
	const v = await visitor(DESKTOP, undefined, async (page) => { wallet = await installWallet(page); });
	const { page } = v;
	await page.click('#who');
	for (const [state, words] of [['locked', /locked/], ['waits', /still waits for an answer/]]) {
		await page.evaluate((name) => { globalThis.testWallet.state[name] = true; }, state);
		await page.click(`[data-wallet="${wallet.rdns}"]`);
		await until(`that it is ${state}`, WAIT_MS, async () => words.test(await v.text('#notice')));
		await page.evaluate((name) => { globalThis.testWallet.state[name] = false; }, state);
	}
	await page.evaluate(() => { globalThis.testWallet.state.declines = true; });
	await page.click(`[data-wallet="${wallet.rdns}"]`);
	await page.click('#sign');
	await until('that it was declined', WAIT_MS, async () => /declined/.test((await v.page.locator('#notice').allInnerTexts()).join()));
	await page.evaluate(() => { globalThis.testWallet.state.declines = false; });
	await page.click(`[data-wallet="${wallet.rdns}"]`);
	await page.click('#sign');
	await page.waitForSelector('#balance');
	assert.deepEqual(wallet.asked, [wallet.accounts[0].address]);
	await v.bet(2);
	assert.equal(wallet.asked.length, 1, 'the wallet is not asked for a bet');
	await until('the way back to the right chain', WAIT_MS, async () => {
		await page.evaluate(() => globalThis.testWallet.chain('0x89'));
		const said = await v.notice('chain');
		assert.match(await said.innerText(), /another network/);
		await page.click('#notice button', { timeout: 5000 }).catch(() => {}); // the bet may be decided now, and that be said instead
		return page.evaluate(() => globalThis.testWallet.state.chain === '0x1');
	});
	await page.evaluate((other) => globalThis.testWallet.turnTo(other), wallet.accounts[1].address);
	await v.notice('account-changed');
	await page.waitForSelector('#balance', { state: 'detached' });
	assert.equal(await v.signIn(wallet.rdns), WELCOME, 'the other account');
	await v.clean();
});

test('on a phone: a touch bets, a drag and a pinch do not', async () => {
	const v = await visitor(PHONE);
	const { page } = v;
	await v.shot('phone-guest');
	const board = await page.locator('canvas').boundingBox();
	await until('a touch of an open cell to offer wallets', WAIT_MS, async () => {
		await page.touchscreen.tap(board.x + board.width * 0.6, board.y + board.height * 0.5);
		await sleep(400); // the click that a browser makes of a touch comes after it
		return page.locator('dialog.sheet[open]').isVisible();
	}, 500);
	await page.click('dialog.sheet .shut');
	await v.signIn();
	let sent = 0;
	page.on('request', (r) => { sent += r.method() === 'POST' ? 1 : 0; });
	const box = await page.locator('canvas').boundingBox(), touch = await v.context.newCDPSession(page);
	const points = (type, ...at) => touch.send('Input.dispatchTouchEvent', { type, touchPoints: at.map(([x, y], id) => ({ x, y, id })) });
	const x = box.x + box.width * 0.6, y = box.y + box.height * 0.5;
	await points('touchStart', [x, y]);
	await points('touchMove', [x - 30, y - 20]);
	await points('touchMove', [x - 60, y - 40]);
	await points('touchEnd');
	await page.waitForSelector('.back');
	await points('touchStart', [x - 40, y], [x + 40, y]);
	await points('touchMove', [x - 70, y], [x + 70, y]);
	await points('touchEnd');
	assert.equal(sent, 0);
	await v.shot('phone-zoomed');
	await page.click('.back');
	await page.waitForSelector('.back', { state: 'detached' });
	let bet, i = 0;
	page.on('response', (r) => { bet ??= r.url().endsWith('/api/v1/bets') && r.status() === 202 ? r : undefined; });
	await until('a bet to be taken', WAIT_MS, async () => {
		await page.touchscreen.tap(box.x + box.width * (0.5 + 0.1 * (i % 3)), box.y + box.height * (0.4 + 0.04 * (i++ % 6)));
		await sleep(300);
		return bet;
	});
	const { cell } = await bet.json();
	await v.state(cell, 'confirmed', 'won', 'lost', 'void');
	await until('the balance', WAIT_MS, async () => await v.micros() !== WELCOME);
	await v.shot('phone-confirmed');
	await until('nothing to stick out', WAIT_MS, () => page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
	assert.deepEqual(await v.faults(), []);
	await v.clean();
	const light = await visitor({ ...PHONE, colorScheme: 'light', reducedMotion: 'reduce' });
	await light.page.click('#who');
	await light.page.click('[data-wallet="demo"]');
	await light.page.waitForSelector('#sign');
	await light.shot('phone-light-offer');
	assert.deepEqual(await light.faults(), []);
	await light.clean();
});

test('on a phone, upright and on its side: the board has the room, and all is at hand', async () => {
	for (const [options, name] of [[SIDEWAYS, 'sideways'], [{ ...SIDEWAYS, colorScheme: 'light' }, 'sideways-light'], [PHONE, 'upright']]) {
		const v = await visitor(options), { page } = v;
		await v.signIn();
		const room = async () => {
			const { width, height } = await page.locator('canvas').boundingBox();
			return width * height / (options.viewport.width * options.viewport.height);
		};
		await until('the board to have most of the screen', WAIT_MS, async () => await room() > 0.7);
		await page.click('.legend summary');
		await page.locator('.legend li').last().waitFor();
		await v.shot(`phone-${name}-legend`);
		assert.deepEqual(await v.faults(), []);
		await page.click('.legend summary');
		await page.click('.theme');
		await until('dark colours, asked for', WAIT_MS, () => page.evaluate(() => document.documentElement.dataset.theme === 'dark'));
		for (let i = 0; i < 2; i++)
			await page.click('.theme'); // light, and what the system has
		await v.bet(3);
		await v.shot(`phone-${name}`);
		assert.deepEqual(await v.faults(), []);
		await until('nothing to stick out', WAIT_MS, () => page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
		await v.clean();
		await v.close();
	}
});

test('offline it says so, refuses a tap at once, and comes back', async () => {
	const v = await visitor();
	await v.signIn();
	await until('the page to be kept', WAIT_MS, () => v.page.evaluate(async () => (await (await caches.open('page')).keys()).length >= 3));
	await v.context.setOffline(true);
	await v.page.waitForSelector('#banner[data-what="offline"]');
	let asked = 0;
	v.page.on('request', (r) => { asked += r.method() === 'POST' ? 1 : 0; });
	await until('the refusal in words', WAIT_MS, async () => { // another word may stand in its place a moment later
		await v.choose(3, 0);
		await v.page.keyboard.press('Enter');
		await sleep(300);
		return /not connected/.test(await v.page.locator('#notice').innerText({ timeout: 1000 }).catch(() => ''));
	});
	assert.equal(asked + await v.page.locator('#taps li').count(), 0, 'nothing was tried');
	// Also when it is opened now: its own files were kept.
	await v.page.reload();
	await v.page.waitForSelector('#banner[data-what="offline"]');
	await v.context.setOffline(false);
	await v.page.waitForSelector('#banner', { state: 'detached' });
	await v.clean();
});

test('the feed stalls: the banner, no bets, the stakes of a void column back', async () => {
	const v = await visitor();
	await v.signIn();
	const placed = await v.bet(1);
	await product.replay('stall all');
	await v.page.waitForSelector('#banner[data-what="degraded"]');
	await v.page.waitForSelector('#banner[data-what="critical"]');
	await v.shot('desktop-stalled');
	await v.choose(5, 0); // beyond the stake that lies there
	await v.page.keyboard.press('Enter');
	assert.match(await (await v.notice('refused')).innerText(), /price feed has stopped/);
	await product.replay('off all');
	await until('the void column to be decided', WAIT_MS, async () => await v.openBets() === 0, 200);
	assert.ok(await v.micros() >= placed.balance);
	await v.page.waitForSelector('#banner', { state: 'detached' });
	await v.bet(2);
	await v.clean();
});

test('nothing complained behind it', () => {
	assert.deepEqual(product.complaints(), []);
});
