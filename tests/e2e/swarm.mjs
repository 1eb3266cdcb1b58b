// A small swarm, as `make bench-ws` has a large one: nobody is cut off for what others do, all come back after a restart, each player's
// events come once and none is missed. Counts only: how fast it is, the benchmark says.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import path from 'node:path';
import test, { after, before } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { auditBook } from './lib/judge.mjs';
import { Product } from './lib/product.mjs';

const top = fileURLToPath(new URL('../..', import.meta.url));
let product;

before(async () => {
	product = await Product.start('swarm');
});

after(async () => {
	await product?.stop();
});

test('300 players, 60 who do not read, 30 who send rubbish, and a restart', async () => {
	const crowd = path.join(top, 'build', product.preset, 'bin/bench-ws');
	const { stdout } = await promisify(execFile)(crowd, ['--ws', `127.0.0.1:${product.base + 81}`, '--api', `127.0.0.1:${product.base + 80}`,
		'--pid-file', path.join(product.var, 'pids/ws'), '--connections', '300', '--seconds', '3', '--stalled', '60', '--rubbish', '30',
		'--payments', '150'], { timeout: 240_000 });
	const { calm, hostile, restart, floor } = JSON.parse(stdout);
	assert.equal(calm.readers, 300);
	assert.equal(calm.connections_lost, 0, stdout);
	assert.ok(calm.prices_a_second_each > 1 && calm.grids_a_second_each > 0.5, stdout);
	assert.equal(calm.wrong_frames + hostile.wrong_frames, 0, stdout);
	assert.equal(hostile.readers, 210);
	assert.equal(hostile.readers_lost, 0, stdout);
	assert.ok(hostile.prices_a_second_each > 1, stdout);
	assert.ok(hostile.connections_lost > 0, 'rubbish is thrown out');
	assert.equal(restart.back, 300, stdout);
	assert.deepEqual([restart.api_calls, restart.api_errors], [150, 0], stdout);
	assert.deepEqual([restart.players_with_a_missed_event, restart.gaps, restart.duplicates], [0, 0, 0], stdout);
	assert.equal(floor.connections, 300);
	assert.deepEqual(product.complaints(), []);
	await auditBook(product);
});
