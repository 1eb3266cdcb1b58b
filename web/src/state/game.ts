// The one object behind the page: it holds the client, follows what the server tells, and is what views call. Nothing here draws.
//
// For views (state/hooks.ts): `game.view` is a Store of everything that React shows; `game.market` is what the canvas reads each
// frame. A player's money moves only by events of the socket, or by what GET /bets and /me say after one was missed.
import { generatePrivateKey } from 'viem/accounts';
import { BetExists, Key, OutcomeUnknown, TapClient, TapError, Unauthorized, type Bet, type CallOptions, type Constants, type Me,
	type SessionKeyLimits, type Challenge } from '@tap-trading/client';
import { troubleOf, type Wallet, type WalletChoice, type Wallets } from '../wallet/wallets.js';
import { barredOf, type Barred, type Bars } from './barred.js';
import { Market } from './market.js';
import { forgetSession, heard, readSession, readSettings, writeSession, writeSettings, type KeptSession, type Settings } from './memory.js';
import { refusalOf } from './refusal.js';
import { doubtful, verdict } from './repair.js';
import { Store } from './store.js';
import { decided, move, type Move, type Tap, type Taps } from './taps.js';

export type SessionView =
	| { state: 'guest' }
	| { state: 'connecting'; wallet: WalletChoice }
	/** The caps are shown; nothing was signed yet. */
	| { state: 'offered' | 'signing'; wallet: WalletChoice; address: string; limits: SessionKeyLimits | undefined; message: string }
	| { state: 'in'; wallet: WalletChoice; address: string; expiresAt: number };

/** What is said to the player for a moment, on the page and to a screen reader. */
export type Notice = { id: number } & (
	| { kind: 'refused'; code: string; cell: string; retryAfterS?: number | null; barred?: Barred | undefined; detail?: string }
	| { kind: 'pending' | 'confirmed' | 'unknown'; tap: Tap }
	| { kind: 'absent'; cell: string }
	| { kind: 'won' | 'lost' | 'void'; tap: Tap }
	| { kind: 'sign-in-failed'; code: string }
	| { kind: Left }
	| { kind: 'chain'; wanted: number });
type Said = Notice extends infer N ? N extends Notice ? Omit<N, 'id'> : never : never;

type Left = 'session-ended' | 'account-changed' | 'wallet-locked' | 'signed-out' | 'signed-in-elsewhere';

export interface View {
	/** Of the socket; `lost` until it is back. */
	link: 'connecting' | 'open' | 'lost';
	/** What the browser says of the network. */
	online: boolean;
	feed: 'unknown' | 'healthy' | 'degraded' | 'critical';
	betting: boolean;
	price: number | undefined;
	constants: Constants | undefined;
	session: SessionView;
	/** The sheet for signing in or out is open. */
	walletOpen: boolean;
	balance: number | undefined;
	me: Me | undefined;
	/** The player asked not to be let play. */
	barred: Barred | undefined;
	taps: Taps;
	stake: number;
	settings: Settings;
	notice: Notice | undefined;
	/** Grows with each event of the wallet: lists that depend on them read again. */
	revision: number;
}

/** A bet is taken at this part of the rate that was seen, or better: the price moves while the finger does. */
const TOLERANCE = 0.95, RATE_MIN = 10_100;
const REPAIR_MS = 2000, HISTORY_MS = 150_000, FORGET_MS = 150_000;
const DEFAULT_STAKE = 1_000_000;
const SESSION_ENDED = 4401;

export class Game {
	readonly client: TapClient;
	readonly market = new Market();
	readonly view: Store<View>;
	private readonly listeners = new Set<(notice: Notice) => void>();
	private readonly flying = new Set<string>(); // cells whose POST has no answer yet
	private challenge: { challenge: Challenge; secret: `0x${string}`; wallet: Wallet } | undefined;
	private wallet: Wallet | undefined;
	private unwatch = () => {};
	private kept: KeptSession | null = null;
	private repairing = false;
	private resuming = false;
	private looked = true; // the book was read since the session began or events were missed
	private notices = 0;

