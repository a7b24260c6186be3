# Removes an engine and all it made. $1: the name of its place, $2: its range of
# addresses, $3: its folder. With "wait", when standard input is closed: by the
# engine's owner, or by the end of its process. What is gone already is no error.
case $3 in */slipway-docker-?*) ;; *) exit 1 ;; esac # it is about to remove a lot
[ "$4" = wait ] && while read -r _; do :; done
exec 2>/dev/null
PATH=$PATH:/usr/sbin:/sbin

# Containers first: an engine that stops waits for them.
kill -9 $(cat /sys/fs/cgroup/*/"$1"/*/cgroup.procs /sys/fs/cgroup/"$1"/*/cgroup.procs)
pid=$(cat "$3/pid")
if [ -n "$pid" ] && [ "$(readlink "/proc/$pid/cwd")" = "$3" ]; then
  kill "$pid"
  for _ in $(seq 100); do [ -e "/proc/$pid/cwd" ] || break; sleep 0.1; done
fi
for p in /proc/[0-9]*; do
  case $(readlink "$p/cwd") in "$3" | "$3"/*) kill -9 "${p#/proc/}" ;; esac
done

while read -r _ at _; do
  case $at in "$3"/*) echo "$at" ;; esac
done </proc/mounts | sort -r | while read -r at; do umount -l "$at"; done
ip link del "$1"
ip -o -4 addr show to "$2" | while read -r _ link _; do ip link del "$link"; done
iptables -w -t nat -D POSTROUTING -s "$2" ! -d "$2" -j MASQUERADE
iptables -w -D FORWARD -s "$2" -j ACCEPT
iptables -w -D FORWARD -d "$2" -j ACCEPT
find /sys/fs/cgroup/*/"$1" /sys/fs/cgroup/"$1" -depth -type d -exec rmdir {} +
rm -rf "$3"
exit 0
