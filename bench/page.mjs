// How the page feels, as JSON: from a tap to the frame that shows it pending and to the one that shows it confirmed, how far frames
// are apart and how long each keeps the main thread, and the first paint. Debian's chromium in software rendering, desktop size with
// 24 rows by 12 columns, on an instance of its own. Figures of a busy machine are worth nothing: say what else ran.
//   TAPS=40 SECONDS=10 node bench/page.mjs        needs scripts/deps test and a release build
import { loadavg } from 'node:os';
import { Product } from '../tests/e2e/lib/product.mjs';
import { MOVING, Visitor, launch, quantile } from '../tests/e2e/lib/browser.mjs';

const taps = Number(process.env.TAPS ?? 40), seconds = Number(process.env.SECONDS ?? 10);
const bounds = { pending_ms: 50, confirmed_ms: 150, frame_apart_p95_ms: 17.5, frame_main_p95_ms: 8, first_paint_ms: 1000 };
const product = await Product.start('bench-page'), browser = await launch();

try {
	const v = await Visitor.open(product, browser, MOVING);
	await v.signIn();
	const first_paint_ms = await v.page.evaluate(() => performance.getEntriesByName('first-contentful-paint')[0].startTime);
	await v.page.evaluate(() => { globalThis.seenOfPage.frames.spent.length = globalThis.seenOfPage.frames.apart.length = 0; });
	await v.page.waitForTimeout(seconds * 1000);
	const { frames } = await v.seen();
	await v.page.evaluate(() => performance.clearMarks());
	for (let i = 0; i < taps; i++) {
		await v.choose(1 + i % 10, Math.floor(i / 10) % 4 - 2);
		await v.page.keyboard.press('Enter');
		await v.page.waitForTimeout(250);
	}
	await v.page.waitForTimeout(1000);
	const marks = await v.page.evaluate(() => performance.getEntriesByType('mark').map((m) => [m.name, m.detail, m.startTime]));
	const since = (name) => marks.filter((m) => m[0] === name).map(([, cell, at]) => at - marks.findLast((m) => m[0] === 'tap' && m[1] === cell && m[2] <= at)[2]);
	const spread = (values) => ({ n: values.length, p50: +quantile(values, 0.5).toFixed(1), p95: +quantile(values, 0.95).toFixed(1) });
	console.log(JSON.stringify({ first_paint_ms: Math.round(first_paint_ms), pending_ms: spread(since('tap:pending')),
		confirmed_ms: spread(since('tap:confirmed')), frame_apart_ms: spread(frames.apart), frame_main_ms: spread(frames.spent),
		load: loadavg().map((l) => +l.toFixed(1)), bounds }, null, '\t'));
} finally {
	await browser.close();
	await product.stop();
}
