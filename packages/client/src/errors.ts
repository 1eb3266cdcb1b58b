// Refusals of the API, a class for each kind that a program decides by. Decide by class or `code`, never by title or detail.

export interface Problem {
	status: number;
	code: string;
	title?: string;
	detail?: string;
	request_id?: string;
	[more: string]: unknown;
}

export class TapError extends Error {
	readonly code: string;
	readonly status: number;
	constructor(readonly problem: Problem, readonly retryAfterS: number | null) {
		super(`${problem.code}: ${problem.detail ?? problem.title ?? problem.status}`);
		this.name = new.target.name;
		this.code = problem.code;
		this.status = problem.status;
	}
}

/** The request was wrong: sending it again is of no use. malformed_request, invalid_cell, invalid_stake, wrong_chain, ... */
export class InvalidRequest extends TapError {}
/** Not by who may sign, too old, or a nonce that was spent. */
export class SignatureRefused extends TapError {}
/** No session, or one that ended: sign in again. */
export class Unauthorized extends TapError {}
/** forbidden, account_suspended. `until` (ms) during a pause that the player chose. */
export class Forbidden extends TapError {
	get until(): number | null {
		return typeof this.problem['until'] === 'number' ? this.problem['until'] : null;
	}
}
export class LimitReached extends TapError {}
export class NotFound extends TapError {}
export class InsufficientFunds extends TapError {}
export class BetExists extends TapError {
	get betId(): string {
		return String(this.problem['bet_id']);
	}
}
/** column_closed, cell_closed: another cell may be open. */
export class Closed extends TapError {}
/** The quote is below what was asked for; `rate` is the newest. */
export class QuoteChanged extends TapError {
	get rate(): number {
		return Number(this.problem['rate']);
	}
}
export class RateLimited extends TapError {}
/** price_feed_stale, overloaded, unavailable: nothing was done; again after `retryAfterS`. */
export class Unavailable extends TapError {}
/** It is not known whether it was done: ask GET /bets. */
export class OutcomeUnknown extends TapError {}

type ErrorClass = new (problem: Problem, retryAfterS: number | null) => TapError;

export const classes: Readonly<Record<string, ErrorClass>> = {
	malformed_request: InvalidRequest,
	invalid_cell: InvalidRequest,
	invalid_stake: InvalidRequest,
	wrong_chain: InvalidRequest,
	method_not_allowed: InvalidRequest,
	body_too_large: InvalidRequest,
	unsupported_media_type: InvalidRequest,
	invalid_signature: SignatureRefused,
	signature_expired: SignatureRefused,
	replay_detected: SignatureRefused,
	unauthorized: Unauthorized,
	forbidden: Forbidden,
	account_suspended: Forbidden,
	limit_reached: LimitReached,
	not_found: NotFound,
	insufficient_funds: InsufficientFunds,
	bet_exists: BetExists,
	column_closed: Closed,
	cell_closed: Closed,
	quote_changed: QuoteChanged,
	session_key_in_use: Forbidden,
	rate_limited: RateLimited,
	internal_error: Unavailable,
	price_feed_stale: Unavailable,
	overloaded: Unavailable,
	unavailable: Unavailable,
	outcome_unknown: OutcomeUnknown,
};

export function errorOf(problem: Problem, retryAfterS: number | null): TapError {
	return new (classes[problem.code] ?? TapError)(problem, retryAfterS);
}
