// One's bets, narrowed by what became of them and when; or one of them, when the address names it.
import { useState } from 'react';
import { cellOf, type Bet } from '@tap-trading/client';
import { usePath } from '../app/routes.js';
import { useMe, useView } from '../state/hooks.js';
import { dayOf, rateExact, timeOf, usd, usdExact } from '../words/format.js';
import { words } from '../words/index.js';
import { boundsOf, type SpanChoice } from './amounts.js';
import { BetView } from './BetView.js';
import { useList, type ListOf } from './list.js';
import { ListFrame, Select, SpanField } from './parts.js';
import { Outcome } from './Outcome.js';
import './account.css';

const w = words.account.bets;
const BETS: ListOf<Bet> = { path: '/bets', member: 'bets', id: (b) => b.bet_id, at: (b) => b.placed_at };
const STATUS = ['all', 'confirmed', 'won', 'lost', 'void'] as const;

export default function Bets() {
	const [, id] = usePath().split('/');
	return id ? <BetView key={id} id={id} /> : <BetList />;
}

function BetList() {
	const me = useMe();
	const [status, setStatus] = useState<typeof STATUS[number]>('all');
	const [span, setSpan] = useState<SpanChoice>({ span: 'week', from: '', to: '' });
	const [now, setNow] = useState(Date.now);
	const list = useList(BETS, { status: status === 'all' ? undefined : status, ...boundsOf(span, now) });
	return (
		<div className="own">
			<h2>{w.title}</h2>
			{me && <p className="quiet" id="open-bets">{w.open(me.openBets, me.openStake)}</p>}
			<div className="filters">
				<Select label={w.status.label} name="status" value={status} options={STATUS.map((s) => [s, w.status[s]] as const)} onChange={setStatus} />
				<SpanField value={span} onChange={(value) => { setNow(Date.now()); setSpan(value); }} />
			</div>
			<ListFrame list={list} none={w.none}>{(bets) => <BetTable bets={bets} />}</ListFrame>
		</div>
	);
}

function BetTable({ bets }: { bets: Bet[] }) {
	return (
		<table id="bets">
			<caption className="unseen">{w.caption}</caption>
			<thead>
				<tr>
					<th scope="col">{w.placed}</th>
					<th scope="col">{w.cell}</th>
					<th scope="col" className="number">{w.stake}</th>
					<th scope="col" className="number wide">{w.rate}</th>
					<th scope="col">{w.result}</th>
					<th scope="col" className="number wide">{w.payout}</th>
				</tr>
			</thead>
			<tbody>{bets.map((bet) => <BetRow key={bet.bet_id} bet={bet} />)}</tbody>
		</table>
	);
}

function BetRow({ bet }: { bet: Bet }) {
	const { t0, low, high } = cellOf(bet.cell), seconds = useView((v) => v.constants?.column_seconds);
	return (
		<tr data-bet={bet.bet_id} data-status={bet.status}>
			<td><a href={`#/bets/${bet.bet_id}`}><span>{dayOf(bet.placed_at)}</span> <span>{timeOf(bet.placed_at)}</span></a></td>
			<td>{w.cellOf(low, high)}{seconds && <small className="column">{w.columnOf(timeOf(t0 * 1000), seconds)}</small>}</td>
			<td className="number">{usd(bet.stake)}</td>
			<td className="number wide">{rateExact(bet.rate)}</td>
			<td><Outcome status={bet.status} /></td>
			<td className="number wide">{bet.payout ? usdExact(bet.payout) : '–'}</td>
		</tr>
	);
}
