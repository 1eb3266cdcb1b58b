// The sections of a player's account: rows {path, label, view, player} for app/routes.tsx, views by lazy(() => import('./X.js')).
import type { Route } from '../app/routes.js';

export const accountRoutes: Route[] = [];
