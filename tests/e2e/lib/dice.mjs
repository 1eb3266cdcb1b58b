// Dice that fall the same for the same seed (mulberry32).
export class Dice {
	constructor(seed) {
		this.state = seed | 0;
	}

	// [0, 1)
	next() {
		this.state = (this.state + 0x6d2b79f5) | 0;
		let t = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
		t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
		return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
	}

	// A whole number, least to most.
	whole(least, most) {
		return least + Math.floor(this.next() * (most - least + 1));
	}

	between(least, most) {
		return least + this.next() * (most - least);
	}

	pick(list) {
		return list[this.whole(0, list.length - 1)];
	}

	// One of [[weight, ...], ...], as often as its weight says.
	weighted(list) {
		let left = this.next() * list.reduce((n, [weight]) => n + weight, 0);
		return list.find(([weight]) => (left -= weight) < 0) ?? list.at(-1);
	}
}
