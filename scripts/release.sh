# shellcheck shell=bash
# release.sh - how the working tree becomes a release folder: what install and deploy share. Sourced, from the project's top.

# 0.1.0-3f2a9c1, and what was never committed is named by its content.
release_name()
{
	local version commit
	version=$(awk '/^project/ {print $3}' CMakeLists.txt)
	commit=$(git -c safe.directory='*' rev-parse --short HEAD 2>/dev/null || echo local)
	if ! git -c safe.directory='*' diff --quiet HEAD 2>/dev/null; then
		commit+=-$(git -c safe.directory='*' diff HEAD 2>/dev/null | sha256sum | cut -c1-8)
	fi
	echo "$version-$commit"
}

release_build()
{
	scripts/deps run
	scripts/web >&2
	cmake --preset release >&2
	cmake --build --preset release >&2
}

# release_stage FOLDER: the whole release, as it will lie on the machine.
release_stage()
{
	rm -rf "$1"
	cmake --install build/release --prefix "$1" >/dev/null
	if command -v node >/dev/null; then
		node tools/sbom.mjs "$1" >"$1/sbom.json"
	fi
}
