// The page is built from web/src and, by its name, packages/client/src: one source for the page and for bots. What is built lies
// in build/web, where scripts/run's nginx and `make install` take it from.
import { defineConfig } from 'vitest/config';

const here = (path: string) => new URL(path, import.meta.url).pathname;

export default defineConfig({
	root: here('.'),
	base: './',
	resolve: { alias: { '@tap-trading/client': here('../packages/client/src/index.ts') } },
	esbuild: { jsx: 'automatic' },
	build: {
		outDir: here('../build/web'),
		emptyOutDir: true,
		target: 'es2022',
		// The policy allows what comes from the server alone: no data: addresses, no script in the document.
		assetsInlineLimit: 0,
		modulePreload: { polyfill: false },
		rollupOptions: { input: ['index.html'].map(here) },
	},
	test: { include: ['tests/**/*.test.ts'], environment: 'node' },
});
