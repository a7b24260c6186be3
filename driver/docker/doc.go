// Package docker runs instances as containers of a Docker Engine.
//
// # What it promises
//
// A container is known by its labels, so that a new server adopts what an old
// one started. What has not our installation's labels is never touched.
//
// An instance has one container at a time, named for it: the engine itself keeps
// two of one instance from being made. The next attempt's takes the place of the
// last one's, once its output is read.
//
// An instance has a folder, made before its container and removed after it, so
// that without a folder there is nothing to ask the engine about: instances of
// other drivers do not wait for an engine that is down.
//
//	folder → container created → started → ended → removed → folder removed
//	            └ left by a death: replaced by the next Apply
//
// # What a container gets
//
// Its image's command, the deployment's variables, and from us HOST, PORT (8000,
// published on 127.0.0.1 at the instance's port), SLIPWAY_INSTANCE and
// SLIPWAY_ATTEMPT. It has no capabilities, gains no privileges, is held to the
// limits of its workload and sees no folder of the machine; what it writes goes
// with it. Its root is not read-only: agents write where they like. Values of
// variables are in the engine's description of the container, but in no label,
// log or error.
//
// # Networks
//
// The containers of a deployment are on a bridge of their own: on one that all
// shared (icc=false) neighbours could still take each other's addresses. It is
// made before the first container and removed after the last, while the folder
// of the instance is there to find it by; what that misses is swept when the
// engine is reached.
//
// # State
//
// A kind with state has a volume per deployment, at SLIPWAY_STATE_DIR. A folder
// beside the instances says which volume it is, and holds snapshots as tarballs:
// they go through the engine, which may keep volumes where we can not read. That
// there was no state, because the deployment ran as a process, is noted beside
// the folder, so that what a revision wrote that failed goes then too. A
// snapshot is restored to a new volume, which becomes the deployment's by one
// rename; a death before leaves the old one, and volumes that are not the
// deployment's go with the containers that had them.
//
// # Asking an agent
//
// An image may say by a label which program in it passes on what its agent is asked
// (driver/internal/control): we have the engine run that in the container, and speak
// to it as long as it lives. So an agent can stand by, tell that it has yielded and
// tell of its runs, wherever the engine is; and what was started by one server is
// asked by the next. Of an image without it nothing is told, and none stands by.
//
// # Output
//
// The engine keeps what a container prints, bounded. A follower copies it into
// the instance's folder, where offsets name the same bytes over attempts and
// restarts: beside the output lies a mark, written after each message, that says
// how far the engine's log has been copied. Bytes behind the mark were never
// shown to anybody, and are dropped and copied again. What was read is given back
// to the disk; of what is printed faster than it is read, the end is kept and the
// rest is told as a gap.
package docker
