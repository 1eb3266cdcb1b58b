// The HTTP API: one call, its answer, or the error of its code.
import { errorOf, type Problem } from './errors.js';

export interface CallOptions {
	body?: unknown;
	token?: string | undefined;
	query?: Record<string, string | number | undefined>;
}

export interface Answer<T> {
	status: number;
	headers: Headers;
	body: T;
}

export class Api {
	readonly base: string;

	constructor(origin: string, readonly timeoutMs = 10_000) {
		this.base = `${origin.replace(/\/$/, '')}/api/v1`;
	}

	async call<T>(method: string, path: string, { body, token, query }: CallOptions = {}): Promise<Answer<T>> {
		const url = new URL(this.base + path);
		for (const [name, value] of Object.entries(query ?? {}))
			if (value !== undefined)
				url.searchParams.set(name, String(value));
		const headers: Record<string, string> = {};
		if (token !== undefined)
			headers['authorization'] = `Bearer ${token}`;
		const init: RequestInit = { method, headers, signal: AbortSignal.timeout(this.timeoutMs) };
		if (body !== undefined) {
			headers['content-type'] = 'application/json';
			init.body = JSON.stringify(body);
		}
		const answer = await fetch(url, init);
		const text = await answer.text();
		const json = /\bjson\b/.test(answer.headers.get('content-type') ?? '') && text !== '';
		if (!answer.ok) {
			const after = Number(answer.headers.get('retry-after') ?? NaN);
			const problem: Problem = json ? JSON.parse(text) as Problem : { status: answer.status, code: 'unavailable' };
			throw errorOf(problem, Number.isFinite(after) ? after : null);
		}
		return { status: answer.status, headers: answer.headers, body: (json ? JSON.parse(text) : undefined) as T };
	}

	/** Every entry of a list, newest first, until `stop` says so. */
	async *list<T>(path: string, member: string, options: CallOptions, stop: (entry: T) => boolean = () => false): AsyncGenerator<T> {
		let cursor: string | undefined;
		do {
			const { body } = await this.call<Record<string, unknown>>('GET', path,
				{ ...options, query: { limit: 500, ...options.query, cursor } });
			for (const entry of body[member] as T[]) {
				if (stop(entry))
					return;
				yield entry;
			}
			cursor = (body['next_cursor'] as string | null) ?? undefined;
		} while (cursor !== undefined);
	}
}
