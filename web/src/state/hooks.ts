// What a view needs to know of the player and the server. The shape is stable; views never reach around it.
//
//   useGame()       the Game: game.call<T>('GET', '/me/limits') is the API as the signed-in player, throws TapError by `code`;
//                   game.client is packages/client's TapClient (withdraw(), betOf(), verifyBet(), now()); game.say(...) shows a notice
//   useView(select) any part of View (state/game.ts), drawn anew when it changes: useView((v) => v.balance)
//   useSession()    SessionView: {state: 'guest' | 'connecting' | 'offered' | 'signing' | 'in', ...}; 'in' has address,
//                   wallet, expiresAt
//   useMe()         {balance, openBets, openStake} while signed in, else undefined; moves with the events of the socket
//   useRevision()   a number that grows with each event of the wallet: a dependency for lists that are to be read again
import { createContext, useContext } from 'react';
import type { Game, SessionView, View } from './game.js';
import { useStore } from './store.js';
import { isOpen } from './taps.js';

export const GameContext = createContext<Game | undefined>(undefined);

export function useGame(): Game {
	const game = useContext(GameContext);
	if (!game)
		throw new Error('this view stands outside of GameContext');
	return game;
}

export function useView<S>(select: (view: View) => S): S {
	return useStore(useGame().view, select);
}

export const useSession = (): SessionView => useView((v) => v.session);
export const useRevision = (): number => useView((v) => v.revision);

export function useMe(): { balance: number; openBets: number; openStake: number } | undefined {
	const balance = useView((v) => v.balance), taps = useView((v) => v.taps);
	if (balance === undefined)
		return undefined;
	const open = [...taps.values()].filter(isOpen);
	return { balance, openBets: open.length, openStake: open.reduce((sum, tap) => sum + tap.stake, 0) };
}
