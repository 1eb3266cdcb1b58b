import { useView } from '../state/hooks.js';
import { words } from '../words/index.js';

export function Play() {
	const session = useView((v) => v.session);
	return <p className="quiet">{session.state === 'in' ? words.play.hint : words.play.hintGuest}</p>;
}
