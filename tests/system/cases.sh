# shellcheck shell=bash
# shellcheck disable=SC2154,SC2015,SC2016 # what run, machine.sh and product.sh assign; no else is meant; sh expands it
# cases.sh - what must hold, in the order in which a machine lives. Sourced by run; each returns 0 or says why not.

fresh_install()
{
	make_release r1
	mkdir -p "$work/$machine/root/root/release"
	cp -r "$stage/r1" "$work/$machine/root/root/release/"
	# The replay's addresses are the site's; the rest of tap.env is the install's.
	{ cat systemd/tap.env.example && site_settings; } >"$work/$machine/root/etc/tap-trading/tap.env"
	m /root/release/r1/host install --origin https://tap.example.com || return
	[ "$(current_release)" = r1 ] && await 60 all_ready && [ -z "$(m systemctl --failed --no-legend)" ] || return
	await 30 m curl -fsS -k --resolve tap.example.com:443:127.0.0.1 https://tap.example.com/ -o /dev/null || return
	[ "$(m curl -sS -o /dev/null -w '%{http_code} %{redirect_url}' -H 'Host: tap.example.com' http://127.0.0.1/x)" = '308 https://tap.example.com/x' ]
}

# TAP_CLONE=1: from sources alone, by the one command that the papers name. What it would fetch from registries lies there, because the
# machine has no network: Debian's packages in its root, the page's in the clone.
install_from_a_clone()
{
	local at=$work/$machine/root/root/clone name before
	git -c safe.directory='*' clone -q . "$at" || return
	for name in packages/client web; do
		cp -r "$name/node_modules" "$at/$name/" || return
	done
	{ cat systemd/tap.env.example && site_settings; } >"$work/$machine/root/etc/tap-trading/tap.env"
	m sh -c 'cd /root/clone && scripts/install --origin https://tap.example.com' || return
	await 60 all_ready && [[ $(current_release) = *-$(git -C "$at" rev-parse --short HEAD) ]] || return
	before=$(state_of_install)
	# And again: built from the same sources it is the same release, and nothing else changes either.
	m sh -c 'cd /root/clone && scripts/install --origin https://tap.example.com' || return
	[ "$before" = "$(state_of_install)" ] && await 60 all_ready
}

state_of_install()
{
	m sh -c 'sha256sum /etc/tap-trading/tap.env /etc/tap-trading/tls/* /etc/tap-trading/credentials/* /etc/systemd/system/tap-*.*; id tap-api; ls /opt/tap-trading/releases' 2>/dev/null
}

install_again()
{
	local before
	before=$(state_of_install)
	m /root/release/r1/host install --origin https://tap.example.com || return
	[ -n "$before" ] && [ "$before" = "$(state_of_install)" ] && await 60 all_ready
}

