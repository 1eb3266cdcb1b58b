// The player's own check: nothing that the server concluded is used, only the ticks.
import { useState } from 'react';
import { cellOf, type Bet, type Check, type Claim, type Verdict } from '@tap-trading/client';
import { useGame } from '../state/hooks.js';
import { price, rateExact, timeOf, usdExact } from '../words/format.js';
import { words } from '../words/index.js';

const w = words.account.verify;
type Source = 'prices' | 'evidence';
const HISTORY_MS = 7 * 86_400_000;

function shown(what: Check['what'], claim: Claim): string {
	if (claim === null)
		return words.account.bet.none;
	if (Array.isArray(claim))
		return words.account.bet.at(price(claim[1]), timeOf(claim[0]));
	if (typeof claim === 'number')
		return what === 'low' || what === 'high' ? price(claim) : what === 'payout' ? usdExact(claim) : what === 'rate' ? rateExact(claim) : String(claim);
	return w.said[claim] ?? claim;
}

export function Verify({ bet }: { bet: Bet }) {
	const game = useGame();
	const [results, setResults] = useState<{ source: Source; verdict: Verdict | null }[]>();
	const [busy, setBusy] = useState(false);
	const old = cellOf(bet.cell).t0 * 1000 < game.client.now() - HISTORY_MS;
	const sources: Source[] = old ? ['evidence'] : ['prices', 'evidence'];
	const verify = async () => {
		setBusy(true);
		setResults(await Promise.all(sources.map(async (source) =>
			({ source, verdict: await game.client.verifyBet(bet, source).catch(() => null) }))));
		setBusy(false);
	};
	return (
		<section aria-labelledby="verify-title" className="verify">
			<h3 id="verify-title">{w.title}</h3>
			<p className="quiet">{w.what}{old && ` ${w.old}`}</p>
			<button type="button" id="verify" className="primary" disabled={busy} onClick={() => void verify()}>
				{busy ? `${words.account.working}…` : w.button}
			</button>
			<div role="status" aria-live="polite">
				{results?.map(({ source, verdict }) => <Result key={source} source={source} verdict={verdict} />)}
			</div>
		</section>
	);
}

function Result({ source, verdict }: { source: Source; verdict: Verdict | null }) {
	const name = w[source], wrong = verdict?.checks.filter((c) => !c.agrees).length ?? 0;
	return (
		<div className="result" data-source={source} data-agrees={verdict ? verdict.agrees : 'unknown'}>
			<p className={verdict?.agrees ? 'good' : 'bad'}>
				<span aria-hidden="true">{verdict?.agrees ? '✓' : verdict ? '✗' : '?'}</span> <strong>{name}:</strong>{' '}
				{verdict === null ? w.failed : verdict.agrees ? w.agrees : w.differs(wrong)}
			</p>
			{verdict && <CheckTable checks={verdict.checks} caption={w.caption(name)} />}
		</div>
	);
}

function CheckTable({ checks, caption }: { checks: Check[]; caption: string }) {
	return (
		<div className="scroll" role="region" aria-label={caption} tabIndex={0}>
			<table className="checks">
				<caption className="unseen">{caption}</caption>
				<thead>
					<tr>
						<th scope="col">{w.head.what}</th><th scope="col">{w.head.told}</th><th scope="col">{w.head.computed}</th><th scope="col">{w.head.verdict}</th>
					</tr>
				</thead>
				<tbody>
					{checks.map((c) => (
						<tr key={c.what} data-check={c.what} data-agrees={c.agrees}>
							<th scope="row">{w.of[c.what]}</th>
							<td className={c.what}>{shown(c.what, c.told)}</td>
							<td className={c.what}>{shown(c.what, c.computed)}</td>
							<td className={c.agrees ? 'good' : 'bad'}><span aria-hidden="true">{c.agrees ? '✓' : '✗'}</span> {c.agrees ? w.match : w.differ}</td>
						</tr>
					))}
				</tbody>
			</table>
		</div>
	);
}
