// The frame around every section: header, banner, the section, notices, and the sheet for signing in.
import { Suspense, useEffect } from 'react';
import { SignIn, useSheetOpen } from '../wallet/SignIn.js';
import { useSession, useView } from '../state/hooks.js';
import { words } from '../words/index.js';
import { Banner } from './Banner.js';
import { Header } from './Header.js';
import { Notices } from './Notices.js';
import { routeOf, routes, usePath } from './routes.js';
import { useFeedback } from './feedback.js';

export function App() {
	const theme = useView((v) => v.settings.theme), session = useSession(), sheet = useSheetOpen();
	const route = routeOf(usePath());
	const Section = route.view;
	const visible = routes.filter((r) => !r.player || session.state === 'in');
	useFeedback();
	useEffect(() => {
		if (theme === 'system')
			delete document.documentElement.dataset['theme'];
		else
			document.documentElement.dataset['theme'] = theme;
	}, [theme]);
	return (
		<>
			<Header />
			<Banner />
			<main className={`section section-${route.path}`}>
				<Suspense fallback={<p className="quiet">{words.loading}…</p>}><Section /></Suspense>
			</main>
			{visible.length > 1 && (
				<nav className="tabs" aria-label={words.tabs.label}>
					{visible.map((r) => (
						<a key={r.path} href={`#/${r.path}`} aria-current={r === route ? 'page' : undefined}>{r.label}</a>
					))}
				</nav>
			)}
			{!sheet && <Notices />}
			<SignIn />
		</>
	);
}
