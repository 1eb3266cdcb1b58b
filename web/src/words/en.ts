// Everything that the page says, in English. Another language is another file of the type Words, and a line in index.ts.
import { dateOf, level, rate, usd, usdExact } from './format.js';

export const en = {
	title: 'BTC Tap Trading',
	tabs: { label: 'Sections', play: 'Play' },
	loading: 'Loading',
	close: 'Close',

	header: {
		price: (p: string) => `Bitcoin price ${p}`,
		balance: 'Balance',
		open: (n: number, stake: number) => (n === 0 ? 'No open bets' : `${n} open, ${usd(stake)}`),
		signIn: 'Sign in',
		mute: 'Sound and vibration off',
		unmute: 'Sound and vibration on',
		theme: { system: 'Colours as the system has them', dark: 'Dark colours', light: 'Light colours' },
	},

	banner: {
		offline: 'You are offline. Your open bets are safe: they are decided by the recorded price, not by this page.',
		lost: 'The connection is lost. Trying again; what you see is not live.',
		degraded: 'The price feed is slow. Bets are still taken, at prices that are up to date.',
		critical: 'The price feed has stopped, and bets with it. Columns without a price are paid back. It goes on by itself.',
		closed: 'Bets are closed for a moment. Your open bets are not affected.',
	},

	wallet: {
		title: 'Choose a wallet',
		none: 'This browser has no wallet. Install one that speaks EIP-6963, then come back.',
		demo: 'Play-money wallet',
		demoNote: 'Made in this browser, for trying it out on this machine. It starts with play money.',
		connecting: (name: string) => `${name} is asked for your account`,
		offerTitle: 'One signature, then every tap is a bet',
		as: (address: string) => `You sign in as ${address}.`,
		caps: (column: number, open: number, hours: number) => [
			`This browser gets a key that may bet for you for ${hours} hours, without asking your wallet again.`,
			`It may have at most ${usd(column)} at stake in one column and ${usd(open)} in all.`,
			'It can never withdraw. Only your wallet can.',
			'Signing out ends it at once.',
		],
		plain: 'You sign in to this page. No transaction is sent and nothing is paid.',
		showMessage: 'The message, word for word',
		sign: 'Sign in with the wallet',
		signing: 'Waiting for your signature',
		cancel: 'Not now',
		signOut: 'Sign out',
		signedInAs: (address: string) => `Signed in as ${address}`,
		until: (ms: number) => `The key of this browser ends ${dateOf(ms)}.`,
		failed: {
			declined: 'You declined in your wallet. Nothing has changed.',
			wallet: 'The wallet did not answer as it should. Nothing has changed.',
			session_key_in_use: 'That key serves another wallet. Try again: a new one is made.',
			account_suspended: 'This account is suspended. Ask the operator.',
			forbidden: 'You have excluded yourself from play for a time. You can still see what is yours and withdraw.',
			rate_limited: 'Too many tries. Wait a moment.',
			unavailable: 'The server cannot sign you in right now. Try again in a moment.',
			other: 'Signing in did not work. Nothing has changed.',
		} as Record<string, string>,
		ended: 'Your session has ended. Sign in again to play; your bets stand.',
		accountChanged: 'Your wallet turned to another account, so this session was ended. Sign in again with the new one.',
		signedOut: 'You are signed out. Open bets stand and are paid to your balance.',
		chain: (id: number) => `Your wallet is on another network; bets name network ${id}.`,
		switchChain: 'Switch the wallet',
	},

	play: {
		board: 'Board of cells. Arrow keys choose a cell, Enter bets on it, plus and minus zoom, Home returns to the price.',
		stake: 'Stake',
		stakeOf: (micro: number) => `Stake ${usd(micro)}`,
		recentre: 'Back to the price',
		hint: 'Tap a cell. If the price touches it, you are paid.',
		hintGuest: 'Sign in, then tap a cell. If the price touches it, you are paid.',
		tolerance: 'A tap takes the newest multiplier, at least 95 % of the one you saw.',
		column: (seconds: number) => (seconds <= 0 ? 'now' : `${seconds} s`),
		cell: (low: number, high: number, seconds: number, r: number, state: string) =>
			`${level(low)} to ${level(high)}, in ${Math.max(0, seconds)} seconds, ${r > 0 ? `pays ${rate(r)}` : 'closed'}${state ? `, ${state}` : ''}`,
		legend: 'What the marks mean',
		states: {
			open: 'open', closed: 'closed', lifted: 'chosen', pending: 'on its way', confirmed: 'your bet', unknown: 'not sure yet',
			won: 'won', lost: 'lost', void: 'paid back', refused: 'not taken',
		},
	},

	notice: {
		pending: (stake: number, r: number) => `${usd(stake)} at ${rate(r)} on its way`,
		confirmed: (stake: number, r: number) => `Bet placed: ${usd(stake)} at ${rate(r)}`,
		unknown: 'The answer is missing. Finding out whether the bet was taken.',
		absent: 'That bet did not arrive. Nothing was taken.',
		won: (payout: number) => `Touched! ${usdExact(payout)} for you`,
		lost: (stake: number) => `Missed: ${usd(stake)}`,
		void: (stake: number) => `Paid back: ${usd(stake)}. The price had a gap there.`,
	},

	/** Why a tap was not taken, by the code of the API or of the page itself. */
	refused: {
		offline: 'You are not connected. Nothing was taken.',
		betting_closed: 'Bets are closed for a moment. Nothing was taken.',
		column_closed: 'Too late for this column. Try one further right.',
		cell_closed: 'This cell is closed. Try another one.',
		quote_changed: 'The price moved and the multiplier fell. Tap again if you still like it.',
		bet_exists: 'You already have a bet on this cell.',
		insufficient_funds: 'Your balance is too low for this stake.',
		limit_reached: 'That would be more than your limit allows.',
		rate_limited: 'That was very fast. Wait a moment, then tap on.',
		price_feed_stale: 'The price feed has stopped. Bets are closed until it is back.',
		overloaded: 'Too busy right now. Nothing was taken; tap again.',
		unavailable: 'The server is not ready. Nothing was taken; tap again in a moment.',
		internal_error: 'Something failed on our side. Nothing was taken.',
		invalid_cell: 'This cell has left the board. Try another one.',
		invalid_stake: 'This stake is not offered. Choose another one.',
		account_suspended: 'This account is suspended. Ask the operator.',
		forbidden: 'You have paused betting.',
		signature_expired: "This device's clock is off. Set it right, then tap again.",
		unauthorized: 'Your session has ended. Sign in again.',
		invalid_signature: 'The key of this browser is no longer valid. Sign out and in again.',
		other: 'The bet was not taken.',
	} as Record<string, string>,
	refusedUntil: (ms: number) => `You have paused betting until ${dateOf(ms)}.`,
};

export type Words = typeof en;
