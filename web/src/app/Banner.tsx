import { useView } from '../state/hooks.js';
import { words } from '../words/index.js';

/** One thing at a time, the worst first: what the player needs to know of the way between here and the price. */
export function Banner() {
	const link = useView((v) => v.link), online = useView((v) => v.online), feed = useView((v) => v.feed), betting = useView((v) => v.betting);
	const barred = useView((v) => v.barred);
	const what = !online ? 'offline' : link === 'lost' ? 'lost' : barred ? 'barred' : link === 'connecting' ? undefined : feed === 'critical' ? 'critical'
		: feed === 'unknown' ? undefined : !betting ? 'closed' : feed === 'degraded' ? 'degraded' : undefined;
	return (
		<div role="status" aria-live="polite" className="banners">
			{what && <p id="banner" className={`banner ${what}`} data-what={what}>{what === 'barred' ? barred && words.barred[barred.why](barred.until) : words.banner[what]}</p>}
		</div>
	);
}
