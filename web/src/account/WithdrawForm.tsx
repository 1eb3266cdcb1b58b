// A withdrawal, signed by the wallet itself: the key of this browser cannot.
import { useId, useState, type FormEvent } from 'react';
import { TapError } from '@tap-trading/client';
import { useGame, useMe, useView } from '../state/hooks.js';
import { words } from '../words/index.js';
import { properAddress, troubleOf } from '../wallet/wallets.js';
import { microOf } from './amounts.js';

const w = words.account.money;

/** What is wrong with it, before the wallet is asked. */
export function wrongIn(amount: number | undefined, to: string, least: number, balance: number): { amount?: string; to?: string } {
	const address = properAddress(to), mixed = /[a-f]/.test(to.slice(2)) && /[A-F]/.test(to.slice(2));
	return {
		...(amount === undefined ? { amount: w.wrong.amount } : amount < least ? { amount: w.wrong.least(least) } : amount > balance ? { amount: w.wrong.funds } : {}),
		...(address === undefined || (mixed && address !== to) ? { to: w.wrong.to } : {}),
	};
}

export function WithdrawForm() {
	const game = useGame(), me = useMe(), least = useView((v) => v.me?.limits.withdrawal_min ?? 0);
	const own = useView((v) => (v.session.state === 'in' ? v.session.address : ''));
	const [text, setText] = useState(''), [to, setTo] = useState(own);
	const [said, say] = useState<{ amount?: string; to?: string; done?: string; failed?: string }>({});
	const [busy, setBusy] = useState(false), ids = { amount: useId(), to: useId() };
	const submit = async (e: FormEvent) => {
		e.preventDefault();
		const amount = microOf(text), wrong = wrongIn(amount, to.trim(), least, me?.balance ?? 0);
		say(wrong);
		if (wrong.amount !== undefined || wrong.to !== undefined || amount === undefined)
			return;
		setBusy(true);
		try {
			await game.client.withdraw({ amount, to: to.trim() });
			say({ done: w.asked(amount) });
			setText('');
		} catch (error) {
			const code = error instanceof TapError ? error.code : troubleOf(error) ?? 'other';
			say({ failed: w.refused[code] ?? w.refused['other'] ?? '' });
		} finally {
			setBusy(false);
		}
	};
	return (
		<section aria-labelledby="withdraw-title">
			<h3 id="withdraw-title">{w.withdraw}</h3>
			<p className="quiet">{w.withdrawNote(least)}</p>
			<form className="panel" onSubmit={(e) => void submit(e)} noValidate>
				<p className="field">
					<label htmlFor={ids.amount}>{w.amount} ({words.account.usd})</label>
					<input id={ids.amount} name="amount" inputMode="decimal" autoComplete="off" value={text} onChange={(e) => setText(e.target.value)}
						aria-invalid={said.amount !== undefined} aria-describedby={said.amount ? `${ids.amount}-wrong` : undefined} />
					{said.amount && <small id={`${ids.amount}-wrong`} className="bad">{said.amount}</small>}
				</p>
				<p className="field grow">
					<label htmlFor={ids.to}>{w.to}</label>
					<input id={ids.to} name="to" className="address" spellCheck={false} autoComplete="off" value={to} onChange={(e) => setTo(e.target.value)}
						aria-invalid={said.to !== undefined} aria-describedby={said.to ? `${ids.to}-wrong` : undefined} />
					{said.to && <small id={`${ids.to}-wrong`} className="bad">{said.to}</small>}
				</p>
				<button type="submit" className="primary" id="withdraw" disabled={busy}>{busy ? `${w.signing}…` : w.sign}</button>
				<p role="status" className={said.failed ? 'bad' : 'good'} id="withdraw-said">{said.failed ?? said.done ?? ''}</p>
			</form>
		</section>
	);
}
