# shellcheck shell=bash
# shellcheck disable=SC2154,SC2016 # what run and machine.sh assign; sh expands it
# product.sh - the product on the machine, and who plays with it: releases, the venues' replay, load through nginx, and what the books
# say about what players were told. Sourced.

# shellcheck disable=SC2034 # for the cases
readonly daemons=(api ws ingest ingest@2 resolver archiver)
readonly stage=$work/stage
replay='' reason='' busy=false load=''

# A release of the build that is there, under a name of its own.
make_release()
{
	rm -rf "${stage:?}/$1"
	cmake --install build/release --prefix "$stage/$1" >/dev/null && echo "$1" >"$stage/$1/NAME"
}

# What the machine's owner would bring: a key to come in with, and venues that can be reached from here.
product_prepare()
{
	local root=$work/$machine/root
	mkdir -p "$root/root/.ssh" "$root/etc/tap-trading" "$stage" || return
	rm -f "$work/key" "$work/key.pub"
	ssh-keygen -q -t ed25519 -N '' -f "$work/key" || return
	install -m 600 "$work/key.pub" "$root/root/.ssh/authorized_keys"
	m systemctl -q start ssh || return
	start_replay
}

start_replay()
{
	# Not by net(): what is ended later is to be the program itself, no shell before it.
	nsenter --net="/run/netns/$machine" -- build/release/bin/venue-replay --listen 127.0.0.1:9089 --control "$work/replay.sock" >"$work/replay.log" 2>&1 </dev/null &
	replay=$!
}

product_forget()
{
	[ -z "$replay" ] || kill "$replay" 2>/dev/null
	wait "$replay" 2>/dev/null
	rm -f "$work"/{key,key.pub,told,told.*,replay.sock}
	rm -rf "$stage"
}

# The site's own settings: the replay for venues, play money, and room for as many bets as come.
site_settings()
{
	cat <<-'END'
		TAP_MIN_VENUES=1
		TAP_COINBASE_URL=ws://127.0.0.1:9089/
		TAP_KRAKEN_URL=ws://127.0.0.1:9089/v2
		TAP_BITSTAMP_URL=ws://127.0.0.1:9089/bitstamp
		TAP_BINANCE_URL=ws://127.0.0.1:9089/stream?streams=btcusdt@trade/btcusdt@bookTicker
		TAP_WELCOME_CREDIT=1000000000
		TAP_CAP_CELL=1000000000000000
		TAP_CAP_COLUMN=1000000000000000
		TAP_CAP_OPEN=1000000000000000
	END
}

ssh_options()
{
	echo "-i $work/key -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR"
}

# The real scripts, from this side, over the machine's own network. Who deploys has a machine of his own: here he is in nobody's way.
deploy()
{
	net nice -n 10 env STAGED="$stage/$1" TESTS='' SSH_OPTIONS="$(ssh_options)" scripts/deploy root@127.0.0.1
}

roll_back()
{
	net env SSH_OPTIONS="$(ssh_options)" scripts/rollback root@127.0.0.1
}

current_release()
{
	basename "$(m readlink /opt/tap-trading/current)"
}

pid_of()
{
	m systemctl show -P MainPID "tap-trading-$1.service"
}

ops_of()
{
	case $1 in
	api) echo 9080 ;; ws) echo 9081 ;; ingest) echo 9082 ;; resolver) echo 9083 ;; archiver) echo 9084 ;; ingest@2) echo 9292 ;;
	esac
}

is_ready()
{
	net curl -fsS --noproxy '*' --max-time 2 -o /dev/null "http://127.0.0.1:$(ops_of "$1")/ready" 2>/dev/null
}

all_ready()
{
	local name
	for name in "${daemons[@]}"; do
		is_ready "$name" || return
	done
}

# await SECONDS COMMAND...
await()
{
	local until=$((SECONDS + $1))
	shift
	until "$@"; do
		[ "$SECONDS" -lt "$until" ] || { echo "not within the time: $*"; return 1; }
		sleep 0.1
	done
}

bets_are_taken()
{
	net curl -s --noproxy '*' --max-time 2 http://127.0.0.1:8000/health | grep -q '"circuit_breaker" *: *{ *"status" *: *"healthy"'
}

