// So that the page opens without a network and can say that there is none. The network comes first for the document, so a new
// version is never held back; what lies under assets/ has its content in its name. Nothing of a player is ever kept.
const KEPT = 'page', HERE = new URL('./', self.location).pathname;

self.addEventListener('install', () => self.skipWaiting());
self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()));

// From the page: the paths that it is made of now. They are kept, and what is of an older version goes.
self.addEventListener('message', (event) => event.waitUntil((async () => {
	const store = await caches.open(KEPT), paths = new Set(event.data);
	for (const request of await store.keys())
		if (!paths.has(new URL(request.url).pathname))
			await store.delete(request);
	await store.addAll([...paths]);
})()));

self.addEventListener('fetch', (event) => {
	const { pathname, origin } = new URL(event.request.url);
	if (event.request.method !== 'GET' || origin !== self.location.origin)
		return;
	if (pathname === HERE)
		event.respondWith(fetch(event.request).catch(() => kept(event.request)));
	else if (pathname.startsWith(`${HERE}assets/`))
		event.respondWith(kept(event.request).catch(() => fetch(event.request)));
});

async function kept(request) {
	const answer = await caches.match(request, { ignoreSearch: true });
	if (!answer)
		throw new TypeError('not kept');
	return answer;
}
