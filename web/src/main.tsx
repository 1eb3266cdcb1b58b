import { createRoot } from 'react-dom/client';
import { App } from './app/App.js';
import './app/style.css';
import { Game } from './state/game.js';
import { GameContext } from './state/hooks.js';
import { Wallets } from './wallet/wallets.js';

const game = new Game(new Wallets(window), window);
game.start();
createRoot(document.getElementById('root') as HTMLElement).render(<GameContext value={game}><App /></GameContext>);
