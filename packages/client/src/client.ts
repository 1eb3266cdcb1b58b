// A player: signs in, bets, withdraws, hears of everything that is his exactly once, and checks what he is told.
import { NotFound, OutcomeUnknown, TapError, Unauthorized, Unavailable } from './errors.js';
import { Feed, type SocketClass } from './feed.js';
import { Api } from './http.js';
import { Told } from './repair.js';
import { Key, betText, newNonce, withdrawalText, type Signer } from './sign.js';
import type { Bet, Column, Constants, Events, Grid, LedgerEntry, Me, PlacedBet, SessionKeyLimits, Tick, Withdrawal } from './types.js';
import { NO_DIGEST, cellOf, checkBet, columnOf, type Verdict } from './verify.js';

export interface ClientOptions {
	/** https://host, as the page has it. */
	origin: string;
	/** The wallet. Asked once at sign in and for withdrawals; without it the client is a guest, until it signs in as somebody. */
	signer?: Signer;
	/** Signs bets, so that the wallet is not asked each time. Default: a new one. null: the wallet signs bets itself. */
	sessionKey?: Key | null;
	/** Default: the global one. Node before 22: the `ws` package's. */
	WebSocket?: SocketClass;
	/** Of the socket. Default: origin with ws:// or wss:// and the path /ws. */
	wsUrl?: string;
	random?: () => number;
}

export interface Session { session_token: string; wallet: string; session_key?: string; balance: number; expires_at: number }
/** Who plays: a wallet, and the key that signs his bets (null: the wallet does). */
export interface Player { signer: Signer; sessionKey: Key | null }
/** What the wallet is asked to sign, and what that will let the session key do. */
export interface Challenge { message: string; expires_at: number; session_key_limits?: SessionKeyLimits; by: Player }
export interface BetRequest { cell: string; stake: number; /** The least that is taken. */ rate: number }

const RESENDS = 3, RESEND_MS = 400;
const ANCHOR_REACH_MS = 600_000; // further back no anchor counts: the gap voids the column anyway
const sleep = (ms: number) => new Promise((resolve) => { setTimeout(resolve, ms); });

export class TapClient {
	readonly api: Api;
	readonly feed: Feed;
	session: Session | undefined;
	constants: Constants | undefined;
	grid: Grid | undefined;
	price: Events['price'] | undefined;
	private key: Key | null;
	private owner: Signer | undefined;
	private told: Told | undefined;
	private catching: Promise<void> | undefined;
	private held: { type: keyof Events; event: Events[keyof Events] & { seq?: number } }[] = [];
	private readonly handlers: Feed;

	constructor(options: ClientOptions) {
		const socket = options.WebSocket ?? (globalThis as { WebSocket?: SocketClass }).WebSocket;
		if (!socket)
			throw new TypeError('this runtime has no WebSocket: give one in options.WebSocket');
		const url = options.wsUrl ?? `${options.origin.replace(/^http/, 'ws').replace(/\/$/, '')}/ws`;
		this.api = new Api(options.origin);
		this.key = options.sessionKey === undefined ? Key.random() : options.sessionKey;
		this.owner = options.signer;
		this.feed = new Feed(url, socket, options.random);
		this.handlers = new Feed(url, socket); // what the owner listens to: own events go there in order and once
		this.listen();
	}

	/** Own events come in order, each once; those that were missed are found in the API first. Returns how to stop. */
	on<K extends keyof Events>(type: K, handler: (event: Events[K]) => void): () => void {
		return this.handlers.on(type, handler);
	}

	/** The server's clock, ms. */
	now(): number {
		return this.feed.now();
	}

	connect(): void {
		this.feed.open();
	}

	close(): void {
		this.feed.close();
	}

	// ---- session ----

	/** Asks for a challenge and answers it; by: somebody else than the options named. */
	async signIn(by?: Player): Promise<Session> {
		return this.login(await this.challenge(by));
	}

	/** The first half of signIn(), for who wants to show what is about to be signed. Nothing has changed yet. */
	async challenge(by: Player = { signer: this.signer(), sessionKey: this.key }): Promise<Challenge> {
		const wallet = by.signer.address;
		const asked = await this.api.call<Omit<Challenge, 'by'>>('POST', '/auth/challenge',
			{ body: by.sessionKey ? { wallet, session_key: by.sessionKey.address } : { wallet } });
		return { ...asked.body, by };
	}

