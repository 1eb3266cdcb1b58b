import { createRoot } from 'react-dom/client';
import { App } from './app/App.js';
import './app/style.css';
import './play/play.css';
import { Game } from './state/game.js';
import { GameContext } from './state/hooks.js';
import { Wallets } from './wallet/wallets.js';

const game = new Game(new Wallets(window), window);
game.start();
createRoot(document.getElementById('root') as HTMLElement).render(<GameContext value={game}><App /></GameContext>);

// Opens without a network, to say so: the worker keeps the files that this page is made of.
if ('serviceWorker' in navigator)
	void navigator.serviceWorker.register('./sw.js').then(() => navigator.serviceWorker.ready).then(({ active }) => {
		const parts = performance.getEntriesByType('resource').map((entry) => new URL(entry.name).pathname).filter((path) => path.includes('/assets/'));
		active?.postMessage([location.pathname, ...parts]);
	}).catch(() => {}); // a browser that keeps nothing
