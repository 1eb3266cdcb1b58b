// The operators' page on the real product: what it shows is what the daemons say, what fails stands first, and the players' port has
// nothing of it.
import assert from 'node:assert/strict';
import { request } from 'node:http';
import { readFileSync, readdirSync } from 'node:fs';
import test, { after, before } from 'node:test';
import { Visitor, WAIT_MS, launch } from './lib/browser.mjs';
import { Bettor } from './lib/bettor.mjs';
import { USD } from './lib/player.mjs';
import { Product, until } from './lib/product.mjs';

let product, browser, page, view, player;
const complaints = [];

before(async () => {
	[product, browser] = await Promise.all([Product.start('ops'), launch()]);
	player = new Bettor(product);
	assert.equal((await player.login()).status, 201);
	const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, colorScheme: 'dark', reducedMotion: 'reduce' });
	page = await context.newPage();
	page.setDefaultTimeout(WAIT_MS);
	page.on('pageerror', (e) => complaints.push(e.message));
	page.on('console', (m) => {
		if (['error', 'warning'].includes(m.type()) && !/^Failed to load resource/.test(m.text()))
			complaints.push(m.text());
	});
	view = Object.assign(new Visitor(), { page, context });
	await page.goto(`http://127.0.0.1:${product.base + 95}/`);
	await page.waitForSelector('#daemons');
});

after(async () => {
	await browser?.close();
	await product?.stop();
});

const tile = (name) => page.locator(`[data-tile="${name}"] strong`).innerText();
const findings = async () => (await page.locator('#findings').innerText());
const dollars = (text) => Math.round(Number(text.replace(/[^\d.-]/g, '')) * 100) * 10_000;

test('it shows what the daemons say', async () => {
	await until('five daemons', WAIT_MS, async () => await page.locator('#daemons tbody tr').count() === 5);
	await page.waitForSelector('#venues tr[data-state="live"]');
	const says = (name, text) => until(`${name} to say ${text}`, 30_000, async () => text.test(await tile(name)));
	await says('feed', /^healthy$/);
	await says('breaker', /bets are taken/);
	await says('price', /^\$\d/);
	await says('shipping', /not running/); // there is no object store in this run
});

test('a bet stands on the map with what it may cost, and is gone when it is decided', async () => {
	await page.waitForSelector('#map-none');
	const { answer: placed } = await player.place(5, { stake: 5 * USD });
	assert.equal(placed.status, 202, placed.text);
	const payout = Math.floor(5 * USD * placed.body.rate / 10_000);
	await page.waitForSelector(`#map td[data-payout="${payout}"]`);
	await until('the sum of it', WAIT_MS, async () => Math.abs(dollars(await tile('exposure')) - payout) <= 5000);
	await view.shot('ops-exposure');
	assert.deepEqual(await view.faults(), []);
	await page.waitForSelector('#map-none', { timeout: 4 * WAIT_MS });
	const bet = (await player.get(`/bets/${placed.body.bet_id}`)).body;
	await until('the hold', WAIT_MS, async () => Math.abs(dollars(await tile('hold')) - (5 * USD - bet.payout)) <= 5000);
});

test('what fails stands first', async () => {
	await product.hold('ws');
	await until('that ws is away', WAIT_MS, async () => /^ws does not answer/.test((await findings()).replace(/^.*?failed /s, '')));
	await until('its row to say so', WAIT_MS, async () => /not connected/.test(await page.locator('tr[data-daemon="ws"]').innerText()));
	await view.shot('ops-ws-away');
	assert.deepEqual(await view.faults(), []);
	product.release('ws');
	await until('that ws is back', WAIT_MS, async () => !/ws does not answer/.test(await findings()));
});

// Node's fetch does not let the Host header be chosen.
const ask = (port, path, { method = 'GET', host = `127.0.0.1:${port}` } = {}) => new Promise((resolve, reject) => {
	request({ port, host: '127.0.0.1', path, method, headers: { host } }, (answer) => {
		answer.resume();
		answer.on('end', () => resolve(answer.statusCode));
	}).on('error', reject).end();
});

test('the players\' port serves none of it, and the operators\' answers to its own name and reads alone', async () => {
	const ops = product.base + 95;
	for (const path of ['/ops/', '/ops/index.html', '/ops/api/metrics', '/ops/api/exposure', '/exposure', '/metrics', '/ready', '/web-ops/'])
		assert.equal(await ask(product.base, path), 404, path);
	for (const path of ['/', '/ops/api/health', '/ops/archiver/metrics', '/ops/api/exposure'])
		assert.equal(await ask(ops, path), 200, path);
	assert.equal(await ask(ops, '/ops/api/exposure', { host: 'evil.example' }), 421);
	assert.equal(await ask(ops, '/ops/api/exposure', { method: 'POST' }), 405);
	assert.equal(await ask(ops, '/api/v1/grid'), 404);
	const assets = new URL('../../build/web/assets/', import.meta.url);
	for (const name of readdirSync(assets))
		assert.ok(!readFileSync(new URL(name, assets), 'utf8').includes('tap_settled'), `${name} has the operators' page in it`);
});

test('nothing was complained of', () => {
	assert.deepEqual(complaints, []);
	assert.deepEqual(product.complaints(), []);
});