# Each unit that is there, of a template an instance.
units_are_tight()
{
	local unit said sum=0 bytes n=0 worst=0 exposure
	for unit in $(m sh -c 'cd /etc/systemd/system && ls -d tap-*.service tap-*.socket tap-*.target tap-*.slice'); do
		unit=${unit/@./@2.} n=$((n + 1))
		said=$(m systemd-analyze verify --man=no --recursive-errors=no "$unit" 2>&1) && ! grep -F tap- <<<"$said" || return
		[[ $unit = *.service ]] || continue
		exposure=$(m systemd-analyze security --no-pager "$unit" | sed -n 's/.*exposure level for .*: \([0-9]\)\.\([0-9]\).*/\1\2/p')
		echo "$unit $exposure"
		[ -n "$exposure" ] && exposure=$((10#$exposure)) && [ "$exposure" -le 12 ] || return
		[ "$exposure" -le "$worst" ] || worst=$exposure
		bytes=$(m systemctl show -P MemoryMax "$unit")
		sum=$((sum + bytes))
	done
	reason="$n units, exposure at most $((worst / 10)).$((worst % 10)), limits sum to $((sum >> 20)) MB"
	[ "$n" -ge 14 ] && [ "$sum" -lt $((8 << 30)) ] && [ "$(m systemctl show -P MemoryMax tap-trading.slice)" -lt $((8 << 30)) ] && await 60 all_ready
}

# Two workers that run for one connection: who is late must not wait in accept(), or all whom it serves wait with it.
doors_do_not_block()
{
	local unit pid fd flags seen=0
	for unit in tap-nginx tap-trading-api tap-trading-ws; do
		for pid in $(m cat "/sys/fs/cgroup/systemd/tap.slice/tap-trading.slice/$unit.service/cgroup.procs" 2>/dev/null ||
				m cat "/sys/fs/cgroup/tap.slice/tap-trading.slice/$unit.service/cgroup.procs"); do
			for fd in $(m ss -Hltnp | grep -o "pid=$pid,fd=[0-9]*" | cut -d= -f3); do
				flags=$(m sed -n 's/^flags:[[:space:]]*//p' "/proc/$pid/fdinfo/$fd")
				[ $((0$flags & 04000)) -ne 0 ] || { reason="$unit blocks in accept on descriptor $fd"; return 1; }
				seen=$((seen + 1))
			done
		done
	done
	reason="$seen listening descriptors"
	[ "$seen" -ge 8 ]
}

idle_is_small()
{
	local name kb sum=0
	for name in "${daemons[@]}"; do
		kb=$(m sed -n 's/^VmRSS:[[:space:]]*\([0-9]*\).*/\1/p' "/proc/$(pid_of "$name")/status")
		echo "$name $kb kB"
		sum=$((sum + kb))
	done
	reason="$((sum / 1024)) MB resident"
	[ "$sum" -gt 0 ] && [ "$sum" -lt $((150 * 1024)) ]
}

# A control first: the machine must carry the load, or it cannot judge a deployment.
deploy_under_load()
{
	local since took load_reason gap
	find_rate || return
	make_release r2
	since=$(date +%s%3N)
	load_start deploy 40 || return
	sleep 2
	took=$SECONDS
	deploy r2 || return
	took=$((SECONDS - took))
	load_end_now deploy || return
	load_reason=$reason
	[ "$(current_release)" = r2 ] && await 60 all_ready && told_is_in_the_book || return
	gap=$(longest_gap "$since")
	reason="$took s; $load_reason; longest way between ticks $gap ms"
	[ "$took" -lt "$(patience 300)" ] && [ "$gap" -le "$(patience 1000)" ]
}

rollback_under_load()
{
	local took load_reason
	load_start rollback 40 || return
	sleep 2
	took=$SECONDS
	roll_back || return
	took=$((SECONDS - took))
	load_end_now rollback || return
	load_reason=$reason
	[ "$(current_release)" = r1 ] && await 60 all_ready && told_is_in_the_book || return
	reason="$took s; $load_reason"
	[ "$took" -lt "$(patience 60)" ]
}

# A release whose api says yes to its configuration, and dies.
bad_release_goes_back()
{
	make_release bad
	printf '#!/bin/sh\n[ "$1" = --check-config ] || exit 70\n' >"$stage/bad/tap-trading-api"
	cp -r "$stage/bad" "$work/$machine/root/opt/tap-trading/releases/"
	load_start bad 40 || return
	sleep 1
	m /opt/tap-trading/releases/bad/host activate bad && return 1
	load_end_now bad || return
	[ "$(current_release)" = r1 ] && await 60 all_ready
}

came_back()
{
	local now
	now=$(pid_of "$1")
	[ "$now" != 0 ] && [ "$now" != "$2" ] && is_ready "$1"
}

killed_daemons_come_back()
{
	local name i pid began ms worst=0
	for name in "${daemons[@]}"; do
		for ((i = 0; i < kills; i++)); do
			pid=$(pid_of "$name")
			began=$(date +%s%3N)
			m kill -KILL "$pid"
			await "$(patience 5)" came_back "$name" "$pid" || { reason="$name did not come back"; return 1; }
			ms=$(($(date +%s%3N) - began))
			[ "$ms" -le "$worst" ] || worst=$ms
		done
	done
	reason="$kills times each, the slowest after $worst ms"
	audit
}

stopped_daemons_are_restarted()
{
	local name began=$SECONDS until=$((SECONDS + $(patience 15)))
	local -A pid=()
	for name in "${daemons[@]}"; do
		pid[$name]=$(pid_of "$name")
		m kill -STOP "${pid[$name]}"
	done
	for name in "${daemons[@]}"; do
		await $((until - SECONDS)) came_back "$name" "${pid[$name]}" || { reason="$name was not restarted"; return 1; }
	done
	reason="all after $((SECONDS - began)) s"
	audit
}

# Each command of the runbook, as it stands there, on a machine where the product is; a withdrawal's and a player's are the e2e tests'.
runbook_can_be_typed()
{
	local line id n=0
	id=$(book_sql "SELECT ref_id FROM transaction_ledger WHERE ref_type = 'BET' LIMIT 1") || return
	while IFS= read -r line; do
		case $line in tap-trading-ctl*\$*) continue ;; esac
		n=$((n + 1))
		timeout 100 nsenter -t "$leader" -m -u -i -n -p -C -r -w -- env -i PATH=/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
			LC_ALL=C.UTF-8 TERM=dumb BET="$id" ID="$id" WALLET=0x0 bash -c "$line" </dev/null >"$work/typed" 2>&1 ||
			{ reason="$line: exit $?"; cat "$work/typed"; return 1; }
		[[ $line != systemctl\ restart* ]] || await 60 all_ready || { reason="not ready after: $line"; return 1; }
	done < <(sed -n '/^```sh$/,/^```$/{/^```/d;p}' docs/runbook.md | awk '!seen[$0]++')
	m tap-trading-ctl breaker auto --reason "the runbook was tried" && await 60 bets_are_taken || return
	reason="$n commands"
	[ "$n" -gt 40 ]
}

# The operators' page, and nginx' word on the players' way, on loopback alone and under no foreign name.
operators_page_is_there()
{
	local page name
	page=$(m curl -fsS --noproxy '*' http://127.0.0.1:9085/) && grep -q '<title>' <<<"$page" || return
	for name in api ws ingest resolver archiver; do
		m curl -fsS --noproxy '*' "http://127.0.0.1:9085/ops/$name/health" | grep -q '"status"' || return
	done
	[ "$(m curl -sS --noproxy '*' -o /dev/null -w '%{http_code}' -H 'Host: example.com' http://127.0.0.1:9085/)" = 421 ] || return
	[ "$(m curl -sS --noproxy '*' -o /dev/null -w '%{http_code}' http://127.0.0.1:8000/ops/api/health)" = 404 ] || return
	m ss -Hltn 'sport = :9085' | grep -q '127\.0\.0\.1:9085' || return
	front_is 1 || return
	m systemctl stop tap-trading-api.socket tap-trading-api.service
	await 30 front_is 0 || return
	m systemctl start tap-trading-api.socket tap-trading-api.service
	await 60 front_is 1 && await 60 all_ready
}

front_is()
{
	m curl -fsS --noproxy '*' --max-time 20 http://127.0.0.1:9085/front/metrics | grep -qx "tap_front_up $1"
}

# The archiver becomes a program that takes all the memory there is. Only where its limit is enforced is that done at all.
bomb_stays_in_its_limit()
{
	local limit name ended
	local -A before=()
	limit=$(m sh -c 'cat /sys/fs/cgroup/memory/*.slice/tap-trading.slice/tap-trading-archiver.service/memory.limit_in_bytes \
		/sys/fs/cgroup/memory/tap.slice/tap-trading.slice/tap-trading-archiver.service/memory.limit_in_bytes \
		/sys/fs/cgroup/tap.slice/tap-trading.slice/tap-trading-archiver.service/memory.max 2>/dev/null' | sort -u)
	[ "$limit" = $((512 << 20)) ] || { reason="the limit is not enforced here (${limit:-none}): not tried"; return 1; }
	for name in "${daemons[@]}" ; do
		before[$name]=$(pid_of "$name")
	done
	m mkdir -p /run/systemd/system/tap-trading-archiver.service.d
	printf '[Service]\nType=exec\nWatchdogSec=0\nRestart=no\nExecStart=\nExecStart=/usr/bin/tail /dev/zero\n' \
		>"/proc/$leader/root/run/systemd/system/tap-trading-archiver.service.d/90-bomb.conf"
	m systemctl daemon-reload
	m systemctl restart tap-trading-archiver.service
	await 60 bomb_is_over || return
	# By the kernel, whose word the first kind of cgroups does not hand on.
	ended=$(m systemctl show -P Result -P ExecMainStatus tap-trading-archiver.service | tr '\n' ' ')
	m rm -r /run/systemd/system/tap-trading-archiver.service.d
	m systemctl daemon-reload
	m systemctl reset-failed tap-trading-archiver.service
	m systemctl start tap-trading-archiver.service
	case $ended in "oom-kill 9 " | "signal 9 ") ;; *) reason="it ended by $ended"; return 1 ;; esac
	for name in api ws ingest ingest@2 resolver; do
		[ "$(pid_of "$name")" = "${before[$name]}" ] || { reason="$name was hit too"; return 1; }
	done
	reason="ended at its 512 MB, the others untouched"
	await 60 all_ready
}

