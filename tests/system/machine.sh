# shellcheck shell=bash
# machine.sh - a Debian 12 with a real systemd, booted in a container over a clean copy of one root that is made once. Sourced.
# Needs root, systemd-nspawn, mmdebstrap and overlay mounts; what is missing ends the run loudly. A machine has its own network
# (nothing but loopback), its own cgroups, and the limits of systemd's units hold in it (memory, tasks).
#   root_make                    the root, once, under build/system/root; with TAP_CLONE=1 one that can build too, root-building
#   machine_up NAME              boots, sets leader; `m COMMAND...` runs in it, `net COMMAND...` runs this side's program in its network
#   machine_halt / machine_cut   an orderly end / the plug is pulled; machine_up again boots what is on its disk
#   machine_forget               all of it gone

readonly work=$PWD/build/system
readonly base_root=$work/root${TAP_CLONE:+-building}
machine='' leader='' nspawn=''

# What a machine has from the start: a VM's usual things, and what the product would fetch by itself where there is a network.
# packages_of FILE NAME: a bash array of Debian packages, with commas between.
packages_of()
{
	sed -n "/^$2=(/,/)/p" "$1" | tr -d '()\n' | sed "s/^$2=//" | tr -s ' \t' ',' | sed 's/^,//;s/,$//'
}

root_packages=systemd,systemd-sysv,dbus,iproute2,openssh-server,sudo,procps,sqlite3
root_packages+=,$(packages_of scripts/host packages)
[ -z "${TAP_CLONE:-}" ] || root_packages+=,git,nodejs,npm,$(packages_of scripts/deps run_packages)

root_make()
{
	local stamp=$base_root/.packages
	if [ "$(cat "$stamp" 2>/dev/null)" = "$root_packages" ]; then
		return
	fi
	rm -rf "$base_root" "$base_root.part"
	mkdir -p "$work"
	# The mirrors of this machine serve the new root too, whatever they are.
	local sources=() list
	for list in /etc/apt/sources.list /etc/apt/sources.list.d/debian.*; do
		[ ! -s "$list" ] || sources+=("$list")
	done
	mmdebstrap --quiet --variant=minbase --include="$root_packages" bookworm "$base_root.part" "${sources[@]}" >&2 || return
	echo "$root_packages" >"$base_root.part/.packages"
	mv "$base_root.part" "$base_root"
}

machine_mount()
{
	local at=$work/$machine
	mkdir -p "$at"/{disk,work,root}
	mountpoint -q "$at/root" ||
		mount -t overlay overlay -o "lowerdir=$base_root,upperdir=$at/disk,workdir=$at/work" "$at/root"
}

# A cgroup of its own in each hierarchy, with this process in it until nspawn was started: containers would else share one.
enter_cgroups()
{
	local controller own dir
	for controller in unified systemd cpu cpuacct pids memory; do
		[ -d "/sys/fs/cgroup/$controller" ] || continue
		own=$(awk -F: -v c=$controller '(c == "unified" && $1 == 0) || $2 == c || $2 == "name=" c {print $3}' /proc/self/cgroup)
		dir=/sys/fs/cgroup/$controller${own%/}/$machine
		mkdir -p "$dir"
		echo "$BASHPID" >"$dir/cgroup.procs"
	done
}

start_nspawn()
{
	(
		enter_cgroups
		exec unshare -m --propagation private sh -c \
			'mkdir -p /run/systemd/nspawn && mount -t tmpfs tmpfs /run/systemd/nspawn && exec "$@"' sh \
			systemd-nspawn --quiet --boot -D "$work/$machine/root" -M "$machine" --register=no --keep-unit \
			--network-namespace-path="/run/netns/$machine" --console=read-only --link-journal=no
	) </dev/null >"$work/$machine/console" 2>&1 &
	nspawn=$!
}

# The child of nspawn that is PID 1 of its own name space.
find_leader()
{
	local child children
	read -ra children < <(cat "/proc/$nspawn"/task/*/children 2>/dev/null)
	for child in "${children[@]}"; do
		if grep -q '^NSpid.*[[:space:]]1$' "/proc/$child/status" 2>/dev/null; then
			leader=$child
			return 0
		fi
	done
	return 1
}

machine_booted()
{
	local state
	find_leader || return
	state=$(m systemctl is-system-running 2>/dev/null) || true
	case $state in running | degraded) ;; *) return 1 ;; esac
}

machine_up()
{
	machine=$1
	mkdir -p "$work/$machine"
	machine_mount || return
	ip netns list | grep -qw "$machine" || { ip netns add "$machine" && ip -n "$machine" link set lo up; } || return
	start_nspawn
	for _ in {1..600}; do
		if machine_booted; then
			give_controllers
			return
		fi
		kill -0 "$nspawn" 2>/dev/null || break
		sleep 0.1
	done
	echo "$machine did not boot:" >&2
	cat "$work/$machine/console" >&2
	return 1
}

# Where this machine has the first kind of cgroups, nspawn leaves them read-only to the container: limits would not be enforced.
give_controllers()
{
	local controller
	for controller in memory pids cpu cpuacct; do
		[ ! -d "/sys/fs/cgroup/$controller" ] ||
			nsenter -t "$leader" -m mount -o remount,bind,rw,nosuid,nodev,noexec "/sys/fs/cgroup/$controller"
	done
	m systemctl daemon-reexec
}

m()
{
	nsenter -t "$leader" -m -u -i -n -p -C -r -w -- env -i PATH=/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 "$@"
}

net()
{
	nsenter --net="/run/netns/$machine" -- "$@"
}

gone()
{
	for _ in {1..300}; do
		kill -0 "$nspawn" 2>/dev/null || break
		sleep 0.1
	done
	kill -KILL "$nspawn" 2>/dev/null
	wait "$nspawn" 2>/dev/null
	find /sys/fs/cgroup -depth -type d -path "*/$machine*" -exec rmdir {} + 2>/dev/null
	leader='' nspawn=''
}

machine_halt()
{
	[ -n "$leader" ] || return 0
	kill -s RTMIN+4 "$leader" 2>/dev/null
	gone
}

machine_cut()
{
	kill -KILL "$leader"
	gone
}

machine_forget()
{
	[ -n "$machine" ] || return 0
	machine_halt
	ip netns del "$machine" 2>/dev/null
	umount "$work/$machine/root" 2>/dev/null
	rm -rf "${work:?}/$machine"
	machine=''
}
