# Thin on purpose: each target is a script that can be read and run by itself.
.PHONY: help run test coverage torture torture-report torture-steps storm soak mutants fuzz bench build install format check clean bench-ws bench-page

help:
	@echo 'make run      build and start the whole product here (PORT=8000, FEED=live for the real venues)'
	@echo 'make test     build and run every test; the last line is "N passed, N failed"'
	@echo 'make torture  the whole product under faults dealt by dice, with a referee; TORTURE_SECONDS=300, goes on where it was'
	@echo 'make torture-report  what all calls of it have done together'
	@echo 'make storm    a million faults by dice in the simulated world: about an hour of processor, resumable; TORTURE_MINUTES as below'
	@echo 'make torture-steps  the long forms of the tests of money, resumable; TORTURE_MINUTES=120 bounds a run'
	@echo 'make soak     1,000 bets a second and 2,000 players for SOAK_SECONDS=120: what grows, with its interval'
	@echo 'make mutants  break a promise at a time in a copy of the tree, and see that its test fails'
	@echo 'make fuzz     run each fuzzer for a minute (FUZZ_SECONDS=60)'
	@echo 'make coverage  which branches of the money code no test takes: build/coverage/report.txt'
	@echo 'make bench    measure: each line of what must hold under load, with its bound, as JSON and a table (LONG=1: all of them)'
	@echo 'make bench-ws measure: 10,000 players on one ws, beside a bare loop that writes the same bytes'
	@echo 'make bench-page measure: how the page feels in a browser: taps, frames, first paint'
	@echo 'make install  binaries, units and the page: DESTDIR=, /opt/tap-trading/releases/VERSION, and current names it'
	@echo 'make format   lay out the changed lines of C by .clang-format; tables and embedded texts are laid out by hand'
	@echo 'make check    static analysis by .clang-tidy, shellcheck over the scripts, and the systemd units'
	@echo 'make clean    remove build/ (state under var/ stays)'

run:
	@exec scripts/run

test:
	@exec tests/run

torture:
	@scripts/deps test system
	@[ -n "$(SKIP_BUILD)" ] || { cmake --preset release && cmake --build --preset release && scripts/web; } >/dev/null
	@exec env E2E_PRESET=release tests/torture/run

torture-report:
	@exec node tests/torture/report.mjs

storm:
	@exec scripts/torture storm_1 storm_2 storm_3 storm_4 storm_5

torture-steps:
	@exec scripts/torture

soak: build
	@scripts/deps test
	@E2E_PRESET=release exec node bench/soak.mjs

mutants:
	@scripts/deps run test
	@exec tests/mutants/run

fuzz:
	@scripts/deps run fuzz
	@exec scripts/fuzz $${FUZZ_SECONDS:-60}

coverage:
	@exec scripts/coverage

bench:
	@scripts/deps run
	@exec scripts/bench

bench-ws:
	@exec scripts/bench-ws

bench-page: build
	@scripts/deps test
	@E2E_PRESET=release exec node bench/page.mjs

build:
	@scripts/deps run
	@cmake --preset release
	@cmake --build --preset release
	@scripts/web

VERSION := $(shell awk '/^project/ {print $$3}' CMakeLists.txt)
PREFIX ?= /opt/tap-trading/releases/$(VERSION)
install: build
	DESTDIR="$(DESTDIR)" cmake --install build/release --prefix "$(PREFIX)"

format:
	@scripts/deps check
	@git clang-format --extensions c,h HEAD

check:
	@exec scripts/check

clean:
	rm -rf build
