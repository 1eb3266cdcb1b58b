// What goes over the wire. Money is micro-USD, prices are cents, rates are 1e-4, times are milliseconds; t0 is whole seconds.

export type Hex = `0x${string}`;
export type Tick = [t: number, p: number];
export type Outcome = 'won' | 'lost' | 'void';

export interface Constants {
	column_seconds: number;
	row_cents: number;
	grid_columns: number;
	grid_rows: number;
	stake_presets: number[];
	tick_ms: number;
	quote_ttl_ms: number;
	max_tick_gap_ms: number;
	margin_bp: number;
	max_rate: number;
	chain_id: number;
	domain: string;
	allowed_origins: string[];
}

export interface Grid {
	quote_id: number;
	t: number;
	columns: number[];
	rows: { low: number; height: number; count: number };
	rates: number[][];
}

export interface Me {
	wallet: string;
	balance: number;
	seq: number;
	open_bets: number;
	open_stake: number;
	limits: { player_column: number; player_open: number; withdrawal_min: number };
}

export interface Column {
	t0: number;
	status: 'open' | 'settled' | 'void';
	anchor: Tick | null;
	path_low: number | null;
	path_high: number | null;
	ticks: number | null;
	digest: string | null;
	prev_digest: string | null;
}

/** What a bet's rate was made from. */
export interface Pricing {
	quote_id: number;
	t: number;
	/** The price when the quote was made. */
	price: number;
	/** The probability that the path touches the cell, 1e-9, rounded. */
	touch_ppb: number;
	margin_bp: number;
	/** Before the house's exposure lowered it by floor(unskewed * skew / skew_whole). */
	unskewed: number;
	skew: number;
	skew_whole: number;
	rate: number;
	max_rate: number;
	tick_ms: number;
	layer_version: number;
	layer: string;
	volatility: { half_life_s: number; ppm: number }[];
	uneven_ppm: number;
	/** 0: it was not measured then. */
	reach_ppm: number;
	idle_ppm: number;
}

export interface Bet {
	bet_id: string;
	cell: string;
	stake: number;
	rate: number;
	status: 'confirmed' | Outcome;
	payout: number | null;
	placed_at: number;
	resolved_at: number | null;
	/** Once decided: the column's. */
	evidence?: Column;
	/** Of one decided bet, not of a list: the tick with which the path first touched the cell, null when it did not decide. */
	deciding_tick?: Tick | null;
	/** Of one decided bet: null when it is not known. */
	pricing?: Pricing | null;
}

/** What a session key may do: stakes in micro-USD, its life in seconds; it never withdraws. */
export interface SessionKeyLimits { player_column: number; player_open: number; seconds: number; withdrawals: false }

export interface PlacedBet {
	bet_id: string;
	status: 'confirmed';
	cell: string;
	stake: number;
	rate: number;
	balance: number;
	placed_at: number;
}

export interface LedgerEntry {
	id: string;
	amount: number;
	balance_after: number;
	ref_type: string;
	ref_id: string;
	at: number;
}

export interface Withdrawal {
	withdrawal_id: string;
	status: 'requested' | 'approved' | 'rejected';
	amount: number;
	to: string;
	requested_at: number;
	decided_at?: number | null;
	balance?: number;
}

// A player's own events. Those that were missed and found again in the API have `repaired` and no seq.
export interface BetConfirmed { seq?: number; repaired?: true; bet_id: string; cell: string; stake: number; rate: number; balance?: number; placed_at: number }
export interface BetResolved { seq?: number; repaired?: true; bet_id: string; outcome: Outcome; payout: number; balance?: number }
export interface BalanceChanged { seq?: number; repaired?: true; balance: number; ref_type: string }

export interface Events {
	hello: { t: number; constants: Constants };
	price: { t: number; p: number };
	grid: Grid;
	'system:status': { price_feed: 'healthy' | 'degraded' | 'critical'; betting: boolean };
	'auth:ok': { wallet: string; seq: number; balance: number };
	'auth:failed': { code: string };
	'bet:confirmed': BetConfirmed;
	'bet:failed': { cell: string; nonce: string; code: string };
	'bet:resolved': BetResolved;
	balance: BalanceChanged;
	pong: { t: number };
	error: { code: string };
	// of the client itself
	'client:open': Record<string, never>;
	'client:closed': { code: number; reason: string; retry_ms: number | null };
	'client:repaired': { from: number; to: number; events: number };
	'client:trouble': { error: unknown };
}