# load_start NAME SECONDS: signed bets through nginx, by wallets that signed in before; begins once they have. The generator says when
# it had too little time to sign them all: then it gets more.
load_start()
{
	local lead start_at
	await 60 bets_are_taken || return
	for lead in 0 12 30; do
		start_at=()
		rm -f "$work/told.$1"
		[ "$lead" -eq 0 ] || start_at=(--start-at $(($(date +%s%3N) + lead * 1000)))
		nsenter --net="/run/netns/$machine" -- build/release/bin/bench-load --api 127.0.0.1:8080 --to 127.0.0.1:8000 --from 127.0.1.1 --spread 60 --connections 64 \
			--plan "steady:$rate:$2" --sign-threads 2 --told "$work/told.$1" "${start_at[@]}" >"$work/load.$1" 2>"$work/load.$1.err" </dev/null &
		load=$!
		await 90 load_began "$1" || return
		! kill -0 "$load" 2>/dev/null || return 0
		wait "$load"
		cat "$work/load.$1.err"
	done
	return 1
}

load_began()
{
	[ -s "$work/told.$1" ] || ! kill -0 "$load" 2>/dev/null
}

count()
{
	grep -o "\"$2\":[0-9]*" "$work/load.$1" | head -n 1 | cut -d: -f2
}

# load_end_now NAME: it is ended before its time, a moment after what it was to outlast. Had it ended by itself, less would be said: that
# is for a busy machine alone.
load_end_now()
{
	sleep 3
	kill -TERM "$load" 2>/dev/null || $busy || { reason="the load ended before"; return 1; }
	load_end "$1"
}

# load_end NAME: no player saw anything: every bet was answered by the game's own rules, 202 or 409, or from the book (200), when
# its first answer was lost on the way. A machine that cannot carry the load by itself (find_rate) may say that it cannot.
load_end()
{
	local sent accepted rules again late
	wait "$load" || { cat "$work/load.$1.err"; return 1; }
	cat "$work/told.$1" >>"$work/told"
	cut -c1-900 "$work/load.$1"
	sent=$(count "$1" sent) accepted=$(count "$1" accepted) rules=$(count "$1" refused_409) again=$(count "$1" 200)
	late=$(count "$1" overloaded)
	reason="$sent bets at $rate/s, $accepted accepted, $rules refused by the rules, ${again:-0} answered twice,"
	reason+=" ${late:-0} overloaded, p99 $(($(count "$1" p99_us) / 1000)) ms"
	[ "$accepted" -gt $((sent / 2)) ] || return
	if $busy; then
		accepted=$((accepted + ${late:-0}))
	fi
	[ $((accepted + rules + ${again:-0})) -eq "$sent" ]
}

# Over the last minute no more than its processors were wanted, so that what is late here is late by its own fault.
others_let_it()
{
	awk -v cpus="$(nproc)" '{ exit !($1 < cpus) }' /proc/loadavg
}

# What this machine carries without any deployment; else nothing could be said of one.
find_rate()
{
	local wanted=$rate
	busy=false
	for rate in "$wanted" $((wanted / 2)) $((wanted / 5)); do
		if load_start control 4 && load_end control; then
			busy=$([ "$rate" -eq "$wanted" ] && others_let_it && echo false || echo true)
			return 0
		fi
	done
	reason="this machine does not carry $rate bets a second: $reason"
	return 1
}

# The book of the week, from this side, by a connection that can only read.
book_sql()
{
	m sh -c 'sqlite3 -readonly /var/lib/tap-trading/bets_*.db "$1"' sh "$1"
}

# Every bet that a player was told of stands in the book. The last line of one who was cut off may be half.
told_is_in_the_book()
{
	[ -s "$work/told" ] || return
	grep -o '^{"bet_id":"[0-9A-Z]\{26\}"' "$work/told" | cut -d'"' -f4 | sort -u >"$work/told.ids"
	book_sql "SELECT ref_id FROM transaction_ledger WHERE ref_type = 'BET'" | sort -u >"$work/book.ids"
	comm -23 "$work/told.ids" "$work/book.ids" >"$work/lost.ids"
	reason="$(wc -l <"$work/told.ids") told of, $(wc -l <"$work/book.ids") in the book, $(wc -l <"$work/lost.ids") lost"
	[ ! -s "$work/lost.ids" ]
}

audit()
{
	m tap-trading-ctl integrity && m tap-trading-ctl trial-balance
}

redis()
{
	m tap-redis-cli "$@"
}

# patience SECONDS: of what is promised; three times that where others keep the processors busy, whose fault it may be then.
patience()
{
	others_let_it && echo "$1" || echo $((3 * $1))
}

# The longest way between two official ticks since a moment, in ms.
longest_gap()
{
	redis XRANGE prices:btc:usd:ts "$1" + | grep -o '^[0-9]\{13\}-0$' | awk -F- 'last && $1 - last > most { most = $1 - last } { last = $1 } END { print most + 0 }'
}