	/** The second half: the wallet signs, and the session begins. */
	async login({ message, by }: Challenge): Promise<Session> {
		const signature = await by.signer.signMessage({ message });
		const body = by.sessionKey ? { message, signature, session_key_signature: await by.sessionKey.signMessage({ message }) }
			: { message, signature };
		const session = (await this.api.call<Session>('POST', '/auth/login', { body })).body;
		await this.resume(session, by);
		return session;
	}

	/** Goes on with a session that was begun before, by a page that was loaded again: with its token and its session key. */
	async resume(session: Session, by: Player): Promise<void> {
		const told = this.owner?.address === by.signer.address ? this.told ?? new Told() : new Told();
		await told.catchUp(this.api, session.session_token).then((missed) => {
			for (const m of missed)
				this.handlers.emit(m.type, m.event as never);
		});
		Object.assign(this, { session, told, owner: by.signer, key: by.sessionKey });
		this.feed.use(session.session_token);
	}

	async signOut(): Promise<void> {
		const token = this.token();
		this.feed.use(undefined);
		this.session = undefined;
		await this.api.call('DELETE', '/auth/session', { token });
	}

	// ---- money ----

	/** Resolves once the bet is on disk. An answer that is lost is asked for with the very same bet: it is never placed twice. */
	async bet(request: BetRequest): Promise<PlacedBet> {
		const by: Signer = this.key ?? this.signer();
		const { chain_id } = await this.rules();
		const fields = { ...request, nonce: newNonce(), timestamp: Math.floor(this.now() / 1000), chain_id };
		const signature = await by.signMessage({ message: betText(fields) });
		return this.send('/bets', { wallet: this.signer().address, ...fields, version: 1, signature });
	}

	/** Signed by the wallet itself; debited at once, paid when the operator approves. */
	async withdraw(request: { amount: number; to: string }): Promise<Withdrawal> {
		const { chain_id } = await this.rules();
		const fields = { ...request, nonce: newNonce(), timestamp: Math.floor(this.now() / 1000), chain_id };
		const signature = await this.signer().signMessage({ message: withdrawalText(fields) });
		return this.send('/withdrawals', { wallet: this.signer().address, ...fields, version: 1, signature });
	}

	private async send<T>(path: string, body: object): Promise<T> {
		for (let sent = 1; ; sent++) {
			try {
				return (await this.api.call<T>('POST', path, { body })).body;
			} catch (e) {
				const lost = !(e instanceof TapError) || e instanceof OutcomeUnknown || (e instanceof Unavailable && e.status === 502);
				if (!lost || sent === RESENDS)
					throw e;
				await sleep(RESEND_MS * sent);
			}
		}
	}

	// ---- looking ----

	async me(): Promise<Me> {
		return (await this.api.call<Me>('GET', '/me', { token: this.token() })).body;
	}

	bets(query: { status?: Bet['status']; from?: number; to?: number } = {}): AsyncGenerator<Bet> {
		return this.api.list<Bet>('/bets', 'bets', { token: this.token(), query });
	}

	ledger(query: { from?: number; to?: number; ref_type?: string; ref_id?: string } = {}): AsyncGenerator<LedgerEntry> {
		return this.api.list<LedgerEntry>('/ledger', 'entries', { token: this.token(), query });
	}

	async betOf(id: string): Promise<Bet> {
		return (await this.api.call<Bet>('GET', `/bets/${id}`, { token: this.token() })).body;
	}

	// ---- checking ----

	/** The column from the ticks that the server shows, and whether its own record says the same. */
	async verifyColumn(t0: number): Promise<{ computed: Column; recorded: Column; agrees: boolean }> {
		const recorded = await this.column(t0);
		const computed = columnOf(await this.ticksOf(t0, 'prices'), t0, recorded.prev_digest ?? NO_DIGEST, await this.rules());
		return { computed, recorded, agrees: computed.digest === recorded.digest && computed.status === recorded.status &&
			computed.path_low === recorded.path_low && computed.path_high === recorded.path_high };
	}

