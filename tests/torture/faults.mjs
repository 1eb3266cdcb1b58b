// What can go wrong, as [weight, kind, deal]: deal(world, dice) does it, takes it back, and gives what it was; dice are thrown before
// anything is waited for, so that a seed deals the same whatever the world answers.
import { setTimeout as sleep } from 'node:timers/promises';

const DAEMONS = ['api', 'ws', 'ingest', 'resolver', 'archiver'];
const VENUES = ['coinbase', 'kraken', 'bitstamp', 'binance'];
const CLOCK_MOST_MS = 25_000;

const kill = (part) => async (world) => {
	await world.kill(part);
	return '';
};

const hang = (part) => async (world, dice) => {
	const ms = dice.whole(100, part === 'redis' ? 2500 : 5000);
	if (!world.signalAll(part, 'SIGSTOP'))
		return undefined;
	await sleep(ms);
	world.signalAll(part, 'SIGCONT');
	return `${ms} ms`;
};

async function redisFull(world, dice) {
	const ms = dice.whole(200, 4000);
	await world.redis('CONFIG', 'SET', 'maxmemory', '1mb');
	await sleep(ms);
	await world.redis('CONFIG', 'SET', 'maxmemory', '512mb');
	return `${ms} ms`;
}

async function redisSlow(world, dice) {
	const ms = dice.whole(50, 3000);
	await world.redis('CLIENT', 'PAUSE', String(ms), 'ALL');
	return `${ms} ms`;
}

async function redisRestart(world) {
	await world.kill('redis', 'SIGTERM');
	return '';
}

async function redisFlush(world) {
	await world.redis('FLUSHALL');
	return '';
}

async function diskFull(world, dice) {
	const ms = dice.whole(300, 5000);
	world.fillDisk();
	await sleep(ms);
	world.freeDisk();
	return `${ms} ms`;
}

async function diskHangs(world, dice) {
	const ms = dice.whole(20, 1500);
	if (!world.canHang)
		return undefined;
	world.hangDisk(true);
	await sleep(ms);
	world.hangDisk(false);
	return `${ms} ms`;
}

async function store(world, dice) {
	const kind = dice.pick(['500', '503', '403', 'hang', 'cut', 'cut-answer', 'lost', 'etag', 'corrupt', 'slow']);
	const rule = { kind, times: dice.whole(1, 12), rate: 4096 };
	await world.storeFaults([rule]);
	return `${kind} ${rule.times} times`;
}

async function venue(world, dice) {
	const who = dice.next() < 0.2 ? 'all' : dice.pick(VENUES), span = `${dice.whole(200, who === 'all' ? 4000 : 8000)}ms`;
	const line = dice.pick([`stall ${who} ${span}`, `mute ${who} ${span}`, `drop ${who} 0.3 ${span}`, `garble ${who} ${span}`,
		`lag ${who} ${dice.whole(100, 2000)}ms ${span}`, `close ${who} ${span}`, `freeze ${who} ${span}`,
		`outlier ${who} ${dice.whole(-300, 300)} ${span}`, `repeat ${who} ${span}`, `shuffle ${who} ${span}`,
		`clock ${who} ${dice.whole(100, 9000)}ms ${span}`, `retire ${who}`]);
	await world.replay(line);
	return line;
}

// Mostly a little, as time servers do it; now and then far, and it stays so until the next one or the calm.
async function clock(world, dice) {
	const far = dice.next() < 0.2;
	const ms = dice.whole(far ? -CLOCK_MOST_MS : -900, far ? CLOCK_MOST_MS : 900);
	world.step(ms);
	return `${ms} ms off`;
}

async function cut(world, dice) {
	const ms = dice.whole(200, 6000);
	if (!world.canCut)
		return undefined;
	world.cut(true);
	await sleep(ms);
	world.cut(false);
	return `${ms} ms`;
}

// One part after the other is asked to stop, and the next one only when it is back; as scripts/deploy does it.
async function deploy(world) {
	for (const part of ['resolver', 'ws', 'ingest', 'archiver', 'api']) {
		const pid = await world.kill(part, 'SIGTERM');
		for (let tries = 0; tries < 200 && (world.pid(part) === pid || world.pid(part) === 0); tries++)
			await sleep(50);
	}
	return '';
}

// Also while it is not over, and beside the daemons, who do it themselves.
async function weekClose(world) {
	const { code, stdout } = await world.ctl('week', 'close', '--json', '--reason', 'torture');
	return `${code} ${stdout.includes('"closed":true') ? 'closed' : 'not over'}`;
}

async function backup(world) {
	const { code } = await world.ctl('backup', 'run', '--json', '--reason', 'torture');
	return `${code}`;
}

async function breaker(world, dice) {
	const ms = dice.whole(100, 2000);
	await world.ctl('breaker', 'open', '--reason', 'torture');
	await sleep(ms);
	for (let tries = 0; tries < 20 && (await world.ctl('breaker', 'auto', '--reason', 'torture')).code !== 0; tries++)
		await sleep(500);
	return `${ms} ms`;
}

export const FAULTS = [
	...DAEMONS.flatMap((part) => [[part === 'api' || part === 'resolver' ? 6 : 3, `kill ${part}`, kill(part)],
		[part === 'api' || part === 'resolver' ? 4 : 2, `stop ${part}`, hang(part)]]),
	[2, 'kill nginx', kill('nginx')], [2, 'stop nginx', hang('nginx')],
	[3, 'kill redis', kill('redis')], [3, 'stop redis', hang('redis')], [2, 'restart redis', redisRestart],
	[2, 'flush redis', redisFlush], [3, 'full redis', redisFull], [4, 'slow redis', redisSlow],
	[3, 'full disk', diskFull], [5, 'slow disk', diskHangs],
	[8, 'store', store], [12, 'venue', venue], [5, 'clock', clock], [4, 'cut', cut],
	[2, 'deploy', deploy], [2, 'week close', weekClose], [1, 'backup', backup], [1, 'breaker', breaker],
];

// What takes ticks away from the resolver or from Redis, so that a column's evidence may lack some that were heard elsewhere.
export const LOSES_TICKS = /redis|resolver|disk|clock|deploy/;
