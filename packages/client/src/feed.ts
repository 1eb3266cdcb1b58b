// The WebSocket: kept open, signed in again after each loss, its frames as typed events, and the server's clock.
import type { Events } from './types.js';

/** The part of the browser's WebSocket that is used; the `ws` package has it too. */
export interface Socket {
	readyState: number;
	send(text: string): void;
	close(code?: number, reason?: string): void;
	onopen: unknown;
	onmessage: unknown;
	onclose: unknown;
	onerror: unknown;
}
export type SocketClass = new (url: string) => Socket;

type Handler<K extends keyof Events> = (event: Events[K]) => void;

const RETRY_MS = 5000, FIRST_RETRY_MS = 500, PING_MS = 15_000, SILENT_MS = 45_000, OPEN = 1, SESSION_ENDED = 4401, RESTART = 1012;

export class Feed {
	/** Add to Date.now() for the server's time, in ms. */
	clockOffsetMs = 0;
	private handlers = new Map<keyof Events, Set<Handler<never>>>();
	private socket: Socket | undefined;
	private timer: ReturnType<typeof setTimeout> | undefined;
	private pinger: ReturnType<typeof setInterval> | undefined;
	private pingedAt = 0;
	private heardAt = 0;
	private failures = 0;
	private wanted = false;
	private token: string | undefined;

	constructor(private readonly url: string, private readonly Socket: SocketClass, private readonly random = Math.random) {}

	on<K extends keyof Events>(type: K, handler: Handler<K>): () => void {
		const all = this.handlers.get(type) ?? new Set();
		this.handlers.set(type, all);
		all.add(handler as Handler<never>);
		return () => { all.delete(handler as Handler<never>); };
	}

	emit<K extends keyof Events>(type: K, event: Events[K]): void {
		for (const handler of this.handlers.get(type) ?? [])
			(handler as Handler<K>)(event);
	}

	/** Signs this and every later connection in; undefined: stays a guest. */
	use(token: string | undefined): void {
		this.token = token;
		this.authenticate();
	}

	now(): number {
		return Date.now() + this.clockOffsetMs;
	}

	open(): void {
		if (this.wanted)
			return;
		this.wanted = true;
		this.connect();
	}

	close(): void {
		this.wanted = false;
		clearTimeout(this.timer);
		this.socket?.close(1000, '');
	}

	private send(frame: object): void {
		if (this.socket?.readyState === OPEN)
			this.socket.send(JSON.stringify(frame));
	}

	private authenticate(): void {
		if (this.token !== undefined)
			this.send({ type: 'auth', token: this.token });
	}

	private connect(): void {
		const socket = new this.Socket(this.url);
		this.socket = socket;
		this.heardAt = Date.now();
		socket.onmessage = (m: { data: unknown }) => this.hear(String(m.data));
		socket.onerror = () => {}; // a close follows
		socket.onclose = (e: { code: number; reason: string }) => {
			if (this.socket === socket)
				this.lost(e.code, String(e.reason ?? ''));
		};
		clearInterval(this.pinger);
		this.pinger = setInterval(() => this.ping(), PING_MS);
	}

	private ping(): void {
		if (Date.now() - this.heardAt > SILENT_MS) {
			const socket = this.socket;
			this.lost(1006, 'silent'); // a connection that died without a word may take minutes to close
			socket?.close();
			return;
		}
		this.pingedAt = Date.now();
		this.send({ type: 'ping' });
	}

	private lost(code: number, reason: string): void {
		clearInterval(this.pinger);
		this.socket = undefined;
		if (code === SESSION_ENDED)
			this.token = undefined;
		// A restart is everybody's at once: spread over all of it. Else soon, then more slowly.
		const most = code === RESTART ? RETRY_MS : Math.min(RETRY_MS, FIRST_RETRY_MS * 2 ** this.failures++);
		const retry_ms = this.wanted ? Math.floor(this.random() * most) : null;
		if (retry_ms !== null)
			this.timer = setTimeout(() => this.connect(), retry_ms);
		this.emit('client:closed', { code, reason, retry_ms });
	}

	private hear(text: string): void {
		this.heardAt = Date.now();
		const { type, ...event } = JSON.parse(text) as { type: keyof Events; t?: number };
		if (type === 'hello') {
			this.failures = 0;
			this.clockOffsetMs = (event.t ?? 0) - Date.now();
			this.ping(); // its answer says how long the way is
			this.authenticate();
			this.emit('client:open', {});
		} else if (type === 'pong' && this.pingedAt)
			this.clockOffsetMs = (event.t ?? 0) - (this.pingedAt + Date.now()) / 2;
		this.emit(type, event as never);
	}
}
