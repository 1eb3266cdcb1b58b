// sbom.mjs RELEASE: what a release is made of, as CycloneDX 1.5 JSON on stdout: its programs with their hashes, the Debian packages
// that they load or run beside, as installed where it was built, and the npm packages of the lockfiles that reach a player.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync, realpathSync } from 'node:fs';
import path from 'node:path';

const release = process.argv[2];
const run = (...command) => execFileSync(command[0], command.slice(1), { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });

const programs = readdirSync(release).filter((f) => f.startsWith('tap-trading-')).sort();
const version = path.basename(release);

function libraries() {
	const files = new Set();
	for (const p of programs)
		for (const [, file] of run('ldd', path.join(release, p)).matchAll(/=> (\/\S+)/g))
			files.add(realpathSync(file));
	return [...files];
}

// A library's package; /lib and /usr/lib are one folder, and dpkg may know the file by either.
function packageOf(file) {
	for (const name of [file, file.replace(/^\/usr/, '')]) {
		try {
			return run('dpkg', '-S', name).split(': ')[0].split(',')[0];
		} catch {
			// by its other name
		}
	}
	return undefined;
}

function debian() {
	const beside = readFileSync(path.join(release, 'host'), 'utf8').match(/^packages=\(([^)]*)\)/m)[1].trim().split(/\s+/);
	const names = new Set([...libraries().map(packageOf).filter(Boolean), ...beside]);
	const found = [];
	for (const name of [...names].sort()) {
		try {
			const [pkg, v, arch] = run('dpkg-query', '-W', '-f=${Package} ${Version} ${Architecture}', name).split(' ');
			found.push({ type: 'library', name: pkg, version: v, purl: `pkg:deb/debian/${pkg}@${encodeURIComponent(v)}?arch=${arch}&distro=debian-12` });
		} catch {
			found.push({ type: 'library', name, purl: `pkg:deb/debian/${name}?distro=debian-12` });
		}
	}
	return [...new Map(found.map((c) => [c.purl, c])).values()];
}

function npm() {
	const found = new Map();
	for (const lock of ['packages/client/package-lock.json', 'web/package-lock.json'].filter(existsSync))
		for (const [where, p] of Object.entries(JSON.parse(readFileSync(lock, 'utf8')).packages))
			if (where.startsWith('node_modules/') && !p.dev && !p.link) {
				const name = where.split('node_modules/').at(-1);
				found.set(`${name}@${p.version}`, { type: 'library', name, version: p.version, purl: `pkg:npm/${name.replace('@', '%40')}@${p.version}` });
			}
	return [...found.values()];
}

const hashed = programs.map((name) => ({ type: 'application', name, version,
	hashes: [{ alg: 'SHA-256', content: createHash('sha256').update(readFileSync(path.join(release, name))).digest('hex') }] }));

process.stdout.write(`${JSON.stringify({ bomFormat: 'CycloneDX', specVersion: '1.5', version: 1,
	metadata: { component: { type: 'application', name: 'tap-trading', version } },
	components: [...hashed, ...debian(), ...npm()] }, null, '\t')}\n`);
