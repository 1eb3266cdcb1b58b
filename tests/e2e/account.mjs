// The account's views in Debian's chromium on the real product: bets and their filters, one bet with what decided it and the check in the
// player's own browser, money, limits. Answers are changed on their way only where a server that lies is the case. Pictures are
// kept under build/page-shots.
import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
import { DESKTOP, PHONE, Visitor, WAIT_MS, installWallet, launch } from './lib/browser.mjs';
import { whole } from './lib/judge.mjs';
import { Player, USD, cells } from './lib/player.mjs';
import { Product, WELCOME, until } from './lib/product.mjs';

const BETS = 54; // more than a page of the list
const LIGHT_PHONE = { ...PHONE, colorScheme: 'light' };
let product, browser, visitor, player, wallet;

// The same wallet twice: in the browser, and as a program that bets fast.
before(async () => {
	[product, browser] = await Promise.all([Product.start('account'), launch()]);
	visitor = await Visitor.open(product, browser, { ...DESKTOP, reducedMotion: 'reduce' }, undefined, async (page) => { wallet = await installWallet(page); });
	await visitor.signIn(wallet.rdns);
	player = new Player(product, { key: false });
	[player.account] = wallet.accounts;
	assert.equal((await player.login()).status, 201);
	await placeBets();
});

after(async () => {
	await browser?.close();
	await product?.stop();
});

async function placeBets() {
	const taken = new Set();
	await until('all bets to be placed', 2 * WAIT_MS, async () => {
		const { body: grid } = await player.get('/grid');
		for (const { cell, rate, i } of cells(grid).filter((c) => c.rate > 0 && !taken.has(c.cell)).sort((a, b) => a.i - b.i || a.rate - b.rate)) {
			if (taken.size === BETS)
				return true;
			if (i < 1 || i > 6)
				continue;
			const answer = await player.post(await player.signed({ cell, rate: Math.max(10_100, Math.floor(rate / 2)) }));
			if (answer.status === 202)
				taken.add(cell);
			else if (answer.status === 429)
				return false;
		}
		return taken.size === BETS;
	}, 300);
}

const go = async (hash, ready) => {
	await visitor.page.evaluate((to) => { location.hash = to; }, hash);
	await visitor.page.waitForSelector(ready);
};
const rows = (selector) => visitor.page.locator(`${selector} tbody tr`);
const idsShown = async () => rows('#bets').evaluateAll((all) => all.map((row) => row.dataset.bet));
const decidedBets = () => whole(player, '/bets', 'bets').then((bets) => bets.filter((b) => b.status !== 'confirmed'));
const pick = (name, value) => visitor.page.selectOption(`select[name="${name}"]`, value);
const said = (selector) => visitor.page.locator(selector).innerText();
// What the page shows follows what the API says, some time later.
const says = (selector, text) => until(`${selector} to say ${text}`, WAIT_MS, async () =>
	(await visitor.page.locator(selector).allInnerTexts()).some((t) => text.test(t)));
const shows = (what, count) => until(`${count} ${what}`, WAIT_MS, async () => (await visitor.page.locator(what).count()) === count);

test('bets: page by page, narrowed, followed as they are decided', async () => {
	await go('#/bets', '#bets tbody tr');
	await shows('#bets tbody tr', 50);
	await visitor.page.click('button.more');
	const all = (await whole(player, '/bets', 'bets')).map((b) => b.bet_id);
	assert.equal(all.length, BETS);
	await until('the second page', WAIT_MS, async () => JSON.stringify(await idsShown()) === JSON.stringify(all));
	assert.equal(await visitor.page.locator('button.more').count(), 0, 'the list ends');
	const first = await rows('#bets').first().locator('td').allInnerTexts();
	assert.match(first[0], /\d:\d\d:\d\d/, 'when, to the second');
	assert.match(first[1], /\$[\d,]+ – \$[\d,]+\s+\d+:\d\d:\d\d.*, 5 s/, 'the cell, and the time of its column');
	await visitor.shot('account-bets');
	await pick('status', 'confirmed');
	await until('the open ones alone', WAIT_MS, async () => (await rows('#bets').evaluateAll((all) => all.every((r) => r.dataset.status === 'confirmed'))));
	await until('all decided', 2 * WAIT_MS, async () => (await player.get('/me')).body.open_bets === 0, 500);
	await says('.empty', /No bets here/);
	await says('#open-bets', /No open bets/);
	for (const status of ['won', 'lost']) {
		await pick('status', status);
		const want = (await whole(player, `/bets?status=${status}`, 'bets')).map((b) => b.bet_id);
		assert.ok(want.length > 0, `no bet was ${status}`);
		await until(`the ${status} ones`, WAIT_MS, async () => JSON.stringify(await idsShown()) === JSON.stringify(want.slice(0, 50)));
	}
	await pick('status', 'all');
	await pick('span', 'own');
	await visitor.page.fill('input[name="from"]', '2020-01-01');
	await visitor.page.fill('input[name="to"]', '2020-01-02');
	await says('.empty', /No bets here/);
	await pick('span', 'day');
	await shows('#bets tbody tr', 50);
});

