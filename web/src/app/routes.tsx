// The page's sections. A section is a row here; what is not Play is loaded when it is first opened.
import { lazy, useSyncExternalStore, type ComponentType } from 'react';
import { accountRoutes } from '../account/routes.js';
import { Play } from '../play/Play.js';
import { words } from '../words/index.js';

export interface Route { path: string; label: string; view: ComponentType; /** Shown to signed-in players alone. */ player?: boolean }
export { lazy };

export const routes: Route[] = [{ path: 'play', label: words.tabs.play, view: Play }, ...accountRoutes];

const here = () => location.hash.replace(/^#\/?/, '');
const watch = (changed: () => void) => {
	addEventListener('hashchange', changed);
	return () => removeEventListener('hashchange', changed);
};

/** The part of the address behind #/: `play`, or `bets/<id>`. */
export const usePath = (): string => useSyncExternalStore(watch, here);

export const routeOf = (path: string): Route => routes.find((r) => path === r.path || path.startsWith(`${r.path}/`)) ?? routes[0] as Route;
