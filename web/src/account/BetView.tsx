// One bet: what it was, what decided it, what its rate was made from, and the same computed here.
import { useEffect, useState } from 'react';
import { cellOf, NotFound, pathOf, type Bet, type Column, type Path, type Pricing, type Tick } from '@tap-trading/client';
import { useGame, useRevision, useView } from '../state/hooks.js';
import { momentOf, price, rateExact, timeOf, usd, usdExact } from '../words/format.js';
import { words } from '../words/index.js';
import { drawingOf, HEIGHT, WIDTH } from './chart.js';
import { Outcome } from './Outcome.js';
import { Facts } from './parts.js';
import { Verify } from './Verify.js';

const w = words.account.bet;
const at = (tick: Tick) => w.at(price(tick[1]), timeOf(tick[0]));

export function BetView({ id }: { id: string }) {
	const game = useGame(), revision = useRevision(), signedIn = useView((v) => v.session.state === 'in');
	const [bet, setBet] = useState<Bet | 'missing' | 'failed'>();
	const decided = typeof bet === 'object' && bet.status !== 'confirmed';
	useEffect(() => {
		let here = true;
		if (signedIn && !decided)
			game.call<Bet>('GET', `/bets/${id}`).then((found) => { if (here) setBet(found); },
				(e: unknown) => { if (here) setBet(e instanceof NotFound ? 'missing' : 'failed'); });
		return () => { here = false; };
	}, [game, id, revision, signedIn, decided]);
	return (
		<div className="own">
			<p><a href="#/bets">← {w.back}</a></p>
			{!signedIn ? <p className="quiet">{words.account.signedOut}</p>
				: bet === undefined ? <p className="quiet">{words.loading}…</p>
					: bet === 'missing' ? <p role="alert">{w.missing}</p>
						: bet === 'failed' ? <p role="alert">{words.account.failed}</p> : <Told bet={bet} />}
		</div>
	);
}

function Told({ bet }: { bet: Bet }) {
	const constants = useView((v) => v.constants);
	const { t0, low, high } = cellOf(bet.cell), seconds = constants?.column_seconds;
	return (
		<article id="bet" data-status={bet.status}>
			<h2>{w.title(low, high)}</h2>
			<p className="verdict"><Outcome status={bet.status} /> {w.story[bet.status]}</p>
			<Facts rows={[
				[w.stake, usd(bet.stake)], [w.rate, rateExact(bet.rate)], ...(bet.payout === null ? [] : [[w.payout, usdExact(bet.payout)] as const]),
				...(seconds ? [[w.column, w.columnOf(timeOf(t0 * 1000), timeOf((t0 + seconds) * 1000))] as const] : []),
				[w.placed, momentOf(bet.placed_at)], ...(bet.resolved_at === null ? [] : [[w.resolved, momentOf(bet.resolved_at)] as const]),
				[w.id, <code key="id">{bet.bet_id}</code>],
			]} />
			{bet.evidence && seconds && <Evidence bet={bet} evidence={bet.evidence} />}
			{bet.evidence && <Rate pricing={bet.pricing ?? null} />}
			{bet.evidence && <Verify bet={bet} />}
		</article>
	);
}

function Evidence({ bet, evidence }: { bet: Bet; evidence: Column }) {
	const deciding = bet.deciding_tick ?? null;
	return (
		<section aria-labelledby="path-title">
			<h3 id="path-title">{w.path}</h3>
			<Chart bet={bet} deciding={deciding} />
			<Facts rows={[
				[w.low, evidence.path_low === null ? w.none : price(evidence.path_low)], [w.high, evidence.path_high === null ? w.none : price(evidence.path_high)],
				[w.anchor, evidence.anchor ? at(evidence.anchor) : w.none], [w.ticks, evidence.ticks],
				[w.deciding, deciding ? <span key="d" title={w.decidingNote}>{at(deciding)}</span> : w.none],
				[w.digest, <code key="g">{evidence.digest}</code>], [w.prev, <code key="p">{evidence.prev_digest}</code>],
			]} />
		</section>
	);
}

function Chart({ bet, deciding }: { bet: Bet; deciding: Tick | null }) {
	const game = useGame(), constants = useView((v) => v.constants), { t0 } = cellOf(bet.cell);
	const [path, setPath] = useState<Path>();
	useEffect(() => {
		let here = true;
		if (constants)
			game.call<{ path?: Tick[] }>('GET', `/columns/${t0}`, { query: { path: 1 } }).then(({ path: ticks }) => {
				if (here && ticks)
					setPath(pathOf(ticks, t0, constants));
			}, () => {}); // what it shows stands in words below it too
		return () => { here = false; };
	}, [game, constants, t0]);
	const drawing = path && constants ? drawingOf(path, bet.cell, constants.column_seconds, deciding) : null;
	if (!path || !drawing)
		return null;
	return (
		<svg className="path" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img"
			aria-label={w.chart(price(path.low ?? 0), price(path.high ?? 0), deciding && timeOf(deciding[0]))}>
			<rect className={`cell ${bet.status}`} {...drawing.cell} rx="6" />
			<line className="start" x1={drawing.start} x2={drawing.start} y1="0" y2={HEIGHT} />
			<polyline className="line" points={drawing.line} />
			{drawing.deciding && <circle className="deciding" cx={drawing.deciding.x} cy={drawing.deciding.y} r="6" />}
		</svg>
	);
}

function Rate({ pricing: q }: { pricing: Pricing | null }) {
	return (
		<section aria-labelledby="rate-title">
			<h3 id="rate-title">{w.pricing}</h3>
			{q ? (
				<Facts rows={[
					[w.quote, `${q.quote_id}, ${timeOf(q.t)}`], [w.price, price(q.price)], [w.chance, w.percent(q.touch_ppb / 1e7)],
					[w.margin, w.percent(q.margin_bp / 100)], [w.unskewed, rateExact(q.unskewed)], [w.skew, w.percent(100 * q.skew / q.skew_whole)],
					[w.rate, rateExact(q.rate)], [w.volatility, q.volatility.map((v) => w.volatilityOf(v.half_life_s, w.percent(v.ppm / 1e4))).join(', ')],
					[w.layer, w.layerOf(q.layer_version, q.layer)],
				]} />
			) : <p className="quiet">{w.noPricing}</p>}
		</section>
	);
}
