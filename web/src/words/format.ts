// Money, prices, rates and times in the player's own writing. Money is micro-USD, prices are cents, rates 1e-4, times ms.
const locale = typeof navigator === 'undefined' ? 'en-US' : navigator.language;
const money = new Intl.NumberFormat(locale, { style: 'currency', currency: 'USD', currencyDisplay: 'narrowSymbol' });
const whole = new Intl.NumberFormat(locale, { style: 'currency', currency: 'USD', currencyDisplay: 'narrowSymbol', maximumFractionDigits: 0 });
const clock = new Intl.DateTimeFormat(locale, { timeStyle: 'medium' });
const date = new Intl.DateTimeFormat(locale, { dateStyle: 'medium' });
const moment = new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'medium' });
const day = new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'short' });

/** Cents only where there are some: $5, $5.25. */
export const usd = (micro: number): string => (micro % 1_000_000 === 0 ? whole : money).format(micro / 1e6);
export const usdExact = (micro: number): string => money.format(micro / 1e6);
export const price = (cents: number): string => money.format(cents / 100);
export const level = (cents: number): string => whole.format(cents / 100);
export const timeOf = (ms: number): string => clock.format(ms);
export const dateOf = (ms: number): string => day.format(ms);
export const dayOf = (ms: number): string => date.format(ms);
/** To the second. */
export const momentOf = (ms: number): string => moment.format(ms);
export const shortAddress = (address: string): string => `${address.slice(0, 6)}…${address.slice(-4)}`;

/** 2.35x; from ten on one digit, from a hundred none: what is read at a glance. Never more than is paid. */
export function rate(r: number): string {
	const digits = r < 100_000 ? 2 : r < 1_000_000 ? 1 : 0;
	return `${(Math.floor(r / 10 ** (4 - digits)) / 10 ** digits).toFixed(digits)}×`;
}
/** To its last unit, where it is checked. */
export const rateExact = (r: number): string => `${(r / 10_000).toFixed(4).replace(/0{1,2}$/, '')}×`;