test('weeks in the archive are named', async () => {
	const { page } = visitor;
	await page.route('**/api/v1/bets?*', async (route) => {
		const answer = await route.fetch();
		await route.fulfill({ response: answer, json: { ...await answer.json(), archived_weeks: ['2026_w07'] } });
	});
	await pick('span', 'all');
	await says('.archived', /week 7 of 2026/);
	await page.unrouteAll({ behavior: 'wait' });
	await pick('span', 'week');
});

const result = (source) => visitor.page.locator(`.result[data-source="${source}"]`);
async function verify() {
	await visitor.page.click('#verify');
	await until('a verdict', WAIT_MS, async () => await visitor.page.locator('#verify:enabled').count() === 1 && await result('evidence').count() === 1);
	return Object.fromEntries(await Promise.all(['prices', 'evidence'].map(async (source) => {
		const [digest, computed] = await result(source).locator('tr[data-check="digest"] td').allInnerTexts();
		return [source, { agrees: await result(source).getAttribute('data-agrees'), digest, computed,
			wrong: await result(source).locator('tr[data-agrees="false"]').evaluateAll((all) => all.map((row) => row.dataset.check)) }];
	})));
}

test('a decided bet with what decided it, and the same digest in the browser', async () => {
	const bets = await decidedBets();
	for (const status of ['won', 'lost']) {
		const { bet_id } = bets.find((b) => b.status === status), bet = (await player.get(`/bets/${bet_id}`)).body;
		await go(`#/bets/${bet_id}`, `#bet[data-status="${status}"]`);
		await visitor.page.waitForSelector('svg.path');
		const text = await said('#bet');
		assert.ok(text.includes(bet.evidence.digest) && text.includes(bet_id) && text.includes(String(bet.pricing.quote_id)), text);
		assert.equal(await visitor.page.locator('svg.path .deciding').count(), status === 'won' ? 1 : 0);
		const verdict = await verify();
		for (const source of ['prices', 'evidence'])
			assert.deepEqual(verdict[source], { agrees: 'true', wrong: [], digest: bet.evidence.digest, computed: bet.evidence.digest }, `${status} ${source}`);
		await visitor.page.locator('.verify').scrollIntoViewIfNeeded();
		await visitor.shot(`account-bet-${status}`);
	}
});

test('whatever was changed on the way is shown as not matching', async () => {
	const { page } = visitor, won = (await decidedBets()).find((b) => b.status === 'won');
	const { evidence } = (await player.get(`/bets/${won.bet_id}`)).body;
	const change = (json) => async (route) => {
		const answer = await route.fetch();
		await route.fulfill({ response: answer, json: json(await answer.json()) });
	};
	// A tick of the history: its digest is another, and the kept evidence says which is true.
	const begins = evidence.t0 * 1000;
	await page.route('**/api/v1/prices?*', change(({ ticks }) => {
		const first = ticks.findIndex(([t]) => t >= begins);
		return { ticks: ticks.map(([t, p], i) => [t, i === first ? p + 1 : p]) };
	}));
	await go('#/bets', '#bets'); // what stands there is of another bet
	await go(`#/bets/${won.bet_id}`, '#bet[data-status="won"]');
	let verdict = await verify();
	assert.equal(verdict.prices.agrees, 'false');
	assert.ok(verdict.prices.wrong.includes('digest'), verdict.prices.wrong);
	assert.notEqual(verdict.prices.computed, evidence.digest);
	assert.equal(verdict.evidence.agrees, 'true');
	await visitor.shot('account-bet-tampered');
	await page.unrouteAll({ behavior: 'wait' });
	// Ticks out of order.
	await page.route('**/api/v1/prices?*', change(({ ticks }) => ({ ticks: [...ticks].reverse() })));
	verdict = await verify();
	assert.deepEqual([verdict.prices.agrees, verdict.prices.wrong], ['false', ['ticks']]);
	await page.unrouteAll({ behavior: 'wait' });
	// The bet itself: told as lost.
	const url = `**/api/v1/bets/${won.bet_id}`;
	await page.route(url, change((bet) => ({ ...bet, status: 'lost', payout: 0, deciding_tick: null })));
	await go('#/bets', '#bets');
	await go(`#/bets/${won.bet_id}`, '#bet[data-status="lost"]');
	verdict = await verify();
	for (const source of ['prices', 'evidence'])
		assert.deepEqual([verdict[source].agrees, verdict[source].wrong], ['false', ['outcome', 'payout', 'deciding_tick']]);
	await page.unrouteAll({ behavior: 'wait' });
	await go('#/bets/01KJ3D3R2HG00000000000000A', '[role="alert"]');
});

