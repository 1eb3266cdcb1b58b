// The torture chamber: tests/torture/run says how it is called. A round is a fresh world with its own seed; acts of it are a storm of
// faults, the calm after it in which all must be as before by itself, and the referee's look. Where the next call goes on is kept in
// state.json; ledger.jsonl has a line for each round that was ever played, whatever its seed, and tests/torture/report.mjs sums it.
import { execFileSync } from 'node:child_process';
import { appendFileSync, existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Dice } from '../e2e/lib/dice.mjs';
import { until } from '../e2e/lib/product.mjs';
import { FAULTS } from './faults.mjs';
import { Cheat, Punter } from './punter.mjs';
import { Referee } from './referee.mjs';
import { nothing, sum } from './report.mjs';
import { Witness } from './witness.mjs';
import { World, work } from './world.mjs';

const env = (name, otherwise) => Number(process.env[name] || otherwise);
const SECONDS = env('TORTURE_SECONDS', 300), ROUND = env('TORTURE_ROUND', 300), MOST = env('TORTURE_FAULTS', Infinity);
const HEAL_MS = 60_000, CROWD = 30;
const FEWEST = 8, MOST_OF_ACT = 28, PAUSE_MS = [50, 1300];
const stateFile = path.join(work, 'state.json'), ledgerFile = path.join(work, 'ledger.jsonl');

function begin() {
	const kept = existsSync(stateFile) ? JSON.parse(readFileSync(stateFile, 'utf8')) : undefined;
	if (kept && !process.env.TORTURE_SEED)
		return kept;
	return { seed: env('TORTURE_SEED', 1 + Math.floor(Math.random() * 1e9)), round: env('TORTURE_FROM', 0), ...nothing() };
}

const state = begin();
const say = (text) => console.log(`torture: ${text}`);
const commit = () => {
	try {
		return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
	} catch {
		return 'unknown';
	}
};
// By this process' own count of time: the wall clock is the world's.
const enter = (line) => appendFileSync(ledgerFile, `${JSON.stringify({ at: new Date(performance.timeOrigin + performance.now()).toISOString().slice(0, 16), commit: commit(), ...line })}\n`);

class Round {
	constructor(n, seconds) {
		this.dice = new Dice(state.seed + 7919 * n);
		this.officeDice = new Dice(this.dice.whole(1, 2 ** 31 - 1));
		Object.assign(this, { n, seconds, kinds: {}, faults: 0, acts: 0, broken: [], told: [] });
		this.breaks = (what) => { this.broken.push(what); };
	}

	async begin() {
		this.world = await World.make(this.dice, this.seconds * 1000 * this.dice.between(0.25, 0.6));
		this.witness = new Witness(this.world, this.breaks);
		this.witness.start();
		this.referee = new Referee(this.world, this.witness);
		const seed = () => this.dice.whole(1, 2 ** 31 - 1);
		this.players = [1, 2, 3, 4].map((i) => new Punter(this.world, seed(), this.breaks, { key: i % 2 === 0 }));
		this.players.push(...[0, 1, 2].map((i) => new Cheat(this.world, seed(), this.breaks, this.players[i])));
		this.players.forEach((p) => p.start(400));
		this.crowding = true;
		this.crowd = this.load();
		this.office = this.operate();
		await this.recovered('at the start');
	}

	toldFile() {
		return path.join(this.world.dir, 'told');
	}

	// A crowd beside the players, of whose wallets nothing is known but what they were told. It comes again whatever becomes of it.
	async load() {
		while (this.crowding) {
			await this.world.load(this.toldFile(), { rate: CROWD, seconds: 8, connections: 16 });
			await sleep(500);
		}
	}

	// Deposits, each with its reference asked for once or twice at once, and withdrawals decided.
	async operate() {
		for (let n = 0; this.crowding; n++) {
			const p = this.officeDice.pick(this.players), ref = `round-${this.n}-${n}`, amount = 1_000_000 * (1 + n % 7);
			if (p.acks.size > 0) {
				p.deposits.set(ref, { amount, sure: false });
				const said = await Promise.all((n % 3 ? [1] : [1, 2]).map(() => this.world.ctl('deposit', '--wallet', p.wallet, '--amount',
					String(amount), '--ref', ref, '--reason', 'torture')));
				p.deposits.get(ref).sure = said.some((s) => s.code === 0);
			}
			const list = await this.world.ctl('withdrawals', 'list', '--status', 'requested', '--json');
			const [first] = list.code === 0 ? list.stdout.match(/[0-9A-HJKMNP-TV-Z]{26}/) ?? [] : [];
			const verb = n % 2 ? 'approve' : 'reject';
			if (first && (await this.world.ctl('withdrawals', verb, first, '--reason', 'torture')).code === 0)
				this.referee.decisions.set(first, verb === 'approve' ? 'approved' : 'rejected');
			await sleep(2500);
		}
	}

	acknowledged() {
		return this.players.reduce((n, p) => n + p.acks.size, 0);
	}

	readTold() {
		const lines = existsSync(this.toldFile()) ? readFileSync(this.toldFile(), 'utf8').split('\n').slice(0, -1) : [];
		return lines.flatMap((l) => { // one that was cut off stands in the middle, when another crowd wrote on
			try {
				return [JSON.parse(l)];
			} catch {
				return [];
			}
		});
	}

	must() {
		if (this.broken.length > 0)
			throw new Error(this.broken[0]);
	}

