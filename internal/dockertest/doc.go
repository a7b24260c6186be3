// Package dockertest gives tests a Docker Engine of their own: a dockerd in a
// temporary folder, reached by a Unix socket only, that knows nothing of another
// engine on the machine and is not known to it.
//
// A process starts its engine when a test first asks for one, which takes less
// than a second, and its tests share it. A shell waits for the process to end, in
// whatever way, ends the containers and the engine and removes what they made.
//
// Engines share a machine by places. A place is a number, held by a lock as long
// as anything of its engine lives; it gives the engine a bridge, a cgroup and a
// range of addresses that no other place has. What an engine whose shell was
// killed left behind is removed by the next that takes its place.
//
// The engine keeps its hands off iptables, where engines would remove each
// other's rules. Ports published on 127.0.0.1 need none, and one rule of the
// place lets containers out.
//
// An engine needs root.
package dockertest
