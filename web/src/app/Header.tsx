import { useEffect } from 'react';
import { useGame, useMe, useSession, useView } from '../state/hooks.js';
import type { Settings } from '../state/memory.js';
import { level, price as asPrice, shortAddress, usdExact } from '../words/format.js';
import { words } from '../words/index.js';
import { Icon } from './Icon.js';

const THEMES: Settings['theme'][] = ['system', 'dark', 'light'];

export function Header() {
	const game = useGame(), session = useSession(), me = useMe(), settings = useView((v) => v.settings);
	const nextTheme = THEMES[(THEMES.indexOf(settings.theme) + 1) % THEMES.length] ?? 'system';
	return (
		<header className="top">
			<h1><a href="#/play" aria-label={words.title}><Icon name="mark" /><span className="brand">{words.title}</span></a></h1>
			<Price />
			<div className="who">
				{me && (
					<p className="balance">
						<span className="unseen">{words.header.balance}</span>
						<strong id="balance">{usdExact(me.balance)}</strong>
						<small>{words.header.open(me.openBets, me.openStake)}</small>
					</p>
				)}
				<button type="button" className="icon" onClick={() => game.settle({ muted: !settings.muted })}
					aria-label={settings.muted ? words.header.unmute : words.header.mute} title={settings.muted ? words.header.unmute : words.header.mute}>
					<Icon name={settings.muted ? 'muted' : 'sound'} />
				</button>
				<button type="button" className="icon theme" onClick={() => game.settle({ theme: nextTheme })}
					aria-label={words.header.theme[nextTheme]} title={words.header.theme[nextTheme]}>
					<Icon name={settings.theme === 'dark' ? 'moon' : settings.theme === 'light' ? 'sun' : 'auto'} />
				</button>
				<button type="button" id="who" className={session.state === 'in' ? 'account' : 'primary'} onClick={() => game.openWallet()}
					aria-label={session.state === 'in' ? words.wallet.signedInAs(shortAddress(session.address)) : undefined}>
					{session.state === 'in' ? <><Icon name="who" /><span className="wide">{shortAddress(session.address)}</span></> : words.header.signIn}
				</button>
			</div>
		</header>
	);
}

function Price() {
	const price = useView((v) => v.price), live = useView((v) => v.link === 'open' && v.feed !== 'critical');
	useEffect(() => {
		document.title = price === undefined ? words.title : `${level(price)} · ${words.title}`;
	}, [price === undefined ? undefined : Math.round(price / 100)]);
	return (
		<p className={live ? 'price' : 'price stale'}>
			<span className="unseen">{words.header.price}</span> <span id="price">{price === undefined ? '–' : asPrice(price)}</span>
		</p>
	);
}