bomb_is_over()
{
	[ "$(m systemctl show -P ActiveState tap-trading-archiver.service)" = failed ]
}

# The plug is pulled while bets come in: all is back without a hand.
unplugged_in_mid_load()
{
	load_start unplugged 20 || return
	sleep 3
	machine_cut
	kill "$load" 2>/dev/null
	wait "$load" 2>/dev/null
	cat "$work/told.unplugged" >>"$work/told"
	machine_up "$machine" || return
	await 60 all_ready && await 60 bets_are_taken || return
	told_is_in_the_book && audit && m /opt/tap-trading/current/host smoke
}

books_are_whole()
{
	told_is_in_the_book && audit
}

# An access that a daemon needs and its Redis user has not would be written down here.
nothing_was_refused_by_redis()
{
	local log
	log=$(redis ACL LOG) || return
	echo "$log"
	[ -z "$log" ]
}

uninstall_leaves_the_books()
{
	m bash /opt/tap-trading/current/host uninstall || return
	m systemctl list-units --all --no-legend 'tap-*'
	[ -z "$(m systemctl list-units --all --no-legend 'tap-*')" ] && [ -z "$(m sh -c 'pgrep -u tap-api,tap-ws,tap-ingest,tap-redis,tap-nginx')" ] || return
	m test ! -e /opt/tap-trading && m test -s /var/lib/tap-trading/meta.db && m test -s /etc/tap-trading/tap.env || return
	# And they are found again.
	m /root/release/r1/host install && await 60 all_ready && { [ ! -s "$work/told" ] || told_is_in_the_book; }
}

purge_leaves_nothing()
{
	local left
	m bash /opt/tap-trading/current/host uninstall --purge || return
	left=$(m sh -c 'find / -xdev \( -path /proc -o -path /sys -o -path /root -o -path /usr/share -o -path /var/log \) -prune -o -name "*tap-*" -print; grep ^tap- /etc/passwd /etc/group')
	echo "$left"
	[ -z "$left" ]
}
