// The page of issue 2: the live price, the grid's multipliers, and what is up. It reads only; it signs and bets nothing.
// Frames are those of the WebSocket contract; rendering happens at most once a frame of the screen.
'use strict';

const TRACE_MS = 60000;
const HEALTH_MS = 5000;
const RETRY_LEAST_MS = 500;
const RETRY_MOST_MS = 15000;
const STALE_MS = 3000;

const at = (id) => document.getElementById(id);
const world = { ticks: [], grid: null, tickAt: 0, gridDirty: false, priceDirty: false };
let tries = 0;

function show(id, text, state) {
	const el = at(id);
	if (el.textContent !== text)
		el.textContent = text;
	el.dataset.state = state;
}

function stateOf(name) {
	return { healthy: 'good', degraded: 'warn', critical: 'bad' }[name] || 'warn';
}

function usd(cents, digits) {
	return (cents / 100).toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

function onFrame(m) {
	switch (m.type) {
	case 'price':
		world.ticks.push(m);
		while (world.ticks.length && world.ticks[0].t < m.t - TRACE_MS)
			world.ticks.shift();
		world.tickAt = performance.now();
		world.priceDirty = true;
		break;
	case 'grid':
		world.grid = m;
		world.gridDirty = true;
		break;
	case 'system:status':
		show('feed', m.price_feed, stateOf(m.price_feed));
		show('betting', m.betting ? 'open' : 'closed', m.betting ? 'good' : 'bad');
		break;
	default: // frames for signed-in players, and those of later versions
	}
}

function connect() {
	const scheme = location.protocol === 'https:' ? 'wss:' : 'ws:';
	const socket = new WebSocket(`${scheme}//${location.host}/ws`);

	socket.onopen = () => {
		tries = 0;
		show('link', 'live', 'good');
	};
	socket.onmessage = (e) => {
		let m;
		try {
			m = JSON.parse(e.data);
		} catch {
			return;
		}
		onFrame(m);
	};
	socket.onclose = () => {
		// Spread out, so that a restarted server does not meet all its players at once.
		const wait = Math.min(RETRY_MOST_MS, RETRY_LEAST_MS * 2 ** tries) * (0.5 + Math.random());
		tries++;
		show('link', tries > 1 ? `reconnecting (${tries})` : 'reconnecting', 'warn');
		show('feed', 'unknown', 'waiting');
		show('betting', 'unknown', 'waiting');
		setTimeout(connect, wait);
	};
}

async function askHealth() {
	try {
		const answer = await fetch('/health', { cache: 'no-store', signal: AbortSignal.timeout(4000) });
		const body = await answer.json();
		const ill = Object.entries(body.checks || {}).filter(([, c]) => c.status !== 'healthy').map(([name]) => name);
		show('health', (body.status || 'down') + (ill.length ? `: ${ill.join(', ')}` : ''),
			body.status ? stateOf(body.status) : 'bad');
	} catch {
		show('health', 'no answer', 'bad');
	}
	setTimeout(askHealth, HEALTH_MS);
}

function drawPrice() {
	const { ticks } = world;
	const last = ticks[ticks.length - 1];
	at('price').textContent = usd(last.p, 2);
	document.title = `${usd(last.p, 0)} BTC Tap Trading`;
	let low = last.p, high = last.p;
	for (const { p } of ticks) {
		low = Math.min(low, p);
		high = Math.max(high, p);
	}
	const height = Math.max(high - low, 200);
	const middle = (high + low) / 2;
	at('line').setAttribute('points', ticks.map(({ t, p }) => {
		const x = 600 * (1 - (last.t - t) / TRACE_MS);
		const y = 60 - (p - middle) / height * 110;
		return `${x.toFixed(1)},${y.toFixed(1)}`;
	}).join(' '));
}

function row(tag, cells) {
	const tr = document.createElement('tr');
	for (const [text, kind] of cells) {
		const cell = document.createElement(kind === 'head' ? 'th' : tag);
		cell.textContent = text;
		if (kind && kind !== 'head')
			cell.className = kind;
		tr.append(cell);
	}
	return tr;
}

function drawGrid() {
	const { columns, rows, rates, t } = world.grid;
	const last = world.ticks[world.ticks.length - 1];
	at('columns').textContent = `${columns.length} columns, ${rows.count} rows of ${usd(rows.height, 0)} USD`;
	at('grid').tHead.replaceChildren(row('th', [['starts in', 'head'],
		...columns.map((t0) => [`${Math.max(0, Math.round(t0 - t / 1000))} s`, 'head'])]));
	const lines = [];
	for (let j = rows.count - 1; j >= 0; j--) {
		const low = rows.low + j * rows.height;
		const tr = row('td', [[usd(low, 0), 'head'], ...rates.map((column) =>
			column[j] > 0 ? [(column[j] / 10000).toFixed(2)] : ['·', 'closed'])]);
		if (last && last.p >= low && last.p < low + rows.height)
			tr.className = 'here';
		lines.push(tr);
	}
	at('grid').tBodies[0].replaceChildren(...lines);
}

function draw() {
	if (world.priceDirty) {
		world.priceDirty = false;
		drawPrice();
	}
	if (world.gridDirty) {
		world.gridDirty = false;
		drawGrid();
	}
	const age = performance.now() - world.tickAt;
	document.body.classList.toggle('stale', world.tickAt === 0 || age > STALE_MS);
	if (world.tickAt)
		at('age').textContent = age > 1000 ? `last tick ${Math.round(age / 1000)} s ago` : 'ten ticks a second';
	requestAnimationFrame(draw);
}

connect();
void askHealth();
requestAnimationFrame(draw);