	constructor(readonly wallets: Wallets, page: Window) {
		const settings = readSettings();
		this.client = new TapClient({ origin: page.location.origin, sessionKey: null });
		this.view = new Store<View>({ link: 'connecting', online: page.navigator.onLine, feed: 'unknown', betting: false, price: undefined,
			constants: undefined, session: { state: 'guest' }, walletOpen: false, balance: undefined, me: undefined, barred: undefined,
			taps: new Map(), stake: settings.stake ?? DEFAULT_STAKE, settings, notice: undefined, revision: 0 });
		this.listen();
		page.addEventListener('online', () => this.view.set({ online: true }));
		page.addEventListener('offline', () => this.view.set({ online: false }));
		page.addEventListener('storage', ({ key }) => this.follow(key));
		page.setInterval(() => this.turn(), REPAIR_MS);
		this.kept = readSession(Date.now());
	}

	start(): void {
		this.client.connect();
		void this.resume();
	}

	/** What did not work before is tried again. */
	private turn(): void {
		void this.resume();
		if (!this.looked)
			void this.look().catch(() => {});
		void this.repair();
		const { barred } = this.view.get();
		if (barred && barred.until <= this.client.now())
			this.bar(undefined);
	}

	/** Another tab signed in or out. */
	private follow(key: string | null): void {
		const { session } = this.view.get(), news = heard(key, this.kept?.session.session_token, Date.now());
		if (news === 'nothing')
			return;
		if (session.state === 'in')
			this.leave(news === 'ended' ? 'signed-out' : 'signed-in-elsewhere');
		this.kept = news === 'ended' ? null : news;
		if (this.kept) {
			this.closeWallet(); // what was about to be signed here is not needed any more
			void this.resume();
		}
	}

	private bar(barred: Barred | undefined): void {
		this.market.closed = barred !== undefined;
		this.view.set({ barred });
	}

	/** What the API says of the player's own limits, to whoever asked. */
	heed(limits: Bars): void {
		this.bar(barredOf(limits, this.client.now()));
	}

	/** Each notice as it is said; for sounds. Returns how to stop. */
	onNotice(listener: (notice: Notice) => void): () => void {
		this.listeners.add(listener);
		return () => { this.listeners.delete(listener); };
	}

	say(said: Said): void {
		const notice = { ...said, id: ++this.notices } as Notice;
		this.view.set({ notice });
		for (const listener of this.listeners)
			listener(notice);
	}

	hush(id: number): void {
		if (this.view.get().notice?.id === id)
			this.view.set({ notice: undefined });
	}

	settle(change: Partial<Settings>): void {
		const settings = { ...this.view.get().settings, ...change };
		writeSettings(settings);
		this.view.set({ settings });
	}

	setStake(stake: number): void {
		this.view.set({ stake });
		this.settle({ stake });
	}

	// ---- who plays ----

	openWallet(): void {
		this.view.set({ walletOpen: true });
	}

	closeWallet(): void {
		this.challenge = undefined;
		const { session } = this.view.get();
		this.view.set({ walletOpen: false, session: session.state === 'in' ? session : { state: 'guest' } });
	}

	/** Shows what would be signed; the wallet is asked only for its account. */
	async choose(choice: WalletChoice): Promise<void> {
		const session: SessionView = { state: 'connecting', wallet: choice };
		this.view.set({ session });
		try {
			const wallet = await this.wallets.connect(choice), secret = generatePrivateKey();
			const challenge = await this.client.challenge({ signer: wallet, sessionKey: new Key(secret) });
			if (this.view.get().session !== session)
				return; // the sheet was closed meanwhile
			this.challenge = { challenge, secret, wallet };
			this.view.set({ session: { state: 'offered', wallet: choice, address: wallet.address, message: challenge.message,
				limits: challenge.session_key_limits } });
		} catch (error) {
			this.failed(error);
		}
	}

