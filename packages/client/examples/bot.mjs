// Bets a dollar on the open cell nearest to the price, again and again, and checks each outcome: node examples/bot.mjs [ORIGIN] [BETS]
import WebSocket from 'ws';
import { Closed, Key, QuoteChanged, TapClient } from '../dist/index.js';

const [origin = 'http://127.0.0.1:8000', count = '3'] = process.argv.slice(2);
const tap = new TapClient({ origin, signer: Key.random(), WebSocket });
const { wallet, balance } = await tap.signIn();
console.log(`${wallet} has ${balance / 1e6} USD`);
let placed = 0, decided = 0, busy = false;

tap.on('grid', async ({ columns, rows, rates }) => {
	if (busy || placed === Number(count) || !tap.price)
		return;
	const distance = (j) => Math.abs(rows.low + (j + 0.5) * rows.height - tap.price.p);
	const j = rates[0].map((_, row) => row).filter((row) => rates[0][row] > 0).sort((a, b) => distance(a) - distance(b))[0];
	const low = rows.low + j * rows.height;
	busy = true;
	try {
		await tap.bet({ cell: `${columns[0]}_${low}_${low + rows.height}`, stake: 1_000_000, rate: Math.floor(rates[0][j] * 0.95) });
		placed++;
	} catch (e) {
		if (!(e instanceof QuoteChanged || e instanceof Closed || e.code === 'bet_exists'))
			throw e;
	}
	setTimeout(() => { busy = false; }, 5000);
});
tap.on('bet:resolved', async ({ bet_id, outcome, payout }) => {
	const { agrees } = await tap.verifyBet(await tap.betOf(bet_id));
	console.log(`${bet_id} ${outcome}, ${payout / 1e6} USD, ${agrees ? 'as the ticks say' : 'NOT AS THE TICKS SAY'}`);
	if (++decided === Number(count))
		tap.close();
});
tap.connect();
