// Choosing a wallet, and what signing in means in plain words before anything is signed.
import { useEffect, useRef, useSyncExternalStore } from 'react';
import { Icon } from '../app/Icon.js';
import { Notices } from '../app/Notices.js';
import { useGame, useSession, useView } from '../state/hooks.js';
import { shortAddress } from '../words/format.js';
import { words } from '../words/index.js';
import type { WalletChoice } from './wallets.js';

const w = words.wallet;
const nameOf = (choice: WalletChoice) => (choice.demo ? w.demo : choice.name);

export function useSheetOpen(): boolean {
	const session = useSession(), wanted = useView((v) => v.walletOpen);
	return wanted || (session.state !== 'guest' && session.state !== 'in');
}

export function SignIn() {
	const game = useGame(), session = useSession(), open = useSheetOpen();
	const dialog = useRef<HTMLDialogElement>(null);
	const pressed = useRef(false); // beside the sheet: a touch that opened it ends in a click here, and must not close it
	useEffect(() => {
		const el = dialog.current;
		if (open && !el?.open)
			el?.showModal();
		else if (!open && el?.open)
			el.close();
	}, [open]);
	return (
		<dialog ref={dialog} className="sheet" aria-labelledby="sheet-title" onClose={() => { if (open) game.closeWallet(); }}
			onPointerDown={(e) => { pressed.current = e.target === dialog.current; }}
			onClick={(e) => {
				if (pressed.current && e.target === dialog.current)
					game.closeWallet();
				pressed.current = false;
			}}>
			{open && <Notices />}
			{open && (
				<div className="inner">
					<button type="button" className="icon shut" aria-label={words.close} onClick={() => game.closeWallet()}><Icon name="close" /></button>
					{session.state === 'in' ? <Account /> : session.state === 'offered' || session.state === 'signing' ? <Offer /> : <Choice />}
				</div>
			)}
		</dialog>
	);
}

function Choice() {
	const game = useGame(), session = useSession();
	const choices = useSyncExternalStore(game.wallets.watch, game.wallets.choices);
	const busy = session.state === 'connecting';
	return (
		<>
			<h2 id="sheet-title">{w.title}</h2>
			<ul className="choices">
				{choices.map((choice) => (
					<li key={choice.id}>
						<button type="button" disabled={busy} data-wallet={choice.id} onClick={() => void game.choose(choice)}>
							<span className="tile" aria-hidden="true">{nameOf(choice).slice(0, 1)}</span>
							<span>{nameOf(choice)}{choice.demo && <small>{w.demoNote}</small>}</span>
						</button>
					</li>
				))}
			</ul>
			{choices.every((c) => c.demo) && <p className="quiet">{w.none}</p>}
			{busy && <p role="status" className="quiet">{w.connecting(nameOf(session.wallet))}…</p>}
		</>
	);
}

function Offer() {
	const game = useGame(), session = useSession();
	if (session.state !== 'offered' && session.state !== 'signing')
		return null;
	const { limits } = session;
	const busy = session.state === 'signing';
	return (
		<>
			<h2 id="sheet-title">{w.offerTitle}</h2>
			<p>{w.as(shortAddress(session.address))} {w.plain}</p>
			{limits && (
				<ul className="caps" id="caps">
					{w.caps(limits.player_column, limits.player_open, Math.round(limits.seconds / 3600)).map((line) => <li key={line}>{line}</li>)}
				</ul>
			)}
			<details><summary>{w.showMessage}</summary><pre tabIndex={0}>{session.message}</pre></details>
			<div className="row">
				<button type="button" className="primary" id="sign" disabled={busy} onClick={() => void game.accept()}>
					{busy ? `${w.signing}…` : w.sign}
				</button>
				<button type="button" disabled={busy} onClick={() => game.closeWallet()}>{w.cancel}</button>
			</div>
		</>
	);
}

function Account() {
	const game = useGame(), session = useSession();
	if (session.state !== 'in')
		return null;
	return (
		<>
			<h2 id="sheet-title">{w.signedInAs(shortAddress(session.address))}</h2>
			<p className="address">{session.address}</p>
			<p className="quiet">{w.until(session.expiresAt)}</p>
			<button type="button" id="sign-out" onClick={() => void game.signOut()}>{w.signOut}</button>
		</>
	);
}
