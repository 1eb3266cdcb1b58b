// The operators' page: a build of its own, so that nothing of it lies where players' files are served from.
import { defineConfig } from 'vite';
import page from './vite.config.js';

const here = (path: string) => new URL(path, import.meta.url).pathname;

export default defineConfig({ ...page, root: here('ops'),
	build: { ...page.build, outDir: here('../build/web-ops'), rollupOptions: { input: here('ops/index.html') } } });