	async accept(): Promise<void> {
		const { session } = this.view.get();
		if (!this.challenge || session.state !== 'offered')
			return;
		const { challenge, secret, wallet } = this.challenge;
		this.view.set({ session: { ...session, state: 'signing' } });
		try {
			const begun = await this.client.login(challenge);
			this.kept = { session: begun, secret, wallet: wallet.choice };
			writeSession(this.kept);
			this.enter(wallet, begun.expires_at);
			this.view.set({ balance: begun.balance });
			await this.look();
		} catch (error) {
			this.failed(error);
		}
	}

	async signOut(): Promise<void> {
		await this.client.signOut().catch(() => {}); // a session that had ended, or a server that is away: here it is over
		this.leave('signed-out');
	}

	/** A call of the API as the player who is signed in. A session that has ended ends here too. */
	async call<T>(method: string, path: string, options: Omit<CallOptions, 'token'> = {}): Promise<T> {
		try {
			return (await this.client.api.call<T>(method, path, { ...options, token: this.client.session?.session_token })).body;
		} catch (error) {
			if (error instanceof Unauthorized)
				this.sessionEnded();
			throw error;
		}
	}

	private failed(error: unknown): void {
		this.challenge = undefined;
		this.view.set({ session: { state: 'guest' } });
		this.say({ kind: 'sign-in-failed', code: error instanceof TapError ? error.code : troubleOf(error) ?? 'wallet' });
	}

	private enter(wallet: Wallet, expiresAt: number): void {
		this.challenge = undefined;
		this.wallet = wallet;
		this.view.set({ taps: new Map(), walletOpen: false, session: { state: 'in', wallet: wallet.choice, address: wallet.address, expiresAt } });
		this.unwatch();
		this.unwatch = wallet.watch({
			account: (address) => {
				if (address !== wallet.address)
					void this.client.signOut().catch(() => {}).then(() => this.leave(address === undefined ? 'wallet-locked' : 'account-changed'));
			},
			chain: (id) => this.checkChain(id),
		});
		void wallet.chainId().then((id) => this.checkChain(id), () => {});
	}

	/** What is signed names the chain itself; a wallet that stands on another may refuse to sign, so it is told early. */
	private checkChain(id: number | undefined): void {
		const wanted = this.view.get().constants?.chain_id;
		if (id !== undefined && wanted !== undefined && id !== wanted)
			this.say({ kind: 'chain', wanted });
	}

	switchChain(): void {
		const wanted = this.view.get().constants?.chain_id;
		if (wanted !== undefined)
			void this.wallet?.switchChain(wanted).catch(() => {});
	}

	private sessionEnded(): void {
		if (this.view.get().session.state === 'in')
			this.leave('session-ended');
	}

	private leave(why: Left): void {
		this.unwatch();
		this.unwatch = () => {};
		forgetSession(this.kept?.session.session_token);
		this.kept = null;
		this.looked = true;
		this.wallet = undefined;
		this.bar(undefined);
		this.client.session = undefined;
		this.client.feed.use(undefined);
		this.view.set({ session: { state: 'guest' }, walletOpen: false, balance: undefined, me: undefined, taps: new Map() });
		this.say({ kind: why });
	}

	/** The session of before the reload. Tried again when the server was away. */
	private async resume(): Promise<void> {
		const { kept } = this;
		if (!kept || this.resuming || this.client.session || this.view.get().session.state !== 'guest')
			return;
		this.resuming = true;
		const wallet = this.wallets.again(kept.wallet, kept.session.wallet);
		try {
			const sessionKey = new Key(kept.secret);
			await sessionKey.signMessage({ message: '' }); // the first signature of a visit takes long: not that of the first tap
			await this.client.resume(kept.session, { signer: wallet, sessionKey });
			this.enter(wallet, kept.session.expires_at);
			await this.look();
		} catch (error) {
			if (error instanceof Unauthorized && this.kept)
				this.leave('session-ended');
		} finally {
			this.resuming = false;
		}
	}

