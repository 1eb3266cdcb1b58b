// The sections of a player's account: rows {path, label, view, player} for app/routes.tsx, views by lazy(() => import('./X.js')).
import { lazy } from 'react';
import type { Route } from '../app/routes.js';
import { words } from '../words/index.js';

const { tabs } = words.account;

export const accountRoutes: Route[] = [
	{ path: 'bets', label: tabs.bets, view: lazy(() => import('./Bets.js')), player: true },
	{ path: 'money', label: tabs.money, view: lazy(() => import('./Money.js')), player: true },
	{ path: 'limits', label: tabs.limits, view: lazy(() => import('./Limits.js')), player: true },
];