test('money: the ledger as the API has it, a withdrawal signed by the wallet', async () => {
	const { page } = visitor;
	await go('#/money', '#ledger tbody tr');
	const { balance } = (await player.get('/me')).body;
	const shown = `$${(balance / USD).toLocaleString('en-US', { minimumFractionDigits: 2, maximumFractionDigits: 2 })}`;
	await until(`the balance ${shown}`, WAIT_MS, async () => await said('#money-balance') === shown);
	await shows('#ledger tbody tr', 50);
	await pick('kind', 'PAYOUT');
	const wins = (await whole(player, '/ledger?ref_type=PAYOUT', 'entries')).length;
	await until('the wins alone', WAIT_MS, async () => await rows('#ledger').count() === Math.min(50, wins) &&
		await rows('#ledger').evaluateAll((all) => all.every((r) => r.dataset.kind === 'PAYOUT')));
	await pick('kind', 'DEPOSIT');
	await shows('#ledger tr[data-kind="DEPOSIT"]', 1);
	await shows('#ledger tbody tr', 1);
	await visitor.shot('account-money');

	const asks = async (amount, to) => {
		await page.fill('input[name="amount"]', amount);
		await page.fill('input[name="to"]', to ?? player.wallet);
		await page.click('#withdraw');
	};
	const signatures = wallet.asked.length;
	for (const [amount, to] of [['x', undefined], ['0.50', undefined], [String(2 * WELCOME / USD), undefined], ['5', '0x12']]) {
		await asks(amount, to);
		await page.waitForSelector('.panel small.bad');
	}
	assert.equal(wallet.asked.length, signatures, 'the wallet is not asked in vain');
	await page.evaluate(() => { globalThis.testWallet.state.declines = true; });
	await asks('12.50');
	await says('#withdraw-said', /declined/);
	await page.evaluate(() => { globalThis.testWallet.state.declines = false; });
	await asks('12.50');
	await page.waitForSelector('#withdrawals tr[data-status="requested"]');
	await says('#withdraw-said', /\$12\.50/);
	assert.equal(wallet.asked.length, signatures + 1);
	const [asked] = await whole(player, '/withdrawals', 'withdrawals');
	assert.deepEqual([asked.amount, asked.to], [12_500_000, player.wallet]);
	/* bets that were open may have been paid meanwhile: the API says what is right now */
	await until('the balance without it', WAIT_MS, async () =>
		Math.abs(await visitor.micros() - (await player.get('/me')).body.balance) < 10_000); // shown in cents
	const rejected = await product.ctl('withdrawals', 'reject', asked.withdrawal_id, '--reason', 'a test');
	assert.equal(rejected.code, 0, rejected.stderr);
	await page.waitForSelector('#withdrawals tr[data-status="rejected"]');
	await pick('kind', 'WITHDRAWAL_REVERSAL');
	await shows('#ledger tr[data-kind="WITHDRAWAL_REVERSAL"]', 1);
});