	// ---- play ----

	/** One tap, one bet. Refusals that need no server are told at once. */
	tap(t0: number, low: number): void {
		const { market, client } = this, { session, online, link, betting, feed, stake, taps, balance, barred, constants } = this.view.get();
		if (session.state !== 'in') {
			if (session.state === 'guest')
				this.openWallet();
			return;
		}
		if (!market.grid || !constants)
			return;
		const cell = `${t0}_${low}_${low + market.grid.rows.height}`, at = client.now(), seen = market.rateOf(t0, low);
		const refusal = refusalOf({ online, link, feed, betting, seen, before: taps.get(cell), silentMs: performance.now() - market.heardAt,
			late: t0 * 1000 < at + 2 * constants.column_seconds * 1000, barred: barred !== undefined, poor: balance !== undefined && balance < stake });
		if (refusal) {
			this.say({ kind: 'refused', code: refusal, cell, ...(refusal === 'barred' ? { barred } : {}) });
			return;
		}
		this.move({ type: 'tapped', cell, stake, rate: seen, at });
		this.sayTap('pending', cell);
		this.flying.add(cell);
		client.bet({ cell, stake, rate: Math.max(RATE_MIN, Math.floor(seen * TOLERANCE)) }).then(({ bet_id }) => {
			this.flying.delete(cell);
			this.move({ type: 'answered', cell, betId: bet_id });
			if (this.view.get().taps.get(cell)?.state === 'unknown')
				void this.repair();
		}, (error: unknown) => {
			this.flying.delete(cell);
			this.betFailed(cell, error);
		});
	}

	private betFailed(cell: string, error: unknown): void {
		if (!(error instanceof TapError) || error instanceof OutcomeUnknown || error instanceof BetExists || error.status === 502) {
			this.move({ type: 'doubted', cell });
			this.sayTap('unknown', cell);
			void this.repair();
			return;
		}
		this.move({ type: 'refused', cell, code: error.code });
		const { until, detail } = error.problem;
		if (typeof until === 'number') {
			this.bar({ why: 'pause', until });
			void this.readLimits().catch(() => {}); // it may be an exclusion
		}
		this.say({ kind: 'refused', code: error.code, cell, retryAfterS: error.retryAfterS,
			...(typeof until === 'number' ? { barred: this.view.get().barred } : {}), ...(typeof detail === 'string' ? { detail } : {}) });
		if (error instanceof Unauthorized)
			this.sessionEnded();
	}

	private sayTap(kind: 'pending' | 'confirmed' | 'unknown' | 'won' | 'lost' | 'void', cell: string): void {
		const tap = this.view.get().taps.get(cell);
		if (tap)
			this.say({ kind, tap });
	}

	move(m: Move): void {
		const { taps } = this.view.get(), next = move(taps, m);
		if (next !== taps)
			this.view.set({ taps: next });
	}

	/** Balance, open bets and those that were decided a moment ago, as the book has them. */
	private async look(): Promise<void> {
		this.looked = false;
		if (this.view.get().session.state !== 'in')
			return;
		const me = await this.call<Me>('GET', '/me');
		this.view.set({ me, balance: me.balance });
		const recent = await this.list({ from: Math.floor(this.client.now()) - FORGET_MS });
		const open = me.open_bets > 0 ? await this.list({ status: 'confirmed' }) : [];
		this.move({ type: 'listed', bets: [...open, ...recent] });
		await this.readLimits();
		this.looked = true;
	}

	private async readLimits(): Promise<void> {
		this.heed(await this.call<Bars>('GET', '/me/limits'));
	}

	private async list(query: { status?: Bet['status']; from?: number }): Promise<Bet[]> {
		const all: Bet[] = [];
		for await (const bet of this.client.bets(query))
			all.push(bet);
		return all;
	}

