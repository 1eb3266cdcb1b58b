// What has just happened, for a few seconds; a screen reader hears the same words.
import { useEffect } from 'react';
import type { Notice } from '../state/game.js';
import { useGame, useView } from '../state/hooks.js';
import { words } from '../words/index.js';

const SHOWN_MS = 4000, LONG_MS = 9000;

export function textOf(n: Notice): string {
	const { notice, refused, wallet } = words;
	switch (n.kind) {
	case 'refused': return n.barred ? words.barred[n.barred.why](n.barred.until) : refused[n.code] ?? refused['other'] ?? '';
	case 'pending': return notice.pending(n.tap.stake, n.tap.rate);
	case 'confirmed': return notice.confirmed(n.tap.stake, n.tap.rate);
	case 'unknown': return notice.unknown;
	case 'absent': return notice.absent;
	case 'won': return notice.won(n.tap.payout ?? 0);
	case 'lost': return notice.lost(n.tap.stake);
	case 'void': return notice.void(n.tap.stake);
	case 'sign-in-failed': return wallet.failed[n.code] ?? wallet.failed['other'] ?? '';
	case 'session-ended': return wallet.ended;
	case 'account-changed': return wallet.accountChanged;
	case 'wallet-locked': return wallet.wasLocked;
	case 'signed-out': return wallet.signedOut;
	case 'signed-in-elsewhere': return wallet.elsewhere;
	case 'chain': return wallet.chain(n.wanted);
	}
}

/** The cell itself shows it; these words are for who does not see the board. */
const SEEN_ON_BOARD = new Set<Notice['kind']>(['pending', 'confirmed', 'lost']);
const GOOD = new Set<Notice['kind']>(['won', 'confirmed']), BAD = new Set<Notice['kind']>(['refused', 'sign-in-failed', 'absent', 'unknown']);

export function Notices() {
	const game = useGame(), notice = useView((v) => v.notice);
	useEffect(() => {
		if (!notice)
			return undefined;
		const brief = GOOD.has(notice.kind) || notice.kind === 'lost' || notice.kind === 'pending' || notice.kind === 'refused';
		const timer = setTimeout(() => game.hush(notice.id), brief ? SHOWN_MS : LONG_MS);
		return () => clearTimeout(timer);
	}, [game, notice]);
	return (
		<div className="notices" role="log" aria-live="polite" aria-relevant="additions">
			{notice && (
				<p key={notice.id} id="notice" data-kind={notice.kind} data-code={notice.kind === 'refused' ? notice.code : undefined}
					className={`notice ${GOOD.has(notice.kind) ? 'good' : BAD.has(notice.kind) ? 'bad' : ''} ${SEEN_ON_BOARD.has(notice.kind) ? 'unseen' : ''}`}>
					{textOf(notice)}
					{notice.kind === 'chain' && <button type="button" onClick={() => game.switchChain()}>{words.wallet.switchChain}</button>}
				</p>
			)}
		</div>
	);
}