	// By itself: nobody does anything but to wait.
	async recovered(when) {
		const since = performance.now(), before = this.players.map((p) => p.acks.size);
		await until(`bets to be taken again ${when}; /health: ${JSON.stringify((await this.health())?.checks)}`, HEAL_MS, () => {
			this.must();
			return this.players.filter((p, i) => p.acks.size > before[i]).length >= 3;
		}, 250);
		return Math.round((performance.now() - since) / 1000);
	}

	async health() {
		return (await fetch(`${this.world.origin}/health`, { signal: AbortSignal.timeout(5000) }).then((a) => a.json(), () => undefined));
	}

	async deal() {
		const [, kind, deal] = this.dice.weighted(FAULTS);
		const dice = new Dice(this.dice.whole(1, 2 ** 31 - 1)), from = Date.now();
		try {
			const what = await deal(this.world, dice);
			if (what === undefined)
				return;
			this.faults++;
			this.kinds[kind] = (this.kinds[kind] || 0) + 1;
			this.dealt.push(what ? `${kind} (${what})` : kind);
		} catch (e) {
			this.dealt.push(`${kind}: ${e.message.split('\n')[0].slice(0, 80)}`); // its victim was down already
		} finally {
			this.referee.note(kind, from, Date.now());
		}
	}

	async act(until_ms) {
		const n = this.dice.whole(FEWEST, MOST_OF_ACT), under = [];
		this.dealt = [];
		const before = this.acknowledged();
		for (let i = 0; i < n && performance.now() < until_ms && state.faults + this.faults < MOST; i++) {
			under.push(this.deal());
			await sleep(this.dice.between(...PAUSE_MS));
			this.must();
		}
		await Promise.all(under);
		const from = Date.now();
		await this.world.calm();
		this.referee.note('clock', from, Date.now());
		const healed = await this.recovered(`after ${this.dealt.join(', ')}`);
		await this.referee.told(this.players.flatMap((p) => [...p.acks.values()]).concat(this.readTold()));
		const integrity = await this.world.ctl('integrity', '--json');
		if (integrity.code !== 0)
			throw new Error(`integrity: ${integrity.stdout}${integrity.stderr}`);
		this.acts++;
		say(`round ${this.n} act ${this.acts}: ${state.faults + this.faults} faults so far, ${this.acknowledged() - before} bets taken meanwhile, ` +
			`well again after ${healed} s: ${this.dealt.join(', ')}`);
	}

	async play() {
		const end = performance.now() + this.seconds * 1000;
		await this.begin();
		while (performance.now() < end && state.faults + this.faults < MOST)
			await this.act(end);
		this.crowding = false;
		await Promise.all([this.crowd, this.office, ...this.players.map((p) => p.finish())]);
		await this.witness.finish();
		this.must();
		await this.referee.all(this.players, this.readTold());
		this.must();
	}
}

async function run(n, seconds) {
	const round = new Round(n, seconds), since = performance.now();
	try {
		await round.play();
		const tricks = {};
		round.players.forEach((p) => sum(tricks, p.tricks ?? {}));
		const done = { rounds: 1, seconds: Math.round((performance.now() - since) / 1000), faults: round.faults,
			acknowledged: round.acknowledged() + round.readTold().length, weeks: round.world.books().length - 1,
			kinds: round.kinds, tricks, checked: round.referee.checked };
		enter({ seed: state.seed, round: n, ...done });
		sum(state, done);
		state.round = n + 1;
		writeFileSync(stateFile, `${JSON.stringify(state, null, '\t')}\n`);
		say(`round ${n} holds: ${round.faults} faults, ${round.world.books().length - 1} weeks closed; the referee saw ` +
			Object.entries(round.referee.checked).map(([k, v]) => `${v} ${k}`).join(', '));
	} finally {
		await round.world?.end();
	}
}

async function main() {
	const since = performance.now(), left = () => SECONDS - (performance.now() - since) / 1000, before = state.faults;
	say(`seed ${state.seed}, from round ${state.round}; ${state.faults} faults dealt before`);
	for (let n = state.round; n === state.round && left() >= Math.min(SECONDS, 30) && state.faults < MOST; n++) {
		try {
			await run(n, Math.min(ROUND, left()));
		} catch (e) {
			const kept = path.join(work, 'failed');
			rmSync(kept, { recursive: true, force: true });
			renameSync(path.join(work, 'round'), kept);
			say(`BROKEN in round ${n}: ${e.stack}`);
			enter({ seed: state.seed, round: n, broken: e.message.split('\n')[0].slice(0, 300) });
			say(`again: TORTURE_SEED=${state.seed} TORTURE_FROM=${n} TORTURE_SECONDS=${SECONDS} tests/torture/run; its logs: ${kept}/var/log`);
			console.log('# pass 0\n# fail 1');
			process.exit(1);
		}
	}
	say(`${state.faults - before} faults dealt, ${state.faults} in all over ${state.seconds} s and ${state.round} rounds; ` +
		`${state.acknowledged} bets acknowledged, ${state.weeks} weeks closed; nothing broke`);
	console.log(`# pass ${state.faults > before ? 1 : 0}\n# fail 0`);
	process.exit(0);
}

for (const [signal, code] of [['SIGINT', 130], ['SIGTERM', 143]])
	process.once(signal, async () => {
		say('stopping; this round is begun anew by the next call');
		await World.open?.end();
		process.exit(code);
	});
await main();
