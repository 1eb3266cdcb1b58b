// Who watches the public feed all the time and writes down what was published: prices by their moment, and the grids with their rates.
import { setTimeout as sleep } from 'node:timers/promises';
import { Player } from '../e2e/lib/player.mjs';

const TTL_MS = 1000, PAUSE_MS = 320;

const rateIn = (g, t0, low) => g.rates[g.columns.indexOf(t0)]?.[(low - g.rows.low) / g.rows.height];

export class Witness extends Player {
	constructor(world, breaks) {
		super(world, { key: false });
		Object.assign(this, { breaks, ticks: new Map(), grids: [], silences: 0 });
	}

	start() {
		this.watching = true;
		this.loop = this.watch();
	}

	async watch() {
		while (this.watching) {
			if (!this.socket || this.closed !== undefined) {
				try {
					const opened = this.listen({ auth: false });
					this.socket.on('message', (data) => this.hear(JSON.parse(data.toString())));
					await opened;
				} catch {
					this.silences++;
				}
			}
			await sleep(200);
		}
	}

	async finish() {
		this.watching = false;
		await this.loop;
		this.socket?.terminate();
		if (this.undocumented)
			this.breaks(this.undocumented.message);
	}

	hear(m) {
		if (m.type === 'price') {
			const before = this.ticks.get(m.t);
			if (before !== undefined && before !== m.p)
				this.breaks(`two prices at ${m.t}: ${before} and ${m.p}`);
			this.ticks.set(m.t, m.p);
		} else if (m.type === 'grid' && m.quote_id > (this.grids.at(-1)?.quote_id ?? -1)) {
			this.grids.push(m);
		}
	}

	// The rates at which a bet of that moment may have been written; undefined when not every quote of its time was heard: they come
	// five a second, so that a longer pause is one that is missing. A clock that steps back shows a moment twice.
	ratesAt(cell, placed_at) {
		const [t0, low] = cell.split('_').map(Number);
		const living = (g) => g.t >= placed_at - TTL_MS && g.t <= placed_at;
		const from = this.grids.findIndex(living) - 1, to = this.grids.findLastIndex(living) + 1;
		const near = from < 0 || to === this.grids.length ? [] : this.grids.slice(from, to + 1);
		if (near.length < 2 || near.slice(1).some((g, i) => Math.abs(g.t - near[i].t) > PAUSE_MS))
			return undefined;
		return near.map((g) => rateIn(g, t0, low)).filter((r) => r > 0);
	}

	// Where that rate was seen for that cell, in ms from the moment: what to look at when it was not where it should be.
	sightings(cell, rate, at) {
		const [t0, low] = cell.split('_').map(Number);
		const around = this.grids.filter((g) => Math.abs(g.t - at) < 3 * TTL_MS).map((g) => [g.t - at, rateIn(g, t0, low)]);
		return JSON.stringify({ same: this.grids.filter((g) => rateIn(g, t0, low) === rate).map((g) => g.t - at), around });
	}
}