	/** A decided bet, as betOf() gives it, by its column's ticks: those of the price history (7 days), or those of the evidence, which stay
	 *  as long as the bet itself is shown. */
	async verifyBet(bet: Bet, from: 'prices' | 'evidence' = 'prices'): Promise<Verdict> {
		const { t0 } = cellOf(bet.cell), rules = await this.rules();
		const previous = await this.column(t0 - rules.column_seconds).catch((e: unknown) => {
			if (e instanceof NotFound)
				return undefined; // the first column of all
			throw e;
		});
		return checkBet(bet, await this.ticksOf(t0, from), rules, previous?.digest);
	}

	private async column(t0: number): Promise<Column> {
		return (await this.api.call<Column>('GET', `/columns/${t0}`)).body;
	}

	private async ticksOf(t0: number, source: 'prices' | 'evidence'): Promise<Tick[]> {
		if (source === 'evidence')
			return (await this.api.call<{ path?: Tick[] }>('GET', `/columns/${t0}`, { query: { path: 1 } })).body.path ?? [];
		const from = t0 * 1000 - ANCHOR_REACH_MS, to = (t0 + (await this.rules()).column_seconds) * 1000;
		return (await this.api.call<{ ticks: Tick[] }>('GET', '/prices', { query: { from, to } })).body.ticks;
	}

	private async rules(): Promise<Constants> {
		this.constants ??= (await this.api.call<Grid & { constants: Constants }>('GET', '/grid')).body.constants;
		return this.constants;
	}

	private signer(): Signer {
		if (!this.owner)
			throw new TypeError('this needs a wallet: give one in options.signer');
		return this.owner;
	}

	private token(): string {
		if (!this.session)
			throw new TypeError('this needs a session: signIn() first');
		return this.session.session_token;
	}

	// ---- own events, in order and once ----

	private listen(): void {
		const plain = ['hello', 'price', 'grid', 'system:status', 'auth:failed', 'bet:failed', 'pong', 'error', 'client:open',
			'client:closed'] as const;
		for (const type of plain)
			this.feed.on(type, (event) => this.handlers.emit(type, event as never));
		this.feed.on('hello', ({ constants }) => { this.constants = constants; });
		this.feed.on('grid', (grid) => { this.grid = grid; });
		this.feed.on('price', (price) => { this.price = price; });
		this.feed.on('auth:ok', (event) => {
			if (this.told && event.seq > this.told.seq)
				this.catchUp();
			this.handlers.emit('auth:ok', event);
		});
		for (const type of ['bet:confirmed', 'bet:resolved', 'balance'] as const)
			this.feed.on(type, (event) => this.onOwn(type, event as never));
	}

	private onOwn(type: keyof Events, event: Events[keyof Events] & { seq?: number }): void {
		const { told } = this;
		const seq = event.seq ?? 0;
		if (!told || seq <= told.seq)
			return; // told before
		if (this.catching || seq > told.seq + 1) {
			this.held.push({ type, event });
			this.catchUp();
			return;
		}
		told.seq = seq;
		if (type === 'bet:confirmed')
			told.confirmed(event as Events['bet:confirmed'] & object);
		else if (type === 'bet:resolved')
			told.resolved((event as Events['bet:resolved']).bet_id, (event as Events['bet:resolved']).outcome);
		else
			told.balance();
		this.handlers.emit(type, event as never);
	}

	/** One at a time; what comes meanwhile waits, and is judged again by the seq that was reached. Tried until it works or the session ends. */
	private catchUp(): void {
		const { told, session } = this;
		if (this.catching || !told || !session)
			return;
		const from = told.seq;
		let again = false;
		this.catching = told.catchUp(this.api, session.session_token).then((missed) => {
			for (const m of missed)
				this.handlers.emit(m.type, m.event as never);
			this.handlers.emit('client:repaired', { from, to: told.seq, events: missed.length });
		}, async (error: unknown) => {
			this.handlers.emit('client:trouble', { error });
			again = !(error instanceof Unauthorized);
			await sleep(1000);
		}).then(() => {
			const { held } = this;
			this.held = [];
			this.catching = undefined;
			if (again && told === this.told)
				this.catchUp();
			for (const { type, event } of held)
				this.onOwn(type, event);
		});
	}
}
