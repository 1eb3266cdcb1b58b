// The board, the stakes under it, and the same in words for who does not see it.
import { useEffect, useRef, useState } from 'react';
import { Icon } from '../app/Icon.js';
import { useGame, useSession, useView } from '../state/hooks.js';
import { usd } from '../words/format.js';
import { words } from '../words/index.js';
import { Board } from './board.js';
import { cellOf, type CellState } from './cells.js';
import type { CellAt } from './geometry.js';

const w = words.play;
const SHAPES: [CellState, string][] = [['open', '2.35×'], ['closed', '–'], ['pending', '• • •'], ['confirmed', '$5'], ['won', '✓'], ['lost', '−$5'],
	['void', '↺'], ['unknown', '?'], ['refused', '✕']];

export function Play() {
	const game = useGame(), canvas = useRef<HTMLCanvasElement>(null), board = useRef<Board>(undefined);
	const [moved, setMoved] = useState(false), [chosen, setChosen] = useState<CellAt>();
	useEffect(() => {
		if (!canvas.current)
			return undefined;
		board.current = new Board(canvas.current, game, { moved: setMoved, chosen: setChosen });
		return () => board.current?.stop();
	}, [game]);
	return (
		<div className="play">
			<div className="stage">
				<canvas ref={canvas} className="board" tabIndex={0} role="application" aria-label={w.board} />
				{moved && (
					<button type="button" className="back" onClick={() => board.current?.recentre()}><Icon name="centre" />{w.recentre}</button>
				)}
			</div>
			<Chosen cell={chosen} />
			<Taps />
			<Stakes />
		</div>
	);
}

/** The cell that keys have chosen, said when it changes and when its state does; its multiplier is read at that moment. */
function Chosen({ cell }: { cell: CellAt | undefined }) {
	const game = useGame(), taps = useView((v) => v.taps), height = useView((v) => v.constants?.row_cents ?? 2000);
	let text = '';
	if (cell) {
		const now = game.client.now(), { state, rate } = cellOf(game.market, taps, cell.t0, cell.low, height, now);
		text = w.cell(cell.low, cell.low + height, Math.round(cell.t0 - now / 1000), rate, state === 'open' || state === 'closed' ? '' : w.states[state]);
	}
	return <p id="chosen" className="unseen" aria-live="polite">{text}</p>;
}

/** The player's cells as a list, for who does not see the board. */
function Taps() {
	const taps = useView((v) => v.taps);
	return (
		<ul className="unseen" id="taps" aria-label={w.yours}>
			{[...taps.values()].map((tap) => {
				const [, low = 0, high = 0] = tap.cell.split('_').map(Number);
				return <li key={tap.cell} data-cell={tap.cell} data-state={tap.state}>{w.tap(low, high, tap.stake, tap.rate, w.states[tap.state])}</li>;
			})}
		</ul>
	);
}

function Stakes() {
	const game = useGame(), session = useSession(), stake = useView((v) => v.stake), known = useView((v) => v.taps.size > 0), presets = useView((v) => v.constants?.stake_presets);
	return (
		<div className="under">
			<fieldset className="stakes">
				<legend className="unseen">{w.stake}</legend>
				{(presets ?? []).map((preset) => (
					<label key={preset}>
						<input type="radio" name="stake" value={preset} checked={preset === stake} onChange={() => game.setStake(preset)} aria-label={w.stakeOf(preset)} />
						<span aria-hidden="true">{usd(preset)}</span>
					</label>
				))}
			</fieldset>
			<p className={known ? 'hint quiet known' : 'hint quiet'}>{session.state === 'in' ? w.hint : w.hintGuest}<span className="more"> {w.tolerance}</span></p>
			<details className="legend">
				<summary aria-label={w.legend}><span className="sign" aria-hidden="true">?</span><span className="full">{w.legend}</span></summary>
				<ul>
					{SHAPES.map(([state, sign]) => <li key={state}><span className={`shape ${state}`} aria-hidden="true">{sign}</span>{w.states[state]}</li>)}
				</ul>
			</details>
		</div>
	);
}
