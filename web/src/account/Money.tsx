// What one has, what one asked to be paid, and every movement of it.
import { useState } from 'react';
import type { LedgerEntry, Withdrawal } from '@tap-trading/client';
import { useMe, useView } from '../state/hooks.js';
import { dateOf, shortAddress, usdExact } from '../words/format.js';
import { words } from '../words/index.js';
import { boundsOf, type SpanChoice } from './amounts.js';
import { useList, type ListOf } from './list.js';
import { ListFrame, Select, SpanField } from './parts.js';
import { WithdrawForm } from './WithdrawForm.js';
import './account.css';

const w = words.account.money;
const LEDGER: ListOf<LedgerEntry> = { path: '/ledger', member: 'entries', id: (e) => e.id, at: (e) => e.at };
const WITHDRAWALS: ListOf<Withdrawal> = { path: '/withdrawals', member: 'withdrawals', id: (e) => e.withdrawal_id, at: (e) => e.requested_at };
const KINDS = ['all', 'BET', 'PAYOUT', 'REFUND', 'DEPOSIT', 'WITHDRAWAL', 'WITHDRAWAL_REVERSAL', 'ADJUSTMENT', 'OPENING'] as const;
const OF_BETS = new Set(['BET', 'PAYOUT', 'REFUND']);
const signed = (micro: number) => `${micro > 0 ? '+' : ''}${usdExact(micro)}`;

export default function Money() {
	const me = useMe(), signedIn = useView((v) => v.session.state === 'in');
	if (!signedIn)
		return <p className="quiet">{words.account.signedOut}</p>;
	return (
		<div className="own">
			<h2>{w.title}</h2>
			{me && <p className="sum"><strong id="money-balance">{usdExact(me.balance)}</strong> <span className="quiet">{w.open(me.openBets, me.openStake)}</span></p>}
			<WithdrawForm />
			<Withdrawals />
			<Ledger />
		</div>
	);
}

function Withdrawals() {
	const list = useList(WITHDRAWALS, {});
	return (
		<section aria-labelledby="withdrawals-title">
			<h3 id="withdrawals-title">{w.withdrawals}</h3>
			<ListFrame list={list} none={w.noWithdrawals}>
				{(rows) => (
					<table id="withdrawals">
						<caption className="unseen">{w.withdrawals}</caption>
						<thead><tr><th scope="col">{w.when}</th><th scope="col" className="number">{w.amount}</th><th scope="col" className="wide">{w.to}</th><th scope="col">{w.decided}</th></tr></thead>
						<tbody>
							{rows.map((row) => (
								<tr key={row.withdrawal_id} data-status={row.status}>
									<td>{dateOf(row.requested_at)}</td>
									<td className="number">{usdExact(row.amount)}</td>
									<td className="wide"><code title={row.to}>{shortAddress(row.to)}</code></td>
									<td>{w.status[row.status]}{row.decided_at ? `, ${dateOf(row.decided_at)}` : ''}</td>
								</tr>
							))}
						</tbody>
					</table>
				)}
			</ListFrame>
		</section>
	);
}

function Ledger() {
	const [kind, setKind] = useState<typeof KINDS[number]>('all');
	const [span, setSpan] = useState<SpanChoice>({ span: 'week', from: '', to: '' });
	const [now, setNow] = useState(Date.now);
	const list = useList(LEDGER, { ref_type: kind === 'all' ? undefined : kind, ...boundsOf(span, now) });
	return (
		<section aria-labelledby="ledger-title">
			<h3 id="ledger-title">{w.ledger}</h3>
			<div className="filters">
				<Select label={w.kind} name="kind" value={kind} options={KINDS.map((k) => [k, w.kinds[k] ?? k] as const)} onChange={setKind} />
				<SpanField value={span} onChange={(value) => { setNow(Date.now()); setSpan(value); }} />
			</div>
			<ListFrame list={list} none={w.noEntries}>{(entries) => <Entries entries={entries} />}</ListFrame>
		</section>
	);
}

function Entries({ entries }: { entries: LedgerEntry[] }) {
	return (
		<table id="ledger">
			<caption className="unseen">{w.caption}</caption>
			<thead>
				<tr>
					<th scope="col">{w.at}</th><th scope="col">{w.kind}</th><th scope="col" className="number">{w.amount}</th>
					<th scope="col" className="number">{w.balanceAfter}</th>
				</tr>
			</thead>
			<tbody>
				{entries.map((e) => (
					<tr key={e.id} data-kind={e.ref_type}>
						<td>{dateOf(e.at)}</td>
						<td>{OF_BETS.has(e.ref_type) ? <a href={`#/bets/${e.ref_id}`}>{w.kinds[e.ref_type]}</a> : w.kinds[e.ref_type]}</td>
						<td className={`number ${e.amount > 0 ? 'good' : ''}`}>{signed(e.amount)}</td>
						<td className="number">{usdExact(e.balance_after)}</td>
					</tr>
				))}
			</tbody>
		</table>
	);
}