	/** Asks GET /bets for each tap of which it is not known what became. One that is not there when no message of it can be under
	 *  way any more was not taken. */
	private async repair(): Promise<void> {
		const now = this.client.now();
		this.move({ type: 'forget', before: now - FORGET_MS });
		const doubts = doubtful(this.view.get().taps, now);
		if (this.repairing || doubts.length === 0 || this.view.get().session.state !== 'in')
			return;
		this.repairing = true;
		try {
			const bets = await this.list({ from: Math.floor(Math.min(...doubts.map((tap) => tap.at)) - REPAIR_MS) });
			this.move({ type: 'listed', bets });
			for (const tap of doubts) {
				const { cell } = tap;
				switch (verdict(tap, bets, this.flying.has(cell), now)) {
				case 'found': {
					const after = this.view.get().taps.get(cell);
					if (after && !decided(after)) // a decided one is told by its own event
						this.sayTap('confirmed', cell);
					break;
				}
				case 'absent':
					this.move({ type: 'absent', cell });
					this.say({ kind: 'absent', cell });
					break;
				case 'unknown':
					this.move({ type: 'doubted', cell });
				}
			}
			const me = await this.call<Me>('GET', '/me');
			this.view.set({ me, balance: me.balance });
		} catch {
			// not now: the next turn asks again
		} finally {
			this.repairing = false;
		}
	}

	// ---- what the server tells ----

	private listen(): void {
		const { client, market, view } = this;
		client.on('hello', ({ constants }) => this.rules(constants));
		client.on('price', ({ t, p }) => {
			market.tick(t, p);
			view.set({ price: p });
		});
		client.on('grid', (grid) => market.setGrid(grid));
		client.on('system:status', ({ price_feed, betting }) => view.set({ feed: price_feed, betting }));
		client.on('client:open', () => {
			view.set({ link: 'open' });
			void this.catchUp();
		});
		client.on('client:closed', ({ code }) => {
			view.set({ link: 'lost', feed: 'unknown', betting: false });
			this.move({ type: 'lost-sight' });
			if (code === SESSION_ENDED)
				this.sessionEnded();
		});
		client.on('auth:ok', ({ balance }) => {
			view.set({ balance });
			void this.repair();
		});
		client.on('auth:failed', () => this.sessionEnded());
		client.on('bet:confirmed', (bet) => {
			this.move({ type: 'confirmed', bet });
			this.own(bet.balance);
			this.sayTap('confirmed', bet.cell);
		});
		client.on('bet:failed', ({ cell, code }) => {
			this.move({ type: 'refused', cell, code });
			this.say({ kind: 'refused', code, cell });
		});
		client.on('bet:resolved', (bet) => {
			this.move({ type: 'resolved', bet });
			this.own(bet.balance);
			const tap = [...view.get().taps.values()].find((t) => t.betId === bet.bet_id);
			if (tap)
				this.say({ kind: bet.outcome, tap });
		});
		client.on('balance', ({ balance }) => this.own(balance));
		client.on('client:repaired', () => void this.look().catch(() => {}));
	}

	private own(balance: number | undefined): void {
		const { revision } = this.view.get();
		this.view.set(balance === undefined ? { revision: revision + 1 } : { balance, revision: revision + 1 });
	}

	private rules(constants: Constants): void {
		const { stake } = this.view.get(), presets = constants.stake_presets;
		this.market.constants = constants;
		this.view.set({ constants, stake: presets.includes(stake) ? stake : presets[0] ?? stake });
	}

	/** The path of the last minutes, also that of the time in which the socket was away. */
	private async catchUp(): Promise<void> {
		void this.resume();
		const to = Math.floor(this.client.now());
		try {
			const { ticks } = await this.call<{ ticks: [number, number][] }>('GET', '/prices', { query: { from: to - HISTORY_MS, to } });
			this.market.history(ticks);
		} catch {
			// the line begins with the ticks that are heard
		}
	}
}
