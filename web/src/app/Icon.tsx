// Drawn here, so that nothing is fetched for them.
const PATHS = {
	mark: 'M3 16l5-5 4 3 9-10',
	sound: 'M4 9v6h4l5 4V5L8 9zM16.5 8.5a5 5 0 010 7M19 6a8.5 8.5 0 010 12',
	muted: 'M4 9v6h4l5 4V5L8 9zM17 9.5l5 5M22 9.5l-5 5',
	moon: 'M20 14.5A8.5 8.5 0 119.5 4 7 7 0 0020 14.5z',
	sun: 'M12 8a4 4 0 100 8 4 4 0 000-8zM12 2v3M12 19v3M2 12h3M19 12h3M4.9 4.9l2.1 2.1M17 17l2.1 2.1M19.1 4.9L17 7M7 17l-2.1 2.1',
	auto: 'M12 3a9 9 0 100 18 9 9 0 000-18zM12 3v18M12 7h6M12 12h9M12 17h6',
	who: 'M12 4a4 4 0 100 8 4 4 0 000-8zM4 21a8 8 0 0116 0',
	close: 'M5 5l14 14M19 5L5 19',
	centre: 'M12 8a4 4 0 100 8 4 4 0 000-8zM12 2v4M12 18v4M2 12h4M18 12h4',
};

export function Icon({ name }: { name: keyof typeof PATHS }) {
	return (
		<svg className="glyph" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
			<path d={PATHS[name]} fill="none" stroke="currentColor" strokeWidth="2" strokeLinecap="round" strokeLinejoin="round" />
		</svg>
	);
}