const inView = async (view, ready, name) => {
	for (const [options, size] of [[DESKTOP, 'desktop-dark'], [{ ...DESKTOP, colorScheme: 'light' }, 'desktop-light'], [LIGHT_PHONE, 'phone-light'], [PHONE, 'phone-dark']]) {
		await visitor.page.setViewportSize(options.viewport);
		await visitor.page.emulateMedia({ colorScheme: options.colorScheme, reducedMotion: 'reduce' });
		await go(view, ready);
		assert.deepEqual(await visitor.faults(), [], `${view} ${size}`);
		await until(`${view} ${size} to be no wider than the screen`, WAIT_MS, () => visitor.page.evaluate(() =>
			[document.documentElement, document.querySelector('main')].every((e) => e.scrollWidth <= e.clientWidth)));
		await visitor.shot(`account-${name}-${size}`);
	}
	await visitor.page.setViewportSize(DESKTOP.viewport);
};

test('every view, on desktop and phone, in dark and light, has no serious fault of accessibility', async () => {
	const won = (await decidedBets()).find((b) => b.status === 'won');
	await inView('#/bets', '#bets tbody tr', 'bets');
	await inView('#/money', '#withdrawals tbody tr', 'money');
	await inView('#/limits', '#set-limits', 'limits');
	await go(`#/bets/${won.bet_id}`, 'svg.path');
	await verify();
	await inView(`#/bets/${won.bet_id}`, '.result', 'bet');
});

test('by keys alone: from the list into a bet, and its check', async () => {
	const { page } = visitor;
	await go('#/bets', '#bets tbody tr');
	await page.focus('select[name="span"]');
	await page.keyboard.press('Tab');
	await page.keyboard.press('Enter');
	await page.waitForSelector('#bet');
	await page.focus('#verify');
	await page.keyboard.press('Enter');
	await page.waitForSelector('.result[data-agrees="true"]');
});

// To a player who may not play the board is closed, and says until when; a tap is answered with the same words.
async function closedBoard(words, name) {
	await go('#/play', 'canvas');
	await says('#banner[data-what="barred"]', words);
	await visitor.choose(2, 0);
	await until('a closed cell', WAIT_MS, async () => /, closed/.test(await visitor.chosen()));
	await visitor.page.keyboard.press('Enter');
	assert.match(await (await visitor.notice('refused')).innerText(), words);
	await visitor.shot(name);
}

test('limits: lower at once, higher later; a pause and an exclusion are asked twice', async () => {
	const { page } = visitor;
	await go('#/limits', '#set-limits');
	const limits = async () => (await player.get('/me/limits')).body;
	await page.fill('input[name="day_stake"]', 'much');
	await page.click('#set-limits');
	await says('#limits-said', /amount in dollars/);
	await page.fill('input[name="day_stake"]', '500');
	await page.click('#set-limits');
	await says('.caps-form', /\$500 holds now\./); // with the answer the form is made anew: not before is it written in again
	assert.equal((await limits()).day_stake.effective, 500 * USD);
	await page.fill('input[name="day_stake"]', '');
	await page.click('#set-limits');
	await says('.caps-form', /\$500 holds now\. No limit of yours from/);
	assert.equal((await limits()).day_stake.pending.own, null);

	await page.click('button[name="pause"]');
	assert.equal((await limits()).cool_off_until, null, 'not yet');
	await page.click('button[name="pause-yes"]');
	await page.waitForSelector('#paused');
	assert.ok((await limits()).cool_off_until > Date.now());
	await closedBoard(/paused betting until .*\d:\d\d/, 'account-paused');
	await page.reload();
	await closedBoard(/paused betting until .*\d:\d\d/, 'account-paused-reloaded');
	await go('#/limits', '#paused');
	await pick('days', '365');
	await page.click('button[name="exclude"]');
	await visitor.shot('account-limits-sure');
	await page.click('.sure button:not(.primary)');
	assert.equal((await limits()).self_excluded_until, null);
	await page.click('button[name="exclude"]');
	await page.click('button[name="exclude-yes"]');
	await page.waitForSelector('#excluded');
	assert.ok((await limits()).self_excluded_until > Date.now() + 364 * 86_400_000);
	await visitor.shot('account-limits-excluded');
	await closedBoard(/excluded yourself until .*\d:\d\d/, 'account-excluded');
});

test('nothing was complained of, and nothing is left on the page after signing out', async () => {
	await visitor.clean();
	await go('#/money', '#ledger');
	await visitor.page.click('#who');
	await visitor.page.click('#sign-out');
	await shows('#ledger', 0);
	assert.deepEqual(product.complaints(), []);
});
